"""Damage to files, as it happens: cuts, wrong bytes, lines that are lost, doubled or exchanged."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np

from kinestream.data.recording import RecordingError

Result = TypeVar("Result")

_WORDS = (
    b"nan",
    b"inf",
    b"-",
    b"1e400",
    b"9" * 30,
    b"\x00",
    b"\xff\xfe",
    b"\n",
    b"{",
    b"}",
    b"",
    b" ",
    b"\t",
    b",",
    b"0",
)


def mutated(content: bytes, count: int, *, seed: int = 0, upto: int | None = None) -> Iterator[bytes]:
    """`count` damaged versions; only the first `upto` bytes are touched, but for cuts."""
    rng = np.random.default_rng(seed)
    end = min(upto or len(content), len(content))
    for number in range(count):
        made = bytearray(content)
        kind = number % 5
        if kind == 0:
            del made[int(rng.integers(len(made))) :]
        elif kind == 1:
            for _ in range(int(rng.integers(1, 5))):
                made[int(rng.integers(end))] = int(rng.integers(256))
        elif kind == 2:
            at = int(rng.integers(end))
            made[at : at + int(rng.integers(0, 12))] = _WORDS[int(rng.integers(len(_WORDS)))]
        else:
            lines = bytes(made).split(b"\n")
            one, other = (int(at) for at in rng.integers(len(lines), size=2))
            if kind == 3:
                lines[one], lines[other] = lines[other], lines[one]
            else:
                lines[one : one + 1] = lines[other : other + 1] * int(rng.integers(0, 3))
            made = bytearray(b"\n".join(lines))
        yield bytes(made)


def refusal_or(read: Callable[[], Result]) -> Result | RecordingError:
    """What is read, or the error with which it is refused, in one line; any other error is one of ours."""
    try:
        return read()
    except RecordingError as error:
        refusal = error
    assert str(refusal).isprintable(), "one line that no terminal minds"
    return refusal
