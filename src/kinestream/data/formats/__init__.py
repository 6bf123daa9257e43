"""File formats of recordings, by name. Each module reads one and registers it.

A format of your own is a `Format`, added with `FORMATS.add("mine", Format(...))` in a plug-in.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from kinestream.data.recording import LabelTrack, Recording, Source
from kinestream.plugins import Registry
from kinestream.skeleton.layout import SkeletonLayout


def plain_name(path: Path) -> Source:
    """Of files whose names tell nothing but what the recording is called."""
    return Source(path=path, name=path.stem)


@dataclass(frozen=True, kw_only=True)
class Format:
    """How the files of a kind are named and read. The functions raise RecordingError for what they cannot use."""

    suffixes: tuple[str, ...]
    """Of the files, in lower case, with the dot; the usual one first."""
    read: Callable[[Source], Recording]
    """The recording of one file."""
    layout: SkeletonLayout | None = None
    """Of all its recordings; None where the user, or the data set, says it."""
    parse_name: Callable[[Path], Source] = plain_name
    """What a file's name tells."""
    name_scheme: str = "NAME"
    """How the files are called, for messages."""
    parse_labels: Callable[[bytes, int, int], LabelTrack] | None = None
    """The label file of a recording, given its number of frames and the number of classes; None where names tell the
    action and a file is one recording."""
    files_a_task: int = 16
    """Files that a worker process reads in one go: with few large ones, less lies in memory."""

    @property
    def suffix(self) -> str:
        """The usual one."""
        return self.suffixes[0]


FORMATS: Registry[Format] = Registry(
    "format",
    MappingProxyType(
        {
            "arrays": "kinestream.data.formats.arrays",
            "ntu": "kinestream.data.formats.ntu",
            "nw-ucla": "kinestream.data.formats.nw_ucla",
            "pku-mmd-1": "kinestream.data.formats.pku_mmd",
            "pku-mmd-2": "kinestream.data.formats.pku_mmd",
        }
    ),
)
