"""Findings about values of no class, over all masks."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from lightning_seg.datasets.image_mask_folder import ImageMaskFolderDataset
from lightning_seg.datasets.stray_values import Strays, from_text
from lightning_seg.doctor.findings import Finding, Kind
from lightning_seg.doctor.subject import Subject
from lightning_seg.numbers import count_of

VALUE = Kind(
    "value-of-no-class",
    "error",
    "a mask holds numbers or colours that no class has",
    "fit refuses the dataset",
    "name the value in --data.mask_values or --data.ignore_values",
)
SOFT = Kind(
    "soft-edges",
    "error",
    "the edges of masks were smoothed: values between those of two classes lie along them",
    "fit refuses the dataset",
    "export the masks without smoothing, or take the nearest class: --data.mask_match nearest",
)
KINDS = (VALUE, SOFT)
CORRECT = "replace the masks with the published ones; in data of your own correct the values"
AT_EDGES, VALUES = 0.9, 3
"""Share of a mask's pixels of no class that lie at edges, and number of their values, from which they are smoothed."""
NAMED = 5
"""Values that the line names."""
File = tuple[str, str, Strays | None]
"""Path of a mask, what is wrong with it, and its values of no class."""


def check_strays(subject: Subject) -> Iterator[Finding]:
    """Which values no class has, how often, and which class is near."""
    by_flags = all(isinstance(dataset, ImageMaskFolderDataset) for dataset in subject.splits.values())
    by_kind: dict[Kind, list[File]] = {VALUE: [], SOFT: []}
    for look in subject.looks():
        mask = look.mask
        if mask is not None and mask.cause == "value" and not look.picture.problem:
            strays = from_text(mask.strays) if mask.strays else None
            by_kind[SOFT if is_smoothed(strays) else VALUE].append((mask.path, mask.problem, strays))
    for kind, files in by_kind.items():
        if files:
            finding = _finding(kind, files)
            # Other datasets take no flags for their values.
            yield finding if by_flags else replace(finding, remedy=CORRECT)


def is_smoothed(strays: Strays | None) -> bool:
    """Whether the values come from smoothed edges."""
    return strays is not None and strays.distinct >= VALUES and strays.at_edges >= AT_EDGES * strays.pixels


def _finding(kind: Kind, files: Sequence[File]) -> Finding:
    known = [strays for _, _, strays in files if strays is not None]
    if not known:
        return Finding(kind, [path for path, _, _ in files], detail=files[0][1])
    pixels, masks, nearest = Counter[str](), Counter[str](), dict[str, str]()
    for value in (value for strays in known for value in strays.values):
        pixels[value.name] += value.pixels
        masks[value.name] += 1
        nearest[value.name] = value.nearest
    near = {name: f"nearest to {role}" if role else "near none" for name, role in nearest.items()}
    told = [
        f"{name} ({count_of(count, 'pixel')} in {count_of(masks[name], 'mask')}, {near[name]})"
        for name, count in pixels.most_common(NAMED)
    ]
    more = [f"{len(pixels) - NAMED} more"] * (len(pixels) > NAMED)
    worst = sorted(files, key=lambda file: -(file[2].pixels if file[2] is not None else 0))
    total = sum(strays.pixels for strays in known)
    figures = {
        "pixels": total,
        "values": {
            name: {"pixels": count, "masks": masks[name], "nearest": nearest[name]}
            for name, count in pixels.most_common()
        },
    }
    detail = f"{count_of(total, 'pixel')}: {', '.join([*told, *more])}"
    return Finding(kind, [path for path, _, _ in worst], detail=detail, remedy=_remedy(kind, pixels), figures=figures)


def _remedy(kind: Kind, pixels: Counter[str]) -> str:
    if kind is SOFT:
        return kind.remedy
    names = ", ".join(f'"{name}"' if name.startswith("#") else name for name, _ in pixels.most_common(NAMED))
    return (
        f"add what is a class to --data.mask_values and its name to --data.classes; what is to count nowhere: "
        f"--data.ignore_values '[{names}]'"
    )
