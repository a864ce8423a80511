"""Runs that are published on the Hugging Face hub: files without private paths, there and back."""
