"""The sheet of a test's worst pictures, by hand and through a trainer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_seg.callbacks import PictureScoreWriter, error_sheet
from lightning_seg.callbacks.worst_pictures import SIDE, WorstPictures, badness_of
from lightning_seg.errors import ConfigError
from lightning_seg.metrics.likelihood import Likelihood
from lightning_seg.metrics.picture_scores import Told
from lightning_seg.plots.errors import draw_wrong_masks
from lightning_seg.plots.palette import class_palette
from tests.callbacks.by_colour import PIXELS, Samples, classifier, mask_task, measured


def likelihood(chosen: list[float], cost: list[float]) -> Likelihood:
    return Likelihood(torch.tensor(chosen), torch.tensor(cost), torch.ones(len(chosen)))


def labels(truth: list[int], said: list[int], probability: list[float]) -> Told:
    right = torch.tensor([float(one == other) for one, other in zip(truth, said, strict=True)])
    return Told(right, torch.tensor(truth), torch.tensor(said), likelihood(probability, probability))


def test_the_surest_mistakes_of_all_batches_come_first() -> None:
    worst = WorstPictures(2)
    pictures = torch.arange(7, dtype=torch.uint8).view(7, 1, 1, 1).expand(7, 3, 4, 6)
    worst.add(labels([0, 1, 1], [1, 0, 1], [0.6, 0.9, 1.0]), pictures[:3], 0)
    worst.add(labels([0, 0], [0, 1], [0.9, 0.7]), pictures[3:5], 3)
    # The last batch is smaller, and has none.
    worst.add(labels([1], [1], [0.9]), pictures[5:6], 5)
    found = worst.take()
    assert [one.position for one in found] == [1, 4]
    assert [one.badness for one in found] == pytest.approx([0.9, 0.7])
    for one in found:
        assert torch.equal(one.panels, pictures[one.position : one.position + 1])
    assert worst.take() == []


def test_of_equal_scores_the_higher_loss_is_worse() -> None:
    masks = torch.zeros(4, 2, 2, dtype=torch.int64), torch.ones(4, 2, 2, dtype=torch.int64)
    occurring = torch.ones(4, 2, dtype=torch.bool)
    scores = torch.tensor([0.2, 0.2, torch.nan, 1.0])
    told = Told(scores, occurring, occurring, likelihood([0.5] * 4, [1.0, 2.0, 9.0, 9.0]), masks)
    worst = WorstPictures(4)
    worst.add(told, torch.zeros(4, 3, 2, 2, dtype=torch.uint8), 0)
    # A picture without a score, and one without a mistake, are none of them.
    assert [one.position for one in worst.take()] == [1, 0]


def test_large_pictures_are_kept_small_and_in_their_shape() -> None:
    image = torch.zeros(1, 3, 1000, 500, dtype=torch.uint8)
    image[..., 500:, :] = 200
    mask = image[:, 0].long() // 200
    occurring = torch.ones(1, 2, dtype=torch.bool)
    worst = WorstPictures(1)
    worst.add(Told(torch.tensor([0.5]), occurring, occurring, None, (mask, 1 - mask)), image, 0)
    (found,) = worst.take()
    assert found.panels.shape == (3, 3, SIDE, SIDE // 2)
    assert set(found.panels[0].flatten().tolist()) == {0, 200}
    assert torch.equal(found.panels[1, 0], (found.panels[0, 0] == 200).byte())
    assert torch.equal(found.panels[2, 0], 1 - found.panels[1, 0])


def test_scores_of_ones_own_say_nothing_about_mistakes() -> None:
    assert badness_of(Told(torch.tensor([0.5]))) is None


def test_a_picture_stands_beside_its_masks() -> None:
    image = np.full((4, 6, 3), 77, np.uint8)
    mask, said = np.zeros((4, 6), np.uint8), np.full((4, 6), 255, np.uint8)
    figure = draw_wrong_masks([image], [mask], [said], ["a.png\nDice 0.500"], ("ground", "car"))
    (axis,) = figure.axes
    assert axis.get_title() == "a.png\nDice 0.500"
    drawn = np.asarray(axis.images[0].get_array())
    # Columns of white between three pictures of six.
    assert drawn.shape == (4, 20, 3)
    assert (drawn[:, :6] == 77).all()
    assert (drawn[:, [6, 13]] == 255).all()
    assert (drawn[:, 7:13] == class_palette(2)[0]).all()
    assert (drawn[:, 14:] == 255).all()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["ground", "car"]


@pytest.fixture
def captions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Those of the sheets that are drawn."""
    seen: list[str] = []
    for name in ("draw_wrong_masks", "draw_wrong_labels"):
        draw = getattr(error_sheet, name)

        def remember(*parts: Any, draw: Any = draw) -> Any:
            seen.extend(parts[3] if len(parts) > 2 else parts[1])
            return draw(*parts)

        monkeypatch.setattr(error_sheet, name, remember)
    return seen


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_test_shows_its_worst_masks(
    num_workers: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], captions: list[str]
) -> None:
    task, _ = mask_task("several")
    measured(task, Samples("mask", *PIXELS), tmp_path, num_workers)
    # Only the first has a mistake; see the numbers there.
    assert captions == ["0.png\nmean IoU 0.167, loss 1.057"]
    assert f"{tmp_path / 'errors_test.png'}: the worst test picture\n" in capsys.readouterr().out
    with Image.open(tmp_path / "errors_test.png") as sheet:
        assert sheet.width > sheet.height


def test_at_the_original_size_it_is_a_file_of_its_own(tmp_path: Path, captions: list[str]) -> None:
    task, _ = mask_task("one")
    task.at_original_size = True
    measured(task, Samples("mask", *PIXELS), tmp_path)
    assert captions == ["0.png\nDice 0.500, loss 1.073"]
    assert (tmp_path / "errors_test_full.png").is_file()
    assert not (tmp_path / "errors_test.png").exists()


def test_a_test_shows_the_labels_that_it_is_wrongly_surest_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], captions: list[str]
) -> None:
    # Black is an ant by 0.5, white a cat by 0.8.
    measured(classifier(), Samples("label", [[0], [0], [1]], [1, 0, 0]), tmp_path)
    assert captions == [
        "2.png\ntrue: ant\npredicted: =cat 80.0 %",
        "0.png\ntrue: bee\npredicted: ant 50.0 %",
    ]
    assert "errors_test.png: the 2 worst test pictures\n" in capsys.readouterr().out
    # One is enough for whoever wants one.
    captions.clear()
    measured(classifier(), Samples("label", [[0], [0], [1]], [1, 0, 0]), tmp_path, num_errors=1)
    assert captions == ["2.png\ntrue: ant\npredicted: =cat 80.0 %"]


def test_without_mistakes_there_is_no_sheet_and_no_earlier_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "errors_test.png").write_bytes(b"of an earlier test")
    measured(classifier(), Samples("label", [[0], [1]], [0, 2]), tmp_path)
    assert not (tmp_path / "errors_test.png").exists()
    assert "errors_test.png" not in capsys.readouterr().out
    # Who wants none is left alone.
    (tmp_path / "errors_test.png").write_bytes(b"of an earlier test")
    measured(classifier(), Samples("label", [[0], [1]], [1, 1]), tmp_path, num_errors=0)
    assert (tmp_path / "errors_test.png").read_bytes() == b"of an earlier test"


def test_there_is_no_negative_number_of_mistakes() -> None:
    with pytest.raises(ConfigError, match="num_errors -1 is too small; give 0 or more"):
        PictureScoreWriter(-1)
