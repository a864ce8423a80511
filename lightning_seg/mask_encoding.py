"""How a dataset stores classes in mask files, as plain values: checkpoints and exported files tell it; no torch."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lightning_seg.errors import ConfigError

MAX_NUMBER = 2**16 - 1


@dataclass(frozen=True)
class MaskEncoding:
    """What mask files hold for each class.

    Args:
        values: by class index: numbers from 0 to 65535, or colours ``#rrggbb``; one kind, and no value twice.
        colours: ``#rrggbb`` that a palette shows the numbers 0, 1, 2, ... in; empty where numbers are greys.

    Raises:
        ConfigError: if it is none of these.
    """

    values: tuple[int | str, ...]
    colours: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        numbers, colours = all(map(_is_number, self.values)), all(map(_is_colour, self.values))
        is_so = (
            len({*self.values}) == len(self.values) > 0 and (numbers or colours) and all(map(_is_colour, self.colours))
        )
        if not is_so or (self.colours and (colours or max(map(int, self.values)) > 255)):
            raise ConfigError(f"mask_encoding {str(asdict(self))[:200]} holds no number or colour for each class")

    @classmethod
    def of(cls, plain: Any) -> "MaskEncoding | None":
        """What ``as_dict`` gave, from a file that may come from anywhere; None of nothing.

        Raises:
            ConfigError: if it is something else.
        """
        if plain is None or plain == {}:
            return None
        if not (isinstance(plain, Mapping) and all(_is_plain(plain.get(name, [])) for name in ("values", "colours"))):
            raise ConfigError(f"mask_encoding {str(plain)[:200]} holds no number or colour for each class")
        return cls(tuple(plain.get("values", [])), tuple(plain.get("colours", [])))

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"values": list(self.values), "colours": list(self.colours)}

    def picture(self, mask: NDArray[np.uint8]) -> Image.Image:
        """The mask file of class indices ``(H, W)``: RGB, greys of 8 or 16 bits, or a palette."""
        if isinstance(self.values[0], str):
            return Image.fromarray(_as_colours([str(value) for value in self.values])[mask])
        numbers = np.array(self.values)
        image = Image.fromarray(numbers.astype(np.uint8 if numbers.max() < 256 else np.uint16)[mask])
        if self.colours:
            image.putpalette(_as_colours(self.colours).tobytes())
        return image


def _as_colours(colours: Sequence[str]) -> NDArray[np.uint8]:
    return np.array([list(bytes.fromhex(colour.removeprefix("#"))) for colour in colours], np.uint8)


def _is_number(value: int | str) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_NUMBER


def _is_colour(value: int | str) -> bool:
    return isinstance(value, str) and re.fullmatch("#[0-9a-f]{6}", value) is not None


def _is_plain(part: Any) -> bool:
    return isinstance(part, list | tuple) and all(isinstance(one, int | str) for one in part)
