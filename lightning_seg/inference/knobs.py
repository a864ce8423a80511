"""What can be asked of predictions: settings, their limits and their texts; without torch.

The flags of ``validate``, ``test`` and ``predict`` are made of these fields and docstrings.
"""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from math import inf
from typing import Any, ClassVar, Literal, TypeVar, get_args

from lightning_seg.errors import ConfigError
from lightning_seg.inference.spans import is_of_files, of_files, span
from lightning_seg.inference.view_sets import ViewSet, check_views

Merge = Literal["fusion", "nms", "none"]
MaskFormat = Literal["palette", "index", "own"]
Knobs = TypeVar("Knobs")


@dataclass(frozen=True)
class MaskKnobs:
    """Settings with which a model segments a picture. Never part of a checkpoint.

    Args:
        tile: side in pixels of tiles of the picture at its original size; None shows it as a whole, at the size of
            training.
        overlap: pixels that neighbouring tiles share.
        tile_batch: tiles that are computed at once.
        tta: test-time augmentation, the mean over views: ``hflip`` two, ``flips`` four, ``d4`` eight.
        threshold: of two classes, the probability from which a pixel is the second one; None takes the likelier class.
        keep_probs: keep the probabilities beside the masks.
        mask_format: what mask files hold: ``palette`` class indices in the colours of the overlays, ``index`` class
            indices as greys, ``own`` the numbers or colours of the masks that it was trained on.

    Raises:
        ConfigError: if the numbers do not fit together.
    """

    tile: int | None = field(default=None, metadata=span(0, 1024, 128))
    overlap: int = 64
    tile_batch: int = 4
    tta: ViewSet | None = None
    threshold: float | None = field(default=None, metadata=span(0, 0.99, 0.01))
    keep_probs: bool = field(default=False, metadata=of_files())
    mask_format: MaskFormat = field(default="palette", metadata=of_files())

    def __post_init__(self) -> None:
        check_views(self.tta)
        if self.tile is not None and self.tile < 1:
            raise ConfigError(f"tile {self.tile} is too small; give a side in pixels, for instance 512")
        if self.tile is not None and not 0 <= self.overlap < self.tile:
            raise ConfigError(
                f"overlap {self.overlap} must be at least 0 and below tile {self.tile}; use --overlap {self.tile // 8}"
            )
        if self.tile_batch < 1:
            raise ConfigError(f"tile_batch {self.tile_batch} is too small; give 1 or more")
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise ConfigError(f"threshold {self.threshold} must lie between 0 and 1, for instance 0.5")
        if self.mask_format not in get_args(MaskFormat):
            raise ConfigError(
                f"mask_format {self.mask_format!r} does not exist; choose {', '.join(get_args(MaskFormat))}"
            )


@dataclass(frozen=True)
class LabelKnobs:
    """Settings with which a model classifies a picture. Never part of a checkpoint.

    Args:
        tta: test-time augmentation, the mean over views: ``hflip`` two, ``flips`` four, ``d4`` eight.
        cam: of a classifier, show which places of a picture speak for its class: a class activation map (Grad-CAM).

    Raises:
        ConfigError: if there is no such set of views.
    """

    tta: ViewSet | None = None
    cam: bool = field(default=False, metadata=of_files())

    def __post_init__(self) -> None:
        check_views(self.tta)


@dataclass(frozen=True)
class BoxKnobs:
    """Settings with which a classifier finds objects in a picture. Never part of a checkpoint.

    Args:
        detector: ``map`` gets all windows from one pass, ``crops`` cuts out and classifies every window.
        scales: sizes of the picture, as the number of windows on its shorter side, 1 or more each.
        windows: ``all``, or ``tutorial`` without the last row and column: 7 x 7 where the picture holds 8 x 8.
        threshold: lowest probability of an object; None takes 0.55.
        merge: ``fusion`` takes the mean of overlapping windows, ``nms`` the best, ``none`` all.
        merge_overlap: overlap of windows that are merged: intersection over union for ``nms``, over the smaller window
            for ``fusion``.
        max_pixels: pixels that are computed at once; larger pictures are cut into bands. Features at their borders see
            only 4 cells beyond, so probabilities there differ by a few hundredths.
        tta: test-time augmentation, the mean over views: ``hflip`` two, ``flips`` four, ``d4`` eight.

    Raises:
        ConfigError: if a value is impossible.
    """

    detector: Literal["map", "crops"] = "map"
    scales: Sequence[float] = field(default=(2.0, 3.0), metadata=span(1, 6, 0.5))
    windows: Literal["all", "tutorial"] = "all"
    threshold: float | None = field(default=None, metadata=span(0.01, 0.99, 0.01))
    merge: Merge = "fusion"
    merge_overlap: float = field(default=0.2, metadata=span(0.05, 1, 0.05))
    max_pixels: int = 2_000_000
    tta: ViewSet | None = None

    # Both are chosen on photos of one, two and four animals: benchmarks/results/detector_threshold_cpu.md.
    default_threshold: ClassVar[float] = 0.55

    def __post_init__(self) -> None:
        check_views(self.tta)
        if not self.scales or not all(1 <= scale < inf for scale in self.scales):
            raise ConfigError(f"scales {list(self.scales)} must be 1 or more windows each, for instance [2, 3]")
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise ConfigError(f"threshold {self.threshold} must lie between 0 and 1, for instance 0.55")
        if not 0 < self.merge_overlap <= 1:
            raise ConfigError(f"merge_overlap {self.merge_overlap} must be above 0 and at most 1, for instance 0.2")
        for name, allowed in (("detector", ("map", "crops")), ("windows", ("all", "tutorial"))):
            if getattr(self, name) not in allowed:
                raise ConfigError(f"{name} {getattr(self, name)!r} does not exist; choose {' or '.join(allowed)}")
        if self.merge not in ("fusion", "nms", "none"):
            raise ConfigError(f"merge {self.merge!r} does not exist; choose fusion, nms or none")
        if self.max_pixels < 1:
            raise ConfigError(f"max_pixels {self.max_pixels} is too small; give 1 or more")


KINDS = (MaskKnobs, BoxKnobs, LabelKnobs)
"""Whose fields are flags."""


def texts_of(kind: type | Callable[..., Any]) -> dict[str, str]:
    """What each setting of a kind is, or each argument of a function, from its docstring."""
    arguments = inspect.cleandoc(kind.__doc__ or "").partition("Args:\n")[2].partition("\n\n")[0]
    return {
        name: " ".join(text.split()) for name, text in re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", arguments, re.M)
    }


def names_of(kind: type) -> tuple[str, ...]:
    """The settings of a kind."""
    return tuple(one.name for one in fields(kind))


def names_of_files() -> tuple[str, ...]:
    """The settings of all kinds that mean something only where files are written."""
    return tuple(one.name for kind in KINDS for one in fields(kind) if is_of_files(one))


def knobs_of_masks(names: Sequence[str], num_classes: int) -> tuple[str, ...]:
    """Without the threshold where there are more than the two classes that it separates."""
    return tuple(name for name in names if name != "threshold" or num_classes <= 2)


def given_of(knobs: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are not as they would be anyway."""
    defaults = {one.name: one.default for kind in reversed(KINDS) for one in fields(kind) if one.default is not MISSING}
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in knobs.items()}
    return {name: value for name, value in plain.items() if value is not None and value != defaults.get(name)}


def knobs_of(kind: type[Knobs], given: Mapping[str, Any], who: str, taken: Sequence[str] | None = None) -> Knobs:
    """The settings of a kind with these values.

    Args:
        kind: one of this module, or derived from it.
        given: values by name.
        who: whose settings they are, for the message.
        taken: those that can be asked, for the message; None for all.

    Raises:
        ConfigError: if the kind has no such setting, a value is impossible, or it is of tiles and there are none.
    """
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for name in given:
        if name not in known:
            raise ConfigError(f"{name} means nothing to {who}, which takes {', '.join(taken or known)}")
    knobs = kind(**given)
    for name in ("overlap", "tile_batch"):
        if name in given and getattr(knobs, "tile", None) is None:
            raise ConfigError(f"{name} {given[name]} is of tiles; give --tile, too, for instance --tile 512")
    return knobs


def about_tiles(size: Sequence[int]) -> str:
    """What to know of tiles where training has seen whole pictures at this (height, width)."""
    return (
        f"tile: this run has seen whole pictures at {size[1]}x{size[0]} pixels; tiles show them at their own size, "
        "where things look larger, so the answer is good only if the two are alike"
    )
