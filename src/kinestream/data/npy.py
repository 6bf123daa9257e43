"""Arrays in `.npy` files: mapped for reading, and with a header that is written after the data."""

from pathlib import Path
from tokenize import TokenError

import numpy as np

HEADER_BYTES = 192
"""Of the headers that `header` makes."""


def map_array(path: Path) -> np.ndarray:
    """Maps a `.npy` file for reading. Raises ValueError for a damaged one."""
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except (SyntaxError, TokenError) as error:  # numpy reads the header as Python
        raise ValueError(f"header: {error}") from None


def header(shape: tuple[int, ...]) -> bytes:
    """A version 1.0 header of float32 of exactly `HEADER_BYTES` bytes, so that it can be written after the data."""
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape!r}, }}"
    magic = b"\x93NUMPY\x01\x00" + (HEADER_BYTES - 10).to_bytes(2, "little")
    return magic + text.encode("ascii").ljust(HEADER_BYTES - 11) + b"\n"
