"""Two processes on one machine through the command line, started in every way."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from lightning_seg.datamodules import ImageMaskFolderDataModule
from lightning_seg.synthetic.image_mask_folder import write_image_mask_folder
from lightning_seg.tables import read_rows

TINY = {"class_path": "UNetTask", "init_args": {"num_classes": 3, "width": 4, "depth": 2, "class_weights": "auto"}}
PLAIN = ("--data.num_workers", "0", "--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false")


def start(words: Sequence[str], strategy: str = "ddp", devices: int = 2) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "lightning_seg", *words, *PLAIN, "--trainer.devices", str(devices)]
    command += ["--trainer.strategy", strategy] if devices > 1 else []
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process: "subprocess.Popen[str]", code: int = 0) -> str:
    output, _ = process.communicate(timeout=280)
    assert process.returncode == code, output[-3000:]
    assert "Traceback" not in output
    return output


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "predictions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def config(pets_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "tiny.yaml"
    init_args = {"root": str(pets_root), "image_size": 32, "batch_size": 2}
    path.write_text(
        yaml.safe_dump({"model": TINY, "data": {"class_path": "OxfordPetsDataModule", "init_args": init_args}})
    )
    return path


@pytest.fixture(scope="module")
def run(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One epoch in two processes that were spawned."""
    place = tmp_path_factory.mktemp("spawned")
    words = ["fit", "--config", str(config), "--trainer.default_root_dir", str(place), "--trainer.max_epochs", "1"]
    output = finish(start(words, "ddp_spawn"))
    assert "LeafSpec" not in output
    assert "jit.trace" not in output
    assert output.count("holds synthetic pictures") == 1
    assert [path.name for path in (place / "tiny").iterdir()] == ["version_0"]
    return place / "tiny" / "version_0"


def test_spawned_processes_write_one_run(run: Path) -> None:
    names = files_of(run)
    assert {"config.yaml", "metrics.json", "metrics.csv", "checkpoints/last.ckpt", "checkpoints/best.ckpt"} <= names
    assert len([name for name in names if "tfevents" in name]) == 1
    record = json.loads((run / "metrics.json").read_text())
    assert record["epochs"] == 1
    assert 0 < record["data_wait_share"] < 1
    assert yaml.safe_load((run / "config.yaml").read_text())["trainer"]["strategy"] == "ddp_spawn"


def test_one_picture_on_two_devices_is_predicted_once(run: Path, pets_root: Path, tmp_path: Path) -> None:
    picture = next((pets_root / "images").glob("*.jpg"))
    words = ["predict", "--run", str(run), "--images", str(picture), "--output", str(tmp_path / "out")]
    finish(start(words))
    assert [row["picture"] for row in rows_of(tmp_path / "out")] == [str(picture)]
    assert not list((tmp_path / "out").glob("rank_*"))


@pytest.mark.parametrize("strategy", ["ddp", "ddp_fork", pytest.param("ddp_spawn", marks=pytest.mark.slow)])
def test_an_unreadable_file_of_the_second_process_is_exit_code_3(
    run: Path, pets_root: Path, tmp_path: Path, strategy: str
) -> None:
    (tmp_path / "photos").mkdir()
    for name, picture in zip("abc", sorted((pets_root / "images").glob("*.jpg")), strict=False):
        shutil.copy(picture, tmp_path / "photos" / f"{name}.jpg")
    # The second process reads the second of three.
    (tmp_path / "photos" / "b.jpg").write_bytes(b"no picture")
    words = ["predict", "--run", str(run), "--images", str(tmp_path / "photos"), "--output", str(tmp_path / "out")]
    output = finish(start(words, strategy), code=3)
    assert output.count("1 of 3 pictures could not be read") == 1
    assert [bool(row["error"]) for row in rows_of(tmp_path / "out")] == [False, True, False]
    assert not list((tmp_path / "out").glob("rank_*"))


def test_one_picture_on_two_devices_is_measured_as_on_one(run: Path, pets_root: Path, tmp_path: Path) -> None:
    root = tmp_path / "pets"
    shutil.copytree(pets_root, root)
    test_list = root / "annotations" / "test.txt"
    test_list.write_text(test_list.read_text().splitlines()[0] + "\n")
    measured = []
    for devices in (1, 2):
        copy = Path(shutil.copytree(run, tmp_path / str(devices)))
        finish(start(["test", "--run", str(copy), "--data.root", str(root)], devices=devices))
        record = json.loads((copy / "metrics.json").read_text())
        measured.append({name: value for name, value in record.items() if name.startswith("test/")})
        assert len((copy / "test_pictures.csv").read_text().splitlines()) == 2
    assert measured[1] == pytest.approx(measured[0], abs=1e-6)
    assert "test/loss" in measured[0]


@pytest.mark.slow
def test_pictures_of_two_processes_are_told_as_those_of_one(run: Path, tmp_path: Path) -> None:
    told, calibration = [], []
    for devices in (1, 2):
        copy = Path(shutil.copytree(run, tmp_path / str(devices)))
        output = finish(start(["test", "--run", str(copy)], devices=devices))
        assert output.count(f"{copy / 'errors_test.png'}: the ") == 1
        assert {"errors_test.png", "reliability_test.png"} <= files_of(copy)
        calibration.append(json.loads((copy / "metrics.json").read_text())["test/ece"])
        told.append(read_rows(copy / "test_pictures.csv"))
    # Batches of two: the last one is smaller, whoever has it.
    assert len(told[0]) == len(told[1]) > 4
    for one, other in zip(*told, strict=True):
        for name in ("probability", "loss", "score"):
            assert float(other.pop(name)) == pytest.approx(float(one.pop(name)), abs=1e-4)
        assert one == other
    assert calibration[1] == pytest.approx(calibration[0], abs=1e-4)


@pytest.mark.parametrize("strategy", [pytest.param("ddp", marks=pytest.mark.slow), "ddp_spawn"])
def test_one_picture_to_validate_on_is_no_reason_to_wait_for_ever(strategy: str, tmp_path: Path) -> None:
    """What both processes compute for it is what one computes from the checkpoint; the network has batch norm."""
    write_image_mask_folder(tmp_path / "own", num_pictures=12, seed=0)
    words = ["--data", "ImageMaskFolderDataModule", "--data.root", str(tmp_path / "own"), "--data.image_size", "32"]
    words += ["--data.classes", "[background,disc,box,star]", "--data.batch_size", "2", "--model", "UNetTask"]
    words += ["--model.width", "4", "--model.depth", "2", "--trainer.max_epochs", "1"]
    place = tmp_path / "run"
    finish(start(["fit", *words, "--run_folder", str(place)], strategy))
    fitted = json.loads((place / "metrics.json").read_text())["val/loss"]
    pictures = ImageMaskFolderDataModule(tmp_path / "own", classes=["background", "disc", "box", "star"])
    assert len(pictures.pictures_of("val")) == 1
    (place / "metrics.json").unlink()
    finish(start(["validate", "--run", str(place / "checkpoints" / "last.ckpt")], devices=1))
    assert json.loads((place / "metrics.json").read_text())["val/loss"] == pytest.approx(fitted, abs=1e-5)


def children_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in children.read_text().split()] if children.is_file() else []


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc to find the second process")
def test_a_killed_process_ends_the_others_with_the_line_that_goes_on(config: Path, tmp_path: Path) -> None:
    words = ["fit", "--config", str(config), "--trainer.default_root_dir", str(tmp_path)]
    process = start([*words, "--trainer.max_epochs", "500"])
    last = tmp_path / "tiny" / "version_0" / "checkpoints" / "last.ckpt"
    while not last.is_file():
        assert process.poll() is None
        time.sleep(0.1)
    os.kill(children_of(process.pid)[0], signal.SIGKILL)
    killed = time.monotonic()
    output = finish(process, code=1)
    assert time.monotonic() - killed < 60
    (line,) = [line for line in output.splitlines() if line.startswith("lightning-seg: error: ")]
    assert "was killed, so this one ends, too; fit --run " in line
    assert str(last.parents[1]) in line
    done = int(line.split("goes on after ")[1].split()[0])
    finish(start(["fit", "--run", str(last.parents[1]), "--trainer.max_epochs", str(done + 1)]))
    assert json.loads((last.parents[1] / "metrics.json").read_text())["epochs"] == done + 1
