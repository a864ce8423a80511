"""The contract of exported files: what they tell about themselves is read as it was written, or refused in one line."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from lightning_seg.errors import ConfigError
from lightning_seg.model_file import INPUTS, OUTPUTS, ModelFile

PETS = ModelFile(
    kind="masks",
    task="lightning_seg.tasks.MobileNetV2UNetTask",
    class_names=("pet", "background", "border"),
    label_names=("pet", "background", "border"),
    colors=((31, 119, 180), (255, 127, 14), (44, 160, 44)),
    image_size=(128, 96),
    versions={"torch": "2.14.1"},
    checked={"pictures": 8, "probs": 1e-5},
    epoch=3,
)


def test_what_was_written_is_read() -> None:
    assert ModelFile.from_json(PETS.to_json(), "m.onnx") == PETS
    boxes = replace(PETS, kind="boxes", image_size=None, threshold=0.4, knobs={"scales": [2, 3]})
    assert ModelFile.from_json(boxes.to_json(), "m.onnx") == boxes


def test_the_json_is_what_other_programs_read() -> None:
    content = json.loads(PETS.to_json())
    assert content["format"] == 1
    assert content["image_size"] == [128, 96]
    assert content["class_names"] == ["pet", "background", "border"]
    assert content["colors"][1] == [255, 127, 14]


def test_every_kind_has_inputs_and_outputs() -> None:
    assert set(INPUTS) == set(OUTPUTS) == {"masks", "labels", "boxes"}


def _changed(**values: object) -> str:
    return json.dumps({**json.loads(PETS.to_json()), **values})


def test_what_later_versions_add_is_passed_over() -> None:
    assert ModelFile.from_json(_changed(author="somebody"), "m.onnx") == PETS


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "no model of this package"),
        ("", "no model of this package"),
        ("{", "no model of this package"),
        ("[1]", "no model of this package"),
        ("[" * 100_000, "no model of this package"),
        ('{"kind": "masks"}', "no model of this package"),
        (_changed(format=2), "its format is 2, and this version reads 1; install a newer"),
        (_changed(kind="poses"), "kind 'poses' is not one of masks, labels, boxes"),
        (_changed(kind=["masks"]), "kind ('masks',) is not one of"),
        (_changed(class_names=[]), "class_names () is not a list of names"),
        (_changed(class_names=[1]), "class_names (1,) is not a list of names"),
        (_changed(image_size=[0, 5]), "image_size (0, 5) is not a height and a width"),
        (_changed(image_size=[True, 5]), "image_size (True, 5) is not a height and a width"),
        (_changed(colors=[[1, 2, 256]]), "colors ((1, 2, 256),) is not a list of colours"),
        (_changed(threshold=2), "threshold 2 is not a number between 0 and 1"),
        (_changed(knobs=3), "knobs 3 is not a mapping"),
        ('{"format": 1, "kind": "masks"}', "missing"),
    ],
)
def test_other_metadata_are_refused_in_one_line(text: str | None, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ModelFile.from_json(text, "m.onnx")
    assert reason in str(caught.value)
    assert str(caught.value).startswith("m.onnx: ")
    assert "\n" not in str(caught.value)


def test_it_needs_no_torch() -> None:
    code = "import sys, lightning_seg.model_file; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
