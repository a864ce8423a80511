"""A small dataset of pictures and masks with a fault of every kind that files can have, and with hostile names."""

import os
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from lightning_seg.datamodules.image_mask_folder import ImageMaskFolderDataModule

CLASSES: list[str | int] = ["background", "disc", "<i>never</i>"]
HOSTILE = (
    b"<script>alert(1)<_script>",
    b"\"quoted\" & 'more' onerror=x",
    b"no_utf8_\xff\xfe",
    b"line\nbreak\x1b[31m",
    "turned \u202egpj".encode(),
    b"{{ 7 * 7 }} {% x %} $a$ `b`|c",
)
SIZE = (48, 32)


def write_faulty(root: Path, hostile: bool = True) -> ImageMaskFolderDataModule:
    """The datamodule that reads it."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    mask = Image.new("L", SIZE, 0)
    ImageDraw.Draw(mask).ellipse((8, 8, 24, 24), fill=1)
    picture = Image.fromarray(np.arange(48 * 32 * 3, dtype=np.uint32).reshape(32, 48, 3).astype(np.uint8))
    for number in range(12):
        _save(root, f"good_{number:02}".encode(), picture, mask)
    for number in range(12):
        _save(root, f"cut_{number:02}".encode(), picture, mask)
        _cut(root / "images" / f"cut_{number:02}.jpg")
    for name in HOSTILE if hostile else ():
        _save(root, name, picture, mask)
        _cut(root / "images" / os.fsdecode(name + b".jpg"))
    _save(root, b"zero", picture, mask)
    (root / "images" / "zero.jpg").write_bytes(b"")
    _save(root, b"cmyk", picture.convert("CMYK"), mask)
    _save(root, b"wide", picture.resize((600, 4)), mask.resize((600, 4)))
    _save(root, b"other_size", picture, mask.resize((24, 16)))
    _save(root, b"other_value", picture, mask.point(lambda value: 7 * value))
    _save(root, b"ignored", picture, Image.new("L", SIZE, 255))
    _save(root, b"bad_mask", picture, mask)
    (root / "masks" / "bad_mask.png").write_bytes(b"no picture")
    return ImageMaskFolderDataModule(root, list(CLASSES), test_fraction=0.1, val_fraction=0.1)


def _save(root: Path, name: bytes, picture: Image.Image, mask: Image.Image) -> None:
    for folder, suffix, image, kind in (("images", b".jpg", picture, "JPEG"), ("masks", b".png", mask, "PNG")):
        file = BytesIO()
        image.save(file, kind)
        (root / folder / os.fsdecode(name + suffix)).write_bytes(file.getvalue())


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: -path.stat().st_size // 5])
