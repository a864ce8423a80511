import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import lightning_seg
from lightning_seg.batch import SegmentationBatch
from lightning_seg.datamodules import ImageMaskFolderDataModule, image_mask_folder, mask_origins, slow_checks
from lightning_seg.datamodules.base import Loader
from lightning_seg.datasets.image_mask_folder import ImageMaskFolderDataset
from lightning_seg.datasets.mask_checks import inspect_masks
from lightning_seg.errors import ConfigError, DataError
from lightning_seg.synthetic.image_mask_folder import write_image_mask_folder
from lightning_seg.synthetic.marker import read_marker

CLASSES = ["background", "cat"]
NAMES = [f"{animal}_{number}" for animal in ("cat", "dog", "owl", "rat", "yak") for number in range(4)]


def write(root: Path, names: Sequence[str] = NAMES, mask: Sequence[Sequence[int]] = ((0, 1), (1, 255))) -> Path:
    """Pictures of 2x2 pixels whose red is their position in ``names``."""
    pixels = np.array(mask, np.uint8)
    for index, name in enumerate(names):
        for folder, content, suffix in (
            ("images", np.full((*pixels.shape, 3), index, np.uint8), "jpg"),
            ("masks", pixels, "png"),
        ):
            path = root / folder / f"{name}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(content).save(path)
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 pictures of five animals; not to be changed."""
    return write(tmp_path_factory.mktemp("own"))


def make(root: Path, **options: Any) -> ImageMaskFolderDataModule:
    """4 of 20 pictures validate and 2 test; nothing is augmented, no worker processes."""
    return ImageMaskFolderDataModule(
        root,
        **{
            "classes": CLASSES,
            "image_size": None,
            "batch_size": 1,
            "num_workers": 0,
            "val_fraction": 0.2,
            "augment": False,
        }
        | options,
    )


def fitted(root: Path, **options: Any) -> ImageMaskFolderDataModule:
    data = make(root, **options)
    data.setup("fit")
    return data


def names(loader: Loader) -> list[str]:
    return [Path(path).stem for batch in loader for path in batch["path"]]


def loaders(data: ImageMaskFolderDataModule) -> dict[str, list[str]]:
    data.setup("test")
    return {
        "train": sorted(names(data.train_dataloader())),
        "val": names(data.val_dataloader()),
        "test": names(data.test_dataloader()),
    }


# Splits


def test_every_picture_is_in_one_split(root: Path) -> None:
    parts = loaders(fitted(root))
    assert {split: len(part) for split, part in parts.items()} == {"train": 14, "val": 4, "test": 2}
    assert sorted(parts["train"] + parts["val"] + parts["test"]) == sorted(NAMES)
    assert parts["val"] == sorted(parts["val"])


def test_seed_and_nothing_else_decides(root: Path, tmp_path: Path) -> None:
    parts = loaders(fitted(root))
    assert loaders(fitted(root)) == parts
    assert loaders(fitted(root, cache=True, image_size=8, check_masks=False, augment="flip")) == parts
    assert loaders(fitted(write(tmp_path, NAMES[::-1]))) == parts
    other = loaders(fitted(root, seed=1))
    assert all(other[split] != parts[split] for split in parts)


def test_fractions_are_read(root: Path) -> None:
    data = fitted(root, val_fraction=0.15, test_fraction=0.5)
    parts = loaders(data)
    assert data.val_fraction == 0.15
    assert {split: len(part) for split, part in parts.items()} == {"train": 7, "val": 3, "test": 10}


def test_groups_stay_together(root: Path) -> None:
    parts = loaders(fitted(root, group=r"^([a-z]+)_"))
    animals = [{name.partition("_")[0] for name in part} for part in parts.values()]
    assert [len(part) for part in parts.values()] == [12, 4, 4]
    assert sum(map(len, animals)) == 5


def test_lists_are_read(root: Path, tmp_path: Path) -> None:
    (tmp_path / "val.txt").write_text("cat_1\n")
    (tmp_path / "test.txt").write_text("images/owl_2.jpg\nowl_3.jpg\n")
    (tmp_path / "train.txt").write_text("cat_2\ncat_3\n")
    given = {f"{split}_list": str(tmp_path / f"{split}.txt") for split in ("train", "val", "test")}
    assert loaders(fitted(root, val_fraction=0.1, **given)) == {
        "train": ["cat_2", "cat_3"],
        "val": ["cat_1"],
        "test": ["owl_2", "owl_3"],
    }
    given.pop("train_list")
    assert len(loaders(fitted(root, val_fraction=0.1, **given))["train"]) == 17


def test_pairs_and_their_splits_are_read(root: Path, tmp_path: Path) -> None:
    splits = {"cat_1": "train", "cat_2": "val", "owl_1": "test", "dog_1": "train"}
    lines = [f"images/{name}.jpg,masks/{name}.png,{split}" for name, split in splits.items()]
    (tmp_path / "pairs.csv").write_text("\n".join(["image,mask,split", *lines]))
    data = fitted(root, pairs=str(tmp_path / "pairs.csv"), val_fraction=0.1)
    assert loaders(data) == {"train": ["cat_1", "dog_1"], "val": ["cat_2"], "test": ["owl_1"]}


def test_the_masks_may_lie_beside_the_pictures(tmp_path: Path) -> None:
    for name in NAMES:
        for suffix in ("", "_mask"):
            Image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / f"{name}{suffix}.png")
    parts = loaders(fitted(tmp_path, images="*.png", masks="{stem}_mask.png"))
    assert sorted(parts["train"] + parts["val"] + parts["test"]) == sorted(NAMES)


def test_fit_never_opens_the_test_pictures(tmp_path: Path) -> None:
    data = fitted(write(tmp_path))
    tested = loaders(data)["test"]
    for name in tested:
        for path in (tmp_path / "images" / f"{name}.jpg", tmp_path / "masks" / f"{name}.png"):
            path.write_bytes(b"")
    again = fitted(tmp_path)
    assert len(names(again.train_dataloader()) + names(again.val_dataloader())) == 18
    with pytest.raises(
        DataError, match=rf"{tested[0]}\.jpg: cannot be read as a picture .*; 1 more of 2 pictures cannot be"
    ):
        again.setup("test")


def test_pictures_that_are_added_later_change_no_split(tmp_path: Path) -> None:
    parts = loaders(fitted(write(tmp_path)))
    data = fitted(tmp_path)
    write(tmp_path, [f"new_{number}" for number in range(40)])
    assert loaders(data) == parts


def test_predict_needs_no_good_masks(tmp_path: Path) -> None:
    data = make(write(tmp_path, mask=[[7]]))
    data.setup("predict")
    assert len(data.datasets["test"]) == 2


@pytest.mark.parametrize(
    ("stage", "options", "message"),
    [
        (
            "test",
            {"test_fraction": 0.0},
            "no pictures to test on; give --data.test_list, lines of split test in --data.pa",
        ),
        (
            "fit",
            {"val_fraction": 0.0},
            "no pictures to validate on; give --data.val_list, lines of split val in --data.pa",
        ),
        ("validate", {"val_fraction": 0.0}, "or, without either, train with a --data.val_fraction above 0"),
    ],
)
def test_a_split_without_pictures(root: Path, stage: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        make(root, **options).setup(stage)


def test_without_pictures_to_test_on_it_still_trains(root: Path) -> None:
    assert len(names(fitted(root, test_fraction=0.0).train_dataloader())) == 16


# Batches


def test_pictures_as_they_are(root: Path) -> None:
    batch = next(iter(fitted(root).val_dataloader()))
    assert batch.keys() == SegmentationBatch.__annotations__.keys()
    assert (batch["image"].dtype, tuple(batch["image"].shape)) == (torch.uint8, (1, 3, 2, 2))
    assert batch["image"].is_contiguous(memory_format=torch.channels_last)
    assert batch["mask"].tolist() == [[[0, 1], [1, 255]]]


def test_resized_pictures_and_masks(root: Path) -> None:
    batch = next(iter(fitted(root, image_size=(2, 4), batch_size=3).val_dataloader()))
    assert tuple(batch["image"].shape) == (3, 3, 2, 4)
    assert batch["mask"].tolist() == [[[0, 0, 1, 1], [1, 1, 255, 255]]] * 3


def test_cache_changes_nothing(root: Path) -> None:
    plain, cached = (fitted(root, image_size=4, cache=cache) for cache in (False, True))
    for _ in range(2):
        for expected, found in zip(plain.val_dataloader(), cached.val_dataloader(), strict=True):
            assert torch.equal(expected["image"], found["image"])
            assert torch.equal(expected["mask"], found["mask"])


def test_values_and_ignored_values_are_read(tmp_path: Path) -> None:
    write(tmp_path, mask=[[0, 255], [128, 255]])
    data = fitted(tmp_path, mask_values=[255, 0], ignore_values=[128])
    assert next(iter(data.val_dataloader()))["mask"].tolist() == [[[1, 0], [255, 0]]]


def test_the_task_learns_the_classes(tmp_path: Path) -> None:
    data = make(tmp_path / "nowhere", classes=["sky", "sea", "land"])
    assert (data.num_classes, data.class_names, data.ignore_index) == (3, ("sky", "sea", "land"), 255)


def test_it_is_public() -> None:
    assert lightning_seg.ImageMaskFolderDataModule is ImageMaskFolderDataModule


# The check


@pytest.mark.parametrize("stage", ["fit", "validate", "test"])
def test_masks_are_checked_before_they_are_used(tmp_path: Path, stage: str) -> None:
    write(tmp_path, mask=[[0, 7]])
    with pytest.raises(
        DataError, match=r"_\d\.png: the mask holds 7 \(1 pixel\) of no class; there are 0 background, 1 cat"
    ):
        make(tmp_path).setup(stage)


def test_one_wrong_mask_among_good_ones_does_not_put_the_classes_in_doubt(tmp_path: Path) -> None:
    """A file with 0 and 7 alone could have other numbers for two classes; with good ones beside it, it is wrong."""
    root = write(tmp_path, mask=[[0, 1]])
    data = make(root)
    data.setup("test")
    victim = data.datasets["test"].records[0].mask
    Image.fromarray(np.array([[0, 7]], np.uint8)).save(victim)
    Image.new("RGB", (2, 1)).save(data.datasets["test"].records[0].image)
    with pytest.raises(DataError, match="the mask holds 7") as caught:
        make(root).setup("test")
    message = str(caught.value)
    assert "add 7 to mask_values or ignore_values" in message
    assert "if these are the classes" not in message


def test_without_the_check_a_mask_is_refused_when_it_is_read(tmp_path: Path) -> None:
    data = fitted(write(tmp_path, mask=[[0, 7]]), check_masks=False)
    with pytest.raises(DataError, match="the mask holds 7"):
        next(iter(data.val_dataloader()))


def test_each_mask_is_checked_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[int] = []

    def inspect(dataset: ImageMaskFolderDataset, masks: Any) -> NDArray[np.bool_]:
        checked.append(len(dataset))
        return inspect_masks(dataset, masks)

    monkeypatch.setattr(image_mask_folder, "inspect_masks", inspect)
    data = make(root)
    for stage in ("fit", "validate", "test", "fit", "predict"):
        data.setup(stage)
    assert checked == [14, 4, 2]


def test_validation_alone_checks_its_masks_alone(tmp_path: Path) -> None:
    data = make(write(tmp_path))
    for pair in fitted(tmp_path).datasets["train"].records:
        pair.mask.write_bytes(b"")
    data.setup("validate")
    assert len(names(data.val_dataloader())) == 4


def test_two_values_0_and_255_without_mask_values(tmp_path: Path) -> None:
    write(tmp_path, mask=[[0, 255]])
    with pytest.raises(
        DataError, match=r"hold 0 and 255 alone.*; give mask_values \[0, 255\], or ignore_values \[255\]"
    ):
        fitted(tmp_path)
    assert next(iter(fitted(tmp_path, mask_values=[0, 255]).val_dataloader()))["mask"].tolist() == [[[0, 1]]]


def test_a_class_that_is_never_trained_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, mask=[[0, 2]])
    with caplog.at_level(logging.WARNING, logger="lightning_seg"):
        fitted(tmp_path, classes=["background", "cat", "dog", "owl"])
    assert caplog.messages == ["no mask to train on holds cat, owl"]


def test_nothing_is_logged_about_good_data(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="lightning_seg"):
        fitted(root)
    assert caplog.messages == []


def test_a_long_check_is_told(root: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_checks, "SLOW_SECONDS", -1.0)
    with caplog.at_level(logging.WARNING, logger="lightning_seg"):
        fitted(root)
    assert caplog.messages == [
        f"checking {number} {files} took 0 s; --data.check_{files} false skips it"
        for files in ("pictures", "masks")
        for number in (14, 4)
    ]


# Missing data


def test_the_constructor_touches_no_file(tmp_path: Path) -> None:
    data = make(tmp_path / "nowhere", val_list="val.txt", val_fraction=0.1)
    assert not data.root.exists()
    with pytest.raises(DataError, match=r"nowhere: no such folder; .*--data\.root.*--data\.source synthetic"):
        data.setup("fit")


def test_a_missing_mask(tmp_path: Path) -> None:
    write(tmp_path)
    for name in NAMES[:3]:
        (tmp_path / "masks" / f"{name}.png").unlink()
    with pytest.raises(
        DataError, match=r"^3 of 20 pictures have no mask, the first is images/cat_0\.jpg: no .*cat_0\.png;"
    ):
        fitted(tmp_path)


# Synthetic pictures


@pytest.fixture
def few_synthetic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the datamodule write 8 pictures."""

    def few(root: Path, **options: Any) -> None:
        write_image_mask_folder(root, num_pictures=8, **options)

    monkeypatch.setattr(mask_origins, "write_image_mask_folder", few)


Options = dict[str, Any]


@pytest.mark.usefixtures("few_synthetic")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"classes": [str(index) for index in range(7)]},
        {"mask_values": [0, 255]},
        {"mask_values": [400, 1000]},
        {"mask_values": ["#000000", [255, 255, 1]]},
        {"images": "*.png", "masks": "{stem}_mask.png"},
    ],
    ids=str,
)
def test_synthetic_pictures_follow_the_arguments(tmp_path: Path, options: Options) -> None:
    data = make(tmp_path / "own", source="synthetic", image_size=32, **options)
    data.prepare_data()
    data.setup("fit")
    parts = loaders(data)
    assert sum(map(len, parts.values())) == 8
    assert sorted(parts["train"] + parts["val"] + parts["test"])[0] == "scene000_0"


@pytest.mark.usefixtures("few_synthetic")
def test_synthetic_pictures_of_other_values_are_replaced(tmp_path: Path) -> None:
    make(tmp_path / "own", source="synthetic").prepare_data()
    make(tmp_path / "own", source="synthetic", mask_values=[0, 255]).prepare_data()
    marker = read_marker(tmp_path / "own")
    assert marker is not None
    assert marker["mask_values"] == [0, 255]


def test_synthetic_pictures_already_there_are_kept(tmp_path: Path) -> None:
    write_image_mask_folder(tmp_path / "own", num_pictures=3, encoding="binary", layout="beside", seed=5)
    options: Options = {"images": "*.png", "masks": "{stem}_mask.png", "mask_values": [0, 255]}
    make(tmp_path / "own", source="synthetic", **options).prepare_data()
    assert len(list((tmp_path / "own").glob("*_mask.png"))) == 3


@pytest.mark.parametrize("options", [{"images": "x/*.jpg"}, {"masks": "{stem}.png"}, {"pairs": "pairs.csv"}])
def test_synthetic_pictures_have_two_layouts(tmp_path: Path, options: Options) -> None:
    data = make(tmp_path / "own", source="synthetic", **options)
    with pytest.raises(
        ConfigError, match=r"source synthetic does not write .*; use 'images/\*', 'masks/\{stem\}\.png'"
    ):
        data.prepare_data()
    assert not data.root.exists()


def test_synthetic_pictures_never_replace_your_own(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(DataError, match="will not be overwritten with synthetic data"):
        make(tmp_path, source="synthetic").prepare_data()
    assert len(list((tmp_path / "images").iterdir())) == 20


# Impossible arguments


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"download": True}, "download true: your own pictures have no address; put them into root"),
        ({"classes": ["cat"]}, "give 2 to 255 names"),
        ({"mask_values": [0]}, "mask_values has 1 entries"),
        ({"ignore_values": ["#ff0000"]}, "mix numbers and colours"),
        ({"images": "/images/*.jpg"}, "must be relative to root"),
        ({"masks": "masks.png"}, "is the same for every picture"),
        (
            {"pairs": "pairs.csv", "images": "*.png"},
            "pairs pairs.csv lists all pictures and masks; leave images and masks",
        ),
        ({"pairs": "pairs.csv", "masks": "{stem}.png"}, "pairs pairs.csv lists all pictures and masks"),
        ({"val_fraction": 1.5}, "val_fraction 1.5 must be at least 0 and less than 1"),
        ({"test_fraction": 0.9}, "val_fraction 0.2 and test_fraction 0.9 leave none to train on"),
        ({"val_list": "val.txt"}, "val_fraction 0.2 and val_list contradict each other"),
        ({"group": "["}, r"group '\[' is no regular expression"),
        ({"batch_size": 0}, "batch_size 0 is too small"),
    ],
)
def test_impossible_arguments_are_refused_at_once(tmp_path: Path, options: Options, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(tmp_path / "nowhere", **options)


def test_misspelt_and_missing_arguments(tmp_path: Path) -> None:
    construct: Callable[..., Any] = ImageMaskFolderDataModule
    with pytest.raises(TypeError, match="ignore_value"):
        make(tmp_path, ignore_value=[3])
    with pytest.raises(ConfigError, match=r"^classes: nothing says what the values in the masks are called"):
        construct(tmp_path)
