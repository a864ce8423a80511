"""What a reader and a type checker see of constructors that hand arguments on is what their base classes take."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from jsonargparse import ArgumentParser

import lightning_seg
from lightning_seg.datamodules import options as of_data
from lightning_seg.datamodules.base import DataModule
from lightning_seg.tasks import options as of_tasks
from lightning_seg.tasks.classification import ClassificationTask
from lightning_seg.tasks.segmentation import SegmentationTask
from lightning_seg.tasks.supervised import SupervisedTask

KINDS = [
    getattr(lightning_seg, name)
    for name in lightning_seg.__all__
    if name.endswith(("Task", "DataModule")) and name != "PicturesDataModule"
]
GIVEN_BY_THE_CLASS = {"model"}


def unpacked(kind: type) -> dict[str, Any]:
    """The TypedDict behind ``**options`` in the source, name by name."""
    tree = ast.parse(inspect.getsource(inspect.getmodule(kind)))  # type: ignore[arg-type]
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == kind.__name__)
    constructors = [node for node in body.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"]
    if not constructors or constructors[0].args.kwarg is None:
        return {}
    annotation = constructors[0].args.kwarg.annotation
    assert annotation is not None
    name = ast.unparse(annotation).removeprefix("Unpack[").rstrip("]")
    return get_type_hints(getattr(of_tasks, name, None) or getattr(of_data, name))


def own(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind.__init__)  # type: ignore[misc]
    parameters = inspect.signature(kind.__init__).parameters.values()  # type: ignore[misc]
    return {one.name: hints.get(one.name) for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD}


def taken_by_bases(kind: type) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for base in kind.__mro__[1:]:
        if issubclass(base, SupervisedTask | DataModule) and "__init__" in vars(base):
            found = {**own(base), **found}
    return {name: hint for name, hint in found.items() if name not in {*GIVEN_BY_THE_CLASS, "self"}}


@pytest.mark.parametrize("kind", [*KINDS, SegmentationTask, ClassificationTask], ids=lambda kind: kind.__name__)
def test_what_is_handed_on_is_what_the_base_takes_and_is_not_given_already(kind: type) -> None:
    told, bases = unpacked(kind), taken_by_bases(kind)
    if not told:
        # Without a constructor of its own, it has that of its base.
        assert "__init__" not in vars(kind)
        return
    given = set(own(kind))
    if kind.__name__.startswith(("Carvana", "Flowers", "StanfordDogs", "OxfordPetLabels")):
        given |= {"test_fraction"}
    assert told.keys() == bases.keys() - given
    assert {name: hint for name, hint in told.items() if bases[name] != hint} == {}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_command_line_has_the_defaults_of_all_arguments(kind: type) -> None:
    parser = ArgumentParser()
    names = parser.add_class_arguments(kind, skip={"model"}, fail_untyped=False)
    assert {*unpacked(kind)} <= {*names}
    defaults = parser.get_defaults()
    for name in unpacked(kind):
        assert name in defaults
        shown = next(action for action in parser._actions if action.dest == name)
        assert shown.help, f"{name} has no documentation"


def test_a_misspelt_argument_is_found_by_a_type_checker(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from lightning_seg import FlowersDataModule, MobileNetV2UNetTask\n"
        "MobileNetV2UNetTask(dice_weight=1.0, optimizer='adamw')\n"
        "FlowersDataModule('data', cache='ram')\n"
        "MobileNetV2UNetTask(dice_wieght=1.0)\n"
        "FlowersDataModule('data', cahce='ram')\n"
        "MobileNetV2UNetTask(dice_weight='much')\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    lines = [
        line.partition("script.py:")[2].partition(":")[0] for line in done.stdout.splitlines() if ": error:" in line
    ]
    assert lines == ["4", "5", "6"], done.stdout
