"""Which raw files of a folder are to be read, and what becomes of the others: decided by names alone."""

import contextlib
import dataclasses
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from kinestream.data.datasets import Dataset
from kinestream.data.folder import files_below
from kinestream.data.recording import RecordingError, Source
from kinestream.data.rejected import Rejected
from kinestream.data.split_lists import is_split_list
from kinestream.files import entries


@dataclass(kw_only=True)
class Plan:
    """Which files to read, and what became of the others."""

    sources: list[Source] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    excluded: int = 0
    other_classes: int = 0
    other_files: int = 0
    unused_labels: int = 0
    """Label files without a recording."""


def make_plan(dataset: Dataset, raw: Path, *, missing_list: Path | None, labels: Path | None, strict: bool) -> Plan:
    """Looks at the names of all files below `raw`.

    Args:
        missing_list: file with the names of clips to leave out.
        labels: folder of the label files, where the data set has such; looked for by its name when None.
        strict: stop at the first file that cannot be used.

    Raises:
        ValueError: there is nothing to read, or no label files, or `strict` and a file cannot be used.
    """
    if not raw.is_dir() and (dataset.format.sources is None or not raw.is_file()):
        raise ValueError(f"{raw} is no folder: give the one with the *{dataset.format.suffix} files of {dataset.title}")
    missing = dataset.left_out | (_read_missing_list(dataset, missing_list) if missing_list else frozenset())
    label_files = find_label_files(dataset, raw, labels)
    not_ours = frozenset(label_files)
    plan = Plan()
    kinds: Counter[str] = Counter()
    seen: dict[str, Path] = {}
    for path in files_below(raw) if raw.is_dir() else [raw]:
        if path in not_ours or (dataset.format.parse_labels is not None and is_split_list(dataset, path)):
            continue
        if path.suffix.lower() not in dataset.format.suffixes or any(map(path.match, dataset.other_files)):
            kinds[path.suffix or path.name] += 1
            continue
        try:
            for source in dataset.sources(path):
                if source.name in missing:
                    plan.excluded += 1
                elif dataset.format.parse_labels is None and not 1 <= source.action <= len(dataset.classes):
                    plan.other_classes += 1
                elif source.name in seen:
                    raise RecordingError(f"a second file of that name: {seen[source.name]} was taken")
                else:
                    seen[source.name] = path
                    plan.sources.append(source)
        except RecordingError as error:
            plan.rejected.append(Rejected(path=path, reason=error.reason, line=error.line))
            stop_if(strict, plan.rejected[-1])
    plan.other_files = kinds.total()
    if not plan.sources:
        raise ValueError(_nothing_there(dataset, raw, plan, kinds))
    if dataset.format.parse_labels is not None:
        _give_labels(dataset, raw, plan, label_files, strict=strict)
    return plan


def stop_if(strict: bool, rejected: Rejected) -> None:
    """Raises ValueError when a run is strict."""
    if strict:
        raise ValueError(f"{rejected} (--strict stops at the first such file; nothing was written)")


def find_missing_list(dataset: Dataset, raw: Path) -> Path | None:
    """The official list of clips without skeletons, in the folder of the raw files or in the one above."""
    if dataset.missing_list is None:
        return None
    for folder in (raw, raw.absolute().parent):
        if (folder / dataset.missing_list).is_file():
            return folder / dataset.missing_list
    return None


def _nothing_there(dataset: Dataset, raw: Path, plan: Plan, kinds: Counter[str]) -> str:
    wanted = f"{dataset.name_scheme}{dataset.format.suffix}"
    if plan.rejected:
        return f"no usable file below {raw}; the first of {len(plan.rejected)} refused: {plan.rejected[0]}"
    if plan.other_classes or plan.excluded:
        return (
            f"no usable file below {raw}: {plan.other_classes} are of actions that {dataset.name} does not have, "
            f"{plan.excluded} are on the list of missing skeletons"
        )
    if kinds:
        most = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(3))
        return f"no file {wanted} below {raw}: there are others ({most}). Is this the folder of {dataset.title}?"
    return f"{raw} is empty: give the folder with the files {wanted} of {dataset.title}"


def _read_missing_list(dataset: Dataset, path: Path) -> frozenset[str]:
    """The names in the list, one a line, with or without a suffix; other lines are its header."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the list of missing skeletons {path} cannot be read: {error}") from None
    names = set()
    for line in lines:
        with contextlib.suppress(RecordingError):
            names.add(dataset.parse_name(Path(line.strip())).name)
    if not names:
        raise ValueError(f"the list of missing skeletons {path} has no name {dataset.name_scheme} in it")
    return frozenset(names)


# --- label files ----------------------------------------------------------------------------------------------------


def find_label_files(dataset: Dataset, raw: Path, given: Path | None) -> list[Path]:
    """The files of the folder given; else those in folders with "label" in their name below `raw`, else beside it."""
    if dataset.format.parse_labels is None:
        if given is not None:
            raise ValueError(f"the names of {dataset.name} files tell their labels: leave out --labels {given}")
        return []
    if given is not None:
        if not given.is_dir():
            raise ValueError(f"{given} is no folder: give the one with the label files of {dataset.title}")
        # Spelt as the walk below `raw` spells them, so that they are not taken for recordings there.
        inside = given.resolve().is_relative_to(raw.resolve())
        return [*files_below(raw / given.resolve().relative_to(raw.resolve()) if inside else given)]
    below = [path for path in files_below(raw) if _in_label_folder(path.relative_to(raw))]
    if below:
        return below
    beside = [path for path in entries(raw.absolute().parent) if "label" in path.name.lower() and path.is_dir()]
    return [path for folder in beside for path in files_below(folder)]


def _in_label_folder(path: Path) -> bool:
    return any("label" in part.lower() for part in path.parts[:-1])


def _give_labels(dataset: Dataset, raw: Path, plan: Plan, label_files: list[Path], *, strict: bool) -> None:
    """Each recording its label file; those without one are rejected."""
    by_name: dict[str, Path] = {}
    refused: list[Rejected] = []
    for path in label_files:
        if path.suffix != dataset.format.suffix:
            plan.other_files += 1
        elif path.stem in by_name:
            reason = f"a second label file of that name: {by_name[path.stem]} was taken"
            refused.append(Rejected(path=path, reason=reason))
        else:
            by_name[path.stem] = path
    if not by_name:
        raise ValueError(
            f"no label files of {dataset.title} below or beside {raw}: unpack {dataset.label_archive} into a folder "
            "with 'label' in its name there, or name its folder with --labels FOLDER"
        )
    sources = plan.sources
    plan.sources = [
        dataclasses.replace(source, labels=by_name[source.name]) for source in sources if source.name in by_name
    ]
    names = {source.name for source in sources}
    plan.unused_labels = len(by_name.keys() - names)
    refused += [
        Rejected(path=source.path, reason="no label file of that name")
        for source in sources
        if source.name not in by_name
    ]
    for rejected in refused:
        stop_if(strict, rejected)
    plan.rejected += refused
    if not plan.sources:
        raise ValueError(f"none of the {len(sources)} files below {raw} has a label file; the first: {refused[0]}")
