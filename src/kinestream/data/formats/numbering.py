"""From which number labels count, what their classes are called, and whether they go with the names of recordings."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from kinestream.data.formats import ntu
from kinestream.data.formats.incoming import Asked, ExchangeError, Incoming
from kinestream.data.recording import RecordingError
from kinestream.words import plain_text, shown

_NAMED = 3


def settle_labels(incoming: Incoming, asked: Asked, where: Path) -> Incoming:
    """With the first label, the names of the classes and what is to be said of them.

    Labels count from 0 in every known form, and many people's count from 1: that is taken where the names of recordings
    or the number of classes show it, and said. Raises ExchangeError where labels begin at 1 and nothing shows which.

    Example:
        >>> from kinestream.skeleton.layout import load_layout
        >>> rows = Incoming(form="x", layout=load_layout("ntu25"), most_bodies=1, labels=[1, 2, 3], splits={},
        ...                 rows=lambda: iter(()), names=None, preparation="imported", cleaned=True)
        >>> settle_labels(rows, Asked(class_names=("sit", "stand", "wave")), Path("x.npz")).first_label
        1
    """
    names = asked.class_names or incoming.class_names
    actions = _actions(incoming)
    first, notes = _first_label(incoming, asked, actions, len(names), where)
    told = dataclasses.replace(incoming, class_names=names, first_label=first, notes=(*incoming.notes, *notes))
    if incoming.class_names and asked.class_names and len(incoming.class_names) != len(asked.class_names):
        more = f"the file names {len(incoming.class_names)} classes: {len(names)} others are taken, as was said"
        told = dataclasses.replace(told, notes=(*told.notes, more))
    anew = {} if asked.dataset else _numbered_anew(incoming.labels, actions, first)
    if anew:
        some = ", ".join(f"A{action:03} is {label}" for action, label in sorted(anew.items())[:_NAMED])
        note = f"labels number the actions of the names anew: {some}{' and so on' if len(anew) > _NAMED else ''}"
        told = dataclasses.replace(told, own_numbers=True, notes=(*told.notes, note))
    return told


def check_name(name: str, number: int, incoming: Incoming) -> None:
    """Raises RecordingError where the class, from 0, is not the action that a name of the NTU scheme tells."""
    action = None if incoming.own_numbers else _action(name)
    if action is not None and action - 1 != number:
        raise RecordingError(f"label {number} in the file, {action - 1} by its name")


def _first_label(
    incoming: Incoming, asked: Asked, actions: Sequence[int], classes: int, where: Path
) -> tuple[int, tuple[str, ...]]:
    labels = [label for label in incoming.labels if label >= 0]
    if asked.first_label is not None or not labels:
        return asked.first_label or 0, ()
    low, high = min(labels), max(labels)
    since_zero, since_one = (
        sum(label + more == action for label, action in zip(incoming.labels, actions, strict=False)) for more in (1, 0)
    )
    said = f"labels run from {low} to {high}"
    if since_one > max(since_zero, len(labels) / 2):
        return 1, (f"{said} and are the actions of the names: they are counted from 1, and from 0 in the store",)
    if low and classes and high == classes:
        return 1, (f"{said}, and there are {classes} classes: they are counted from 1, and from 0 in the store",)
    if low == 1 and since_zero <= len(labels) / 2:
        raise ExchangeError(
            f"{where}: {said}, none is 0: are they counted from 1? Say --first-label 1, or --first-label 0 where the "
            "first class has no recording"
        )
    return 0, ()


def _numbered_anew(labels: Sequence[int], actions: Sequence[int], first: int) -> Mapping[int, int]:
    """The label from 0 of each action, where labels are another numbering of the actions: one for each, most of them
    not the action's own. Empty where they are not."""
    pairs = [(action, label - first) for action, label in zip(actions, labels, strict=False) if label >= first]
    found = dict(pairs)
    alike = sum(label == action - 1 for action, label in pairs)
    anew = bool(pairs) and alike * 2 < len(pairs) and all(found[action] == label for action, label in pairs)
    return found if anew else {}


def _actions(incoming: Incoming) -> Sequence[int]:
    """The action of each recording by its name; nothing where one has no name of the NTU scheme."""
    found = [_action(name) for name, _ in incoming.names or ()]
    known = [action for action in found if action is not None]
    return known if len(known) == len(found) == len(incoming.labels) else ()


def _action(name: str) -> int | None:
    try:
        return ntu.parse_name(Path(f"{name}{ntu.SUFFIX}")).action
    except (RecordingError, ValueError):
        return None


def read_class_names(path: Path) -> tuple[str, ...]:
    """The classes that a text file names, one a line, in the order of the labels. Raises ExchangeError."""
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ExchangeError(f"the names of classes {path} cannot be read: {error}") from None
    names = [plain_text(" ".join(line.split())) for line in lines if line.strip()]
    twice = next((name for name in names if names.count(name) > 1), None)
    if not names or twice is not None:
        what = "is empty" if twice is None else f"has '{shown(twice)}' twice"
        raise ExchangeError(f"{path} {what}: it should have the name of a class on each line, in the order of labels")
    return tuple(names)
