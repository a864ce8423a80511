"""Telling what was found: on the terminal and as a page."""
