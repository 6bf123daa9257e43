"""PYSKL's annotations as a pickle, written piece by piece: however many recordings, one is in memory at a time.

The pickle is put together from the few operations that such a file needs, under the name that arrays had in numpy 1,
which every numpy reads. Positions are metres with three coordinates; a joint that was not seen is zero with a score of
zero.
"""

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kinestream.data.formats.origin import KEY, Origin
from kinestream.data.formats.outgoing import Content, Outgoing, numbered
from kinestream.files import replacing

Splits = Mapping[str, Sequence[str]]
_PROTOCOL = 3
_BEGIN, _END = pickle.PROTO + bytes([_PROTOCOL]), pickle.STOP


def write_pyskl(outgoing: Outgoing, path: Path, splits: Splits | None = None) -> None:
    """Writes the annotations of all recordings. `splits` are lists of names; all in `train` if there are none."""
    rows = outgoing.rows
    labels = numbered(rows, outgoing.class_names)
    origin = Origin(preparation=outgoing.preparation, layout=outgoing.layout, planar=outgoing.planar)
    lists = (
        {"train": [row.name for row in rows]} if splits is None else {key: [*names] for key, names in splits.items()}
    )
    head: dict[str, Any] = {"split": lists, KEY: origin.to_text()}
    if labels.class_names:
        head["label_name"] = list(labels.class_names)
    with replacing(path) as part, part.open("wb") as file:
        file.write(_BEGIN + pickle.EMPTY_DICT + pickle.MARK)
        for key, value in head.items():
            file.write(_plain(key) + _plain(value))
        file.write(_plain("annotations") + pickle.EMPTY_LIST + pickle.MARK)
        for content, label in zip(outgoing.contents(), labels.numbers, strict=True):
            file.write(_annotation(content, label))
        file.write(pickle.APPENDS + pickle.SETITEMS + _END)


def _annotation(content: Content, label: int) -> bytes:
    facts = content.facts
    unseen = np.isnan(content.joints).any(axis=3)
    known: dict[str, Any] = {"frame_dir": facts.name, "total_frames": facts.frames, "label": label}
    known |= {key: getattr(facts, key) for key in ("subject", "camera", "session", "fps")}
    told = {key: value for key, value in known.items() if value is not None and (key != "label" or label >= 0)}
    arrays = {"keypoint": np.where(unseen[..., None], np.float32(0), content.joints).swapaxes(0, 1)}
    if content.confidence is not None or unseen.any():
        scores = np.ones_like(unseen, dtype=np.float32) if content.confidence is None else content.confidence
        arrays["keypoint_score"] = np.where(unseen, np.float32(0), scores).swapaxes(0, 1)
    made = b"".join(_plain(key) + _plain(value) for key, value in told.items())
    made += b"".join(_plain(key) + _array(value) for key, value in arrays.items())
    return pickle.EMPTY_DICT + pickle.MARK + made + pickle.SETITEMS


def _plain(value: object) -> bytes:
    """Text, numbers and lists of text: the operations alone, without what begins and ends a pickle. None of them refers
    to another (text stands twice where it is there twice), so that pieces can be put together."""
    if isinstance(value, str):
        encoded = value.encode("utf-8", "surrogatepass")
        return pickle.BINUNICODE + len(encoded).to_bytes(4, "little") + encoded
    if isinstance(value, list):
        return pickle.EMPTY_LIST + pickle.MARK + b"".join(map(_plain, value)) + pickle.APPENDS
    if isinstance(value, dict):
        pairs = b"".join(_plain(key) + _plain(one) for key, one in value.items())
        return pickle.EMPTY_DICT + pickle.MARK + pairs + pickle.SETITEMS
    assert isinstance(value, int | float)
    return pickle.dumps(value, _PROTOCOL)[len(_BEGIN) : -len(_END)]


def _array(values: np.ndarray) -> bytes:
    """As numpy pickles an array of float32: an empty one, then its state (version, shape, type, order, content)."""
    content = np.ascontiguousarray(values, dtype="<f4").tobytes()
    name = pickle.GLOBAL + b"numpy.core.multiarray\n_reconstruct\n" + pickle.GLOBAL + b"numpy\nndarray\n"
    empty = name + pickle.MARK + _plain(0) + pickle.TUPLE + _bytes(b"b") + pickle.TUPLE3 + pickle.REDUCE
    kind = pickle.GLOBAL + b"numpy\ndtype\n" + _plain("f4") + pickle.NEWFALSE + pickle.NEWTRUE + pickle.TUPLE3
    none = pickle.NONE * 3 + _plain(-1) * 2 + _plain(0)
    order = pickle.MARK + _plain(3) + _plain("<") + none + pickle.TUPLE + pickle.BUILD
    shape = pickle.MARK + b"".join(_plain(int(size)) for size in values.shape) + pickle.TUPLE
    state = pickle.MARK + _plain(1) + shape + kind + pickle.REDUCE + order + pickle.NEWFALSE + _bytes(content)
    return empty + state + pickle.TUPLE + pickle.BUILD


def _bytes(content: bytes) -> bytes:
    if len(content) < 2**32:
        return pickle.BINBYTES + len(content).to_bytes(4, "little") + content
    return pickle.BINBYTES8 + len(content).to_bytes(8, "little") + content
