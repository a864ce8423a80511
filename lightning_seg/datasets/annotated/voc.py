"""Masks in the layout of Pascal VOC: class masks in its colours, and lists of the pictures.

``JPEGImages/NAME.jpg``, ``SegmentationClass/NAME.png``, ``ImageSets/Segmentation/train.txt`` and ``val.txt``; other
classes than VOC's in ``labelmap.txt``, lines ``NAME:RED,GREEN,BLUE::``. Borders in #e0e0c0 count nowhere.

Layout: http://host.robots.ox.ac.uk/pascal/VOC/voc2012/devkit_doc.pdf;
https://docs.cvat.ai/docs/dataset_management/formats/format-smask
"""

from collections.abc import Sequence
from pathlib import Path

from lightning_seg.batch import IGNORE_INDEX, Split
from lightning_seg.datasets.annotated.source import Annotations, Chosen, relative_to
from lightning_seg.datasets.finding import looks_like_picture
from lightning_seg.datasets.image_mask_folder import ImageMaskFolderDataset
from lightning_seg.datasets.mask_codes import MaskCodes
from lightning_seg.datasets.names import Files, is_file, is_there, same
from lightning_seg.datasets.pairs import Pair
from lightning_seg.datasets.text_lines import read_lines
from lightning_seg.errors import DataError
from lightning_seg.mask_encoding import MaskEncoding
from lightning_seg.spelling import BACKGROUND, BACKGROUNDS, is_one_of

PICTURES, MASKS, LISTS, LABELS = "JPEGImages", "SegmentationClass", "ImageSets/Segmentation", "labelmap.txt"
NAMES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)


def colour_of(index: int) -> str:
    """VOC's colour of a number: its bits from the lowest on are the highest of red, green and blue in turn."""
    parts = [sum((index >> (3 * bit + part) & 1) << (7 - bit) for bit in range(8)) for part in range(3)]
    return f"#{bytes(parts).hex()}"


class VocMasks(Annotations):
    """A folder in the layout of Pascal VOC. Without lists for training and validation, splits are drawn."""

    kind = "voc"
    have_files = True

    def __init__(self, root: Path, path: Path, images: str) -> None:
        super().__init__(root, path, images)
        self.colours = _labelmap(path / LABELS) if is_file(path / LABELS) else _published()

    def labels(self) -> list[str]:
        return [name for name in self.colours if not is_one_of(name, BACKGROUNDS)]

    def pairs(self) -> list[Pair]:
        pictures = {same(file.stem): file for file in self._pictures()}
        listed, masks = self._listed(), Files(self.path / MASKS)
        if missing := [name for name in listed if name not in pictures]:
            raise DataError(
                f"{self.path}: {len(missing)} of {len(listed)} masks have no picture in {PICTURES}, such as "
                f"{missing[0]}; restore them, or take their names off the lists"
            )
        pairs = [
            Pair(relative_to(self.root, pictures[name]), pictures[name], masks.find(f"{name}.png"), split)
            for name, split in listed.items()
        ]
        if not pairs:
            raise DataError(f"{self.path}: no picture with a mask in {MASKS}; export the masks as PNG")
        return sorted(pairs)

    def unlabelled(self, pairs: Sequence[Pair]) -> list[Path]:
        """The pictures without a class mask, whether a list names them or not."""
        masks = Files(self.path / MASKS)
        return [file for file in self._pictures() if not is_there(masks.find(f"{file.stem}.png"))]

    def why_unlisted(self) -> str:
        return f"since they have no mask in {MASKS} of {self.path}, or stand on none of its lists"

    def _pictures(self) -> list[Path]:
        return sorted(file for file in (self.path / PICTURES).glob("*") if looks_like_picture(file))

    def dataset(
        self, pairs: Sequence[Pair], chosen: Chosen, image_size: tuple[int, int] | None
    ) -> ImageMaskFolderDataset:
        values = self.encoding(chosen).values
        border = [] if colour_of(IGNORE_INDEX) in self.colours.values() else [colour_of(IGNORE_INDEX)]
        codes = MaskCodes(chosen.names, values, border)
        for label in chosen.left_out:
            codes.also(self.colours[label], chosen.background)
        return ImageMaskFolderDataset(pairs, codes, image_size)

    def encoding(self, chosen: Chosen) -> MaskEncoding:
        background = next(colour for name, colour in self.colours.items() if is_one_of(name, BACKGROUNDS))
        return MaskEncoding(tuple(self.colours.get(name, background) for name in chosen.names))

    def _listed(self) -> dict[str, Split | None]:
        """Names of pictures with the split of each; None where no list tells it."""
        lists = {file.stem: file for file in (self.path / LISTS).glob("*.txt")}
        if "train" in lists and "val" in lists:
            splits: tuple[Split, ...] = ("train", "val", "test")
            # Published test lists have no masks.
            named: dict[str, Split] = {}
            for split in (one for one in splits if one in lists):
                for name in _names(lists[split]):
                    if named.setdefault(name, split) != split:
                        raise DataError(
                            f"{lists[split]}: {name} is in {named[name]}, too; take it off one of the lists"
                        )
            masks = Files(self.path / MASKS)
            return {
                name: split for name, split in named.items() if split != "test" or is_there(masks.find(f"{name}.png"))
            }
        if lists:
            return {name: None for file in sorted(lists.values()) for name in _names(file)}
        return {same(file.stem): None for file in sorted((self.path / MASKS).glob("*.png"))}


def _names(path: Path) -> list[str]:
    return [same(Path(line.strip()).name) for line in read_lines(path, "restore it") if line.strip()]


def _published() -> dict[str, str]:
    return {name: colour_of(number) for number, name in enumerate((BACKGROUND, *NAMES))}


def _labelmap(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(read_lines(path, "restore it"), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, _, rest = same(text).partition(":")
        if (name := name.strip()) in found:
            raise DataError(f"{path}, line {number}: {name} stands there twice; give each class a name of its own")
        try:
            red, green, blue = (int(part) for part in rest.partition(":")[0].split(","))
            found[name] = f"#{bytes((red, green, blue)).hex()}"
        except ValueError:
            raise DataError(f"{path}, line {number}: {text[:60]} is no NAME:RED,GREEN,BLUE::; correct it") from None
    if not any(is_one_of(name, BACKGROUNDS) for name in found):
        found = {BACKGROUND: colour_of(0), **found}
    return found
