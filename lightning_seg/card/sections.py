"""The text of a model card: one function for each section, which gives lines of Markdown."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lightning_seg.callbacks.run_record import EMA, SWA
from lightning_seg.card.facts import VERSION, RunFacts
from lightning_seg.card.kinds import kind_of
from lightning_seg.comparison.equality import as_typed
from lightning_seg.comparison.report import as_plural
from lightning_seg.files import printable
from lightning_seg.hub.address import Address

SYNTHETIC = "The pictures are synthetic, drawn by this package to try it out: the numbers say nothing about photos."
OF_DATA = ("seed", "val_fraction", "test_fraction", "group", "augment", "mixing", "image_size", "batch_size")


def text_of(facts: RunFacts, compared: Sequence[str], address: Address | None, files: Mapping[str, str]) -> str:
    """The card below its metadata.

    Args:
        facts: of the run.
        compared: lines about it from a comparison.
        address: its place on the hub; None if it has none.
        files: exported files beside the card by name, and what is to be said of each.
    """
    sections = {
        "Intended use and limits": _use(facts),
        "Data": _data(facts),
        "Results": _results(facts, compared),
        "Training": _training(facts),
        "How to load": _loading(facts, address, files),
        "What is left out": _left_out(facts),
    }
    paragraphs = [f"# {facts.title}", _what(facts)]
    for title, lines in sections.items():
        paragraphs += [f"## {title}", "\n".join(lines)]
    return "\n\n".join(paragraphs) + "\n"


def _what(facts: RunFacts) -> str:
    kind = kind_of(facts.task.kind)
    does = f"A network that {kind.does}. " if kind else ""
    return f"{does}{facts.task.what} Trained with `lightning_seg`, on PyTorch Lightning."


def _use(facts: RunFacts) -> Iterator[str]:
    if facts.class_names:
        yield f"Classes: {', '.join(map(_code, facts.class_names))}."
        yield ""
    kind = kind_of(facts.task.kind)
    yield from (f"* {limit}" for limit in (kind.limits if kind else ()))
    if facts.image_size is not None:
        height, width = facts.image_size
        yield f"* It has learned from pictures {width} pixels wide and {height} high, and sees others at this size."
    yield "* A confidence is no probability of being right until that was measured, on pictures of your own."
    yield "* It was measured on the data below alone. Other cameras, places, people or kinds of things were not tried."
    if facts.is_synthetic:
        yield f"* {SYNTHETIC}"


def _data(facts: RunFacts) -> Iterator[str]:
    if facts.data.source is None:
        yield f"Pictures of the author's own, read by {_code(facts.data.name)}."
    else:
        yield f"{_code(facts.data.name)}: {facts.data.what}"
        yield f"Source: {facts.data.source}"
    if facts.is_synthetic:
        yield ""
        yield SYNTHETIC
    yield ""
    given = dict((facts.config.get("data") or {}).get("init_args") or {})
    split = {name: given[name] for name in OF_DATA if given.get(name) is not None}
    yield from _table(
        ("how it was divided and shown", "value"), [(name, as_typed(value)) for name, value in split.items()]
    )


def _results(facts: RunFacts, compared: Sequence[str]) -> Iterator[str]:
    if not facts.is_best:
        yield "None are given: those of the run belong to its best checkpoint, and these weights are of another one."
        return
    for split, tested in facts.others.items():
        yield f"`{split}/...` of `metrics.json` was measured with {tested}, and not with these weights; "
        yield "`lightning-seg test --run RUN` measures them."
        yield ""
    measured = facts.measured
    if measured is None:
        yield "Nothing was measured yet: `lightning-seg test --run RUN`, then write the card again."
        return
    yield measured.where + _weights(facts)
    yield ""
    yield from _table(
        ("metric", "value"), [(name, _number(value)) for name, value in measured.of(per_class=False).items()]
    )
    if measured.not_numbers:
        yield ""
        yield f"No number: {', '.join(map(_code, measured.not_numbers))}."
    per_class = _per_class(measured.of(per_class=True))
    if per_class:
        yield ""
        names = sorted({name for row in per_class.values() for name in row})
        rows = [(one, *(_number(row.get(name)) for name in names)) for one, row in per_class.items()]
        yield from _table(("class", *names), rows)
    if compared:
        yield ""
        yield "From `lightning-seg compare`, where brackets hold the interval of a mean difference:"
        yield ""
        yield from compared


def _weights(facts: RunFacts) -> str:
    decay, start = facts.metrics.get(EMA), facts.metrics.get(SWA)
    if start is not None:
        return f" The weights are the mean of those after each of the last epochs (SWA, from {start} of the epochs on)."
    return "" if decay is None else f" The weights are an exponential moving average (decay {decay})."


def _per_class(values: Mapping[str, float]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for name, value in values.items():
        quantity, _, one = name.partition("/")
        found.setdefault(one, {})[quantity] = value
    return found


def _training(facts: RunFacts) -> Iterator[str]:
    yield "Arguments that are not the defaults of their classes:"
    yield ""
    rows = [
        *((f"model.{name}", as_typed(value)) for name, value in facts.task.given.items()),
        *((f"data.{name}", as_typed(value)) for name, value in facts.data.given.items()),
        *((f"trainer.{name}", as_typed(value)) for name, value in facts.trainer.items()),
        *((name, as_typed(facts.config[name])) for name in ("ema", "swa", "early_stopping") if facts.config.get(name)),
    ]
    yield from _table(("argument", "value"), [("model", facts.task.name), ("data", facts.data.name), *rows])
    yield ""
    epochs, seed = facts.metrics.get("epochs"), facts.seed
    done = [as_plural(epochs, "epoch")] if epochs is not None else []
    parameters = facts.metrics.get("parameters")
    done += [f"{parameters:,} parameters"] if isinstance(parameters, int) else []
    done += [f"seed {seed}"] if seed is not None else []
    versions = {name.removeprefix(VERSION): one for name, one in facts.metrics.items() if name.startswith(VERSION)}
    yield f"{', '.join(done)}. Versions: {', '.join(f'{name} {one}' for name, one in versions.items())}."


def _loading(facts: RunFacts, address: Address | None, files: Mapping[str, str]) -> Iterator[str]:
    kind = kind_of(facts.task.kind)
    answer = kind.answer if kind else "answer"
    yield "```python"
    yield "from lightning_seg import Predictor"
    yield ""
    source = "runs/RUN" if address is None else str(address)
    yield f'answer = Predictor.from_run({json.dumps(source)})("photo.jpg")'
    yield f"print({answer})"
    yield "```"
    yield ""
    yield f"On the command line: `lightning-seg predict --run {shlex.quote(source)} --images photo.jpg --output out`."
    for name, remark in files.items():
        yield ""
        if remark:
            yield f"**{remark}**"
        yield f"`{name}` is the exported network, which needs no PyTorch:"
        yield f"`lightning-seg predict --model {name} --images photo.jpg --output out`, and from Python:"
        yield ""
        yield from ("```python", "from lightning_seg import Predictor", "")
        yield from (f'answer = Predictor.from_file("{name}")("photo.jpg")', "```")
    if address is not None:
        yield ""
        yield "The weights alone, without this package:"
        yield ""
        yield from ("```python", "from huggingface_hub import hf_hub_download")
        yield from ("from safetensors.torch import load_file", "")
        revision = "" if address.revision is None else f", revision={json.dumps(address.revision)}"
        yield from (
            f'weights = load_file(hf_hub_download("{address.repository}", "model.safetensors"{revision}))',
            "```",
        )


def _left_out(facts: RunFacts) -> Iterator[str]:
    yield "Folders and other places of the machine that trained it, names of single pictures, callbacks and loggers."
    if facts.left_out:
        names = ", ".join(_code(name.replace(".init_args.", ".")) for name in facts.left_out)
        yield f"So these arguments are missing here or shortened to a file's name: {names}."


# Markdown


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if rows:
        yield f"| {' | '.join(titles)} |"
        yield f"|{'|'.join([' --- '] * len(titles))}|"
        yield from (f"| {' | '.join(map(_cell, row))} |" for row in rows)


def _cell(text: Any) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")


def _code(text: str) -> str:
    return f"`{printable(text).replace('`', chr(39))}`"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.4f}"
