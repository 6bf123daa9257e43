"""Reads recordings into a store: bodies chosen, cleaned and placed, in full length, memory-mapped. Your own (RECORDINGS
STORE), in any known format; or of a data set (DATASET RAW STORE), by name or by the .yaml file that describes it.
What was understood of the files is said before anything is written; 'kinestream inspect' says it without writing.
What others prepared is taken as it is: the 3s-CACA authors' arrays, PYSKL pickles (read without running anything in
them), npz with x_train; where neither the file nor DATASET says which joints there are, --layout does. What cannot be
used is listed with its reason in rejected.csv of the store.

Examples:
  kinestream prepare recordings/ store/
  kinestream prepare recordings/ store/ --layout mediapipe33 --windows 2s --hop 0.5s
  kinestream prepare recordings/ store/ --names "s{subject}_{label}_{}" --split leave-one-subject-out
  kinestream prepare recordings/ store/ --layout my-layout.yaml --units mm --up z --split random:20%
  kinestream prepare my-data-set.yaml recordings/ store/
  kinestream prepare ntu60 nturgb+d_skeletons/ ntu60/
  kinestream prepare ntu60 nturgb+d_skeletons/ ntu60-tracked/ --preparation tracked
  kinestream prepare nw-ucla all_sqe/ nw-ucla/ --processes 8
  kinestream prepare pku2 pku-mmd-2/ pku2/ --splits pku-mmd-2/Split
  kinestream prepare pku2 pku-mmd-2/ pku2-whole/ --continuous
  kinestream prepare pku2 one-video/ look/ --continuous --splits none
  kinestream prepare recordings/ store/ --dry-run
  kinestream prepare ntu60 ntu60_hrnet.pkl ntu60-2d/
  kinestream prepare ntu60 NTU60_CS.npz ntu60/ --split xsub
  kinestream prepare falls.pkl falls/ --layout h36m17 --split random:20%
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from kinestream.arguments import misuse
from kinestream.console import Screen
from kinestream.data.build import Built, build_store
from kinestream.data.datasets import Dataset, load_dataset
from kinestream.data.formats import collection_at
from kinestream.data.formats.importing import import_store
from kinestream.data.formats.numbering import read_class_names
from kinestream.data.own import People
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.prepare import prepare
from kinestream.data.recording import Up
from kinestream.data.rejected import FILE, Rejected, read_rejected
from kinestream.data.understanding import Told, ToldUnits
from kinestream.skeleton.layout import load_layout

_REASONS_SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream prepare`."""

    words: tuple[str, ...]
    """RECORDINGS STORE; or DATASET RAW STORE, where DATASET is ntu60, ntu120, nw-ucla, pku1, pku2, utd-mhad,
    msr-action3d, sbu, ui-prmd, ui-prmd-correctness, hdm05, berkeley-mhad, kinder-gator or a .yaml file. RECORDINGS and
    RAW are a folder (with those below it), an archive or a file; STORE must not exist."""
    format: str | None = None
    """Format of the files; detected from their content if not given ('kinestream inspect' says it)."""
    layout: str | None = None
    """Which joints there are, where the files do not say it: a name ('kinestream layouts') or a .yaml file. Joints of
    another layout are mapped."""
    fps: float | None = None
    """Frames a second, where the files do not say it."""
    units: ToldUnits | None = None
    """Units of the positions; body scales bodies to 1.7 m. What the files say if not given, else
    inferred from the bodies."""
    up: Up | None = None
    """The axis that points up; as for --units."""
    columns: str = ""
    """Own recordings: pattern of the column names of a table, as in {joint}.{axis}."""
    variable: str = ""
    """Own recordings: which array of a file is meant, and the order of its axes, as in poses:ntvc."""
    names: str | None = None
    """Own recordings: what file names tell, as in s{subject}_{label}_{} or {subject}/{label}_{}."""
    table: Path | None = None
    """Own recordings: a table with a row for each file (file,label,subject,camera,session,start,end,name); the
    recordings.csv of the folder, where there is one, if not given."""
    people: str | None = None
    """Own recordings: bodies kept of each, those that move most, or 'each' for a recording of each person; as many as
    there are, at most two, if not given."""
    windows: str | None = None
    """Own recordings: cut them into windows of this length, as in 2s or 60f."""
    hop: str | None = None
    """Own recordings: one window every so often, as in 0.5s; one after the other if not given."""
    split: str | None = None
    """Own recordings: which are for training (subject:1,3,5, camera:1,2, session:am, file:a,b), how many are for
    testing (random:20%), or leave-one-subject-out; all are for training if not given. Of what others prepared also the
    only split of a pickle to take, or which split the two parts of a file are."""
    class_names: Path | None = None
    """What others prepared: a text file with the names of the classes, one a line, in the order of the labels."""
    first_label: int | None = None
    """What others prepared: 0 or 1, the label of the first class, where labels begin at 1."""
    axes: str = ""
    """What others prepared: order of the axes of x_train, if not 'n t (m v c)', as in 'n c t v m'."""
    trust: bool = False
    """Own recordings: accept what does not look like a body."""
    keep_going: bool = False
    """Write a store even where most recordings cannot be used."""
    preparation: str | None = None
    """published (as the 3s-CACA authors), tracked (bodies followed, path kept), scaled (the same, at one body size) or
    planar (2D); if not given the data set's usual one, else tracked or, of 2D, planar. Of clips that others prepared,
    what they were made with."""
    missing: Path | None = None
    """The data set's official list of clips without skeletons; looked for beside the files if not given."""
    splits: Path | None = None
    """PKU-MMD: folder with the official split files, or 'none' to go without splits; looked for beside the files if not
    given."""
    labels: Path | None = None
    """PKU-MMD: folder with the label files; looked for below and beside the other files if not given."""
    continuous: bool = False
    """PKU-MMD: keep whole videos with their track of labels (segments.csv) instead of cutting them into actions."""
    dry_run: bool = False
    """Make nothing; say what would be made, and about how much time, memory and disk it takes."""
    strict: bool = False
    """Stop at the first file that cannot be used."""
    processes: int = os.cpu_count() or 1
    """Worker processes."""


_OWN = (
    *("layout", "fps", "units", "up", "columns", "variable", "names", "table", "people", "windows", "hop", "split"),
    *("trust", "keep_going"),
)
_OWN_ONLY = ("columns", "variable", "names", "table", "windows", "hop", "trust")
_COLLECTED = ("class_names", "first_label", "axes")
_OF_DATA_SETS = ("missing", "splits", "labels", "continuous", "strict")


def run(config: Config) -> None:
    if len(config.words) not in (2, 3):
        misuse("kinestream prepare", f"{len(config.words)} words: give RECORDINGS STORE, or DATASET RAW STORE")
    dataset = load_dataset(config.words[0]) if len(config.words) == 3 else None
    source, out = map(Path, config.words[-2:])
    if out.exists():
        raise ValueError(f"{out} exists already: choose another folder, or remove it first")
    if source.exists() and collection_at(source, config.format) is not None:
        _refuse(config, _OF_DATA_SETS, "it is for the raw files of a data set")
        _refuse(config, _OWN_ONLY, f"{source} says it itself, or it is for files of one recording each")
        if config.dry_run:
            raise ValueError(f"{source} is what others prepared, it is copied: leave out --dry-run")
        _take_collection(config, dataset, source, out)
    elif dataset is None:
        _refuse(config, _OF_DATA_SETS, "it is for a data set, DATASET RAW STORE")
        _refuse(config, _COLLECTED, "it is for what others prepared, many recordings in a file")
        (_estimate_own if config.dry_run else _prepare_own)(config, source, out)
    else:
        _refuse(config, (*_OWN, "format"), f"{dataset.name} says it itself")
        _refuse(config, _COLLECTED, "it is for what others prepared, many recordings in a file")
        (_estimate_dataset if config.dry_run else _prepare_dataset)(config, dataset, source, out)


def _refuse(config: Config, options: Sequence[str], reason: str) -> None:
    for name in options:
        if getattr(config, name) != getattr(Config(words=()), name):
            raise ValueError(f"leave out --{name.replace('_', '-')}: {reason}")


def _prepare_own(config: Config, source: Path, out: Path) -> None:
    screen = Screen()
    said: list[str] = []

    def notice(sentence: str) -> None:
        said.append(sentence)
        screen.say(sentence)

    store = prepare(
        source,
        out,
        layout=config.layout,
        format=config.format,
        fps=config.fps,
        units=config.units,
        up=config.up,
        columns=config.columns,
        variable=config.variable,
        trust=config.trust,
        names=config.names,
        table=config.table,
        splits=config.split,
        preparation=config.preparation,
        people=_people(config.people),
        windows=config.windows,
        hop=config.hop,
        title=source.absolute().name,
        processes=config.processes,
        keep_going=config.keep_going,
        progress=screen.progress_callback(),
        notice=notice,
    )
    screen.say(repr(store))
    notes = [note for note in store.info.notes if note not in said]
    _show(screen, out, read_rejected(out), notes, follow=f"kinestream pretrain laptop --data {out} --out RUN")


def _estimate_own(config: Config, source: Path, out: Path) -> None:
    from kinestream.data.estimate import estimate_own

    told = Told(
        layout=None if config.layout is None else load_layout(config.layout),
        fps=config.fps,
        units=config.units,
        up=config.up,
        columns=config.columns,
        variable=config.variable,
        trust=config.trust,
    )
    done = estimate_own(
        source,
        out,
        told,
        format=config.format,
        preparation=config.preparation,
        people=_people(config.people),
        windows=config.windows,
        hop=config.hop,
        processes=config.processes,
    )
    Screen().table("this would be made", ("what", "value"), done.rows())


def _estimate_dataset(config: Config, dataset: Dataset, raw: Path, out: Path) -> None:
    from kinestream.data.estimate import estimate_dataset

    done = estimate_dataset(
        dataset,
        raw,
        out,
        preparation=PREPARATIONS.get(config.preparation or dataset.preparation),
        missing_list=config.missing,
        label_folder=config.labels,
        continuous=config.continuous,
        processes=config.processes,
    )
    Screen().table("this would be made", ("what", "value"), done.rows())


def _people(told: str | None) -> People:
    if told is None or told == "each":
        return cast(People, told)
    if not told.isdigit():
        raise ValueError(f"--people {told}: a number, or 'each' for a recording of each person")
    return int(told)


def _take_collection(config: Config, dataset: Dataset | None, source: Path, out: Path) -> None:
    screen = Screen()
    with screen.progress(f"prepare {source.name}", "recordings") as advance:
        done = import_store(
            source,
            out,
            dataset=dataset,
            layout=config.layout,
            class_names=() if config.class_names is None else read_class_names(config.class_names),
            first_label=config.first_label,
            axes=config.axes,
            units=config.units or "m",  # type: ignore[arg-type]
            up=config.up or "y",
            fps=config.fps,
            splits=config.split,
            people=_people(config.people),  # type: ignore[arg-type]
            preparation=config.preparation,
            format=config.format,
            keep_going=config.keep_going,
            progress=advance,
        )
    info = done.info
    rows: list[tuple[str, object]] = [
        ("form", done.form),
        ("recordings in the store", f"{info.recordings:,}"),
        ("frames", f"{info.frames:,}"),
        ("layout", info.layout.name),
        ("classes", len(info.classes)),
        ("splits", ", ".join(info.splits)),
        ("in no split taken, left out", done.other_splits),
        ("rejected", info.rejected),
    ]
    screen.table(f"{info.title}, preparation '{info.preparation}'", ("what", "value"), rows)
    _show(screen, out, done.rejected, info.notes)


def _prepare_dataset(config: Config, dataset: Dataset, raw: Path, out: Path) -> None:
    preparation = PREPARATIONS.get(config.preparation or dataset.preparation)
    screen = Screen()
    with screen.progress(f"prepare {dataset.name}", "files") as advance:
        built = build_store(
            dataset,
            raw,
            out,
            preparation=preparation,
            missing_list=config.missing,
            split_folder=config.splits,
            label_folder=config.labels,
            continuous=config.continuous,
            strict=config.strict,
            processes=config.processes,
            progress=advance,
        )
    screen.table(
        f"{built.info.title}, preparation '{built.info.preparation}'", ("what", "count"), _counts(dataset, built)
    )
    for used in built.split_lists:
        screen.say(f"split {used.split}: by {used.path}")
    _show(screen, out, built.rejected, built.info.notes)


def _counts(dataset: Dataset, built: Built) -> list[tuple[str, object]]:
    return [
        ("recordings in the store", f"{built.info.recordings:,}"),
        ("frames", f"{built.info.frames:,}"),
        ("raw data read, MB", f"{built.raw_bytes / 1e6:,.1f}"),
        ("on the list of missing skeletons, left out", built.info.excluded),
        ("of other classes, left out", built.other_classes),
        ("other files, ignored", built.other_files),
        *([("label files without a recording", built.unused_labels)] if dataset.label_archive else []),
        ("rejected", built.info.rejected),
    ]


def _show(
    screen: Screen, out: Path, rejected: Sequence[Rejected], notes: Sequence[str], *, follow: str | None = None
) -> None:
    """What was left out and what to know of the store."""
    for note in notes:
        screen.warn(note)
    if rejected:
        reasons = Counter(entry.reason for entry in rejected)
        first = {entry.reason: entry for entry in reversed(rejected)}
        shown = [
            (reason, count, f"{first[reason].path.name}{f':{first[reason].line}' if first[reason].line else ''}")
            for reason, count in reasons.most_common(_REASONS_SHOWN)
        ]
        screen.table("rejected", ("reason", "count", "first"), shown)
        if len(reasons) > _REASONS_SHOWN:
            screen.say(f"and {len(reasons) - _REASONS_SHOWN} more reasons")
        screen.say(f"all of them: {out / FILE}")
    screen.say(f"store: {out}")
    if follow is not None:
        screen.say(f"next: {follow}")
