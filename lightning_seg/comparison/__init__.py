"""Variants of one training, compared over the same seeds and test pictures."""
