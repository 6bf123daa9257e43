"""File formats of recordings, by name. Each module reads one and registers it.

A format of your own is a `Format` (a recording a file) or a `Collection` (many in one), added with
`FORMATS.add("mine", Format(...))` in a plug-in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from kinestream.data.formats.incoming import Asked, ExchangeError, Incoming
from kinestream.data.recording import Found, LabelTrack, Recording, Source
from kinestream.plugins import Registry
from kinestream.skeleton.layout import SkeletonLayout


def named_by_stem(path: Path) -> Source:
    """Of files whose names tell nothing but what the recording is called."""
    return Source(path=path, name=path.stem)


@dataclass(frozen=True, kw_only=True)
class Format:
    """How the files of a kind are named and read. The functions raise RecordingError for what they cannot use."""

    suffixes: tuple[str, ...]
    """Of the files, in lower case, with the dot; the usual one first."""
    read: Callable[[Source], Recording | Found | Sequence[Found]]
    """The recording of one file, or several where a file can hold several. `Found` is what the file says, with what it
    does not say left open; a `Recording` is for formats that leave nothing open."""
    looks_like: str = ""
    """What it is, in a few words, for messages and the table of formats."""
    recognises: Callable[[Path], bool] | None = None
    """Whether a file of these suffixes is of this format, by its content: quick (a few KB are looked at), and no error
    for any content. None where no other format has these suffixes."""
    gather: Callable[[Sequence[Path]], Sequence[Source]] | None = None
    """Which of the files below a folder, given in order, make one recording, where each frame has a file of its own."""
    companions: tuple[str, ...] = ()
    """Suffixes of further files that belong to those of this format and are no recordings themselves."""
    layout: SkeletonLayout | None = None
    """Of all its recordings; None where the user, or the data set, says it."""
    parse_name: Callable[[Path], Source] = named_by_stem
    """What a file's name tells."""
    sources: Callable[[Path], Sequence[Source]] | None = None
    """The recordings of a file by name, where a data set may have many in one; `read` is given one at a time."""
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


@dataclass(frozen=True, kw_only=True)
class Collection:
    """A file or folder that holds many recordings and says their names, labels, and which are for training."""

    looks_like: str
    """What it is known by, for messages."""
    is_one: Callable[[Path], bool]
    """Whether a file or folder is one, by its content."""
    open: Callable[[Path, Asked], Incoming]
    """Given what the user says of it: its layout, the preparation that its joints go through, the order of axes. Raises
    ValueError for one that is damaged, or leaves open what nobody says."""


_FILES = {
    "alphapose": "alphapose",
    "amc": "amc",
    "arrays": "arrays",
    "azure-kinect": "azure_kinect",
    "bvh": "bvh",
    "c3d": "c3d",
    "coco": "coco_json",
    "deeplabcut": "deeplabcut",
    "freemocap": "freemocap",
    "matlab": "matlab",
    "mediapipe": "mediapipe",
    "mediapipe-csv": "mediapipe_csv",
    "movement": "movement",
    "msr-action3d": "msr_action3d",
    "ntu": "ntu",
    "nw-ucla": "nw_ucla",
    "openpose": "openpose",
    "pku-mmd-1": "pku_mmd",
    "pku-mmd-2": "pku_mmd",
    "sbu": "sbu",
    "sleap": "sleap",
    "table": "table",
    "trc": "trc",
    "ui-prmd": "ui_prmd",
    "ui-prmd-correctness": "ui_prmd",
}
_COLLECTIONS = {
    "authors": "authors",
    "ctr-gcn": "ctr_gcn",
    "pyskl": "pyskl",
}
FORMATS: Registry[Format | Collection] = Registry(
    "format",
    MappingProxyType({name: f"{__name__}.{module}" for name, module in {**_FILES, **_COLLECTIONS}.items()}),
)
"""Of a recording a file, and of many; each is imported when it is asked for."""


def file_format(name: str) -> Format:
    """The format of that name. Raises ValueError where there is none, or it is that of a collection."""
    form = FORMATS.get(name)
    if isinstance(form, Collection):
        raise ValueError(f"format '{name}' is {form.looks_like}, not a file for each recording")
    return form


def collection_at(place: Path, name: str | None = None) -> Collection | None:
    """What a file or folder is a collection of, going by its content unless a format is named; None for files of one
    recording each. Raises ValueError for an unknown name."""
    if name is not None:
        form = FORMATS.get(name)
        return form if isinstance(form, Collection) else None
    return next((form for form in _collections() if form.is_one(place)), None)


def _collections() -> list[Collection]:
    """Of the readers of files none is imported for it."""
    builtin = [FORMATS.get(name) for name in _COLLECTIONS]
    return [form for form in (*builtin, *FORMATS.added()) if isinstance(form, Collection)]


def open_collection(place: Path, asked: Asked | None = None, name: str | None = None) -> Incoming:
    """Opens whatever collection it is. Raises ValueError saying what was found and what is understood, or what is left
    open: the layout, or where labels begin."""
    from kinestream.data.formats.numbering import settle_labels  # it imports formats, which import this

    if not place.exists():
        raise ExchangeError(f"no file or folder {place}")
    form = collection_at(place, name)
    if form is None:
        known = [form.looks_like for form in _collections()]
        raise ExchangeError(f"{place} is none of the known collections: understood is {', '.join(known)}")
    asked = asked or Asked()
    return settle_labels(form.open(place, asked), asked, place)
