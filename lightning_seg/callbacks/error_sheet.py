"""The sheet of a test's worst pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from lightning_seg.metrics.picture_scores import PictureRow
from lightning_seg.plots.errors import draw_wrong_labels, draw_wrong_masks
from lightning_seg.plots.figures import remove_plot, save_plot
from lightning_seg.plots.formats import PNG, Formats

SHEET = "errors_test"
"""Without the suffix of its format."""
LONGEST = 44
"""Letters of a name in a caption."""


class Mistake(NamedTuple):
    """A picture with a mistake."""

    badness: float
    path: str
    told: PictureRow
    panels: Tensor  # see ``Worst``


def write_errors(
    path: Path, mistakes: Sequence[Mistake], names: Sequence[str], quantity: str, formats: Formats = PNG
) -> bool:
    """Draw the mistakes, or remove the sheet of an earlier test where there is none; whether there is one now.

    Args:
        path: of the sheet, without suffix.
        mistakes: the worst first.
        names: of the classes.
        quantity: what the score is.
        formats: of the sheet.
    """
    if not mistakes:
        remove_plot(path)
        return False
    images = [one.panels[0].permute(1, 2, 0).numpy() for one in mistakes]
    if len(mistakes[0].panels) == 1:
        figure = draw_wrong_labels(images, [_label_caption(one, names) for one in mistakes])
    else:
        true, said = ([one.panels[panel, 0].numpy() for one in mistakes] for panel in (1, 2))
        figure = draw_wrong_masks(images, true, said, [_mask_caption(one, quantity) for one in mistakes], names)
    save_plot(figure, path, formats)
    return True


def _mask_caption(mistake: Mistake, quantity: str) -> str:
    told = mistake.told
    loss = "" if told.loss != told.loss else f", loss {told.loss:.3f}"
    return f"{_short(Path(mistake.path).name)}\n{quantity} {told.score:.3f}{loss}"


def _label_caption(mistake: Mistake, names: Sequence[str]) -> str:
    told = mistake.told
    true, said = (_short(names[index]) for (index,) in (told.truth, told.prediction))
    sure = "" if told.probability != told.probability else f" {100 * told.probability:.1f} %"
    return f"{_short(Path(mistake.path).name)}\ntrue: {true}\npredicted: {said}{sure}"


def _short(name: str) -> str:
    """Without its middle, if it is long: names differ at their ends."""
    half = LONGEST // 2
    return name if len(name) <= LONGEST else f"{name[: half - 1]}…{name[-half:]}"
