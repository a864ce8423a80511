"""``lightning-seg cache``, and what ``fit`` says and does with a cache on the disk, through the command line."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lightning_seg import progress
from lightning_seg.__main__ import main
from lightning_seg.cli.resolving import resolve_config

CONFIGS = Path(__file__).parents[2] / "configs"
FOLDER = ".lightning_seg_cache"
Mistake = Callable[[list[str]], str]


def flags_of(root: Path, *more: str) -> list[str]:
    flags = ["--config", str(CONFIGS / "pets.yaml"), "--data.root", str(root), "--data.download", "false"]
    return [*flags, "--data.image_size", "32", "--data.num_workers", "0", *more]


def fit_of(root: Path, *more: str) -> list[str]:
    model = ["--model", "UNetTask", "--model.width", "4", "--model.depth", "2", "--data", "OxfordPetsDataModule"]
    data = ["--data.root", str(root), "--data.image_size", "32", "--data.num_workers", "0", "--data.batch_size", "4"]
    trainer = ["max_epochs=1", "accelerator=cpu", "enable_progress_bar=false", "enable_model_summary=false"]
    return ["fit", *model, *data, *(f"--trainer.{one}" for one in trainer), *more]


def keys(root: Path) -> list[str]:
    return sorted(path.parent.name for path in (root / FOLDER).glob("*/index.json"))


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs a command in an empty folder and returns the lines of stdout, and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[list[str], str]:
        capsys.readouterr()
        assert main(list(words)) == 0
        said = capsys.readouterr()
        return said.out.strip().splitlines(), said.err

    return run


def test_it_is_filled_ahead_and_fit_reads_it(
    command: Callable[..., Any], pets_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "DELAY", 0.0)
    lines, told = command("cache", *flags_of(pets_copy))
    (key,) = keys(pets_copy)
    # 32 x 32 pixels of 4 bytes, 24 times, and 9 bytes each.
    assert lines == [f"{pets_copy / FOLDER / key}: 24 pictures of 32x32 pixels with masks (0.1 MiB), of this config"]
    assert (
        f"24 pictures of 32x32 pixels with masks (0.1 MiB) are decoded once, for {pets_copy / FOLDER / key}\n" in told
    )
    assert "decoding: 100%" in told
    again, told = command("cache", *flags_of(pets_copy))
    assert again == lines
    assert "decod" not in told
    _, told = command(*fit_of(pets_copy, "--data.cache", "true"))
    assert "decod" not in told
    assert keys(pets_copy) == [key]


def test_fit_fills_it_once(command: Callable[..., Any], pets_copy: Path) -> None:
    _, first = command(*fit_of(pets_copy, "--data.cache", "disk"))
    _, second = command(*fit_of(pets_copy, "--data.cache", "true", "--data.seed", "1"))
    assert first.count("are decoded once") == 1
    assert "decoded once" not in second
    assert len(keys(pets_copy)) == 1


def test_old_ones_are_named_and_removed_and_others_stay(command: Callable[..., Any], pets_copy: Path) -> None:
    command("cache", *flags_of(pets_copy))
    (old,) = keys(pets_copy)
    (pets_copy / "images" / "Copper_Tabby_3.jpg").touch()
    command("cache", *flags_of(pets_copy, "--data.image_size", "16"))
    lines, _ = command("cache", *flags_of(pets_copy))
    found = {key: next(line for line in lines if key in line) for key in keys(pets_copy)}
    assert len(found) == 3
    assert found[old].endswith("; old: images/Copper_Tabby_3.jpg has changed since")
    assert sum("old: " in line for line in lines) == 1
    assert sum(line.endswith(", of this config") for line in lines) == 1
    assert lines[-1] == "0.1 MiB can be freed: the same command with --remove old"
    lines, _ = command("cache", *flags_of(pets_copy, "--remove", "old"))
    assert [line.startswith(f"{pets_copy / FOLDER / old}: removed, 24 pictures") for line in lines] == [True]
    assert keys(pets_copy) == sorted(found.keys() - {old})
    assert command("cache", *flags_of(pets_copy, "--remove", "old"))[0] == [
        f"{pets_copy / FOLDER}: no old cache is there"
    ]
    lines, _ = command("cache", *flags_of(pets_copy, "--remove", "all"))
    assert len(lines) == 2
    assert not (pets_copy / FOLDER).exists()
    assert command("cache", *flags_of(pets_copy, "--remove", "all"))[0] == [f"{pets_copy / FOLDER}: no cache is there"]


def test_it_takes_the_flags_of_fit_and_another_folder(
    command: Callable[..., Any], pets_copy: Path, tmp_path: Path
) -> None:
    flags = flags_of(pets_copy, "--model.lr", "0.1", "--trainer.max_epochs", "3", "--data.cache_dir", "kept")
    lines, _ = command("cache", *flags)
    assert lines[0] == "left aside, since they do not change the data: --model.lr --trainer.max_epochs"
    (folder,) = (tmp_path / "kept").glob("pets_copy-*/*/")
    assert lines[1].startswith(f"kept/{folder.parent.name}/{folder.name}: 24 pictures")


def test_runs_of_earlier_versions_go_on(command: Callable[..., Any], pets_copy: Path, tmp_path: Path) -> None:
    lines, _ = command(*fit_of(pets_copy, "--data.cache", "false"))
    config = Path(lines[-1]) / "config.yaml"
    content = yaml.safe_load(config.read_text())
    assert content["data"]["init_args"].pop("cache_dir") is None
    assert content["data"]["init_args"]["cache"] is False
    content["data"]["init_args"]["cache"] = True
    config.write_text(yaml.safe_dump(content))
    command("test", "--run", lines[-1])
    assert keys(pets_copy) == []
    command("fit", "--run", lines[-1], "--trainer.max_epochs", "2")
    assert len(keys(pets_copy)) == 1
    assert yaml.safe_load(config.read_text())["data"]["init_args"]["cache"] is True


@pytest.mark.parametrize(("typed", "expected"), [("true", True), ("false", False), ("ram", "ram"), ("disk", "disk")])
def test_kinds_from_flags_and_from_yaml(tmp_path: Path, typed: str, expected: object) -> None:
    words = flags_of(tmp_path)
    assert resolve_config([*words, "--data.cache", typed])["data"]["init_args"]["cache"] == expected
    (tmp_path / "more.yaml").write_text(f"data:\n  init_args:\n    cache: {typed}\n")
    given = resolve_config([*words, "--config", str(tmp_path / "more.yaml")])["data"]["init_args"]
    assert (given["cache"], given["cache_dir"]) == (expected, None)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "there is no data section; give --config pets, --run RUN or --data CLASS"),
        (
            ["--data", "PicturesDataModule", "--data.images", "x"],
            "PicturesDataModule keeps no pictures; a cache is for",
        ),
        (["--remove", "young"], "'young' is not accepted; expected old or all"),
    ],
)
def test_mistakes_are_one_line(mistake: Mistake, words: list[str], expected: str) -> None:
    assert expected in mistake(["cache", *words])


def test_a_broken_picture_is_one_line_of_fit(mistake: Mistake, pets_copy: Path) -> None:
    (pets_copy / "images" / "Copper_Tabby_3.jpg").write_bytes(b"no picture")
    assert "Copper_Tabby_3.jpg: cannot be read as a picture" in mistake(fit_of(pets_copy, "--data.cache", "true"))
    assert not [path for path in (pets_copy / FOLDER).iterdir() if path.is_dir()]


def test_preview_and_trials_fill_nothing(command: Callable[..., Any], pets_copy: Path) -> None:
    command("preview", *flags_of(pets_copy, "--num_images", "1"))
    command(*fit_of(pets_copy, "--data.cache", "true", "--trainer.fast_dev_run", "1"))
    assert not (pets_copy / FOLDER).exists()


def test_what_is_known_of_files_goes_with_the_last_cache(command: Callable[..., Any], pets_copy: Path) -> None:
    command(*fit_of(pets_copy, "--data.cache", "false"))
    command("cache", *flags_of(pets_copy))
    assert (pets_copy / FOLDER / "facts.sqlite").is_file()
    command("cache", *flags_of(pets_copy, "--remove", "all"))
    assert not (pets_copy / FOLDER).exists()


# Whole processes

SLOW = """
import time
from lightning_seg import OxfordPetsDataModule
from lightning_seg.datasets.oxford_pets import OxfordPetsDataset

class SlowDataset(OxfordPetsDataset):
    def read(self, record):
        time.sleep(1)
        return super().read(record)

class SlowDataModule(OxfordPetsDataModule):
    def make_train_val(self):
        pictures = SlowDataset(self.root, "trainval", self.image_size)
        return pictures.subset(range(20)), pictures.subset(range(20, 24))
"""


def start(folder: Path, words: list[str]) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "lightning_seg", *words]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for_partial(place: Path, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 200
    while not list(place.glob(".*.partial/images")):
        assert process.poll() is None, process.stdout and process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_signal_while_it_is_filled_ends_fit_and_leaves_nothing(pets_copy: Path, tmp_path: Path) -> None:
    (tmp_path / "slowly.py").write_text(SLOW)
    own = {"OxfordPetsDataModule": "slowly.SlowDataModule"}
    words = [own.get(word, word) for word in fit_of(pets_copy, "--data.cache", "true")]
    place = pets_copy / FOLDER
    with start(tmp_path, words) as process:
        wait_for_partial(place, process)
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 143, said
    assert time.monotonic() - begin < 10
    assert said.strip().splitlines()[-1].startswith("lightning-seg: stopped by SIGTERM: nothing is saved")
    assert sorted(path.name for path in place.iterdir()) == [".gitignore", "CACHEDIR.TAG"]


@pytest.mark.slow
def test_two_processes_of_a_training_fill_it_once(pets_copy: Path, tmp_path: Path) -> None:
    words = fit_of(pets_copy, "--data.cache", "true", "--data.batch_size", "2")
    with start(tmp_path, [*words, "--trainer.devices", "2", "--trainer.strategy", "ddp"]) as process:
        said, _ = process.communicate(timeout=280)
    assert process.returncode == 0, said[-3000:]
    assert said.count("are decoded once") == 1
    assert len(keys(pets_copy)) == 1
