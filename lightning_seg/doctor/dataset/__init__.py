"""Findings about the files of a dataset: each by itself, and all together."""
