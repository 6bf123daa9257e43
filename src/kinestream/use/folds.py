"""Which labelled rows are kept together when some are held out, so that accuracy is that for people not seen before."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int64
from sklearn.model_selection import GroupKFold, StratifiedKFold

from kinestream.use.rows import Rows

PEOPLE, SESSIONS, RECORDINGS, GROUPS, ROWS = "people", "sessions", "recordings", "groups", "rows"


@dataclass(frozen=True, kw_only=True, eq=False)
class Together:
    """Rows that belong together: those of a person, else of a session, else of a recording."""

    what: str
    """people, sessions, recordings, or groups (as the user gave them); rows where each is for itself."""
    groups: Int64[np.ndarray, " n"]
    """The number of each row's group."""
    note: str = ""
    """What that means for figures, where these are not of people."""

    @property
    def count(self) -> int:
        return len(np.unique(self.groups))

    def take(self, which: np.ndarray) -> "Together":
        """Of some rows."""
        return Together(what=self.what, groups=self.groups[which], note=self.note)


def together(count: int, groups: Any = None, rows: Rows | None = None) -> Together:
    """The groups of `count` rows: as given, else by what is known of all of them: person (`subject`), then session,
    then the recording that windows are of.

    Raises ValueError for groups of another length.
    """
    if groups is not None:
        given = [str(one) for one in groups]
        if len(given) != count:
            raise ValueError(f"{len(given)} groups for {count} rows: one for each is needed")
        return _numbered(GROUPS, given)
    if rows is None:
        return Together(what=ROWS, groups=np.arange(count), note=_note(ROWS, "nothing is known of who is in them"))
    lacking: list[str] = []
    for what, values in ((PEOPLE, rows.subject), (SESSIONS, rows.session)):
        if all(value != "" for value in values) and len(set(values)) > 1:
            return _numbered(what, values.tolist(), "" if what == PEOPLE else _note(what, lacking[0]))
        unknown = sum(value == "" for value in values)
        name = "person" if what == PEOPLE else "session"
        lacking.append(f"the {name} of {unknown:,} of {count:,} rows is not known" if unknown else f"one {name} only")
    recordings = [f"{file}\n{name}" for file, name in rows.recordings()]
    if len(set(recordings)) == count:
        return Together(what=ROWS, groups=np.arange(count), note=_note(ROWS, lacking[0]))
    return _numbered(RECORDINGS, recordings, _note(RECORDINGS, lacking[0]))


def folds_of(labels: Int64[np.ndarray, " n"], who: Together, most: int, seed: int) -> list[Int64[np.ndarray, " q"]]:
    """The places held out in turn, `most` times or as often as there are groups; none where nothing can be held out.

    Groups stay together (`GroupKFold`); rows that are each for themselves are spread over the classes
    (`StratifiedKFold`). A fold whose rest has one class only is left out.
    """
    if who.what == ROWS:
        count = min(most, int(np.bincount(labels).max()))
        if count < 2:
            return []
        splitter: Any = StratifiedKFold(count, shuffle=True, random_state=seed)
    else:
        if who.count < 2:
            return []
        splitter = GroupKFold(min(most, who.count))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes with fewer rows than folds
        pairs = list(splitter.split(np.zeros((len(labels), 1)), labels, who.groups))
    return [np.asarray(test, dtype=np.int64) for train, test in pairs if len(np.unique(labels[train])) > 1]


def _numbered(what: str, names: Sequence[str], note: str = "") -> Together:
    groups = np.unique(np.array(names, dtype=object).astype(str), return_inverse=True)[1]
    return Together(what=what, groups=np.asarray(groups, dtype=np.int64).reshape(-1), note=note)


def _note(what: str, why: str) -> str:
    held = {
        SESSIONS: "other sessions, not for other people",
        RECORDINGS: "other recordings, perhaps of the same people",
        ROWS: "other rows, perhaps of the same people",
    }[what]
    return f"accuracy is that for {held}: {why}"
