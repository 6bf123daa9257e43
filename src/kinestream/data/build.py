"""Building a store from a folder of a data set's raw files."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from kinestream.data.datasets import Dataset
from kinestream.data.gaps import close_gaps
from kinestream.data.plan import Plan, find_missing_list, make_plan, stop_if
from kinestream.data.preparation import Preparation
from kinestream.data.recording import Found, Recording, RecordingError, Segment, Source
from kinestream.data.rejected import Rejected, write_rejected
from kinestream.data.split import Split
from kinestream.data.split_lists import SplitList, resolve_splits
from kinestream.data.store import StoreInfo, StoreWriter, batches
from kinestream.data.understanding import Told, interpret, of_dataset
from kinestream.data.workers import in_processes
from kinestream.files import new_folder


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
    split_lists: tuple[SplitList, ...]
    """The official split files that were used."""
    unused_labels: int
    """Label files without a recording."""


def build_store(
    dataset: Dataset,
    raw: Path,
    out: Path,
    *,
    preparation: Preparation,
    missing_list: Path | None = None,
    split_folder: Path | None = None,
    label_folder: Path | None = None,
    continuous: bool = False,
    strict: bool = False,
    plan: Plan | None = None,
    processes: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Built:
    """Reads every raw file below `raw` and writes the store `out`, or nothing at all.

    Files, and rows of label files, that cannot be used are listed in `rejected.csv` of the store with their reason.
    `progress` is called with the numbers of files done and to do. A store has the same content whatever the number of
    processes.

    Args:
        missing_list: text file with the names of clips without skeletons; looked for beside the data when None.
        split_folder: folder with the official split files, where the data set has such; looked for when None; or
            `split_lists.WITHOUT`.
        label_folder: folder with the label files, where the data set has such; looked for when None.
        continuous: keep the recordings whole, with their tracks of labels, instead of cutting them by those.
        strict: stop at the first file that cannot be used.
        plan: which files to read, where that is known.

    Raises:
        ValueError: no usable file below `raw`, no label or split files where they are needed, `out` exists, or `strict`
            and a file cannot be used.
    """
    if continuous and dataset.format.parse_labels is None:
        raise ValueError(f"each file of {dataset.name} is one action: leave out --continuous")
    found = missing_list or find_missing_list(dataset, raw)
    plan = plan or make_plan(dataset, raw, missing_list=found, labels=label_folder, strict=strict)
    stems = {dataset.file_of(source) for source in plan.sources}
    splits, split_lists = resolve_splits(dataset, raw, stems, split_folder)
    splits = {name: split.draw(sorted(stems)) for name, split in splits.items()}
    if continuous:  # what is published counts actions, not videos
        splits = {name: dataclasses.replace(split, published=None) for name, split in splits.items()}
    raw_bytes, sized = 0, set[Path]()
    with (
        new_folder(out) as folder,
        StoreWriter(folder, dataset.layout, dataset.most_bodies, continuous=continuous) as writer,
    ):
        total = len(plan.sources)
        progress(0, total)
        task = _Task(dataset=dataset, preparation=preparation, continuous=continuous)
        portions = (tuple(plan.sources[rows]) for rows in batches(total, dataset.format.files_a_task))
        for done, result in enumerate(in_processes(partial(_read_some, task), portions, processes), start=1):
            raw_bytes += 0 if result.path in sized else result.size
            sized.add(result.path)
            for rejected in result.rejected:
                stop_if(strict, rejected)
                plan.rejected.append(rejected)
            for prepared in result.prepared:
                writer.add(
                    prepared.source,
                    prepared.joints,
                    prepared.segments,
                    fps=prepared.fps,
                    filled=prepared.filled,
                    masked=prepared.masked,
                    file=dataset.file_of(prepared.source),
                )
            progress(done, total)
        if not len(writer):
            raise ValueError(f"none of the {total} files below {raw} can be used; the first: {plan.rejected[0]}")
        plan.rejected.sort(key=lambda rejected: (rejected.path, rejected.line or 0))
        write_rejected(folder, plan.rejected, raw)
        notes = (*_notes_on_splits(dataset, split_lists, splits), *_note_on_missing(dataset, found))
        info = writer.finish(
            dataclasses.replace(dataset, splits=splits),
            preparation,
            excluded=plan.excluded,
            rejected=len(plan.rejected),
            fps=dataset.fps,
            notes=notes,
        )
    return Built(
        info=info,
        raw_bytes=raw_bytes,
        rejected=tuple(plan.rejected),
        other_classes=plan.other_classes,
        other_files=plan.other_files,
        missing_list=found,
        split_lists=split_lists,
        unused_labels=plan.unused_labels,
    )


def _notes_on_splits(dataset: Dataset, used: Sequence[SplitList], splits: Mapping[str, Split]) -> Iterator[str]:
    for one in used:
        if one.unlisted:
            yield (
                f"{one.unlisted} files are in neither list of {one.path.name}: in the store, but neither for training "
                f"nor for testing in split {one.split}"
            )
        if one.absent:
            yield f"{one.absent} names of {one.path.name} have no usable file: is the download complete?"
    for name, split in dataset.splits.items():
        if name not in splits:
            yield (
                f"the store has no split {name}: its file {split.lists[0]} was not found; get it from the folder Split "
                f"of the downloads ({dataset.home}), then prepare again or name its folder with --splits FOLDER"
            )


def _note_on_missing(dataset: Dataset, found: Path | None) -> Iterator[str]:
    if dataset.missing_list and found is None:
        yield (
            f"the official list {dataset.missing_list} was not found beside the data, so clips with missing skeletons "
            f"are in the store and counts differ from the published ones. Get it from {dataset.home}, then give it "
            "with --missing FILE"
        )


@dataclass(frozen=True, kw_only=True)
class _Task:
    """What to do with each raw file; it goes to other processes."""

    dataset: Dataset
    preparation: Preparation
    continuous: bool


@dataclass(frozen=True, kw_only=True)
class _Prepared:
    source: Source
    joints: Float32[np.ndarray, "t m v c"]
    segments: tuple[Segment, ...]
    fps: float | int | None
    filled: int
    masked: int


@dataclass(frozen=True, kw_only=True)
class _Result:
    """What came out of one raw file, or of one recording in a file of many."""

    path: Path
    size: int
    prepared: tuple[_Prepared, ...] = ()
    rejected: tuple[Rejected, ...] = ()


def _read_some(task: _Task, sources: Sequence[Source]) -> list[_Result]:
    return [_read_one(task, source) for source in sources]


def _read_one(task: _Task, source: Source) -> _Result:
    dataset, size = task.dataset, 0
    try:
        size = source.path.stat().st_size
        recording = _recording(dataset, source)
    except (RecordingError, OSError) as error:
        return _Result(path=source.path, size=size, rejected=(_rejected(source.path, error),))
    if source.labels is None:
        return _gather(source, size, [_prepare(task, source, recording)])
    assert dataset.format.parse_labels is not None
    try:
        text = source.labels.read_bytes()
    except OSError as error:
        return _Result(path=source.path, size=size, rejected=(_rejected(source.labels, error),))
    track = dataset.format.parse_labels(text, len(recording.joints), len(dataset.classes))
    outcomes: list[_Prepared | Rejected] = [_rejected(source.labels, error) for error in track.refused]
    if task.continuous:
        outcomes.append(_prepare(task, source, recording, segments=tuple(track.segments.values())))
    elif not text.strip():
        outcomes.append(_rejected(source.labels, RecordingError("no row in it")))
    else:
        outcomes += [_cut(task, source, recording, row, segment) for row, segment in track.segments.items()]
    return _gather(source, size, outcomes)


def _recording(dataset: Dataset, source: Source) -> Recording:
    """Raises RecordingError for a file that is not one recording, or not as the data set says."""
    read = dataset.format.read(dataclasses.replace(source, layout=dataset.layout, variable=dataset.variable))
    if isinstance(read, Sequence):
        if len(read) != 1:
            raise RecordingError(f"{len(read)} recordings in it, where the data set has one in a file")
        read = read[0]
    if isinstance(read, Recording) and dataset.format.layout is not None:
        return read
    if isinstance(read, Found) and dataset.points and not read.points:
        read = dataclasses.replace(read, points=dataset.points)
    told = Told(fps=dataset.fps, units=dataset.units, up=dataset.up, trust=isinstance(read, Recording))
    return interpret(read, of_dataset(read, dataset.layout), told)


def _cut(task: _Task, source: Source, recording: Recording, row: int, segment: Segment) -> _Prepared | Rejected:
    """One labelled part as a recording of its own, named by the line of its label."""
    part = dataclasses.replace(
        source, name=f"{source.name}-{row:03}", action=segment.label + 1, repetition=row, labels=None
    )
    frames = slice(segment.start, segment.end)
    outcome = _prepare(task, part, recording.cut(frames))
    if isinstance(outcome, Rejected) and source.labels is not None:
        return dataclasses.replace(outcome, path=source.labels, line=row)
    return outcome


def _prepare(
    task: _Task, source: Source, recording: Recording, segments: tuple[Segment, ...] = ()
) -> _Prepared | Rejected:
    dataset, preparation = task.dataset, task.preparation
    if not task.continuous:
        recording = _middle(recording, dataset.longest)
    try:
        closed = close_gaps(recording.joints, recording.bodies, dataset.layout, recording.fps)
        whole = dataclasses.replace(recording, joints=closed.joints, bodies=closed.bodies)
        joints = preparation.clean(whole, dataset.layout, dataset.most_bodies, all_frames=task.continuous)
    except RecordingError as error:
        return _rejected(source.path, error)
    return _Prepared(
        source=source,
        joints=joints.astype(np.float32),
        segments=segments,
        fps=recording.fps or dataset.fps,
        filled=closed.filled,
        masked=closed.masked,
    )


def _middle(recording: Recording, longest: int | None) -> Recording:
    """At most `longest` frames; of an odd surplus the end loses one more than the beginning."""
    surplus = 0 if longest is None else len(recording.joints) - longest
    if surplus <= 0:
        return recording
    frames = slice(surplus // 2, surplus // 2 + len(recording.joints) - surplus)
    return recording.cut(frames)


def _gather(source: Source, size: int, outcomes: Sequence[_Prepared | Rejected]) -> _Result:
    return _Result(
        path=source.path,
        size=size,
        prepared=tuple(outcome for outcome in outcomes if isinstance(outcome, _Prepared)),
        rejected=tuple(outcome for outcome in outcomes if isinstance(outcome, Rejected)),
    )


def _rejected(path: Path, error: RecordingError | OSError) -> Rejected:
    if isinstance(error, RecordingError):
        return Rejected(path=path, reason=error.reason, line=error.line)
    return Rejected(path=path, reason=f"cannot be read: {error.strerror}", line=None)
