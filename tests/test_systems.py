"""Every system through the command line: fit, test, predict, resume, and what the run folder holds then."""

import csv
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lightning_seg import MobileNetV2UNetTask
from lightning_seg.__main__ import main
from lightning_seg.models.mobilenetv2_unet import MobileNetV2Encoder
from lightning_seg.runs import find_run

CONFIGS = Path(__file__).parents[1] / "configs"
CLASSES = ("pet", "background", "border")


class PetsRun:
    """One tiny fit, made once for all tests of this file."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.flags = [
            *("--config", str(CONFIGS / "pets.yaml"), "--config", str(CONFIGS / "overrides" / "demo.yaml")),
            *("--data.source", "real", "--data.root", str(root), "--data.download", "false"),
            *("--data.image_size", "64", "--data.batch_size", "4", "--data.num_workers", "0"),
            *("--trainer.default_root_dir", str(folder / "runs"), "--trainer.accelerator", "cpu"),
            *("--trainer.enable_progress_bar", "false", "--trainer.enable_model_summary", "false"),
        ]
        self.folder = folder / "runs" / "pets" / "version_0"

    def record(self) -> dict[str, Any]:
        values: dict[str, Any] = json.loads((self.folder / "metrics.json").read_text())
        return values


def run_main(arguments: list[str], capsys: pytest.CaptureFixture[str] | None = None) -> str:
    assert main(arguments) == 0
    return "" if capsys is None else capsys.readouterr().out.strip().splitlines()[-1]


def run_process(arguments: list[str]) -> None:
    """In a process of its own, which may start others."""
    command = [sys.executable, "-m", "lightning_seg", *arguments]
    done = subprocess.run(command, timeout=300, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def run(pets_root: Path, tmp_path_factory: pytest.TempPathFactory) -> PetsRun:
    run = PetsRun(pets_root, tmp_path_factory.mktemp("system"))
    run_main(["fit", *run.flags, "--trainer.max_epochs", "2"])
    return run


def test_the_run_folder_is_complete(run: PetsRun) -> None:
    names = {str(path.relative_to(run.folder)) for path in run.folder.rglob("*") if path.is_file()}
    expected = {
        "config.yaml",
        "metrics.csv",
        "metrics.json",
        "curves.png",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
    }
    expected |= {f"samples/epoch_{epoch:03d}.png" for epoch in range(3)}
    assert expected <= names
    assert {name for name in names if name.endswith(".ckpt")} == {"checkpoints/best.ckpt", "checkpoints/last.ckpt"}


def test_the_record_holds_what_the_readme_promises(run: PetsRun) -> None:
    record = run.record()
    assert record["parameters"] == 6_471_395
    assert record["trainable_parameters"] == 6_471_395
    assert record["epochs"] == 2
    assert record["seconds_per_epoch"] > 0
    assert 0 < record["data_wait_share"] < 1
    assert record["version/torch"] == torch.__version__
    quantities = ["loss", "accuracy", "miou", "mdice", *(f"iou/{name}" for name in CLASSES)]
    assert {f"{split}/{quantity}" for split in ("train", "val") for quantity in quantities} <= record.keys()
    assert not [name for name in record if name.startswith("test/")]


def test_pictures_and_curves_can_be_opened(run: PetsRun) -> None:
    for name in ("curves.png", "samples/epoch_000.png", "samples/epoch_002.png"):
        picture = np.asarray(Image.open(run.folder / name).convert("RGB"))
        assert min(picture.shape[:2]) > 200
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50


def test_tensorboard_holds_scalars_graph_and_pictures(run: PetsRun) -> None:
    events = EventAccumulator(str(run.folder))
    events.Reload()
    tags = events.Tags()
    assert {"train/loss", "val/loss", "val/miou", "val/iou/border"} <= set(tags["scalars"])
    assert events.Images("samples")[0].step == 0
    assert len(events.Images("samples")) == 3
    assert tags["graph"] is True
    names = {node.name for node in events.Graph().node}
    assert any("encoder" in name for name in names)
    assert any("decoder" in name for name in names)


def test_the_csv_log_has_one_validation_per_epoch(run: PetsRun) -> None:
    with (run.folder / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["val/miou"]]
    assert [row["epoch"] for row in rows] == ["0", "1"]


def test_checkpoints_need_neither_pickle_nor_yaml(run: PetsRun) -> None:
    path = run.folder / "checkpoints" / "best.ckpt"
    content = torch.load(path, weights_only=True)
    assert content["hyper_parameters"]["class_names"] in (CLASSES, list(CLASSES))
    assert not [name for name in content["state_dict"] if "_orig_mod" in name]
    task = MobileNetV2UNetTask.load_from_checkpoint(path)
    assert task.class_names == CLASSES
    assert task(torch.zeros(1, 3, 64, 64, dtype=torch.uint8)).shape == (1, 3, 64, 64)


def test_a_run_is_tested_with_its_best_checkpoint(run: PetsRun, capsys: pytest.CaptureFixture[str]) -> None:
    config = (run.folder / "config.yaml").read_bytes()
    last_line = run_main(["test", "--run", str(run.folder), "--trainer.enable_progress_bar", "false"], capsys)
    assert Path(last_line) == run.folder
    assert (run.folder / "config.yaml").read_bytes() == config
    record = run.record()
    assert 0 <= record["test/miou"] <= 1
    assert record["test/miou"] == pytest.approx(np.mean([record[f"test/iou/{name}"] for name in CLASSES]), abs=1e-6)
    assert record["epochs"] == 2


def test_the_newest_version_stands_for_the_whole_name(run: PetsRun, capsys: pytest.CaptureFixture[str]) -> None:
    assert Path(run_main(["validate", "--run", str(run.folder.parent)], capsys)) == run.folder
    record = run.record()
    assert record["val/miou"] == pytest.approx(record["best/val/miou"], abs=1e-5)


def test_predict_writes_class_indices_at_the_original_size(run: PetsRun, pets_root: Path) -> None:
    run_main(["predict", "--run", str(run.folder)])
    written = sorted((run.folder / "predictions" / "masks").glob("*.png"))
    listed = [line.split()[0] for line in (pets_root / "annotations" / "test.txt").read_text().splitlines()]
    assert [path.stem for path in written] == sorted(listed)
    for path in written:
        mask = Image.open(path)
        assert mask.mode == "P"
        assert set(np.unique(np.asarray(mask))) <= {0, 1, 2}
        assert mask.size == Image.open(pets_root / "images" / f"{path.stem}.jpg").size


@pytest.mark.parametrize("knobs", [[], ["--tile", "64", "--overlap", "16"], ["--tta", "hflip"]], ids=str)
def test_measuring_at_the_original_size_judges_what_predict_writes(
    run: PetsRun, pets_root: Path, tmp_path: Path, knobs: list[str]
) -> None:
    at_file_size = [] if "--tile" in knobs else ["--original_size", "true"]
    run_main(["test", "--run", str(run.folder), *knobs, *at_file_size])
    run_main(["predict", "--run", str(run.folder), "--output", str(tmp_path), *knobs])
    shared, either = np.zeros(3), np.zeros(3)
    for path in (tmp_path / "masks").glob("*.png"):
        trimap = np.array(Image.open(pets_root / "annotations" / "trimaps" / path.name)) - 1
        predicted = np.array(Image.open(path))
        for index in range(3):
            shared[index] += ((trimap == index) & (predicted == index)).sum()
            either[index] += ((trimap == index) | (predicted == index)).sum()
    record = run.record()
    assert [record[f"test_full/iou/{name}"] for name in CLASSES] == pytest.approx((shared / either).tolist())
    assert "test_full/loss" not in record


def test_a_threshold_of_three_classes_is_one_line(run: PetsRun, mistake: Callable[[list[str]], str]) -> None:
    line = mistake(["predict", "--run", str(run.folder), "--threshold", "0.4"])
    assert "threshold 0.4 separates two classes, this model has 3; leave it out" in line
    assert "threshold 1.5 must lie between 0 and 1" in mistake(["test", "--run", str(run.folder), "--threshold", "1.5"])


def test_a_run_is_continued_in_its_own_folder(
    pets_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = PetsRun(pets_root, tmp_path)
    run_main(["fit", *run.flags, "--trainer.max_epochs", "1"])
    first = torch.load(run.folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert Path(run_main(["fit", "--run", str(run.folder), "--trainer.max_epochs", "3"], capsys)) == run.folder
    last = torch.load(run.folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert (first["epoch"], last["epoch"]) == (0, 2)
    assert last["global_step"] == 3 * first["global_step"]
    with (run.folder / "metrics.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file) if row["val/miou"]] == ["0", "1", "2"]
    assert run.record()["epochs"] == 3
    assert yaml.safe_load((run.folder / "config.yaml").read_text())["trainer"]["max_epochs"] == 3
    assert yaml.safe_load((run.folder / "config.yaml").read_text())["ckpt_path"] is None
    assert main(["fit", "--run", str(run.folder), "--trainer.max_epochs", "3"]) == 2
    assert "has trained 3 epochs of 3" in capsys.readouterr().err


def test_a_continued_run_uses_the_typed_rate_and_says_where_values_come_from(
    pets_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = PetsRun(pets_root, tmp_path)
    run_main(["fit", *run.flags, "--trainer.max_epochs", "1", "--model.schedule", "constant"])
    capsys.readouterr()
    run_main(["fit", "--run", str(run.folder), "--trainer.max_epochs", "2", "--model.lr", "0.0007"])
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith(f"{run.folder / 'config.yaml'}: model MobileNetV2UNetTask (")
    assert "lr 0.003" in printed[0]
    assert printed[1] == (
        f"{run.folder / 'checkpoints' / 'last.ckpt'}: weights, state of optimiser and schedule, 1 epochs done"
    )
    assert printed[2] == "given: model.lr 0.0007 instead of 0.003, trainer.max_epochs 2 instead of 1"
    content = torch.load(run.folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert {group["lr"] for group in content["optimizer_states"][0]["param_groups"]} == {0.0007}
    assert content["hyper_parameters"]["lr"] == 0.0007


def test_a_monitor_that_does_not_exist_is_one_line(
    pets_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = PetsRun(pets_root, tmp_path)
    config = tmp_path / "own.yaml"
    own = {"class_path": "EarlyStopping", "init_args": {"monitor": "val_mIoU"}}
    config.write_text(yaml.safe_dump({"trainer": {"callbacks": [own]}}))
    assert main(["fit", *run.flags, "--config", str(config), "--trainer.max_epochs", "1"]) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert "EarlyStopping monitors 'val_mIoU', which is never logged; did you mean 'val/miou'?" in line


def test_the_tutorial_override_restores_the_tutorial(
    pets_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configs = ["--config", str(CONFIGS / "pets.yaml"), "--config", str(CONFIGS / "overrides" / "tutorial_pets.yaml")]
    with pytest.raises(SystemExit):
        main(["fit", *configs, "--print_config"])
    config = yaml.safe_load(capsys.readouterr().out)
    model, data = config["model"]["init_args"], config["data"]["init_args"]
    expected = {"optimizer": "adam", "lr": 0.001, "schedule": "constant", "weight_decay": 0.0, "dice_weight": 0.0}
    assert expected.items() <= model.items()
    assert (model["freeze_encoder"], model["encoder_weights"]) == (True, "imagenet")
    assert (data["batch_size"], data["augment"], data["image_size"]) == (64, "flip", 128)
    assert config["trainer"]["max_epochs"] == 20


def test_a_frozen_encoder_is_not_among_the_trained_parameters(pets_root: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights.pth"
    torch.save(MobileNetV2Encoder().state_dict(), weights)
    run = PetsRun(pets_root, tmp_path)
    override = ["--config", str(CONFIGS / "overrides" / "tutorial_pets.yaml"), "--model.encoder_weights", str(weights)]
    run_main(["fit", *run.flags, *override, "--trainer.max_epochs", "1", "--data.batch_size", "4"])
    assert run.record()["trainable_parameters"] == 4_660_323


def test_two_processes_measure_what_one_does(run: PetsRun, pets_root: Path, tmp_path: Path) -> None:
    """Five test pictures in batches of one: the processes see different numbers of batches, and none is repeated."""
    root = tmp_path / "pets"
    shutil.copytree(pets_root, root)
    test_list = root / "annotations" / "test.txt"
    test_list.write_text("\n".join(test_list.read_text().splitlines()[:5]) + "\n")
    checkpoint = run.folder / "checkpoints" / "last.ckpt"
    records = []
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        flags = ["test", *run.flags, "--data.root", str(root), "--data.batch_size", "1", "--ckpt_path", str(checkpoint)]
        flags += ["--trainer.default_root_dir", str(folder), "--trainer.devices", str(processes)]
        flags += ["--trainer.strategy", "ddp"] if processes > 1 else []
        run_process(flags)
        records.append(json.loads((folder / "pets" / "version_0" / "metrics.json").read_text()))
    one, two = ({name: value for name, value in record.items() if name.startswith("test/")} for record in records)
    assert one.keys() == two.keys()
    assert two == pytest.approx(one, abs=1e-6)


def test_training_in_two_processes_ends_with_one_record(run: PetsRun, tmp_path: Path) -> None:
    flags = ["fit", *run.flags, "--trainer.default_root_dir", str(tmp_path), "--trainer.max_epochs", "1"]
    flags += [
        "--trainer.devices",
        "2",
        "--trainer.strategy",
        "ddp",
        "--data.val_fraction",
        "0.25",
        "--data.batch_size",
        "3",
    ]
    run_process(flags)
    assert [path.name for path in (tmp_path / "pets").iterdir()] == ["version_0"]
    assert json.loads((tmp_path / "pets" / "version_0" / "metrics.json").read_text())["epochs"] == 1


def test_a_compiled_network_logs_its_graph_and_keeps_its_names(pets_root: Path, tmp_path: Path) -> None:
    """torch.compile with the backend that needs no compiler; what the GPU override does otherwise."""
    run = PetsRun(pets_root, tmp_path)
    callbacks = tmp_path / "compile.yaml"
    content = {"class_path": "lightning_seg.callbacks.Compile", "init_args": {"backend": "eager"}}
    callbacks.write_text(yaml.safe_dump({"trainer": {"callbacks+": [content]}}))
    run_main(["fit", *run.flags, "--config", str(callbacks), "--trainer.max_epochs", "1"])
    names = torch.load(run.folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert names.keys() == MobileNetV2UNetTask(encoder_weights=None, freeze_encoder=False).state_dict().keys()
    events = EventAccumulator(str(run.folder))
    events.Reload()
    assert events.Tags()["graph"] is True
    run_main(["test", "--run", str(run.folder)])
    assert "test/miou" in run.record()


def test_synthetic_pictures_need_no_download_at_all(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    flags = ["fit", "--config", str(CONFIGS / "pets.yaml"), "--data.source", "synthetic"]
    flags += ["--data.root", str(tmp_path / "data"), "--data.image_size", "32", "--data.num_workers", "0"]
    flags += ["--trainer.default_root_dir", str(tmp_path), "--trainer.accelerator", "cpu"]
    flags += ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "2"]
    run_main(flags)
    assert "data.source is synthetic: encoder_weights null, freeze_encoder_norm false" in caplog.text
    assert (tmp_path / "pets" / "version_0" / "checkpoints" / "last.ckpt").is_file()


def test_own_checkpoints_stand_beside_best_and_last(pets_root: Path, tmp_path: Path) -> None:
    run = PetsRun(pets_root, tmp_path)
    config = tmp_path / "own.yaml"
    own = {"class_path": "ModelCheckpoint", "init_args": {"filename": "own", "monitor": "val/loss"}}
    config.write_text(yaml.safe_dump({"trainer": {"callbacks": [own]}}))
    run_main(["fit", *run.flags, "--config", str(config), "--trainer.max_epochs", "1"])
    assert {path.stem for path in (run.folder / "checkpoints").iterdir()} == {"own", "best", "last"}


def test_checkpoints_and_logs_can_be_switched_off(
    pets_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = PetsRun(pets_root, tmp_path)
    flags = ["--trainer.logger", "false", "--trainer.enable_checkpointing", "false", "--trainer.max_epochs", "1"]
    for _ in range(2):
        run_main(["fit", *run.flags, *flags, "--trainer.limit_train_batches", "1"])
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_early_stopping_is_one_line(pets_root: Path, tmp_path: Path) -> None:
    run = PetsRun(pets_root, tmp_path)
    run_main(["fit", *run.flags, "--early_stopping", "7", "--trainer.max_epochs", "1"])
    states = torch.load(run.folder / "checkpoints" / "last.ckpt", weights_only=True)["callbacks"]
    (stopping,) = [state for name, state in states.items() if name.startswith("EarlyStopping")]
    assert stopping["patience"] == 7
    assert stopping["best_score"] == pytest.approx(run.record()["val/miou"], abs=1e-6)


def test_patience_given_twice_is_one_line(run: PetsRun, tmp_path: Path, mistake: Callable[[list[str]], str]) -> None:
    own = ["--trainer.callbacks", "EarlyStopping", "--trainer.callbacks.monitor", "val/loss"]
    place = ["--trainer.default_root_dir", str(tmp_path)]
    assert "leave one of them out" in mistake(["fit", *run.flags, *place, "--early_stopping", "3", *own])


# What must not be lost


def test_interrupted_training_says_how_to_go_on(
    run: PetsRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = signal.getsignal(signal.SIGINT)
    step = MobileNetV2UNetTask.training_step

    def interrupted(task: MobileNetV2UNetTask, batch: Any, batch_idx: int) -> Any:
        if task.current_epoch == 1:
            raise KeyboardInterrupt
        return step(task, batch, batch_idx)

    monkeypatch.setattr(MobileNetV2UNetTask, "training_step", interrupted)
    folder = tmp_path / "runs" / "pets" / "version_0"
    code = main(["fit", *run.flags, "--trainer.default_root_dir", str(tmp_path / "runs"), "--trainer.max_epochs=3"])
    assert code == 130
    # Lightning takes it away while it ends.
    assert signal.getsignal(signal.SIGINT) == handler
    goes_on = f"1 of 3 epochs are done and saved; lightning-seg fit --run {folder} goes on\n"
    assert capsys.readouterr().err.endswith(f"lightning-seg: stopped by SIGINT: {goes_on}")
    monkeypatch.setattr(MobileNetV2UNetTask, "training_step", step)
    assert run_main(["fit", "--run", str(folder), "--trainer.max_epochs", "2"]) == ""
    assert json.loads((folder / "metrics.json").read_text())["epochs"] == 2


@pytest.mark.parametrize("kind", ["weights", "text"])
def test_a_file_that_is_no_checkpoint_is_one_line(
    run: PetsRun, tmp_path: Path, kind: str, mistake: Callable[[list[str]], str]
) -> None:
    path = tmp_path / "foreign.pth"
    if kind == "weights":
        torch.save({"layer.weight": torch.zeros(2)}, path)
    else:
        path.write_text("nothing")
    message = mistake(["test", "--run", str(run.folder), "--ckpt_path", str(path)])
    assert f"{path}: " in message
    assert "give the .ckpt of a run" in message


def test_typed_seed_and_patience_are_said(run_copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(
        ["fit", "--run", str(run_copy), "--trainer.max_epochs", "3", "--seed_everything", "5", "--early_stopping", "4"]
    )
    assert "given: seed_everything 5 instead of 0, early_stopping 4 instead of null" in capsys.readouterr().out


@pytest.fixture
def run_copy(run: PetsRun, tmp_path: Path) -> Path:
    """A copy of the run that may be changed: its folder ``runs/pets/version_0``."""
    return Path(shutil.copytree(run.folder.parent, tmp_path / "copied" / "pets")) / "version_0"


def test_a_worse_continuation_keeps_the_best_checkpoint(run_copy: Path) -> None:
    best = run_copy / "checkpoints" / "best.ckpt"
    before, score = best.read_bytes(), json.loads((run_copy / "metrics.json").read_text())["best/val/miou"]
    flags = ["--trainer.max_epochs", "3", "--model.lr", "10.0", "--model.schedule", "constant"]
    run_main(["fit", "--run", str(run_copy), *flags, "--trainer.enable_progress_bar", "false"])
    record = json.loads((run_copy / "metrics.json").read_text())
    assert record["val/miou"] < score, "the rate was meant to spoil the network"
    assert record["best/val/miou"] == pytest.approx(score)
    assert best.read_bytes() == before


@pytest.mark.parametrize("flags", [["--model.optimizer", "sdg"], ["--model.freeze_encoder", "true", "--model.lr", "x"]])
def test_a_fit_that_fails_leaves_the_config_of_the_run(
    run_copy: Path, flags: list[str], mistake: Callable[[list[str]], str]
) -> None:
    before = (run_copy / "config.yaml").read_bytes()
    mistake(["fit", "--run", str(run_copy), "--trainer.max_epochs", "9", *flags])
    assert (run_copy / "config.yaml").read_bytes() == before


def test_typed_patience_wins_over_the_run(pets_root: Path, tmp_path: Path) -> None:
    run = PetsRun(pets_root, tmp_path)
    run_main(["fit", *run.flags, "--early_stopping", "1", "--trainer.max_epochs", "1"])
    run_main(["fit", "--run", str(run.folder), "--early_stopping", "7", "--trainer.max_epochs", "2"])
    states = torch.load(run.folder / "checkpoints" / "last.ckpt", weights_only=True)["callbacks"]
    assert [state["patience"] for name, state in states.items() if name.startswith("EarlyStopping")] == [7]


def test_a_failed_fit_and_a_mere_test_are_no_runs(
    run_copy: Path, run: PetsRun, caplog: pytest.LogCaptureFixture
) -> None:
    place = ["--trainer.default_root_dir", str(run_copy.parents[1])]
    run_main(["test", *run.flags, *place])
    assert "no checkpoint is given, so the network is as it was before training" in caplog.text
    assert main(["fit", *run.flags, *place, "--model.optimizer", "sdg"]) == 2
    (run_copy.parent / "version_9").mkdir()
    (run_copy.parent / "version_9" / "config.yaml").write_text((run_copy / "config.yaml").read_text())
    assert find_run(run_copy.parent).folder == run_copy
    assert "version_9 has no checkpoint" in caplog.text


def test_predictions_do_not_replace_masks_of_the_user(
    run: PetsRun, pets_root: Path, tmp_path: Path, mistake: Callable[[list[str]], str]
) -> None:
    own = tmp_path / "own" / "masks" / "a.png"
    own.parent.mkdir(parents=True)
    own.write_text("by hand")
    flags = ["predict", "--run", str(run.folder), "--images", str(next((pets_root / "images").glob("*.jpg")))]
    assert "masks/ there holds files of another origin" in mistake([*flags, "--output", str(tmp_path / "own")])
    assert own.read_text() == "by hand"
    assert "cannot be written" in mistake([*flags, "--output", str(own)])


def test_a_predicted_picture_is_not_replaced_by_its_overlay(
    run: PetsRun, pets_root: Path, tmp_path: Path, mistake: Callable[[list[str]], str]
) -> None:
    flags = ["predict", "--run", str(run.folder), "--output", str(tmp_path / "out"), "--images"]
    run_main([*flags, str(next((pets_root / "images").glob("*.jpg")))])
    (overlay,) = (tmp_path / "out" / "overlays").iterdir()
    assert "would be overwritten" in mistake([*flags, str(overlay)])
    run_main([*flags, str(next((pets_root / "images").glob("*.jpg")))])


def test_dollar_signs_in_names_are_no_formulas(run: PetsRun, pets_root: Path, tmp_path: Path) -> None:
    picture = shutil.copy(next((pets_root / "images").glob("*.jpg")), tmp_path / r"price$\frac$.jpg")
    run_main(["predict", "--run", str(run.folder), "--images", str(picture), "--output", str(tmp_path / "out")])
    assert (tmp_path / "out" / "most_uncertain.png").is_file()


def test_a_metric_that_validation_never_logs_is_one_line(
    pets_root: Path, tmp_path: Path, mistake: Callable[[list[str]], str]
) -> None:
    flags = ["fit", *PetsRun(pets_root, tmp_path).flags, "--early_stopping", "3", "--trainer.max_epochs", "2"]
    assert "val/miou is not logged in this run" in mistake([*flags, "--trainer.limit_val_batches", "0"])


def test_a_config_is_not_taken_for_a_checkpoint(run: PetsRun, mistake: Callable[[list[str]], str]) -> None:
    assert "a config is no run; give its folder" in mistake(["test", "--run", str(run.folder / "config.yaml")])


def test_a_checkpoint_used_otherwise_than_trained_is_said(
    run: PetsRun, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint = run.folder / "checkpoints" / "best.ckpt"
    flags = ["test", *run.flags, "--ckpt_path", str(checkpoint), "--trainer.default_root_dir", str(tmp_path)]
    run_main(flags)
    assert "was trained with" not in caplog.text
    run_main([*flags, "--model.normalization", "unit", "--data.image_size", "32"])
    assert "was trained with normalization imagenet, now it is unit" in caplog.text
    assert "was trained with image_size [64, 64], now it is [32, 32]" in caplog.text


def test_tiles_of_a_run_on_whole_pictures_are_warned_of(
    run: PetsRun, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run_main(["predict", "--run", str(run.folder), "--output", str(tmp_path), "--tile", "64", "--overlap", "16"])
    assert "this run has seen whole pictures at 64x64 pixels" in caplog.text


# Carvana


@pytest.fixture(scope="module")
def carvana_run(carvana_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one tiny fit, with CutMix, made once."""
    runs = tmp_path_factory.mktemp("carvana_system")
    flags = ["fit", "--config", str(CONFIGS / "carvana.yaml"), "--data.root", str(carvana_root)]
    flags += ["--data.image_size", "32", "--data.num_workers", "0", "--data.val_fraction", "0.17"]
    flags += ["--data.mixing.kind", "both", "--model.width", "4", "--model.depth", "3", "--trainer.max_epochs", "2"]
    flags += ["--model.class_weights", "auto", "--trainer.default_root_dir", str(runs), "--trainer.accelerator", "cpu"]
    run_main([*flags, "--trainer.enable_progress_bar", "false"])
    return runs / "carvana" / "version_0"


def test_carvana_fits_tests_and_predicts(carvana_run: Path, carvana_root: Path, tmp_path: Path) -> None:
    run_main(["test", "--run", str(carvana_run), "--trainer.enable_progress_bar", "false"])
    run_main(["predict", "--run", str(carvana_run), "--output", str(tmp_path), "--tile", "32", "--overlap", "8"])
    run_main(["test", "--run", str(carvana_run), "--tile", "32", "--overlap", "8"])

    record = json.loads((carvana_run / "metrics.json").read_text())
    assert {
        "test/boundary_iou/car",
        "test/picture_dice/car",
        "test/average_precision",
        "val/dice_loss",
    } <= record.keys()
    for name in ("curves.png", "precision_recall_val.png", "precision_recall_test.png"):
        with Image.open(carvana_run / name) as picture:
            assert min(picture.size) > 200
    shared = called = true = 0
    for path in (tmp_path / "masks").glob("*.png"):
        mask = np.array(Image.open(carvana_root / "train_masks" / f"{path.stem}_mask.gif"))
        predicted = np.array(Image.open(path))
        assert predicted.shape == mask.shape
        shared, called, true = shared + (mask * predicted).sum(), called + predicted.sum(), true + mask.sum()
    # What is measured in tiles is what predict writes in tiles.
    assert record["test_full/dice/car"] == pytest.approx(2 * shared / (called + true))


def test_counted_class_weights_are_in_the_checkpoint(carvana_run: Path) -> None:
    hparams = torch.load(carvana_run / "checkpoints" / "last.ckpt", weights_only=True)["hyper_parameters"]
    background, car = hparams["class_weights"]
    # Each class's weight times its share is one half.
    assert 1 / (2 * background) + 1 / (2 * car) == pytest.approx(1, abs=1e-5)
    assert hparams["num_classes"] == 1


def test_the_carvana_tutorial_keeps_the_lowest_dice_loss(carvana_root: Path, tmp_path: Path) -> None:
    flags = ["fit", "--config", str(CONFIGS / "carvana.yaml")]
    flags += ["--config", str(CONFIGS / "overrides" / "tutorial_carvana.yaml"), "--data.root", str(carvana_root)]
    flags += ["--data.image_size", "32", "--data.num_workers", "0", "--model.width", "2", "--model.depth", "2"]
    flags += ["--trainer.default_root_dir", str(tmp_path), "--trainer.accelerator", "cpu", "--trainer.max_epochs", "3"]
    run_main([*flags, "--trainer.enable_progress_bar", "false"])
    folder = tmp_path / "carvana" / "version_0"
    with (folder / "metrics.csv").open() as file:
        losses = [float(row["val/dice_loss"]) for row in csv.DictReader(file) if row.get("val/dice_loss")]
    assert json.loads((folder / "metrics.json").read_text())["best/val/dice_loss"] == pytest.approx(min(losses))


def test_without_validation_the_last_epoch_is_the_best(carvana_root: Path, tmp_path: Path) -> None:
    flags = ["fit", "--config", str(CONFIGS / "carvana.yaml"), "--data.root", str(carvana_root)]
    flags += ["--data.image_size", "32", "--data.num_workers", "0", "--data.val_fraction", "0", "--model.width", "2"]
    flags += ["--model.depth", "2", "--model.monitor", "val/dice_loss", "--trainer.max_epochs", "2"]
    flags += ["--trainer.default_root_dir", str(tmp_path), "--trainer.accelerator", "cpu"]
    run_main([*flags, "--trainer.enable_progress_bar", "false"])
    checkpoints = tmp_path / "carvana" / "version_0" / "checkpoints"
    best, last = (torch.load(checkpoints / f"{name}.ckpt", weights_only=True) for name in ("best", "last"))
    assert best["epoch"] == last["epoch"] == 1
    run_main(["test", "--run", str(tmp_path / "carvana"), "--trainer.enable_progress_bar", "false"])


def test_early_stopping_needs_validation(carvana_root: Path, mistake: Callable[[list[str]], str]) -> None:
    flags = ["fit", "--config", str(CONFIGS / "carvana.yaml"), "--data.root", str(carvana_root)]
    line = mistake([*flags, "--data.val_fraction", "0", "--early_stopping", "3"])
    assert "early_stopping needs pictures to validate on; give --data.val_fraction above 0" in line


@pytest.mark.parametrize("model", ["MobileNetV2UNetTask", "SmpTask"])
def test_other_networks_take_carvana_with_one_logit(carvana_root: Path, tmp_path: Path, model: str) -> None:
    flags = ["fit", "--model", model, "--model.encoder_weights", "null", "--model.freeze_encoder", "false"]
    flags += ["--data", "CarvanaDataModule", "--data.root", str(carvana_root), "--data.image_size", "32"]
    flags += ["--data.num_workers", "0", "--trainer.limit_train_batches", "1", "--trainer.limit_val_batches", "1"]
    flags += ["--trainer.default_root_dir", str(tmp_path), "--trainer.accelerator", "cpu", "--trainer.max_epochs", "1"]
    run_main([*flags, "--data.val_fraction", "0.17", "--trainer.enable_progress_bar", "false"])
    hparams = torch.load(next(tmp_path.rglob("last.ckpt")), weights_only=True)["hyper_parameters"]
    assert (hparams["num_classes"], hparams["class_names"]) == (1, ["background", "car"])
