"""A stage's memory: reused while it runs, back with the system when it ends."""

import gc
import subprocess
import sys
import weakref

import pytest

from tuna_exp.memory import kept_memory

FAULTS = """
import ctypes, resource
from tuna_exp.memory import kept_memory

libc = ctypes.CDLL("libc.so.6")
libc.malloc.restype = ctypes.c_void_p
SIZE = 64 * 2**20

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    place = libc.malloc(ctypes.c_size_t(SIZE))
    ctypes.memset(place, 1, SIZE)
    libc.free(ctypes.c_void_p(place))
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()

faults()
anew = faults()
with kept_memory():
    faults()
    kept = faults()
    held = resident()
print(anew, kept, held - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_memory_is_reused_within_and_given_back_after() -> None:
    """64 MiB are 16,384 pages of 4 KiB or 32 of 2 MiB: each a fault when new, none when kept."""
    told = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, check=True)
    anew, kept, given_back = map(int, told.stdout.split())
    assert anew >= 32 and kept < anew / 10
    assert given_back > 60 * 2**20


def test_what_refers_to_itself_does_not_outlive_the_block() -> None:
    class Loop:
        def __init__(self) -> None:
            self.me = self

    gc.disable()
    try:
        with kept_memory():
            seen = weakref.ref(Loop())
            assert seen() is not None
        assert seen() is None
    finally:
        gc.enable()
