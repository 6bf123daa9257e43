"""What an encoder is worth on real recordings that it has never seen: `python -m benchmarks.anybody ENCODER MOVEMENTS
PAIRS NW_UCLA UI_PRMD [--seeds N]`.

ENCODER is `anybody` or a run like it, MOVEMENTS the store that it learnt from and PAIRS its table of pairs, NW_UCLA a
store of that data set, UI_PRMD the file `ui_prmd_kinect.npz`. Beside it stand the same networks with new weights (mean
of N seeds), normalised and whitened by the same made-up movements, and the best raw stream.

NW-UCLA, split xview: the nearest neighbour in views 1 and 2 of each clip of view 3, the linear probe as evaluations
have it (a layer on the unit features of each stream, logits summed; rate 0.3), and few labels of each class. UI-PRMD:
ten movements by ten people, right and wrong: nearest neighbours among other people; few labels of each movement of
eight people, tested on two. Last, what becomes of the nearest neighbour when a recording comes in another form.
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
from jaxtyping import Bool, Float32, Int64

from benchmarks.few_labels import EACH, FOLDS
from kinestream.data.check import copies
from kinestream.data.clips import FixedClips, clips_as
from kinestream.data.held import clip_of
from kinestream.data.partners import parse_pairs
from kinestream.data.preparation import preparation_of, resize
from kinestream.data.reading import read
from kinestream.data.recording import Recording
from kinestream.data.store import Store
from kinestream.evaluate.linear_probe import linear_probe
from kinestream.evaluate.source import open_source
from kinestream.features.extract import calibrate_batch_norm, compute_features, raw_coordinates
from kinestream.features.whitening import fit_streams
from kinestream.features.windows import PreparedClips
from kinestream.skeleton.joint_maps import joint_map
from kinestream.skeleton.layout import SkeletonLayout, load_layout
from kinestream.use.folds import PEOPLE, Together, folds_of
from kinestream.use.label_report import drawn_of_each
from kinestream.use.logistic import USUAL, fit_logistic
from kinestream.use.model import Model, load

RATE = 0.3
DRAWS = 10
CALIBRATED_ON = 4000
"""Made-up recordings that the untrained networks are normalised and whitened by."""

Rows = Float32[np.ndarray, "n d"]
Numbers = Int64[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Set:
    """Clips of real recordings; `test` and `train` are places, the same for all where people are left out in turn."""

    clips: FixedClips
    classes: Numbers
    people: Numbers
    train: Numbers
    test: Numbers
    copies: Bool[np.ndarray, " q"]
    """Test clips that are a training clip."""

    @property
    def leaves_people_out(self) -> bool:
        return len(self.train) == len(self.classes)


def main(encoder: str, movements: Path, pairs: Path, ucla: Path, prmd: Path, seeds: int) -> dict[str, Any]:
    """What is printed."""
    trained, store = load(encoder), Store(ucla)
    twins = [untrained(encoder, trained, Store(movements), pairs, seed) for seed in range(seeds)]
    sets = {"NW-UCLA xview": nw_ucla(trained, store), "UI-PRMD, other people": rehabilitation(trained, prmd)}
    return {
        "benchmark": "anybody",
        "encoder": trained.fingerprint,
        "embedding": trained.dim,
        "untrained seeds": seeds,
        **{name: judged(one, trained, twins) for name, one in sets.items()},
        "nearest neighbour in another form, NW-UCLA": forms(trained, store),
    }


def judged(one: Set, trained: Model, twins: Sequence[Model]) -> dict[str, Any]:
    """Figures in percent, by who made the features."""
    streams = len(trained.streams)
    found: dict[str, Any] = {"trained": figures(trained.vectors(one.clips), one, streams)}
    every = [figures(twin.vectors(one.clips), one, streams) for twin in twins]
    found["untrained"] = {
        what: [round(float(np.mean([f[what] for f in every])), 1), round(float(np.std([f[what] for f in every])), 1)]
        for what in every[0]
    }
    raw = {
        f"raw {s}": figures(raw_coordinates(one.clips, np.arange(len(one.clips)), s), one)
        for s in ("joint", *trained.streams)
    }
    return found | {"raw": raw}


def figures(rows: Rows, one: Set, streams: int = 0) -> dict[str, float]:
    """With the number of streams whose unit features the rows hold side by side a linear probe is among them."""
    units = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    hits = one.classes[nearest(units, one)] == one.classes[one.test]
    made = {"1-NN": hits.mean()}
    if one.copies.any():
        made["1-NN, without copies"] = hits[~one.copies].mean()
    if streams and not one.leaves_people_out:
        right = linear(np.split(rows * streams**0.5, streams, axis=1), one)
        made |= {"linear": right.mean(), "linear, without copies": right[~one.copies].mean()}
    made |= {f"{each} labels": few(rows, one, each) for each in EACH}
    return {what: round(100 * float(value), 1) for what, value in made.items()}


def nearest(units: Rows, one: Set) -> Numbers:
    """For each test clip the place of the nearest training clip, of another person where people are left out."""
    similarity = units[one.test] @ units[one.train].T
    if one.leaves_people_out:
        similarity[one.people[one.test][:, None] == one.people[one.train]] = -2
    return one.train[similarity.argmax(axis=1)]


def linear(rows: Sequence[Rows], one: Set) -> Bool[np.ndarray, " q"]:
    """From the unit features of each stream."""
    train, test = (
        {str(number): torch.from_numpy(some[part]) for number, some in enumerate(rows)}
        for part in (one.train, one.test)
    )
    labels = torch.from_numpy(one.classes)
    count = int(one.classes.max()) + 1
    found = linear_probe(
        train,
        labels[one.train],
        test,
        labels[one.test],
        classes=count,
        learning_rate=RATE,
    )
    right: Bool[np.ndarray, " q"] = (found.scores.argmax(dim=1) == labels[one.test]).numpy()
    return right


def few(rows: Rows, one: Set, each: int) -> float:
    """Mean over draws of so many labels of each class."""
    if one.leaves_people_out:
        folds = folds_of(one.classes, Together(what=PEOPLE, groups=one.people), FOLDS, 0)
        parts = [(np.setdiff1d(np.arange(len(rows)), test), test) for test in folds]
    else:
        parts = [(one.train, one.test)]
    told = []
    for draw in range(DRAWS):
        for number, (train, test) in enumerate(parts):
            some = drawn_of_each(one.classes, train, each, seed=(draw, number))
            layer = fit_logistic(rows[some], one.classes[some], int(one.classes.max()) + 1, [USUAL])[0]
            told.append((layer.logits(rows[test]).argmax(axis=1) == one.classes[test]).mean())
    return float(np.mean(told))


# --- the same recordings in another form ------------------------------------------------------------------------------


def forms(trained: Model, store: Store) -> dict[str, dict[str, float]]:
    """For clips of view 3, each in another form than the clips of other people in views 1 and 2 among which the nearest
    is looked for: how often it is the same recording as before, how often that is among the first three, how often it
    is one of the same class, and how often it was of the right class before and is now, in percent."""
    recordings = list(store.recordings())
    long = store.table.length > 1  # what is hidden in a single frame is nowhere
    train, test = (some[long[some]] for some in (np.asarray(store.select("xview", part)) for part in ("train", "test")))
    labels, people = np.asarray(store.labels), np.asarray(store.table.subject)
    plain = trained.embed(recordings)
    same = people[test][:, None] == people[train]

    def find(rows: Rows) -> Int64[np.ndarray, "q 3"]:
        similarity = rows @ plain[train].T
        similarity[same] = -2
        return train[np.argsort(-similarity, axis=1, kind="stable")[:, :3]]

    before, made = find(plain[test])[:, 0], {}
    for name, change in _FORMS.items():
        three = find(trained.embed([change(recordings[place]) for place in test.tolist()]))
        after = three[:, 0]
        right = [labels[found] == labels[test] for found in (before, after)]
        among = (three == before[:, None]).any(axis=1)
        shares = (before == after, among, labels[before] == labels[after], *right)
        words = ("same recording", "among the first three", "same class", "right class before", "right class after")
        made[name] = {word: round(100 * float(share.mean()), 1) for word, share in zip(words, shares, strict=True)}
    return made


def _as(layout: str) -> Callable[[Recording], Recording]:
    target = load_layout(layout)

    def change(one: Recording) -> Recording:
        made = joint_map(_layout(one), target)
        return _replaced(one, made(one.joints.astype(np.float32)), layout=target)

    return change


_LIMBS = tuple(
    f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in ("left", "right")
)
_PICTURE = SkeletonLayout(
    name="limbs and nose",
    joints=("nose", *_LIMBS),
    parents=(0, 0, 0, 1, 2, 3, 4, 1, 2, 7, 8, 9, 10),
    pairs=tuple((left, left + 1) for left in range(1, 13, 2)),
    heading=(1, 2),
    pelvis=(7, 8),
)
"""What pose estimators have in common: no trunk but hips and shoulders."""


def _as_in_pictures(one: Recording) -> Recording:
    places = [_layout(one).joints.index(name) for name in ("head", *_LIMBS)]
    return _replaced(one, one.joints[:, :, places], layout=_PICTURE)


def _at_rate(share: float) -> Callable[[Recording], Recording]:
    def change(one: Recording) -> Recording:
        frames = max(2, round(share * len(one)))
        rate = None if one.fps is None else one.fps * share
        return _replaced(one, resize(one.joints, frames), fps=rate)

    return change


def _scaled(factor: float) -> Callable[[Recording], Recording]:
    return lambda one: _replaced(one, factor * one.joints)


def _mirrored(one: Recording) -> Recording:
    swapped = one.joints[:, :, list(_layout(one).mirrored)].copy()
    swapped[..., 0] *= -1
    return _replaced(one, swapped)


def _turned(one: Recording) -> Recording:
    x, y, z = one.joints[..., 0], one.joints[..., 1], one.joints[..., 2]
    return _replaced(one, np.stack((z, y, -x), axis=-1))


def _without_legs(one: Recording) -> Recording:
    joints = one.joints.copy()
    legs = [v for v, name in enumerate(_layout(one).joints) if name.endswith(("knee", "ankle", "foot"))]
    joints[:, :, legs] = np.nan
    return _replaced(one, joints)


def _in_a_picture(one: Recording) -> Recording:
    flat = one.joints.copy()
    flat[..., 2] = 0
    return _replaced(one, flat)


def _layout(one: Recording) -> SkeletonLayout:
    assert one.layout is not None
    return one.layout


def _replaced(one: Recording, joints: np.ndarray, **changed: Any) -> Recording:
    kept = {"layout": one.layout, "fps": one.fps, "name": one.name} | changed
    return Recording(joints=joints, **kept)


_FORMS: Mapping[str, Callable[[Recording], Recording]] = {
    "body16": _as("body16"),
    "limbs and nose": _as_in_pictures,
    "ntu25": _as("ntu25"),
    "half the rate": _at_rate(0.5),
    "twice the rate": _at_rate(2.0),
    "centimetres": _scaled(100.0),
    "seen from the side": _turned,
    "mirrored": _mirrored,
    "knees and feet not seen": _without_legs,
    "two coordinates, from the front": _in_a_picture,
    "two coordinates, from the side": lambda one: _in_a_picture(_turned(one)),
}


# --- data -------------------------------------------------------------------------------------------------------------


def nw_ucla(trained: Model, store: Store) -> Set:
    train, test = (np.asarray(store.select("xview", part), dtype=np.int64) for part in ("train", "test"))
    return Set(
        clips=clips_as(store, trained.frames, trained.layout, trained.card.seconds, trained.preparation),
        classes=np.asarray(store.labels, dtype=np.int64),
        people=np.asarray(store.table.subject, dtype=np.int64),
        train=train,
        test=test,
        copies=copies(store, test, train),
    )


def rehabilitation(trained: Model, file: Path) -> Set:
    moves = read(file, layout="uiprmd22", variable="joints_mm", fps=30)
    with np.load(file) as arrays:
        codes, people = arrays["movement"].astype(np.int64), arrays["subject"].astype(np.int64)
    way = preparation_of(trained.preparation)
    made = [clip_of(one, trained.frames, trained.layout, way, trained.bodies) for one in moves]
    every = np.arange(len(made))
    return Set(
        clips=PreparedClips(clips=np.stack(made), layout=trained.layout),
        classes=np.unique(codes, return_inverse=True)[1].astype(np.int64),
        people=people,
        train=every,
        test=every,
        copies=np.zeros(len(made), dtype=np.bool_),
    )


def untrained(encoder: str, trained: Model, movements: Store, pairs: Path, seed: int) -> Model:
    """The same networks with new weights, read the same way: normalised and whitened by made-up movements."""
    source, readout = open_source(encoder), trained.card.readout
    clips = clips_as(movements, trained.frames, trained.layout, trained.card.seconds, trained.preparation)
    some = np.arange(min(CALIBRATED_ON, len(movements)))
    encoders = {stream: source.random_encoder(stream, trained.layout, seed) for stream in source.streams}
    for stream, one in encoders.items():
        calibrate_batch_norm(one, clips, some, stream)
    partners = parse_pairs(pairs.read_bytes(), str(pairs), [(movements, np.arange(len(movements)))], None)
    partners = partners[(partners < len(some)).all(axis=1)]
    held = PreparedClips(clips=clips.batch(some), layout=trained.layout)
    values = compute_features(encoders, held, readout=readout)
    rows = {stream: torch.from_numpy(found) for stream, found in values.items()}
    whitening = fit_streams(rows, readout.whitening, readout.whitened_by, partners=torch.from_numpy(partners))
    return Model("untrained", encoders, trained.cards, whitening=whitening)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.anybody")
    parser.add_argument("encoder")
    for argument in ("movements", "pairs", "nw_ucla", "ui_prmd"):
        parser.add_argument(argument, type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    words = parser.parse_args()
    torch.set_num_threads(1)
    try:
        report = main(words.encoder, words.movements, words.pairs, words.nw_ucla, words.ui_prmd, words.seeds)
    except ValueError as error:
        sys.exit(f"benchmarks.anybody: {error}")
    print(json.dumps(report, indent=1))
