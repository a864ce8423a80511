"""How pictures are divided, found by the command."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightning_seg.__main__ import main
from lightning_seg.doctor.dataset.splits import means_of_groups


def write(folder: Path, count: int, brightness: int, seed: int, prefix: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    for number in range(count):
        noise = generator.integers(-40, 40, (24, 24, 3)) + brightness + generator.integers(-20, 20)
        Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(folder / f"{prefix}{number}.png")


def diagnose(tmp_path: Path, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    code = main(["doctor", *words, "--speed", "false", "--output", str(tmp_path / "found")])
    found = json.loads((tmp_path / "found/findings.json").read_text())
    return code, {one["name"]: one for one in found}


def folders(tmp_path: Path, tested: int) -> list[str]:
    """Pictures of brightness 120 to train on, and others to test on."""
    for label, name in enumerate(("cup", "jug")):
        write(tmp_path / f"data/train/{name}", 20, 120, label)
        write(tmp_path / f"data/test/{name}", 15, tested, 10 + label)
    return ["--data", "ImageFolderDataModule", "--data.root", str(tmp_path / "data"), "--data.val_fraction", "0"]


def test_darker_pictures_to_test_on_are_found(tmp_path: Path) -> None:
    code, found = diagnose(tmp_path, *folders(tmp_path, tested=60))
    shift = found["splits-differ"]
    assert (code, shift["severity"], shift["count"]) == (0, "warning", 1)
    assert [(one["split"], one["quantity"]) for one in shift["figures"]["shifts"]] == [("test", "brightness")]
    # 120 and 60 of 255, give or take.
    assert re.fullmatch(r"brightness: 0.4\d+ to train on, 0.2\d+ to test on", shift["detail"])


def test_splits_that_are_alike_are_not_mentioned(tmp_path: Path) -> None:
    _, found = diagnose(tmp_path, *folders(tmp_path, tested=120))
    assert "splits-differ" not in found


@pytest.mark.parametrize(("split_by", "divided"), [("image", True), ("car", False)])
def test_cars_in_two_splits_are_an_error(carvana_root: Path, tmp_path: Path, split_by: str, divided: bool) -> None:
    words = ["--data", "CarvanaDataModule", "--data.root", str(carvana_root), "--data.split_by", split_by]
    code, found = diagnose(tmp_path, *words, "--data.cache_dir", str(tmp_path / "facts"))
    assert ("group-in-two-splits" in found) == divided
    assert code == divided
    assert "splits-differ" not in found


def test_a_class_with_few_pictures_to_measure_on_is_told(tmp_path: Path) -> None:
    words = folders(tmp_path, tested=120)
    write(tmp_path / "data/train/pot", 20, 120, 20)
    write(tmp_path / "data/test/pot", 2, 120, 21)
    code, found = diagnose(tmp_path, *words)
    assert (code, found["rare-class-in-split"]["severity"]) == (0, "note")
    assert found["rare-class-in-split"]["detail"] == "pot: 2 pictures to test on"


def test_pictures_of_one_group_count_as_one() -> None:
    table = np.array([[1, np.nan], [3, 2], [10, np.nan], [5, np.nan]], np.float32)
    means = means_of_groups(table, np.array([7, 7, 4, 7]))
    # Group 4 has the third row, group 7 the others.
    assert means[:, 0].tolist() == [10, 3]
    assert np.isnan(means[0, 1])
    assert means[1, 1] == 2
