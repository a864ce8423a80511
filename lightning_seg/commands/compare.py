"""``lightning-seg compare``: trains, tests and compares variants."""

import gc
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import mean

import yaml

from lightning_seg.arguments import read_config
from lightning_seg.cli.building import build
from lightning_seg.cli.resolving import resolve_config
from lightning_seg.commands.compare_flags import read_flags
from lightning_seg.comparison.equality import (
    Config,
    check_equal,
    check_measured,
    check_monitors,
    check_pictures,
    overruled,
)
from lightning_seg.comparison.folder import hold, keep_plan
from lightning_seg.comparison.plan import Plan, PlannedRun, Variant, make_plan
from lightning_seg.comparison.report import (
    as_duration,
    as_plural,
    caveat,
    table,
    to_json,
    to_markdown,
    write_tensorboard,
)
from lightning_seg.comparison.results import (
    Comparison,
    FinishedRun,
    RunError,
    check_initial_weights,
    compare_runs,
    read_run,
)
from lightning_seg.comparison.training import Asked, Step, finish, next_step
from lightning_seg.errors import ConfigError
from lightning_seg.files import replace_text
from lightning_seg.json_files import write_json
from lightning_seg.plots.comparison import BandCurve, draw_comparison
from lightning_seg.plots.figures import save_plot
from lightning_seg.plots.formats import Formats, parse_formats
from lightning_seg.stopping import at_stake

AGAIN = "the same command goes on"


def compare(
    config: Sequence[str],
    variant: Sequence[str],
    seeds: int | Sequence[int] = 3,
    output: str = "comparison",
    unequal_budgets: bool = False,
    print_config: bool = False,
    fit: Sequence[str] = (),
) -> None:
    """Train and test variants of a config with the same seeds, and say what their difference is worth.

    Called again with the same ``output`` it goes on where it was; variants and seeds can be added.

    Args:
        config: of all variants: files or names.
        variant: ``NAME:CONFIG``, see ``Variant.parse``. The others are compared with the first one.
        seeds: how many, or which.
        output: folder for the runs and the result.
        unequal_budgets: accept variants that train for longer or with other batches than others.
        print_config: print the arguments of every variant instead.
        fit: flags of ``fit`` for all variants.

    Raises:
        ConfigError: if there is nothing to compare, or variants are not comparable.
        RunError: if a run fails; the variants that have none that failed are compared first.
    """
    plan = make_plan(config, variant, seeds, output, fit)
    resolved = {one.name: _resolve(plan, one) for one in plan.variants}
    if print_config:
        print(yaml.safe_dump(resolved, sort_keys=False), end="")
        return
    check_measured(resolved)
    notes = [*check_equal(resolved, unequal_budgets), *_overruled(plan)]
    with hold(plan.output):
        keep_plan(plan, resolved)
        for note in notes:
            print(note, flush=True)
        at_stake(lambda: _kept(plan, resolved))
        runs, failed = _train(plan, resolved)
        later = check_initial_weights(runs, resolved)
        comparison = compare_runs(runs, [*notes, *later], failed)
        _write(comparison, plan, {name: resolved[name] for name in runs})
    print("\n".join([*table(comparison), *filter(None, [caveat(comparison)]), *later]))
    print(plan.output, flush=True)
    if failed:
        raise _failure(failed)


def run_flags(flags: Sequence[str]) -> None:
    """``compare CONFIG --variant NAME:CONFIG --variant NAME:CONFIG``, and any flags of ``fit``."""
    compare(**read_flags(flags))


def _overruled(plan: Plan) -> list[str]:
    return [
        note
        for variant in plan.variants
        for note in overruled(plan.flags, variant.name, {file: read_config(file) for file in variant.files})
    ]


def _resolve(plan: Plan, variant: Variant) -> Config:
    with _naming(variant):
        return resolve_config(plan.flags_of(variant))


@contextmanager
def _naming(variant: Variant) -> Iterator[None]:
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"variant {variant.name}: {error}") from error


def _train(plan: Plan, resolved: Mapping[str, Config]) -> tuple[dict[str, list[FinishedRun]], dict[str, str]]:
    """All runs by variant, and the reasons of failed variants: a failed variant is left out, the others continue."""
    planned = list(plan.runs(resolved))
    steps = {run.folder: next_step(run.folder, _asked(resolved, run)) for run in planned}
    if any(steps.values()):
        _build_all(plan)
    runs: dict[str, list[FinishedRun]] = {variant.name: [] for variant in plan.variants}
    failed: dict[str, str] = {}
    seconds: list[float] = []
    for number, run in enumerate(planned, 1):
        if run.variant in failed:
            continue
        step, start = steps[run.folder], time.monotonic()
        print(f"[{number}/{len(planned)}] {run.variant}, seed {run.seed}: {_said(step)}", flush=True)
        try:
            finish(run, _asked(resolved, run))
            runs[run.variant].append(read_run(run))
            print(f"    {_result(runs[run.variant][-1])}", flush=True)
        except RunError as error:
            failed[run.variant] = str(error)
            del runs[run.variant]
            print(f"    {error}", flush=True)
        # Not at the end: what is wrong now stays wrong.
        check_initial_weights(runs, resolved)
        seconds += [time.monotonic() - start] if step else []
        left = sum(steps[other.folder] is not None and other.variant not in failed for other in planned[number:])
        if left and seconds:
            print(f"    {as_plural(left, 'run')} left, about {as_duration(left * mean(seconds))}", flush=True)
    if not runs:
        raise _failure(failed)
    return runs, failed


def _build_all(plan: Plan) -> None:
    """Builds every variant, so that mistakes show before the first one trains."""
    built = {}
    for variant in plan.variants:
        with _naming(variant):
            built[variant.name] = build(plan.flags_of(variant))
        # A network and its trainer know each other, so they would stay in memory until some later time.
        gc.collect()
    check_monitors({name: one.monitor for name, one in built.items()})
    check_pictures({name: one.pictures for name, one in built.items()})


def _failure(failed: Mapping[str, str]) -> RunError:
    return RunError(f"{as_plural(len(failed), 'variant')} failed: {'; '.join(failed.values())}")


def _asked(resolved: Mapping[str, Config], run: PlannedRun) -> Asked:
    return Asked.of(resolved[run.variant]["trainer"])


def _kept(plan: Plan, resolved: Mapping[str, Config]) -> str:
    """The message if a signal comes."""
    planned = list(plan.runs(resolved))
    finished = sum(next_step(run.folder, _asked(resolved, run)) is None for run in planned)
    return f"{finished} of {as_plural(len(planned), 'run')} {'is' if finished == 1 else 'are'} finished; {AGAIN}"


def _result(run: FinishedRun) -> str:
    names = [name for name in run.record if name.startswith("best/val/")]
    names += [name.replace("best/val/", "test/") for name in names]
    return ", ".join(f"{name} {run.record[name]:.4f}" for name in names)


def _said(step: Step | None) -> str:
    return {"fit": "fit and test", "continue": "goes on with fit, then test", "test": "test"}.get(
        step or "", "is there"
    )


def formats_of(resolved: Iterable[Config]) -> Formats:
    """The formats that any variant has asked for."""
    given = (config.get("plots") for config in resolved)
    return parse_formats(",".join("png" if plots is None else plots for plots in given))


def _write(comparison: Comparison, plan: Plan, resolved: Mapping[str, Config]) -> None:
    folder = plan.output
    write_json(folder / "comparison.json", to_json(comparison, resolved))
    replace_text(folder / "comparison.md", to_markdown(comparison, resolved))
    curves = [BandCurve(one.name, *one.curve) for one in comparison.variants]
    crossings = [crossing.epoch for pair in comparison.pairs for crossing in pair.crossings]
    formats = formats_of(resolved.values())
    for name, zoomed in (("curves", False), ("curves_zoomed", True)):
        figure = draw_comparison(curves, f"val/{comparison.metric}", len(comparison.seeds), crossings, zoomed)
        save_plot(figure, folder / name, formats)
    write_tensorboard(comparison, folder / "tensorboard")
