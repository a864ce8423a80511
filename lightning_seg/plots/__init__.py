"""Figures from tensors and numbers; nothing here knows a trainer."""
