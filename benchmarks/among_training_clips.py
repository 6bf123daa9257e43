"""Finished runs judged without a test clip: `python -m benchmarks.among_training_clips STORE RUN [RUN ...]`.

Training clips of a run stand on both sides: those of one camera against those of the others, by the same and by other
persons (of odd number against even), and half the persons against the other half by all cameras. Prints accuracy in
percent by 1-NN, by one linear layer at a rate of 0.3 and by fused scores of one layer a stream, streams together, each
the mean over both or all directions, features whitened by all clips and by neighbours. The encoders have seen all of
these clips, without a label, and those that learnt from pairs know which of two cameras are alike: no accuracy on new
recordings is told, only what a run does to the clips that it learnt from.
"""

import json
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from torch import Tensor

from kinestream.evaluate.linear import ProbeSettings, linear_probe
from kinestream.evaluate.protocols.subject import Subject
from kinestream.features.neighbours import knn_ranking
from kinestream.features.together import fuse_scores, side_by_side
from kinestream.features.whitening import mutual_neighbours, whiten_streams

Clips = Bool[np.ndarray, " n"]
Features = Mapping[str, Tensor]
PROBE = ProbeSettings(rate=0.3)


def main(store: Path, runs: Sequence[Path]) -> dict[str, Any]:
    """What is printed.

    Raises ValueError where run and store do not go together, or the training clips are of one camera or person.
    """
    return {str(run): _judge(Subject(run, store, None, "cpu", references=False, judged=False)) for run in runs}


def _judge(subject: Subject) -> dict[str, dict[str, dict[str, float]]]:
    features, table = subject.training_features(), subject.store.table
    cameras, odd = table.camera[subject.train], table.subject[subject.train] % 2 == 1
    sides = dict(_sides(cameras, odd))
    found: dict[str, dict[str, dict[str, float]]] = {}
    for by in ("clips", "neighbours"):
        for name, pairs in sides.items():
            reached = [_reached(features, subject.train_labels, subject.classes, by, *pair) for pair in pairs]
            means = {figure: round(statistics.fmean(one[figure] for one in reached), 1) for figure in reached[0]}
            found.setdefault(f"whitened by {by}", {})[name] = means
    return found


def _sides(cameras: Int[np.ndarray, " n"], odd: Clips) -> Iterator[tuple[str, list[tuple[Clips, Clips]]]]:
    """What stands against what: names of comparisons, and for each the training and the judging clips."""
    each = [cameras == camera for camera in np.unique(cameras)]
    halves = [odd, ~odd]
    if len(each) < 2 or not (odd.any() and (~odd).any()):
        raise ValueError("training clips of several cameras, and of persons of odd and of even number, are needed")
    yield "another camera, the same persons", [(camera, ~camera) for camera in each]
    yield "another camera, other persons", [(camera & half, ~camera & ~half) for camera in each for half in halves]
    yield "all cameras, other persons", [(half, ~half & camera) for half in halves for camera in each]


def _reached(
    features: Features, labels: Int[Tensor, " n"], classes: int, by: str, train: Clips, test: Clips
) -> dict[str, float]:
    known, asked = ({stream: rows[part] for stream, rows in features.items()} for part in (train, test))
    power, pairs = (0.5, None) if by == "clips" else (1.0, mutual_neighbours(known))
    known, asked = whiten_streams(known, asked, power, pairs=pairs)
    right, wanted = labels[train], labels[test]

    def share(guesses: Int[Tensor, " q"]) -> float:
        return 100 * float((guesses == wanted).double().mean())

    def probe(streams: Sequence[str]) -> Tensor:
        first = {stream: known[stream] for stream in streams}
        second = {stream: asked[stream] for stream in streams}
        return linear_probe(first, right, second, wanted, classes=classes, settings=PROBE).scores

    nearest = knn_ranking(side_by_side(known), right, side_by_side(asked), classes=classes, k=1)[:, 0]
    fused = fuse_scores({stream: probe([stream]) for stream in known})
    return {"1-NN": share(nearest), "linear": share(probe(list(known)).argmax(1)), "fused": share(fused.argmax(1))}


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python -m benchmarks.among_training_clips STORE RUN [RUN ...]")
    try:
        print(json.dumps(main(Path(sys.argv[1]), [Path(run) for run in sys.argv[2:]]), indent=1))
    except ValueError as error:
        sys.exit(str(error))
