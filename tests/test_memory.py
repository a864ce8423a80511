"""The allocator setting is glibc's, taken where there is a glibc and harmless elsewhere."""

import platform
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
def test_memory_is_reused_instead_of_mapped_anew() -> None:
    # The best of a network's later training steps: none, against tens of thousands. A single step may find the last
    # layers' memory in pieces.
    assert page_faults("keep_freed_memory()") < 0.1 * page_faults("")


def test_it_says_whether_it_took_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    keep_freed_memory.cache_clear()
    assert keep_freed_memory() is False
    keep_freed_memory.cache_clear()
