"""What a search looks for: a row of an archive, a file, or a stretch of either."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kinestream.data.recording import Recording
from kinestream.use.encode import Given, Unusable, encode
from kinestream.use.pieces import Cutting, Tally
from kinestream.use.rows import Rows
from kinestream.use.search import Query, overlapping
from kinestream.use.sources import open_sources, read_row
from kinestream.use.vectors import take
from kinestream.words import shown, unknown

if TYPE_CHECKING:
    from kinestream.use.archive import Embeddings
    from kinestream.use.model import Model

_STRETCH = re.compile(r"(?P<name>.+)@(?P<start>\d+(?:\.\d+)?)-(?P<end>\d+(?:\.\d+)?)(?P<unit>[sf]?)")


@dataclass(frozen=True)
class Stretch:
    """A part of a recording."""

    start: float
    end: float
    unit: str
    """s for seconds, f for frames."""

    def frames(self, recording: Recording) -> slice:
        """Raises ValueError where it has no such frames, or no rate is known."""
        if self.unit == "s" and recording.fps is None:
            raise ValueError(
                f"'{recording.name}' has no frame rate: give the stretch in frames, as in @{self.start:g}-{self.end:g}f"
            )
        rate = 1.0 if self.unit == "f" else recording.fps or 1.0
        start, stop = round(self.start * rate), round(self.end * rate)
        if stop - start < 2 or start >= len(recording) - 1:
            raise ValueError(
                f"'{recording.name}' has {len(recording)} frames ({len(recording) / rate:g}{self.unit}): there are no "
                f"two frames in {self.start:g}-{self.end:g}{self.unit}"
            )
        return slice(start, min(stop, len(recording)))


def parse_query(text: str) -> tuple[str, Stretch | None]:
    """A name or file, and the stretch of it.

    Example:
        >>> parse_query("walk.bvh@3.2-5.1")
        ('walk.bvh', Stretch(start=3.2, end=5.1, unit='s'))
    """
    found = _STRETCH.fullmatch(text)
    if found is None:
        return text, None
    stretch = Stretch(float(found["start"]), float(found["end"]), found["unit"] or "s")
    if stretch.end <= stretch.start:
        raise ValueError(f"'{shown(text)}': the stretch ends before it begins")
    return found["name"], stretch


def find_query(archive: "Embeddings", query: str | Path | Recording | int, model: "Model | None") -> Query:
    """Raises ValueError where there is no such thing."""
    if isinstance(query, int):
        if not 0 <= query < len(archive):
            raise ValueError(f"no row {query}: there are {len(archive):,}")
        return _of_rows(archive, np.array([query]), archive.rows.called(query))
    if isinstance(query, Recording):
        return _of_recordings(archive, [Given(recording=query)], model, query.name or "the recording")
    text = str(query)
    name, stretch = (text, None) if Path(text).exists() else parse_query(text)
    if Path(name).exists():
        return _of_file(archive, Path(name), stretch, model, text)
    return _of_name(archive, name, stretch, text)


def recording_of(archive: "Embeddings", query: Query) -> Recording | None:
    """What a query shows, read again; None where it cannot be."""
    rows = query.rows
    if rows is None or not len(rows):
        return None
    try:
        whole = read_row(rows.file[0], rows.name[0], archive.made_by.reading)
    except ValueError:
        return None
    rate = 1.0 if np.isnan(rows.fps[0]) else float(rows.fps[0])
    return whole.cut(slice(round(float(rows.start.min()) * rate), round(float(rows.end.max()) * rate)))


def open_encoder(archive: "Embeddings") -> "Model":
    """The encoder of an archive, from where it was. Raises ValueError where it is not there or is another one now."""
    from kinestream.use.model import load

    made = archive.made_by
    if not made.encoder_path:
        raise ValueError(
            f"the encoder of {archive.path or 'the archive'} was held in memory: give it, model= (--encoder)"
        )
    try:
        model = load(made.encoder_path)
    except ValueError as error:
        raise ValueError(f"the encoder of the archive is not where it was ({error}): give --encoder") from None
    check_encoder(archive, model)
    return model


def check_encoder(archive: "Embeddings", model: "Model") -> None:
    """Raises ValueError for another encoder than that of the archive."""
    made = archive.made_by
    if model.fingerprint != made.encoder:
        raise ValueError(
            f"{archive.path or 'the archive'} was made by another encoder ({made.encoder_name}, {made.encoder[:12]}; "
            f"this one is {model.name}, {model.fingerprint[:12]}): embed the recordings again, or give the one that it "
            "was made by (--encoder)"
        )


def _of_rows(archive: "Embeddings", indices: np.ndarray, name: str) -> Query:
    return Query(name=name, vectors=take(archive.source, indices), rows=archive.rows.take(indices))


def _of_name(archive: "Embeddings", name: str, stretch: Stretch | None, text: str) -> Query:
    rows = archive.rows
    there = rows.name == name
    if not there.any():
        known = tuple(dict.fromkeys(rows.name.tolist()))
        raise ValueError(f"{unknown('recording', name, known, most=5)}; nor is there a file of that name")
    if stretch is not None:
        rate = float(rows.fps[np.argmax(there)])
        if stretch.unit == "s" and np.isnan(rate):
            raise ValueError(f"'{name}' has no frame rate: give the stretch in frames, as in @30-90f")
        factor = 1.0 if stretch.unit == "s" or np.isnan(rate) else 1 / rate
        start, end = stretch.start * factor, stretch.end * factor
        # Windows that lie in the stretch, to half a frame; else the one that has most of it.
        slack = 0.5 if np.isnan(rate) else 0.5 / rate
        inside = there & (rows.start >= start - slack) & (rows.end <= end + slack)
        if not inside.any():
            if not (there & overlapping(rows, start, end)).any():
                last = float(rows.end[there].max())
                raise ValueError(f"'{text}': '{name}' ends at {last:g}")
            shared = np.minimum(rows.end, end) - np.maximum(rows.start, start)
            inside = np.zeros_like(there)
            inside[int(np.argmax(np.where(there, shared, -np.inf)))] = True
        there = inside
    return _of_rows(archive, np.flatnonzero(there), text)


def _of_file(archive: "Embeddings", path: Path, stretch: Stretch | None, model: "Model | None", text: str) -> Query:
    given: list[Given] = []
    for source in open_sources(path, archive.made_by.reading, None):
        for number in range(len(source)):
            for one in source.read(number):
                if not isinstance(one, Recording):
                    raise ValueError(str(one))
                given.append(Given(recording=one, file=source.key(number)[0], cleaned=source.cleaned))
    if len(given) != 1:
        raise ValueError(f"{path} has {len(given)} recordings: give a file of one, or the name of one in the archive")
    start = 0.0
    if stretch is not None:
        whole = given[0].recording
        part = stretch.frames(whole)
        start = part.start / (whole.fps or 1.0)
        given = [Given(recording=whole.cut(part), file=given[0].file, name=whole.name, cleaned=given[0].cleaned)]
    return _of_recordings(archive, given, model, text, start)


def _of_recordings(
    archive: "Embeddings", given: list[Given], model: "Model | None", name: str, start: float = 0.0
) -> Query:
    """Cut as the recordings of the archive are, so that like is compared with like."""
    if model is None:
        model = open_encoder(archive)
    else:
        check_encoder(archive, model)
    made = archive.made_by
    cutting = Cutting.of(made.windows, made.hop, made.people)  # type: ignore[arg-type]
    tables: list[Rows] = []
    vectors = []
    from kinestream.distributed.launch import device_named

    for one in encode(model, given, cutting, Tally(), device=device_named(model.device)):
        if isinstance(one, Unusable):
            raise ValueError(f"'{shown(name)}' cannot be used: {one.reason}")
        tables.append(one[0])
        vectors.append(one[1])
    if not vectors:
        raise ValueError(f"'{shown(name)}' cannot be used: nobody is seen in it half of the time")
    rows = Rows.joined(tables)
    moved = {column: getattr(rows, column) + start for column in ("start", "end")}
    rows = Rows(**{**{c: getattr(rows, c) for c in vars(rows)}, **moved})
    return Query(name=name, vectors=np.concatenate(vectors), rows=rows)
