"""Figures of a run as SVG elements, for light and dark pages alike: letters stay letters, in the colour of the text."""

from lightning_seg.plots.confusion_cells import draw_confusion_cells
from lightning_seg.plots.curves import draw_curves
from lightning_seg.plots.figures import figure_to_svg
from lightning_seg.report.confusion import Confusion
from lightning_seg.report.contents import Content
from lightning_seg.report.pixels import PixelConfusion
from lightning_seg.run_files import LOSS, monitor_of

CURVES = ("loss", "miou", "accuracy", "macro_f1", "mdice", "ece")
"""Quantities that are drawn by themselves, beside the one that has chosen the best checkpoint."""
MOST = 4


def curve_quantities(content: Content) -> list[str]:
    """Quantities with values by epoch, in training or validation, without those of classes; the usual ones first."""
    logged = [name.partition("/")[2] for name in content.curves if name.startswith(("train/", "val/"))]
    monitor = (monitor_of(content.numbers) or "").partition("/")[2]
    first = [name for name in ("loss", monitor, *CURVES) if name in logged]
    return list(dict.fromkeys([*first, *(name for name in logged if "/" not in name)]))


def curves_svg(content: Content, quantity: str, name: str = "") -> str:
    """Training and validation, epoch by epoch.

    Args:
        content: of the run.
        quantity: one of ``curve_quantities``.
        name: unique among the figures of a page.
    """
    curves = {f"{split}/{quantity}": content.curves.get(f"{split}/{quantity}", {}) for split in ("train", "val")}
    loss_is = content.numbers.get(LOSS)
    return figure_to_svg(
        draw_curves(curves, [quantity], loss_is if isinstance(loss_is, str) else None), name or f"curves-{quantity}"
    )


def confusion_svg(confusion: Confusion, name: str = "confusion") -> str:
    """True classes by predicted ones."""
    return figure_to_svg(draw_confusion_cells(confusion.counts, confusion.class_names), name)


def pixels_svg(pixels: PixelConfusion, name: str = "confusion") -> str:
    """True classes by predicted ones, in percent of the pixels of the true class."""
    return figure_to_svg(draw_confusion_cells(pixels.counts, pixels.class_names, in_percent=True), name)
