"""Classifiers that slide over their own feature map."""
