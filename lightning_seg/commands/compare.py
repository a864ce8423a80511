"""``lightning-seg compare``: does it help, and how sure is that?"""

import json
from collections.abc import Mapping, Sequence

from lightning_seg.arguments import take
from lightning_seg.cli.resolving import resolve_config
from lightning_seg.comparison.plan import Config, Plan, check_equal, check_measured, keep_plan, make_plan
from lightning_seg.comparison.report import table, to_json, to_markdown, write_tensorboard
from lightning_seg.comparison.results import (
    Comparison,
    FinishedRun,
    check_initial_weights,
    compare_runs,
    read_run,
)
from lightning_seg.comparison.training import finish, next_step
from lightning_seg.errors import ConfigError
from lightning_seg.plots.comparison import BandCurve, draw_comparison
from lightning_seg.plots.figures import save_figure

OWN_FLAGS = ("--seeds", "--output", "--unequal_budgets")


def compare(
    configs: list[str] | None = None,
    variant: list[str] | None = None,
    seeds: int | list[int] = 3,
    output: str = "comparison",
    unequal_budgets: bool = False,
    fit: list[str] | None = None,
) -> None:
    """Train and test variants of a config with the same seeds, and say what their difference is worth: CONFIG --variant
    NAME:FILE --variant NAME:FILE, and any flags of fit.

    Called again with the same --output it goes on where it was; variants and seeds can be added.

    Args:
        configs: Configs of all variants; they can stand first, without a flag.
        variant: NAME:FILE, a name and the configs laid over the common ones; NAME alone for the common ones as they
            are. The others are compared with the first one.
        seeds: How many, or which: 3 or [0, 1, 2].
        output: Folder for the runs and the result.
        unequal_budgets: Accept variants that train for longer or with other batches than others.
        fit: Flags of fit for all variants; they can also be typed as they are.
    """
    plan = make_plan(configs or [], variant or [], seeds, output, fit or [])
    resolved = {one.name: _resolve(plan, one.name) for one in plan.variants}
    check_measured(resolved)
    notes = check_equal(resolved, unequal_budgets)
    keep_plan(plan, resolved)
    runs = _train(plan, resolved)
    notes += check_initial_weights(runs, resolved)
    comparison = compare_runs(runs, notes)
    _write(comparison, plan, resolved)
    print("\n".join([*table(comparison), *comparison.notes]))
    print(plan.output, flush=True)


def prepare_flags(flags: Sequence[str]) -> list[str]:
    """What is typed for ``fit`` becomes a list, and the first words are configs."""
    leading = next((index for index, word in enumerate(flags) if word.startswith("-")), len(flags))
    variants, rest = take(flags[leading:], ("--variant",))
    configs, rest = take(rest, ("--config", "-c"))
    words = [f"--configs+={config}" for config in (*flags[:leading], *configs)]
    words += [f"--variant+={variant}" for variant in variants]
    own, fit = _split(rest)
    return [*words, *own, *(f"--fit+={word}" for word in fit)]


def _split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The flags of this command, and those of ``fit``."""
    own: list[str] = []
    fit: list[str] = []
    kept = fit
    for word in words:
        if word.startswith("-"):
            name = word.partition("=")[0].rstrip("+")
            kept = own if name in (*OWN_FLAGS, "--configs", "--fit", "--print_config", "--help", "-h") else fit
        # A word without dashes is the value of the flag before it.
        kept.append(word)
    return own, fit


def _resolve(plan: Plan, name: str) -> Config:
    (variant,) = (one for one in plan.variants if one.name == name)
    try:
        return resolve_config(plan.flags_of(variant))
    except ConfigError as error:
        raise ConfigError(f"variant {name}: {error}") from error


def _train(plan: Plan, resolved: Mapping[str, Config]) -> dict[str, list[FinishedRun]]:
    runs: dict[str, list[FinishedRun]] = {variant.name: [] for variant in plan.variants}
    planned = list(plan.runs(resolved))
    for number, run in enumerate(planned, 1):
        max_epochs = resolved[run.variant]["trainer"]["max_epochs"]
        step = next_step(run.folder, max_epochs)
        print(f"[{number}/{len(planned)}] {run.variant}, seed {run.seed}: {_said(step)}", flush=True)
        finish(run, max_epochs)
        runs[run.variant].append(read_run(run))
        print(f"    {_result(runs[run.variant][-1])}", flush=True)
        # Not at the end: what is wrong now stays wrong.
        check_initial_weights(runs, resolved)
    return runs


def _result(run: FinishedRun) -> str:
    names = (f"best/{run.monitor}", f"test/{run.monitor.removeprefix('val/')}")
    return ", ".join(f"{name} {run.record[name]:.4f}" for name in names)


def _said(step: str | None) -> str:
    return {"fit": "fit and test", "continue": "goes on with fit, then test", "test": "test"}.get(
        step or "", "is there"
    )


def _write(comparison: Comparison, plan: Plan, resolved: Mapping[str, Config]) -> None:
    folder = plan.output
    (folder / "comparison.json").write_text(json.dumps(to_json(comparison, resolved), indent=2) + "\n")
    (folder / "comparison.md").write_text(to_markdown(comparison, resolved))
    curves = [BandCurve(one.name, *one.curve) for one in comparison.variants]
    crossings = [crossing.epoch for pair in comparison.pairs for crossing in pair.crossings]
    for name, zoomed in (("curves", False), ("curves_zoomed", True)):
        figure = draw_comparison(curves, f"val/{comparison.metric}", len(comparison.seeds), crossings, zoomed)
        save_figure(figure, folder / f"{name}.png")
    write_tensorboard(comparison, folder / "tensorboard")
