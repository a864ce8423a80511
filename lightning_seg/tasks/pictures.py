"""Batches of any loader as batches to predict: what they do not tell is filled in."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from torch import Tensor

from lightning_seg.batch import PictureBatch
from lightning_seg.errors import DataError
from lightning_seg.tasks.batches import check_image, described, keys_of

KEYS = frozenset(PictureBatch.__required_keys__)


def picture_batch(batch: Any, number: int, rank: int = 0) -> PictureBatch:
    """A batch with pictures, as ``predict_step`` and what writes predictions need it.

    A loader of labelled pictures knows no names: they come from the paths, or count. Without ``original_size`` pictures
    are as large as they are in the batch.

    Args:
        batch: of the package's own loaders, or of any loader whose batches are dicts with ``image``.
        number: of the batch.
        rank: of the process.

    Raises:
        DataError: if it holds no pictures, or does not tell the same number of everything.
    """
    if isinstance(batch, Mapping) and batch.keys() >= KEYS:
        return cast(PictureBatch, batch)
    batch = keys_of(batch, "predict")
    check_image(batch, "predict")
    image = batch["image"]
    path = [str(one) for one in batch["path"]] if "path" in batch else _counted(batch, number, rank)
    filled: dict[str, Any] = {
        "image": image,
        "path": path,
        "name": [str(one) for one in batch["name"]] if "name" in batch else [_name(one) for one in path],
        "original_size": _sizes(batch.get("original_size"), image),
        "unreadable": [],
        "files": path,
    }
    for key in ("path", "name", "original_size"):
        if len(filled[key]) != len(image):
            raise DataError(
                f"{key} of a predict batch is {described(batch[key])} for {len(image)} pictures; give one of each per "
                "picture"
            )
    return cast(PictureBatch, filled)


def _counted(batch: Mapping[str, Any], number: int, rank: int) -> list[str]:
    """Where nobody tells the files: by the positions in the split, otherwise by batch and place."""
    index = batch.get("index")
    if isinstance(index, Tensor):
        return [f"picture_{position}" for position in index.tolist()]
    start = f"picture_{f'{rank}_' * bool(rank)}{number}"
    return [f"{start}_{place}" for place in range(len(batch["image"]))]


def _name(path: str) -> str:
    """For files about a picture: below any folder, and as different as the paths are, so with their suffixes."""
    parts = Path(path).parts
    inside = [part for part in parts if part not in (Path(path).anchor, "..")]
    return "/".join(inside) or "picture"


def _sizes(given: Any, image: Tensor) -> list[tuple[int, int]]:
    """(height, width) of the files."""
    if given is None:
        return [(image.shape[-2], image.shape[-1])] * len(image)
    if isinstance(given, Tensor):
        return [(height, width) for height, width in given.tolist()]
    if len(given) == 2 and all(isinstance(side, Tensor) and side.ndim == 1 for side in given):
        # What torch's collate makes of pairs.
        return list(zip(*(side.tolist() for side in given), strict=True))
    return [(int(height), int(width)) for height, width in given]
