"""Training that goes wrong, through the command line: what is said, what is kept, how the command ends."""

import csv
import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from math import isfinite
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_seg.__main__ import main
from lightning_seg.errors import ModelError, WeightsError
from lightning_seg.predictor import Predictor
from lightning_seg.synthetic.image_mask_folder import write_image_mask_folder

Mistake = Callable[[list[str]], str]
QUIET = shlex.split("--trainer.enable_progress_bar false --trainer.enable_model_summary false")
BASE = ["--trainer.accelerator", "cpu", "--data.num_workers", "0", *QUIET]


def flowers(root: Path) -> list[str]:
    given = "--model CNNClassifierTask --data FlowersDataModule --data.image_size 32 --data.batch_size 5"
    return [*shlex.split(given), "--data.root", str(root), *BASE]


def cars(root: Path) -> list[str]:
    """One logit."""
    given = "--model UNetTask --model.width 4 --model.depth 2 --data CarvanaDataModule --data.image_size 32"
    return [*shlex.split(given), "--data.batch_size", "4", "--data.root", str(root), *BASE]


def pets(root: Path) -> list[str]:
    given = "--model UNetTask --model.width 4 --model.depth 2 --data OxfordPetsDataModule --data.image_size 32"
    return [*shlex.split(given), "--data.batch_size", "4", "--data.root", str(root), *BASE]


def windows(root: Path) -> list[str]:
    given = "--model SlidingDetectorTask --model.backbone test_resnet --model.weights null --model.window 64"
    given += " --model.freeze_encoder false --data FlowersDataModule --data.image_size 64 --data.batch_size 5"
    return [*shlex.split(given), "--data.root", str(root), *BASE]


SYSTEMS = {"classes": (flowers, "flowers_root"), "one logit": (cars, "carvana_root"), "masks": (pets, "pets_root")}
SYSTEMS["detector"] = (windows, "flowers_root")


@pytest.fixture(params=SYSTEMS)
def system(request: pytest.FixtureRequest) -> list[str]:
    flags, root = SYSTEMS[request.param]
    return flags(request.getfixturevalue(root))


@pytest.fixture
def stopped(capfd: pytest.CaptureFixture[str]) -> Mistake:
    """Runs a command that must end by exit code 1, and returns the one line that it leaves on stderr."""

    def run(words: list[str]) -> str:
        assert main(words) == 1
        (line,) = [line for line in capfd.readouterr().err.splitlines() if "error" in line.lower()]
        assert line.startswith("lightning-seg: error: ")
        return line

    return run


def files(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "checkpoints").glob("*"))


def values(run: Path, name: str) -> list[float]:
    with (run / "metrics.csv").open(newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file) if row.get(name)]


@pytest.mark.filterwarnings("ignore")
def test_a_rate_that_breaks_it_at_once_ends_it(system: list[str], tmp_path: Path, stopped: Mistake) -> None:
    flags = ["--model.lr", "1e30", "--run_folder", str(tmp_path / "run"), "--trainer.max_epochs", "2"]

    line = stopped(["fit", *system, *flags])

    assert "give a lower --model.lr than 1e+30, --trainer.gradient_clip_val 1, or look for broken pictures" in line
    assert "no number" in line or "is nan" in line or "is inf" in line or "hold no numbers" in line
    assert line.endswith("nothing was saved yet; --on_nan warn would go on")
    assert files(tmp_path / "run") == []


@pytest.mark.filterwarnings("ignore")
def test_warn_goes_on_to_the_end_without_a_best_checkpoint(
    flowers_root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, mistake: Mistake
) -> None:
    flags = ["--model.lr", "1e30", "--run_folder", str(tmp_path / "run"), "--trainer.max_epochs", "2"]

    assert main(["fit", *flowers(flowers_root), *flags, "--on_nan", "warn"]) == 0

    assert files(tmp_path / "run") == ["last.ckpt"]
    assert sum("the training loss is no number" in message for message in caplog.messages) == 1
    assert "on_nan: warn" in (tmp_path / "run" / "config.yaml").read_text()
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    line = mistake(["predict", "--run", str(last), "--output", str(tmp_path / "out"), *QUIET])
    assert f"{last}: " in line
    assert "tensors hold no numbers (NaN or infinite), the first is model." in line
    with pytest.raises(WeightsError, match="tensors hold no numbers"):
        Predictor.from_run(last, device="cpu")
    # Going on from it is no training either, unless one wants it, as the run did.
    again = ["fit", "--run", str(tmp_path / "run"), "--trainer.max_epochs", "3", *QUIET]
    assert "tensors hold no numbers" in mistake([*again, "--on_nan", "stop"])
    assert main(again) == 0


# The rate climbs from the third epoch on, and infinitely so.
BREAKS_LATER = ["--model.schedule", "one_cycle", "--model.schedule_options", "{warmup: 0.5, end: 1.0e+38}"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("workers", ["0", "2"])
def test_one_that_breaks_later_goes_on_from_what_was_good(
    workers: str, flowers_root: Path, tmp_path: Path, stopped: Mistake
) -> None:
    run = tmp_path / "run"
    flags = [*flowers(flowers_root), *BREAKS_LATER, "--data.num_workers", workers, "--trainer.max_epochs", "6"]

    line = stopped(["fit", *flags, "--run_folder", str(run)])

    assert f"nothing of it was saved, {run.resolve()}/checkpoints keeps best.ckpt, last.ckpt of before" in line
    state = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert all(tensor.isfinite().all() for tensor in state["state_dict"].values())
    assert 0 < state["epoch"] < 5
    mended = ["--model.schedule", "constant", "--model.schedule_options", "null", "--trainer.max_epochs", "4"]
    assert main(["fit", "--run", str(run), *mended, *QUIET]) == 0
    assert torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == 3
    assert all(isfinite(value) for value in values(run, "val/loss"))


def test_a_real_process_ends_by_one_line_and_exit_code_1(flowers_root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lightning_seg", "fit", *flowers(flowers_root), "--model.lr", "1e30"]
    command += ["--trainer.enable_progress_bar", "true", "--trainer.max_epochs", "2"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("lightning-seg: error: ")
    # Nothing of the bar is left on the line of the error.
    assert done.stdout.endswith("\n")


@pytest.fixture
def own(tmp_path: Path) -> list[str]:
    """Twenty pictures and masks of four classes, of which four validate and four test."""
    root = tmp_path / "own"
    write_image_mask_folder(root, num_pictures=20, seed=0)
    names = sorted(path.stem for path in (root / "images").iterdir())
    for split, chosen in {"val": names[:4], "test": names[4:8]}.items():
        (root / f"{split}.txt").write_text("\n".join(chosen))
    given = "--model UNetTask --model.width 4 --model.depth 2 --data ImageMaskFolderDataModule --data.image_size 32"
    lists = ["--data.val_list", str(root / "val.txt"), "--data.test_list", str(root / "test.txt")]
    classes = ["--data.classes", "[background, disc, box, star]", "--data.batch_size", "4"]
    return [
        *shlex.split(given),
        "--data.root",
        str(root),
        *lists,
        *classes,
        *BASE,
        "--run_folder",
        str(tmp_path / "run"),
    ]


def ignore(root: Path, split: str) -> None:
    for name in (root / f"{split}.txt").read_text().split():
        (path,) = (root / "masks").glob(f"{name}.*")
        shape = np.asarray(Image.open(path)).shape[:2]
        Image.fromarray(np.full(shape, 255, np.uint8)).save(path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_validation_split_that_is_ignored_throughout(
    workers: str, own: list[str], tmp_path: Path, stopped: Mistake, caplog: pytest.LogCaptureFixture
) -> None:
    ignore(tmp_path / "own", "val")
    flags = [*own, "--trainer.max_epochs", "2", "--data.num_workers", workers]

    line = stopped(["fit", *flags])

    assert "no picture of the validation split counts, since every pixel of its masks holds ignore_index 255" in line
    assert "the best checkpoint cannot be chosen; mend its files, or give another split" in line
    assert files(tmp_path / "run") == []
    warned = [*flags, "--on_nan", "warn", "--early_stopping", "1", "--run_folder", str(tmp_path / "warned")]
    caplog.clear()
    assert main(["fit", *warned]) == 0
    assert files(tmp_path / "warned") == ["last.ckpt"]
    assert sum("no picture of the validation split counts" in message for message in caplog.messages) == 1
    assert [one for one in caplog.messages if "stopped early after 1 epochs: val/miou is no number" in one]
    record = json.loads((tmp_path / "warned" / "metrics.json").read_text())
    assert record["val/loss"] is record["val/miou"] is None
    assert record["train/loss"] > 0


@pytest.mark.filterwarnings("ignore")
def test_a_test_split_that_is_ignored_throughout(own: list[str], tmp_path: Path, stopped: Mistake) -> None:
    ignore(tmp_path / "own", "test")
    assert main(["fit", *own, "--trainer.max_epochs", "1"]) == 0

    line = stopped(["test", "--run", str(tmp_path / "run"), *QUIET])

    assert "no picture of the test split counts" in line
    assert not [name for name in json.loads((tmp_path / "run" / "metrics.json").read_text()) if "test/" in name]
    assert main(["test", "--run", str(tmp_path / "run"), "--on_nan", "warn", *QUIET]) == 0
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["test/loss"] is None


@pytest.mark.filterwarnings("ignore")
def test_pictures_whose_answer_is_no_number_are_none_of_the_first_class(
    flowers_root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = tmp_path / "run"
    assert main(["fit", *flowers(flowers_root), "--run_folder", str(run), "--trainer.max_epochs", "1"]) == 0
    file = run / "checkpoints" / "best.ckpt"
    content = torch.load(file, weights_only=True)
    # Numbers, but too large ones.
    for name, tensor in content["state_dict"].items():
        if name.startswith("model."):
            tensor.fill_(3e38)
    torch.save(content, file)
    photos = str(flowers_root / "roses")

    code = main(["predict", "--run", str(run), "--images", photos, "--output", str(tmp_path / "out"), *QUIET])

    assert code == 3
    with (tmp_path / "out" / "predictions.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert len(rows) == 6
    assert all(not row["label"] and "the network's answer is no number" in row["error"] for row in rows)
    with pytest.raises(ModelError, match="no number"):
        Predictor.from_run(run, device="cpu")(sorted((flowers_root / "roses").iterdir())[0])


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--model.lr", "0"], "lr 0.0 must be a finite number above 0, for instance 0.001"),
        (["--model.lr", "-0.1"], "lr -0.1 must be a finite number above 0"),
        (["--model.lr", ".nan"], "lr nan must be a finite number above 0"),
        (["--model.lr", ".inf"], "lr inf must be a finite number above 0"),
        (["--model.weight_decay", "-1"], "weight_decay -1.0 must be a finite number of at least 0, for instance 0.01"),
        (["--model.encoder_lr_factor", ".nan"], "encoder_lr_factor nan must be a finite number of at least 0"),
        (["--model.ce_weight", "-1"], "ce_weight -1.0 must be a finite number of at least 0, for instance 1"),
        (["--model.dice_weight", ".nan"], "dice_weight nan must be a finite number of at least 0"),
        (["--model.label_smoothing", "1.5"], "label_smoothing 1.5 must lie between 0 and 1, for instance 0.1"),
        (["--model.label_smoothing", ".nan"], "label_smoothing nan must lie between 0 and 1"),
        (["--model.extra_losses", "{lovasz: -0.5}"], "extra_losses lovasz weight -0.5 must be a finite number of at"),
        (["--model.extra_losses", "{focal: {gamma: .nan}}"], "extra_losses focal gamma nan must be a finite number"),
        (["--model.extra_losses", "{focal: {alpha: 2}}"], "extra_losses focal alpha 2.0 must lie between 0 and 1"),
        (["--model.extra_losses", "{tversky: {beta: -1}}"], "extra_losses tversky beta -1.0 must be a finite number"),
        (["--model.extra_losses", "{jaccard: {smooth: .inf}}"], "extra_losses jaccard smooth inf must be a finite"),
        (["--model.class_weights", "[1, -1]"], "class_weights [1.0, -1.0] must be 2 numbers of at least 0, not all 0"),
        (["--model.class_weights", "[.nan, 1]"], "class_weights [nan, 1.0] must be 2 numbers of at least 0"),
        (["--model.class_weights", "[.inf, 1]"], "class_weights [inf, 1.0] must be 2 numbers of at least 0"),
        (["--model.normalization", "{mean: [0, 0, .nan], std: [1, 1, 1]}"], "must hold a mean and a positive std of"),
        (["--model.normalization", "{mean: [0, 0, 0], std: [1, 1, .inf]}"], "must hold a mean and a positive std of"),
        (["--on_nan", "ignore"], "on_nan: 'ignore' is not accepted; expected stop or warn"),
    ],
)
def test_impossible_numbers_are_one_line(flags: list[str], line: str, carvana_root: Path, mistake: Mistake) -> None:
    assert line in mistake(["fit", *cars(carvana_root), *flags])


@pytest.mark.slow
def test_two_processes_end_alike_by_one_line(flowers_root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lightning_seg", "fit", *flowers(flowers_root), "--model.lr", "1e30"]
    command += ["--trainer.devices", "2", "--trainer.strategy", "ddp", "--data.batch_size", "2"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "error" in line.lower()]
    assert "the training loss is no number (NaN or infinite) since step 1 of epoch 0" in line
