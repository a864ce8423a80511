"""Nulls that an argument knows, and nulls that it does not."""

from collections.abc import Sequence
from typing import Any, Literal, Optional

import pytest

from lightning_seg.cli.nulls import check_nulls
from lightning_seg.errors import ConfigError


class Outer:
    class Kinds:
        def __init__(  # type: ignore[no-untyped-def]
            self,
            number: int = 1,
            sides: int | list[int] = 1,
            names: list[str] | None = None,
            old: Optional[str] = None,  # noqa: UP045
            how: Literal["x", None] = "x",
            anything: Any = 1,
            untyped=0.1,
            own: Sequence[int] = (),
        ) -> None:
            pass


def make(number: int = 1) -> Outer.Kinds:
    return Outer.Kinds(number)


KINDS = f"{__name__}.Outer.Kinds"


def refusal(class_path: str, **given: Any) -> str | None:
    try:
        check_nulls("data", {"class_path": class_path, "init_args": given})
    except ConfigError as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", ["names", "old", "how", "anything", "untyped"])
def test_nulls_that_are_known(name: str) -> None:
    assert refusal(KINDS, **{name: None}) is None
    # The one behind it is refused, so it has been looked at.
    assert (
        refusal(KINDS, **{name: None, "number": None}) == "data.number: null is not accepted; expected a whole number"
    )


@pytest.mark.parametrize(
    ("name", "expected"), [("number", "a whole number"), ("sides", "a whole number or a list, for instance '[a, b]'")]
)
def test_nulls_that_are_not(name: str, expected: str) -> None:
    assert refusal(KINDS, **{"number": 2, name: None}) == f"data.{name}: null is not accepted; expected {expected}"


def test_functions_that_make_an_object_are_left_alone() -> None:
    assert refusal(KINDS, number=None) is not None
    assert refusal(f"{__name__}.make", number=None) is None
