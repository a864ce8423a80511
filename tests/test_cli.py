"""A mistake on the command line is one line on stderr that names the value and the remedy, and exit code 2."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from lightning_seg.__main__ import main
from lightning_seg.arguments import RunArguments, rephrase
from lightning_seg.cli.resolving import resolve_config
from lightning_seg.commands import COMMANDS, LIGHTNING

ROOT = Path(__file__).parents[1]
FIT = [
    "fit",
    "--config",
    str(ROOT / "configs" / "pets.yaml"),
    "--data.download",
    "false",
    "--trainer.accelerator",
    "cpu",
]
RANDOM = ["--model.encoder_weights", "null", "--trainer.max_epochs", "1", "--trainer.logger", "false"]

Mistake = Callable[[list[str]], str]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["fitt"], "did you mean 'fit'"),
        ([*FIT, "--data.rot", "x"], "did you mean --data.root?"),
        ([*FIT, "--model.lrr", "0.1"], "did you mean --model.lr?"),
        ([*FIT, "--model.lr", "fast"], "lr: 'fast' is not accepted; expected a number"),
        ([*FIT, "--data.cache", "maybe"], "cache: 'maybe' is not accepted; expected true or false or ram or disk"),
        ([*FIT, "--data.image_size", "big"], "expected a whole number or a list, for instance '[128, 192]' or null"),
        ([*FIT, "--data.mixing", "cutmix"], "mixing: 'cutmix' is its kind; give --data.mixing.kind cutmix"),
        ([*FIT, "--data.augment", "[{class_path: RandomCrop}]"], "RandomCrop: height is missing, give init_args"),
        ([*FIT, "--data.root"], "--data.root needs a value"),
        ([*FIT, "--seed_everything", "--data.root", "x"], "--seed_everything needs a value"),
        (["predict", "--config", FIT[2], "--keep_probs"], "for instance --keep_probs true"),
        (["fit", "--model", "Nothing"], "there is no class 'Nothing'; there are "),
        (["fit", "--config", str(Path(FIT[2]).with_name("petz.yaml"))], "did you mean "),
        ([*FIT, "--trainer.max_epoch", "3"], "did you mean --trainer.max_epochs?"),
        (["fit", "--model", "MobileNetV3UNetTask"], "did you mean MobileNetV2UNetTask?"),
        (["fit", "--data", "OxfordPetDataModule"], "did you mean OxfordPetsDataModule?"),
        ([*FIT, "--model.normalization", "imagnet"], "'imagnet' is not accepted; expected imagenet or symmetric"),
        ([*FIT, "--data.batch_size", "many"], "many"),
        (["fit", "--config", "nowhere.yaml"], "nowhere.yaml"),
        (["fit"], "data and model missing; give --run RUN, or a config: --config pets"),
        (["fit", "--run", "--data.root", "x"], "--run needs a value, for instance --run runs/pets"),
        (["fit", "--run"], "--run needs a value, for instance --run runs/pets"),
        (["test", "--run", "nowhere"], "nowhere: no run there"),
        (["synthesize", "dragons", "x"], "dragons"),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, list) else None,
)
def test_words_that_do_not_exist(mistake: Mistake, arguments: list[str], expected: str) -> None:
    assert expected in mistake(arguments)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--data.image_size", "225"], "image_size 225 is not divisible by 32; use 224 or 256"),
        (["--data.image_size", "[64, 100]"], "image_size 100 is not divisible by 32; use 96 or 128"),
        (["--data.val_fraction", "1.5"], "val_fraction 1.5 must lie between 0 and 1"),
        (["--data.batch_size", "0"], "batch_size 0 is too small; give 1 or more"),
        (["--data.batch_size", "null"], "data.batch_size: null is not accepted; expected a whole number"),
        (["--model.schedule", "null"], "model.schedule: null is not accepted; expected text"),
        (["--data.augment", "flipp"], "did you mean 'flip'"),
        (["--model.optimizer", "adamww"], "the nearest names are adamw"),
        (["--model.schedule", "onecycle"], "the nearest names are one_cycle"),
        (["--model.schedule_options", "{warm: 1}"], "does not accept {'warm': 1}"),
        (["--model.unfreeze_epoch", "1"], "unfreeze_epoch 1 needs freeze_encoder true"),
        (
            ["--model.num_classes", "7"],
            "model.num_classes 7 is not 3, which the data says; leave it out, or",
        ),
        (
            ["--model.init_args.class_names", "[a, b]"],
            "model.class_names ['a', 'b'] is not ('pet', 'background', 'border'), which the data says",
        ),
        (["--model.encoder_weights", "nowhere.pth"], "nowhere.pth: no such weights file"),
        (["--trainer.accelerator", "gpu"], "there is no gpu that can be used here; give --trainer.accelerator auto"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_values_that_do_not_fit(mistake: Mistake, pets_root: Path, flags: list[str], expected: str) -> None:
    if flags[-1] == "gpu" and torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    assert expected in mistake([*FIT, *RANDOM, "--data.root", str(pets_root), *flags])


def test_weights_of_another_network(mistake: Mistake, pets_root: Path, tmp_path: Path) -> None:
    torch.save({"layer.weight": torch.zeros(3)}, tmp_path / "other.pth")
    line = mistake([*FIT, *RANDOM, "--data.root", str(pets_root), "--model.encoder_weights", "other.pth"])
    assert "other.pth: these are weights of another network than MobileNetV2Encoder" in line


def test_a_missing_root_names_all_remedies(mistake: Mistake) -> None:
    line = mistake([*FIT, *RANDOM, "--data.root", "nowhere"])
    for part in ("nowhere", "--data.root", "--data.download true", "--data.source synthetic"):
        assert part in line


@pytest.mark.parametrize("num_workers", ["0", "1"])
def test_a_broken_picture_is_named_also_by_a_loader_process(
    mistake: Mistake, pets_root: Path, tmp_path: Path, num_workers: str
) -> None:
    root = tmp_path / "pets"
    shutil.copytree(pets_root, root)
    for path in (root / "images").glob("*.jpg"):
        path.write_bytes(path.read_bytes()[:800])
    flags = ["--data.root", str(root), "--data.num_workers", num_workers, "--data.image_size", "32"]
    line = mistake([*FIT, *RANDOM, *flags])
    assert ".jpg: cannot be read as a picture" in line
    assert "replace the file" in line


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lightning_seg", "test", "--run", "nowhere"]
    plain = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    debug = subprocess.run([*command, "--debug"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert plain.returncode == 2
    assert "Traceback" not in plain.stderr
    assert debug.returncode == 1
    assert "Traceback" in debug.stderr
    assert "ConfigError: nowhere" in debug.stderr


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for command in (*LIGHTNING, *COMMANDS):
        assert f"\n  {command} " in text


@pytest.mark.parametrize("command", ["fit", "predict"])
def test_help_of_a_command_lists_run(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert "--run RUN" in capsys.readouterr().out


@pytest.mark.parametrize(("typed", "expected"), [("1", 1), ("1.0", 1.0), ("0.5", 0.5), ("7", 7), ("0", 0)])
def test_one_batch_is_not_all_of_them(typed: str, expected: float) -> None:
    flags = [f"--trainer.limit_{split}_batches={typed}" for split in ("train", "val")]
    given = resolve_config([*FIT[1:], *flags])["trainer"]
    for name in ("limit_train_batches", "limit_val_batches"):
        assert given[name] == expected
        assert type(given[name]) is type(expected)


def test_a_broken_config_is_named_with_its_line(mistake: Mistake, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("model: [1\ndata: 2\n")
    message = mistake(["fit", "--config", "broken.yaml"])
    assert message.startswith("lightning-seg: error: broken.yaml: no valid YAML")
    assert "line 2, column 5" in message


def test_a_run_folder_that_cannot_be_written_is_one_line(mistake: Mistake, pets_root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    flags = ["--data.root", str(pets_root), "--data.image_size", "32", "--trainer.default_root_dir", "file/runs"]
    message = mistake([*FIT, *RANDOM[:4], *flags])
    assert "cannot be written (Not a directory); give another folder" in message


def test_config_may_stand_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.yaml", "b.yaml"):
        Path(name).write_text("model: null")
    typed = ["fit", "--data.root", "x", "--config", "a.yaml", "--trainer.max_epochs=3", "-c", "b.yaml"]
    expected = ["fit", "--config", "a.yaml", "--config", "b.yaml", "--data.root", "x", "--trainer.max_epochs=3"]
    assert RunArguments.parse(typed).for_lightning == expected


def test_run_becomes_config_and_checkpoint(tmp_path: Path) -> None:
    for version in ("version_2", "version_10"):
        folder = tmp_path / version
        (folder / "checkpoints").mkdir(parents=True)
        (folder / "config.yaml").write_text(f"run_folder: {version}\n")
        for name in ("best", "last"):
            torch.save({"epoch": 0}, folder / "checkpoints" / f"{name}.ckpt")
    newest = tmp_path / "version_10"
    parsed = RunArguments.parse(["test", "--run", str(tmp_path), "--data.batch_size", "2"])
    best = str(newest / "checkpoints" / "best.ckpt")
    # What was checked is what is read.
    assert yaml.safe_load(parsed.for_lightning[2]) == {"run_folder": "version_10"}
    assert parsed.for_lightning[:2] == ["test", "--config"]
    assert parsed.for_lightning[3:] == ["--data.batch_size", "2", "--ckpt_path", best]
    assert RunArguments.parse(["fit", f"--run={newest}"]).for_lightning[-1].endswith("last.ckpt")


def test_images_may_stand_twice() -> None:
    typed = ["predict", "--images", "a", "b", "--output", "o", "--images=c", "--images", "d", "--tile", "64"]
    expected = ["predict", "--output", "o", "--tile", "64", '--images=["a", "b", "c", "d"]']
    assert RunArguments.parse(typed).for_lightning == expected


def test_an_unknown_message_is_only_joined() -> None:
    assert rephrase("first line\n  - second line\n\n") == "first line second line"
