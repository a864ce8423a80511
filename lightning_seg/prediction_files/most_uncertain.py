"""The sheet of the most uncertain pictures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from lightning_seg.images import Array, upright
from lightning_seg.plots.formats import PNG, Formats
from lightning_seg.prediction_folder import SHEET

THUMBNAIL = 320


def most_uncertain(rows: Sequence[dict[str, str]], number: int) -> list[dict[str, str]]:
    """The rows with the highest entropies in a table of predictions, the highest first."""
    return sorted(rows, key=lambda row: float(row["entropy"]), reverse=True)[:number]


def write_sheet(
    folder: Path,
    pictures: Sequence[Path],
    captions: Sequence[str],
    legend: Sequence[str] = (),
    formats: Formats = PNG,
    tint_background: bool = False,
) -> None:
    """Write ``most_uncertain.png`` with these picture files, if there are any.

    Args:
        folder: of the sheet.
        pictures: files.
        captions: of the pictures.
        legend: names of the classes that pictures are tinted by.
        formats: of the sheet.
        tint_background: whether the background is tinted, too.
    """
    if pictures:
        # Not before it is needed: figures take longer to import than all else that predicts.
        from lightning_seg.plots.contact_sheet import draw_contact_sheet
        from lightning_seg.plots.figures import save_plot

        thumbnails = [_thumbnail(path) for path in pictures]
        figure = draw_contact_sheet(thumbnails, captions, legend, tint_background=tint_background)
        save_plot(figure, folder / SHEET, formats)


def _thumbnail(path: Path) -> Array:
    with Image.open(path) as picture:
        # Large JPEGs are decoded at a fraction of their size.
        picture.draft("RGB", (THUMBNAIL, THUMBNAIL))
        picture.thumbnail((THUMBNAIL, THUMBNAIL))
        return np.asarray(upright(picture).convert("RGB"))
