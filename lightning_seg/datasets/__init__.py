"""Datasets: one sample from disk at a time, and caches of decoded pictures."""
