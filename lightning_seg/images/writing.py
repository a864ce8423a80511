"""Writing picture files."""

from pathlib import Path
from typing import Any

from PIL import Image

from lightning_seg.files import replacing


def write_image(image: Image.Image, path: Path, flushed: bool = True, **options: Any) -> None:
    """A Pillow image in the format of the suffix; complete or not at all, see ``replacing``."""
    kind = Image.registered_extensions()[path.suffix.lower()]
    with replacing(path, flushed=flushed) as file:
        image.save(file, kind, **options)
