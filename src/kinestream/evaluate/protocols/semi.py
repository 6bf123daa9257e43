"""Semi-supervision: fine-tuning with few labels, drawn for each class, nested and written down."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from kinestream.evaluate.protocols.linear import check_weights
from kinestream.evaluate.protocols.outcome import Outcome
from kinestream.evaluate.protocols.subject import Subject
from kinestream.evaluate.protocols.training import Fusion, protocol_in_form, trained_outcomes
from kinestream.evaluate.subsets import draw_subset
from kinestream.evaluate.write import publish
from kinestream.files import replacing
from kinestream.train.classify import TrainingSettings


def semi_supervise(
    subject: Subject,
    settings: TrainingSettings,
    *,
    percents: Sequence[float],
    seeds: Sequence[int],
    fusion: Fusion = "together",
    weights: Mapping[str, float] | None = None,
) -> Sequence[Outcome]:
    """Fine-tuning with each share of the labels and, for each seed, another draw of them. Subsets lie in
    `subsets/semi-<data set>-<split>-<percent>-seed<n>.csv` of the run; one that is there already is used. The largest
    share stands for the run."""
    # NOTE(deviation 6): the published code draws the subset anew in each run and keeps no record of it.
    check_weights(subject, weights)
    ordered = sorted(set(percents), reverse=True)
    if not ordered:
        raise ValueError("no share of the labels is given: --percent 1 --percent 10")
    protocol = protocol_in_form("semi", settings)
    outcomes: list[Outcome] = []
    labelled: list[str] = []
    for percent in ordered:
        subsets = [subset_of(subject, percent, seed) for seed in seeds]
        found = list(
            trained_outcomes(
                subject,
                "run",
                settings,
                seeds,
                protocol=protocol,
                fusion=fusion,
                weights=weights,
                subsets=subsets,
                variant=f"{percent:g} % of the labels",
                place=f"{percent:g}",
            )
        )
        outcomes += found
        labelled += [f"{len(subsets[0]):,}"] * len(found)
    told = {**asdict(settings), "seeds": list(seeds), "percents": ordered, "fusion": fusion}
    publish(subject, protocol, {**told, "fusion_weights": weights or "uniform"}, outcomes, {"labelled clips": labelled})
    subject.screen.say(f"which clips: {_folder(subject)}")
    return outcomes


def subset_of(subject: Subject, percent: float, seed: int) -> Int[Tensor, " k"]:
    """The labelled clips, as places among the training clips of the split: as the file says, or drawn and written.

    Raises ValueError when the file names a recording that is no training clip of the split.
    """
    dataset = subject.store.info.dataset
    path = _folder(subject) / f"semi-{dataset}-{subject.split}-{percent:g}-seed{seed}.csv"
    names = [subject.store.table.name[index] for index in subject.train.tolist()]
    if not path.is_file():
        drawn = draw_subset(subject.train_labels.numpy().astype(np.int64), percent, seed)
        classes, labels = subject.store.info.classes, subject.train_labels.tolist()
        with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("file", "label"))
            writer.writerows((names[place], classes[labels[place]]) for place in drawn.tolist())
        return torch.from_numpy(drawn)
    with path.open(encoding="utf-8", newline="") as file:
        wanted = [row["file"] for row in csv.DictReader(file)]
    places = {name: place for place, name in enumerate(names)}
    unknown = [name for name in wanted if name not in places]
    if unknown or not wanted:
        what = f"'{unknown[0]}', which is no training clip of split '{subject.split}'" if unknown else "no clip"
        raise ValueError(f"{path} names {what}: remove the file to have the subset drawn anew")
    return torch.tensor([places[name] for name in wanted])


def _folder(subject: Subject) -> Path:
    return subject.source.folder.path / "subsets"
