"""Segments of long recordings: `python -m benchmarks.segmentation ALL_SQE ENCODER [--made-up STORE PAIRS] [--seeds N]
[--choose]`.

ALL_SQE is the folder of NW-UCLA, ENCODER a run that learnt from the training part of the split `xsub-tune` (people with
even numbers, views 1 and 2), or `anybody` and runs like it: then STORE is what they learnt from and PAIRS its table of
pairs. Beside it stand the same networks with new weights, normalised by the training people or by STORE.

Long recordings are clips of one person and view end to end in random order (`joined`). Tested are the people with odd
numbers in view 3: neither they nor that view were seen. `--choose` prints, instead, what settings and ways to group do
on the training people, by which the defaults were chosen.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64

from benchmarks import anybody
from benchmarks.joined import Joined, joined, read_clips
from kinestream.data.store import Store
from kinestream.evaluate.source import open_source
from kinestream.evaluate.tracks import edit_score, f1_score, frame_accuracy, matched_track, pieces_of
from kinestream.features.extract import calibrate_batch_norm, raw_coordinates
from kinestream.features.sticky import sticky_path
from kinestream.features.windows import ClipForm, PreparedClips, per_window, window_clips, windows_of_frames
from kinestream.use.grouping import find_groups
from kinestream.use.model import Model, load
from kinestream.use.segment import SWITCH, WINDOW, Windowed, embed_windows, switch_cost

TRAINING, TESTING = (2, 4, 6, 8, 10), (1, 3, 5, 7, 9)
SEEN_VIEWS, TEST_VIEW = (1, 2), (3,)
FIGURES = ("frames", "edit", "f1_10", "f1_25", "f1_50")
MadeUp = tuple[Path, Path]
"""The store that `anybody` learnt from, and its table of pairs."""
Track = Int64[np.ndarray, " t"]
Rows = Float[np.ndarray, "w d"]


def main(raw: Path, encoder: str, made_up: MadeUp | None, seeds: int) -> dict[str, Any]:
    """What is printed. Raises ValueError for a folder without the data set, or an encoder that may have seen the tested
    people."""
    _check(encoder, made_up)
    clips = read_clips(raw)
    train = list(joined(clips, TRAINING, SEEN_VIEWS, 0))
    trained = load(encoder)
    models = {"trained": trained, "untrained": untrained(encoder, trained, made_up, train)}
    bound = {name: Bound(model, train) for name, model in models.items()}
    by_method: dict[str, list[dict[str, float]]] = {}
    streams = []
    for seed in range(seeds):
        long = list(joined(clips, TESTING, TEST_VIEW, seed))
        streams.append({one.recording.name: [len(one.truth), len(pieces_of(one.truth))] for one in long})
        made: dict[str, list[dict[str, float]]] = {}
        for one in long:
            for method, track in tracks(one, models, bound).items():
                made.setdefault(method, []).append(scores(track, one.truth))
        for method, some in made.items():
            by_method.setdefault(method, []).append(
                {key: statistics.fmean(row[key] for row in some) for key in FIGURES}
            )
    return {
        "benchmark": "segmentation",
        "recipe": trained.card.recipe,
        "epochs": [trained.card.epochs_done, trained.card.epochs],
        "test": {"people": TESTING, "views": TEST_VIEW, "seeds": seeds, "frames and pieces": streams},
        "window_seconds": round(WINDOW, 4),
        "switch": SWITCH,
        "supervised": {name: one.chosen for name, one in bound.items()},
        "mean": {method: summary(some) for method, some in by_method.items()},
    }


def tracks(one: Joined, models: Mapping[str, Model], bound: Mapping[str, "Bound"]) -> dict[str, Track]:
    """What each method makes of a recording, as classes; groups without labels are matched with the classes."""
    count = len(np.unique(one.truth))
    found: dict[str, Track] = {}
    embedded = {name: embed_windows(model, one.recording) for name, model in models.items()}
    for name, windows in embedded.items():
        found[f"groups, {name}"] = _matched(sticky_groups(windows, count), windows, one.truth)
        if name == "trained":
            found["k-means of windows, trained"] = _matched(k_means(windows.rows, count), windows, one.truth)
            found["change points and Ward, trained"] = _matched(change_points(windows, count), windows, one.truth)
        found[f"labels (supervised), {name}"] = bound[name].track(windows, len(one.truth))
    windows = embedded["trained"]
    for stream in ("joint", "bone"):
        rows = raw_windows(models["trained"], one, windows, stream)
        found[f"groups, raw {stream} windows"] = _matched(sticky_groups(windows, count, rows=rows), windows, one.truth)
        found[f"k-means of raw poses, {stream}"] = matched_track(k_means(poses(one, stream), count), one.truth)
    found["equal pieces, true number and labels"] = equal_pieces(one.truth)
    return found


def scores(found: Track, truth: Track) -> dict[str, float]:
    overlaps = {f"f1_{percent}": f1_score(found, truth, percent / 100) for percent in (10, 25, 50)}
    return {"frames": frame_accuracy(found, truth), "edit": edit_score(found, truth), **overlaps}


def sticky_groups(
    windows: Windowed, count: int, *, rows: Rows | None = None, switch: float = SWITCH, centred: bool = True
) -> Int64[np.ndarray, " w"]:
    """What `Model.segment` does."""
    used = windows.rows if rows is None else rows
    change = switch_cost(switch, windows.size, windows.hop)
    states = find_groups([used], count, switch=change, centred=centred).states
    return sticky_path(states.judge(used)[0], change)


def k_means(rows: Rows, count: int) -> Int64[np.ndarray, " w"]:
    from sklearn.cluster import KMeans

    return np.asarray(KMeans(count, n_init=10, random_state=0).fit_predict(rows), dtype=np.int64)


def change_points(windows: Windowed, count: int, per_piece: float = 1.0) -> Int64[np.ndarray, " w"]:
    """Neighbouring windows are merged as Ward's method says until pieces have a mean of so many window lengths; the
    means of the pieces are grouped by the same method."""
    from sklearn.cluster import AgglomerativeClustering
    from sklearn.feature_extraction.image import grid_to_graph

    length = len(windows.rows)
    pieces = min(length, max(count, round(length * windows.hop / (per_piece * windows.size))))
    links = grid_to_graph(length, 1)
    piece = AgglomerativeClustering(pieces, connectivity=links, linkage="ward").fit_predict(windows.rows)
    means = np.stack([windows.rows[piece == number].mean(axis=0) for number in range(pieces)])
    return np.asarray(AgglomerativeClustering(count, linkage="ward").fit_predict(means)[piece], dtype=np.int64)


def equal_pieces(truth: Track) -> Track:
    """As many pieces as there are, of one length, each with the class that most of its frames have."""
    parts = np.array_split(truth, len(pieces_of(truth)))
    return np.concatenate([np.full(len(part), np.bincount(part).argmax()) for part in parts]).astype(np.int64)


def poses(one: Joined, stream: str) -> Rows:
    """Each frame: joints relative to the pelvis, or bones."""
    joints, layout = one.recording.joints[:, 0], one.recording.layout
    assert layout is not None
    if stream == "joint":
        return (joints - joints[:, list(layout.pelvis)].mean(axis=1, keepdims=True)).reshape(len(joints), -1)
    children, parents = (list(ends) for ends in zip(*layout.bones, strict=True))
    return (joints[:, children] - joints[:, parents]).reshape(len(joints), -1)


def raw_windows(model: Model, one: Joined, windows: Windowed, stream: str) -> Rows:
    """The same windows, as the encoders take them, as unit vectors of their coordinates."""

    def features(clips: Any) -> dict[str, np.ndarray]:
        return {stream: raw_coordinates(clips, np.arange(len(clips)), stream)}

    made, _ = per_window(features, one.recording, windows.starts, windows.size, form_of(model), streams=(stream,))
    rows = made[stream].astype(np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def form_of(model: Model) -> ClipForm:
    return ClipForm(frames=model.frames, layout=model.layout, preparation=model.preparation, people=1)


def untrained(encoder: str, trained: Model, made_up: MadeUp | None, train: Sequence[Joined]) -> Model:
    """The same networks with new weights; batch normalisation knows the training windows, or what was made up."""
    if made_up is not None:
        movements, pairs = made_up
        return anybody.untrained(encoder, trained, Store(movements), pairs, seed=0)
    source, form = open_source(encoder), form_of(trained)
    windows = embed_windows(trained, train[0].recording)
    clips, _ = window_clips(train[0].recording, windows.starts, windows.size, form)
    prepared = PreparedClips(clips=clips, layout=form.layout)
    encoders = {stream: source.random_encoder(stream, form.layout, source.seed) for stream in source.streams}
    for stream, one in encoders.items():
        calibrate_batch_norm(one, prepared, np.arange(len(prepared)), stream)
    return Model("untrained", encoders, trained.cards)


@dataclass(frozen=True)
class _Choice:
    strength: float
    switch: float


class Bound:
    """Logistic regression on 128 principal components of the windows of the training people, and the cheapest path;
    the strength of the first and what a change costs are those with the best mean of the figures when each training
    person is left out in turn."""

    def __init__(self, model: Model, train: Sequence[Joined]) -> None:
        windows = [embed_windows(model, one.recording) for one in train]
        labels = [_centres(one.truth, some) for one, some in zip(train, windows, strict=True)]
        people = [one.recording.name.split("-")[0] for one in train]
        results: dict[_Choice, float] = {}
        for strength in (1.0, 10.0, 100.0):
            told = {
                person: self._fit(
                    [some.rows for some, who in zip(windows, people, strict=True) if who != person],
                    [some for some, who in zip(labels, people, strict=True) if who != person],
                    strength,
                )
                for person in sorted(set(people))
            }
            for switch in (0.1, 0.25, 0.5, 1.0):
                made = [
                    statistics.fmean(scores(_decoded(told[who], some, switch, len(one.truth)), one.truth).values())
                    for one, some, who in zip(train, windows, people, strict=True)
                ]
                results[_Choice(strength, switch)] = statistics.fmean(made)
        best = max(results, key=lambda choice: results[choice])
        self.chosen = {"strength": best.strength, "switch": best.switch, "mean of the figures": results[best]}
        self._switch = best.switch
        self._layer = self._fit([some.rows for some in windows], labels, best.strength)

    def track(self, windows: Windowed, frames: int) -> Track:
        return _decoded(self._layer, windows, self._switch, frames)

    @staticmethod
    def _fit(rows: Sequence[Rows], labels: Sequence[Track], strength: float) -> Any:
        from sklearn.decomposition import PCA
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        layer = make_pipeline(PCA(128, random_state=0), LogisticRegression(C=strength, max_iter=300))
        return layer.fit(np.concatenate(rows), np.concatenate(labels))


def choose(raw: Path, encoder: str) -> dict[str, Any]:
    """Means over the long recordings of the training people, of one order of their clips."""
    clips = read_clips(raw)
    train, model = list(joined(clips, TRAINING, SEEN_VIEWS, 0)), load(encoder)
    ways: dict[str, Callable[[Windowed, int], Int64[np.ndarray, " w"]]] = {
        "k-means": lambda windows, count: k_means(windows.rows, count),
        "change points and Ward, pieces of 1 window": change_points,
        "change points and Ward, pieces of 1.5": lambda windows, count: change_points(windows, count, 1.5),
        "sticky 0.125": lambda windows, count: sticky_groups(windows, count, switch=0.125),
        "sticky 0.25": lambda windows, count: sticky_groups(windows, count, switch=0.25),
        "sticky 0.25, not centred": lambda windows, count: sticky_groups(windows, count, centred=False),
        "sticky 0.375": lambda windows, count: sticky_groups(windows, count, switch=0.375),
        "sticky 0.5": lambda windows, count: sticky_groups(windows, count, switch=0.5),
    }
    made: dict[str, dict[str, float]] = {}
    for frames in (24, 32, 40):
        windows = [embed_windows(model, one.recording, window=frames / 30) for one in train]
        for name, way in ways.items():
            some = [
                scores(_matched(way(mine, len(np.unique(one.truth))), mine, one.truth), one.truth)
                for one, mine in zip(train, windows, strict=True)
            ]
            made[f"{frames} frames, {name}"] = {
                key: round(statistics.fmean(row[key] for row in some), 1) for key in FIGURES
            }
    chosen = {}
    for classes in (2, 3, 5, 7, 10):
        long = list(joined(clips, TRAINING, SEEN_VIEWS, classes, classes=classes))
        counts = [
            len(find_groups([embed_windows(model, one.recording).rows], None, switch=2.0, centred=True).states.numbers)
            for one in long
        ]
        chosen[f"{classes} classes"] = counts
    return {"training people": made, "number of groups chosen": chosen}


def _matched(path: Int64[np.ndarray, " w"], windows: Windowed, truth: Track) -> Track:
    return matched_track(path[windows_of_frames(windows.starts, windows.size, len(truth))], truth)


def _decoded(layer: Any, windows: Windowed, switch: float, frames: int) -> Track:
    costs = -np.log(np.maximum(layer.predict_proba(windows.rows), 1e-6))
    path = sticky_path(costs, switch_cost(switch, windows.size, windows.hop))
    return np.asarray(layer.classes_)[path][windows_of_frames(windows.starts, windows.size, frames)].astype(np.int64)


def _centres(truth: Track, windows: Windowed) -> Int64[np.ndarray, " w"]:
    return truth[windows.starts + windows.size // 2]


def summary(by_seed: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """Mean and sample deviation over the seeds."""
    return {
        key: [
            round(statistics.fmean(row[key] for row in by_seed), 1),
            round(statistics.stdev(row[key] for row in by_seed), 1) if len(by_seed) > 1 else 0.0,
        ]
        for key in FIGURES
    }


def _check(encoder: str, made_up: MadeUp | None) -> None:
    source = open_source(encoder)
    if made_up is not None:
        if source.of_run().store_fingerprint != Store(made_up[0]).fingerprint:
            raise ValueError(f"{encoder} did not learn from {made_up[0]}: give the store that it did learn from")
    elif (source.dataset, source.split) != ("nw-ucla", "xsub-tune"):
        raise ValueError(
            f"{encoder} learnt from {source.dataset or 'another data set'} {source.split}: pre-train on nw-ucla with "
            "--set split=xsub-tune, or the test people are not new to it; of `anybody` give --made-up STORE PAIRS"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.segmentation")
    parser.add_argument("raw", type=Path)
    parser.add_argument("encoder")
    parser.add_argument("--made-up", type=Path, nargs=2, metavar=("STORE", "PAIRS"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--choose", action="store_true")
    words = parser.parse_args()
    torch.set_num_threads(1)
    made_up = None if words.made_up is None else (words.made_up[0], words.made_up[1])
    try:
        if words.choose:
            report = choose(words.raw, words.encoder)
        else:
            report = main(words.raw, words.encoder, made_up, words.seeds)
    except ValueError as error:
        sys.exit(f"benchmarks.segmentation: {error}")
    print(json.dumps(report, indent=1))
