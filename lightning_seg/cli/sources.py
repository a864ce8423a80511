"""Sources of the values of a continued or applied run, and checks against the values of the run."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pytorch_lightning.utilities import rank_zero_only

from lightning_seg.arguments import ABSENT
from lightning_seg.checkpoints import CHECKPOINT_KEY, HYPER_PARAMETERS, read_checkpoint
from lightning_seg.class_arguments import class_of, parser_of
from lightning_seg.files import printable
from lightning_seg.runs import Run, training_done
from lightning_seg.tasks.resuming import TRAINED
from lightning_seg.yaml_files import read_yaml

Values = dict[str, Any]
SECTIONS = ("model", "data", "trainer")
SINGLE = ("seed_everything", "early_stopping", "ema", "swa", "on_nan", "plots")
"""Arguments outside of sections."""


def describe_sources(run: Run, checkpoint: Path, given: Mapping[str, Any], continues: bool) -> list[str]:
    """One line each: values of the run's config, values of the checkpoint, and values that were given instead.

    Args:
        run: the run that is continued or applied.
        checkpoint: the file its weights come from.
        given: the final config, as plain values.
        continues: the optimiser and the schedule are taken from the checkpoint too.
    """
    stored = read_yaml(run.config)
    lines = [f"{run.config}: {', '.join(_sections(stored))}"]
    content = "averaged weights" if not continues and TRAINED in read_checkpoint(checkpoint) else "weights"
    if continues:
        content += f", state of optimiser and schedule, {training_done(checkpoint)} done"
    lines.append(f"{checkpoint}: {content}")
    changes = list(_changes(stored, given))
    return [*lines, f"given: {', '.join(changes)}"] if changes else lines


@rank_zero_only
def tell(lines: Sequence[str]) -> None:
    """Print them, once."""
    print("\n".join(map(printable, lines)), flush=True)


def differences(checkpoint: Path, given: Mapping[str, Any], image_size: Sequence[int] | None) -> Iterator[str]:
    """One line for each setting that differs from the one that the weights were trained with.

    Args:
        checkpoint: the file of the weights; another library's is skipped.
        given: the task's arguments.
        image_size: (height, width) of the pictures for the network.
    """
    content = read_checkpoint(checkpoint) if checkpoint.is_file() else {}
    stored, origin = content.get(HYPER_PARAMETERS) or {}, content.get(CHECKPOINT_KEY) or {}
    before = {"normalization": stored.get("normalization"), "image_size": origin.get("image_size")}
    after = {"normalization": given.get("normalization"), "image_size": image_size and list(image_size)}
    for name, value in before.items():
        if value is not None and after[name] is not None and value != after[name]:
            yield (
                f"{checkpoint} was trained with {name} {_plain(value)}, now it is {_plain(after[name])}; --run takes "
                "it from the run"
            )


def _sections(stored: Mapping[str, Any]) -> Iterator[str]:
    """Every section with the values that are not its class's defaults."""
    for section in SECTIONS:
        values = stored.get(section)
        if not isinstance(values, Mapping):
            continue
        path = values.get("class_path", "pytorch_lightning.Trainer")
        defaults, own = _class_defaults(path), dict(values.get("init_args", values))
        chosen = [f"{name} {_plain(value)}" for name, value in own.items() if defaults.get(name, ABSENT) != value]
        name = path.rpartition(".")[2] if "class_path" in values else ""
        yield f"{section} {name}".strip() + (f" ({', '.join(chosen)})" if chosen else "")


def _class_defaults(class_path: str) -> Values:
    """The defaults of all arguments of a class, those of its base classes included."""
    parser = parser_of(class_of({"class_path": class_path}))
    return dict(yaml.safe_load(parser.dump(parser.get_defaults(), skip_none=False, skip_validation=True)))


def _changes(stored: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[str]:
    """Given values that differ from the run's."""
    for name in SINGLE:
        if name in stored and stored[name] != given.get(name):
            yield f"{name} {_plain(given.get(name))} instead of {_plain(stored[name])}"
    for section in SECTIONS:
        before, after = (_section_values(config.get(section)) for config in (stored, given))
        for name, value in after.items():
            if name in before and before[name] != value:
                yield f"{section}.{name} {_plain(value)} instead of {_plain(before[name])}"


def _section_values(section: Any) -> Values:
    if not isinstance(section, Mapping):
        return {}
    values = dict(section.get("init_args", {} if "class_path" in section else section))
    return {"class": section["class_path"], **values} if "class_path" in section else values


def _plain(value: Any) -> str:
    """A value as typed on the command line."""
    if isinstance(value, str):
        return value
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10_000)
    return text.removesuffix("...\n").strip()
