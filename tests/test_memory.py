"""The allocator setting is glibc's, taken where there is a glibc and harmless elsewhere."""

import platform
import subprocess
import sys

import pytest

from lightning_seg.memory import keep_freed_memory

SCRIPT = """
import resource, torch
from lightning_seg.memory import keep_freed_memory
{call}
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.ones(64 * 2**20, dtype=torch.uint8)
before = faults()
for _ in range(5):
    torch.ones(64 * 2**20, dtype=torch.uint8)
print(faults() - before)
"""


def page_faults(call: str) -> int:
    done = subprocess.run([sys.executable, "-c", SCRIPT.format(call=call)], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
def test_memory_is_reused_instead_of_mapped_anew() -> None:
    # Five times 64 MiB in pages of 4 KiB are 81,920 page faults (fewer with huge pages); reused memory needs none.
    assert page_faults("keep_freed_memory()") < 0.5 * page_faults("")


def test_it_says_whether_it_took_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    keep_freed_memory.cache_clear()
    assert keep_freed_memory() is False
    keep_freed_memory.cache_clear()
