"""From a model and a picture of any size to a result at that size: functions of a callable model and of tensors.

A model is any callable that maps ``(B, 3, H, W)`` uint8 RGB to probabilities: a network, or an exported file. What it
answers decides what is made of it: ``(B, C, H, W)`` becomes masks, ``(B, C)`` labels, which need views alone; boxes
will get a file of their own beside ``masks.py`` and ``labels.py``.
"""
