"""Recordings out of files of any registered format."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kinestream.data.formats import FORMATS, Format, collection_at, file_format, open_collection
from kinestream.data.formats.incoming import Asked, Incoming
from kinestream.data.plan import files_below
from kinestream.data.recording import Recording, RecordingError, Source, Units, Up, check_coordinates
from kinestream.data.rejected import Rejected
from kinestream.skeleton.layout import SkeletonLayout, load_layout
from kinestream.words import shown


def read(
    paths: str | Path | Sequence[str | Path],
    *,
    layout: str | Path | SkeletonLayout | None = None,
    format: str | None = None,  # noqa: A002  the word of the command line
    fps: int | float | None = None,
    units: Units = "m",
    up: Up = "y",
) -> list[Recording]:
    """The recordings of files, or of the files below folders, in the order of their names.

    Args:
        layout: of formats that do not say their joints, such as arrays; so for `fps`, `units` and `up`.
        format: of the files (see `kinestream.data.formats.FORMATS`); told by their endings and content if None.

    Raises:
        ValueError: there is nothing to read, or a file cannot be used: which one and why.

    Example:
        >>> moves = read("recordings/", layout="mediapipe33")  # doctest: +SKIP
    """
    some = [paths] if isinstance(paths, str | Path) else list(paths)
    found: list[Recording] = []
    for path in some:
        for one in open_files(Path(path), format, layout, fps=fps, units=units, up=up).read():
            if isinstance(one, Rejected):
                raise ValueError(str(one))
            found.append(one)
    return found


@dataclass(frozen=True, kw_only=True)
class Files:
    """Files of one format, a recording each, and what the user says of all of them."""

    form: Format
    layout: SkeletonLayout
    paths: tuple[Path, ...]
    fps: int | float | None
    units: Units
    up: Up

    def __len__(self) -> int:
        return len(self.paths)

    def read(self) -> Iterator[Recording | Rejected]:
        for path in self.paths:
            try:
                yield self._read(path)
            except (RecordingError, OSError) as error:
                yield Rejected(path=path, reason=str(error))

    def _read(self, path: Path) -> Recording:
        source = self._source(path)
        found = self.form.read(source)
        assert isinstance(found, Recording)
        joints = len(self.layout.joints)
        if found.joints.shape[2] != joints:
            raise RecordingError(f"{found.joints.shape[2]} joints, where layout {self.layout.name} has {joints}")
        if self.form.layout is None:
            found = replace(found, units=self.units, up=self.up, fps=self.fps or found.fps)
            refuse_far(found)
        return replace(
            found,
            layout=self.layout,
            name=found.name or source.name,
            label=source.action or found.label,
            subject=source.subject or found.subject,
            camera=source.camera or found.camera,
        )

    def _source(self, path: Path) -> Source:
        try:
            return self.form.parse_name(path)
        except RecordingError:  # a name that tells nothing is no reason to leave out a recording of one's own
            return Source(path=path, name=path.stem)


@dataclass(frozen=True, kw_only=True)
class Collected:
    """The recordings of a collection."""

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


def open_files(
    place: Path,
    name: str | None = None,
    layout: str | Path | SkeletonLayout | None = None,
    *,
    fps: int | float | None = None,
    units: Units = "m",
    up: Up = "y",
) -> Files | Collected:
    """A file, or all files of a format in a folder, or a collection. Raises ValueError where the format cannot be told,
    or what is given does not go with it."""
    if not place.exists():
        raise ValueError(f"no file or folder {place}")
    said = {"layout": layout is not None, "fps": fps is not None, "units": units != "m", "up": up != "y"}
    given = [what for what, there in said.items() if there]
    collection = collection_at(place, name)
    if collection is not None:
        if given and given != ["layout"]:
            raise ValueError(f"{place} is {collection.looks_like}, which tells its {given[-1]}: leave it out")
        asked = Asked(layout=None if layout is None else load_layout(layout))
        return Collected(incoming=open_collection(place, asked, name))
    every = [place] if place.is_file() else list(files_below(place))
    chosen = _format_of(every, place) if name is None else name
    form = file_format(chosen)
    paths = tuple(path for path in every if path.suffix.lower() in form.suffixes)
    if not paths:
        raise ValueError(f"no file {' or '.join(form.suffixes)} in {place}: format {chosen} has such files")
    known = None if layout is None else load_layout(layout)
    if form.layout is not None and given and (given != ["layout"] or known != form.layout):
        raise ValueError(f"files of format {chosen} tell their {given[-1]} (layout {form.layout.name}): leave it out")
    known = known or form.layout
    if known is None:
        raise ValueError(
            f"{paths[0]}: files of format {chosen} do not say their joints: give --layout, a name ('kinestream "
            "layouts' lists them) or a .yaml file"
        )
    return Files(form=form, layout=known, paths=paths, fps=fps, units=units, up=up)


def refuse_far(recording: Recording) -> None:
    """Raises RecordingError for a joint that is further away than any sensor sees."""
    unseen = np.isnan(recording.joints).any(axis=-1)
    if (check_coordinates(recording.joints) & ~unseen).any():
        raise RecordingError("a joint beyond 100 m: give positions in metres, or say --units cm or mm")


def _format_of(paths: Sequence[Path], place: Path) -> str:
    """The only format that has files of these endings."""
    endings = {path.suffix.lower() for path in paths}
    forms = {name: form for name in FORMATS if isinstance(form := FORMATS.get(name), Format)}
    fitting = [name for name, form in forms.items() if endings & set(form.suffixes)]
    # Of formats with one ending, the one whose file names these are.
    named = [name for name in fitting if any(_is_named(forms[name], path) for path in paths)]
    likely = named if len(fitting) > 1 and named else fitting
    if len(likely) != 1:
        what = "fits several formats" if likely else "has no file of a format that is known"
        raise ValueError(f"{place} {what}: say which with --format, one of {', '.join(likely or FORMATS.names())}")
    return likely[0]


def _is_named(form: Format, path: Path) -> bool:
    try:
        form.parse_name(path)
    except RecordingError:
        return False
    return path.suffix.lower() in form.suffixes
