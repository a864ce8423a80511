"""A model applied to pictures of any size, with results at their size: functions of a callable model and of tensors.

A model is any callable that maps ``(B, 3, H, W)`` uint8 RGB to probabilities: ``(B, C, H, W)`` become masks, ``(B, C)``
labels. A detector also gives the probabilities of windows, which become boxes.
"""
