"""``lightning-seg export`` from the command line to the file, and what the file answers."""

import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from lightning_seg import Predictor
from lightning_seg.__main__ import main
from lightning_seg.export import exporting
from lightning_seg.export.weights_draft import WeightsDraft
from lightning_seg.images import Array
from lightning_seg.model_file import PROPERTY

RUNS = Path(__file__).parents[1] / "fixtures" / "old_runs"
"""Small trained networks of each kind."""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pictures of different sizes."""
    folder = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    for number, size in enumerate([(50, 41), (33, 80), (64, 64)]):
        small = Image.fromarray(generator.integers(0, 256, (6, 5, 3), dtype=np.uint8))
        small.resize(size, Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


def exported(kind: str, photos: Path, folder: Path, *flags: str) -> Path:
    path = folder / "model.onnx"
    words = ["--run", str(RUNS / kind), "--images", str(photos), "--output", str(path)]
    assert main(["export", *words, *flags]) == 0
    return path


@pytest.fixture(scope="module")
def masks(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported("classes", photos, tmp_path_factory.mktemp("masks"))


def noise(height: int, width: int) -> Array:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_masks_are_those_of_the_run_at_any_size(masks: Path) -> None:
    session = onnxruntime.InferenceSession(masks)
    predictor = Predictor.from_run(RUNS / "classes", device="cpu", keep_probs=True)
    for shape in ((16, 16), (37, 91), (200, 130), (5, 7)):
        pictures = [noise(*shape), noise(*shape)[::-1].copy()]
        mask, probs, confidence, entropy = session.run(None, {"images": np.stack(pictures)})
        assert (mask.dtype, mask.shape) == (np.uint8, (2, *shape))
        for index, picture in enumerate(pictures):
            wanted = predictor(picture)
            assert (mask[index] == wanted.mask).mean() >= 0.999
            # Kept probabilities have 16 bits.
            np.testing.assert_allclose(probs[index], wanted.probs, atol=1e-3)
            np.testing.assert_allclose(
                (confidence[index], entropy[index]), (wanted.confidence, wanted.entropy), atol=1e-4
            )


def test_the_file_tells_what_it_is(masks: Path) -> None:
    session = onnxruntime.InferenceSession(masks)
    told = json.loads(session.get_modelmeta().custom_metadata_map[PROPERTY])
    assert (told["format"], told["kind"], told["image_size"]) == (1, "masks", [16, 16])
    assert told["class_names"] == list(Predictor.from_run(RUNS / "classes").class_names)
    assert told["checked"]["pictures"] == 3 + 4 + 1 + 3
    assert told["checked"]["same"] >= 0.999
    assert len(told["checkpoint_sha256"]) == len(told["config_sha256"]) == 64
    assert [one.name for one in session.get_inputs()] == ["images"]


def test_the_file_knows_no_folder_of_the_machine(masks: Path) -> None:
    """It may be published."""
    content = masks.read_bytes()
    for place in (Path(__file__).parents[2], Path(torch.__file__).parent, Path.home(), RUNS):
        assert str(place).encode() not in content
    assert b"stack_trace" not in content


def test_the_sides_of_the_pictures_are_free(masks: Path) -> None:
    session = onnxruntime.InferenceSession(masks)
    assert session.get_inputs()[0].shape == ["N", "H", "W", 3]


def test_predict_writes_the_same_with_the_file_as_with_the_run(masks: Path, photos: Path, tmp_path: Path) -> None:
    for name, source in (("run", ["--run", str(RUNS / "classes")]), ("file", ["--model", str(masks)])):
        assert main(["predict", *source, "--images", str(photos), "--output", str(tmp_path / name)]) == 0
    run, file = (sorted(p.relative_to(tmp_path / n) for p in (tmp_path / n).rglob("*.*")) for n in ("run", "file"))
    assert run == file
    for path in (tmp_path / "run" / "masks").glob("*.png"):
        assert np.array_equal(
            np.asarray(Image.open(path)), np.asarray(Image.open(tmp_path / "file" / "masks" / path.name))
        )


def test_labels_are_those_of_the_run(photos: Path, tmp_path: Path) -> None:
    session = onnxruntime.InferenceSession(exported("classification", photos, tmp_path))
    predictor = Predictor.from_run(RUNS / "classification", device="cpu")
    for shape in ((8, 8), (37, 91), (3, 5)):
        label, probs, confidence, _ = session.run(None, {"images": noise(*shape)[None]})
        wanted = predictor(noise(*shape))
        assert predictor.class_names[label[0]] == wanted.label
        np.testing.assert_allclose(probs[0], list(wanted.probs.values()), atol=1e-5)
        assert abs(confidence[0] - wanted.confidence) < 1e-5


def test_boxes_are_those_of_the_run_merged(photos: Path, tmp_path: Path) -> None:
    path = exported("detector", photos, tmp_path, "--scales", "[1, 1.5]", "--threshold", "0.2")
    session = onnxruntime.InferenceSession(path)
    names = json.loads(session.get_modelmeta().custom_metadata_map[PROPERTY])["label_names"]
    predictor = Predictor.from_run(RUNS / "detector", device="cpu", scales=(1.0, 1.5), threshold=0.2)
    for shape in ((64, 64), (90, 140)):
        picture, boxes, scores, labels, *_ = session.run(None, {"images": np.stack([noise(*shape)] * 2)})
        wanted = predictor(noise(*shape))
        assert len(wanted.boxes)
        for index in (0, 1):
            mine = picture == index
            assert [names[label] for label in labels[mine]] == wanted.labels
            np.testing.assert_allclose(boxes[mine], wanted.boxes, atol=0.5)
            np.testing.assert_allclose(scores[mine], wanted.scores, atol=1e-3)


def test_a_file_that_answers_otherwise_is_not_written(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the format that takes the least time; all have one way to the file."""
    answer = WeightsDraft.answer

    def wrong(self: Any, images: Array) -> Any:
        said = answer(self, images)
        return {name: 1 - value if name == "mask" else value for name, value in said.items()}

    monkeypatch.setattr(WeightsDraft, "answer", wrong)
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"before")
    words = ["--run", str(RUNS / "one_logit"), "--images", str(photos), "--output", str(path)]
    words += ["--format", "safetensors"]
    assert main(["export", *words]) == 1
    assert path.read_bytes() == b"before"
    assert [one.name for one in tmp_path.iterdir()] == ["model.safetensors"]
    line = capsys.readouterr().err.splitlines()[-1]
    assert "the exported file answers otherwise than the run, most at" in line


def test_an_archive_of_torch_answers_as_the_run(photos: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.pt2"
    words = ["--run", str(RUNS / "one_logit"), "--images", str(photos), "--format", "torch", "--output", str(path)]
    assert main(["export", *words]) == 0
    with ZipFile(path) as archive:
        places = (Path(__file__).parents[2], Path(torch.__file__).parent, RUNS)
        content = b"".join(map(archive.read, archive.namelist()))
        assert not [place for place in places if str(place).encode() in content]
    texts = {PROPERTY: ""}
    mask, *_ = torch.export.load(path, extra_files=texts).module()(torch.from_numpy(noise(33, 47)[None]))
    assert np.array_equal(mask[0].numpy(), Predictor.from_run(RUNS / "one_logit", device="cpu")(noise(33, 47)).mask)
    assert json.loads(texts[PROPERTY])["kind"] == "masks"


def test_weights_are_those_of_the_checkpoint(photos: Path, tmp_path: Path) -> None:
    from safetensors import safe_open

    path = tmp_path / "model.safetensors"
    words = ["--run", str(RUNS / "classes"), "--images", str(photos), "--format", "safetensors", "--output", str(path)]
    assert main(["export", *words]) == 0
    wanted = torch.load(RUNS / "classes" / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    with safe_open(path, "pt") as file:
        assert {*file.keys()} == {*wanted}
        assert all(torch.equal(file.get_tensor(name), values) for name, values in wanted.items())
        assert json.loads(file.metadata()[PROPERTY])["kind"] == "masks"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "there is no run; give --run runs/pets"),
        (["--run", "nowhere"], "nowhere: no run there"),
        (["--run", "RUN", "--output", "model.pt"], "onnx files end in .onnx; give model.onnx"),
        (["--run", "RUN", "--format", "torch", "--quantize", "int8"], "format torch has no int8"),
        (["--run", "RUN", "--format", "safetensors", "--precision", "float16"], "leave precision out"),
        (["--run", "RUN", "--scales", "[2]"], "scales means nothing to UNetTask"),
        (["--run", "RUN", "--max_loss", "-1"], "max_loss -1"),
        (["--run", "RUN", "--quantize", "int8", "--precision", "float16"], "exclude each other"),
        (["--run", "RUN", "--quantize", "int8", "--images", "x"], "leave it out"),
        (["--run", "RUN", "--output", "/dev/null/model.onnx"], "cannot be written"),
        (["--run", "RUN"], "or give any pictures with --images"),
        (["--run", "RUN", "--images", "nowhere"], "nowhere"),
    ],
    ids=str,
)
def test_a_mistake_is_one_line(
    flags: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", *(str(RUNS / "classes") if word == "RUN" else word for word in flags)]) == 2
    error = capsys.readouterr().err.strip()
    assert said in error.splitlines()[-1]
    assert not [*tmp_path.glob("*.onnx")]


def test_without_the_libraries_of_onnx_one_line_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(exporting, "find_spec", lambda name: None)
    assert main(["export", "--run", str(RUNS / "classes"), "--images", "x"]) == 2
    assert "format onnx needs the package onnx; pip install 'lightning_seg[onnx]'" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("flags", "smaller"), [(["--precision", "float16"], 0.7), (["--quantize", "int8"], 0.5)])
def test_fewer_bits_are_judged_by_the_metric_of_the_run(
    flags: list[str],
    smaller: float,
    tmp_path: Path,
    pets_copy: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = tmp_path / "run"
    data = ["--config", "pets", "--data.root", str(pets_copy), "--data.image_size", "64", "--data.batch_size", "4"]
    small = ["--trainer.max_epochs", "1", "--model.encoder_weights", "null", "--model.freeze_encoder", "false"]
    assert main(["fit", *data, *small, "--run_folder", str(run)]) == 0
    whole, reduced = tmp_path / "whole.onnx", tmp_path / "reduced.onnx"
    assert main(["export", "--run", str(run), "--output", str(whole)]) == 0
    capsys.readouterr()
    assert main(["export", "--run", str(run), "--output", str(reduced), "--max_loss", "1", *flags]) == 0
    assert "miou of the run" in capsys.readouterr().out
    assert reduced.stat().st_size < smaller * whole.stat().st_size
    assert (
        main(
            ["predict", "--model", str(reduced), "--images", str(pets_copy / "images"), "--output", str(tmp_path / "o")]
        )
        == 0
    )
