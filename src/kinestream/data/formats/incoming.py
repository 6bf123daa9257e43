"""What a reader of others' files hands over: rows, one after the other, and what the file says about all of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from kinestream.data.npy import map_array
from kinestream.data.recording import Recording, RecordingError, Units, Up, check_coordinates
from kinestream.plugins import Registry
from kinestream.skeleton.layout import SkeletonLayout
from kinestream.words import plain_text, shown

MOST_CLASSES = 10_000
"""A label beyond this is damage, not a class."""
MOST_FRAMES = 1_000_000
"""As is a length beyond this."""
MOST_BODIES = 100
"""And so many places for bodies."""
_NAMED = 8
"""So many things of a kind are named in a message."""


class ExchangeError(ValueError):
    """A file of others that cannot be read or written: what was found, what is understood."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is known of a collection beside what stands in it."""

    layout: SkeletonLayout | None = None
    """As the user says."""
    dataset: str = ""
    """The data set that the user names, and its layout; the user's word on the layout goes before."""
    dataset_layout: SkeletonLayout | None = None
    class_names: tuple[str, ...] = ()
    """Of the data set, or as the user says, in the order of the labels."""
    first_label: int | None = None
    """The label of the first class, 0 or 1; None where the labels are to show it."""
    axes: str = ""
    """The order of the axes of arrays, where it is not the usual one of the form: see `orders`."""
    preparation: str | None = None
    """What the joints are to go through, or what others prepared them with; None for the usual one of the form."""

    def refuse_axes(self, form: str) -> None:
        """Raises ExchangeError where axes are said of a form that leaves none open."""
        if self.axes:
            raise ExchangeError(
                f"axes '{shown(self.axes)}' are for x_train arrays, {form} have one order: leave it out"
            )


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
    """As the file counts; -1 for none."""
    joints: Float[np.ndarray, "t m v c"] | None
    """NaN where a joint was not seen, zero where a body is not there; None where there is none, for `reason`."""
    reason: str = ""
    confidence: Float[np.ndarray, "t m v"] | None = None
    subject: str | int | None = None
    camera: str | int | None = None
    session: str | int | None = None
    fps: float | None = None


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
    """Places for bodies in the file."""
    labels: Sequence[int]
    """Of each row, as the file counts; -1 for none."""
    rows: Callable[[], Iterator[Row]]
    splits: Mapping[str, FileSplit]
    """None where everything is for training."""
    names: tuple[tuple[str, str], ...] | None
    """Name and part of each recording; None where the file has no names and `rows` makes them up."""
    preparation: str
    """The preparation of the store."""
    cleaned: bool
    """The joints are kept as they are; else `preparation` cleans them."""
    planar: bool = False
    """Two coordinates; the third is zero."""
    class_names: tuple[str, ...] = ()
    """In the order of the labels, where somebody says them."""
    first_label: int = 0
    """The label of the first class."""
    own_numbers: bool = False
    """The labels number the actions of the names anew, so that they need not agree."""
    notes: tuple[str, ...] = field(default=())
    """What the user should be told."""

    @property
    def count(self) -> int:
        return len(self.labels)

    @property
    def labelled(self) -> bool:
        """Whether any recording has a label."""
        return any(label >= 0 for label in self.labels)

    @property
    def classes(self) -> int:
        """Number of classes that the labels need."""
        return max(max(self.labels, default=-1) + 1 - self.first_label, 0)

    def recording(self, row: Row, *, units: Units = "m", up: Up = "y") -> Recording:
        """A row as a recording, in metres with y up. Raises RecordingError where it cannot be used."""
        if row.joints is None:
            raise RecordingError(row.reason)
        if not row.joints.size or not np.nan_to_num(row.joints).any():
            raise RecordingError(f"no body in any of its {len(row.joints)} frames")
        if np.isinf(row.joints).any():
            raise _no_position(np.isinf(row.joints).any(axis=-1))
        made = Recording(
            row.joints,
            self.layout,
            units=units,
            up=up,
            fps=row.fps,
            name=row.name,
            label=self.label_name(row.label),
            subject=row.subject,
            camera=row.camera,
            session=row.session,
            confidence=row.confidence,
            planar=self.planar,
        )
        wrong = check_coordinates(made.joints)
        if not self.cleaned:  # of prepared clips a joint without a position is damage
            wrong &= ~np.isnan(made.joints).any(axis=-1)
        if wrong.any():
            raise _no_position(wrong)
        return made

    def label_name(self, label: int) -> str | int | None:
        """The class of a label as the file counts: its name where it has one, else its number from 0."""
        number = label - self.first_label
        if number < 0:
            return None
        return self.class_names[number] if number < len(self.class_names) else number


def _no_position(wrong: np.ndarray) -> RecordingError:
    frame = int(np.flatnonzero(wrong.any(axis=(1, 2)))[0])
    return RecordingError(f"frame {frame + 1}: a joint that is no position")


def open_array(path: Path) -> np.ndarray:
    """Maps a `.npy` file of numbers."""
    try:
        return map_array(path)
    except FileNotFoundError:
        raise ExchangeError(f"no file {path}") from None
    except (ValueError, EOFError) as error:
        raise ExchangeError(f"{path} is no whole array ({error}): cut off or damaged") from None


def whole_number(value: object, below: int = MOST_CLASSES) -> int:
    """A label or a length as an int; -1, which is none, for anything else."""
    return int(value) if isinstance(value, int | np.integer) and 0 <= value < below else -1


def word_of(value: object) -> str | int | None:
    """A subject or camera as a file has it; None for what is none."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return str(value) if isinstance(value, str) and value.strip() and value.isprintable() else None


def rate_of(value: object) -> float | None:
    """Frames a second; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return None
    return float(value) if 0 < value < 100_000 else None


def names_of_classes(value: object, where: str) -> tuple[str, ...]:
    """Names of classes out of a list, or a mapping of numbers to names (or names to numbers). Raises ExchangeError for
    anything else."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        pairs = [(key, name) if isinstance(key, int) else (name, key) for key, name in value.items()]
        by_number = {number: name for number, name in pairs if isinstance(number, int)}
        if set(by_number) == set(range(len(value))):
            value = [by_number[number] for number in range(len(value))]
    names = value if isinstance(value, list | tuple) else None
    if names is None or len(names) > MOST_CLASSES or not all(isinstance(name, str) and name.strip() for name in names):
        raise ExchangeError(f"{where} are no names of classes, one for each label from 0")
    names = [plain_text(" ".join(name.split())) for name in names]
    if len(set(names)) != len(names):
        raise ExchangeError(
            f"{where}: the class '{shown(next(n for n in names if names.count(n) > 1))}' is there twice"
        )
    return tuple(names)


def seen_frames(joints: Float[np.ndarray, "t m v c"]) -> int:
    """Number of frames up to the last that is not all zero."""
    filled = np.flatnonzero(joints.any(axis=(1, 2, 3)))
    return int(filled[-1]) + 1 if len(filled) else 0


def not_read(names: Sequence[str]) -> tuple[str, ...]:
    """What to say of parts of a file that are left aside."""
    if not names:
        return ()
    some = ", ".join(shown(name) for name in names[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return (f"not read: {some}{more}",)


def check_preparation(name: str, known: Registry[Any]) -> str:
    if name not in known:
        raise ExchangeError(f"unknown preparation '{name}': choose from {', '.join(known)}")
    return name
