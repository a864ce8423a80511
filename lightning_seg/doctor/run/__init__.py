"""Findings about a run: how it was trained, and what its network answers."""
