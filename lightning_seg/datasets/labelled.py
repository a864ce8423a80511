"""Classes of the user's pictures: by the folder of a picture, or by a list."""

from collections.abc import Collection, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from lightning_seg.augmentation.seeding import SeededPipeline
from lightning_seg.batch import Split
from lightning_seg.datasets.base import ClassificationDataset
from lightning_seg.datasets.finding import looks_like_picture
from lightning_seg.datasets.lists import find_listed, read_rows
from lightning_seg.datasets.names import Files, same
from lightning_seg.datasets.pairs import list_folder
from lightning_seg.errors import DataError
from lightning_seg.prediction_folder import Results
from lightning_seg.spelling import fault_of_names

SPLIT_FOLDERS: tuple[Split, ...] = ("train", "val", "test")


class LabelledPicture(NamedTuple):
    """A picture and its class."""

    name: str  # relative to the root, with slashes
    image: Path
    label: int
    split: Split | None = None  # if a folder or a list says it


class Labelled(NamedTuple):
    """Pictures, sorted by class or by name, and the names of their labels."""

    class_names: tuple[str, ...]
    pictures: list[LabelledPicture]
    left_out: tuple[str, ...] = ()  # files beside them, relative to the root


class LabelledDataset(ClassificationDataset[LabelledPicture]):
    """Pictures of one class each.

    Args:
        labelled: the pictures and the names of their classes.
        image_size: (height, width) of the returned pictures; None keeps their sizes.
        pipeline: random transforms.

    Raises:
        DataError: if a file cannot be read, when it is read.
    """

    def __init__(
        self,
        labelled: Labelled,
        image_size: tuple[int, int] | None = None,
        pipeline: SeededPipeline | None = None,
    ) -> None:
        self.class_names = labelled.class_names
        self.left_out = labelled.left_out
        super().__init__(labelled.pictures, image_size, pipeline)

    def image_path(self, record: LabelledPicture) -> Path:
        return record.image

    def label(self, record: LabelledPicture) -> int:
        return record.label


def read_folders(root: Path, classes: Sequence[str] | None = None) -> Labelled:
    """Pictures ``<class>/*``, or ``train/<class>/*`` and optionally the same in ``val`` and ``test``.

    Pictures are found by their suffix. Hidden files and folders are left out.

    Args:
        root: folder of the folders.
        classes: their names, in the order of the labels; None takes all folders in alphabetical order.

    Raises:
        DataError: if there are fewer than two classes, or a class is unknown or has no picture.
    """
    if not root.is_dir():
        raise DataError(
            f"{root}: no such folder; give that of your pictures with --data.root, or try --data.source synthetic"
        )
    splits = _split_folders(root)
    parts: dict[Split | None, Path] = {split: root / split for split in splits} if splits else {None: root}
    folders = {split: _folders(folder) for split, folder in parts.items()}
    found = {name for named in folders.values() for name in named}
    names = _check_classes(root, found, classes)
    pictures = [
        LabelledPicture(image.relative_to(root).as_posix(), image, label, split)
        for split, named in folders.items()
        for label, name in enumerate(names)
        for folder in named.get(name, [parts[split] / name])
        for image in _pictures(folder, optional=split is not None)
    ]
    _check_counts(root, names, pictures)
    return Labelled(names, pictures, tuple(_left_out(root, {picture.image for picture in pictures})))


def _left_out(root: Path, taken: Collection[Path]) -> Iterator[str]:
    """Loose pictures, links to nothing, and everything in class folders that is no picture directly in them."""
    class_folders = {image.parent for image in taken}
    for folder in {root, *(folder.parent for folder in class_folders)}:
        yield from (path.relative_to(root).as_posix() for path in folder.iterdir() if looks_like_picture(path))
        others = (path for path in folder.iterdir() if path.is_dir() and path not in class_folders)
        yield from (f"{path.relative_to(root).as_posix()}/" for path in others if _holds_results_alone(path))
        yield from (path.relative_to(root).as_posix() for path in folder.iterdir() if _is_lost_folder(path))
    for folder in class_folders:
        for path in folder.iterdir():
            if path not in taken and not path.name.startswith("."):
                yield path.relative_to(root).as_posix() + "/" * path.is_dir()


def _is_lost_folder(path: Path) -> bool:
    """Whether it is a link to nothing that may have stood for a class."""
    is_lost = path.is_symlink() and not path.exists()
    return is_lost and not path.name.startswith(".") and not looks_like_picture(path)


def _split_folders(root: Path) -> list[Split]:
    """The splits that have a folder of class folders; a class may be called ``train`` too."""
    splits = [split for split in SPLIT_FOLDERS if (root / split).is_dir() and _folders(root / split)]
    if "train" not in splits:
        return []
    if others := sorted(set(_folders(root)) - set(SPLIT_FOLDERS)):
        raise DataError(
            f"{root}: {others[0]}/ lies beside train/, which holds folders of classes; call it val or test, or move it "
            "elsewhere"
        )
    return splits


def _folders(folder: Path) -> dict[str, list[Path]]:
    """Folders by name; names that look the same are one class."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.startswith(".") and not _holds_results_alone(path):
            found.setdefault(same(path.name), []).append(path)
    return found


def _holds_results_alone(folder: Path) -> bool:
    """Whether predictions were written there, and no picture of a class lies beside them."""
    results = Results()
    return results.is_output(folder) and all(path in results for path in folder.iterdir() if looks_like_picture(path))


def _pictures(folder: Path, optional: bool) -> list[Path]:
    if not folder.is_dir():
        return []
    results = Results()
    pictures = sorted(path for path in folder.iterdir() if looks_like_picture(path) and path not in results)
    if not pictures and not optional:
        raise DataError(f"{folder}: no picture there, it holds {list_folder(folder)}; add some or remove the folder")
    return pictures


def read_list(root: Path, file: str, classes: Sequence[str] | None = None) -> Labelled:
    """The pictures of a CSV file with the columns ``image``, ``label`` and, if wanted, ``split``; sorted by name.

    Args:
        root: the list and the pictures are relative to it.
        file: the list.
        classes: names of the labels in their order; None takes those of the list, in numerical or alphabetical order.

    Raises:
        DataError: naming file and line, if a row is invalid, or its picture is missing or listed twice.
    """
    path = root / file
    rows = [
        (f"{path}, line {line}", {**row, "label": same(row["label"])})
        for line, row in read_rows(path, ("image", "label"))
    ]
    if not rows:
        raise DataError(f"{path}: the list names no picture; add lines such as photos/1.jpg,rose")
    files = Files(root)
    found = {where: find_listed(files, row, where) for where, row in rows}
    names = _check_classes(path, {row["label"] for _, row in rows}, classes)
    seen: dict[str, str] = {}
    pictures = []
    for where, row in rows:
        name, image, split = found[where]
        if name in seen:
            raise DataError(f"{where}: {name} is also in {seen[name].rpartition(', ')[2]}; remove one of them")
        seen[name] = where
        pictures.append(LabelledPicture(name, image, names.index(row["label"]), split))
    _check_counts(path, names, pictures)
    return Labelled(names, sorted(pictures))


def _check_classes(where: Path, found: Collection[str], classes: Sequence[str] | None) -> tuple[str, ...]:
    """The names in their order."""
    classes = None if classes is None else [same(name) for name in classes]
    if not found:
        holds = f", it holds {list_folder(where)}" if where.is_dir() else ""
        raise DataError(
            f"{where}: no folder of a class there{holds}; put the pictures of each class into a folder of its name, or "
            "name a list of them with --data.labels"
        )
    if classes is not None:
        for name in sorted(found):
            if name not in classes:
                near = get_close_matches(name, classes, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                if name.isdigit() and name.lstrip("0") in classes:
                    # YAML reads 01 as a number.
                    hint = f'; type it in quotes: ["{name}"]'
                raise DataError(f"{where}: {name} is none of the classes {', '.join(classes)}{hint}")
    names = tuple(classes if classes is not None else sorted(found, key=_order))
    if fault := fault_of_names(names):
        raise DataError(f"{where}: the classes are {', '.join(map(repr, names))}, and {fault}")
    if len(names) < 2:
        raise DataError(f"{where}: there is only one class, {names[0]}; two are needed to tell pictures apart")
    return names


def _order(name: str) -> tuple[bool, int, str]:
    """Numbers by their value, then words."""
    is_number = name.isascii() and name.isdigit()
    return not is_number, int(name) if is_number else 0, name


def _check_counts(where: Path, names: Sequence[str], pictures: Sequence[LabelledPicture]) -> None:
    """Every class needs a picture, and if splits are given, one to train on."""
    split_told = any(picture.split is not None for picture in pictures)
    counted = {picture.label for picture in pictures if picture.split in (None, "train")}
    for label, name in enumerate(names):
        if label not in counted:
            purpose = " to train on" if split_told else ""
            raise DataError(f"{where}: there is no picture of class {name}{purpose}; add some or remove the class")
