"""Semi-supervision: fine-tuning with few labels, drawn for each class, nested and written down."""

import csv
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Int, Int64
from torch import Tensor

from kinestream.evaluate import register
from kinestream.evaluate.result import Row
from kinestream.evaluate.session import Session
from kinestream.evaluate.settings import SemiSettings, seed_range
from kinestream.evaluate.training import begin_training, trained_rows
from kinestream.files import replacing
from kinestream.tables import read_table
from kinestream.words import plain_name, shown

_COLUMNS = ("file", "label")


@register("semi", columns=lambda settings: {"labelled clips": lambda row: f"{row.detail:,}"})
def semi(session: Session, settings: SemiSettings) -> Iterator[Row]:
    """Fine-tuning with each share of the labels and, for each seed, another draw of them. Subsets lie in
    `subsets/semi-<data set>-<split>-<percent>-seed<n>.csv` of the run; one that is there already is used. The largest
    share stands for the run. The `detail` of a row is the number of labelled clips."""
    # NOTE(deviation 6): the published code draws the subset anew in each run and keeps no record of it.
    training, weights = begin_training(session, settings)
    percents = sorted(set(settings.percent or (1.0, 10.0)), reverse=True)
    session.settings["percent"] = percents
    for percent in percents:
        subsets = [subset_of(session, percent, seed) for seed in seed_range(settings.seed, settings.seeds)]
        what = {"variant": f"{percent:g} % of the labels", "part": f"{percent:g}"}
        for row in trained_rows(session, "run", settings, training, weights, subsets=subsets, **what):
            yield replace(row, detail=len(subsets[0]))


def subset_of(session: Session, percent: float, seed: int) -> Int[Tensor, " k"]:
    """The labelled clips, as places among the training clips of the split: as the file says, or drawn and written.

    Raises ValueError when the file names a recording that is no training clip of the split.
    """
    name = f"semi-{session.store.info.dataset}-{session.split}-{percent:g}-seed{seed}.csv"
    path = session.source.folder.path / "subsets" / name
    names = [session.store.table.name[index] for index in session.train.tolist()]
    if not path.is_file():
        drawn = draw_subset(session.train_labels.numpy().astype(np.int64), percent, seed)
        classes, labels = session.store.info.classes, session.train_labels.tolist()
        with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(_COLUMNS)
            writer.writerows((names[place], classes[labels[place]]) for place in drawn.tolist())
        return torch.from_numpy(drawn)
    remedy = "remove the file to have the subset drawn anew"
    wanted = [plain_name(file) for _, (file, _) in read_table(path, _COLUMNS, remedy=remedy)]
    places = {name: place for place, name in enumerate(names)}
    unknown = [name for name in wanted if name not in places]
    if len(set(wanted)) < len(wanted):
        raise ValueError(f"{path} names a clip twice: {remedy}")
    if unknown or not wanted:
        what = f"'{shown(unknown[0])}', which is no training clip of split '{session.split}'" if unknown else "no clip"
        raise ValueError(f"{path} names {what}: {remedy}")
    return torch.tensor([places[name] for name in wanted])


def draw_subset(labels: Int64[np.ndarray, " n"], percent: float, seed: int) -> Int64[np.ndarray, " k"]:
    """Places of `percent` of the labels of each class, at least one of each, ascending.

    Nested: with the same seed, the clips of a smaller share are among those of a larger one.

    Raises ValueError when `percent` is not in (0, 100].

    Example:
        >>> draw_subset(np.array([0, 0, 0, 0, 1, 1, 1, 1]), 50.0, seed=0).tolist()
        [0, 2, 4, 7]
    """
    if not 0 < percent <= 100:
        raise ValueError(f"{percent:g} % of the labels: must be above 0 and at most 100")
    chosen = []
    for label in np.unique(labels):
        # A generator for each class, and the first ones of one order: that is what nests them.
        order = np.random.default_rng([seed, int(label)]).permutation(np.flatnonzero(labels == label))
        chosen.append(order[: max(1, round(len(order) * percent / 100))])
    return np.sort(np.concatenate(chosen))
