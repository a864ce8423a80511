"""Comparing variants of one training over the same seeds and test pictures."""
