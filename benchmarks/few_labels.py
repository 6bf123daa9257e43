"""Accuracy from few labels: `python -m benchmarks.few_labels RUN STORE UI_PRMD [--draws N] [--choose]`.

RUN is a run that learnt from the training part of `xsub-tune` of NW-UCLA (people with even numbers, views 1 and 2),
STORE the data set as it was prepared for it, UI_PRMD the file `ui_prmd_kinect.npz`.

NW-UCLA: labels are those of the training part, tested are the people with odd numbers in all views. Labels are drawn,
suggested (`kinestream.suggest`), or the farthest point first (greedy k-centre). UI-PRMD: another sensor, other
movements, people that nothing was learnt from; each of five folds of two people is held out in turn, labels are drawn
from the others. The same regression on embeddings, on those of the same networks without training, and on raw streams.
`--choose` compares ways to suggest, and ways to tell what is known, on training people of NW-UCLA alone.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64

from kinestream.data.clips import FixedClips, clips_as
from kinestream.data.held import clip_of
from kinestream.data.preparation import preparation_of
from kinestream.data.reading import read
from kinestream.data.store import Store
from kinestream.evaluate.source import open_source
from kinestream.features.extract import calibrate_batch_norm, compute_features, raw_coordinates
from kinestream.features.whitening import fit_streams
from kinestream.features.windows import PreparedClips
from kinestream.use.baselines import RAW
from kinestream.use.familiar import centres_of, distances, fit_familiar
from kinestream.use.folds import PEOPLE, Together, folds_of
from kinestream.use.label_report import drawn_of_each, few
from kinestream.use.logistic import STRENGTHS, USUAL, fit_logistic
from kinestream.use.model import Model, load
from kinestream.use.suggest import margins_of, representative

TRAINING = (2, 4, 6, 8, 10)
COUNTS = (10, 20, 30, 50, 100)
EACH = (1, 5, 10)
NEW_CLASSES = 3
FOLDS = 5
Rows = Float[np.ndarray, "n d"]
Codes = Int64[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Data:
    """Features by name, and what is known of each row."""

    features: Mapping[str, Rows]
    codes: Codes
    people: Codes
    training: Codes
    """Places of the training part; empty where people are held out in turn."""

    @property
    def classes(self) -> int:
        return int(self.codes.max()) + 1


def main(run: Path, store: Path, ui_prmd: Path, draws: int) -> dict[str, Any]:
    """What is printed. Raises ValueError for a run that has learnt from others."""
    trained = load(run)
    _check(run)
    twin = untrained(run, trained, Store(store))
    ucla, prmd = nw_ucla(trained, twin, Store(store)), rehabilitation(trained, twin, ui_prmd)
    card = trained.card
    return {
        "benchmark": "few labels",
        "recipe": card.recipe,
        "epochs": [card.epochs_done, card.epochs],
        "draws": draws,
        "NW-UCLA, by number of labels": by_number(ucla, draws),
        "UI-PRMD, labels of each movement": by_each(prmd, draws),
        "known, NW-UCLA": known_ucla(ucla, draws),
        "known, UI-PRMD": known_prmd(prmd, draws),
    }


# --- what is measured -------------------------------------------------------------------------------------------------


def by_number(data: Data, draws: int) -> dict[str, dict[str, list[float]]]:
    """Mean accuracy in percent and its deviation over the draws, of so many labels in all."""
    rows = data.features["run"]
    pool = data.training
    test = np.setdiff1d(np.flatnonzero(~np.isin(data.people, TRAINING)), pool)
    order = pool[list(representative(rows[pool]))]
    made: dict[str, dict[str, list[float]]] = {}
    for count in COUNTS:
        drawn = [np.random.default_rng((draw, count)).permutation(pool)[:count] for draw in range(draws)]
        ways = {
            "drawn": drawn,
            "suggested": [order[:count]],
            "suggested, then the half by margin": [_half_by_margin(rows, data, pool, order, count)],
            "farthest first (k-centre)": [farthest(rows, pool, count, draw) for draw in range(draws)],
        }
        for way, chosen in ways.items():
            told = [_accuracy(rows, data, some, test) for some in chosen]
            made.setdefault(way, {})[str(count)] = _summary(told)
        for name, others in data.features.items():
            if name != "run":
                told = [_accuracy(others, data, some, test) for some in drawn]
                made.setdefault(f"drawn, {name}", {})[str(count)] = _summary(told)
    return made


def by_each(data: Data, draws: int) -> dict[str, dict[str, list[float]]]:
    """Mean accuracy in percent on people who were held out, and its deviation over the draws."""
    who = Together(what=PEOPLE, groups=data.people)
    folds = folds_of(data.codes, who, FOLDS, 0)
    made: dict[str, dict[str, list[float]]] = {}
    for name, rows in data.features.items():
        for each in EACH:
            told = []
            for draw in range(draws):
                hits = 0
                for number, test in enumerate(folds):
                    rest = np.setdiff1d(np.arange(len(rows)), test)
                    some = drawn_of_each(data.codes, rest, each, seed=(draw, number))
                    layer = few(rows[some], data.codes[some], who.take(some), STRENGTHS, FOLDS, draw)
                    hits += int((layer(rows[test]) == data.codes[test]).sum())
                told.append(100 * hits / len(rows))
            made.setdefault(name, {})[str(each)] = _summary(told)
    return made


def known_ucla(data: Data, draws: int) -> dict[str, list[float]]:
    test = np.flatnonzero(~np.isin(data.people, TRAINING))
    return _known(data, [(data.training, test)], draws)


def known_prmd(data: Data, draws: int) -> dict[str, list[float]]:
    folds = folds_of(data.codes, Together(what=PEOPLE, groups=data.people), FOLDS, 0)
    every = np.arange(len(data.codes))
    return _known(data, [(np.setdiff1d(every, test), test) for test in folds], draws)


def _known(data: Data, parts: Sequence[tuple[Codes, Codes]], draws: int) -> dict[str, list[float]]:
    """Classes drawn are new: how many of the others are called unknown (aim: 5), and how many of the new ones, in
    percent, by a threshold from training people."""
    rows, alarms, found = data.features["run"], [], []
    for draw in range(draws):
        new = np.random.default_rng(draw).permutation(data.classes)[:NEW_CLASSES]
        for train, test in parts:
            base = train[~np.isin(data.codes[train], new)]
            who = Together(what=PEOPLE, groups=data.people[base])
            folds = folds_of(data.codes[base], who, FOLDS, 0)
            known = fit_familiar(rows[base], data.codes[base], folds, 0.05).known(rows[test])
            is_new = np.isin(data.codes[test], new)
            alarms.append(100 * float((~known[~is_new]).mean()))
            found.append(100 * float((~known[is_new]).mean()))
    return {"called unknown, of known movements": _summary(alarms), "of new movements": _summary(found)}


# --- how settings were chosen -----------------------------------------------------------------------------------------


def choose(run: Path, store: Path) -> dict[str, Any]:
    """Labels of three training people, tested on the two others."""
    trained = load(run)
    _check(run)
    data = nw_ucla(trained, None, Store(store))
    rows = data.features["run"]
    pool = data.training[np.isin(data.people[data.training], (2, 4, 6))]
    test = np.setdiff1d(data.training, pool)
    order = pool[list(representative(rows[pool]))]
    ways: dict[str, Callable[[int, int], Codes]] = {
        "drawn": lambda count, seed: np.random.default_rng((seed, count)).permutation(pool)[:count],
        "facility location": lambda count, seed: order[:count],
        "k-means, nearest to centres": lambda count, seed: _k_means(rows, pool, count, seed),
        "farthest first (k-centre)": lambda count, seed: farthest(rows, pool, count, seed),
    }
    suggested = {
        way: {
            str(count): _summary([_accuracy(rows, data, choice(count, seed), test) for seed in range(5)])
            for count in COUNTS
        }
        for way, choice in ways.items()
    }
    told: dict[str, list[float]] = {}
    for draw in range(10):
        new = np.random.default_rng(draw).permutation(data.classes)[:NEW_CLASSES]
        base = pool[~np.isin(data.codes[pool], new)]
        is_new = np.isin(data.codes[test], new)
        cosines = np.sort(rows[test] @ rows[base].T, axis=1)
        scores = {f"nearest {k} labelled": -cosines[:, -k:].mean(axis=1) for k in (1, 3, 5, 10)}
        scores["class means"] = distances(rows[test], centres_of(rows[base], data.codes[base]))
        layer = fit_logistic(rows[base], np.unique(data.codes[base], return_inverse=True)[1], 7, [USUAL])[0]
        scores["largest probability"] = -layer.probabilities(rows[test]).max(axis=1)
        for way, values in scores.items():
            told.setdefault(way, []).append(100 * _auroc(values[is_new], values[~is_new]))
    return {"suggestions": suggested, "known: area under the ROC curve": {k: _summary(v) for k, v in told.items()}}


# --- data -------------------------------------------------------------------------------------------------------------


def nw_ucla(trained: Model, twin: Model | None, store: Store) -> Data:
    people = np.array(store.table.subject, dtype=np.int64)
    clips = clips_as(store, trained.frames, trained.layout)
    return Data(
        features=_features(trained, twin, clips),
        codes=np.asarray(store.labels, dtype=np.int64),
        people=people,
        training=np.asarray(store.select("xsub-tune", "train"), dtype=np.int64),
    )


def rehabilitation(trained: Model, twin: Model, file: Path) -> Data:
    """All recordings, right and wrong ones."""
    moves = read(file, layout="uiprmd22", variable="joints_mm", fps=30)
    with np.load(file) as arrays:
        codes, people = arrays["movement"].astype(np.int64), arrays["subject"].astype(np.int64)
    way = preparation_of(trained.preparation)
    made = [clip_of(one, trained.frames, trained.layout, way, trained.bodies) for one in moves]
    clips = PreparedClips(clips=np.stack(made), layout=trained.layout)
    return Data(
        features=_features(trained, twin, clips),
        codes=np.unique(codes, return_inverse=True)[1].astype(np.int64),
        people=people,
        training=np.zeros(0, dtype=np.int64),
    )


def untrained(run: Path, trained: Model, store: Store) -> Model:
    """The same networks with new weights; batch normalisation and whitening know the training clips, as those of the
    run do."""
    source = open_source(run)
    clips, train = clips_as(store, trained.frames, trained.layout), store.select("xsub-tune", "train")
    encoders = {stream: source.random_encoder(stream, trained.layout, source.seed) for stream in source.streams}
    for stream, encoder in encoders.items():
        calibrate_batch_norm(encoder, clips, train, stream)
    readout = trained.card.readout
    values = compute_features(encoders, clips, readout=readout)
    rows = {stream: torch.from_numpy(some[train]) for stream, some in values.items()}
    whitening = fit_streams(rows, readout.whitening, readout.whitened_by)
    return Model("untrained", encoders, trained.cards, whitening=whitening)


def _features(trained: Model, twin: Model | None, clips: FixedClips) -> dict[str, Rows]:
    made: dict[str, Rows] = {"run": trained.vectors(clips)}
    if twin is not None:
        made["untrained"] = twin.vectors(clips)
        made |= {f"raw {stream}": raw_coordinates(clips, np.arange(len(clips)), stream) for stream in RAW}
    return made


# --- parts ------------------------------------------------------------------------------------------------------------


def farthest(rows: Rows, pool: Codes, count: int, seed: int) -> Codes:
    """Greedy k-centre from a point that is drawn."""
    some = rows[pool]
    chosen = [int(np.random.default_rng(seed).integers(len(pool)))]
    nearest = some @ some[chosen[0]]
    while len(chosen) < count:
        chosen.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, some @ some[chosen[-1]])
    return pool[chosen]


def _half_by_margin(rows: Rows, data: Data, pool: Codes, order: Codes, count: int) -> Codes:
    """The first half as suggested without labels; the others, ten at a time, by the margin of what is known then."""
    some = order[: count - count // 2]
    while len(some) < count:
        if len(np.unique(data.codes[some])) < 2:
            return order[:count]
        there, own = np.unique(data.codes[some], return_inverse=True)
        layer = fit_logistic(rows[some], own.astype(np.int64), len(there), [USUAL])[0]
        rest = np.setdiff1d(pool, some)
        unsure = rest[np.argsort(margins_of(layer.probabilities(rows[rest])), kind="stable")]
        some = np.concatenate((some, unsure[: min(10, count - len(some))]))
    return some


def _k_means(rows: Rows, pool: Codes, count: int, seed: int) -> Codes:
    from sklearn.cluster import KMeans

    found = KMeans(count, n_init=3, random_state=seed).fit(rows[pool])
    return pool[np.unique((rows[pool] @ found.cluster_centers_.T).argmax(axis=0))]


def _accuracy(rows: Rows, data: Data, some: Codes, test: Codes) -> float:
    """In percent. The strength is the usual one: so few labels do not choose it, and it hardly matters."""
    there, own = np.unique(data.codes[some], return_inverse=True)
    if len(there) < 2:
        return 100 * float((data.codes[test] == there[0]).mean())
    layer = fit_logistic(rows[some], own.astype(np.int64), len(there), [USUAL])[0]
    return 100 * float((there[layer.logits(rows[test]).argmax(axis=1)] == data.codes[test]).mean())


def _auroc(new: Float[np.ndarray, " a"], known: Float[np.ndarray, " b"]) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(np.repeat([1, 0], [len(new), len(known)]), np.concatenate((new, known))))


def _summary(values: Sequence[float]) -> list[float]:
    """Mean and sample deviation."""
    return [round(float(np.mean(values)), 1), round(float(np.std(values, ddof=1)), 1) if len(values) > 1 else 0.0]


def _check(run: Path) -> None:
    source = open_source(run)
    if (source.dataset, source.split) != ("nw-ucla", "xsub-tune"):
        raise ValueError(
            f"{run} learnt from {source.dataset or 'another data set'} {source.split}: pre-train on nw-ucla with --set "
            "split=xsub-tune, or the test people are not new to it"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.few_labels")
    parser.add_argument("run", type=Path)
    parser.add_argument("store", type=Path)
    parser.add_argument("ui_prmd", type=Path)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--choose", action="store_true")
    words = parser.parse_args()
    torch.set_num_threads(1)
    try:
        report = (
            choose(words.run, words.store) if words.choose else main(words.run, words.store, words.ui_prmd, words.draws)
        )
    except ValueError as error:
        sys.exit(str(error))
    print(json.dumps(report, indent=1))
