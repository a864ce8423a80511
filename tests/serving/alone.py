"""Processes in which exported models must do without torch and what comes with it: an import of these is an error."""

import os
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

FORBIDDEN = (
    *("torch", "pytorch_lightning", "torchvision", "timm", "lightning", "torchmetrics"),
    # What is not in requirements-onnx.txt, or takes long to import.
    *("jsonargparse", "docstring_parser", "albumentations", "scipy", "yaml", "tensorboard", "jinja2", "onnx"),
)
GUARD = """
import sys

class Guard:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {forbidden}:
            raise ModuleNotFoundError(f"{{name}} must not be imported", name=name)

sys.meta_path.insert(0, Guard())
{script}
print("imported:", sorted(set({forbidden}) & set(sys.modules)))
sys.exit(code)
"""
MAIN = "from lightning_seg.__main__ import main\ncode = main(sys.argv[1:])"
ROOT = Path(__file__).parents[2]


def command_alone(script: str, words: Collection[str] = (), forbidden: Collection[str] = FORBIDDEN) -> list[str]:
    """What starts a script under guard; its exit code is its ``code``, its last line tells what was imported."""
    return [sys.executable, "-c", GUARD.format(forbidden=tuple(forbidden), script=script), *words]


def run_alone(
    script: str, words: Collection[str] = (), folder: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command_alone(script, words), cwd=folder, env=env, capture_output=True, text=True, check=False
    )
