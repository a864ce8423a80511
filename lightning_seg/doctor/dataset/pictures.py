"""Findings about picture files, each by itself."""

from array import array
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from lightning_seg.datasets.facts import PictureFacts
from lightning_seg.doctor.findings import Finding, Kind
from lightning_seg.doctor.subject import Subject

ENDS = "fit refuses the dataset before its first epoch, naming the file"
SKIP = "replace or remove the files, or train without them: --data.unreadable skip"
_BY_CAUSE = {
    "missing": Kind("missing-picture", "error", "no such file", ENDS, "restore the files, or take them off the lists"),
    "no_file": Kind(
        "no-file",
        "error",
        "a link to nothing, a pipe or a device is called like a picture",
        ENDS,
        "restore what the link leads to, or take it away; or train without them: --data.unreadable skip",
    ),
    "empty": Kind("empty-file", "error", "a file of zero bytes, as after a copy that was cut off", ENDS, SKIP),
    "cut": Kind("cut-file", "error", "a file ends too early; viewers show its upper part, and grey below", ENDS, SKIP),
    "pages": Kind(
        "several-pages",
        "error",
        "a TIFF of several pages, or an animation",
        f"nobody says which page is meant: {ENDS}",
        "save one page as a file of its own, or train without them: --data.unreadable skip",
    ),
    "deep": Kind(
        "deep-grey",
        "error",
        "grey of 16 bits or floats, as of microscopes, X-rays and satellites",
        ENDS,
        "scale the values to 8 bits and save them, or train without them: --data.unreadable skip",
    ),
    "unreadable": Kind("unreadable-picture", "error", "a file that no decoder understands", ENDS, SKIP),
}
BY_CAUSE = {cause: kind._replace(skipped_by="unreadable") for cause, kind in _BY_CAUSE.items()}
BY_TRAIT = {
    "suffix": Kind(
        "other-format",
        "note",
        "a PNG that is called .jpg, or the like",
        "nothing here, since the content decides; other programs may refuse the file",
        "give the files the suffix of their format",
    ),
    "turned": Kind(
        "turned-by-exif",
        "note",
        "a photo is stored lying down, with a tag that says how to turn it",
        "pictures and masks are turned upright by their own tags, as viewers show them; programs that ignore the tag "
        "see the picture lying down",
        "nothing, unless masks were drawn on the lying picture: their sizes then differ, which is another finding",
    ),
    "exif": Kind(
        "broken-exif",
        "note",
        "the notes of the camera cannot be read",
        "the pixels are good and count; the picture is turned only if the tag for that can be read",
        "nothing, unless pictures lie on their side",
    ),
    "cmyk": Kind(
        "cmyk",
        "warning",
        "a picture made for print",
        "its colours are converted without a profile, so they differ a little from those on a screen",
        "convert the files to sRGB",
    ),
    "alpha": Kind(
        "transparent",
        "warning",
        "a picture has transparent parts",
        "transparency is dropped: what was hidden below it is seen",
        "save the files on the background that you mean",
    ),
    "profile": Kind(
        "colour-profile",
        "note",
        "a picture is meant in Adobe RGB, Display P3 or the like",
        "numbers count as sRGB, so colours look a little paler than meant",
        "nothing if all pictures are alike; otherwise convert the files to sRGB",
    ),
}
SIZES = Kind(
    "extreme-size",
    "warning",
    "a picture is far smaller, larger, wider or higher than the others",
    "shrunk or stretched to the common size, little of it can be recognised",
    "look at the files; crop or remove them",
)
KINDS = (*BY_CAUSE.values(), *BY_TRAIT.values(), SIZES)
FAR_AREA, FAR_SHAPE = 25.0, 4.0
"""How many times the median area, or width by height, is extreme."""


def check_pictures(subject: Subject) -> Iterator[Finding]:
    """What single files are like."""
    by_kind: dict[str, list[str]] = defaultdict(list)
    first: dict[str, str] = {}
    for look in subject.looks():
        for kind in _kinds_of(look.picture):
            by_kind[kind.name].append(look.picture.path)
            first.setdefault(kind.name, look.picture.problem)
    for kind in KINDS:
        if files := by_kind.get(kind.name):
            skipped = kind.skipped_by in subject.skips
            yield Finding(kind, files, detail=first[kind.name], is_skipped=skipped)
    yield from _extremes(subject)


def _kinds_of(picture: PictureFacts) -> Iterator[Kind]:
    if picture.cause:
        yield BY_CAUSE[picture.cause]
    else:
        yield from (BY_TRAIT[trait] for trait in picture.traits.split() if trait in BY_TRAIT)


def _extremes(subject: Subject) -> Iterator[Finding]:
    numbers = array("l")
    for look in subject.looks():
        if not look.picture.problem:
            numbers.extend((look.picture.height, look.picture.width))
    if not numbers:
        return
    sides = np.array(numbers, np.float64).reshape(-1, 2)
    area, shape = sides.prod(axis=1), sides[:, 1] / sides[:, 0]
    far = np.maximum(_times(area) / FAR_AREA, _times(shape) / FAR_SHAPE)
    worst = [index for index in np.argsort(-far).tolist() if far[index] > 1]
    if worst:
        readable = (look.picture for look in subject.looks() if not look.picture.problem)
        chosen = {index: picture for index, picture in enumerate(readable) if far[index] > 1}
        one = chosen[worst[0]]
        middle = np.median(sides, axis=0).astype(int).tolist()
        detail = (
            f"the most extreme one has {one.width}x{one.height} pixels, half of all pictures have less than "
            f"{middle[1]}x{middle[0]}"
        )
        yield Finding(SIZES, [chosen[index].path for index in worst], detail=detail)


def _times(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    ratio = values / np.median(values)
    return np.maximum(ratio, 1 / ratio)
