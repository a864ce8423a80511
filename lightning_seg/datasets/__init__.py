"""Readers: one sample from disk at a time."""
