"""Ranges of numeric arguments, and numbers of things in words."""

from math import inf, isfinite, nan
from numbers import Real

from lightning_seg.errors import ConfigError


def check_number(
    name: str, value: object, example: float, least: float = 0.0, most: float = inf, positive: bool = False
) -> None:
    """NaN and infinity are in no range.

    Args:
        name: of the argument.
        value: the given value.
        example: a usual value, for the error.
        least: the lowest value.
        most: the highest value.
        positive: whether ``least`` itself is too low.

    Raises:
        ConfigError: if the value lies outside.

    Examples:
        >>> check_number("dropout", 1.5, example=0.2, most=1)
        Traceback (most recent call last):
        lightning_seg.errors.ConfigError: dropout 1.5 must lie between 0 and 1, for instance 0.2
    """
    number = float(value) if isinstance(value, Real) else nan
    if isfinite(number) and least <= number <= most and not (positive and number == least):
        return
    if most < inf:
        wanted = f"lie between {least:g} and {most:g}"
    else:
        wanted = f"be a finite number {'above' if positive else 'of at least'} {least:g}"
    raise ConfigError(f"{name} {value} must {wanted}, for instance {example:g}")


def at_least(least: int, name: str, value: int) -> int:
    """The value of a count. Raises ConfigError if it is below ``least``."""
    if value < least:
        raise ConfigError(f"{name} {value} is too small; give {least} or more")
    return value


def count_of(number: int, name: str) -> str:
    """``1 class``, ``2 classes``.

    Examples:
        >>> count_of(1, "class"), count_of(2, "class"), count_of(3, "picture")
        ('1 class', '2 classes', '3 pictures')
    """
    plural = "" if number == 1 else "es" if name.endswith(("s", "x")) else "s"
    return f"{number} {name}{plural}"


def are(number: int) -> str:
    """The word after ``count_of``: is or are."""
    return "is" if number == 1 else "are"
