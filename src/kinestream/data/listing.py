"""What is known of recordings beside what their files hold: from a table `recordings.csv`, or from file names.

    file,label,subject,camera,session,start,end,name
    walks/a.bvh,walk,ann,,morning,,,
    long.csv,sit,ben,2,,12.5,14,sit-1

Only `file` is needed: a path as seen from the folder, a file's name, or that without its suffix. `start` and `end` are
seconds, or frames as `60f`; a file may have several rows with these. Commas, semicolons and tabs serve.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinestream.data.durations import Duration, duration
from kinestream.data.folder import stem_of
from kinestream.tables import read_sheet
from kinestream.words import shown, unknown

TABLE = "recordings.csv"
FIELDS = ("label", "subject", "camera", "session")
_COLUMNS = ("file", *FIELDS, "start", "end", "name")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What is said of a recording, or of a part of one; empty where nothing is."""

    label: str = ""
    subject: str = ""
    camera: str = ""
    session: str = ""
    name: str = ""
    start: Duration | None = None
    end: Duration | None = None
    line: int = 0
    """Of the table."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What is said of each file."""

    entries: Mapping[Path, tuple[Entry, ...]]
    unlisted: int = 0
    """Files that the table does not name."""
    notes: tuple[str, ...] = ()


def listed(table: Path, files: Mapping[Path, Path]) -> Listing:
    """The entries of a table; `files` are those that there are, with their path as seen from the folder.

    Raises ValueError, naming the line, for a table that cannot be used.
    """
    sheet = read_sheet(table, "file", what="recordings")
    extra = [column for column in sheet.columns if column not in _COLUMNS]
    places = _places(files)
    found: dict[Path, list[Entry]] = {}
    absent: list[str] = []
    for line, row in sheet.lines:
        where = f"{table}, line {line}"
        name = row["file"]
        path = places.get(_key(name))
        if path is None:
            absent.append(name)
            continue
        if isinstance(path, str):
            raise ValueError(f"{where}: '{shown(name)}' may be {path}: give its path as seen from the folder")
        entry = _entry(row, where, line)
        found.setdefault(path, []).append(entry)
        if len(found[path]) > 1 and any(one.start is None for one in found[path]):
            raise ValueError(
                f"{where}: '{shown(name)}' stands there twice: several rows of a file need a start and an end"
            )
    if not found:
        raise ValueError(
            f"{table}: none of its {len(absent)} names is a file of the folder; the first: {_some(absent)}"
        )
    notes = []
    if extra:
        notes.append(f"{table.name}: columns that are not read: {_some(extra)}")
    if absent:
        notes.append(f"{table.name}: {len(absent)} names without a file: {_some(absent)}")
    unlisted = [path for path in files if path not in found]
    if unlisted:
        some = _some([files[path].as_posix() for path in unlisted])
        notes.append(f"{len(unlisted)} files are not named in {table.name} and left out: {some}")
    return Listing(
        entries={path: tuple(entries) for path, entries in found.items()}, unlisted=len(unlisted), notes=tuple(notes)
    )


def named(pattern: str, files: Mapping[Path, Path]) -> Listing:
    """The entries that file names tell by a pattern such as `s{subject}_{label}_{}`: each field of `FIELDS` at most
    once, `{}` is anything. One with a `/` is about the path as seen from the folder: `{subject}/{label}_{}`.

    Raises ValueError for a pattern that is none, or that no file has.
    """
    regex = _regex(pattern)
    found: dict[Path, tuple[Entry, ...]] = {}
    others = []
    for path, relative in files.items():
        whole = relative.parent / stem_of(relative)
        match = regex.fullmatch(whole.as_posix() if "/" in pattern else whole.name)
        if match is None:
            others.append(relative.as_posix())
            found[path] = (Entry(),)
        else:
            groups: dict[str, Any] = match.groupdict()
            found[path] = (Entry(**groups),)
    if len(others) == len(files):
        raise ValueError(f"names '{pattern}': none of {len(files)} files is called so; the first: {_some(others)}")
    notes = (
        (f"{len(others)} files are not called '{pattern}': nothing is known of them: {_some(others)}",)
        if others
        else ()
    )
    return Listing(entries=found, notes=notes)


def _regex(pattern: str) -> "re.Pattern[str]":
    parts = re.split(r"\{(\w*)\}", pattern)
    fields = [field for field in parts[1::2] if field and field != "repetition"]
    for field, count in Counter(fields).items():
        if field not in FIELDS:
            raise ValueError(f"names '{pattern}': {unknown('field', field, FIELDS)}, and {{}} for anything")
        if count > 1:
            raise ValueError(f"names '{pattern}': {{{field}}} stands there twice")
    if not fields:
        raise ValueError(f"names '{pattern}': it tells nothing: the fields are {', '.join(FIELDS)}")
    made = [re.escape(parts[0])]
    for field, after in zip(parts[1::2], parts[2::2], strict=True):
        made += [f"(?P<{field}>[^/]+?)" if field in FIELDS else "[^/]*?", re.escape(after)]
    return re.compile("".join(made))


def _entry(row: Mapping[str, str], where: str, line: int) -> Entry:
    try:
        start, end = (duration(row[key]) if row.get(key) else None for key in ("start", "end"))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    if start is not None and end is not None and start.in_frames == end.in_frames and end.value <= start.value:
        raise ValueError(f"{where}: it ends at {end} and starts at {start}")
    if end is not None and start is None:
        start = Duration(0, in_frames=True)
    texts: dict[str, Any] = {key: row.get(key, "") for key in (*FIELDS, "name")}
    return Entry(**texts, start=start, end=end, line=line)


def _places(files: Mapping[Path, Path]) -> dict[str, Path | str]:
    """By everything that a file may be called the file, or in words which files may be meant."""
    names: dict[str, list[Path]] = {}
    for path, relative in files.items():
        stem = relative.parent / stem_of(relative)
        for name in {relative.as_posix(), stem.as_posix(), relative.name, stem.name}:
            names.setdefault(_key(name), []).append(path)
    return {
        name: paths[0] if len(paths) == 1 else " or ".join(files[path].as_posix() for path in paths[:2])
        for name, paths in names.items()
    }


def _key(name: str) -> str:
    return name.strip().replace("\\", "/").removeprefix("./")


def _some(names: Sequence[str]) -> str:
    return ", ".join(shown(name, 40) for name in names[:4]) + (" ..." if len(names) > 4 else "")
