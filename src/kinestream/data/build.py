"""Building a store from a folder of raw files, over several processes, with a bounded memory."""

import contextlib
import csv
import os
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread, current_thread, main_thread

import numpy as np
from jaxtyping import Float32

from kinestream.data.datasets import Dataset, load_dataset
from kinestream.data.preparation import PREPARATIONS, Preparation
from kinestream.data.recording import RecordingError, Source
from kinestream.data.store import StoreInfo, StoreWriter, batches
from kinestream.files import new_folder

_FILES_A_TASK = 16
_TASKS_AHEAD = 3
"""Tasks handed to each process before the first is done: they bound what lies in memory."""


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A raw file that did not get into the store, and why."""

    path: Path
    reason: str
    line: int | None


@dataclass(frozen=True, kw_only=True)
class Built:
    """What `build_store` did."""

    info: StoreInfo
    raw_bytes: int
    rejected: tuple[Rejected, ...]
    other_classes: int
    """Files of actions that the data set does not have (an NTU-120 tree given as ntu60)."""
    other_files: int
    """Files of other kinds that lie in the folder."""
    missing_list: Path | None
    """The official list of clips without skeletons that was used."""


@dataclass(kw_only=True)
class _Plan:
    """Which files to read, and what became of the others."""

    sources: list[Source] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    excluded: int = 0
    other_classes: int = 0
    other_files: int = 0


def build_store(
    dataset: Dataset,
    raw: Path,
    out: Path,
    *,
    preparation: Preparation,
    missing_list: Path | None = None,
    strict: bool = False,
    processes: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Built:
    """Reads every raw file below `raw` and writes the store `out`, or nothing at all.

    Files that cannot be used are listed in `rejected.csv` of the store with their reason. `progress` is called with the
    numbers of files done and to do. A store has the same content whatever the number of processes.

    Args:
        missing_list: text file with the names of clips without skeletons; looked for beside the data when None.
        strict: stop at the first file that cannot be used.

    Raises:
        ValueError: no usable file below `raw`, `out` exists, or `strict` and a file cannot be used.
    """
    found = missing_list or _find_missing_list(dataset, raw)
    plan = _plan(dataset, raw, _read_missing_list(dataset, found) if found else frozenset(), strict=strict)
    raw_bytes = 0
    with (
        new_folder(out) as folder,
        StoreWriter(folder, dataset.format.layout, dataset.most_bodies) as writer,
    ):
        total = len(plan.sources)
        progress(0, total)
        for done, result in enumerate(_read_all(dataset, preparation, plan.sources, processes), start=1):
            raw_bytes += result.size
            if result.joints is not None:
                writer.add(result.source, result.joints)
            else:
                rejected = Rejected(path=result.source.path, reason=result.reason, line=result.line)
                _stop_if(strict, rejected)
                plan.rejected.append(rejected)
            progress(done, total)
        if not len(writer):
            raise ValueError(f"none of the {total} files below {raw} can be used; the first: {_say(plan.rejected[0])}")
        plan.rejected.sort(key=lambda rejected: rejected.path)
        _write_rejected(folder / "rejected.csv", plan.rejected, raw)
        info = writer.finish(dataset, preparation, excluded=plan.excluded, rejected=len(plan.rejected))
    return Built(
        info=info,
        raw_bytes=raw_bytes,
        rejected=tuple(plan.rejected),
        other_classes=plan.other_classes,
        other_files=plan.other_files,
        missing_list=found,
    )


def _plan(dataset: Dataset, raw: Path, missing: frozenset[str], *, strict: bool) -> _Plan:
    """Looks at the names of all files below `raw`. Raises ValueError when there is nothing to read."""
    if not raw.is_dir():
        raise ValueError(f"{raw} is no folder: give the one with the *{dataset.format.suffix} files of {dataset.title}")
    plan = _Plan()
    kinds: Counter[str] = Counter()
    seen: dict[str, Path] = {}
    for path in _files_below(raw):
        if path.suffix != dataset.format.suffix:
            kinds[path.suffix or path.name] += 1
            continue
        try:
            source = dataset.format.parse_name(path)
            if source.name in missing:
                plan.excluded += 1
                continue
            if not 1 <= source.action <= len(dataset.classes):
                plan.other_classes += 1
                continue
            if source.name in seen:
                raise RecordingError(f"a second file of that name: {seen[source.name]} was taken")
        except RecordingError as error:
            rejected = Rejected(path=path, reason=error.reason, line=error.line)
            _stop_if(strict, rejected)
            plan.rejected.append(rejected)
            continue
        seen[source.name] = path
        plan.sources.append(source)
    plan.other_files = kinds.total()
    if not plan.sources:
        raise ValueError(_nothing_there(dataset, raw, plan, kinds))
    return plan


def _files_below(folder: Path) -> Iterator[Path]:
    """All files, in a fixed order."""
    for directory, folders, files in os.walk(folder, onerror=_refuse):
        folders.sort()
        yield from (Path(directory, name) for name in sorted(files))


def _refuse(error: OSError) -> None:
    raise error  # else the files of a folder that cannot be read would be missing without a word


def _nothing_there(dataset: Dataset, raw: Path, plan: _Plan, kinds: Counter[str]) -> str:
    wanted = f"{dataset.format.name_scheme}{dataset.format.suffix}"
    if plan.rejected:
        return f"no usable file below {raw}; the first of {len(plan.rejected)} refused: {_say(plan.rejected[0])}"
    if plan.other_classes or plan.excluded:
        return (
            f"no usable file below {raw}: {plan.other_classes} are of actions that {dataset.name} does not have, "
            f"{plan.excluded} are on the list of missing skeletons"
        )
    if kinds:
        most = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(3))
        return f"no file {wanted} below {raw}: there are others ({most}). Is this the folder of {dataset.title}?"
    return f"{raw} is empty: give the folder with the files {wanted} of {dataset.title}"


@dataclass(frozen=True, kw_only=True)
class _Result:
    source: Source
    size: int
    joints: Float32[np.ndarray, "t m v c"] | None = None
    reason: str = ""
    line: int | None = None


def _read_all(
    dataset: Dataset, preparation: Preparation, sources: Sequence[Source], processes: int
) -> Iterator[_Result]:
    """The results in the order of `sources`."""
    tasks = (tuple(sources[rows]) for rows in batches(len(sources), _FILES_A_TASK))
    if processes <= 1:
        for task in tasks:
            yield from _read_some(dataset.name, preparation.name, task)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("forkserver"), initializer=_begin_worker) as pool:
        try:
            yield from _in_order(pool, dataset.name, preparation.name, tasks, most=processes * _TASKS_AHEAD)
        except BrokenProcessPool:
            raise ValueError(
                "a worker process was killed, perhaps for want of memory: try fewer --processes; nothing was written"
            ) from None
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _in_order(
    pool: ProcessPoolExecutor, dataset: str, preparation: str, tasks: Iterable[Sequence[Source]], most: int
) -> Iterator[_Result]:
    waiting: deque[Future[list[_Result]]] = deque()
    remaining = iter(tasks)
    with _interrupts_held_back():
        waiting.extend(pool.submit(_read_some, dataset, preparation, task) for task in islice(remaining, most))
    while waiting:
        yield from waiting.popleft().result()
        waiting.extend(pool.submit(_read_some, dataset, preparation, task) for task in islice(remaining, 1))


@contextlib.contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Ctrl-C waits until the block ends: it would find processes half started, and each would show a traceback."""
    if current_thread() is not main_thread():
        yield
        return
    came: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: came.append(number))  # for this process
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # for those that it starts: they inherit this
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
    if came:
        signal.raise_signal(signal.SIGINT)


def _begin_worker() -> None:
    """Ctrl-C reaches all processes of a terminal, and only the first one acts on it. When that one is killed, the
    others end; they would wait for ever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    first = parent_process()
    if first is not None:
        Thread(target=_end_with, args=(first,), daemon=True).start()


def _end_with(process: BaseProcess) -> None:
    process.join()
    os._exit(1)


def _read_some(dataset: str, preparation: str, sources: Sequence[Source]) -> list[_Result]:
    return [_read_one(load_dataset(dataset), PREPARATIONS[preparation], source) for source in sources]


def _read_one(dataset: Dataset, preparation: Preparation, source: Source) -> _Result:
    size = 0
    try:
        size = source.path.stat().st_size
        recording = dataset.format.read(source)
        joints = preparation.clean(recording, dataset.format.layout, dataset.most_bodies)
        return _Result(source=source, size=size, joints=joints.astype(np.float32))
    except RecordingError as error:
        return _Result(source=source, size=size, reason=error.reason, line=error.line)
    except OSError as error:
        return _Result(source=source, size=size, reason=f"cannot be read: {error.strerror}")


def _find_missing_list(dataset: Dataset, raw: Path) -> Path | None:
    if dataset.missing_list is None:
        return None
    for folder in (raw, raw.absolute().parent):
        if (folder / dataset.missing_list).is_file():
            return folder / dataset.missing_list
    return None


def _read_missing_list(dataset: Dataset, path: Path) -> frozenset[str]:
    """The names in the list, one a line, with or without a suffix; other lines are its header."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the list of missing skeletons {path} cannot be read: {error}") from None
    names = set()
    for line in lines:
        with contextlib.suppress(RecordingError):
            names.add(dataset.format.parse_name(Path(line.strip())).name)
    if not names:
        raise ValueError(f"the list of missing skeletons {path} has no name {dataset.format.name_scheme} in it")
    return frozenset(names)


def _stop_if(strict: bool, rejected: Rejected) -> None:
    if strict:
        raise ValueError(f"{_say(rejected)} (--strict stops at the first such file; nothing was written)")


def _say(rejected: Rejected) -> str:
    return f"{rejected.path}{'' if rejected.line is None else f':{rejected.line}'}: {rejected.reason}"


def _write_rejected(path: Path, rejected: Sequence[Rejected], raw: Path) -> None:
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:  # names may be no text
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file", "line", "reason"))
        for entry in rejected:
            line = "" if entry.line is None else entry.line
            writer.writerow((entry.path.relative_to(raw).as_posix(), line, entry.reason))
