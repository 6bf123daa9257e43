"""The arrays that programs of others train on: the 3s-CACA authors' folder, and the npz of CTR-GCN, MAMP and SLiM.

Both hold recordings of one length: shorter ones are zero after their last frame. What they cannot say (layout, lengths,
people, rates) stands beside them, where other readers pass over it.
"""

import pickle
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from kinestream.data.formats import authors, ctr_gcn
from kinestream.data.formats.incoming import ExchangeError
from kinestream.data.formats.origin import COLUMNS, FILE, KEY, Origin
from kinestream.data.formats.outgoing import Labels, Outgoing, numbered
from kinestream.data.formats.to_npz import add, write_header
from kinestream.files import new_folder, replacing, write_json

FULL_FRAMES = 300
"""Arrays of full-length recordings have this many frames, or as many as the longest needs."""


def write_authors(outgoing: Outgoing, folder: Path) -> None:
    """A folder of `train_data.npy`, all recordings in full length for training."""
    outgoing.refuse_unseen("the authors' form")
    labels = _all_labelled(outgoing, "the authors' form")
    rows, part = outgoing.rows, authors.PARTS[0]
    shape = (_longest(outgoing), outgoing.most_bodies, len(outgoing.layout.joints))
    columns: dict[str, list[Any]] = {key: [getattr(row, key) for row in rows] for key in COLUMNS if key != "length"}
    told = {key: values for key, values in columns.items() if any(value is not None for value in values)}
    origin = Origin(
        preparation=outgoing.preparation,
        layout=outgoing.layout,
        class_names=labels.class_names,
        planar=outgoing.planar,
        columns={part: {"length": [row.frames for row in rows], **told}},
    )
    names = [row.name for row in rows]
    with new_folder(folder) as made:
        joints = (content.joints for content in outgoing.contents())
        write_authors_part(made, part, "data", names, labels.numbers, joints, shape)
        write_json(made / FILE, origin.to_dict())


def write_ctr_gcn(outgoing: Outgoing, path: Path) -> None:
    """A file of `x_train` and `y_train`, all recordings in full length for training."""
    outgoing.refuse_unseen("the npz with x_train")
    rows, part = outgoing.rows, ctr_gcn.PARTS[0]
    labelled = any(row.label is not None for row in rows)
    labels = _all_labelled(outgoing, "the npz with x_train") if labelled else None
    shape = (_longest(outgoing), outgoing.most_bodies, len(outgoing.layout.joints))
    class_names = () if labels is None else labels.class_names
    with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        joints = (content.joints for content in outgoing.contents())
        classes = 0 if labels is None else len(class_names) or max(labels.numbers) + 1
        numbers = None if labels is None else labels.numbers
        write_ctr_gcn_part(archive, part, [row.name for row in rows], numbers, classes, joints, shape)
        for key in ("subject", "camera", "session"):
            values = [getattr(row, key) for row in rows]
            if any(value is not None for value in values):
                add(archive, f"{key}_{part}", _column(values))
        if any(row.fps for row in rows):
            add(archive, f"fps_{part}", np.asarray([np.nan if row.fps is None else row.fps for row in rows]))
        origin = Origin(preparation=outgoing.preparation, layout=outgoing.layout, planar=outgoing.planar)
        write_origin(archive, origin, class_names)


def write_authors_part(
    folder: Path,
    part: str,
    kind: str,
    names: Sequence[str],
    labels: Sequence[int],
    clips: Iterator[Float[np.ndarray, "t m v c"]],
    shape: tuple[int, int, int],
) -> None:
    """Writes `<part>_<kind>.npy`, clip after clip, and `<part>_label.pkl`. `shape` is (t, m, v); what is shorter, or
    has fewer bodies, is zero there."""
    frames, bodies, joints = shape
    with (folder / f"{part}_{kind}.npy").open("wb") as file:
        write_header(file, (len(names), 3, frames, joints, bodies))
        for clip in clips:
            row = np.zeros((3, frames, joints, bodies), dtype="<f4")
            row[:, : len(clip), :, : clip.shape[1]] = clip.transpose(3, 0, 2, 1)
            file.write(row.data)
    with (folder / f"{part}_label.pkl").open("wb") as file:
        pickle.dump((list(names), [int(label) for label in labels]), file, protocol=2)


def write_ctr_gcn_part(
    archive: zipfile.ZipFile,
    part: str,
    names: Sequence[str],
    labels: Sequence[int] | None,
    classes: int,
    recordings: Iterator[Float[np.ndarray, "t m v c"]],
    shape: tuple[int, int, int],
) -> None:
    """Writes `x_ y_ name_ length_<part>`, zero after the last frame of each recording. `shape` is (t, m, v)."""
    frames, bodies, joints = shape
    lengths = []
    with archive.open(f"x_{part}.npy", "w", force_zip64=True) as file:
        write_header(file, (len(names), frames, bodies * joints * 3))
        for recording in recordings:
            row = np.zeros((frames, bodies, joints, 3), dtype="<f4")
            row[: len(recording), : recording.shape[1]] = recording
            file.write(row.data)
            lengths.append(len(recording))
    if labels is not None:
        one_hot = np.zeros((len(names), classes), dtype=np.float32)
        one_hot[np.arange(len(names)), np.asarray(labels, dtype=np.int64)] = 1
        add(archive, f"y_{part}", one_hot if classes > 1 else np.zeros(len(names), dtype=np.int64))
    add(archive, f"name_{part}", np.asarray(names, dtype=np.str_))
    add(archive, f"length_{part}", np.asarray(lengths, dtype=np.int64))


def write_origin(archive: zipfile.ZipFile, origin: Origin, class_names: Sequence[str]) -> None:
    """The members of an npz that are of all parts."""
    if class_names:
        add(archive, "class_names", np.asarray(class_names, dtype=np.str_))
    add(archive, KEY, np.asarray(origin.to_text()))


def _all_labelled(outgoing: Outgoing, form: str) -> Labels:
    labels = numbered(outgoing.rows, outgoing.class_names)
    lacking = [row.name for row, number in zip(outgoing.rows, labels.numbers, strict=True) if number < 0]
    if lacking:
        raise ExchangeError(f"{len(lacking)} recordings have no label ('{lacking[0]}' is the first), {form} needs one")
    return labels


def _longest(outgoing: Outgoing) -> int:
    return max(FULL_FRAMES, *(row.frames for row in outgoing.rows))


def _column(values: Sequence[str | int | None]) -> np.ndarray:
    """Whole numbers where all are; else text, empty where it is not known."""
    if all(isinstance(value, int) for value in values):
        return np.asarray(values, dtype=np.int64)
    return np.asarray(["" if value is None else str(value) for value in values], dtype=np.str_)
