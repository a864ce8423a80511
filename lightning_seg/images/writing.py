"""Writing picture files."""

from pathlib import Path
from typing import Any

from PIL import Image

from lightning_seg.files import replacing


def write_image(image: Image.Image, path: Path, flushed: bool = True, **options: Any) -> None:
    """A Pillow image in the format of the suffix; complete or not at all, see ``replacing``.

    Examples:
        >>> write_image(Image.new("L", (1, 1), 7), Path("masks/a.png"))
        >>> Image.open("masks/a.png").getpixel((0, 0))
        7
    """
    kind = Image.registered_extensions()[path.suffix.lower()]
    with replacing(path, flushed=flushed) as file:
        image.save(file, kind, **options)
