"""Reading mask files: a number or a colour per pixel."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightning_seg.errors import DataError
from lightning_seg.images import Array, read_header, read_upright
from lightning_seg.numbers import are, count_of

Codes = NDArray[np.int32]
"""Numbers unchanged; colours as red + 256 green + 65536 blue; -1 for a palette number without a colour."""
GREY = 1 + 2**8 + 2**16
MAX_SHOWN = 5


class ValueKindError(DataError):
    """A mask holds colours where the classes are numbers, or numbers where they are colours."""


class StoredMask(NamedTuple):
    """The pixels of a mask file, upright."""

    pixels: NDArray[Any]  # (H, W) numbers, or (H, W, 4) uint8 RGBA
    palette: Array | None = None  # (N, 3) uint8, the colours of the numbers
    is_bilevel: bool = False  # 0 is black and 1 is white
    transparent_numbers: tuple[int, ...] = ()  # of a palette or a file of greys


def read_stored_mask(path: Path, lossy: bool = False) -> StoredMask:
    """A mask file of numbers (1, 8 or 16 bits, palette) or colours (RGB, RGBA).

    Args:
        path: of the file.
        lossy: whether it may be a JPEG.

    Raises:
        DataError: if the file cannot be read, is a JPEG or has another mode.
    """
    if not lossy and read_header(path).is_jpeg:
        raise DataError(
            f"{path}: the mask is stored as JPEG, which invents values at edges; export it again as PNG, or give "
            "--data.mask_match nearest"
        )
    image = read_upright(path)
    clear = _transparent_numbers(image.info.get("transparency"))
    if image.mode in ("RGB", "RGBA", "LA"):
        return StoredMask(np.asarray(image.convert("RGBA")))
    if image.mode == "1":
        return StoredMask(np.asarray(image).astype(np.uint8), is_bilevel=True)
    if image.mode == "P":
        palette = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
        return StoredMask(np.asarray(image), palette, transparent_numbers=clear)
    if image.mode in ("L", "I", "I;16", "I;16B"):
        return StoredMask(np.asarray(image), transparent_numbers=clear)
    raise DataError(f"{path}: no mask has mode {image.mode}; save it as a greyscale, palette or RGB PNG")


def _transparent_numbers(told: Any) -> tuple[int, ...]:
    """As Pillow tells them: a number, an alpha of each number, or something of colours."""
    if isinstance(told, int):
        return (told,)
    return tuple(np.flatnonzero(np.frombuffer(told, np.uint8) == 0).tolist()) if isinstance(told, bytes) else ()


class Coded(NamedTuple):
    """Codes of pixels: ``pixels`` (H, W) itself, or ``table[pixels]`` if there is a table (256,)."""

    pixels: NDArray[Any]
    table: Codes | None

    def at(self, where: NDArray[np.bool_]) -> Codes:
        """The codes of some pixels, ``(N,)``."""
        chosen = self.pixels[where]
        return np.asarray(chosen if self.table is None else self.table[chosen], np.int32)


def stored_numbers(stored: StoredMask, path: Path, white: int) -> Coded:
    """The numbers of a mask; ``white`` is the number of a 1-bit file's white pixels.

    Raises:
        DataError: if the file holds colours other than greys, or is transparent.
    """
    pixels = stored.pixels
    if pixels.ndim == 3:
        colours = _pack(pixels, path)
        pixels = pixels[..., 0]
        if (colours != pixels * np.int32(GREY)).any():
            raise ValueKindError(
                f"{path}: the mask is in colour, {count_pixels(colours, True)}, and the classes are numbers; give "
                f"mask_values one colour per class{_as_typed(colours)}"
            )
    if stored.is_bilevel:
        return Coded(pixels, np.array([0, white], np.int32))
    return Coded(pixels, np.arange(256, dtype=np.int32) if pixels.dtype == np.uint8 else None)


def stored_colours(stored: StoredMask, path: Path) -> Coded:
    """The colours of a mask; those of a palette, and greys as colours.

    Raises:
        DataError: if the file holds numbers of more than 8 bits, or is transparent.
    """
    pixels = stored.pixels
    if pixels.ndim == 3:
        return Coded(_pack(pixels, path), None)
    if pixels.dtype != np.uint8:
        raise ValueKindError(
            f"{path}: the mask holds numbers of {8 * pixels.itemsize} bits, and the classes are colours; save it as "
            "RGB, or give mask_values numbers"
        )
    if stored.is_bilevel:
        return Coded(pixels, np.array([0, 255 * GREY], np.int32))
    return Coded(pixels, _palette(stored))


def _as_typed(colours: Codes) -> str:
    """How to type the colours of a mask, unless they are so many that they come from smoothed edges."""
    found = [name_code(code, True) for code in np.unique(colours).tolist()]
    if len(found) > MAX_SHOWN:
        return ""
    typed = ", ".join(f'"{name}"' for name in found)
    return f", in the order of --data.classes, for instance --data.mask_values '[{typed}]'"


def _palette(stored: StoredMask) -> Codes:
    if stored.palette is None:
        return np.arange(256, dtype=np.int32) * np.int32(GREY)
    table = np.full(256, -1, np.int32)
    table[: len(stored.palette)] = stored.palette @ np.array([1, 2**8, 2**16], np.int32)
    return table


def _pack(pixels: NDArray[Any], path: Path) -> Codes:
    """``(H, W, 4)`` uint8 RGBA to codes."""
    clear = int(np.count_nonzero(pixels[..., 3] != 255))
    if clear:
        raise DataError(
            f"{path}: {count_of(clear, 'pixel')} of the mask {are(clear)} transparent, which leaves their colour open; "
            "save it without an alpha channel, or name their class with --data.transparent"
        )
    packed: Codes = pixels.view("<i4")[..., 0] & 0xFFFFFF
    return packed


def name_code(code: int, is_colour: bool) -> str:
    """A number as text, a colour as ``#rrggbb``."""
    if not is_colour:
        return str(code)
    return f"#{bytes((code & 255, code >> 8 & 255, code >> 16)).hex()}" if code >= 0 else "a number without colour"


def count_pixels(codes: Codes, is_colour: bool) -> str:
    """The most frequent codes, each with the number of its pixels."""
    found, counts = (array.tolist() for array in np.unique(codes, return_counts=True))
    order = sorted(range(len(found)), key=lambda index: -counts[index])[:MAX_SHOWN]
    shown = [f"{name_code(found[i], is_colour)} ({count_of(counts[i], 'pixel')})" for i in order]
    return ", ".join([*shown, *([f"{len(found) - MAX_SHOWN} more"] if len(found) > MAX_SHOWN else [])])
