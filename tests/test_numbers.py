from math import inf, nan

import numpy as np
import pytest

from lightning_seg.errors import ConfigError
from lightning_seg.numbers import are, check_number, count_of


@pytest.mark.parametrize("value", [nan, inf, -inf, -0.1, None, "1", [1.0]])
def test_what_is_no_number_or_too_low_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match=r"weight .* must be a finite number of at least 0, for instance 0\.5"):
        check_number("weight", value, 0.5)


@pytest.mark.parametrize("value", [-0.1, 1.1, nan])
def test_a_share_lies_between_0_and_1(value: float) -> None:
    with pytest.raises(ConfigError, match=r"share .* must lie between 0 and 1, for instance 0\.1"):
        check_number("share", value, 0.1, most=1)


@pytest.mark.parametrize("value", [0, 0.0, 1, 1.0, np.float32(0.5)])
def test_the_ends_of_a_range_belong_to_it(value: float) -> None:
    check_number("share", value, 0.1, most=1)
    with pytest.raises(ConfigError, match="share"):
        check_number("share", value + 1.5, 0.1, most=1)


def test_a_positive_number_is_not_0() -> None:
    check_number("lr", 1e-30, 0.001, positive=True)
    with pytest.raises(ConfigError, match=r"lr 0 must be a finite number above 0, for instance 0\.001"):
        check_number("lr", 0, 0.001, positive=True)


@pytest.mark.parametrize(
    ("number", "name", "said"),
    [
        (0, "picture", "0 pictures"),
        (1, "class", "1 class"),
        (2, "class", "2 classes"),
        (3, "box", "3 boxes"),
        (2, "epoch", "2 epochs"),
    ],
)
def test_numbers_of_things_in_words(number: int, name: str, said: str) -> None:
    assert count_of(number, name) == said
    assert are(number) == ("is" if number == 1 else "are")
