"""``lightning-seg predict --model model.onnx`` as a user types it, on models that are made by hand."""

import errno
import inspect
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import onnx
import pytest
import torch
from jsonargparse import ArgumentParser
from PIL import Image
from torch.nn import functional as F

from lightning_seg.__main__ import main
from lightning_seg.arguments import add_own_flags
from lightning_seg.commands.predict import flag_parser
from lightning_seg.images import Array, read_image_at
from lightning_seg.inference.knobs import KINDS
from lightning_seg.inference.labels import LabelInference
from lightning_seg.inference.masks import MaskInference
from lightning_seg.model_file import PROPERTY
from lightning_seg.tables import read_rows
from lightning_seg.trainer.run_trainer import RunTrainer
from tests.serving.alone import MAIN, run_alone
from tests.serving.onnx_files import BOXES, NAMES, write_boxes, write_labels, write_masks
from tests.serving.test_same_as_torch import as_tensor, convolved

OF_RUNS = {"self", "model", "datamodule", "ckpt_path", "weights_only", "return_predictions"}
"""Arguments of ``RunTrainer.predict`` that are about checkpoints or Lightning."""
SIZES = {"a": (40, 50), "b": (24, 32), "c": (75, 31), "large": (300, 420)}
Line = Callable[[list[str]], str]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_masks(folder / "masks.onnx")
    write_masks(folder / "two.onnx", class_names=("no", "yes"), label_names=("no", "yes"), colors=())
    write_labels(folder / "labels.onnx")
    write_boxes(folder / "boxes.onnx")
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Pictures of several sizes, a JPEG that is decoded at a scale, and a file that is no picture."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed, (name, (height, width)) in enumerate(SIZES.items()):
        rough = np.random.default_rng(seed).integers(0, 256, (height // 9 + 2, width // 9 + 2, 3), np.uint8)
        suffix = "jpg" if name == "large" else "png"
        Image.fromarray(rough).resize((width, height), Image.Resampling.BICUBIC).save(folder / f"{name}.{suffix}")
    (folder / "broken.png").write_text("no picture")
    return folder


@pytest.fixture
def mistake(capsys: pytest.CaptureFixture[str]) -> Line:
    """The one line of a command that a user has typed wrong."""

    def said(words: list[str]) -> str:
        assert main(words) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        return line.removeprefix("lightning-seg: error: ")

    return said


def predict(model: Path, images: Path, output: Path, *flags: str) -> dict[str, dict[str, str]]:
    code = main(["predict", "--model", str(model), "--images", str(images), "--output", str(output), *flags])
    rows = read_rows(output / "predictions.csv")
    assert code == (3 if any(row["error"] for row in rows) else 0)
    return {Path(row["picture"]).stem: row for row in rows}


def shown(photo: Path, size: tuple[int, int] | None) -> torch.Tensor:
    return as_tensor(read_image_at(photo, size).pixels[None].copy())


def two_classes(images: torch.Tensor) -> torch.Tensor:
    from tests.serving.onnx_files import weights

    return F.conv2d(images.float() / 255, torch.from_numpy(weights(2)), padding=1).softmax(dim=1)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("masks", {}),
        ("masks", {"tta": "d4"}),
        ("masks", {"tile": 24, "overlap": 10, "tile_batch": 3}),
        ("masks", {"tile": 16, "overlap": 4, "tta": "hflip"}),
        ("two", {"threshold": 0.7}),
    ],
)
def test_masks_and_their_numbers_are_those_of_a_run(
    models: Path, photos: Path, tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    flags = [word for knob, value in options.items() for word in (f"--{knob}", str(value))]
    table = predict(models / f"{name}.onnx", photos, tmp_path / "out", "--keep_probs", "true", *flags)
    how = MaskInference(keep_probs=True, **options)
    for stem, size in SIZES.items():
        (photo,) = photos.glob(f"{stem}.*")
        seen = shown(photo, None if how.tile else (24, 32))
        (expected,) = how.predict(convolved if name == "masks" else two_classes, seen, [size])
        mask = np.asarray(Image.open(tmp_path / "out" / table[stem]["mask"]))
        differing = (mask != expected.mask.numpy()).mean()
        assert differing <= 0.001
        assert float(table[stem]["confidence"]) == pytest.approx(expected.confidence, abs=2e-5)
        assert float(table[stem]["entropy"]) == pytest.approx(expected.entropy, abs=2e-5)
        assert int(table[stem]["width"]) == size[1]
        kept = np.load(tmp_path / "out" / "probs" / f"{stem}.npy")
        assert expected.probs is not None
        np.testing.assert_allclose(kept, expected.probs.numpy(), rtol=0, atol=1e-3)
        assert Image.open(tmp_path / "out" / table[stem]["overlay"]).size == size[::-1]
    assert "cannot be read as a picture" in table["broken"]["error"]
    assert (tmp_path / "out" / "most_uncertain.png").is_file()


def test_plots_have_the_formats_that_were_asked_for(models: Path, photos: Path, tmp_path: Path) -> None:
    predict(models / "masks.onnx", photos, tmp_path / "out", "--plots", "svg", "--tint_background", "true")
    assert [path.name for path in (tmp_path / "out").glob("most_uncertain.*")] == ["most_uncertain.svg"]
    text = (tmp_path / "out" / "most_uncertain.svg").read_text()
    assert all(f">{name}</text>" in text for name in NAMES)


def test_labels_have_no_background(models: Path, photos: Path, tmp_path: Path, mistake: Line) -> None:
    words = ["predict", "--model", str(models / "labels.onnx"), "--images", str(photos), "--output", str(tmp_path)]
    reason = "tint_background is about masks, and the model predicts none; leave it out"
    assert reason in mistake([*words, "--tint_background", "true"])


@pytest.mark.parametrize("tta", [None, "flips"])
def test_labels_are_those_of_a_run(
    models: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], tta: Any
) -> None:
    table = predict(models / "labels.onnx", photos, tmp_path / "out", *([] if tta is None else ["--tta", tta]))
    lines = capsys.readouterr().out.splitlines()
    for stem in SIZES:
        (photo,) = photos.glob(f"{stem}.*")
        (expected,) = LabelInference(tta).predict(
            lambda images: convolved(images).mean(dim=(2, 3)), shown(photo, (24, 32))
        )
        row = table[stem]
        assert row["label"] == NAMES[expected.label]
        for name, prob in zip(NAMES, expected.probs.tolist(), strict=True):
            assert float(row[f"prob/{name}"]) == pytest.approx(prob, abs=2e-5)
        assert float(row["entropy"]) == pytest.approx(expected.entropy, abs=2e-5)
        assert any(line.startswith(f"{photo}: {row['label']} ") for line in lines)
    assert lines[-1] == str(tmp_path / "out")


def test_boxes_are_those_of_the_file(models: Path, photos: Path, tmp_path: Path) -> None:
    table = predict(models / "boxes.onnx", photos, tmp_path / "out")
    # At the threshold of the export, 0.5, two of the three.
    assert table["a"]["detections"] == "2"
    record = json.loads((tmp_path / "out" / "a.json").read_text())
    assert [one["box"] for one in record["detections"]] == BOXES[:2].astype(float).round(1).tolist()
    assert [one["label"] for one in record["detections"]] == ["car", "sky"]
    assert Image.open(tmp_path / "out" / "boxes" / "a.jpg").size == (50, 40)
    assert predict(models / "boxes.onnx", photos, tmp_path / "out", "--threshold", "0.1")["a"]["detections"] == "3"
    assert predict(models / "boxes.onnx", photos, tmp_path / "out", "--scales", "[2, 3]")["a"]["detections"] == "2"


def test_a_threshold_of_the_export_holds_unless_another_is_typed(tmp_path: Path, photos: Path) -> None:
    model = write_masks(
        tmp_path / "m.onnx", class_names=("no", "yes"), label_names=("no", "yes"), colors=(), threshold=0.99
    )
    strict = predict(model, photos / "a.png", tmp_path / "out")["a"]
    lax = predict(model, photos / "a.png", tmp_path / "out", "--threshold", "0.01")["a"]
    assert int(strict["pixels/yes"]) < int(lax["pixels/yes"])


def test_without_output_it_writes_here(
    models: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert (
        main(["predict", f"--model={models / 'labels.onnx'}", "--images", str(photos / "a.png"), "photos/b.png"]) == 0
    )
    assert len(read_rows(tmp_path / "predictions" / "predictions.csv")) == 2


def own_flag_text(name: str) -> str:
    """What ``fit --help`` says of a flag that belongs to no class."""
    parser = ArgumentParser()
    add_own_flags(parser)
    return str({one.dest: one.help for one in parser._actions}[name])


def test_the_flags_are_those_of_a_run() -> None:
    wanted = inspect.signature(RunTrainer.predict).parameters.keys() - OF_RUNS
    flags = {one.dest: one for one in flag_parser()._actions if one.dest not in ("help", "model")}
    # The formats of plots are also those of other commands.
    assert flags.keys() == wanted | {"plots"}
    texts = {
        line.split(":", 1)[0].strip(): line.split(":", 1)[1].strip()
        for line in (inspect.getdoc(RunTrainer.predict) or "").splitlines()
        if line.startswith("    ")
    }
    texts["plots"] = own_flag_text("plots")
    for name in flags.keys() - {"images", "output"}:
        assert (flags[name].help or "").replace("%%", "%") == texts[name]


@pytest.mark.parametrize(
    ("flag", "text", "value"),
    [
        ("tile", "512", 512),
        ("tile", "null", None),
        ("threshold", "0.25", 0.25),
        ("tta", "d4", "d4"),
        ("keep_probs", "true", True),
        ("keep_probs", "false", False),
        ("cam", "true", True),
        ("scales", "[2, 3.5]", (2.0, 3.5)),
        ("merge", "nms", "nms"),
    ],
)
def test_values_are_read_as_those_of_a_run(flag: str, text: str, value: Any) -> None:
    assert any(flag in get_type_hints(kind) for kind in KINDS)
    assert getattr(flag_parser().parse_args(["--model", "m.onnx", f"--{flag}", text]), flag) == value


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--tile", "x"], "--tile: 'x' is not a whole number, or null"),
        (["--tile", "0"], "tile 0 is too small"),
        (["--tta", "vflip"], "--tta: 'vflip' is not one of hflip, flips, d4, or null"),
        (["--keep_probs", "maybe"], "--keep_probs: 'maybe' is not true or false"),
        (["--overlap", "8"], "overlap 8 is of tiles; give --tile"),
        (["--plots", "gif"], "plots gif: 'gif' is no format of a plot; give png, svg or pdf"),
        (["--tint_background", "2"], "--tint_background: '2' is not true or false"),
        (["--threshold", "0.5"], "threshold 0.5 separates two classes, this model has 3"),
        (["--detector", "crops"], "detector means nothing to"),
        (["--tile"], "--tile: expected one argument"),
        (["--trainer.devices", "2"], "--trainer.devices means nothing to an exported file; leave it out"),
        (["--data.batch_size=4"], "--data.batch_size means nothing to an exported file"),
        (["--config", "pets"], "--config is of a run, and --model names an exported file; give one of them"),
        (["--model", "other.onnx"], "masks.onnx and other.onnx; give one"),
        (["--run", "runs/pets"], "--run is of a run, and --model names an exported file; give one of them"),
    ],
)
def test_what_cannot_be_asked_is_one_line(
    models: Path, photos: Path, tmp_path: Path, mistake: Line, flags: list[str], reason: str
) -> None:
    words = ["predict", "--model", str(models / "masks.onnx"), "--images", str(photos / "a.png")]
    assert reason in mistake([*words, "--output", str(tmp_path / "out"), *flags])


def test_an_exported_file_has_no_gradients_for_activation_maps(models: Path, photos: Path, mistake: Line) -> None:
    words = ["predict", "--images", str(photos / "a.png"), "--cam", "true", "--model"]
    assert mistake([*words, str(models / "labels.onnx")]) == (
        f"cam: {models / 'labels.onnx'} gives probabilities and no gradients, which a class activation map is made of; "
        "predict with --run"
    )
    assert "cam means nothing to" in mistake([*words, str(models / "masks.onnx")])


def test_pictures_have_to_be_given(models: Path, mistake: Line) -> None:
    assert "knows no dataset; give --images" in mistake(["predict", "--model", str(models / "masks.onnx")])


@pytest.mark.parametrize(
    ("flag", "value", "remedy"),
    [
        (
            "--scales",
            "[2,4]",
            "finds objects with [2.0,3.0], as it was exported; export the run with --scales [2.0,4.0]",
        ),
        (
            "--merge",
            "none",
            "finds objects with fusion, as it was exported; export the run with --merge none, or predict",
        ),
        ("--tta", "hflip", "finds objects without tta, as it was exported; predict with --run"),
        ("--max_pixels", "9", "finds objects with 2000000, as it was exported; predict with --run"),
        ("--mask_format", "own", "boxes.onnx, a model of boxes, which takes threshold"),
    ],
)
def test_a_detector_finds_objects_as_it_was_exported(
    models: Path, photos: Path, mistake: Line, flag: str, value: str, remedy: str
) -> None:
    line = mistake(["predict", "--model", str(models / "boxes.onnx"), "--images", str(photos), flag, value])
    assert remedy in line


def told(model: onnx.ModelProto, **changes: Any) -> None:
    """Change what the file tells about itself."""
    (entry,) = model.metadata_props
    entry.value = json.dumps({**json.loads(entry.value), **changes})


CHANGES: dict[str, Callable[[onnx.ModelProto], None]] = {
    "foreign": lambda model: model.metadata_props.clear(),
    "newer": lambda model: told(model, format=2),
    "output": lambda model: model.graph.output.pop(1),
    "classes": lambda model: told(model, class_names=["one"], label_names=["one"]),
}


def broken(kind: str, models: Path, path: Path) -> None:
    content = (models / "masks.onnx").read_bytes()
    if kind in CHANGES:
        model = onnx.load(models / "masks.onnx")
        CHANGES[kind](model)
        onnx.save(model, path)
    elif kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes({"cut": content[: len(content) // 2], "text": b"no model", "empty": b""}[kind])


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "no such file; give a file that lightning-seg export has written"),
        ("folder", "no such file"),
        ("cut", "cannot be read as ONNX, as if it had been cut off"),
        ("text", "cannot be read as ONNX"),
        ("empty", "cannot be read as ONNX"),
        ("foreign", f"no model of this package, since it has no metadata {PROPERTY!r}"),
        ("newer", "its format is 2, and this version reads 1; install a newer lightning_seg"),
        ("output", "it has no output 'probs', which masks need"),
        ("classes", "it answers with 3 classes and names 1"),
    ],
)
def test_files_that_are_no_model_are_one_line(
    models: Path, photos: Path, tmp_path: Path, mistake: Line, kind: str, reason: str
) -> None:
    path = tmp_path / "m.onnx"
    broken(kind, models, path)
    line = mistake(
        ["predict", "--model", str(path), "--images", str(photos / "a.png"), "--output", str(tmp_path / "o")]
    )
    assert line.startswith(f"{path}: ")
    assert reason in line


def test_a_detector_that_names_other_labels_is_one_line(photos: Path, tmp_path: Path, mistake: Line) -> None:
    path = write_boxes(tmp_path / "m.onnx", label_names=("one", "two"))
    words = ["predict", "--model", str(path), "--images", str(photos / "a.png")]
    assert "it answers with 3 labels and names 2" in mistake([*words, "--output", str(tmp_path / "out")])


def test_a_folder_with_files_of_another_origin_is_left_alone(
    models: Path, photos: Path, tmp_path: Path, mistake: Line
) -> None:
    (tmp_path / "out" / "masks").mkdir(parents=True)
    (tmp_path / "out" / "masks" / "mine.png").touch()
    words = ["predict", "--model", str(models / "masks.onnx"), "--images", str(photos), "--output"]
    assert "holds files of another origin" in mistake([*words, str(tmp_path / "out")])


def test_a_full_disk_is_one_line(
    models: Path, photos: Path, tmp_path: Path, mistake: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "out" / "masks" / "a.png"))

    monkeypatch.setattr("lightning_seg.prediction_files.masks.write_image", full)
    words = ["predict", "--model", str(models / "masks.onnx"), "--images", str(photos / "a.png")]
    assert "cannot be written (No space left on device" in mistake([*words, "--output", str(tmp_path / "out")])


def test_what_is_no_number_is_a_row_with_the_reason(tmp_path: Path, photos: Path) -> None:
    path = write_masks(tmp_path / "m.onnx")
    model = onnx.load(path)
    (scale,) = (one for one in model.graph.initializer if one.name == "scale")
    scale.CopyFrom(onnx.numpy_helper.from_array(np.array(np.nan, np.float32), "scale"))
    onnx.save(model, path)
    assert "is no number" in predict(path, photos / "a.png", tmp_path / "out")["a"]["error"]


@pytest.mark.parametrize("kind", ["masks", "labels", "boxes"])
def test_neither_torch_nor_lightning_is_imported(kind: str, models: Path, photos: Path, tmp_path: Path) -> None:
    words = ["predict", "--model", str(models / f"{kind}.onnx"), "--images", str(photos), "--output", "out"]
    done = run_alone(MAIN, words, tmp_path)
    assert done.returncode == 3, done.stderr
    assert done.stdout.splitlines()[-1] == "imported: []"
    assert len(read_rows(tmp_path / "out" / "predictions.csv")) == len(SIZES) + 1


def test_the_predictor_needs_no_torch_either(models: Path, photos: Path, tmp_path: Path) -> None:
    lines = [
        "from lightning_seg import Predictor",
        f"predictor = Predictor.from_file({str(models / 'masks.onnx')!r}, tta='hflip')",
        f"print(predictor({str(photos / 'a.png')!r}).mask.shape)",
        "code = 0",
    ]
    done = run_alone("\n".join(lines))
    assert done.stdout.splitlines() == ["(40, 50)", "imported: []"], done.stderr


@pytest.mark.skipif(not hasattr(signal, "SIGTERM"), reason="needs signals")
def test_a_signal_leaves_whole_rows_and_says_so(models: Path, tmp_path: Path) -> None:
    folder, table = tmp_path / "photos", tmp_path / "out" / "predictions.csv"
    folder.mkdir()
    picture: Array = np.random.default_rng(0).integers(0, 256, (400, 500, 3), np.uint8)
    for number in range(400):
        Image.fromarray(picture).save(folder / f"{number:03}.bmp")
    words = [sys.executable, "-m", "lightning_seg", "predict", "--model", str(models / "masks.onnx")]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(
        [*words, "--images", str(folder), "--output", str(tmp_path / "out"), "--tile", "32", "--overlap", "8"],
        env=env,
        stderr=subprocess.PIPE,
        text=True,
    )
    limit = time.monotonic() + 240
    while len(read_rows(table)) < 2 and time.monotonic() < limit:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    written = len(read_rows(table))
    assert 2 <= written < 400
    last = said.strip().splitlines()[-1]
    done = f"{written} pictures are done, files and rows of {table}; the same command does all of them again"
    assert last == f"lightning-seg: stopped by SIGTERM: {done}"


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [({"values": [7, 8, 9], "colours": []}, [7, 8, 9]), ({"values": ["#000000", "#ff0000", "#00ff00"]}, None)],
)
def test_masks_in_the_encoding_of_the_dataset(
    models: Path, photos: Path, tmp_path: Path, encoding: dict[str, Any], expected: list[int] | None
) -> None:
    model = write_masks(tmp_path / "own.onnx", mask_encoding=encoding)
    predict(model, photos, tmp_path / "own", "--mask_format", "own")
    predict(model, photos, tmp_path / "index", "--mask_format", "index")
    written = np.asarray(Image.open(tmp_path / "own" / "masks" / "a.png"))
    indices = np.asarray(Image.open(tmp_path / "index" / "masks" / "a.png"))
    if expected is None:
        assert written.shape == (*indices.shape, 3)
        np.testing.assert_array_equal(written[..., 0] == 255, indices == 1)
    else:
        np.testing.assert_array_equal(written, np.array(expected)[indices])


def test_files_that_do_not_tell_the_encoding_are_predicted_in_the_other_formats(
    models: Path, photos: Path, tmp_path: Path, mistake: Line
) -> None:
    words = ["predict", "--model", str(models / "masks.onnx"), "--images", str(photos), "--output", str(tmp_path / "o")]
    line = mistake([*words, "--mask_format", "own"])
    assert line.startswith(f"mask_format own: {models / 'masks.onnx'} does not tell what the masks hold")
    assert not (tmp_path / "o").exists()
    predict(models / "masks.onnx", photos, tmp_path / "index", "--mask_format", "index")
    assert Image.open(tmp_path / "index" / "masks" / "a.png").mode == "L"


def test_a_damaged_encoding_in_a_file_is_one_line(photos: Path, tmp_path: Path, mistake: Line) -> None:
    model = write_masks(tmp_path / "m.onnx", mask_encoding={"values": [0, "#ff0000", 2]})
    line = mistake(["predict", "--model", str(model), "--images", str(photos), "--output", str(tmp_path / "o")])
    assert f"{model}: its metadata are damaged (mask_encoding" in line


def test_a_file_knows_no_unlabelled_pictures(models: Path, tmp_path: Path, mistake: Line) -> None:
    line = mistake(["predict", "--model", str(models / "masks.onnx"), "--images", "unlabelled"])
    assert "knows no dataset; predict with --run" in line
