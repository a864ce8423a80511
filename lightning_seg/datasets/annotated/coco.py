"""Objects in the layout of COCO: outlines, and run lengths as numbers or as text.

Layout: Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014; https://cocodataset.org/#format-data
"""

from pathlib import Path, PurePosixPath

from lightning_seg.datasets.annotated.shapes import AnnotationError, Shape
from lightning_seg.datasets.annotated.source import DrawnAnnotations, relative_to
from lightning_seg.datasets.coco_annotations import Annotations, Found
from lightning_seg.datasets.listed_files import check_listed
from lightning_seg.datasets.names import Files, is_there
from lightning_seg.datasets.pairs import Pair
from lightning_seg.datasets.wildcards import fixed_part
from lightning_seg.errors import DataError


class CocoMasks(DrawnAnnotations):
    """A JSON file with ``images``, ``annotations`` and ``categories``.

    Pictures lie in the folder of ``images``, beside the file, or in ``root``. Those without an annotation hold nothing
    but background. Crowds (``iscrowd``) count nowhere.
    """

    kind = "coco"

    def __init__(self, root: Path, path: Path, images: str) -> None:
        super().__init__(root, path, images)
        self.content = Annotations(path, with_masks=True)
        found = self.content.found
        if found and not any(one.segmentation for one in found):
            raise DataError(
                f"{path}: none of {len(found)} annotations has a segmentation, and boxes alone are no masks; export "
                "outlines or masks, or train a detector on them"
            )
        self._by_picture: dict[str, list[Shape]] = {}
        for one in found:
            self._by_picture.setdefault(one.image, []).append(_shape(one))
        self.content.found = []
        self._shapes: dict[str, list[Shape]] = {}
        self._sizes: dict[str, tuple[int, int] | None] = {}

    def labels(self) -> list[str]:
        return list(self.content.names.values())

    def pairs(self) -> list[Pair]:
        folder = self._folder()
        files, pairs = Files(folder), []
        paths = {key: files.find(name) for key, name in self.content.files.items()}
        present = {self.content.files[key] for key, path in paths.items() if is_there(path)}
        remedy = "restore them, or name their folder with --data.images 'FOLDER/*'"
        check_listed(folder, list(self.content.files.values()), present, None, remedy)
        for key, path in paths.items():
            name = relative_to(self.root, path)
            self._shapes[name], self._sizes[name] = self._by_picture.get(key, []), self.content.sizes.get(key)
            pairs.append(Pair(name, path, self.path))
        return sorted(pairs)

    def shapes(self, pair: Pair, size: tuple[int, int]) -> list[Shape]:
        told = self._sizes.get(pair.name)
        if told is not None and told != size:
            raise AnnotationError(
                f"{self.path}: {pair.name} has {told[1]}x{told[0]} pixels there, and its file {size[1]}x{size[0]}; "
                "give the picture that was annotated, or turn it as its EXIF orientation says"
            )
        return self._shapes[pair.name]

    def _folder(self) -> Path:
        """Where the first picture lies."""
        below = self.root / fixed_part(PurePosixPath(self.images))
        first = next(iter(self.content.files.values()), "")
        return next((one for one in (below, self.path.parent, self.root) if is_there(Files(one).find(first))), below)


def _shape(one: Found) -> Shape:
    given, where = one.segmentation, f"annotation {one.name}"
    if isinstance(given, dict):
        return Shape(one.category, where, runs=given, is_crowd=one.is_crowd)
    return Shape(one.category, where, given if isinstance(given, list) else (), is_crowd=one.is_crowd)
