"""The table, and what stands above it, in Markdown."""

import os
import platform
from datetime import datetime
from importlib.metadata import version

import torch

from benchmarks.card.rows import Row, limit_of
from benchmarks.card.settings import Setting

COLUMNS = (
    "card",
    "compiled",
    "gain",
    "compile s",
    "pays from",
    "first epoch",
    "loader",
    "Trainer",
    "plain",
    "plain loader",
    "busy",
    "first step s",
    "peak GiB",
)

NOTES = (
    "Pictures per second. `gain` is that of compiling, measured in turns; `compile s` are the seconds of the first "
    "step, `pays from` the steps after which compiling has saved them. `loader` is that of a later epoch, from the "
    "cache where the config has one. A detector's map is one picture without any training; its plain script classifies "
    "every window by itself, and its last ratio is card / plain."
)


def show(value: float | str | None, cell: str = "") -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if cell == "busy":
        return show_share(value)
    if cell == "gain":
        return f"{value:.2f}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def show_share(share: float | None) -> str:
    return "unknown" if share is None else f"{100 * share:.0f} %"


def table(rows: list[Row]) -> str:
    titles = ["row", *COLUMNS, "Trainer / card", "Trainer / plain", "limited by"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for row in rows:
        gain = row.ratio("Trainer", "plain") if row.system != "detector" else row.ratio("card", "plain")
        ratios = [show_share(row.ratio("Trainer", "card")), "-" if gain is None else f"{gain:.1f}", limit_of(row)]
        cells = [show(row.cells.get(cell), cell) for cell in COLUMNS]
        lines.append(f"| {' | '.join([row.name, *cells, *ratios])} |")
    return "\n".join(lines)


def heading(setting: Setting, sources: dict[str, str]) -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    name = torch.cuda.get_device_name(setting.device) if setting.is_card else f"no card, {platform.machine()}"
    way = "bf16-mixed, TF32, cudnn benchmark" if setting.is_card else "float32, freed memory kept"
    pictures = ", ".join(f"{name} {source}" for name, source in sources.items())
    return (
        f"{name}; {cores} cores; {way}; Python {platform.python_version()}, torch {torch.__version__}, Lightning "
        f"{version('pytorch-lightning')}; {datetime.now():%Y-%m-%d}. Pictures: {pictures}."
        f"{' Quick: small pictures and batches, so the numbers say nothing but that it runs.' if setting.quick else ''}"
    )


def say(text: str) -> None:
    print(text, flush=True)
