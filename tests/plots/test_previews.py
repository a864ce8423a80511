"""The figure of a preview: what is in its cells, its legend, and that nothing is cut off."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from lightning_seg.plots.figures import figure_to_array
from lightning_seg.plots.previews import TITLE_LENGTH, Cell, draw_preview, lay_over

CLASSES = ("pet", "background", "border")


def cell(value: int = 100, mask: int | None = 0, size: tuple[int, int] = (8, 8), title: str = "a.jpg") -> Cell:
    """A picture of one grey with a mask of one class."""
    image = torch.full((3, *size), value, dtype=torch.uint8)
    return Cell(image, title, None if mask is None else torch.full(size, mask, dtype=torch.uint8))


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for one in figure.legends for text in one.get_texts()]


def test_a_mask_covers_four_tenths_of_its_picture() -> None:
    image = torch.full((3, 1, 2), 103, dtype=torch.uint8)
    covered = lay_over(Cell(image, "", torch.tensor([[1, 255]], dtype=torch.uint8)), ("a", "b", "c"))
    # 0.6 * 103 + 0.4 * (230, 159, 0), orange; 0.1 * 103 + 0.9 * 255 where ignored.
    assert covered.tolist() == [[[154, 125, 62], [240, 240, 240]]]


def test_an_outline_colours_the_pixels_at_the_edge_of_a_class() -> None:
    mask = torch.zeros(3, 5, dtype=torch.uint8)
    mask[:, 3:] = 1
    image = torch.full((3, 3, 5), 103, dtype=torch.uint8)
    seen = lay_over(Cell(image, "", mask), ("a", "b"), "outline")
    black, orange = [0, 0, 0], [230, 159, 0]
    assert seen[1].tolist() == [[103] * 3, [103] * 3, black, orange, [103] * 3]


def test_masks_may_be_left_out() -> None:
    figure = draw_preview([cell(50)], CLASSES, masks="none")
    assert int(np.asarray(figure.axes[0].images[0].get_array())[0, 0, 0]) == 50
    assert legend(figure) == []


def test_a_picture_without_mask_is_itself() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    image = torch.from_numpy(picture).permute(2, 0, 1)
    assert np.array_equal(lay_over(Cell(image, ""), CLASSES), picture)
    assert legend(draw_preview([Cell(image, "")], CLASSES)) == []


def test_cells_stand_in_their_order_with_their_titles() -> None:
    cells = [cell(value, None, title=str(value)) for value in (10, 20, 30, 40, 50)]
    figure = draw_preview(cells, CLASSES)
    filled = [axis for axis in figure.axes if axis.images]
    assert len(figure.axes) == 6
    assert [axis.get_title() for axis in filled] == ["10", "20", "30", "40", "50"]
    assert [int(np.asarray(axis.images[0].get_array())[0, 0, 0]) for axis in filled] == [10, 20, 30, 40, 50]
    assert len(draw_preview(cells, CLASSES, columns=2).axes) == 6
    assert len(draw_preview(cells, CLASSES, columns=8).axes) == 5


def test_the_legend_names_classes_and_ignored_pixels() -> None:
    tinted = ["pet", "border"]
    assert legend(draw_preview([cell(mask=0)], CLASSES)) == tinted
    assert legend(draw_preview([cell(mask=0), cell(mask=255)], CLASSES)) == [*tinted, "ignored"]
    assert legend(draw_preview([cell(mask=0)], CLASSES, tint_background=True)) == [*CLASSES]
    # Its colour is a side of every outline.
    assert legend(draw_preview([cell(mask=0)], CLASSES, masks="outline")) == [*CLASSES]


def test_the_background_stays_as_it_is_unless_it_is_asked_for() -> None:
    mask = torch.tensor([[0, 1, 2]], dtype=torch.uint8)
    image = torch.full((3, 1, 3), 100, dtype=torch.uint8)
    seen = lay_over(Cell(image, "", mask), CLASSES)
    # 0.6 * 100 + 0.4 * orange, and of sky blue.
    assert seen.tolist() == [[[152, 124, 60], [100, 100, 100], [94, 132, 153]]]
    asked = lay_over(Cell(image, "", mask), CLASSES, tint_background=True)
    assert asked.tolist() == [[[152, 124, 60], [60, 60, 60], [94, 132, 153]]]


def test_of_very_many_classes_only_the_shown_ones_are_named() -> None:
    names = [f"class {index}" for index in range(150)]
    assert legend(draw_preview([cell(mask=7), cell(mask=120)], names)) == ["class 7", "class 120"]


def test_a_long_title_keeps_its_ends() -> None:
    title = "a" * 30 + "b" * 30 + "_0123456789.jpg"
    (axis,) = draw_preview([cell(title=title)], CLASSES).axes
    assert len(axis.get_title()) <= TITLE_LENGTH
    assert axis.get_title().startswith("aaaaaaaaaa")
    assert axis.get_title().endswith("_0123456789.jpg")


@pytest.mark.parametrize("count", [1, 3, 10])
@pytest.mark.parametrize("size", [(128, 128), (40, 300), (300, 100)])
def test_nothing_is_cut_off(count: int, size: tuple[int, int]) -> None:
    title = "american_pit_bull_terrier_in_the_snow_127.jpg"
    figure = draw_preview([cell(size=size, mask=255, title=title)] * count, ("a rather long class name", "b", "c"))
    picture = figure_to_array(figure)
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    boxes = [axis.title.get_window_extent(renderer) for axis in figure.axes if axis.images]
    boxes += [figure.legends[0].get_window_extent(renderer)]
    for box in boxes:
        assert 0 <= box.x0 < box.x1 <= picture.shape[1]
        assert 0 <= box.y0 < box.y1 <= picture.shape[0]
    for index, box in enumerate(boxes):
        assert not [other for other in boxes[:index] if box.overlaps(other)]
    shapes = [axis.get_window_extent(renderer) for axis in figure.axes if axis.images]
    assert shapes[0].height / shapes[0].width == pytest.approx(size[0] / size[1], rel=0.02)
    assert min(max(shape.width, shape.height) for shape in shapes) > 200


def test_pictures_of_different_sizes_keep_their_shapes() -> None:
    sizes = [(50, 100), (100, 50), (64, 64), (500, 333)]
    figure = draw_preview([cell(size=size) for size in sizes], CLASSES)
    figure_to_array(figure)
    for axis, (height, width) in zip(figure.axes, sizes, strict=True):
        box = axis.get_window_extent()
        assert box.height / box.width == pytest.approx(height / width, rel=0.02)
