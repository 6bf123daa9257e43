"""What the names of files tell, by a pattern such as `s{subject}_{label}_{repetition}`."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kinestream.data.recording import RecordingError, Source
from kinestream.words import shown

_FIELDS = ("label", "subject", "camera", "setup", "repetition")


class NamePattern:
    """Reads file names without their suffix. `{label}` is the name of a class or its number from 1, the other fields
    (subject, camera, setup, repetition) are numbers, and `{}` is anything. A pattern with `/` reads the folders that a
    file lies in, too.

    Args:
        called: for subject or setup the words that stand for its numbers, where they are no numbers: those of 1, 2 ...
        some: there may be files of other classes, which are left out (`Source.action` is 0).

    Raises ValueError for a pattern with unknown fields, or one twice.

    Example:
        >>> pattern = NamePattern("s{subject}_{label}_{}", ["wave", "sit down"])
        >>> told = pattern(Path("s03_sit down_a.npy"))
        >>> told.subject, told.action
        (3, 2)
        >>> pattern = NamePattern("{subject}/{label}/{}", ["wave", "sit down"], called={"subject": ["ann", "ben"]})
        >>> told = pattern(Path("recordings/ben/2/a.npy"))
        >>> told.name, told.subject, told.action
        ('ben_2_a', 2, 2)
    """

    def __init__(
        self,
        pattern: str,
        classes: Sequence[str],
        *,
        called: Mapping[str, Sequence[str]] | None = None,
        some: bool = False,
    ) -> None:
        self.pattern = pattern
        self._classes, self._some = tuple(classes), some
        self._called = {field: tuple(words) for field, words in (called or {}).items() if words}
        parts = re.split(r"\{(\w*)\}", pattern)
        named = [field for field in parts[1::2] if field]
        if any(field not in _FIELDS for field in named) or len(set(named)) != len(named):
            raise ValueError(
                f"names '{shown(pattern)}': the fields are {', '.join(_FIELDS)}, each once, and {{}} for anything"
            )
        if "label" not in named:
            raise ValueError(
                f"names '{shown(pattern)}': a data set needs {{label}}; without classes no description is needed"
            )
        if absent := [field for field in self._called if field not in named]:
            raise ValueError(
                f"names '{shown(pattern)}': words for {{{absent[0]}}} are given, and the pattern has no {{{absent[0]}}}"
            )
        made = [re.escape(parts[0])]
        for field, after in zip(parts[1::2], parts[2::2], strict=True):
            made += [self._expression(field), re.escape(after)]
        self._regex = re.compile("".join(made))

    def _expression(self, field: str) -> str:
        if field in self._called:
            return f"(?P<{field}>{'|'.join(map(re.escape, sorted(self._called[field], key=len, reverse=True)))})"
        if field == "label":  # a class whose name begins with that of another is tried first
            known = map(re.escape, sorted(self._classes, key=len, reverse=True))
            return f"(?P<label>{'|'.join(known)}|[^/]+?)"
        return rf"(?P<{field}>\d{{1,9}})" if field else "[^/]*?"

    def __call__(self, path: Path) -> Source:
        """Raises RecordingError for a name of another kind, or a label that is no class."""
        parts = (*path.parts[:-1], path.stem)[-1 - self.pattern.count("/") :]
        match = self._regex.fullmatch("/".join(parts))
        if match is None:
            raise RecordingError(f"the name is not of the scheme {shown(self.pattern)}")
        told = match.groupdict()
        label = told.pop("label")
        numbers: dict[str, Any] = {field: self._number(field, value) for field, value in told.items()}
        return Source(path=path, name="_".join(parts), action=self._action(label), **numbers)

    def _number(self, field: str, value: str) -> int:
        return self._called[field].index(value) + 1 if field in self._called else int(value)

    def _action(self, label: str) -> int:
        if label in self._classes:
            return self._classes.index(label) + 1
        if label.isdigit() and len(label) < 10 and 1 <= int(label) <= len(self._classes):
            return int(label)
        if self._some:
            return 0
        raise RecordingError(f"'{shown(label)}' is none of the {len(self._classes)} classes, nor the number of one")
