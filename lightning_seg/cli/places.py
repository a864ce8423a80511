"""Where a run's config would have other commands than ``fit`` write, and what they would remove.

A run may come from a stranger. What he says about folders counts for nothing there, unless the user types it or trusts
the config.
"""

import inspect
from collections.abc import Collection, Iterator
from os.path import expanduser, realpath
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.profilers import Profiler

from lightning_seg.arguments import Typed
from lightning_seg.callbacks import PredictionWriter

REMEDY = "type it for another place, or give --trust_config"


def stay_inside(given: Any, typed: Typed, folder: Path, output: Path) -> list[str]:
    """Profiles go into the folder of the run, predictions to their usual place, and nothing keeps checkpoints.

    Args:
        given: the trainer's arguments, which are changed.
        typed: what the user says himself.
        folder: of the run.
        output: of predictions.

    Returns:
        A line for each place that is another one now.
    """
    if typed.trusts_config:
        return []
    own = typed.texts_at("trainer.callbacks")
    # There is nothing to keep, and Lightning's OnExceptionCheckpoint removes the file of its name at the end.
    given["callbacks"] = [one for one in given["callbacks"] if not isinstance(one, Checkpoint) or _is_typed(one, own)]
    lines = [*_move_writers(given["callbacks"], own, output)]
    if isinstance(given["profiler"], Profiler):
        lines += _move_profiler(given["profiler"], typed.texts_at("trainer.profiler"), folder)
    return lines


def _move_writers(callbacks: Any, own: Collection[str], output: Path) -> Iterator[str]:
    for writer in callbacks:
        if isinstance(writer, PredictionWriter) and writer.output != output and not _is_among(writer.output, own):
            yield _line("trainer.callbacks", type(writer).__name__, output, writer.output)
            writer.files.output = output


def _move_profiler(profiler: Profiler, own: Collection[str], folder: Path) -> Iterator[str]:
    """Its files have names of their own, which may not lead out of the folder either."""
    before = profiler.dirpath
    if profiler.filename is not None and profiler.filename not in own:
        profiler.filename = Path(profiler.filename).name
    if before is not None and _is_among(before, own):
        return
    profiler.dirpath = folder
    if before is not None and Path(before).resolve() != folder.resolve():
        yield _line("trainer.profiler", type(profiler).__name__, folder, before)


def _line(place: str, name: str, now: Path, before: Any) -> str:
    said = f"{place}: {name} writes into {now}, and not into {before} as the config of the run or its class says"
    return f"{said}; {REMEDY}"


def _is_typed(checkpoint: Callback, own: Collection[str]) -> bool:
    """Whether the user has typed its class and its places; of an object of the run he may have typed only another
    argument, and the parser hands arguments of one class on to the next in its place.
    """
    if type(checkpoint).__name__ not in {text.rpartition(".")[2] for text in own}:
        return False
    usual = inspect.signature(type(checkpoint)).parameters
    places = {name: getattr(checkpoint, name, None) for name in ("dirpath", "filename")}
    given = (value for name, value in places.items() if name not in usual or value != usual[name].default)
    return all(value is None or _is_among(value, own) for value in given)


def _is_among(place: Any, own: Collection[str]) -> bool:
    # An empty text would be the working folder, and a zero no path; Path refuses the home of somebody unknown.
    texts = (expanduser(text) for text in own if text and "\0" not in text)  # noqa: PTH111
    return "\0" not in str(place) and realpath(place) in set(map(realpath, texts))
