"""What tells the user's own classes and their arguments apart, in every process alike."""

import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lightning_seg.datasets.fingerprints import fingerprint, own_classes
from lightning_seg.datasets.flowers import FlowersDataset
from lightning_seg.datasets.mask_codes import MaskCodes

DIFFERENT: list[Any] = [
    None,
    0,
    False,
    0.0,
    "0",
    b"0",
    "None",
    [0],
    [[0]],
    [[0, 1]],
    {0},
    {0: 1},
    {1: 0},
    {"0": 1},
    Path("0/1"),
    Path("0"),
    np.zeros(2, np.uint8),
    np.zeros(2, np.int32),
    np.zeros((1, 2), np.uint8),
    np.ones(2, np.uint8),
    torch.zeros(3),
    re.compile("a"),
    re.compile("a", re.IGNORECASE),
    MaskCodes(["a", "b"]),
    MaskCodes(["a", "b"], [1, 0]),
    int,
    float,
]


def test_what_differs_has_another_text() -> None:
    texts = [fingerprint(value) for value in DIFFERENT]
    assert len(set(texts)) == len(DIFFERENT)


def test_what_is_equal_has_the_same_text() -> None:
    assert fingerprint(MaskCodes(["a", "b"], [3, 4])) == fingerprint(MaskCodes(["a", "b"], [3, 4]))
    shared = [1, 2]
    assert fingerprint([shared, shared]) == fingerprint([[1, 2], [1, 2]])
    assert fingerprint([[number] for number in range(50)]) != fingerprint([[number % 49] for number in range(50)])
    assert fingerprint(frozenset(["x", "y", "z"])) == fingerprint(frozenset(["z", "y", "x"]))


def test_what_cannot_be_compared_is_an_error() -> None:
    with pytest.raises(TypeError, match="cannot be compared"):
        fingerprint([threading.Lock()])


def test_values_that_hold_themselves_come_to_an_end() -> None:
    value: list[Any] = [1]
    value.append(value)
    assert fingerprint(value) == fingerprint(value)


def made(source: str) -> type:
    """The class of a module with this source."""
    space: dict[str, Any] = {"__name__": "mine"}
    exec(source, space)
    kind = space["Own"]
    assert isinstance(kind, type)
    return kind


SOURCE = """
from functools import lru_cache
FACTOR = 2
COLOURS = {"red": [255, 0, 0]}
class Helper:
    def __init__(self):
        self.start = 7
def helper(value):
    return value * FACTOR + Helper().start
@lru_cache
def remembered(value):
    return value + 30
def unused(value):
    return value
class Own:
    level = 4
    def read_mask(self, record):
        return [helper(one) + remembered(one) for one in record if one in COLOURS]
    @property
    def size(self):
        return 5
    @staticmethod
    def cut(value):
        return value - 6
"""


@pytest.mark.parametrize(
    ("before", "after", "matters"),
    [
        ("helper(one)", "helper(one + 1)", True),
        ("FACTOR = 2", "FACTOR = 3", True),
        ("value * FACTOR", "value + FACTOR", True),
        ("[255, 0, 0]", "[255, 0, 1]", True),
        ("start = 7", "start = 8", True),
        ("value + 30", "value + 31", True),
        ("level = 4", "level = 5", True),
        ("return 5", "return 6", True),
        ("value - 6", "value - 7", True),
        ("def unused(value):", "def unused(value=3):", False),
        ("FACTOR = 2", "\n\n# a word\nFACTOR = 2", False),
    ],
)
def test_code_that_is_called_matters_and_other_lines_do_not(before: str, after: str, matters: bool) -> None:
    first, second = (fingerprint(made(source)) for source in (SOURCE, SOURCE.replace(before, after)))
    assert (first != second) == matters


def test_other_processes_say_the_same(tmp_path: Path) -> None:
    script = (
        "from lightning_seg.datasets.fingerprints import *\n"
        f"space = {{'__name__': 'mine'}}; exec({SOURCE!r}, space)\n"
        "print(fingerprint(space['Own']), fingerprint({'a': {'x', 'y', 'z'}, 'b': (1, 2.5)}))"
    )
    said = {subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout}
    said.add(f"{fingerprint(made(SOURCE))} {fingerprint({'a': {'x', 'y', 'z'}, 'b': (1, 2.5)})}\n")
    assert len(said) == 1


def test_classes_of_this_package_are_not_the_users_own() -> None:
    class Own(FlowersDataset):
        pass

    assert own_classes(FlowersDataset) == []
    assert own_classes(Own) == [Own]


def test_objects_differ_by_what_they_hold_and_by_their_code() -> None:
    class Slim:
        __slots__ = ("one",)

        def __init__(self, one: int) -> None:
            self.one = one

    assert fingerprint(Slim(1)) == fingerprint(Slim(1))
    assert fingerprint(Slim(1)) != fingerprint(Slim(2))
    assert fingerprint(made(SOURCE)()) != fingerprint(made(SOURCE.replace("level = 4", "level = 5"))())


def test_functions_that_call_each_other_come_to_an_end() -> None:
    source = (
        "def a(n):\n    return b(n)\ndef b(n):\n    return a(n)\nclass Own:\n    def read(self):\n        return a(1)\n"
    )
    assert fingerprint(made(source)) == fingerprint(made(source))


def test_functions_differ_by_what_they_close_over() -> None:
    def scaled(factor: int) -> Callable[[int], int]:
        return lambda value: value * factor

    assert fingerprint(scaled(2)) == fingerprint(scaled(2))
    assert fingerprint(scaled(2)) != fingerprint(scaled(3))
