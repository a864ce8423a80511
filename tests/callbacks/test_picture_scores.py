"""The table of test pictures, against masks that are computed here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger

from lightning_seg import (
    CarvanaDataModule,
    FlowersDataModule,
    ImageFolderDataModule,
    ImageMaskFolderDataModule,
    MobileNetV2UNetTask,
    OxfordPetsDataModule,
)
from lightning_seg.callbacks import PictureScoreWriter
from lightning_seg.callbacks.picture_scores import read_picture_scores
from lightning_seg.errors import DataError
from lightning_seg.metrics.likelihood import label_likelihood, logs_of
from lightning_seg.picture_table import read_tested
from lightning_seg.synthetic.image_mask_folder import write_image_mask_folder
from lightning_seg.tasks.segmentation import SegmentationTask
from tests.callbacks.by_colour import MASKS, PIXELS, Lookup, Samples, classifier, mask_task, rows_of_test


@pytest.fixture(scope="module")
def task() -> MobileNetV2UNetTask:
    torch.manual_seed(0)
    return MobileNetV2UNetTask(encoder_weights=None, freeze_encoder=False)


def run_test(
    task: pl.LightningModule, root: Path, folder: Path, kind: type[pl.LightningDataModule] = OxfordPetsDataModule
) -> None:
    data = kind(root, image_size=32, batch_size=3, num_workers=0)
    logger = CSVLogger(folder, "", "")
    trainer = pl.Trainer(logger=logger, accelerator="cpu", callbacks=[PictureScoreWriter()], enable_progress_bar=False)
    trainer.test(task, data, verbose=False)


def test_every_test_picture_has_its_row(task: MobileNetV2UNetTask, pets_root: Path, tmp_path: Path) -> None:
    run_test(task, pets_root, tmp_path)
    quantity, scores, groups = read_picture_scores(tmp_path / "test_pictures.csv")
    assert quantity == "mean IoU"
    assert groups == {}
    names = [line.split()[0] for line in (pets_root / "annotations" / "test.txt").read_text().splitlines()]
    # In the order of the split, the last partial batch included.
    assert [Path(path).stem for path in scores] == names
    data = OxfordPetsDataModule(pets_root, image_size=32, num_workers=0)
    data.setup("test")
    for position in (0, len(names) - 1):
        sample = data.datasets["test"][position]
        with torch.no_grad():
            predicted = task.eval()(sample["image"].unsqueeze(0))[0].argmax(dim=0).numpy()
        mask, shares = sample["mask"].numpy(), []
        for index in np.unique(mask):
            either = (mask == index) | (predicted == index)
            shares.append(((mask == index) & (predicted == index)).sum() / either.sum())
        assert scores[sample["path"]] == pytest.approx(np.mean(shares), rel=1e-4)


def test_a_picture_without_counted_pixels_has_no_score(
    task: MobileNetV2UNetTask, pets_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [line.split()[0] for line in (pets_copy / "annotations" / "test.txt").read_text().splitlines()]
    original = OxfordPetsDataModule.make_test

    def ignore_first(data: OxfordPetsDataModule) -> object:
        dataset = original(data)
        read_mask = dataset.read_mask
        first = dataset.records[0]
        monkeypatch.setattr(
            dataset, "read_mask", lambda record: read_mask(record) * 0 + (255 if record == first else 0)
        )
        return dataset

    monkeypatch.setattr(OxfordPetsDataModule, "make_test", ignore_first)
    run_test(task, pets_copy, tmp_path)
    rows = (tmp_path / "test_pictures.csv").read_text().splitlines()
    assert rows[1].endswith(f"{names[0]}.jpg,,,,,,mean IoU,")
    assert len(rows) == 1 + len(names)
    assert len(read_picture_scores(tmp_path / "test_pictures.csv").scores) == len(names) - 1


def test_views_of_a_car_are_a_group(carvana_root: Path, tmp_path: Path) -> None:
    task = MobileNetV2UNetTask(num_classes=1, encoder_weights=None, freeze_encoder=False)
    run_test(task, carvana_root, tmp_path, CarvanaDataModule)
    table = read_picture_scores(tmp_path / "test_pictures.csv")
    # Of six cars with four views, a fifth is nearest to one car.
    assert len(table.scores) == 4
    assert table.groups == {path: Path(path).stem.rpartition("_")[0] for path in table.scores}
    assert len(set(table.groups.values())) == 1


def test_groups_of_own_data_are_those_of_their_splits(flowers_root: Path, tmp_path: Path) -> None:
    write_image_mask_folder(tmp_path / "scenes", num_pictures=12)
    kinds: list[tuple[pl.LightningDataModule, Callable[[Path], str]]] = [
        (ImageMaskFolderDataModule(tmp_path / "scenes", list("abcd"), group="(.+)_"), lambda path: path.stem[:-2]),
        (ImageFolderDataModule(flowers_root, group="...(.)_"), lambda path: path.stem[6]),
        # Flickr's numbers.
        (FlowersDataModule(flowers_root), lambda path: path.stem.partition("_")[0]),
    ]
    for data, group in kinds:
        data.setup("test")
        dataset = data.datasets["test"]  # type: ignore[attr-defined]
        assert dataset.groups == [group(dataset.image_path(record)) for record in dataset.records]


def test_earlier_tables_have_no_groups(tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("path,score,quantity\na.jpg,0.5,Dice\nb.jpg,,Dice\n")
    assert read_picture_scores(tmp_path / "old.csv") == ("Dice", {"a.jpg": 0.5}, {})


def test_classes_of_a_mask_are_found_again_whatever_they_are_called(tmp_path: Path) -> None:
    names = ["ground; wet", " car\n", "\\;"]
    logits = MASKS["several"][0]
    task = SegmentationTask(Lookup(logits), 3, class_names=names, normalization="unit")
    rows_of_test(task, Samples("mask", *PIXELS), tmp_path)
    first, second, third = read_tested(tmp_path / "test_pictures.csv")
    # Rows of PIXELS: black is predicted as class 0, white as class 1.
    assert (first.true_classes, first.predicted_classes) == (tuple(names[:2]), tuple(names[:2]))
    assert (second.true_classes, second.predicted_classes) == ((), ())
    assert (third.true_classes, third.predicted_classes) == ((names[1],), (names[1],))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("path,score\n", "no test picture has a score"),
        ("path,score\na.jpg,nan\nb.jpg,\n", "no test picture has a score"),
        ("path,loss\na.jpg,1\n", "no column score"),
        ("path,score\na.jpg,1\nb.jpg,good\n", "row 3: score 'good' is no number"),
    ],
)
def test_a_broken_table_is_one_line(table: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "broken.csv").write_text(table)
    with pytest.raises(DataError, match=said):
        read_picture_scores(tmp_path / "broken.csv")


def test_tasks_that_count_otherwise_are_left_alone(tmp_path: Path) -> None:
    class OtherTask(pl.LightningModule):
        def test_step(self, batch: torch.Tensor, batch_idx: int) -> None:
            self.log("test/loss", batch.mean())

    trainer = pl.Trainer(
        logger=CSVLogger(tmp_path, "", ""),
        accelerator="cpu",
        callbacks=[PictureScoreWriter()],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.test(OtherTask(), torch.utils.data.DataLoader(torch.ones(4, 1)), verbose=False)  # type: ignore[arg-type]
    assert not (tmp_path / "test_pictures.csv").exists()


def test_pictures_that_batches_do_not_name_are_counted(task: MobileNetV2UNetTask, tmp_path: Path) -> None:
    batch = {"image": torch.zeros(2, 3, 32, 32, dtype=torch.uint8), "mask": torch.ones(2, 32, 32, dtype=torch.uint8)}
    trainer = pl.Trainer(
        logger=CSVLogger(tmp_path, "", ""), accelerator="cpu", callbacks=[PictureScoreWriter()], devices=1
    )
    batches: Any = [batch, batch]
    (values,) = trainer.test(task, torch.utils.data.DataLoader(batches, batch_size=None), verbose=False)
    assert 0 <= values["test/miou"] <= 1
    assert list(read_picture_scores(tmp_path / "test_pictures.csv").scores) == [f"picture_{n}" for n in range(4)]


def numbers(row: dict[str, str]) -> list[float]:
    return [float(row[name] or "nan") for name in ("probability", "loss", "score")]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_classifier_is_told_by_picture_as_on_paper(num_workers: int, tmp_path: Path) -> None:
    rows = rows_of_test(classifier(), Samples("label", [[0], [0], [1]], [0, 1, 2]), tmp_path, num_workers)
    assert [row["path"] for row in rows] == ["0.png", "1.png", "2.png"]
    assert [(row["truth"], row["prediction"]) for row in rows] == [("ant", "ant"), ("bee", "ant"), ("=cat", "=cat")]
    # Cross-entropy without smoothing and weights: -ln 0.5, -ln 0.3, -ln 0.8.
    expected = [[0.5, 0.693147, 1], [0.5, 1.203973, 0], [0.8, 0.223144, 1]]
    assert [numbers(row) for row in rows] == [pytest.approx(row, abs=1e-5) for row in expected]
    assert {row["quantity"] for row in rows} == {"accuracy"}


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize(
    ("how", "num_workers"), [("as trained", 0), ("as trained", 2), ("views", 0), ("original size", 0)]
)
def test_masks_are_told_by_picture_as_on_paper(kind: str, how: str, num_workers: int, tmp_path: Path) -> None:
    task, expected = mask_task(kind)
    if how == "views":
        task.inference = task.make_inference({"tta": "hflip"})
    if how == "original size":
        task.at_original_size = True
    rows = rows_of_test(task, Samples("mask", *PIXELS), tmp_path, num_workers)
    assert (tmp_path / "test_full_pictures.csv").exists() == (how == "original size")
    assert [numbers(row) for row in rows] == [pytest.approx(row, abs=1e-5, nan_ok=True) for row in expected]
    assert [row["truth"] for row in rows] == ["ground; car", "", "car"]
    assert [row["prediction"] for row in rows] == ["ground; car", "", "car"]


def test_tiles_are_told_by_picture_as_on_paper(tmp_path: Path) -> None:
    task, expected = mask_task("one")
    task.inference = task.make_inference({"tile": 2, "overlap": 1})
    rows = rows_of_test(task, Samples("mask", *PIXELS), tmp_path)
    assert [numbers(row) for row in rows] == [pytest.approx(row, abs=1e-5, nan_ok=True) for row in expected]


def test_a_threshold_decides_about_probabilities_too(tmp_path: Path) -> None:
    task, _ = mask_task("one")
    task.inference = task.make_inference({"threshold": 0.9})
    (row,) = rows_of_test(task, Samples("mask", [[1, 1]], [[1, 0]]), tmp_path)
    # Background by 0.2 everywhere.
    assert row["prediction"] == "ground"
    assert numbers(row) == pytest.approx([0.2, (0.223144 + 1.609438) / 2, 0.0], abs=1e-5)


def test_own_tasks_that_tell_no_probabilities_have_empty_cells(tmp_path: Path) -> None:
    class Mine(SegmentationTask):
        def measure(self, batch: Any, split: Any) -> None:
            self.scores_of(split).update(self.decide(self(batch["image"])), batch["mask"].long())

    logits, num_classes, _, _ = MASKS["one"]
    rows = rows_of_test(
        Mine(Lookup(logits), num_classes, class_names=["ground", "car"], normalization="unit"),
        Samples("mask", *PIXELS),
        tmp_path,
    )
    assert [list(row.values()) for row in rows[:2]] == [
        ["0.png", "ground; car", "ground; car", "", "", "0.5", "Dice", ""],
        ["1.png", "", "", "", "", "1", "Dice", ""],
    ]


def test_an_infinite_cost_is_no_reason_for_others_to_have_none() -> None:
    told = label_likelihood(logs_of(torch.tensor([[1.0, 0.0]])), torch.tensor([[0.5, 0.5]]))
    assert told.loss.isfinite().all()
