import logging
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_seg.augmentation.pipelines import PIPELINES
from lightning_seg.datamodules import CarvanaDataModule, carvana
from lightning_seg.errors import ConfigError, DataError
from lightning_seg.synthetic.carvana import write_carvana

SPLITS = ("train", "val", "test")


def make(root: Path, **options: Any) -> CarvanaDataModule:
    """Of 6 cars with 4 photos each one validates and one or two test; no worker processes."""
    return CarvanaDataModule(root, **{"image_size": 32, "num_workers": 0, **options})


def stems(root: Path, **options: Any) -> dict[str, list[str]]:
    """Names by split."""
    data = make(root, **options)
    for stage in ("fit", "test"):
        data.setup(stage)
    return {split: [record.stem for record in data.datasets[split].records] for split in data.datasets}


def cars(names: list[str]) -> Counter[str]:
    """How many photos of each car."""
    return Counter(name.partition("_")[0] for name in names)


def listed(root: Path) -> list[str]:
    return [line.partition(".")[0] for line in (root / "train_masks.csv").read_text().splitlines()[1:]]


# Splits


def test_a_car_is_in_one_split_with_all_its_photos(carvana_root: Path) -> None:
    found = stems(carvana_root, val_fraction=1 / 6, test_fraction=1 / 3)
    assert {split: sorted(cars(names).values()) for split, names in found.items()} == {
        "train": [4, 4, 4],
        "val": [4],
        "test": [4, 4],
    }
    assert sorted(name for names in found.values() for name in names) == sorted(listed(carvana_root))


def test_split_by_image_divides_cars(carvana_root: Path) -> None:
    found = stems(carvana_root, split_by="image", val_fraction=0.25, test_fraction=0.25)
    assert [len(found[split]) for split in SPLITS] == [12, 6, 6]
    assert sorted(name for names in found.values() for name in names) == sorted(listed(carvana_root))
    # Six photos cannot be whole cars of four.
    assert any(cars(found["test"])[car] and count for car, count in cars(found["train"]).items())


def test_a_split_keeps_the_order_of_the_list(carvana_root: Path) -> None:
    for names in stems(carvana_root, split_by="image").values():
        assert names == [name for name in listed(carvana_root) if name in names]


@pytest.mark.parametrize("split_by", ["car", "image"])
def test_one_seed_gives_one_split_and_others_give_others(carvana_root: Path, split_by: str) -> None:
    found = [stems(carvana_root, split_by=split_by, seed=seed) for seed in (0, 0, 1, 2, 3, 4)]
    assert found[0] == found[1]
    for split in SPLITS:
        assert len({tuple(one[split]) for one in found}) > 1


@pytest.mark.parametrize("split_by", ["car", "image"])
def test_the_test_photos_do_not_depend_on_the_share_that_validates(carvana_root: Path, split_by: str) -> None:
    found = [stems(carvana_root, split_by=split_by, val_fraction=share) for share in (0.0, 0.1, 0.5)]
    assert found[0]["test"] == found[1]["test"] == found[2]["test"]
    assert len(found[2]["val"]) > len(found[1]["val"])


def test_the_split_of_the_tutorial(carvana_root: Path) -> None:
    data = make(carvana_root, split_by="image", val_fraction=0.2, test_fraction=0.0)
    data.setup("fit")
    # 0.2 * 24 = 4.8
    assert (len(data.datasets["train"]), len(data.datasets["val"])) == (19, 5)
    with pytest.raises(DataError, match=r"no pictures to test on; train with a --data\.test_fraction above 0$"):
        data.setup("test")


def test_training_on_everything(carvana_root: Path) -> None:
    data = make(carvana_root, val_fraction=0.0, test_fraction=0.0)
    data.setup("fit")
    assert [record.stem for record in data.datasets["train"].records] == listed(carvana_root)
    assert not data.validates
    assert make(carvana_root).validates


def test_too_few_cars_are_refused(tmp_path: Path) -> None:
    write_carvana(tmp_path / "root", num_cars=2, num_views=2, size=(32, 48))
    shares = r"test_fraction 0\.2 and val_fraction 0\.1 of 4 pictures in 2 groups"
    with pytest.raises(ConfigError, match=f"^{shares} leave none to train on; choose others$"):
        make(tmp_path / "root").setup("fit")


def remove(root: Path, names: list[str]) -> None:
    for name in names:
        (root / "train" / f"{name}.jpg").unlink()
        (root / "train_masks" / f"{name}_mask.gif").unlink()


def test_fit_never_opens_the_test_photos(carvana_copy: Path) -> None:
    found = stems(carvana_copy)
    remove(carvana_copy, found["test"])

    data = make(carvana_copy)
    data.setup("fit")

    batches = [*data.train_dataloader(), *data.val_dataloader()]
    read = [Path(path).stem for batch in batches for path in batch["path"]]
    assert set(read) <= set(found["train"] + found["val"])
    with pytest.raises(DataError, match="listed names have neither picture nor mask"):
        data.setup("test")


@pytest.mark.parametrize("stage", ["test", "predict"])
def test_test_and_predict_need_no_training_photos(carvana_copy: Path, stage: str) -> None:
    found = stems(carvana_copy)
    remove(carvana_copy, found["train"] + found["val"])

    data = make(carvana_copy)
    data.setup(stage)

    loader: Any = data.test_dataloader() if stage == "test" else data.predict_dataloader()
    assert [Path(path).stem for batch in loader for path in batch["path"]] == found["test"]


# Batches


def test_batches_have_two_classes_and_the_task_one_logit(carvana_root: Path) -> None:
    data = make(carvana_root, image_size=(32, 64), batch_size=3)
    data.setup("fit")
    batch = next(iter(data.train_dataloader()))
    assert (data.num_classes, data.class_names, data.ignore_index) == (1, ("background", "car"), 255)
    assert (batch["image"].dtype, tuple(batch["image"].shape)) == (torch.uint8, (3, 3, 32, 64))
    assert set(batch["mask"].flatten().tolist()) == {0, 1}


def test_defaults_are_those_of_the_system(carvana_root: Path) -> None:
    data = CarvanaDataModule(carvana_root)
    assert (data.image_size, data.batch_size, data.split_by) == ((256, 256), 4, "car")
    assert (data.val_fraction, data.test_fraction) == (0.1, 0.2)
    assert [type(step).__name__ for step in data.pipeline] == ["HorizontalFlip", "Affine", "HueSaturationValue"]


def test_photos_as_they_are(carvana_root: Path) -> None:
    data = make(carvana_root, image_size=None, batch_size=1)
    data.setup("fit")
    assert next(iter(data.train_dataloader()))["image"].shape == (1, 3, 48, 72)
    data.setup("test")
    assert next(iter(data.test_dataloader()))["mask"].shape == (1, 48, 72)


@pytest.mark.parametrize(("augment", "values"), [("flip_shift_hue", {0, 1}), ("flip_shift_hue_ignored", {0, 1, 255})])
def test_what_a_shift_leaves_is_background_or_does_not_count(
    carvana_root: Path, augment: str, values: set[int]
) -> None:
    data = make(carvana_root, augment=augment)
    data.setup("fit")
    batches = list(data.train_dataloader())
    assert {value for batch in batches for value in batch["mask"].flatten().tolist()} == values


def test_no_warning_about_shifts_where_class_0_is_the_background(
    carvana_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="lightning_seg"):
        make(carvana_root, augment=True).setup("fit")
    assert caplog.messages == [f"{carvana_root} holds synthetic pictures, not the real dataset"]


# Where the photos come from


def test_missing_data_is_never_replaced_by_synthetic(tmp_path: Path) -> None:
    data = make(tmp_path / "carvana")
    data.prepare_data()
    with pytest.raises(DataError, match=r"--data\.source synthetic"):
        data.setup("fit")
    assert not data.root.exists()


def test_a_download_is_refused_with_the_way_to_get_the_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        make(tmp_path / "carvana", download=True)
    message = str(error.value)
    assert message.startswith("download true: ")
    assert "\n" not in message
    for part in ("account", "rules", "kaggle competitions download -c carvana-image-masking-challenge -f"):
        assert part in message
    for part in ("train.zip", "train_masks.zip", "train_masks.csv.zip", str(tmp_path / "carvana")):
        assert part in message


@pytest.fixture
def few_synthetic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the datamodule write 10 pictures of 5 cars."""
    monkeypatch.setattr(carvana, "write_carvana", partial(write_carvana, num_cars=5, num_views=2, size=(32, 48)))


@pytest.mark.usefixtures("few_synthetic")
def test_synthetic_source_is_written_and_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = make(tmp_path / "cars", source="synthetic")

    with caplog.at_level(logging.WARNING, logger="lightning_seg"):
        data.prepare_data()
        data.setup("fit")
        data.setup("test")

    assert [len(data.datasets[split]) for split in SPLITS] == [6, 2, 2]
    assert caplog.messages == []


def contents(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / "train").iterdir()}


@pytest.mark.usefixtures("few_synthetic")
def test_runs_with_other_seeds_see_the_same_synthetic_pictures(tmp_path: Path) -> None:
    for seed in (0, 1):
        make(tmp_path / f"cars_{seed}", source="synthetic", seed=seed).prepare_data()
    assert contents(tmp_path / "cars_0") == contents(tmp_path / "cars_1")


def test_synthetic_pictures_already_there_are_kept(carvana_copy: Path) -> None:
    before = contents(carvana_copy)
    make(carvana_copy, source="synthetic", seed=1).prepare_data()
    assert contents(carvana_copy) == before


def test_synthetic_source_leaves_other_files_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="will not be overwritten with synthetic data"):
        make(tmp_path, source="synthetic").prepare_data()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


# Impossible arguments


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split_by": "view"}, "split_by 'view' does not exist; choose car or image"),
        ({"val_fraction": 1.0}, "val_fraction 1.0 must be at least 0 and less than 1, for instance 0.1"),
        ({"test_fraction": -0.1}, "test_fraction -0.1 must be at least 0 and less than 1, for instance 0.1"),
        (
            {"val_fraction": 0.5, "test_fraction": 0.5},
            "val_fraction 0.5 and test_fraction 0.5 leave none to train on; choose smaller ones",
        ),
        ({"batch_size": 0}, "batch_size 0 is too small; give 1 or more"),
        ({"augment": "flop"}, f"augment 'flop' is no pipeline; did you mean 'flip'. There are {', '.join(PIPELINES)}"),
    ],
)
def test_impossible_arguments_are_refused_at_once(carvana_root: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}$"):
        make(carvana_root, **options)


def test_through_the_command_line_a_mistake_is_one_line(mistake: Callable[[list[str]], str], tmp_path: Path) -> None:
    flags = ["--data", "CarvanaDataModule", "--data.root", str(tmp_path / "nowhere")]
    line = mistake(["fit", "--model", "UNetTask", "--model.width", "1", "--model.depth", "1", *flags])
    assert f"{tmp_path / 'nowhere'}: no train_masks.csv there" in line
    assert "kaggle competitions download" in line


# Real photos


@pytest.mark.real_data
def test_of_six_real_cars_one_validates_and_one_tests(real_data: Path) -> None:
    found = stems(real_data / "carvana")
    assert {split: sorted(cars(names).values()) for split, names in found.items()} == {
        "train": [16] * 4,
        "val": [16],
        "test": [16],
    }
