"""What is freed is taken again without the system's help."""

import subprocess
import sys

import pytest

STEPS = """
import ctypes, resource, sys
from carsynth.modules.freed_memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
size, count = ctypes.c_size_t(20_000_000), 10
def step():
    blocks = [ctypes.c_void_p(libc.malloc(size)) for _ in range(count)]
    for block in blocks:
        libc.memset(block, 1, size)
    for block in blocks:
        libc.free(block)
step()
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    """Pages that the system had to hand out in a step of 200 MB, after two like it."""
    command = [sys.executable, "-c", STEPS, how]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator is Linux's")
def test_a_step_gets_the_pages_of_the_step_before() -> None:
    assert faults("keep") < 100
    assert faults("as it is") > 10_000
