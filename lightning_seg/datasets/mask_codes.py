"""The user's code of a mask file: which number or colour is which class."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.datasets.base import Decoded
from lightning_seg.datasets.mask_alpha import split_transparent
from lightning_seg.datasets.mask_files import (
    Coded,
    Codes,
    StoredMask,
    count_pixels,
    name_code,
    stored_colours,
    stored_numbers,
)
from lightning_seg.datasets.stray_values import StrayValueError, find_strays
from lightning_seg.errors import ConfigError
from lightning_seg.images import Array
from lightning_seg.spelling import fault_of_names, same

MaskValue = int | str | list[int]
"""A number, or a colour as ``#rrggbb`` or [red, green, blue]."""
MaskMatch = Literal["exact", "nearest"]
MAX_NUMBER = 2**16 - 1
MAX_NAMED = 10
IGNORED = "ignore"


class MaskCodes:
    """Which number or colour of a mask file is which class.

    Args:
        classes: their names.
        mask_values: number or colour of each class in the files; None is 0 for the first, 1 for the second and so on.
        ignore_values: values that become 255, which neither loss nor metrics count. The number 255 is ignored anyway if
            it belongs to no class.
        match: ``exact`` refuses a mask that holds any other value. ``nearest`` takes the value that is nearest to it,
            by the difference of numbers or the distance of colours in RGB, for edges that were smoothed; of two that
            are equally near, the smaller number or colour code.
        tolerance: the largest difference, or distance, that ``nearest`` bridges; None bridges any.
        transparent: class of the transparent pixels, or ``ignore`` for 255; None refuses them in colour files, and
            takes a palette's numbers as they are.

    Raises:
        ConfigError: if names or values are missing, doubled or impossible.
    """

    def __init__(
        self,
        classes: Sequence[str],
        mask_values: Sequence[MaskValue] | None = None,
        ignore_values: Sequence[MaskValue] | None = None,
        match: MaskMatch = "exact",
        tolerance: float | None = None,
        transparent: str | None = None,
    ) -> None:
        _check_match(match, tolerance)
        self.match, self.tolerance = match, float("inf") if tolerance is None else tolerance
        self.class_names = check_names(classes)
        self.transparent = None if transparent is None else self._class_of(transparent)
        given = range(len(classes)) if mask_values is None else mask_values
        wanted = [_parse("mask_values", value) for value in given]
        ignored = [_parse("ignore_values", value) for value in ignore_values or ()]
        if len(wanted) != len(classes):
            raise ConfigError(
                f"mask_values has {len(wanted)} entries, classes has {len(classes)} ({', '.join(classes)}); give one "
                "value per class, or null for 0, 1, 2, ..."
            )
        if len({is_colour for is_colour, _ in wanted + ignored}) > 1:
            raise ConfigError(
                f"mask_values {mask_values} and ignore_values {ignore_values} mix numbers and colours; give one kind"
            )
        self.by_colour = wanted[0][0]
        self.values = [code for _, code in wanted]
        self.meaning = _join(self.by_colour, self.values, [code for _, code in ignored])
        self.ignores_unasked = not self.by_colour and 255 not in self.meaning
        """Whether 255 is ignored although nobody asked for it."""
        if self.ignores_unasked:
            self.meaning[255] = IGNORE_INDEX
        self._look_up()

    def fingerprint(self) -> str:
        """Everything that ``decode`` depends on, as text."""
        exact = (self.by_colour, sorted(self.meaning.items()), self.ignores_unasked)
        transparent = () if self.transparent is None else (self.transparent,)
        matched = () if self.match == "exact" else (self.match, self.tolerance)
        return str((*exact, *transparent, *matched))

    def _class_of(self, transparent: str) -> int:
        roles = {IGNORED: IGNORE_INDEX} | {name: index for index, name in enumerate(self.class_names)}
        if same(transparent) not in roles:
            raise ConfigError(
                f"transparent: {transparent!r} is none of the classes {', '.join(self.class_names)}; give one of them, "
                f"or {IGNORED}"
            )
        return roles[same(transparent)]

    def decode(self, stored: StoredMask, path: Path) -> Array:
        """The class index of every pixel, ``(H, W)`` uint8, 255 = ignored.

        Raises:
            DataError: if the file holds a value of no class.
        """
        return self.decode_counting(stored, path).mask

    def decode_counting(self, stored: StoredMask, path: Path) -> Decoded:
        """``decode``, and how many pixels the nearest class was taken for."""
        clear = None
        if self.transparent is not None:
            stored, clear = split_transparent(stored, path)
        coded = stored_colours(stored, path) if self.by_colour else stored_numbers(stored, path, self._white())
        indices = self._find(coded.pixels) if coded.table is None else self._find(coded.table)[coded.pixels]
        if clear is not None:
            indices = np.where(clear, np.int16(self.transparent or 0), indices)
        wrong = indices < 0
        num_decided = 0
        if self.match == "nearest" and wrong.any():
            found = self._find_nearest(coded.at(wrong))
            indices[wrong], num_decided = found, int(np.count_nonzero(found >= 0))
            wrong = indices < 0
        if wrong.any():
            raise self._explain(path, coded, indices)
        return Decoded(indices.astype(np.uint8), num_decided)

    def _find_nearest(self, codes: Codes) -> NDArray[np.int16]:
        """Class indices by the nearest value; -1 where it is too far, or the code is no colour."""
        unknown, places = np.unique(codes, return_inverse=True)
        distances = np.linalg.norm(_axes(unknown, self.by_colour)[:, None] - _axes(self._codes, self.by_colour), axis=2)
        nearest = distances.argmin(axis=1)
        bridged = (distances[np.arange(len(unknown)), nearest] <= self.tolerance) & (unknown >= 0)
        return np.where(bridged, self._indices[nearest], np.int16(-1))[places]

    def also(self, value: MaskValue, index: int) -> None:
        """Let a further value stand for a class."""
        self.meaning[_parse("mask_values", value)[1]] = index
        self._look_up()

    def _look_up(self) -> None:
        self._codes = np.array(sorted(self.meaning), np.int32)
        self._indices = np.array([self.meaning[code] for code in sorted(self.meaning)], np.int16)

    def _white(self) -> int:
        """The number of white in a 1-bit file: 255 if that is a mask value and 1 is not."""
        return 1 if 1 in self.meaning or self.ignores_unasked else 255

    def _find(self, codes: Codes) -> NDArray[np.int16]:
        """Class indices, -1 for a value of no class."""
        positions = np.searchsorted(self._codes, codes)
        known = self._codes.take(positions, mode="clip") == codes
        return np.where(known, self._indices.take(positions, mode="clip"), np.int16(-1))

    def _explain(self, path: Path, coded: Coded, indices: NDArray[np.int16]) -> StrayValueError:
        wrong = indices < 0
        codes = coded.at(wrong)
        strays = find_strays(
            codes, self._find_nearest(codes), indices, lambda code: name_code(code, self.by_colour), self._role
        )
        unknown, known = np.unique(codes).tolist(), np.unique(coded.at(~wrong)).tolist()
        what = f"{path}: the mask holds {count_pixels(codes, self.by_colour)} of no class; there are {self.describe()}"
        return StrayValueError(f"{what}; {self._remedy(unknown, known)}", f"{what}; {self._add(unknown[0])}", strays)

    def stored_values(self) -> list[int | str]:
        """The files' value of each class: numbers, or ``#rrggbb``."""
        return [name_code(code, True) if self.by_colour else code for code in self.values]

    def describe(self) -> str:
        """The values and their meaning."""
        named = [f"{name_code(code, self.by_colour)} {self._role(index)}" for code, index in self.meaning.items()]
        return ", ".join(named[:MAX_NAMED]) + (", ..." if len(named) > MAX_NAMED else "")

    def _role(self, index: int) -> str:
        return "ignored" if index == IGNORE_INDEX else self.class_names[index]

    def _remedy(self, unknown: list[int], known: list[int]) -> str:
        found = sorted(unknown + known)
        if not self.by_colour and len(found) == len(self.class_names):
            return f"if these are the classes, give mask_values {found}"
        if self.by_colour and len(unknown) > MAX_NAMED:
            return (
                "so many colours come from smoothed edges or lossy compression; save masks without either, or give "
                "--data.mask_match nearest"
            )
        return self._add(unknown[0])

    def _add(self, code: int) -> str:
        value = name_code(code, self.by_colour)
        quoted = f'"{value}"' if self.by_colour else value
        return f"add {quoted} to mask_values or ignore_values"


def check_names(classes: Sequence[str]) -> tuple[str, ...]:
    """The names with accents as one character, if they can be class names.

    Raises:
        ConfigError: if there are fewer than 2 or more than 255, or if one is empty or doubled.
    """
    given = [classes] if isinstance(classes, str) else list(classes)
    names = [same(name) if isinstance(name, str) else name for name in given]
    if len(names) > IGNORE_INDEX:
        raise ConfigError(
            f"classes: {len(names)} is no possible number, since masks have 8 bits here and {IGNORE_INDEX} is ignored; "
            f"name the {IGNORE_INDEX} that matter and put the values of the others into ignore_values, which may be as "
            f"large as {MAX_NUMBER}, or join classes in the files"
        )
    if len(names) < 2:
        raise ConfigError(
            f"classes {names}: {len(names)} is no possible number; give 2 to {IGNORE_INDEX} names, background included"
        )
    if fault := fault_of_names(names):
        raise ConfigError(f"classes {names}: {fault}")
    return tuple(names)


def _parse(argument: str, value: Any) -> tuple[bool, int]:
    """Whether it is a colour, and its code."""
    if _is_whole(value, MAX_NUMBER):
        return False, int(value)
    if isinstance(value, str) and re.fullmatch("#[0-9a-fA-F]{6}", value):
        return True, int.from_bytes(bytes.fromhex(value[1:]), "little")
    if isinstance(value, (list, tuple)) and len(value) == 3 and all(_is_whole(part, 255) for part in value):
        return True, int.from_bytes(bytes(value), "little")
    raise ConfigError(
        f"{argument}: {value!r} is neither a number from 0 to {MAX_NUMBER} nor a colour, for instance '#ff0000' or "
        "[255, 0, 0]"
    )


def _check_match(match: str, tolerance: float | None) -> None:
    if match not in get_args(MaskMatch):
        raise ConfigError(f"mask_match {match!r} does not exist; choose {' or '.join(get_args(MaskMatch))}")
    if tolerance is not None and match == "exact":
        raise ConfigError(f"mask_tolerance {tolerance} is for --data.mask_match nearest; give both or neither")
    if tolerance is not None and not tolerance > 0:
        raise ConfigError(f"mask_tolerance {tolerance} must be above 0; leave it out to take the nearest class anyway")


def _axes(codes: Codes, by_colour: bool) -> NDArray[np.float64]:
    """Numbers as points of a line ``(N, 1)``, colours as points of RGB ``(N, 3)``."""
    parts = [codes & 255, codes >> 8 & 255, codes >> 16] if by_colour else [codes]
    return np.stack(parts, axis=-1).astype(np.float64)


def _is_whole(value: Any, largest: int) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and 0 <= int(value) <= largest


def _join(by_colour: bool, wanted: list[int], ignored: list[int]) -> dict[int, int]:
    meaning: dict[int, int] = {}
    for code, index in [*zip(wanted, range(len(wanted)), strict=True), *((code, IGNORE_INDEX) for code in ignored)]:
        if code in meaning:
            name = name_code(code, by_colour)
            raise ConfigError(f"mask_values and ignore_values hold {name} twice; a value stands for one class")
        meaning[code] = index
    return meaning
