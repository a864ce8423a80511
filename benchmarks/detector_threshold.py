"""Which threshold and merging a detector needs, on photos of one cat or one dog (Oxford-IIIT Pet).

It is known what may be claimed of a photo: one box with the label of its animal, whose middle lies within it (the
rectangle around its trimap). A second box, a box elsewhere and a box with the other label are wrong. Since whoever
merges everything is right there, photos are pasted side by side, too, in pairs and in fours; ``--scenes`` takes scenes
with several objects in the layout of COCO in place of pets. All windows of a picture are looked at once; thresholds and
ways of merging are compared on the same windows.

    python benchmarks/detector_threshold.py --root PETS --backbone mobilenet_v2 --weights FILE --normalization symmetric
    python benchmarks/detector_threshold.py --root PETS --run RUN --kept windows.pt
    python benchmarks/detector_threshold.py --root SCENES --scenes --run RUN

``--kept`` keeps what was seen, so that the tables can be made again without a network.
"""

import argparse
import random
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lightning_seg.datamodules.coco_objects import CocoObjectsDataModule
from lightning_seg.datasets.coco_objects import ScenePicture
from lightning_seg.datasets.oxford_pets import SPECIES, OxfordPetsDataset, PetRecord
from lightning_seg.images import Array, read_image, resize_image
from lightning_seg.inference.boxes import BoxInference
from lightning_seg.inference.knobs import BoxKnobs, Merge
from lightning_seg.inference.merging import Boxes, merge_boxes
from lightning_seg.progress import counted
from lightning_seg.runs import find_checkpoint
from lightning_seg.tasks.loading import load_task
from lightning_seg.tasks.sliding_detector import SlidingDetectorTask

LOWEST = 0.2
"""Windows below it are not kept."""
SWAPPED = [1, 0, 3, 2]
"""x and y of boxes, exchanged."""
THRESHOLDS = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 0.9)
MERGES: Sequence[tuple[Merge, float]] = (
    *(("fusion", overlap) for overlap in (0.2, 0.35, 0.5)),
    *(("nms", overlap) for overlap in (0.05, 0.15, 0.35)),
    ("none", 1.0),
)


class Picture(NamedTuple):
    """Animals, or other objects, and where they are."""

    image: Array
    labels: tuple[int, ...]
    animals: Tensor  # (N, 4): x1, y1, x2, y2 in pixels


class Seen(NamedTuple):
    """What is true of a picture, and all its windows from ``LOWEST`` on."""

    labels: tuple[int, ...]
    animals: Tensor
    windows: Boxes  # labels as those of animals


class Counts(NamedTuple):
    """What was claimed of some pictures."""

    boxes: int
    hits: int  # animals with a right box
    animals: int
    pictures: int

    @property
    def precision(self) -> float:
        return self.hits / self.boxes if self.boxes else 1.0

    @property
    def recall(self) -> float:
        return self.hits / self.animals

    @property
    def f1(self) -> float:
        return 2 * self.hits / (self.boxes + self.animals)


def read(pets: OxfordPetsDataset, record: PetRecord) -> Picture | None:
    """None if the trimap shows no animal."""
    rows, columns = np.nonzero(pets.read_mask(record) != pets.class_names.index("background"))
    if not len(rows):
        return None
    box = torch.tensor([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]).float()
    return Picture(read_image(pets.image_path(record)), (SPECIES.index(record.species),), box[None])


def beside(left: Picture, right: Picture) -> Picture:
    """Both at the height of the lower one."""
    height = min(len(left.image), len(right.image))
    (first, first_boxes), (second, second_boxes) = (_at_height(one, height) for one in (left, right))
    second_boxes = second_boxes + torch.tensor([first.shape[1], 0.0, first.shape[1], 0.0])
    return Picture(np.hstack([first, second]), left.labels + right.labels, torch.cat([first_boxes, second_boxes]))


def above(upper: Picture, lower: Picture) -> Picture:
    """Both at the width of the narrower one."""
    turned = (
        Picture(np.ascontiguousarray(one.image.swapaxes(0, 1)), one.labels, one.animals[:, SWAPPED])
        for one in (upper, lower)
    )
    both = beside(*turned)
    return Picture(np.ascontiguousarray(both.image.swapaxes(0, 1)), both.labels, both.animals[:, SWAPPED])


def _at_height(one: Picture, height: int) -> tuple[Array, Tensor]:
    factor = height / len(one.image)
    size = height, round(one.image.shape[1] * factor)
    return resize_image(one.image, size), one.animals * factor


def pictures(given: argparse.Namespace) -> list[Callable[[], Picture | None]]:
    """Scenes; or photos, then pairs of them, drawn with seed 0. Each is read when it is called."""
    draw = random.Random(0)
    if given.scenes:
        records = CocoObjectsDataModule(given.root).make_test().records
        return [partial(_scene, one) for one in (draw.sample(records, given.number) if given.number else records)]
    photos = [
        partial(read, pets, record)
        for split in given.lists
        for pets in [OxfordPetsDataset(given.root, split)]
        for record in pets.records
    ]
    pairs = [partial(_joined, beside, *draw.sample(photos, 2)) for _ in range(given.pairs)]
    lone = draw.sample(photos, given.number) if given.number else photos
    rows = [[partial(_joined, beside, *draw.sample(photos, 2)) for _ in range(2)] for _ in range(given.fours)]
    return [*lone, *pairs, *(partial(_joined, above, *two) for two in rows)]


def _scene(record: ScenePicture) -> Picture:
    return Picture(read_image(record.image), tuple(record.labels.tolist()), torch.from_numpy(record.boxes))


def names_of(given: argparse.Namespace) -> Sequence[str]:
    return CocoObjectsDataModule(given.root).make_test().class_names if given.scenes else SPECIES


def _joined(join: Callable[[Picture, Picture], Picture], *parts: Callable[[], Picture | None]) -> Picture | None:
    first, second = (part() for part in parts)
    return None if first is None or second is None else join(first, second)


def look(task: SlidingDetectorTask, picture: Picture, names: Sequence[str], scales: Sequence[float]) -> Seen:
    how = BoxInference(threshold=LOWEST, merge="none", scales=tuple(scales))
    image = torch.from_numpy(picture.image).permute(2, 0, 1)
    with torch.inference_mode():
        found = how.predict(task, image, task.labels.of)
    known = torch.tensor([task.labels.names.index(name) for name in names])
    is_known = (found.labels[:, None] == known).any(dim=1)
    labels = (found.labels[is_known, None] == known).int().argmax(dim=1)
    return Seen(picture.labels, picture.animals, Boxes(found.boxes[is_known], found.scores[is_known], labels))


def count(seen: Sequence[Seen], merge: Merge, overlap: float, threshold: float) -> Counts:
    boxes = hits = 0
    for one in seen:
        above = one.windows.scores >= threshold
        found = merge_boxes(Boxes(*(values[above] for values in one.windows)), merge, overlap)
        middle = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
        boxes += len(middle)
        for label, animal in zip(one.labels, one.animals, strict=True):
            inside = ((middle >= animal[:2]) & (middle < animal[2:])).all(dim=1)
            hits += bool((inside & (found.labels == label)).any())
    return Counts(boxes, hits, sum(len(one.labels) for one in seen), len(seen))


def share_of(part: int, whole: int) -> str:
    return f"{part} ({100 * part / max(1, whole):.1f} %)"


def tell_labels(seen: Sequence[Seen]) -> None:
    """How often the other animal is claimed of a lone one, which no merging changes."""
    kinds = {name: [one for one in seen if one.labels == (label,)] for label, name in enumerate(SPECIES)}
    heads = [f"{len(mine)} {name}s: own | other | nothing" for name, mine in kinds.items()]
    print("| threshold |", " | ".join(heads), "|")
    print("|---" * (1 + 3 * len(kinds)) + "|")
    for threshold in THRESHOLDS:
        cells = []
        for mine in kinds.values():
            claimed = [set(one.windows.labels[one.windows.scores >= threshold].tolist()) for one in mine]
            own = sum(one.labels[0] in found for one, found in zip(mine, claimed, strict=True))
            other = sum(bool(found - {*one.labels}) for one, found in zip(mine, claimed, strict=True))
            cells += [share_of(part, len(mine)) for part in (own, other, sum(not found for found in claimed))]
        print(f"| {threshold} |", " | ".join(cells), "|")


def tell_curves(seen: Sequence[Seen], whole: bool) -> None:
    """Precision and recall over the threshold for each way of merging, and the threshold of the highest F1."""
    curves = {way: {threshold: count(seen, *way, threshold) for threshold in THRESHOLDS} for way in MERGES}
    print("\n| merging | best threshold | precision | recall | F1 | boxes per animal |")
    print("|---" * 6 + "|")
    for (merge, overlap), curve in curves.items():
        best = max(curve, key=lambda threshold: curve[threshold].f1)
        print(f"| {merge} {overlap} | {best} |", numbers_of(curve[best]), "|")
    print("\nF1 over the threshold\n\n| merging |", " | ".join(map(str, THRESHOLDS)), "|")
    print("|---" * (1 + len(THRESHOLDS)) + "|")
    for (merge, overlap), curve in curves.items():
        print(f"| {merge} {overlap} |", " | ".join(f"{told.f1:.3f}" for told in curve.values()), "|")
    for (merge, overlap), curve in curves.items() if whole else ():
        print(f"\n| {merge} {overlap}: threshold | precision | recall | F1 | boxes per animal |")
        print("|---" * 5 + "|")
        for threshold, told in curve.items():
            print(f"| {threshold} |", numbers_of(told), "|")


def numbers_of(told: Counts) -> str:
    return f"{told.precision:.3f} | {told.recall:.3f} | {told.f1:.3f} | {told.boxes / told.animals:.2f}"


def the_task(given: argparse.Namespace) -> SlidingDetectorTask:
    if given.run is None:
        options = {} if given.normalization is None else {"normalization": given.normalization}
        return SlidingDetectorTask(given.backbone, given.weights, class_groups="pets", **options).eval()
    task, _ = load_task(find_checkpoint(given.run))
    if not isinstance(task, SlidingDetectorTask):
        sys.exit(f"{given.run}: {type(task).__name__} is no detector; give another run")
    return task


def seen_of(given: argparse.Namespace) -> list[Seen]:
    """From the kept file, if it is there."""
    if given.kept is not None and given.kept.is_file():
        return [Seen(labels, animals, Boxes(*boxes)) for labels, animals, boxes in torch.load(given.kept)]
    task, found = the_task(given), pictures(given)
    read_ones = (one() for one in counted(found, "looking", len(found)))
    names = names_of(given)
    seen = [look(task, one, names, given.scales) for one in read_ones if one is not None]
    if given.kept is not None:
        torch.save([(one.labels, one.animals, tuple(one.windows)) for one in seen], given.kept)
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="folder of Oxford-IIIT Pet, or of scenes")
    parser.add_argument("--scenes", action="store_true", help="root holds scenes in the layout of COCO")
    parser.add_argument("--lists", nargs="+", choices=["trainval", "test"], default=["trainval", "test"])
    parser.add_argument("--number", type=int, default=0, help="photos, drawn with seed 0; 0 takes all")
    parser.add_argument("--pairs", type=int, default=120, help="pairs of photos")
    parser.add_argument("--fours", type=int, default=30, help="fours of photos")
    parser.add_argument("--run", help="a detector that was trained; otherwise a backbone with ImageNet weights")
    parser.add_argument("--backbone", default="vgg16")
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("--normalization")
    parser.add_argument("--scales", type=float, nargs="+", default=list(BoxKnobs().scales))
    parser.add_argument("--kept", type=Path, help="file for what was seen; if it is there, nothing is looked at")
    parser.add_argument("--curves", action="store_true", help="print precision and recall at every threshold, too")
    given = parser.parse_args()
    seen = seen_of(given)
    parts = {"all": seen}
    if not given.scenes:
        lone, pairs, fours = ([one for one in seen if len(one.labels) == number] for number in (1, 2, 4))
        tell_labels(lone)
        parts = {"lone animals": lone, "pairs": pairs, "fours": fours, "all": seen}
    for what, some in ((what, some) for what, some in parts.items() if some):
        print(f"\n{len(some)} pictures: {what}")
        tell_curves(some, given.curves)


if __name__ == "__main__":
    main()
