"""Freed memory stays with the process, unless it is told otherwise. There is no way back: processes of their own."""

import os
import platform
import subprocess
import sys

import pytest

_PROGRAM = """
from pathlib import Path
import numpy as np
from kinestream.distributed.launch import device_named
device_named("cpu")
for _ in range(2):
    piece = np.ones(8_000_000)
    del piece
lines = Path("/proc/self/status").read_text().splitlines()
print(next(int(line.split()[1]) for line in lines if line.startswith("VmData")))
"""


def kilobytes(**variables: str) -> int:
    """Of data, after a piece of 64 MB was taken and freed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    words = [sys.executable, "-c", _PROGRAM]
    return int(subprocess.run(words, env={**kept, **variables}, check=True, stdout=subprocess.PIPE, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is another one")
def test_freed_memory_is_kept_unless_the_switch_is_off() -> None:
    given_back = kilobytes(KINESTREAM_KEEP_MEMORY="0")
    assert kilobytes() - given_back > 55_000
    assert kilobytes(MALLOC_ARENA_MAX="1") - given_back < 30_000, "who sets malloc up by hand is left alone"
