"""Files that are damaged at random, for the tests of readers."""

from collections.abc import Callable, Iterator

import numpy as np


def damaged(content: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """Cuts, flipped and replaced bytes, lines that are left out, doubled or exchanged."""
    rng = np.random.default_rng(seed)
    ways: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (_cut, _flip, _fill, _without, _lines)
    for number in range(count):
        yield ways[number % len(ways)](content, rng)


def check_told(error: Exception) -> None:
    """One short line that any terminal can show."""
    assert str(error).isprintable()
    assert 0 < len(str(error)) < 500


def _cut(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: int(rng.integers(0, len(content)))]


def _flip(content: bytes, rng: np.random.Generator) -> bytes:
    made = bytearray(content)
    for place in rng.integers(0, len(made), int(rng.integers(1, 4))).tolist():
        made[place] ^= 1 << int(rng.integers(0, 8))
    return bytes(made)


def _fill(content: bytes, rng: np.random.Generator) -> bytes:
    """Early bytes more often: headers stand there."""
    made = bytearray(content)
    place = int(len(made) * rng.random() ** 3)
    made[place : place + int(rng.integers(1, 6))] = rng.bytes(int(rng.integers(1, 6)))
    return bytes(made)


def _without(content: bytes, rng: np.random.Generator) -> bytes:
    place = int(rng.integers(0, len(content)))
    return content[:place] + content[place + int(rng.integers(1, 40)) :]


def _lines(content: bytes, rng: np.random.Generator) -> bytes:
    lines = content.split(b"\n")
    first, second = rng.integers(0, len(lines), 2).tolist()
    match int(rng.integers(0, 3)):
        case 0:
            lines[first], lines[second] = lines[second], lines[first]
        case 1:
            del lines[first]
        case _:
            lines.insert(first, lines[second])
    return b"\n".join(lines)
