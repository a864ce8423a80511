"""Random draws that depend on (seed, epoch, sample index) alone.

Albumentations seeds its transforms per process, which repeats draws between epochs and between workers. Here the
sampler gives each worker (epoch, index), and the pipeline is seeded anew for every sample.
"""

import random
from collections.abc import Iterator, Sequence
from traceback import walk_tb
from typing import Any, overload

import albumentations as A
import numpy as np
import torch
import torch.distributed as dist
from torch.utils.data import Dataset, DistributedSampler

from lightning_seg.augmentation.transforms import Transform
from lightning_seg.errors import ConfigError
from lightning_seg.images import Array

EpochIndex = tuple[int, int]
"""(epoch, index), which the sampler asks a dataset for; a plain ``int`` means epoch 0."""


def draw_seed(seed: int, epoch: int, index: int, stream: int = 0) -> int:
    """A 32-bit seed for one sample in one epoch; draws outside of the pipeline have another ``stream``.

    Examples:
        >>> draw_seed(0, epoch=1, index=7) == draw_seed(0, epoch=1, index=7)
        True
        >>> len({draw_seed(0, epoch, index) for epoch in range(10) for index in range(100)})
        1000
    """
    return int(np.random.SeedSequence((seed, epoch, index, stream)).generate_state(1)[0])


class SeededPipeline:
    """Albumentations transforms of an image together with its mask, if it has one; seeded per sample.

    Raises:
        ConfigError: when called, if a transform fails, or does not return a uint8 image of three channels.

    Examples:
        >>> import albumentations as A
        >>> flip = SeededPipeline([A.HorizontalFlip(p=1)])
        >>> image, mask = flip(np.zeros((1, 2, 3), np.uint8), np.array([[1, 2]], np.uint8), (0, 0))
        >>> mask.tolist()
        [[2, 1]]
    """

    def __init__(self, transforms: Sequence[Transform], seed: int = 0) -> None:
        self.compose = A.Compose(list(transforms))
        self.seed = seed

    @overload
    def __call__(self, image: Array, mask: Array, key: EpochIndex) -> tuple[Array, Array]: ...

    @overload
    def __call__(self, image: Array, mask: Array | None, key: EpochIndex) -> tuple[Array, Array | None]: ...

    def __call__(self, image: Array, mask: Array | None, key: EpochIndex) -> tuple[Array, Array | None]:
        seed = draw_seed(self.seed, *key)
        # One stream for all. set_random_seed would give each transform a stream of its own with the same numbers in it:
        # all with p=0.5 would happen together or not at all.
        self.compose.set_random_state(np.random.default_rng(seed), random.Random(seed))
        try:
            drawn = self.compose(image=image) if mask is None else self.compose(image=image, mask=mask)
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise ConfigError(f"augment: {_culprit(error)} fails with {reason}") from error
        _check_contract(drawn["image"], drawn.get("mask"))
        return drawn["image"], drawn.get("mask")


def _culprit(error: Exception) -> str:
    """The innermost transform that an error has passed through."""
    frames = [frame.f_locals.get("self") for frame, _ in walk_tb(error.__traceback__)]
    return next((type(one).__name__ for one in reversed(frames) if isinstance(one, A.BasicTransform)), "a transform")


def _check_contract(image: Any, mask: Any) -> None:
    fits = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    if fits and (mask is None or (mask.dtype == np.uint8 and mask.shape == image.shape[:2])):
        return
    mask_left = "" if mask is None else f" with a mask of {mask.dtype} {tuple(mask.shape)}"
    wanted = "uint8 (H, W, 3)" if mask is None else "uint8 (H, W, 3) with (H, W)"
    raise ConfigError(
        f"augment leaves an image of {image.dtype} {tuple(image.shape)}{mask_left}, not {wanted}; leave out Normalize, "
        "ToFloat and ToTensorV2, which the model and the loader do themselves"
    )


def _distributed() -> bool:
    return dist.is_available() and dist.is_initialized()


class TrainSampler(DistributedSampler[Any]):
    """Order shuffled by (seed, epoch); Lightning calls ``set_epoch`` and leaves this kind of sampler in place.

    ``start`` is the number of pictures, over all processes, that are left out at the beginning of the epoch: they were
    seen before an interruption, whatever the number of processes was then.
    """

    def __init__(self, dataset: Dataset[object], seed: int = 0) -> None:
        replicas, rank = (None, None) if _distributed() else (1, 0)
        # The epoch is added to the seed, so neighbouring seeds would share their orders.
        super().__init__(dataset, num_replicas=replicas, rank=rank, shuffle=True, seed=draw_seed(seed, 0, 0))
        self.start = 0

    def __iter__(self) -> Iterator[EpochIndex]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        order = torch.randperm(len(self.dataset), generator=generator).tolist()  # type: ignore[arg-type]
        rest = order[self.start :]
        # As torch's own sampler: every process gets the same number.
        rest += order[: -len(rest) % self.num_replicas]
        return ((self.epoch, index) for index in rest[self.rank :: self.num_replicas])


class EvalSampler(DistributedSampler[int]):
    """Every sample in order, exactly once over all processes; torch's own sampler repeats some to give all the same
    number.
    """

    def __init__(self, dataset: Dataset[object]) -> None:
        replicas, rank = (None, None) if _distributed() else (1, 0)
        super().__init__(dataset, num_replicas=replicas, rank=rank, shuffle=False)

    def _own(self) -> range:
        return range(self.rank, len(self.dataset), self.num_replicas)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[int]:
        return iter(self._own())

    def __len__(self) -> int:
        # Lightning passes over a process without any batch, and the others would wait for it for ever. With one to wait
        # for, which never comes, it goes all the way with them.
        return len(self._own()) or min(1, len(self.dataset))  # type: ignore[arg-type]
