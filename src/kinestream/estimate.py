"""What some work would take, estimated from a timed part of it: the answer to `--dry-run`."""

import sys
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What would be made, and what it would take. Nothing of it was made."""

    makes: tuple[tuple[str, str], ...]
    """What, and how much of it."""
    seconds: float | None
    """None where nothing could be timed."""
    memory: int | None
    """Bytes at the peak of the timed part: of the device where that has memory of its own, else of the process."""
    disk: int
    """Bytes."""
    timed: str
    """What was timed."""

    def rows(self) -> list[tuple[str, str]]:
        """For a table."""
        return [
            *self.makes,
            ("time", "not known" if self.seconds is None else f"about {in_words(self.seconds)}"),
            *([] if self.memory is None else [("memory", f"about {in_bytes(self.memory)}")]),
            ("disk", f"about {in_bytes(self.disk)}"),
            ("estimated from", self.timed),
        ]


def in_words(seconds: int | float) -> str:
    """
    Example:
        >>> in_words(40), in_words(4000), in_words(100_000)
        ('40 s', '1.1 h', '1.2 days')
    """
    for unit, size, least in (("days", 86_400, 100_000), ("h", 3600, 3600), ("min", 60, 90)):
        if seconds >= least:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def in_bytes(size: int | float) -> str:
    """
    Example:
        >>> in_bytes(2_500), in_bytes(3_400_000), in_bytes(5e9)
        ('3 kB', '3.4 MB', '5.0 GB')
    """
    if size < 1e6:
        return f"{max(1, round(size / 1e3 + 1e-9))} kB"
    return f"{size / 1e6:.1f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"


def peak_of_process() -> int | None:
    """Bytes of memory that this process had at most; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def spread(count: int, most: int) -> list[int]:
    """At most so many of the numbers below `count`, spread evenly.

    Example:
        >>> spread(10, 3), spread(2, 3)
        ([1, 5, 8], [0, 1])
    """
    return [int((number + 0.5) * count / most) for number in range(most)] if count > most else list(range(count))
