"""Which samples validate."""

from collections.abc import Hashable, Sequence

import numpy as np

from lightning_seg.errors import ConfigError


def stratified_split(groups: Sequence[Hashable], fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """Indices of samples kept and held out, both ascending; ``fraction`` of every group is held out, rounded.

    Raises:
        ConfigError: if ``fraction`` is not in (0, 1) or leaves one side empty.
    """
    if not 0.0 < fraction < 1.0:
        raise ConfigError(f"val_fraction {fraction} must lie between 0 and 1, for instance 0.1")
    rng = np.random.default_rng(seed)
    labels = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    numbers = np.array([labels[group] for group in groups])
    held_out: list[int] = []
    for number in labels.values():
        members = rng.permutation(np.flatnonzero(numbers == number))
        held_out += members[: round(fraction * len(members))].tolist()
    if not 0 < len(held_out) < len(groups):
        raise ConfigError(
            f"val_fraction {fraction} of {len(groups)} pictures in {len(labels)} groups leaves {len(held_out)} to "
            "validate on; choose another fraction"
        )
    return sorted(set(range(len(groups))) - set(held_out)), sorted(held_out)
