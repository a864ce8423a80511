"""What of a config does not suit the pictures."""

from dataclasses import replace
from typing import Any

from lightning_seg.doctor.advice.network import Colours, Network
from lightning_seg.doctor.advice.numbers import ClassNumbers, Numbers
from lightning_seg.doctor.advice.sizes import Advice, Sizes
from lightning_seg.doctor.advice.suitability import check_numbers


def one_class(name: str, share: float, left: float | None) -> ClassNumbers:
    return ClassNumbers(name, {"train": 1}, {"train": 1}, share, 1.0, left and left / 128, left)


CLASSES = (one_class("road", 0.9, 1.0), one_class("car", 0.1, 9.0))
PHOTOS = Colours((0.48, 0.45, 0.40), (0.26, 0.26, 0.27))
SUITS = Numbers(
    "pixels", {"train": 1}, CLASSES, PHOTOS, None, Sizes((200, 200), (200, 200), (200, 200), 0.5), (128, 128), None
)


class Task:
    def __init__(self, **hparams: Any) -> None:
        self.hparams = hparams


def network(**hparams: Any) -> Network:
    return Network(Task(**hparams), lambda callbacks: None)  # type: ignore[arg-type, return-value]


def found(numbers: Numbers, task: Network | None = None) -> dict[str, str]:
    numbers = replace(numbers, normalization=task.normalization if task else None)
    return {finding.kind.name: finding.remedy for finding in check_numbers(numbers, task)}


def test_the_background_may_be_thin() -> None:
    assert found(SUITS) == {}


def test_small_objects_are_named_with_the_size_that_shows_them() -> None:
    advice = Advice((256, 256), "--data.image_size 256", 4.0, ("small",), None)
    numbers = replace(SUITS, classes=(CLASSES[0], one_class("car", 0.1, 3.9)), advice=advice)
    (finding,) = check_numbers(numbers)
    assert finding.detail.endswith("car 3.9")
    assert finding.remedy == "--data.image_size 256, which takes 4 times the time and memory"


def test_where_that_costs_much_tiles_are_named() -> None:
    advice = Advice((1984, 1984), "--data.image_size 1984", 240.0, ("small",), 512)
    numbers = replace(SUITS, classes=(CLASSES[0], one_class("car", 0.1, 1.0)), advice=advice)
    assert "--tile 512" in found(numbers)["small-objects"]


def test_pictures_that_are_enlarged_or_squeezed_are_found() -> None:
    small = replace(SUITS, sizes=Sizes((96, 96), (100, 100), (110, 110), 0.5))
    assert set(found(small)) == {"enlarged-pictures"}
    wide = replace(SUITS, sizes=Sizes((200, 400), (200, 400), (200, 400), 1.0))
    assert set(found(wide)) == {"squeezed-pictures"}


def test_every_usual_normalization_suits_photos() -> None:
    for name in ("imagenet", "symmetric", "unit"):
        assert found(SUITS, network(normalization=name)) == {}


def test_dark_pictures_do_not_suit_imagenet() -> None:
    # (0.05 - 0.485) / 0.229 is -1.9.
    dark = replace(SUITS, colours=Colours((0.05, 0.05, 0.05), (0.04, 0.04, 0.04)))
    (finding,) = check_numbers(replace(dark, normalization=network(normalization="imagenet").normalization), network())
    assert "-1.9" in finding.detail
    assert "--model.normalization '{mean: [0.05, 0.05, 0.05], std: [0.04, 0.04, 0.04]}'" in finding.remedy


def test_weights_that_are_trained_keep_their_normalization() -> None:
    dark = replace(SUITS, colours=Colours((0.05, 0.05, 0.05), (0.04, 0.04, 0.04)))
    task = network(normalization="imagenet", encoder_weights="imagenet")
    # The remedy of the kind, which changes files.
    assert found(dark, task) == {"far-normalization": ""}


def test_flat_pictures_do_not_suit_the_unit_range() -> None:
    # A deviation of 0.03 is left as it is.
    flat = replace(SUITS, colours=Colours((0.5, 0.5, 0.5), (0.03, 0.03, 0.03)))
    assert set(found(flat, network(normalization="unit"))) == {"far-normalization"}
    numbers: Any = {"mean": [0.5, 0.5, 0.5], "std": [0.03, 0.03, 0.03]}
    assert found(flat, network(normalization=numbers)) == {}


def test_without_a_word_of_the_network_its_normalization_is_unknown() -> None:
    assert network().normalization is None
