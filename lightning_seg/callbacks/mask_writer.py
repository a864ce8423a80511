"""Predicted masks as files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from lightning_seg.batch import MaskPrediction, PictureBatch
from lightning_seg.callbacks.most_uncertain import most_uncertain, write_sheet
from lightning_seg.callbacks.prediction_writer import PredictionWriter, Row
from lightning_seg.files import printable, replacing
from lightning_seg.images import Array, read_image, write_image
from lightning_seg.plots.overlay import draw_overlay
from lightning_seg.plots.palette import class_palette
from lightning_seg.prediction_folder import MASK_FOLDERS

LONGEST_JPEG = 65_500
"""Largest side in pixels of the JPEG library."""


class MaskWriter(PredictionWriter):
    """Writes a mask, an overlay and a row of the table for every picture, at its original size.

    * ``masks/<name>.png``: class indices with a palette;
    * ``overlays/<name>.jpg``: the picture tinted by class; a PNG where the picture is too large for JPEG;
    * ``probs/<name>.npy``: ``(C, H, W)`` float16, where the task keeps probabilities;
    * ``predictions.csv``: pixels and share of every class, mean confidence, mean relative entropy in [0, 1];
    * ``most_uncertain.png``: the overlays of the highest entropies.

    Args:
        output: folder.
        num_uncertain: pictures on the sheet; 0 draws none.
    """

    folders = MASK_FOLDERS

    def __init__(self, output: str | Path = "predictions", num_uncertain: int = 12) -> None:
        super().__init__(output)
        self.num_uncertain = num_uncertain

    def columns(self, class_names: Sequence[str]) -> list[str]:
        areas = [f"{quantity}/{name}" for quantity in ("pixels", "share") for name in class_names]
        return ["width", "height", "confidence", "entropy", *areas, "mask", "overlay"]

    def write_picture(
        self, batch: PictureBatch, position: int, prediction: MaskPrediction, class_names: Sequence[str]
    ) -> Row:
        name, mask = batch["name"][position], prediction.mask.numpy()
        suffix = "jpg" if max(mask.shape) <= LONGEST_JPEG else "png"
        mask_path, overlay_path = Path("masks", f"{name}.png"), Path("overlays", f"{name}.{suffix}")
        palette = class_palette(len(class_names))
        picture = batch["path"][position]
        write_mask(self.place(picture, mask_path.as_posix()), mask, palette)
        overlay = draw_overlay(_original(batch, position), mask, palette)
        write_image(overlay, self.place(picture, overlay_path.as_posix()), flushed=False, quality=90)
        if prediction.probs is not None:
            with replacing(self.place(picture, f"probs/{name}.npy"), flushed=False) as file:
                np.save(file, prediction.probs.numpy())
        height, width = mask.shape
        pixels = np.bincount(mask.ravel(), minlength=len(class_names)).tolist()
        return {
            "width": width,
            "height": height,
            "confidence": round(prediction.confidence, 5),
            "entropy": round(prediction.entropy, 5),
            **{f"pixels/{each}": count for each, count in zip(class_names, pixels, strict=True)},
            **{f"share/{each}": round(count / mask.size, 5) for each, count in zip(class_names, pixels, strict=True)},
            "mask": mask_path.as_posix(),
            "overlay": overlay_path.as_posix(),
        }

    def finish(self, rows: Sequence[dict[str, str]], class_names: Sequence[str]) -> None:
        shown = most_uncertain(rows, self.num_uncertain)
        captions = [f"{printable(Path(row['picture']).name)}\nentropy {float(row['entropy']):.3f}" for row in shown]
        write_sheet(self.output, [self.output / row["overlay"] for row in shown], captions, class_names)


def write_mask(path: Path, mask: Array, palette: Array) -> None:
    """``(H, W)`` uint8 class indices as a palette PNG."""
    picture = Image.fromarray(mask)
    picture.putpalette(palette.tobytes())
    write_image(picture, path, flushed=False)


def _original(batch: PictureBatch, position: int) -> Array:
    """The picture ``(H, W, 3)`` at its own size; read again if the model saw another size."""
    image = batch["image"][position]
    if tuple(image.shape[1:]) == tuple(batch["original_size"][position]):
        pixels: Array = image.permute(1, 2, 0).cpu().numpy()
        return pixels
    return read_image(batch["path"][position])
