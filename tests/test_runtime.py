"""What the runtime promises of this process, where the system lets it."""

import platform
import subprocess
import sys

import pytest

_FAULTS = """
import resource, sys, torch
from faceswap.runtime import keep_freed_memory

if sys.argv[1] == "kept":
    keep_freed_memory(torch.device("cpu"))

def faults():
    for _ in range(20):
        torch.empty(2**24).fill_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

print(-faults() + faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries have their own ways")
def test_what_was_freed_is_used_again_without_asking_the_system_for_its_pages() -> None:
    def faults(how: str) -> int:
        done = subprocess.run(
            [sys.executable, "-c", _FAULTS, how], capture_output=True, text=True, check=True
        )
        return int(done.stdout)

    # 64 MiB twenty times over are 327,680 pages, unless they stay.
    assert faults("asked anew") > 100_000 > 1_000 > faults("kept")
