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
from lightning_seg.synthetic.image_mask_folder import write_image_mask_folder


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
    assert rows[1].endswith(f"{names[0]}.jpg,,mean IoU,")
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
