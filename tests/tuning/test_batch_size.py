"""The search for the largest batch, with a memory of a known size."""

import pytest
import torch

from lightning_seg.tuning import Trial, largest_batch
from lightning_seg.tuning.batch_size import is_out_of_memory


class Memory:
    """Room for so many pictures."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.told: list[Trial] = []

    def __call__(self, size: int) -> None:
        if size > self.room:
            raise torch.OutOfMemoryError("out of memory. Tried to allocate 2.00 GiB")


@pytest.mark.parametrize(
    ("room", "most", "expected", "tried"),
    [
        (9, 100, 8, [2, 4, 8, 16]),
        (8, 100, 8, [2, 4, 8, 16]),
        (7, 100, 4, [2, 4, 8]),
        (1, 100, 1, [2, 1]),
        (0, 100, None, [2, 1]),
        (1000, 20, 16, [2, 4, 8, 16]),
        (1000, 1, 1, [1]),
    ],
)
def test_the_largest_power_of_two_that_fits(room: int, most: int, expected: int | None, tried: list[int]) -> None:
    memory = Memory(room)
    assert largest_batch(memory, most, memory.told.append) == expected
    assert memory.told == [Trial(size, size <= room) for size in tried]


def test_other_errors_are_no_lack_of_memory() -> None:
    def fails(size: int) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        largest_batch(fails, 8, lambda trial: None)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB"), True),
        (torch.OutOfMemoryError("XPU out of memory"), True),
        (MemoryError(), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
    ],
)
def test_what_torch_says_where_memory_is_short(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) == expected
