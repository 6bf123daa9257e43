"""What an export of ours says beside the arrays of others' forms, which cannot say it: `kinestream.json` in a folder,
or the same text in a file.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kinestream.data.formats.incoming import ExchangeError, names_of_classes
from kinestream.documents import parse_json, read_json
from kinestream.skeleton.layout import SkeletonLayout

FILE = "kinestream.json"
KEY = "kinestream"
COLUMNS = ("length", "subject", "camera", "session", "fps")
"""What is kept of each recording, where a form has no place for it."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where arrays come from."""

    preparation: str = ""
    """Empty for recordings as they were read."""
    layout: SkeletonLayout | None = None
    class_names: tuple[str, ...] = ()
    planar: bool = False
    """The third coordinate was never there."""
    dataset: str = ""
    split: str = ""
    frames: int | None = None
    """Of each clip; None for recordings of full length."""
    columns: Mapping[str, Mapping[str, Sequence[Any]]] = field(default_factory=dict)
    """For each part of a folder some of `COLUMNS`, a value for each recording."""

    def to_dict(self) -> dict[str, Any]:
        """Plain containers, for JSON."""
        plain = {key: value for key, value in vars(self).items() if value not in ((), "", None, False, {})}
        return plain | ({"layout": self.layout.to_dict()} if self.layout else {})

    def to_text(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False)

    def column(self, part: str, name: str, count: int) -> list[Any] | None:
        """A column of a part; None where it is not there or does not fit."""
        found = self.columns.get(part, {}).get(name)
        return list(found) if isinstance(found, list) and len(found) == count else None


def read_origin(source: Path | str) -> Origin:
    """What a file, or its text, says; an empty origin where there is none, or it says nothing of use."""
    try:
        plain = parse_json(source) if isinstance(source, str) else read_json(source, remedy="leave it out")
    except (OSError, ValueError):
        return Origin()
    columns = plain.get("columns")
    whole = isinstance(columns, dict) and all(isinstance(part, dict) for part in columns.values())
    return Origin(
        preparation=_text(plain, "preparation"),
        layout=_layout(plain.get("layout")),
        class_names=_class_names(plain.get("class_names")),
        planar=plain.get("planar") is True,
        dataset=_text(plain, "dataset"),
        split=_text(plain, "split"),
        columns=columns if whole and columns else {},
    )


def _text(plain: Mapping[str, Any], key: str) -> str:
    value = plain.get(key)
    return value if isinstance(value, str) else ""


def _layout(plain: object) -> SkeletonLayout | None:
    try:
        return SkeletonLayout.from_dict(plain) if isinstance(plain, dict) else None
    except (ValueError, AttributeError, LookupError):
        return None


def _class_names(plain: object) -> tuple[str, ...]:
    try:
        return names_of_classes(plain, "class_names") if plain else ()
    except ExchangeError:
        return ()
