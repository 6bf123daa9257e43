"""What embedding some recordings would take."""

import time
from collections.abc import Sequence
from pathlib import Path

from kinestream.data.recording import Recording
from kinestream.distributed.devices import make_fabric
from kinestream.distributed.launch import Device
from kinestream.estimate import Estimate, peak_of_process, spread
from kinestream.evaluate.source import AnyRun
from kinestream.use.encode import Given, encode
from kinestream.use.made_by import Reading
from kinestream.use.model import Model, load
from kinestream.use.pieces import Cutting, Length, People, Tally
from kinestream.use.sources import Listed, Sources, open_sources

_TIMED = 24


def estimate(
    sources: Sources,
    encoder: AnyRun | Model,
    out: str | Path,
    reading: Reading,
    *,
    windows: Length | None = None,
    hop: Length | None = None,
    people: People | None = None,
    device: Device = "auto",
) -> Estimate:
    """From some of the recordings, read and embedded; what an archive in `out` has already is not looked at. Raises
    ValueError as `embed` does."""
    cutting = Cutting.of(windows, hop, people)
    listed = Listed(tuple(open_sources(sources, reading, reading.layout)))
    model = encoder if isinstance(encoder, Model) else load(encoder, device=device)
    place = make_fabric(device).device
    chosen = spread(len(listed), _TIMED)
    began, rows, refused = time.monotonic(), 0, 0
    given: list[Given] = []
    for number in chosen:
        found = _read(listed, number)
        given += found
        refused += not found
    for one in encode(model, given, cutting, Tally(), device=place):
        rows += len(one[0]) if isinstance(one, tuple) else 0
    seconds = time.monotonic() - began
    share = len(listed) / max(1, len(chosen))
    return Estimate(
        makes=(
            ("archive", str(out)),
            ("recordings", f"{len(listed):,}"),
            ("rows", f"about {round(rows * share):,} of {model.dim} numbers"),
            *([("not readable", f"{refused} of the {len(chosen)} looked at")] if refused else []),
        ),
        seconds=seconds * share,
        memory=peak_of_process(),
        disk=round(rows * share * (4 * model.dim + 60)),
        timed=f"{len(chosen)} recordings on {place.type}, {seconds:.1f} s",
    )


def _read(listed: Listed, number: int) -> Sequence[Given]:
    source, place = listed.at(number)
    file, name = source.key(place)
    return [
        Given(recording=one, file=file, name=one.name or name or Path(file).stem, cleaned=source.cleaned)
        for one in source.read(place)
        if isinstance(one, Recording)
    ]
