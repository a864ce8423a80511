import weakref
from collections.abc import Callable, Iterable
from math import ceil
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from lightning_seg.inference.axis import Axis
from lightning_seg.inference.bands import Band
from lightning_seg.inference.tiles import tiled_bands

SIZES = [(1, 1), (1, 7), (3, 100), (5, 5), (8, 8), (13, 97), (31, 17), (64, 40)]
TILES = [(1, 0), (2, 1), (8, 0), (8, 1), (8, 3), (8, 4), (8, 7), (9, 6), (16, 15), (128, 64)]


def random_picture(height: int, width: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=generator)


def assemble(bands: Iterable[Band], height: int, width: int) -> Tensor:
    """A whole map; pixels that no band holds are NaN."""
    whole: Tensor | None = None
    for top, probs in bands:
        if whole is None:
            whole = torch.full((len(probs), height, width), torch.nan)
        whole[:, top : top + probs.shape[1]] = probs
    assert whole is not None
    return whole


def channels(images: Tensor) -> Tensor:
    """A model that looks at one pixel at a time."""
    return images.float() / 255


class Blur:
    """The mean over a square of ``2 * radius + 1`` pixels; a border of zeros, as networks have it."""

    def __init__(self, radius: int) -> None:
        self.radius, side = radius, 2 * radius + 1
        generator = torch.Generator().manual_seed(radius)
        # Not the same from all sides, so that a mirrored or shifted tile shows.
        self.weight = torch.rand(2, 3, side, side, generator=generator) / (3 * side * side)

    def __call__(self, images: Tensor) -> Tensor:
        return F.conv2d(channels(images), self.weight, padding=self.radius)

    def of_mirrored(self, picture: Tensor) -> Tensor:
        """The same on a whole picture that is mirrored beyond its borders."""
        padded = F.pad(channels(picture.unsqueeze(0)), [self.radius] * 4, mode="reflect")
        return F.conv2d(padded, self.weight)[0]


class Recorder:
    """A model that remembers what it was shown and answers with a number per picture."""

    def __init__(self, answer: Callable[[int], float] = float) -> None:
        self.answer = answer
        self.batches: list[Tensor] = []

    @property
    def tiles(self) -> Tensor:
        return torch.cat(self.batches)

    def __call__(self, images: Tensor) -> Tensor:
        seen = sum(len(batch) for batch in self.batches)
        self.batches.append(images.clone())
        values = torch.tensor([self.answer(seen + index) for index in range(len(images))])
        return values.view(-1, 1, 1, 1).expand(-1, 1, *images.shape[-2:])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("tile", "overlap"), TILES)
def test_a_constant_answer_stays_constant(size: tuple[int, int], tile: int, overlap: int) -> None:
    answer = torch.tensor([0.2, 0.3, 0.5]).view(1, 3, 1, 1)
    bands = tiled_bands(lambda images: answer.expand(len(images), 3, tile, tile), random_picture(*size), tile, overlap)
    torch.testing.assert_close(assemble(bands, *size), answer[0].expand(3, *size), rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("tile", "overlap"), TILES)
def test_a_model_of_single_pixels_says_the_same_in_tiles(size: tuple[int, int], tile: int, overlap: int) -> None:
    picture = random_picture(*size)
    whole = assemble(tiled_bands(channels, picture, tile, overlap), *size)
    torch.testing.assert_close(whole, picture.float() / 255, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("tile", "overlap", "radius"), [(16, 8, 2), (16, 12, 3), (32, 5, 1), (20, 19, 4)])
def test_a_model_that_sees_a_quarter_of_the_overlap_says_the_same_in_tiles(
    tile: int, overlap: int, radius: int
) -> None:
    """Also at the borders of the picture, where it sees mirrored pixels instead of its own zeros."""
    picture, model = random_picture(61, 43), Blur(radius)
    whole = assemble(tiled_bands(model, picture, tile, overlap), 61, 43)
    torch.testing.assert_close(whole, model.of_mirrored(picture), rtol=0, atol=1e-6)
    inner = (slice(None), slice(radius, -radius), slice(radius, -radius))
    torch.testing.assert_close(whole[inner], model(picture.unsqueeze(0))[0][inner], rtol=0, atol=1e-6)


def test_positions_beyond_the_border_are_mirrored() -> None:
    axis = Axis(5, tile=8, overlap=4)
    assert axis.starts == [-2, 2]
    assert axis.positions(-2).tolist() == [2, 1, 0, 1, 2, 3, 4, 3]
    assert axis.positions(2).tolist() == [2, 3, 4, 3, 2, 1, 0, 1]
    assert axis.inside(-2) == (2, 7)
    assert axis.inside(2) == (0, 3)


def test_short_sides_are_mirrored_many_times() -> None:
    assert Axis(2, tile=6, overlap=4).positions(-2).tolist() == [0, 1, 0, 1, 0, 1]
    assert Axis(3, tile=8, overlap=4).positions(-2).tolist() == [2, 1, 0, 1, 2, 1, 0, 1]
    assert Axis(1, tile=4, overlap=2).positions(-1).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(("height", "width", "tile", "overlap"), [(5, 5, 8, 4), (17, 23, 8, 4), (20, 3, 9, 3)])
def test_the_model_sees_mirrored_pixels(height: int, width: int, tile: int, overlap: int) -> None:
    picture, model = random_picture(height, width), Recorder()
    list(tiled_bands(model, picture, tile, overlap))
    margin, stride = overlap // 2, tile - overlap
    padded = np.pad(picture.numpy(), [(0, 0), (margin, margin + tile), (margin, margin + tile)], mode="reflect")
    counts = [ceil((side + 2 * margin - tile) / stride) + 1 for side in (height, width)]
    expected = [
        padded[:, row * stride : row * stride + tile, column * stride : column * stride + tile]
        for row in range(max(1, counts[0]))
        for column in range(max(1, counts[1]))
    ]
    np.testing.assert_array_equal(model.tiles.numpy(), np.stack(expected))
    assert model.tiles.dtype == torch.uint8


@pytest.mark.parametrize("tile", [1, 2, 3, 5, 8, 9])
def test_the_weights_of_every_pixel_add_up_to_one(tile: int) -> None:
    for length in (*range(1, 30), 97):
        for overlap in range(tile):
            axis = Axis(length, tile, overlap)
            total = torch.zeros(length)
            for start, weight in zip(axis.starts, axis.weights, strict=True):
                assert weight.shape == (tile,)
                assert weight.min() >= 0
                for position, share in enumerate(weight.tolist()):
                    if 0 <= start + position < length:
                        total[start + position] += share
                    else:
                        assert share == 0
            torch.testing.assert_close(total, torch.ones(length), rtol=0, atol=1e-6)


def test_the_outermost_quarter_of_the_overlap_does_not_count() -> None:
    axis = Axis(100, tile=32, overlap=8)
    for weight in axis.weights:
        assert not weight[:2].any()
        assert not weight[-2:].any()


RAMPS = [
    # The shared pixels are 2 to 5, and the outer ones of them do not count.
    (8, 8, 4, [0, 0, 0, 0.25, 0.75, 1, 1, 1]),
    # The shared pixels are 4 to 6, and all count.
    (10, 8, 3, [0, 0, 0, 0, 1 / 6, 1 / 2, 5 / 6, 1, 1, 1]),
    (6, 3, 0, [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]),
]


@pytest.mark.parametrize(("length", "tile", "overlap", "expected"), RAMPS)
def test_two_answers_blend_in_a_straight_line(length: int, tile: int, overlap: int, expected: list[float]) -> None:
    picture = random_picture(length, length)
    columns = Recorder(lambda number: float(number % 2))
    across = assemble(tiled_bands(columns, picture, tile, overlap), length, length)[0]
    torch.testing.assert_close(across, torch.tensor(expected).expand(length, -1))
    rows = Recorder(lambda number: float(number // 2))
    down = assemble(tiled_bands(rows, picture, tile, overlap), length, length)[0]
    torch.testing.assert_close(down, torch.tensor(expected).unsqueeze(1).expand(-1, length))
    assert len(rows.tiles) == len(columns.tiles) == 4


def test_a_seam_has_no_step() -> None:
    """Eight tiles in a row that answer 0, 1, 2, ...: never down, and never up by more than a sixteenth per pixel."""
    tile, overlap = 64, 32
    width = 8 * 32 + 32 - 2 * 16
    model = Recorder()
    row = assemble(tiled_bands(model, random_picture(1, width), tile, overlap), 1, width)[0, 0]
    steps = row.diff()
    assert model.tiles.shape[0] % 8 == 0
    assert row[0] == 0
    assert steps.min() >= -1e-5
    assert steps.max() <= 1 / 16 + 1e-5


@pytest.mark.parametrize(("batch", "calls"), [(1, [1] * 7), (2, [2, 2, 2, 1]), (3, [3, 3, 1]), (100, [7])])
def test_tiles_per_call_do_not_change_the_result(batch: int, calls: list[int]) -> None:
    picture, model = random_picture(40, 70), Blur(2)
    expected = assemble(tiled_bands(model, picture, 16, 6, batch=4), 40, 70)
    torch.testing.assert_close(assemble(tiled_bands(model, picture, 16, 6, batch), 40, 70), expected)
    recorder = Recorder()
    list(tiled_bands(recorder, picture, 16, 6, batch))
    # 40 pixels and a margin of 3 on both sides: 4 rows of tiles; 70 pixels: 7 in each.
    assert [len(tiles) for tiles in recorder.batches] == 4 * calls


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("tile", "overlap"), TILES)
def test_bands_arrive_from_the_top_down_without_gaps(size: tuple[int, int], tile: int, overlap: int) -> None:
    end = 0
    for top, probs in tiled_bands(channels, random_picture(*size), tile, overlap):
        assert top == end
        assert probs.shape[0] == 3
        assert probs.shape[1] > 0
        assert probs.shape[2] == size[1]
        end = top + probs.shape[1]
    assert end == size[0]


class PeakMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The largest number of bytes that lived at once, of all tensors made in this context."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.alive: list[weakref.ref[Tensor]] = []
        self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor):
            self.alive.append(weakref.ref(made))
        tensors = [tensor for tensor in (one() for one in self.alive) if tensor is not None]
        self.alive = [weakref.ref(tensor) for tensor in tensors]
        storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
        self.peak = max(self.peak, sum(storages.values()))
        return made


def peak_of(height: int, tile: int, overlap: int) -> int:
    picture = random_picture(height, 400)
    memory = PeakMemory()
    with memory:
        for _, probs in tiled_bands(channels, picture, tile, overlap):
            del probs
    return memory.peak


def test_memory_grows_with_the_tile_and_the_width_alone() -> None:
    row_of_tiles = 3 * 64 * 400 * 4
    high, low = peak_of(3000, 64, 16), peak_of(300, 64, 16)
    assert row_of_tiles <= low
    # All weights along the height are there at once, 256 bytes per row of tiles.
    assert high <= low + 256 * 63
    # The row above, the row itself, four tiles and what the model makes of them; the whole map would be 47 rows.
    assert high <= 5 * row_of_tiles
