"""The aims of the rows and of the whole run, and what the rows say about moving random transforms to the device."""

from typing import NamedTuple

from benchmarks.card.commands import PHOTOS, WHOLE_RUN
from benchmarks.card.report import show_share
from benchmarks.card.rows import WHOLE_SHARE, Row

BUSY, OVER_PLAIN = 0.9, 2.0
"""Share of time that the card is busy; how many times the plain script's rate the Trainer's is."""


class Aim(NamedTuple):
    """What is hoped for, and whether it is so; None where it cannot be told."""

    text: str
    holds: bool | None


def aims_of(rows: list[Row], seconds: float | str, count: int = PHOTOS) -> list[Aim]:
    trained = [row for row in rows if row.system != "detector"]
    aims = []
    for row in trained:
        busy, share, gain = row.number("busy"), row.ratio("Trainer", "card"), row.ratio("Trainer", "plain")
        aims += [
            Aim(f"{row.name}: busy {show_share(busy)}, aim > 90 %", None if busy is None else busy > BUSY),
            Aim(
                f"{row.name}: Trainer {show_share(share)} of the card's rate, aim >= 95 %",
                None if share is None else share >= WHOLE_SHARE,
            ),
        ]
        fed = row.ratio("plain", "plain loader")
        if gain is not None and fed is not None and fed > BUSY:
            aims.append(
                Aim(
                    f"{row.name}: {gain:.1f} times the plain script, which its loader limits, aim >= 2",
                    gain >= OVER_PLAIN,
                )
            )
    is_number = isinstance(seconds, float)
    shown = f"{seconds:.0f} s" if is_number else seconds
    aims.append(
        Aim(
            f"pets.yaml on {count} pictures from the command to the tested model: {shown}, aim < {WHOLE_RUN:.0f} s",
            float(seconds) < WHOLE_RUN if is_number else None,
        )
    )
    return aims


def advice(rows: list[Row]) -> str:
    """Whether random transforms should move to the device: where loaders cannot keep up, and no sooner."""
    behind = [row.name for row in rows if (row.ratio("loader", "card") or 1) < 1]
    if not any(row.number("loader") for row in rows):
        return "No loader was measured, so nothing can be said about moving random transforms to the device."
    if not behind:
        return "Every loader is faster than the card, so random transforms stay in the workers."
    return (
        f"The loader is slower than the card for {', '.join(behind)}: these cores cannot feed it, and random "
        "transforms on the device would help there."
    )
