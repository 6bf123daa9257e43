"""What the names of files tell, by a pattern such as `s{subject}_{label}_{repetition}`."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kinestream.data.recording import RecordingError, Source
from kinestream.words import shown

_FIELDS = ("label", "subject", "camera", "setup", "repetition")


class NamePattern:
    """Reads file names without their suffix. `{label}` is the name of a class or its number from 1, the other fields
    (subject, camera, setup, repetition) are numbers, and `{}` is anything.

    Raises ValueError for a pattern with unknown fields, or one twice.

    Example:
        >>> pattern = NamePattern("s{subject}_{label}_{}", ["wave", "sit down"])
        >>> told = pattern(Path("s03_sit down_a.npy"))
        >>> told.subject, told.action
        (3, 2)
    """

    def __init__(self, pattern: str, classes: Sequence[str]) -> None:
        self.pattern = pattern
        self._classes = tuple(classes)
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
        made = [re.escape(parts[0])]
        for field, after in zip(parts[1::2], parts[2::2], strict=True):
            what = ".*?" if not field else f"(?P<{field}>.+?)" if field == "label" else rf"(?P<{field}>\d{{1,9}})"
            made += [what, re.escape(after)]
        self._regex = re.compile("".join(made))

    def __call__(self, path: Path) -> Source:
        """Raises RecordingError for a name of another kind, or a label that is no class."""
        match = self._regex.fullmatch(path.stem)
        if match is None:
            raise RecordingError(f"the name is not of the scheme {shown(self.pattern)}")
        told = match.groupdict()
        label = told.pop("label")
        numbers: dict[str, Any] = {field: int(value) for field, value in told.items()}
        return Source(path=path, name=path.stem, action=self._action(label), **numbers)

    def _action(self, label: str) -> int:
        if label in self._classes:
            return self._classes.index(label) + 1
        if label.isdigit() and len(label) < 10 and 1 <= int(label) <= len(self._classes):
            return int(label)
        raise RecordingError(f"'{shown(label)}' is none of the {len(self._classes)} classes, nor the number of one")
