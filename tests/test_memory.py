"""The allocator setting is glibc's, taken where there is a glibc and harmless elsewhere."""

import platform
import resource
import subprocess
import sys

import pytest

from lightning_seg.memory import keep_freed_memory

SCRIPT = """
import resource, torch
from lightning_seg.memory import keep_freed_memory
from lightning_seg.models.mobilenetv2_unet import MobileNetV2UNet
{call}
network = MobileNetV2UNet().to(memory_format=torch.channels_last)
pictures = torch.rand(16, 3, 128, 128).to(memory_format=torch.channels_last)
faults = []
for step in range(8):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    network(pictures).mean().backward()
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(min(faults[3:]))
"""


def page_faults(call: str) -> int:
    done = subprocess.run([sys.executable, "-c", SCRIPT.format(call=call)], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
@pytest.mark.slow
def test_memory_is_reused_instead_of_mapped_anew() -> None:
    # The best of a network's later training steps: none, against tens of thousands. A single step may find the last
    # layers' memory in pieces.
    assert page_faults("keep_freed_memory()") < 0.1 * page_faults("")


def test_it_says_whether_it_took_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    keep_freed_memory.cache_clear()
    assert keep_freed_memory() is False
    keep_freed_memory.cache_clear()


PICTURES = """
import resource
from lightning_seg.memory import keep_freed_pictures
{call}
faults = []
for picture in range(8):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [bytearray({size}) for _ in range(3)]
    for block in blocks:
        block[::4096] = block[1::4096]
    del block, blocks
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(min(faults[3:]))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
@pytest.mark.parametrize(("size", "is_kept"), [(4_000_000, True), (100_000_000, False)])
def test_loader_processes_keep_the_memory_of_pictures_and_not_that_of_large_ones(size: int, is_kept: bool) -> None:
    script = PICTURES.format(call="keep_freed_pictures()", size=size)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    # The pages of three blocks, each of which the system fills anew.
    pages = 3 * size // resource.getpagesize()
    assert int(done.stdout) < 0.1 * pages if is_kept else int(done.stdout) > 0.9 * pages
