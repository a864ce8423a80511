"""Tensors and numbers to figures; nothing here knows a trainer."""
