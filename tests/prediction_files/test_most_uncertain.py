from pathlib import Path

import numpy as np
from PIL import Image

from lightning_seg.prediction_files.most_uncertain import write_sheet
from lightning_seg.predictor import _pixels
from tests.test_images import exif

TYPE_THAT_IS_NONE = exif(99, 1, b"\6\0\0\0")
TEXT = exif(2, 4, b"six\0")


def test_broken_exif_ends_neither_the_sheet_nor_python(tmp_path: Path) -> None:
    paths = []
    for number, block in enumerate((TYPE_THAT_IS_NONE, TEXT)):
        paths.append(tmp_path / f"{number}.jpg")
        Image.fromarray(np.zeros((8, 6, 3), np.uint8)).save(paths[-1], exif=block)
        with Image.open(paths[-1]) as picture:
            assert _pixels(picture).shape == (8, 6, 3)
    write_sheet(tmp_path, paths, ["a", "b"])
    with Image.open(tmp_path / "most_uncertain.png") as sheet:
        assert sheet.size > (10, 10)
