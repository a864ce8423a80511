"""Where a run's config would have other commands than ``fit`` write, and what they would remove.

A run may come from a stranger. What he says about folders counts for nothing there, unless the user types it or trusts
the config.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

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
    lines: list[str] = []
    if not _says(typed, "callbacks"):
        # There is nothing to keep, and Lightning's OnExceptionCheckpoint removes the file of its name at the end.
        given["callbacks"] = [one for one in given["callbacks"] if not isinstance(one, Checkpoint)]
        lines += _move_writers(given["callbacks"], output)
    if isinstance(given["profiler"], Profiler) and not _says(typed, "profiler"):
        lines += _move_profiler(given["profiler"], folder)
    return lines


def _move_writers(callbacks: Any, output: Path) -> Iterator[str]:
    for writer in callbacks:
        if isinstance(writer, PredictionWriter) and writer.output != output:
            yield _line("trainer.callbacks", type(writer).__name__, output, writer.output)
            writer.files.output = output


def _move_profiler(profiler: Profiler, folder: Path) -> Iterator[str]:
    """Its files have names of their own, which may not lead out of the folder either."""
    before = profiler.dirpath
    if profiler.filename is not None:
        profiler.filename = Path(profiler.filename).name
    profiler.dirpath = folder
    if before is not None and Path(before).resolve() != folder.resolve():
        yield _line("trainer.profiler", type(profiler).__name__, folder, before)


def _line(place: str, name: str, now: Path, before: Any) -> str:
    return f"{place}: {name} writes into {now}, and not into {before} as the config of the run says; {REMEDY}"


def _says(typed: Typed, name: str) -> bool:
    """Whether the user has typed an argument of the trainer, or written it into a config that he has typed."""
    sections = (content.get("trainer") for content in typed.contents)
    flag = f"--trainer.{name}"
    return any(isinstance(section, Mapping) and name in section for section in sections) or any(
        one.rstrip("+") == flag or one.startswith(f"{flag}.") for one, _ in typed.flags
    )
