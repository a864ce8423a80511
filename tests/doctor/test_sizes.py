"""The size to train at, by hand."""

import pytest

from lightning_seg.doctor.advice.sizes import Advice, Sizes, advise, short_side_left, sizes_of
from lightning_seg.errors import ConfigError


def sizes(median: tuple[int, int], landscape: float) -> Sizes:
    return Sizes(median, median, median, landscape)


class Network:
    """Takes pictures of multiples of 16, and none of the given sizes."""

    multiple = 16

    def __init__(self, refused: tuple[int, int] | None = None) -> None:
        self.refused = refused

    def takes(self, size: tuple[int, int]) -> bool:
        return size != self.refused


def test_sizes_of_four_pictures() -> None:
    found = sizes_of([100, 300, 200, 50], [200, 300, 400, 40])
    assert found == Sizes((50, 40), (150, 250), (300, 300), 0.5)


def test_pixels_left_are_those_of_the_side_that_shrinks_more() -> None:
    # 0.1 of 200 are 20 pixels; the height shrinks to a half, the width to a quarter.
    assert short_side_left(0.1, (200, 400), (100, 100)) == pytest.approx(5)
    assert short_side_left(0.1, (200, 400), None) == pytest.approx(20)


def test_nothing_is_advised_where_the_size_suits() -> None:
    assert advise(sizes((300, 400), 0.5), (128, 128), 0.1) is None


def test_pictures_that_all_lie_get_their_shape() -> None:
    # 65,536 pixels in 2:3 are 209 x 314, and multiples of 32 near them 224 x 320.
    advice = advise(sizes((1280, 1920), 1.0), (256, 256), 0.5)
    assert advice == Advice((224, 320), "--data.image_size '[224, 320]'", 1.09, ("squeezed",), None)


def test_pictures_that_lie_and_stand_stay_square() -> None:
    assert advise(sizes((1280, 1920), 0.6), (256, 256), 0.5) is None


def test_small_objects_get_as_many_pixels_as_they_need() -> None:
    # 0.02 of 128 are 2.56 pixels; for 4 it takes 200, so 224.
    advice = advise(sizes((400, 400), 0.5), (128, 128), 0.02)
    assert advice == Advice((224, 224), "--data.image_size 224", 3.06, ("small",), None)


def test_no_larger_than_the_files_themselves() -> None:
    # 0.001 would take 4,000 pixels.
    advice = advise(sizes((300, 300), 0.5), (128, 128), 0.001)
    assert advice is not None
    assert advice.image_size == (288, 288)


def test_where_that_costs_much_tiles_are_better() -> None:
    # 0.002 of 2,000 pixels needs 2,000, of which 1,984 is a multiple of 32: 240 times the pixels of 128.
    advice = advise(sizes((2000, 2000), 0.5), (128, 128), 0.002)
    assert advice is not None
    assert (advice.image_size, advice.cost, advice.tile) == ((1984, 1984), 240.25, 512)


def test_pictures_are_not_enlarged() -> None:
    advice = advise(sizes((100, 110), 0.5), (224, 224), None)
    assert advice is not None
    assert advice.image_size == (96, 96)
    assert advice.reasons == ("enlarged",)
    assert advice.cost == pytest.approx(0.18)


def test_multiples_are_those_of_the_network() -> None:
    network: object = Network()
    # 200 pixels are needed, see above.
    advice = advise(sizes((400, 400), 0.5), (128, 128), 0.02, network)  # type: ignore[arg-type]
    assert advice is not None
    assert advice.image_size == (208, 208)


def test_nothing_is_advised_that_the_network_refuses() -> None:
    network: object = Network(refused=(208, 208))
    assert advise(sizes((400, 400), 0.5), (128, 128), 0.02, network) is None  # type: ignore[arg-type]


def test_pictures_that_are_shown_as_they_are_have_no_other_size() -> None:
    assert advise(sizes((400, 400), 0.5), None, 0.001) is None


def test_a_refusal_of_a_task_is_asked_for() -> None:
    from lightning_seg.doctor.advice.network import Network as Real

    class Task:
        reduction = 8

        def check_picture_size(self, size: tuple[int, int]) -> None:
            if size != (64, 64):
                raise ConfigError("only 64")

    real = Real(Task(), lambda callbacks: None)  # type: ignore[arg-type, return-value]
    assert real.multiple == 8
    assert real.takes((64, 64))
    assert not real.takes((32, 32))


def test_a_size_that_is_squeezed_as_well_is_no_remedy_for_that() -> None:
    """Of 72x48 nothing but 64x64 is a multiple of 32 on both sides near their shape."""
    advice = advise(sizes((48, 72), 1.0), (256, 256), None)
    assert advice == Advice((64, 64), "--data.image_size 64", 0.06, ("enlarged",), None)
