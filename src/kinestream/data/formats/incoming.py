"""What a reader of others' files hands over: rows, one after the other, and what the file says about all of them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from kinestream.data.npy import map_array
from kinestream.data.recording import RecordingError, check_coordinates
from kinestream.plugins import Registry
from kinestream.skeleton.layout import KINECT20, NTU25, SkeletonLayout

MOST_CLASSES = 10_000
"""A label beyond this is damage, not a class."""
MOST_FRAMES = 1_000_000
"""As is a length beyond this."""
ARRAY_LAYOUTS = (NTU25, KINECT20)
"""Layouts of 3D arrays, told apart by the number of joints."""


class ExchangeError(ValueError):
    """A file of others that cannot be read or written: what was found, what is understood."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One recording of a file, not yet checked."""

    file: str
    number: int
    """Its place in the file, from 1."""
    name: str
    part: str
    """What the splits of the file go by."""
    label: int
    """From 0."""
    joints: Float[np.ndarray, "t m v c"] | None
    """Metres; None where there is none, for `reason`."""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class FileSplit:
    """The parts that a file names for training and for testing."""

    train: frozenset[str]
    test: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """A file or folder of others, opened."""

    form: str
    """What it is, in words."""
    layout: SkeletonLayout
    most_bodies: int
    classes: int
    """Number of classes that the labels need."""
    count: int
    rows: Callable[[], Iterator[Row]]
    splits: Mapping[str, FileSplit]
    names: tuple[tuple[str, str], ...] | None
    """Name and part of each recording; None where the file has no names and `rows` makes them up."""
    preparation: str
    """The preparation of the store."""
    cleaned: bool
    """The joints are kept as they are; else `preparation` cleans them."""
    notes: tuple[str, ...] = field(default=())
    """What the user should be told."""


def layout_of(joints: int, where: Path | str) -> SkeletonLayout:
    """The layout of 3D data with so many joints."""
    for layout in ARRAY_LAYOUTS:
        if len(layout.joints) == joints:
            return layout
    known = ", ".join(f"{len(layout.joints)} ({layout.name})" for layout in ARRAY_LAYOUTS)
    raise ExchangeError(f"{where} has {joints} joints: understood are {known}")


def open_array(path: Path) -> np.ndarray:
    """Maps a `.npy` file of numbers."""
    try:
        return map_array(path)
    except FileNotFoundError:
        raise ExchangeError(f"no file {path}") from None
    except (ValueError, EOFError) as error:
        raise ExchangeError(f"{path} is no whole array ({error}): cut off or damaged") from None


def joints_of(row: Row) -> Float[np.ndarray, "t m v c"]:
    """Raises RecordingError where they cannot be used."""
    if row.joints is None:
        raise RecordingError(row.reason)
    if not row.joints.any():
        raise RecordingError(f"no body in any of its {len(row.joints)} frames")
    wrong = check_coordinates(row.joints)
    if wrong.any():
        frame = int(np.flatnonzero(wrong.any(axis=(1, 2)))[0])
        raise RecordingError(f"frame {frame + 1}: a joint that is no position")
    return row.joints


def whole_number(value: object, below: int = MOST_CLASSES) -> int:
    """A label or a length as an int; -1, which is none, for anything else."""
    return int(value) if isinstance(value, int | np.integer) and 0 <= value < below else -1


def seen_frames(joints: Float[np.ndarray, "t m v c"]) -> int:
    """Number of frames up to the last that is not all zero."""
    filled = np.flatnonzero(joints.any(axis=(1, 2, 3)))
    return int(filled[-1]) + 1 if len(filled) else 0


def check_preparation(name: str, known: Registry[Any]) -> str:
    if name not in known:
        raise ExchangeError(f"unknown preparation '{name}': choose from {', '.join(known)}")
    return name


def shown(name: str) -> str:
    """A name as an error can have it: short, in one line, nothing that could upset a terminal."""
    return ascii(name)[1:-1][:60]
