"""The doctor looks at datamodules of the user's own, whose samples need no files."""

import json
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, IterableDataset

from lightning_seg.__main__ import main
from lightning_seg.doctor.advice.speed import look_at_speed
from lightning_seg.doctor.examination import examine, opened_subject
from lightning_seg.doctor.own_data import as_known

CODE = """
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset


class Discs(Dataset):
    def __init__(self, first, number, key, broken=()):
        self.first, self.number, self.key, self.broken = first, number, key, broken

    def __len__(self):
        return self.number

    def __getitem__(self, index):
        if index in self.broken:
            raise OSError(f"disc {index} has gone")
        noise = torch.Generator().manual_seed(self.first + index)
        image = torch.rand(3, 24, 24, generator=noise)
        mask = torch.zeros(24, 24, dtype=torch.uint8)
        mask[6:12, 6:18] = 1
        return {"image": image, self.key: mask if self.key == "mask" else index % 3}


class KIND(pl.LightningDataModule):
    class_names = NAMES

    def train_dataloader(self):
        return DataLoader(Discs(0, 12, KEY, BROKEN), batch_size=4, num_workers=WORKERS)

    def val_dataloader(self):
        return DataLoader(Discs(FIRST, 4, KEY), batch_size=4)
"""


def look(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    first: int,
    key: str,
    names: tuple[str, ...],
    workers: int,
    broken: tuple[int, ...] = (),
    *flags: str,
) -> Any:
    """Exit code, findings by name, and numbers."""
    for module in ("speed", "own_loader", "steps"):
        monkeypatch.setattr(f"lightning_seg.doctor.advice.{module}.SECONDS", 0.3)
    module = f"own_{key}_{first}_{workers}_{len(broken)}_{len(flags)}"
    values: dict[str, str] = {
        "KIND": "Own",
        "NAMES": repr(names),
        "KEY": repr(key),
        "FIRST": str(first),
        "WORKERS": str(workers),
    }
    values["BROKEN"] = repr(broken)
    code = CODE
    for name, value in values.items():
        code = code.replace(name, value)
    (place / f"{module}.py").write_text(code)
    monkeypatch.chdir(place)
    monkeypatch.syspath_prepend(str(place))
    exit_code = main(["doctor", "--data", f"{module}.Own", "--output", "seen", *flags])
    findings = {one["name"]: one for one in json.loads((place / "seen" / "findings.json").read_text())}
    numbers = json.loads((place / "seen" / "numbers.json").read_text())
    return exit_code, findings, {**(numbers["numbers"] or {}), "speed": numbers["speed"]}


@pytest.mark.parametrize("workers", [0, 2])
def test_samples_that_validate_and_train_are_found(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Samples 10 and 11 are in both; the other two that validate are new."""
    code, findings, _ = look(tmp_path, monkeypatch, 10, "mask", ("ground", "disc"), workers)
    assert code == 1
    groups = findings["copies-between-splits"]["figures"]["groups"]
    names = [sorted(one["file"] for one in group) for group in groups]
    assert sorted(names) == [["train/000010.png", "val/000000.png"], ["train/000011.png", "val/000001.png"]]
    # Nothing of the folder where they were for a while.
    assert gettempdir() + "/tmp" not in (tmp_path / "seen" / "findings.json").read_text()


def test_an_error_in_the_constructor_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    code = "import pytorch_lightning as pl\nclass Own(pl.LightningDataModule):\n    def __init__(self):\n        "
    (tmp_path / "own_failing.py").write_text(f"{code}self.number = {{}}['number']\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(["doctor", "--data", "own_failing.Own", "--output", "seen"]) == 1
    (found,) = json.loads(Path("seen/findings.json").read_text())
    assert (found["name"], found["detail"]) == ("dataset-refused", "own_failing.Own: KeyError: 'number'")
    said = capfd.readouterr()
    assert "own_failing.Own: KeyError: 'number'" in said.out
    assert "Traceback" not in said.err


def test_the_numbers_of_masks_that_lie_in_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """72 of 576 pixels are a disc, an eighth; its short side has 6 pixels."""
    code, findings, numbers = look(tmp_path, monkeypatch, 100, "mask", ("ground", "disc"), 0)
    assert code == 0
    assert "copies-between-splits" not in findings
    shares = {one["name"]: one["share"] for one in numbers["classes"]}
    assert shares == pytest.approx({"ground": 0.875, "disc": 0.125})


def test_labels_without_names_get_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, findings, numbers = look(tmp_path, monkeypatch, 100, "label", (), 0)
    assert code == 0
    assert [one["name"] for one in numbers["classes"]] == ["class_0", "class_1", "class_2"]
    assert [one["pictures"]["train"] for one in numbers["classes"]] == [4, 4, 4]
    assert "nothing-to-test" in findings


@pytest.mark.parametrize("workers", [0, 2])
def test_samples_that_raise_an_error_are_named_and_the_others_are_looked_at(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, findings, numbers = look(tmp_path, monkeypatch, 100, "mask", ("ground", "disc"), workers, (3, 7))
    assert code == 1
    failing = findings["sample-fails"]
    assert (failing["severity"], failing["count"]) == ("error", 2)
    assert failing["files"] == ["sample 3 of train", "sample 7 of train"]
    assert failing["detail"] == "sample 3 of train: OSError: disc 3 has gone"
    assert failing["figures"]["samples"] == {"train": [3, 7]}
    assert [one["pictures"] for one in numbers["classes"]] == [{"train": 10, "val": 4}] * 2
    # The loader is timed without them.
    assert numbers["speed"]["loading"] > 0
    assert numbers["speed"]["num_workers"] == workers
    assert "first-step-fails" not in findings


def test_nothing_but_samples_that_raise_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, findings, _ = look(tmp_path, monkeypatch, 100, "mask", ("ground", "disc"), 0, tuple(range(12)))
    assert code == 1
    told = "none of 12 samples of train can be used; the first: sample 0 of train: OSError: disc 0 has gone"
    assert findings["dataset-refused"]["detail"] == told


def test_the_page_is_called_by_the_class_and_its_loader_is_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, findings, numbers = look(tmp_path, monkeypatch, 100, "label", ("a", "b", "c"), 0)
    said = capsys.readouterr().out
    assert said.startswith("own_label_100_0_0_0.Own: 16 pictures, 3 classes\n")
    assert "pictures/s from your dataset with 0 processes" in said
    assert "by the median of 12 (your dataset " in said
    assert numbers["speed"]["stages"]["own"] > 0
    assert "report: own_label_100_0_0_0.Own</h1>" in (tmp_path / "seen" / "report.html").read_text()
    assert "first-step-fails" not in findings


def test_a_loader_that_raises_an_error_or_gives_no_batch_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Own(pl.LightningDataModule):
        def train_dataloader(self) -> Any:
            samples = [{"image": torch.rand(3, 8, 8), "label": index % 2} for index in range(6)]
            return DataLoader(samples, batch_size=8, drop_last=True)  # type: ignore[arg-type]

    with as_known(Own()) as known, opened_subject(known) as (subject, _):
        speed, findings = look_at_speed(subject, known)
    assert speed is None
    assert [one.detail for one in findings] == [
        "the loader to train on gives no batch; give it a smaller batch_size, or drop_last=False"
    ]


def test_an_error_in_the_set_up_of_ones_own_is_a_finding() -> None:
    class Own(pl.LightningDataModule):
        def setup(self, stage: str) -> None:
            raise KeyError(stage)

        def train_dataloader(self) -> Any:
            return DataLoader([])  # type: ignore[arg-type]

    with as_known(Own()) as known, opened_subject(known) as (subject, found):
        assert subject.splits == {}
        assert subject.name.endswith("Own")
    assert [one.detail.partition(".setup")[2] for one in found] == [
        "('fit'): KeyError: 'fit'",
        "('test'): KeyError: 'test'",
    ]


SAMPLE = {"image": torch.zeros(3, 8, 8), "label": 0}


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Any:
        yield SAMPLE


def module_of(train: Any, val: Any = None) -> pl.LightningDataModule:
    class Own(pl.LightningDataModule):
        class_names = ("a", "b")

        def train_dataloader(self) -> Any:
            return train

        def val_dataloader(self) -> Any:
            return val

    return Own()


def seen(data: pl.LightningDataModule) -> tuple[dict[str, int], dict[str, list[str]]]:
    """Pictures of each split, and the details of the findings by name."""
    with as_known(data) as known, opened_subject(known) as (subject, found):
        details: dict[str, list[str]] = {}
        for one in [*found, *examine(subject)]:
            details.setdefault(one.kind.name, []).append(one.detail)
        return {str(split): len(pictures) for split, pictures in subject.splits.items()}, details


def test_labels_of_no_class_and_pictures_that_are_none_are_named() -> None:
    samples = [SAMPLE, {**SAMPLE, "label": 2}, {**SAMPLE, "label": -1}, {**SAMPLE, "image": torch.zeros(8, 8, 3)}]
    splits, found = seen(module_of(DataLoader(samples), DataLoader([SAMPLE])))  # type: ignore[arg-type]
    assert splits == {"train": 1, "val": 1}
    assert found["sample-fails"] == [
        "sample 1 of train has the label 2, which is no class, and there are 2 classes from 0 on; correct it"
    ]
    splits, found = seen(module_of(DataLoader(samples[3:])))  # type: ignore[arg-type]
    assert "(8, 8, 3), and tasks of this package read (3, H, W)" in found["dataset-refused"][0]


def test_what_cannot_be_asked_for_by_number_is_a_warning_and_no_refusal() -> None:
    """A training on it may work."""
    loaders: Any = [DataLoader([SAMPLE]), DataLoader([SAMPLE])]  # type: ignore[arg-type]
    splits, found = seen(module_of(DataLoader([SAMPLE] * 3), loaders))  # type: ignore[arg-type]
    assert splits == {"train": 3}
    assert "samples-without-number" not in seen(module_of(DataLoader([SAMPLE])))[1]  # type: ignore[arg-type]
    assert len(found["samples-without-number"]) == 1
    assert "val_dataloader" in found["samples-without-number"][0]
    splits, found = seen(module_of(DataLoader(Stream())))
    assert splits == {}
    assert "train_dataloader" in found["samples-without-number"][0]
    assert "dataset-refused" not in found
