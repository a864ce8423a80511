from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_seg.inference.view_sets import VIEWS, View, ViewSet
from lightning_seg.inference.views import average_views, show, undo

SIZES = [(4, 4), (2, 5), (7, 3), (1, 1)]
SETS: tuple[ViewSet, ...] = get_args(ViewSet)


def random_pictures(height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, 3, height, width), dtype=torch.uint8, generator=generator)


def red(images: Tensor) -> Tensor:
    # Divided by a power of two, so that means of equal numbers are exact.
    return images[:, :1].float() / 256


def shifted_red(images: Tensor) -> Tensor:
    """Every pixel answers with the one on its left."""
    return red(images).roll(1, -1)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("views", SETS)
def test_a_model_that_does_not_care_is_not_changed(views: ViewSet, size: tuple[int, int]) -> None:
    pictures = random_pictures(*size)
    assert torch.equal(average_views(red, views)(pictures), pictures[:, :1].float() / 256)


@pytest.mark.parametrize("size", SIZES)
def test_answers_are_turned_back(size: tuple[int, int]) -> None:
    pictures = random_pictures(*size)
    values = pictures[:, :1].numpy() / 256
    right, left, down, up = (np.roll(values, by, axis) for axis in (-1, -2) for by in (1, -1))
    expected = {"hflip": (right + left) / 2, "flips": (right + left) / 2, "d4": (right + left + down + up) / 4}
    for views in SETS:
        np.testing.assert_array_equal(average_views(shifted_red, views)(pictures).numpy(), expected[views])


FIXED = torch.tensor([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]])


@pytest.mark.parametrize(
    ("views", "expected"),
    [
        ("hflip", [[2.5, 2, 2.5], [20, 16, 20]]),
        # Corners (1 + 4 + 8 + 32) / 4, the others (2 + 2 + 16 + 16) / 4.
        ("flips", [[11.25, 9, 11.25], [11.25, 9, 11.25]]),
    ],
)
def test_a_map_of_positions_becomes_symmetric(views: ViewSet, expected: list[list[float]]) -> None:
    answer = average_views(lambda images: FIXED.expand(len(images), 1, 2, 3), views)(random_pictures(2, 3))
    assert answer.tolist() == [[expected]] * 2


def test_a_square_map_is_the_mean_of_its_eight_forms() -> None:
    corner = torch.zeros(1, 1, 3, 3)
    corner[..., 0, 1] = 8
    answer = average_views(lambda images: corner.expand(len(images), 1, 3, 3), "d4")(random_pictures(3, 3))
    assert answer[0, 0].tolist() == [[0, 2, 0], [2, 0, 2], [0, 2, 0]]


def forms(picture: Tensor, views: ViewSet) -> set[tuple[tuple[int, ...], bytes]]:
    """What a model is shown, comparable."""
    shown = [show(view, picture).contiguous().numpy() for view in VIEWS[views]]
    return {(one.shape, one.tobytes()) for one in shown}


def test_the_sets_hold_what_their_names_say() -> None:
    picture = torch.arange(6, dtype=torch.uint8).view(1, 1, 2, 3)
    plain = picture.numpy()
    mirrored = plain[..., ::-1]
    turned = {turns: np.rot90(plain, turns, (2, 3)) for turns in range(4)}
    turned_mirrored = {turns: np.rot90(mirrored, turns, (2, 3)) for turns in range(4)}
    expected = {
        "hflip": [plain, mirrored],
        "flips": [plain, mirrored, plain[..., ::-1, :], plain[..., ::-1, ::-1]],
        "d4": [*turned.values(), *turned_mirrored.values()],
    }
    for views in SETS:
        assert forms(picture, views) == {(one.shape, one.tobytes()) for one in expected[views]}
        assert len(VIEWS[views]) == len(expected[views])


@pytest.mark.parametrize("size", [(3, 3), (2, 3)])
def test_eight_views_differ(size: tuple[int, int]) -> None:
    picture = torch.arange(size[0] * size[1], dtype=torch.uint8).view(1, 1, *size)
    assert len(forms(picture, "d4")) == len(VIEWS["d4"]) == 8


@pytest.mark.parametrize("view", VIEWS["d4"])
def test_undo_inverts_apply(view: View) -> None:
    pictures = random_pictures(4, 6)
    assert torch.equal(undo(view, show(view, pictures)), pictures)


def test_the_first_view_is_the_picture_itself() -> None:
    pictures = random_pictures(2, 3)
    for views in SETS:
        assert torch.equal(show(VIEWS[views][0], pictures), pictures)


def test_probabilities_are_averaged_and_neither_logits_nor_votes() -> None:
    """0.9 and 0.2 make 0.55; their logits would make 0.6, their votes 0.5."""
    answers = iter([0.9, 0.2])

    def model(images: Tensor) -> Tensor:
        return torch.full((len(images), 1, 2, 2), next(answers))

    mean = average_views(model, "hflip")(random_pictures(2, 2))
    torch.testing.assert_close(mean, torch.full((2, 1, 2, 2), 0.55))


@pytest.mark.parametrize(
    ("views", "expected"),
    # A 2 x 2 picture of 10 20 / 30 40: the first row of its views, summed by hand.
    [("hflip", [15, 15]), ("flips", [25, 25]), ("d4", [25, 25])],
)
def test_answers_without_places_are_not_turned(views: ViewSet, expected: list[float]) -> None:
    pictures = torch.tensor([[10, 20], [30, 40]], dtype=torch.uint8).expand(3, 3, 2, 2)

    def first_row(images: Tensor) -> Tensor:
        scale = torch.tensor([[1.0], [2.0], [4.0]])
        return images[:, 0, 0].float() * scale

    answer = average_views(first_row, views)(pictures)
    assert answer.tolist() == [[scale * value for value in expected] for scale in (1, 2, 4)]


def test_without_views_the_model_is_the_same() -> None:
    assert average_views(red, None) is red
