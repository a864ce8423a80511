"""Random broken pictures, masks and configs: one line or an answer, never a traceback, a crash or a hang."""

import csv
import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from lightning_seg.__main__ import main
from lightning_seg.datasets.mask_files import read_stored_mask, stored_colours, stored_numbers
from lightning_seg.errors import DataError
from lightning_seg.images import read_header, read_image, read_index_mask
from lightning_seg.synthetic.flowers import write_flowers
from tests.survival.broken_files import draw_config, draw_exif, write_pictures

LONGEST = 20.0


def many(quick: int, slow: int) -> pytest.MarkDecorator:
    """How many: a few in each test run, and those of the long one."""
    return pytest.mark.parametrize("count", [quick, pytest.param(slow, marks=pytest.mark.slow)])


@contextmanager
def in_time(what: object) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < LONGEST, what


def survives(read: Callable[[Path], Any], path: Path) -> bool:
    """Whether it can be read; another answer than an array or one line is an error of the test."""
    with in_time(path):
        try:
            read(path)
        except DataError as error:
            said = str(error)
        else:
            return True
    assert "\n" not in said
    assert str(path) in said
    return False


def read_codes(path: Path) -> None:
    stored = read_stored_mask(path)
    assert stored.pixels.shape[:2] == read_header(path).size
    stored_numbers(stored, path, 255)
    stored_colours(stored, path)


@many(200, 4000)
def test_pictures(count: int, tmp_path: Path) -> None:
    paths = write_pictures(tmp_path, count, seed=1)
    for path in paths:
        assert survives(read_header, path) >= survives(read_image, path), "what can be read has a header"
    readable = [path for path in paths if survives(read_image, path)]
    assert count / 4 < len(readable) < count * 3 / 4
    for path in readable:
        image = read_image(path)
        assert image.dtype == np.uint8
        assert image.shape[2] == 3


@many(200, 4000)
def test_masks(count: int, tmp_path: Path) -> None:
    paths = write_pictures(tmp_path, count, seed=2)
    for read in (read_index_mask, read_codes):
        readable = sum(survives(read, path) for path in paths)
        assert count / 20 < readable < count * 3 / 4


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@many(100, 2000)
def test_good_pixels_behind_any_exif_are_read(kind: str, count: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    picture = Image.new("RGB", (6, 4), (200, 100, 50))
    for number in range(count):
        path = tmp_path / f"{number}.img"
        picture.save(path, kind, exif=draw_exif(rng))
        assert read_image(path).shape in ((4, 6, 3), (6, 4, 3))


@pytest.fixture(scope="module")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("flowers") / "root"
    write_flowers(root, num_per_class=4, seed=0)
    return root


def base_config(root: Path) -> dict[str, Any]:
    data = {"root": str(root), "image_size": 16, "batch_size": 4, "val_fraction": 0.25, "augment": "flip"}
    model = {"dropout": 0.1, "lr": 0.001, "optimizer": "adamw", "schedule": "one_cycle", "label_smoothing": 0.1}
    return {
        "seed_everything": 3,
        "model": {"class_path": "CNNClassifierTask", "init_args": model},
        "data": {
            "class_path": "ImageFolderDataModule",
            "init_args": data | {"mixing": {"kind": "cutmix"}, "classes": None},
        },
        "trainer": {"max_epochs": 1, "limit_val_batches": 1, "enable_model_summary": False, "precision": 32},
    }


# What would do as it is told: write somewhere else, start any number of processes, or look for a GPU.
FIXED = [
    "--data.num_workers",
    "0",
    "--trainer.accelerator",
    "cpu",
    "--trainer.devices",
    "1",
    "--trainer.num_nodes",
    "1",
]
FIXED += ["--trainer.logger", "false", "--trainer.enable_progress_bar", "false", "--trainer.default_root_dir", "."]


@many(40, 1000)
def test_configs(count: int, flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # The first command imports everything.
    main(["validate", "--config", str(_config(flowers, tmp_path)), *FIXED])
    rng = np.random.default_rng(4)
    codes: list[object] = []
    crashed: list[str] = []
    for number in range(count):
        path = Path(f"{number:04}.yaml")
        path.write_bytes(draw_config(base_config(flowers), rng))
        said = io.StringIO()
        with in_time(path), redirect_stderr(said), redirect_stdout(io.StringIO()):
            try:
                codes.append(main(["validate", "--config", str(path), *FIXED]))
            except SystemExit as stop:
                codes.append(stop.code)
            except Exception as error:
                crashed.append(f"{path}: {type(error).__name__}: {error}")
                continue
        errors = [line for line in said.getvalue().splitlines() if line.startswith("lightning-seg: error: ")]
        assert len(errors) == (codes[-1] == 2), said.getvalue()
    assert not crashed, "\n".join(crashed)
    assert set(codes) <= {0, 2}
    assert count / 50 < codes.count(0) < count * 3 / 4


@many(60, 1000)
def test_good_pictures_are_predicted_beside_any_others(count: int, flowers: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", count, seed=5)
    Image.new("RGB", (20, 30), (1, 2, 3)).save(tmp_path / "photos" / "good.png")
    flags = ["--config", str(_config(flowers, tmp_path)), *FIXED, "--trainer.logger", "true"]
    assert main(["fit", *flags, "--run_folder", str(tmp_path / "run" / "name" / "version_0")]) == 0
    out = tmp_path / "out"
    command = ["predict", "--run", str(tmp_path / "run" / "name" / "version_0"), "--images", str(tmp_path / "photos")]
    assert main([*command, "--output", str(out)]) == 3
    with (out / "predictions.csv").open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == count + 1
    good = {Path(row["picture"]).name for row in rows if not row["error"]}
    assert "good.png" in good
    assert len(good) == 1 + sum(
        survives(read_image, path) for path in (tmp_path / "photos").iterdir() if path.name != "good.png"
    )


def _config(root: Path, folder: Path) -> Path:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(base_config(root)))
    return path
