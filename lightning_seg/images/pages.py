"""Files that hold several pictures."""

from typing import Any

from PIL import Image

MAX_PAGES = 64
# Of TIFF: a tag, and two of its bits.
NEW_SUBFILE_TYPE, REDUCED, MASK = 254, 1, 4


def has_pages(image: Image.Image) -> bool:
    """Whether an opened file holds more than one picture; previews and smaller copies do not count."""
    if not getattr(image, "is_animated", False) or image.format == "MPO":
        return False
    if image.format != "TIFF":
        return True
    try:
        # One page more is enough; they are not counted, since a small file can have millions.
        return any(_is_page(image, number) for number in range(1, MAX_PAGES))
    except EOFError:
        return False
    finally:
        image.seek(0)


def _is_page(image: Any, number: int) -> bool:
    """Whether a TIFF's page is no smaller copy and no mask of the first one."""
    try:
        image.seek(number)
    except EOFError:
        raise
    # Its pixels need not be of a kind that Pillow knows.
    except Exception:
        pass
    return not int(image.tag_v2.get(NEW_SUBFILE_TYPE, 0)) & (REDUCED | MASK)
