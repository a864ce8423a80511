"""A comparison as a table, as JSON and for TensorBoard."""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from pytorch_lightning.loggers import TensorBoardLogger

from lightning_seg.comparison.crossings import LASTING
from lightning_seg.comparison.equality import Config, as_typed, changes
from lightning_seg.comparison.intervals import LEVEL, NUM_DRAWS, Interval, verdict
from lightning_seg.comparison.results import Comparison, FinishedRun, Pair, VariantResult, mean_and_deviation

FEW_SEEDS = 5
COST = "seconds_per_epoch"


def to_markdown(comparison: Comparison, configs: Mapping[str, Config]) -> str:
    """The page: what was compared, the table, the other pairs, the curves, and how sure it is."""
    paragraphs = [
        f"# {', '.join(variant.name for variant in comparison.variants)}",
        _what(comparison, configs),
        "\n".join(table(comparison)),
        *_others(comparison),
        _curves(comparison),
        f"{_how_sure(comparison)} {caveat(comparison) or ''}".strip(),
        *comparison.notes,
    ]
    return "\n\n".join(paragraphs) + "\n"


def table(comparison: Comparison) -> list[str]:
    """The lines of a Markdown table with a row per variant."""
    metric, reference = comparison.metric, comparison.variants[0].name
    titles = [
        *("variant", "parameters", "s per epoch", f"best val/{metric}", f"test/{metric}"),
        *(f"{comparison.quantity}, difference to {reference}", "verdict"),
    ]
    rows = [titles, ["---", *["---:"] * 5, "---"]]
    for variant in comparison.variants:
        pair = next((pair for pair in comparison.pairs if (pair.first, pair.second) == (variant.name, reference)), None)
        rows.append([*_cells(variant), _signed(pair.interval) if pair else "", _verdict(pair) if pair else ""])
    rows += [[name, *[""] * 5, f"failed: {reason}"] for name, reason in comparison.failed.items()]
    return [f"| {' | '.join(row)} |" for row in rows]


def _cells(variant: VariantResult) -> list[str]:
    parameters = f"{variant.runs[0].record['parameters']:,}"
    return [variant.name, parameters, f"{_cost(variant):.2f}", _spread(variant.best_val), _spread(variant.test)]


def _cost(variant: VariantResult) -> float:
    return mean(variant.values(COST))


def _spread(values: Sequence[float]) -> str:
    average, deviation = mean_and_deviation(values)
    return f"{average:.4f}" if deviation is None else f"{average:.4f} +- {deviation:.4f}"


def _signed(interval: Interval) -> str:
    return f"{interval.difference:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]"


def _verdict(pair: Pair) -> str:
    return verdict(pair.first, pair.second, pair.interval)


def _any_of(counts: Iterable[str], word: str) -> str:
    """``2 or 3 epochs``."""
    different = list(dict.fromkeys(counts))
    return f"{' or '.join(different)} {word if different == ['1'] else f'{word}s'}"


def _what(comparison: Comparison, configs: Mapping[str, Config]) -> str:
    epochs = [str(run.record["epochs"]) for variant in comparison.variants for run in variant.runs]
    counts = {len(run.pictures.scores) for variant in comparison.variants for run in variant.runs}
    seeds = comparison.seeds
    different = len(comparison.groups)
    sentence = (
        f"{as_plural(len(seeds), 'seed')} ({', '.join(map(str, seeds))}), {_any_of(epochs, 'epoch')}, "
        f"{_any_of(map(str, sorted(counts)), 'test picture')}, the same for all variants"
    )
    if counts != {different}:
        sentence += f" and others with every seed, {different} altogether"
    if comparison.num_groups < different:
        sentence += f", in {as_plural(comparison.num_groups, 'group')}"
    return "\n".join([f"{sentence}.", "", *_differing(configs)])


def _differing(configs: Mapping[str, Config]) -> Iterator[str]:
    """The arguments of each variant that differ from the first one."""
    (reference, config), *others = configs.items()
    for name, other in others:
        pairs = changes(config, other).items()
        changed = (f"{key} {as_typed(after)} instead of {as_typed(before)}" for key, (before, after) in pairs)
        yield f"* {name} is {reference} with {', '.join(changed)}"


def _others(comparison: Comparison) -> list[str]:
    reference = comparison.variants[0].name
    others = [pair for pair in comparison.pairs if pair.second != reference]
    lines = [f"* {pair.first} and {pair.second}: {_signed(pair.interval)}, {_verdict(pair)}" for pair in others]
    return ["\n".join(["The other pairs:", "", *lines])] if lines else []


def _curves(comparison: Comparison) -> str:
    lines = [
        f"* {pair.first} and {pair.second}: {crossing.ahead} ahead from epoch {crossing.epoch} on"
        for pair in comparison.pairs
        for crossing in pair.crossings
    ]
    what = f"mean val/{comparison.metric} curves"
    if not lines:
        return f"No two {what} cross (a lead is {LASTING} validations in a row)."
    return "\n".join([f"Where {what} cross, with a lead of {LASTING} validations in a row or more:", "", *lines])


def _how_sure(comparison: Comparison) -> str:
    seeds = len(comparison.seeds)
    what = "best val and test are means over the seeds"
    what += ", +- their standard deviation. " if seeds > 1 else ". "
    what += (
        f"Brackets hold the {100 * LEVEL:.0f} % interval of the mean difference in {comparison.quantity} per picture, "
        "over the test pictures"
    )
    if comparison.num_groups < len(comparison.groups):
        what += ", of which whole groups are drawn,"
    return f"{what} alone." if seeds == 1 else f"{what} and the seeds, for one pair by itself."


def caveat(comparison: Comparison) -> str | None:
    """What these few seeds cannot tell."""
    seeds = len(comparison.seeds)
    if seeds == 1:
        return "One seed says nothing about how another one would have ended: give more --seeds."
    if seeds < FEW_SEEDS:
        return f"{seeds} seeds are few: their spread is hardly known, so the interval is rough."
    return None


def as_plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def as_duration(seconds: float) -> str:
    """In fitting units: 40 s, 12 min, 3 h 20 min."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def to_json(comparison: Comparison, configs: Mapping[str, Config]) -> dict[str, Any]:
    """All numbers."""
    reference = next(iter(configs.values()))
    return {
        "metric": comparison.metric,
        "score": comparison.quantity,
        "seeds": comparison.seeds,
        "interval": {"level": LEVEL, "num_draws": NUM_DRAWS},
        "variants": {
            variant.name: {**_variant(variant), "differs": _plain(changes(reference, configs[variant.name]))}
            for variant in comparison.variants
        },
        "pairs": [_pair(pair) for pair in comparison.pairs],
        "failed": dict(comparison.failed),
        "notes": list(comparison.notes),
    }


def _plain(changed: Mapping[str, tuple[Any, Any]]) -> dict[str, Any]:
    return {name: after for name, (_, after) in changed.items()}


def _variant(variant: VariantResult) -> dict[str, Any]:
    best, test = mean_and_deviation(variant.best_val), mean_and_deviation(variant.test)
    return {
        "parameters": variant.runs[0].record["parameters"],
        COST: _cost(variant),
        f"best/val/{variant.metric}": {"mean": best[0], "deviation": best[1]},
        f"test/{variant.metric}": {"mean": test[0], "deviation": test[1]},
        "curve": variant.curve._asdict(),
        "runs": [{"seed": run.seed, "folder": str(run.folder), **run.record} for run in variant.runs],
    }


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "first": pair.first,
        "second": pair.second,
        **pair.interval._asdict(),
        "verdict": _verdict(pair),
        "crossings": [crossing._asdict() for crossing in pair.crossings],
    }


def write_tensorboard(comparison: Comparison, folder: Path) -> None:
    """Variant and seed as hyper-parameters of every run, with its results; replaces earlier ones."""
    shutil.rmtree(folder, ignore_errors=True)
    for variant in comparison.variants:
        for run in variant.runs:
            _log_run(variant, run, folder)


def _log_run(variant: VariantResult, run: FinishedRun, folder: Path) -> None:
    names = (f"test/{variant.metric}", f"best/val/{variant.metric}", COST)
    logger = TensorBoardLogger(folder.parent, folder.name, f"{variant.name}_seed_{run.seed}", default_hp_metric=False)
    logger.log_hyperparams({"variant": variant.name, "seed": run.seed}, {name: run.record[name] for name in names})
    logger.finalize("success")
