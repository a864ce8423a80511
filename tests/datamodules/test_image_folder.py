import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightning_seg import ImageFolderDataModule
from lightning_seg.datamodules import image_folder
from lightning_seg.errors import ConfigError, DataError
from lightning_seg.synthetic.flowers import write_flowers

Mistake = Callable[[list[str]], str]


def write(root: Path, *names: str) -> None:
    """Grey pictures of different sizes."""
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8 + number % 5, 9, 3), 100, np.uint8)).save(root / name)


def fill(root: Path, folder: str = "", **counts: int) -> Path:
    for name, count in counts.items():
        write(root, *(f"{folder}{name}/{number:02}.png" for number in range(count)))
    return root


def make(root: Path, **options: Any) -> ImageFolderDataModule:
    return ImageFolderDataModule(root, **{"image_size": 16, "num_workers": 0, **options})


def splits(root: Path, **options: Any) -> dict[str, list[str]]:
    data = make(root, **options)
    for stage in ("fit", "test"):
        data.setup(stage)
    return {split: [record.name for record in dataset.records] for split, dataset in data.datasets.items()}


def test_fractions_of_each_class(tmp_path: Path) -> None:
    fill(tmp_path, rose=20, aster=10)
    data = make(tmp_path, val_fraction=0.2, test_fraction=0.1)
    assert (data.class_names, data.num_classes) == (("aster", "rose"), 2)
    for stage in ("fit", "test"):
        data.setup(stage)
    counts = {split: dataset.count_labels() for split, dataset in data.datasets.items()}
    assert counts == {"train": [7, 14], "val": [2, 4], "test": [1, 2]}
    assert data.count_class_samples() == [7, 14]
    batch = next(iter(data.train_dataloader()))
    assert batch["image"].shape == (16, 3, 16, 16)


def test_folders_of_all_splits(tmp_path: Path) -> None:
    for split, count in (("train", 4), ("val", 2), ("test", 3)):
        fill(tmp_path, f"{split}/", rose=count, aster=count)
    found = splits(tmp_path)
    assert {split: len(part) for split, part in found.items()} == {"train": 8, "val": 4, "test": 6}
    assert all(name.startswith(f"{split}/") for split, part in found.items() for name in part)


def test_without_a_folder_val_it_is_drawn_from_train(tmp_path: Path) -> None:
    fill(tmp_path, "train/", rose=10, aster=10)
    fill(tmp_path, "test/", rose=10, aster=10)
    found = splits(tmp_path)
    # A tenth of each class of those to train on.
    assert {split: len(part) for split, part in found.items()} == {"train": 18, "val": 2, "test": 20}
    assert all(name.startswith("train/") for name in found["val"] + found["train"])


def test_without_a_folder_test_nothing_tests(tmp_path: Path) -> None:
    fill(tmp_path, "train/", rose=10, aster=10)
    with pytest.raises(DataError, match=r": no pictures to test on; put some into test/, beside train/$"):
        make(tmp_path).setup("test")


def test_a_folder_val_validates_with_any_fraction(tmp_path: Path) -> None:
    fill(tmp_path, "train/", rose=3, aster=3)
    fill(tmp_path, "val/", rose=2)
    data = make(tmp_path, val_fraction=0.0)
    assert data.validates
    data.setup("fit")
    assert len(data.datasets["val"]) == 2


def test_a_list_with_splits(tmp_path: Path) -> None:
    write(tmp_path, *(f"photos/{number}.png" for number in range(6)))
    rows = ["0,rose,train", "1,aster,train", "2,rose,val", "3,aster,test", "4,rose,train", "5,aster,val"]
    lines = [f"photos/{number}.png,{rest}" for number, _, rest in (row.partition(",") for row in rows)]
    (tmp_path / "labels.csv").write_text("\n".join(["image,label,split", *lines]))
    found = splits(tmp_path, labels="labels.csv")
    assert found == {
        "train": ["photos/0.png", "photos/1.png", "photos/4.png"],
        "val": ["photos/2.png", "photos/5.png"],
        "test": ["photos/3.png"],
    }


def test_a_list_without_splits_is_divided_by_fractions(tmp_path: Path) -> None:
    write(tmp_path, *(f"{number:02}.png" for number in range(20)))
    lines = [f"{number:02}.png,{'rose' if number % 2 else 'aster'}" for number in range(20)]
    (tmp_path / "labels.csv").write_text("\n".join(["image,label", *lines]))
    found = splits(tmp_path, labels="labels.csv")
    assert {split: len(part) for split, part in found.items()} == {"train": 16, "val": 2, "test": 2}
    for part in found.values():
        assert sum(int(name[:2]) % 2 for name in part) == len(part) / 2


def test_a_group_is_not_divided(tmp_path: Path) -> None:
    write(tmp_path, *(f"{name}/plant{plant}_{view}.png" for name in ("a", "b") for plant in range(5) for view in "xyz"))
    for seed in range(5):
        found = splits(tmp_path, group=r"[ab]/(plant\d)_", val_fraction=0.2, test_fraction=0.2, seed=seed)
        plants = [{re.findall(r"plant\d", name)[0] for name in part} for part in found.values()]
        # Each of the five plants, of both classes, is in one split.
        assert sum(map(len, plants)) == len(set.union(*plants)) == 5
        assert sum(map(len, found.values())) == 30


def test_folders_that_divide_a_group(tmp_path: Path) -> None:
    write(tmp_path, "train/a/p1_x.png", "train/b/p2_x.png", "val/a/p1_y.png")
    with pytest.raises(
        DataError, match=r"group 'p1' lies in two splits: train/a/p1_x\.png in train and val/a/p1_y\.png"
    ):
        make(tmp_path, group=r"^(p\d)_").setup("fit")


def test_with_classes_nothing_is_read_before_a_stage(tmp_path: Path) -> None:
    data = make(tmp_path / "elsewhere", classes=["rose", "aster"])
    assert data.class_names == ("rose", "aster")
    with pytest.raises(DataError, match="elsewhere: no such folder"):
        data.setup("fit")


def test_synthetic_flowers_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_folder, "write_flowers", partial(write_flowers, num_per_class=3))
    data = make(tmp_path / "flowers", source="synthetic")
    assert data.class_names == ("daisy", "dandelion", "roses", "sunflowers", "tulips")
    data.prepare_data()
    data.setup("fit")
    assert data.datasets["train"].count_labels() == [1] * 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"download": True}, "download true: your own pictures have no address; put them into root"),
        ({"classes": ["rose"]}, "classes ['rose'] must be two different names or more, or null for what is found"),
        ({"classes": ["rose", "rose"]}, "classes ['rose', 'rose'] must be two different names or more"),
        ({"group": "("}, "group '(' is no regular expression"),
        ({"val_fraction": 1.0}, "val_fraction 1.0 must be at least 0 and less than 1"),
        (
            {"source": "synthetic", "labels": "l.csv"},
            "source synthetic writes flowers in folders of classes; leave lab",
        ),
    ],
)
def test_impossible_arguments_are_refused_at_once(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    fill(tmp_path, rose=3, aster=3)
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}"):
        make(tmp_path, **options)


@pytest.mark.parametrize(
    ("folders", "options", "message"),
    [
        (("train", "val"), {"val_fraction": 0.3}, "val_fraction 0.3 and the folders train/, val/ and test/ contradict"),
        (
            ("train",),
            {"test_fraction": 0.3},
            "test_fraction 0.3 and the folders train/, val/ and test/ contradict each",
        ),
    ],
)
def test_fractions_against_folders(
    tmp_path: Path, folders: tuple[str, ...], options: dict[str, Any], message: str
) -> None:
    for folder in folders:
        fill(tmp_path, f"{folder}/", rose=5, aster=5)
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}"):
        make(tmp_path, **options).setup("fit")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "photos: no such folder; give that of your pictures with --data.root, or try --data.source synthetic"),
        (["rose/1.png"], "photos: there is only one class, rose; two are needed to tell pictures apart"),
    ],
)
def test_mistakes_are_one_line_on_the_command_line(
    tmp_path: Path, mistake: Mistake, names: list[str], message: str
) -> None:
    write(tmp_path / "photos", *names) if names else None
    flags = ["fit", "--model", "CNNClassifierTask", "--data", "ImageFolderDataModule", "--trainer.accelerator", "cpu"]
    line = mistake([*flags, "--data.root", str(tmp_path / "photos"), "--data.image_size", "32"])
    assert line.endswith(message)


def test_an_unreadable_picture_is_one_line_on_the_command_line(tmp_path: Path, mistake: Mistake) -> None:
    fill(tmp_path / "photos", rose=6, aster=6)
    for path in (tmp_path / "photos" / "rose").iterdir():
        path.write_bytes(b"broken")
    flags = ["fit", "--model", "CNNClassifierTask", "--data", "ImageFolderDataModule", "--trainer.accelerator", "cpu"]
    flags += ["--data.root", str(tmp_path / "photos"), "--data.image_size", "32", "--trainer.logger", "false"]
    flags += ["--trainer.max_epochs", "1"]
    line = mistake([*flags, "--trainer.enable_checkpointing", "false"])
    assert re.search(
        r"photos/rose/\d\d\.png: cannot be read as a picture .*; replace the file; \d more of \d pictures ", line
    )


# What lies in the folders


def test_what_is_left_out_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(fill(tmp_path, rose=10, aster=10), "loose.png", "rose/garden/1.png")
    (tmp_path / "rose" / "notes.txt").write_text("red")
    (tmp_path / "rose" / ".hidden").write_text("")
    make(tmp_path).setup("fit")
    (line,) = (message for message in caplog.messages if "left out" in message)
    assert line.startswith(f"{tmp_path}: 3 files or folders are left out")
    assert line.endswith(": loose.png, rose/garden/, rose/notes.txt")


def test_nothing_is_said_where_all_are_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make(fill(tmp_path, "train/", rose=10, aster=10)).setup("fit")
    assert not caplog.messages


def test_a_file_that_is_no_picture_is_found_at_the_start(tmp_path: Path) -> None:
    fill(tmp_path, rose=10, aster=10)
    for number in range(10):
        (tmp_path / "rose" / f"{number:02}.png").write_text("<html>not found</html>")
    with pytest.raises(
        DataError, match=r"rose/\d\d\.png: cannot be read as a picture .*; 7 more of 16 pictures cannot be read"
    ):
        make(tmp_path).setup("fit")
    make(tmp_path, check_pictures=False).setup("fit")


def test_classes_may_be_numbers(tmp_path: Path) -> None:
    fill(tmp_path, "", **{"7": 10, "10": 10})
    data = make(tmp_path, classes=[10, 7])
    data.setup("fit")
    assert data.class_names == ("10", "7")


@pytest.mark.parametrize(
    ("labels", "remedy"),
    [
        ("labels.csv", "write test into the column split of labels.csv, for pictures that no run has trained on"),
        (None, "train with a --data.test_fraction above 0"),
    ],
    ids=["list", "drawn"],
)
def test_nothing_to_test_on(tmp_path: Path, labels: str | None, remedy: str) -> None:
    fill(tmp_path, rose=10, aster=10)
    if labels is not None:
        names = [f"{label}/{number:02}.png,{label},train" for label in ("rose", "aster") for number in range(10)]
        (tmp_path / labels).write_text("\n".join(["image,label,split", *names]))
    data = make(tmp_path, labels=labels, **({} if labels else {"test_fraction": 0}))
    with pytest.raises(DataError, match=f": no pictures to test on; {re.escape(remedy)}$"):
        data.setup("test")
