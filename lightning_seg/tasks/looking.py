"""A module that looks at the first batch of each stage, whatever loader it comes from."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, get_args

from lightning_seg.batch import Split
from lightning_seg.errors import ConfigError
from lightning_seg.tasks.accumulating import AccumulatingModule
from lightning_seg.tasks.batches import check_image, keys_of


class LookingModule(AccumulatingModule):
    """Looks at a batch of each split, the first that its steps read; the others cost nothing."""

    truth: ClassVar[str | None] = None
    """The key of a batch under which it finds what is true of the pictures."""

    def __init__(self) -> None:
        super().__init__()
        self._unseen: set[Split] = set()
        """Splits of which no batch has been looked at."""
        self._sizes_seen: set[tuple[int, int]] = set()
        """(height, width) of pictures that are trained and validated on."""

    def setup(self, stage: str) -> None:
        super().setup(stage)
        self._unseen = set(get_args(Split))
        if stage == "fit":
            self._sizes_seen = set()

    def check_batch(self, batch: Any, split: Split) -> None:
        """Called by the steps that read a batch.

        Raises:
            DataError: if it is not as ``lightning_seg/batch.py`` has it.
            ConfigError: if it belongs to another kind of task.
        """
        if split not in self._unseen:
            return
        self._unseen.discard(split)
        size = check_image(keys_of(batch, split, self.truth), split)
        self.check_truth(batch, split, size)
        if split != "test":
            self._sizes_seen.add(size)

    def check_truth(self, batch: Mapping[str, Any], split: Split, size: tuple[int, int]) -> None:
        """What is true of pictures of this (height, width); a kind of task knows it."""

    def size_of_pictures(self) -> tuple[int, int] | None:
        """(height, width) at which it is trained and validated; None where pictures are shown as they are."""
        data = getattr(self.trainer, "datamodule", None)
        if hasattr(data, "image_size"):
            return picture_size(data)
        # Loaders, and datamodules of the user's own, need not say so.
        return next(iter(self._sizes_seen)) if len(self._sizes_seen) == 1 else None


def picture_size(data: Any) -> tuple[int, int] | None:
    """(height, width) at which a datamodule, which may be the user's own, shows pictures; None where it does not say.

    Raises:
        ConfigError: if its ``image_size`` is none.
    """
    size = getattr(data, "image_size", None)
    if size is None:
        return None
    sides = [size, size] if isinstance(size, int) else list(size) if isinstance(size, Sequence) else []
    if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
        raise ConfigError(
            f"image_size of {type(data).__name__} is {size!r}; give one side, (height, width), or None where pictures "
            "are shown as they are"
        )
    return sides[0], sides[1]
