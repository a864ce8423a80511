"""A trained run as one file that is the whole job: pictures in; masks, labels or boxes out; and the proof of it."""

from lightning_seg.export.exporting import Format, Order, Proved, Source, export

__all__ = ["Format", "Order", "Proved", "Source", "export"]
