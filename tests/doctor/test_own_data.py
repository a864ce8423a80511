"""The doctor looks at datamodules of the user's own, whose samples need no files."""

import json
from pathlib import Path
from typing import Any

import pytest

from lightning_seg.__main__ import main

CODE = """
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset


class Discs(Dataset):
    def __init__(self, first, number, key):
        self.first, self.number, self.key = first, number, key

    def __len__(self):
        return self.number

    def __getitem__(self, index):
        noise = torch.Generator().manual_seed(self.first + index)
        image = torch.rand(3, 24, 24, generator=noise)
        mask = torch.zeros(24, 24, dtype=torch.uint8)
        mask[6:12, 6:18] = 1
        return {"image": image, self.key: mask if self.key == "mask" else index % 3}


class KIND(pl.LightningDataModule):
    class_names = NAMES

    def train_dataloader(self):
        return DataLoader(Discs(0, 12, KEY), batch_size=4, num_workers=WORKERS)

    def val_dataloader(self):
        return DataLoader(Discs(FIRST, 4, KEY), batch_size=4)
"""


def look(
    place: Path, monkeypatch: pytest.MonkeyPatch, first: int, key: str, names: tuple[str, ...], workers: int
) -> Any:
    """Exit code, findings by name, and numbers."""
    module = f"own_{key}_{first}_{workers}"
    values = {"KIND": "Own", "NAMES": repr(names), "KEY": repr(key), "FIRST": str(first), "WORKERS": str(workers)}
    code = CODE
    for name, value in values.items():
        code = code.replace(name, value)
    (place / f"{module}.py").write_text(code)
    monkeypatch.chdir(place)
    monkeypatch.syspath_prepend(str(place))
    exit_code = main(["doctor", "--data", f"{module}.Own", "--output", "seen"])
    findings = {one["name"]: one for one in json.loads((place / "seen" / "findings.json").read_text())}
    return exit_code, findings, json.loads((place / "seen" / "numbers.json").read_text())["numbers"]


@pytest.mark.parametrize("workers", [0, 2])
def test_samples_that_validate_and_train_are_found(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Samples 10 and 11 are in both; the other two that validate are new."""
    code, findings, _ = look(tmp_path, monkeypatch, 10, "mask", ("ground", "disc"), workers)
    assert code == 1
    groups = findings["copies-between-splits"]["figures"]["groups"]
    names = [sorted("/".join(Path(one["file"]).parts[-2:]) for one in group) for group in groups]
    assert sorted(names) == [["train/000010.png", "val/000000.png"], ["train/000011.png", "val/000001.png"]]


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
