"""Shows in two minutes what kinestream does, without any data of your own: made-up recordings in the raw format of
a depth camera are read, embedded by the encoder that comes with the package, searched, and drawn as a map that plays.
Ends with how often the nearest recording shows the same action: by the encoder, by the same networks without training,
and by raw coordinates.

Examples:
  kinestream demo
  kinestream demo --out somewhere/ --clips 720
"""

import shlex
from collections.abc import Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kinestream.console import Screen
from kinestream.progress import Progress

if TYPE_CHECKING:
    from kinestream.evaluate.result import Kind, Row

_DATASET, _SPLIT, _SEED = "ntu60", "xsub", 1
_KINDS: "Mapping[Kind, str]" = {
    "run": "the encoder",
    "untrained": "the same networks without training",
    "raw": "the best raw coordinates",
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream demo`."""

    out: Path = Path("demo")
    """Folder for what is made; must be empty or not exist."""
    clips: int = 3200
    """How many recordings are made up; of fewer the intervals are wider."""


def run(config: Config) -> None:
    from kinestream.data.build import build_store
    from kinestream.data.datasets import load_dataset
    from kinestream.data.preparation import PREPARATIONS
    from kinestream.data.store import Store
    from kinestream.data.synthetic import generate_ntu
    from kinestream.evaluate import knn
    from kinestream.shipped import DEFAULT
    from kinestream.use.embed import embed
    from kinestream.viz.explore import explore

    out, screen = config.out, Screen()
    if out.exists() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty: remove it, or name another folder")
    raw, stored, archived, page = (out / name for name in ("raw", "store", "movements.npz", "explore.html"))

    with screen.progress("1 of 5: make up recordings", "files") as advance:
        generate_ntu(raw, config.clips, _SEED, progress=lambda done: advance(done, config.clips))
    with screen.progress("2 of 5: read them", "files") as advance:
        tracked = PREPARATIONS.get("tracked")
        build_store(load_dataset(_DATASET), raw, stored, preparation=tracked, processes=1, progress=advance)
    store, progress = Store(stored.absolute()), screen.progress_callback()
    screen.say(f"{len(store)} recordings of made-up people, of {len(set(store.table.label.tolist()))} actions")
    archive = embed(store, out=archived, progress=_under("3 of 5: embed them", progress))
    screen.say(f"each is a vector of {archive.made_by.dim} numbers now: {archived}")
    hits = archive.search(0, k=3, not_same="person")
    screen.say(f"most like '{archive.rows.label[0]}' ({archive.rows.name[0]}), of other people:")
    for name, label, distance in zip(hits.names, hits.rows.label, hits.distances, strict=True):
        screen.say(f"  {distance:.2f}  '{label}' ({name})")
    with chdir(out):  # the features of an encoder of the package are kept where one works
        found = knn(DEFAULT, store, split=_SPLIT, progress=_under("4 of 5: compare", progress))
    explored = explore(archive, page, progress=_under("5 of 5: draw the map", progress))
    for line in (*_verdict(found.rows), f"open it: {explored.path}, a map whose clips play", "", *_next(out)):
        screen.say(line)


def _under(name: str, progress: Progress) -> Progress:
    """Progress of all its parts under one name."""
    return lambda what, unit, done, total, note="": progress(name, unit, done, total, note)


def _verdict(rows: "Sequence[Row]") -> tuple[str, ...]:
    """One sentence: how often the nearest recording of other people shows the same action, with 95 % intervals."""
    told: dict[Kind, Row] = {}
    for row in rows:
        if row.how == "alone" and row.kind != "raw":
            continue
        if row.kind not in told or row.top1 > told[row.kind].top1:
            told[row.kind] = row
    parts = [
        "{} in {:.1f} % ({:.1f} to {:.1f})".format(_KINDS[kind], told[kind].top1, *told[kind].interval)
        for kind in _KINDS
    ]
    return (
        "",
        f"The nearest recording of other people shows the same action by {parts[0]},",
        f"by {parts[1]},",
        f"by {parts[2]}.",
    )


def _next(out: Path) -> Sequence[str]:
    folder = shlex.quote(str(out))
    return (
        "next, with recordings of your own (any format of docs/formats.md):",
        "  kinestream inspect recordings/",
        "  kinestream embed recordings/ --out movements.npz",
        "  kinestream explore movements.npz",
        "  kinestream fit movements.npz --labels labels.csv --out gestures.model",
        f"what was made here lies in {folder}/",
    )
