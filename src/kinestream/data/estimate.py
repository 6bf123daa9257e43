"""What making a store would take, from some of its files, which are prepared into a folder that is thrown away."""

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kinestream.data.build import build_store
from kinestream.data.datasets import Dataset
from kinestream.data.own import People
from kinestream.data.plan import Plan, find_missing_list, make_plan
from kinestream.data.preparation import Preparation
from kinestream.data.prepare import prepare
from kinestream.data.reading import Collected, open_files, recordings_of
from kinestream.data.recording import Recording
from kinestream.data.split_lists import WITHOUT
from kinestream.data.store import Store
from kinestream.data.understanding import Told
from kinestream.estimate import Estimate, peak_of_process, spread

_TIMED = 12


def estimate_own(
    source: Path,
    out: Path,
    told: Told,
    *,
    format: str | None = None,  # noqa: A002  the word of the command line
    preparation: str | None = None,
    people: People = None,
    windows: str | None = None,
    hop: str | None = None,
    processes: int = 1,
) -> Estimate:
    """Of own recordings. Raises ValueError where the files cannot be told, or none that was tried can be used."""
    files = open_files(source, told, format)
    if isinstance(files, Collected):
        makes = (("store", str(out)), ("recordings", f"{len(files):,}, all in one file"))
        size = source.stat().st_size if source.is_file() else 0
        return Estimate(makes=makes, seconds=None, memory=None, disk=size, timed="the size of the file")
    paths = [one.path for one in files.sources]
    chosen = [files.sources[number] for number in spread(len(paths), _TIMED)]

    def make(folder: Path) -> Store:
        found = [
            one
            for source in chosen
            for _, one in recordings_of(files.format, source, files.facts, files.told)
            if isinstance(one, Recording)
        ]
        if not found:
            raise ValueError(
                f"none of {len(chosen)} files below {source} that were tried can be used: 'kinestream inspect' says why"
            )
        options: dict[str, Any] = {"preparation": preparation, "people": people, "windows": windows, "hop": hop}
        names = [str(number) for number in range(len(found))]
        return prepare(found, folder, names=names, keep_going=True, **options)

    facts = (("format", files.format), ("layout", files.layout.name))
    return _estimate(make, out, paths, [one.path for one in chosen], facts, processes)


def estimate_dataset(
    dataset: Dataset,
    raw: Path,
    out: Path,
    *,
    preparation: Preparation,
    missing_list: Path | None = None,
    label_folder: Path | None = None,
    continuous: bool = False,
    processes: int = 1,
) -> Estimate:
    """Of a data set. Raises ValueError as `build_store` does."""
    found = missing_list or find_missing_list(dataset, raw)
    plan = make_plan(dataset, raw, missing_list=found, labels=label_folder, strict=False)
    paths = list(dict.fromkeys(one.path for one in plan.sources))
    chosen = [paths[number] for number in spread(len(paths), _TIMED)]

    def make(folder: Path) -> Store:
        build_store(
            dataset,
            raw,
            folder,
            plan=Plan(sources=[one for one in plan.sources if one.path in chosen]),
            preparation=preparation,
            split_folder=WITHOUT if any(split.lists for split in dataset.splits.values()) else None,
            continuous=continuous,
        )
        return Store(folder)

    return _estimate(make, out, paths, chosen, (("data set", dataset.title),), processes)


def _estimate(
    make: Callable[[Path], Store],
    out: Path,
    paths: Sequence[Path],
    chosen: Sequence[Path],
    facts: Sequence[tuple[str, str]],
    processes: int,
) -> Estimate:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kinestream-") as folder:
        store = make(Path(folder) / "store")
        seconds, recordings, frames = time.monotonic() - began, len(store), store.info.frames
        size = sum(file.stat().st_size for file in store.path.iterdir())
    share = sum(path.stat().st_size for path in paths) / max(1, sum(path.stat().st_size for path in chosen))
    used = max(1, min(processes, len(paths)))
    return Estimate(
        makes=(
            ("store", str(out)),
            ("files to read", f"{len(paths):,}"),
            *facts,
            ("recordings", f"about {round(recordings * share):,}"),
            ("frames", f"about {round(frames * share):,}"),
        ),
        seconds=seconds * share / used,
        memory=peak_of_process(),
        disk=round(size * share),
        timed=f"{len(chosen)} files, {seconds:.1f} s in one process, by the size of all; {used} processes",
    )
