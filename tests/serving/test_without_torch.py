"""What commands say where only the packages of exported files are installed."""

from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from lightning_seg.explaining import explain, needed_packages
from tests.serving.alone import run_alone

MANY = """
import lightning_seg.commands.app
from lightning_seg.__main__ import main

# As if Gradio were installed.
lightning_seg.commands.app.find_spec = lambda name: name
code = 0
for words in {words}:
    assert main(words) == 2
"""


def test_commands_that_need_torch_say_so_in_one_line(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from tests.serving.onnx_files import write_boxes

    model = str(write_boxes(tmp_path / "model.onnx"))
    words = [
        ["predict", "--run", "runs/pets"],
        ["predict", "--model", "photo.jpg"],
        ["fit", "--config", "pets"],
        ["app", "--model", model, "--compare_with", "runs/pets", "--port", "0"],
        ["export", "--run", "runs/pets"],
        ["doctor", "--config", "pets"],
    ]
    done = run_alone(MANY.format(words=words), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == len(words)
    assert all(line.startswith("lightning-seg: error: this command needs the package ") for line in lines)
    assert lines[0] == (
        "lightning-seg: error: this command needs the package torch, which is not installed; pip install "
        "lightning_seg; exported files alone do without: predict --model model.onnx"
    )
    assert done.stdout.splitlines()[-1] == "imported: []"


def test_packages_are_named_as_they_are_installed() -> None:
    names = {
        name: {one.lower().replace("_", "-") for one in packages} for name, packages in packages_distributions().items()
    }
    needed = needed_packages()
    assert {"torch", "pytorch_lightning", "cv2", "PIL", "yaml", "albumentations"} <= needed.keys()
    assert all(package.replace("_", "-") in names[name] for name, package in needed.items())
    # Of an extra.
    assert "onnx" not in needed


def test_a_part_of_a_package_that_is_there_is_no_missing_package() -> None:
    with pytest.raises(ModuleNotFoundError) as raised:
        import torch.no_such_part  # type: ignore[import-not-found]  # noqa: F401
    assert explain(raised.value) is None
