"""What an archive of arrays says of its recordings besides joints: names, labels, people, cameras, rates, layout."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kinestream.data.formats.numpy_files import Arrays
from kinestream.data.npy import Header
from kinestream.data.recording import RecordingError
from kinestream.skeleton.layout import UNITS, UP, SkeletonLayout, layout_names, load_layout
from kinestream.words import shown

VERSION = "kinestream"
"""The array that our own archives have, with the version that wrote them."""
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "name": ("name", "names", "file", "files", "filename", "filenames", "recording", "recordings"),
    "label": ("label", "labels", "y", "action", "actions", "movement", "activity", "class", "target", "targets"),
    "subject": ("subject", "subjects", "participant", "participants", "performer"),
    "camera": ("camera", "cameras", "view", "views"),
    "session": ("session", "sessions"),
    "fps": ("fps", "rate", "frame_rate", "framerate", "sampling_rate"),
    "length": ("length", "lengths", "n_frames", "num_frames", "frame_count"),
}
"""Of which there is one value for each recording, or one for all."""
_OF_ALL: Mapping[str, tuple[str, ...]] = {
    "layout": ("layout",),
    "units": ("units", "unit"),
    "up": ("up",),
    "points": ("joint_names", "keypoint_names", "point_names", "marker_names", "landmark_names", "keypoints_names"),
    "classes": ("class_names", "label_names", "classes", "action_names"),
}
_MOST_BYTES, _MOST_VALUES = 2**28, 2_000_000


@dataclass(frozen=True, kw_only=True)
class RowFacts:
    """What is known of all recordings of an archive, and of each."""

    is_ours: bool = False
    layout: SkeletonLayout | None = None
    points: tuple[str, ...] = ()
    units: str | None = None
    up: str | None = None
    classes: tuple[str, ...] = ()
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    used: frozenset[str] = frozenset()
    """The arrays that this was read from."""
    notes: tuple[str, ...] = ()

    @property
    def lengths(self) -> Sequence[Any] | None:
        return self.columns.get("length")

    def row(self, row: int, count: int) -> dict[str, Any]:
        """Name, label and so on of one of `count` recordings, as the fields of a `Found`."""
        told: dict[str, Any] = {}
        for what, values in self.columns.items():
            if what == "length" or len(values) not in (1, count):
                continue
            value = values[row if len(values) == count else 0]
            if what == "fps":
                told[what] = float(value) if np.isfinite(value) and 0 < value < 100_000 else None
            elif what == "name":
                told[what] = str(value) if len(values) == count else ""
            elif value != "":
                told[what] = self._class(value) if what == "label" else value
        return told

    def length(self, row: int, frames: int) -> int:
        """Frames of a recording of an array with room for so many."""
        if self.lengths is None or len(self.lengths) <= row:
            return frames
        return int(min(max(int(self.lengths[row]), 0), frames))

    def checked(self, count: int) -> tuple[str, ...]:
        """A note on each array that does not have a value for each of so many recordings."""
        return tuple(
            f"'{what}' has {len(values)} values for {count} recordings: it is not read"
            for what, values in self.columns.items()
            if len(values) not in (1, count)
        )

    def _class(self, label: Any) -> Any:
        known = isinstance(label, int) and 0 <= label < len(self.classes)
        return self.classes[label] if known else label


def read_facts(arrays: Arrays, joints: str) -> RowFacts:
    """Of all arrays but the one called `joints`. Raises RecordingError for one of our own that is damaged."""
    notes: list[str] = []
    used: list[str] = []
    ours = VERSION in arrays.headers
    by_word = {name.lower(): name for name in arrays.headers if name != joints}

    def find(words: Sequence[str], take: Callable[[np.ndarray], Any]) -> Any:
        for word in words:
            name = by_word.get(word)
            if name is None or not _small(arrays.headers[name]):
                continue
            made = take(np.asarray(arrays.load(name)))
            if made is not None:
                used.append(name)
                return made
        return None

    columns = {what: find(words, _NUMBERS.get(what, _column)) for what, words in _COLUMNS.items()}
    layout = find(_OF_ALL["layout"], _layout)
    points = find(_OF_ALL["points"], _names)
    units, up = (find(_OF_ALL[word], _text) for word in ("units", "up"))
    for what, value, known in (("units", units, UNITS), ("up", up, UP)):
        if value is not None and value not in known:
            notes.append(f"{what} '{shown(value, 20)}' of the file is none of {', '.join(known)}")
    return RowFacts(
        is_ours=ours,
        layout=layout,
        points=() if layout is not None or points is None else points,
        units=units if units in UNITS else None,
        up=up if up in UP else None,
        classes=find(_OF_ALL["classes"], _names) or (),
        columns={what: values for what, values in columns.items() if values is not None},
        used=frozenset([*used, VERSION] if ours else used),
        notes=tuple(notes),
    )


def _small(header: Header) -> bool:
    return header.dtype.kind in "iufUSb" and 0 < header.size <= _MOST_BYTES and math.prod(header.shape) <= _MOST_VALUES


def _column(values: np.ndarray) -> list[Any] | None:
    """Text or whole numbers, one for each recording; of one-hot rows the place of the one."""
    if values.ndim == 2 and values.shape[1] > 1 and values.dtype.kind in "biuf":
        one_hot = ((values != 0).sum(axis=1) == 1) & (values.max(axis=1) == 1)
        return values.argmax(axis=1).tolist() if one_hot.all() else None
    if values.ndim > 2 or (values.ndim == 2 and values.shape[1] != 1):
        return None
    values = values.ravel()
    if values.dtype.kind == "f":
        whole = (values == np.floor(values)) & (np.abs(values) < 2**53)
        return values.astype(np.int64).tolist() if whole.all() else None
    if values.dtype.kind == "S":
        return [value.decode("utf-8", "replace") for value in values.tolist()]
    return values.tolist() if values.dtype.kind in "iuU" else None


def _rates(values: np.ndarray) -> list[float] | None:
    return values.ravel().astype(np.float64).tolist() if values.ndim < 2 and values.dtype.kind in "iuf" else None


def _lengths(values: np.ndarray) -> list[int] | None:
    return values.tolist() if values.ndim == 1 and values.dtype.kind in "iu" else None


_NUMBERS: Mapping[str, Callable[[np.ndarray], Any]] = {"fps": _rates, "length": _lengths}


def _names(values: np.ndarray) -> tuple[str, ...] | None:
    made = _column(values) if values.ndim == 1 and values.dtype.kind in "US" else None
    return None if made is None or len(set(made)) != len(made) else tuple(made)


def _text(values: np.ndarray) -> str | None:
    made = _column(values) if values.size == 1 and values.dtype.kind in "US" else None
    return None if made is None else str(made[0])


def _layout(values: np.ndarray) -> SkeletonLayout | None:
    text = _text(values)
    if not text:
        return None
    if text in layout_names():
        return load_layout(text)
    try:
        return SkeletonLayout.from_json(text)
    except (ValueError, RecursionError) as error:
        raise RecordingError(f"its layout cannot be read: {shown(str(error), 100)}") from None
