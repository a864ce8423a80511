"""The map of the code: rooms on floors, imports point down only."""

import ast
from pathlib import Path

import pytest

import lightning_seg

PACKAGE = Path(lightning_seg.__file__).parent
FLOORS = (
    (
        *("answers", "class_arguments", "cores", "errors", "files", "memory"),
        *("process_tree", "progress", "signatures", "spelling"),
    ),
    (
        "batch",
        "checkpoint_io",
        "checkpoints",
        "configs",
        "explaining",
        "images",
        "json_files",
        "locks",
        "mask_encoding",
        "model_file",
        "numbers",
        "prediction_folder",
        "stopping",
        "tables",
        "yaml_files",
    ),
    ("hub", "measuring", "pages", "picture_table", "run_files", "temporary", "transfer"),
    ("models", "losses", "metrics", "augmentation", "synthetic", "plots", "inference"),
    ("datasets", "prediction_files", "tasks"),
    ("datamodules", "callbacks", "serving", "tuning"),
    ("export", "runs", "trust"),
    ("arguments", "predictor", "comparison", "trainer"),
    ("card", "cli", "doctor", "report"),
    ("app",),
    ("commands",),
    ("__main__",),
)
DATA_SIDE = {"synthetic", "datasets", "augmentation", "datamodules"}
MODEL_SIDE = {"models", "losses", "metrics", "tasks"}
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(source: str) -> set[str]:
    """The rooms of ``lightning_seg`` that a file imports, wherever in the file it does."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    parts = [name.split(".") for name in names]
    return {part[1] for part in parts if part[0] == "lightning_seg" and len(part) > 1}


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    room = room_of(path)
    for other in imported_rooms(path.read_text()) - {room}:
        assert FLOOR_OF[other] < FLOOR_OF[room], f"{room} (floor {FLOOR_OF[room]}) imports {other}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_data_side_and_model_side_do_not_meet(path: Path) -> None:
    room, others = room_of(path), imported_rooms(path.read_text())
    if room in DATA_SIDE:
        assert not others & MODEL_SIDE
    if room in MODEL_SIDE:
        assert not others & DATA_SIDE


def test_models_know_no_lightning() -> None:
    for path in (PACKAGE / "models").rglob("*.py"):
        assert "pytorch_lightning" not in path.read_text(), path


def test_every_room_is_on_the_map_and_none_is_called_utils() -> None:
    rooms = {room_of(path) for path in FILES}
    assert rooms == set(FLOOR_OF)
    assert not [path for path in FILES if "util" in path.name]


def test_the_check_sees_an_import_that_points_up() -> None:
    assert imported_rooms(
        "def f():\n    from lightning_seg.tasks.segmentation import X\n    import lightning_seg.cli"
    ) == {
        "tasks",
        "cli",
    }
