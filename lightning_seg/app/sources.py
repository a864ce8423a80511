"""A trained model as the page asks it: again and again, each time with other settings."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from lightning_seg.app.controls import Control, controls_of
from lightning_seg.model_file import Kind
from lightning_seg.predictor import Predictor
from lightning_seg.serving.applied import apply_file
from lightning_seg.serving.model_file import ExportedModel

FILES_AT_ONCE = 4
"""Settings of an exported model for which it stays in memory."""
Ask = Callable[[str | Path], Any]


class Source(NamedTuple):
    """A model that answers pictures."""

    name: str  # of the run or file
    about: str  # a line about it
    kind: Kind
    found_names: tuple[str, ...]  # what its answers call what they have found
    class_names: tuple[str, ...]
    controls: tuple[Control, ...]
    with_options: Callable[[Mapping[str, Any]], Ask]
    """How it answers pictures with these settings.

    Raises:
        ConfigError: if a setting is impossible.
    """

    def ask(self, picture: str | Path, options: Mapping[str, Any]) -> Any:
        """The answer to a file, see ``Predictor``."""
        return self.with_options(options)(picture)


def source_of(path: str | Path, device: str | None = None) -> Source:
    """A run, a checkpoint, or an exported file, which ends in ``.onnx`` and needs no torch."""
    return source_of_file(path, device) if str(path).lower().endswith(".onnx") else source_of_run(path, device)


def source_of_run(path: str | Path, device: str | None = None, trust: Sequence[str] = ()) -> Source:
    """The best checkpoint of a run, or a checkpoint file.

    Raises:
        ConfigError: see ``Predictor.from_run``.
    """
    from lightning_seg.export.whole import kind_of
    from lightning_seg.runs import training_done
    from lightning_seg.tasks.applied import load_answering

    name, checkpoint = _found(path)
    task, size = load_answering(checkpoint, trust)

    def with_options(options: Mapping[str, Any]) -> Predictor:
        return Predictor(task, size, device, **options)

    # Where the device does not exist, it is said before the page is open.
    own = with_options({}).inference
    return Source(
        name,
        f"{type(task).__name__} at {_seen(size)}, {checkpoint.name} of {training_done(checkpoint)}",
        kind_of(task),
        task.reported_names(),
        task.known_class_names(),
        tuple(controls_of(own, task.knobs())),
        with_options,
    )


def _found(path: str | Path) -> tuple[str, Path]:
    """What a run is called on the page, and its checkpoint."""
    from lightning_seg.runs import find_run

    file = Path(path).expanduser()
    if file.is_file():
        # Also one without a run around it.
        return "/".join(file.absolute().parts[-3:]), file
    run = find_run(path)
    # Of a run its folder, with the one around it.
    return run.address or "/".join(run.folder.absolute().parts[-2:]), run.checkpoint("best")


def source_of_file(path: str | Path, device: str | None = None) -> Source:
    """An exported model.

    Raises:
        ConfigError: see ``Predictor.from_file``.
    """

    @lru_cache(maxsize=FILES_AT_ONCE)
    def opened(options: tuple[tuple[str, Any], ...]) -> Predictor:
        return Predictor.from_file(path, device, **dict(options))

    applied = apply_file(ExportedModel(path, device), {})
    about = applied.about
    return Source(
        Path(path).name,
        f"{about.task.rpartition('.')[2]} at {_seen(about.image_size)}, exported in {about.precision}",
        about.kind,
        about.label_names,
        about.class_names,
        tuple(controls_of(applied.inference, applied.knobs())),
        lambda options: opened(tuple(options.items())),
    )


def _seen(size: tuple[int, int] | None) -> str:
    return "any size" if size is None else f"{size[1]} x {size[0]} pixels"
