"""Predicted masks as files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lightning_seg.answers import MaskAnswer
from lightning_seg.errors import ConfigError
from lightning_seg.files import printable, replacing
from lightning_seg.images import Array, write_image
from lightning_seg.inference.knobs import MaskFormat
from lightning_seg.mask_encoding import MaskEncoding
from lightning_seg.plots.overlay import draw_classes
from lightning_seg.plots.palette import palette_of
from lightning_seg.prediction_files.folder import Pictured, PredictionFiles, Row
from lightning_seg.prediction_files.most_uncertain import most_uncertain, write_sheet
from lightning_seg.prediction_folder import MASK_FOLDERS

LONGEST_JPEG = 65_500
"""Largest side in pixels of the JPEG library."""


class MaskFiles(PredictionFiles[MaskAnswer]):
    """A mask, an overlay and a row of the table for every picture, at its original size.

    * ``masks/<name>.png``: class indices with a palette, or another ``mask_format``;
    * ``overlays/<name>.jpg``: the picture tinted by class, but for the background; a PNG if too large for JPEG;
    * ``probs/<name>.npy``: ``(C, H, W)`` float16, where probabilities are kept;
    * ``predictions.csv``: pixels and share of every class, mean confidence, mean relative entropy in [0, 1];
    * ``most_uncertain.png``: the overlays of the highest entropies.

    Args:
        output: folder.
        num_uncertain: pictures on the sheet; 0 draws none.
        options: see ``PredictionFiles``.
    """

    folders = MASK_FOLDERS
    has_masks = True
    mask_format: MaskFormat = "palette"
    encoding: MaskEncoding | None = None
    """What the masks hold that the model was trained on, if anybody knows it."""

    def __init__(self, output: str | Path = "predictions", num_uncertain: int = 12, **options: Any) -> None:
        super().__init__(output, **options)
        self.num_uncertain = num_uncertain

    def columns(self) -> list[str]:
        areas = [f"{quantity}/{name}" for quantity in ("pixels", "share") for name in self.class_names]
        return ["width", "height", "confidence", "entropy", *areas, "mask", "overlay"]

    def write(self, picture: Pictured, answer: MaskAnswer) -> Row:
        path, name, mask = picture.path, picture.name, answer.mask
        suffix = "jpg" if max(mask.shape) <= LONGEST_JPEG else "png"
        mask_path, overlay_path = Path("masks", f"{name}.png"), Path("overlays", f"{name}.{suffix}")
        stored = mask_picture(mask, self.class_names, self.mask_format, self.encoding)
        write_image(stored, self.place(path, mask_path.as_posix()), flushed=False)
        overlay = draw_classes(picture.read(), mask, self.class_names, tint_background=self.tint_background)
        write_image(overlay, self.place(path, overlay_path.as_posix()), flushed=False, quality=90)
        if answer.probs is not None:
            with replacing(self.place(path, f"probs/{name}.npy"), flushed=False) as file:
                np.save(file, answer.probs)
        else:
            # Those of an earlier prediction would not fit the new mask.
            self.remove_others(picture, [self.output / f"probs/{name}.npy"])
        height, width = mask.shape
        pixels = np.bincount(mask.ravel(), minlength=len(self.class_names)).tolist()
        areas = list(zip(self.class_names, pixels, strict=True))
        return {
            "width": width,
            "height": height,
            "confidence": round(answer.confidence, 5),
            "entropy": round(answer.entropy, 5),
            **{f"pixels/{each}": count for each, count in areas},
            **{f"share/{each}": round(count / mask.size, 5) for each, count in areas},
            "mask": mask_path.as_posix(),
            "overlay": overlay_path.as_posix(),
        }

    def finish(self, rows: Sequence[dict[str, str]]) -> None:
        shown = most_uncertain(rows, self.num_uncertain)
        captions = [f"{printable(Path(row['picture']).name)}\nentropy {float(row['entropy']):.3f}" for row in shown]
        overlays = [self.output / row["overlay"] for row in shown]
        write_sheet(self.output, overlays, captions, self.class_names, self.plots, self.tint_background)


def mask_picture(
    mask: Array, class_names: Sequence[str], mask_format: MaskFormat = "palette", encoding: MaskEncoding | None = None
) -> Image.Image:
    """The mask file of class indices ``(H, W)`` uint8, see ``MaskKnobs``."""
    if mask_format == "own" and encoding is not None:
        return encoding.picture(mask)
    picture = Image.fromarray(mask)
    if mask_format == "palette":
        picture.putpalette(palette_of(class_names).tobytes())
    return picture


def check_format(mask_format: MaskFormat, encoding: MaskEncoding | None, num_classes: int, who: object) -> None:
    """Check that masks can be written so.

    Raises:
        ConfigError: if nobody knows what masks of the model's dataset hold.
    """
    if mask_format != "own":
        return
    if encoding is None:
        raise ConfigError(
            f"mask_format own: {who} does not tell what the masks hold that it was trained on; runs of older versions "
            "and data of your own classes do not say it; give --mask_format index, or leave --images out"
        )
    if len(encoding.values) != num_classes:
        raise ConfigError(
            f"mask_format own: {who} has {num_classes} classes and tells {len(encoding.values)} values of masks; give "
            "--mask_format index"
        )


def write_mask(path: Path, mask: Array, palette: Array) -> None:
    """``(H, W)`` uint8 class indices as a palette PNG."""
    picture = Image.fromarray(mask)
    picture.putpalette(palette.tobytes())
    write_image(picture, path, flushed=False)
