"""Recordings out of files of any registered format."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from kinestream.data.folder import Unpacked, plain_file, stem_of, suffix_of, unpack
from kinestream.data.formats import FORMATS, Format, collection_at, file_format, open_collection
from kinestream.data.formats.incoming import Asked, Incoming
from kinestream.data.listing import TABLE
from kinestream.data.recording import Found, Recording, RecordingError, Source, Up
from kinestream.data.rejected import Rejected
from kinestream.data.understanding import Facts, Told, ToldUnits, interpret, survey
from kinestream.skeleton.layout import SkeletonLayout, load_layout
from kinestream.words import shown

Item = TypeVar("Item")
_SAMPLE = 12
"""Files of a folder that are read before all others, to learn what they are."""
_LOOKED_AT = 6
"""Files of one suffix whose content is looked at to tell the format."""
_SURVEYED = 40
"""Recordings of the sample whose bodies are looked at."""
_HELD = 50_000_000
"""Numbers of the sample that are kept, so that a few files are read once."""


def read(
    paths: str | Path | Sequence[str | Path],
    *,
    layout: str | Path | SkeletonLayout | None = None,
    format: str | None = None,  # noqa: A002  the word of the command line
    fps: int | float | None = None,
    units: ToldUnits | None = None,
    up: Up | None = None,
    columns: str = "",
    variable: str = "",
    trust: bool = False,
) -> list[Recording]:
    """The recordings of files, or of the files below folders and in archives, in the order of their names, in metres
    with y up.

    Args:
        layout: which joints they have, where the files do not say it; joints of another layout are mapped.
        format: of the files (see `kinestream.data.formats.FORMATS`); told by their content if None.
        fps: frames a second; what the files say if None.
        units: of the positions: m, cm, mm, in, px, or body to scale bodies to 1.7 m; what the files say if None, else
            inferred from the bodies.
        up: the axis that points up; as for `units`.
        columns: pattern of the column names of a table, as in `{joint}.{axis}`.
        variable: which array of a file is meant, and the order of its axes (see the page on formats).
        trust: accept what does not look like a body.

    Raises:
        ValueError: there is nothing to read, or a file cannot be used: which one and why.

    Example:
        >>> moves = read("recordings/", layout="mediapipe33")  # doctest: +SKIP
    """
    told = Told(
        layout=None if layout is None else load_layout(layout),
        fps=fps,
        units=units,
        up=up,
        columns=columns,
        variable=variable,
        trust=trust,
    )
    found: list[Recording] = []
    for path in [paths] if isinstance(paths, str | Path) else list(paths):
        for one in open_files(Path(path), told, format).read():
            if isinstance(one, Rejected):
                raise ValueError(str(one))
            found.append(one)
    return found


@dataclass(frozen=True, kw_only=True)
class Files:
    """Files of one format, and what is taken of all of them."""

    format: str
    told: Told
    facts: Facts
    folder: Unpacked
    sources: tuple[Source, ...]
    other: Mapping[str, int]
    """Files of other kinds, by suffix."""
    notes: tuple[str, ...]
    sample: Mapping[Path, Sequence[Found | Recording] | RecordingError] = field(repr=False)
    """What was read already."""

    @property
    def layout(self) -> SkeletonLayout:
        return self.facts.layout

    def __len__(self) -> int:
        return len(self.sources)

    def read(self) -> Iterator[Recording | Rejected]:
        for source in self.sources:
            for _, one in self.read_one(source):
                yield replace(one, path=self.folder.called(one.path)) if isinstance(one, Rejected) else one

    def read_one(self, source: Source) -> Iterator[tuple[int, Recording | Rejected]]:
        """Each recording of a file with its number there, from 1."""
        held = self.sample.get(source.path)
        yield from recordings_of(self.format, source, self.facts, self.told, held)


def recordings_of(
    form: str,
    source: Source,
    facts: Facts,
    told: Told,
    held: Sequence[Found | Recording] | RecordingError | None = None,
) -> Iterator[tuple[int, Recording | Rejected]]:
    """The recordings of a file, or what is wrong with it."""
    try:
        if isinstance(held, RecordingError):
            raise held
        every = read_source(file_format(form), source, told) if held is None else held
    except (RecordingError, OSError) as error:
        yield 1, _rejected(source, error)
        return
    for number, one in enumerate(every, start=1):
        try:
            yield number, _named(interpret(one, facts, told), source, number, len(every))
        except RecordingError as error:
            yield number, Rejected(path=source.path, reason=error.reason, line=number if len(every) > 1 else error.line)


def _rejected(source: Source, error: RecordingError | OSError) -> Rejected:
    if isinstance(error, RecordingError):
        return Rejected(path=source.path, reason=error.reason, line=error.line)
    return Rejected(path=source.path, reason=f"cannot be read: {error.strerror or error}")


def read_source(form: Format, source: Source, told: Told) -> Sequence[Found | Recording]:
    """What a file holds. Raises RecordingError where that cannot be used."""
    with plain_file(source.path) as plain:
        asked = replace(source, path=plain, layout=told.layout, columns=told.columns, variable=told.variable)
        found = form.read(asked)
    every = found if isinstance(found, Sequence) else [found]
    if not every:
        raise RecordingError("no recording in it")
    return [replace(one, layout=form.layout) if one.layout is None and form.layout else one for one in every]


def _named(recording: Recording, source: Source, number: int, count: int) -> Recording:
    inside = recording.name or (f"{number:0{len(str(count))}}" if count > 1 else "")
    name = f"{source.name}/{inside}" if count > 1 else inside or source.name
    return replace(
        recording,
        name=name,
        label=source.action or recording.label,
        subject=source.subject or recording.subject,
        camera=source.camera or recording.camera,
    )


@dataclass(frozen=True, kw_only=True)
class Collected:
    """The recordings of a collection."""

    place: Path
    """Where it lies; unpacked, if it was in an archive."""
    folder: Unpacked
    incoming: Incoming

    @property
    def layout(self) -> SkeletonLayout:
        return self.incoming.layout

    def __len__(self) -> int:
        return self.incoming.count

    def read(self) -> Iterator[Recording | Rejected]:
        for row in self.incoming.rows():
            try:
                yield self.incoming.recording(row)
            except RecordingError as error:
                yield Rejected(path=Path(row.file), line=row.number, recording=shown(row.name), reason=error.reason)


def open_files(place: Path, told: Told, name: str | None = None) -> Files | Collected:
    """A file, all files of a format in a folder or an archive, or a collection.

    Raises ValueError where the format cannot be told, what is given does not go with it, or nothing can be read.
    """
    folder = unpack(place)
    alone = folder.files if len(folder.files) == 1 else ()
    for inside in dict.fromkeys((place, *(inside for _, inside in folder.archives), *alone)):
        collection = collection_at(inside, name)
        if collection is not None:
            _refuse_told(told, f"{place} is {collection.looks_like}, which tells its")
            opened = open_collection(inside, Asked(layout=told.layout), name)
            return Collected(place=inside, folder=folder, incoming=opened)
    files = tuple(path for path in folder.files if path.name.lower() != TABLE)
    chosen = _format_of(files, folder) if name is None else name
    form = file_format(chosen)
    mine = [path for path in files if suffix_of(path) in form.suffixes]
    if not mine:
        raise ValueError(f"no file {' or '.join(form.suffixes)} in {place}: format {chosen} has such files")
    if form.layout is not None and (told.units is not None or told.up is not None):
        raise ValueError(f"files of format {chosen} tell their units and axes: leave out units and up")
    sources = _sources(form, mine, folder)
    taken = frozenset(mine)
    other = Counter(suffix_of(path) or path.name for path in files if path not in taken)
    for companion in form.companions:
        other.pop(companion, None)
    sample, notes = _sample(form, sources, told)
    read_well = [one for held in sample.values() if not isinstance(held, RecordingError) for one in held]
    if not read_well:
        path, error = next(iter(sample.items()))
        if len(sources) > len(sample):
            raise ValueError(
                f"none of the {len(sample)} files looked at can be used; the first: {folder.called(path)}: {error}"
            )
        raise ValueError(f"{folder.called(path)}: {error}")
    facts = survey(_spread(read_well, _SURVEYED), told, str(place))
    kept = sum(one.joints.size for one in read_well) <= _HELD
    return Files(
        format=chosen,
        told=told,
        facts=facts,
        folder=folder,
        sources=tuple(sources),
        other=dict(other),
        notes=tuple(notes),
        sample=sample if kept else {},
    )


def _refuse_told(told: Told, why: str) -> None:
    for what in ("fps", "units", "up"):
        if getattr(told, what) is not None:
            raise ValueError(f"{why} {what}: leave it out")


def _sources(form: Format, paths: Sequence[Path], folder: Unpacked) -> list[Source]:
    """What each file, or each group of files, is called: its name, with the folders above where names meet."""
    made = list(form.gather(paths)) if form.gather is not None else [_source(form, path) for path in paths]
    names = Counter(source.name for source in made)
    for place, source in enumerate(made):
        if names[source.name] > 1:
            relative = folder.relative(source.path)
            made[place] = replace(source, name=(relative.parent / source.name).as_posix())
    return made


def _source(form: Format, path: Path) -> Source:
    try:
        return form.parse_name(path)
    except RecordingError:  # a name that tells nothing is no reason to leave out a recording of one's own
        return Source(path=path, name=stem_of(path))


def _sample(
    form: Format, sources: Sequence[Source], told: Told
) -> tuple[dict[Path, Sequence[Found | Recording] | RecordingError], list[str]]:
    """Reads some files, spread evenly, and gathers what they have to say."""
    chosen = _spread(sources, _SAMPLE)
    sample: dict[Path, Sequence[Found | Recording] | RecordingError] = {}
    notes: Counter[str] = Counter()
    for source in chosen:
        path = source.path
        try:
            sample[path] = found = read_source(form, source, told)
            notes.update({note for one in found if isinstance(one, Found) for note in one.notes})
        except RecordingError as error:
            sample[path] = error
        except OSError as error:
            sample[path] = RecordingError(f"cannot be read: {error.strerror or error}")
    return sample, [
        note if count == 1 else f"{note} ({count} of {len(chosen)} files looked at)" for note, count in notes.items()
    ]


def _spread(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many of them, evenly spread, the first and the last among them."""
    rows = np.unique(np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int))
    return [items[row] for row in rows.tolist()]


# --- which format ---------------------------------------------------------------------------------------------------


def _format_of(files: Sequence[Path], folder: Unpacked) -> str:
    """The only format that files are of, by their suffixes and, where several formats share one, by their content."""
    by_suffix: dict[str, list[Path]] = {}
    for path in files:
        by_suffix.setdefault(suffix_of(path), []).append(path)
    forms = {name: form for name in FORMATS if isinstance(form := FORMATS.get(name), Format)}
    votes: Counter[str] = Counter()
    for suffix, paths in by_suffix.items():
        candidates = {name: form for name, form in forms.items() if suffix in form.suffixes}
        if candidates:
            for path in _spread(paths, _LOOKED_AT):
                name = _recognised(candidates, path)
                if name is not None:
                    votes[name] += 1
    if len(votes) != 1:
        kinds = ", ".join(f"{len(paths)} {suffix or 'without suffix'}" for suffix, paths in list(by_suffix.items())[:5])
        what = "has files of several formats" if votes else f"has no file of a known format ({kinds or 'it is empty'})"
        names = ", ".join(sorted(votes)) if votes else ", ".join(sorted(forms))
        raise ValueError(f"{folder.place} {what}: say which with --format, one of {names}")
    return next(iter(votes))


def _recognised(forms: Mapping[str, Format], path: Path) -> str | None:
    """The format of a file: one that knows its content, else the only one that goes by the suffix alone."""
    try:
        with plain_file(path) as plain:
            knowing = [name for name, form in forms.items() if form.recognises is not None and form.recognises(plain)]
    except (RecordingError, OSError):
        return None
    plain_ones = [name for name, form in forms.items() if form.recognises is None]
    likely = knowing or plain_ones
    return likely[0] if len(likely) == 1 else None
