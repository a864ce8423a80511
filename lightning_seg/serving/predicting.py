"""Pictures predicted by an exported model, written as those of a run."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lightning_seg.batch import Unreadable
from lightning_seg.cores import usable_cores
from lightning_seg.datasets.finding import find_pictures, unique_names
from lightning_seg.datasets.threads import as_they_come
from lightning_seg.errors import DataError
from lightning_seg.images import Array, read_image, read_image_at
from lightning_seg.inference.knobs import about_tiles
from lightning_seg.plots.formats import PNG, Formats
from lightning_seg.prediction_files import BoxFiles, LabelFiles, MaskFiles, Pictured, PredictionFiles, Row, what_is_done
from lightning_seg.progress import counted
from lightning_seg.serving.applied import AppliedFile
from lightning_seg.stopping import at_stake
from lightning_seg.tables import read_rows

log = logging.getLogger(__name__)
FILES: dict[str, type[PredictionFiles[Any]]] = {"masks": MaskFiles, "labels": LabelFiles, "boxes": BoxFiles}
NO_NUMBER = "the network's answer is no number (NaN or infinite); export with --precision float32, or another run"
MOST, MOST_LARGE = 4, 2
"""Pictures that are in work at once, and such that are not made smaller when they are read."""


class _Given(NamedTuple):
    """A picture to predict."""

    path: Path
    name: str


def predict_folder(
    applied: AppliedFile,
    images: Sequence[str | Path],
    output: str | Path,
    plots: Formats = PNG,
    tint_background: bool = False,
) -> PredictionFiles[Any]:
    """Write what a model says of pictures, and return what was written.

    Threads read, answer and write several pictures at once; rows are written in the order of the pictures.

    Args:
        applied: the model.
        images: files, folders and patterns.
        output: folder.
        plots: formats of what is drawn of all pictures together.
        tint_background: of masks, darken the background in overlays, too.

    Raises:
        ConfigError: if the folder cannot be written or holds files of another origin.
        DataError: if there is no picture.
    """
    tile, trained_at = getattr(applied.inference, "tile", None), applied.about.image_size
    if tile is not None and trained_at is not None:
        log.warning(about_tiles(trained_at))
    paths = find_pictures(images)
    files = FILES[applied.about.kind](output, no_number=NO_NUMBER, plots=plots, tint_background=tint_background)
    if isinstance(files, MaskFiles):
        files.mask_format, files.encoding = applied.inference.mask_format, applied.mask_encoding
    files.prepare()
    files.begin(applied.class_names, applied.label_names)
    at_stake(lambda: what_is_done({files.table: len(read_rows(files.table))}))
    given = [_Given(path, name) for path, name in zip(paths, unique_names(paths), strict=True)]
    threads = min(usable_cores(), MOST_LARGE if applied.image_size is None else MOST)
    done = as_they_come(lambda one: _predict_one(applied, files, one), given, threads)
    for row in counted(done, "predicting", len(given)):
        files.append([files.unreadable_row(*row) if isinstance(row, Unreadable) else row])
    files.end(read_rows(files.table))
    return files


def _predict_one(applied: AppliedFile, files: PredictionFiles[Any], given: _Given) -> Row | Unreadable:
    path = str(given.path)
    try:
        shown, size = read_image_at(path, applied.image_size)
    except DataError as error:
        return Unreadable(path, str(error))

    def read() -> Array:
        # The model may have seen another size.
        return shown if shown.shape[:2] == size else read_image(path)

    return files.row_of(Pictured(path, given.name, size, read), applied.answer(shown, size))
