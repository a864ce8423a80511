"""Names that other systems take for one, and masks of no picture; through the command line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightning_seg.__main__ import main


def write(root: Path, names: list[str], masks: list[str]) -> Path:
    noise = np.random.default_rng(0)
    for folder, files in (("images", names), ("masks", masks)):
        (root / folder).mkdir(parents=True)
        for name in files:
            if folder == "images":
                Image.fromarray(noise.integers(0, 256, (32, 32, 3), np.uint8)).save(root / folder / f"{name}.png")
            else:
                Image.fromarray(np.eye(32, dtype=np.uint8)).save(root / folder / f"{name}.png")
    return root


def look(root: Path) -> dict[str, Any]:
    data = ["--data", "ImageMaskFolderDataModule", "--data.root", str(root), "--data.classes", "[ground, line]"]
    main(["doctor", *data, "--data.images", "images/*.png", "--output", str(root / "seen"), "--speed", "false"])
    return {one["name"]: one for one in json.loads((root / "seen" / "findings.json").read_text())}


PLAIN = [f"photo_{number}" for number in range(18)]


@pytest.mark.parametrize("pair", [("Leaf", "leaf"), ("caf\u00e9", "CAFE\u0301")])
def test_names_that_windows_and_macos_take_for_one(pair: tuple[str, str], tmp_path: Path) -> None:
    names = [*PLAIN, *pair]
    found = look(write(tmp_path, names, names))["names-alike"]
    assert found["count"] == 2
    assert {Path(file).stem for file in found["files"]} == set(pair)
    assert found["severity"] == "warning"


def test_ordinary_names_are_no_finding(tmp_path: Path) -> None:
    found = look(write(tmp_path, PLAIN, PLAIN))
    assert not {"names-alike", "mask-without-picture"} & found.keys()


def test_a_mask_of_no_picture_is_noted(tmp_path: Path) -> None:
    found = look(write(tmp_path, PLAIN, [*PLAIN, "photo_18", ".hidden"]))["mask-without-picture"]
    assert [Path(file).name for file in found["files"]] == ["photo_18.png"]
    assert found["severity"] == "note"
