"""What each part of recipe `laptop-nw-ucla` brings: `python -m benchmarks.ablation STORE OUT [ROW ...]`.

Every row is the recipe with one thing changed, trained on view 1 and judged on view 2 (`xview-tune`: the test view is
not looked at), with thin encoders and fewer epochs than the recipe has, so that all fit into an hour or two on two
cores. Runs lie in `OUT/<row>/seed-<n>`; what is there is not trained again, so rows may be given to several processes,
and a last call without rows writes `OUT/ablation.json` of all.
"""

import dataclasses
import json
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kinestream.commands.pair import pairs_between
from kinestream.console import Screen
from kinestream.evaluate.linear import ProbeSettings
from kinestream.evaluate.protocols.knn import count_neighbours
from kinestream.evaluate.protocols.linear import train_probe
from kinestream.evaluate.protocols.outcome import Outcome
from kinestream.evaluate.protocols.subject import Subject
from kinestream.files import write_json
from kinestream.recipes import resolve
from kinestream.train.pretrain import pretrain

RECIPE = "laptop-nw-ucla"
SMALLER = ("split=xview-tune", "encoder.hidden=64", "epochs=30", "monitor.knn_every=0")
SEEDS = (0, 1)
PROBE = ProbeSettings(rate=0.3)
"""The rate was chosen between the training views; the published one of 3 is for the logits of a single stream."""
ST_GCN = (
    "encoder.name=st-gcn",
    "encoder.dropout=0",
    "encoder.absent=skip",
    "encoder.initialisation=torch",
    "encoder.pool=2",
)
"""Settings of the ST-GCNs that stand beside the recurrent encoders, but for their size."""
COORDINATES = ("joint", "motion", "bone", "bone-motion")
"""Streams that depend on where the camera stands; an ST-GCN can take them."""


def streams(*names: str) -> str:
    """The setting of a recipe that chooses these."""
    return f"streams=[{','.join(names)}]"


def _without(*left_out: str) -> str:
    """The streams of the recipe but these."""
    return streams(*(stream for stream in resolve(RECIPE).streams if stream not in left_out))


ROWS: Mapping[str, Sequence[str]] = {
    "the recipe": (),
    "streams of coordinates alone": (streams(*COORDINATES),),
    "streams of coordinates, distance and distance-motion": (streams(*COORDINATES, "distance", "distance-motion"),),
    "no bone and bone-motion streams": (_without("bone", "bone-motion"),),
    "no distance and distance-motion streams": (_without("distance", "distance-motion"),),
    "no lagged-distance stream": (_without("lagged-distance"),),
    "no displacement stream": (_without("displacement"),),
    "no cylindrical-motion stream": (_without("cylindrical-motion"),),
    "streams that meet each other": ("method.across=1",),
    "ST-GCN encoders, streams of coordinates": (
        streams(*COORDINATES),
        *ST_GCN,
        "encoder.hidden=8",
        "encoder.dim=64",
    ),
    "one layer": ("encoder.layers=1",),
    "convolutions before the first layer": ("encoder.convolutions=1",),
    "clips of 24 frames, not 48 in pairs": ("frames=24", "encoder.pool=1"),
    "no crop": ("augment.resized_crop=null",),
    "rotation of 30 degrees": ("augment.rotation=[0,30,0]",),
    "no mirror image": ("augment.mirror=0",),
    "no shear": ("augment.shear=0",),
    "no hidden joints": ("augment.joint_mask=0",),
    "no noise": ("augment.noise=0",),
}
READ_IN_EVERY_WAY = ("the recipe", "ST-GCN encoders, streams of coordinates")
READOUTS: Mapping[str, Mapping[str, Any]] = {
    "whitened by neighbours": {"whitening": 1.0, "whitened_by": "neighbours"},
    "whitened by clips": {"whitening": 0.5, "whitened_by": "clips"},
    "not whitened": {"whitening": 0.0},
    "once, not whitened": {"stretches": 0, "turns": 1, "whitening": 0.0},
}
"""What is asked of the readout of every row."""
FURTHER_READOUTS: Mapping[str, Mapping[str, Any]] = {
    "once, whitened by neighbours": {"stretches": 0, "turns": 1, "whitening": 1.0, "whitened_by": "neighbours"},
    "wholly whitened by clips": {"whitening": 1.0, "whitened_by": "clips"},
    "in three stretches, not whitened": {"stretches": 3, "turns": 1, "whitening": 0.0},
    "in three stretches and turns, not whitened": {"stretches": 3, "turns": 3, "whitening": 0.0},
}
"""And of the rows `READ_IN_EVERY_WAY`. In stretches features are four times as long, too long to whiten by so few
clips."""


def main(store: Path, out: Path, rows: Sequence[str] = ()) -> dict[str, Any]:
    """Trains what is missing and evaluates."""
    return {
        "recipe": RECIPE,
        "smaller": SMALLER,
        "seeds": SEEDS,
        "rows": {row: _row(row, store, out) for row in rows or ROWS},
    }


def _row(row: str, store: Path, out: Path) -> dict[str, Any]:
    readouts = {**READOUTS, **(FURTHER_READOUTS if row in READ_IN_EVERY_WAY else {})}
    asked = {readout: (settings, PROBE) for readout, settings in readouts.items()}
    return measure(row, SMALLER, ROWS[row], asked, store, out)


def measure(
    row: str,
    smaller: Sequence[str],
    changed: Sequence[str],
    readouts: Mapping[str, tuple[Mapping[str, Any], ProbeSettings]],
    store: Path,
    out: Path,
    *,
    paired_by: str | None = None,
) -> dict[str, Any]:
    """The recipe `smaller` and `changed`, trained with each seed where it is not yet, and its figures by readout: what
    that is asked for, and the linear layers on it. Views of other cameras are told by the features of the row
    `paired_by`, which changes nothing, or by the store if None."""
    found: dict[str, list[dict[str, float]]] = {readout: [] for readout in readouts}
    for seed in SEEDS:
        run, pairs = _run(row, seed, out), None
        if paired_by is not None:
            first = _run(paired_by, seed, out)
            _train(first, smaller, seed, store)
            pairs = pairs_between(first, run, store, "cpu")
        _train(run, [*smaller, *changed], seed, store, pairs)
        for readout, (asked, probe) in readouts.items():
            subject = Subject(run, store, None, "cpu", references=False, **asked)
            nearest = count_neighbours(subject, k=20, temperature=0.1)
            probes = train_probe(subject, probe)
            found[readout].append(_top1("1-NN", nearest) | _top1("linear", probes))
    means = {
        readout: {figure: _spread([one[figure] for one in each]) for figure in each[0]}
        for readout, each in found.items()
    }
    return {"changed": changed, **({"paired_by": paired_by} if paired_by else {}), "read": means}


def _train(run: Path, settings: Sequence[str], seed: int, store: Path, pairs: Path | None = None) -> None:
    recipe = dataclasses.replace(resolve(RECIPE, settings), seed=seed)
    pretrain(recipe, RECIPE, store, run, pairs=pairs, resume=True, device="cpu", precision="32-true", screen=Screen())


def _run(row: str, seed: int, out: Path) -> Path:
    return out / row.replace(" ", "-").replace(",", "") / f"seed-{seed}"


def _top1(protocol: str, outcomes: Sequence[Outcome]) -> dict[str, float]:
    names = [one.streams[0] if one.how == "alone" else one.how for one in outcomes]
    return {f"{protocol}, {name}": one.accuracy.top1 for name, one in zip(names, outcomes, strict=True)}


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"mean": statistics.fmean(values), "deviation": statistics.stdev(values)}


def answer(report: Callable[[Path, Path, Sequence[str]], dict[str, Any]], rows: Mapping[str, Any], file: str) -> None:
    """What the words of the command line ask `report` for; of all `rows` it is written to OUT/`file`."""
    if len(sys.argv) < 3:
        sys.exit(f"usage: python -m benchmarks.{Path(sys.argv[0]).stem} STORE OUT [ROW ...]; rows: {'; '.join(rows)}")
    store, out, *asked = sys.argv[1:]
    if unknown := [row for row in asked if row not in rows]:
        sys.exit(f"no row '{unknown[0]}': there are {', '.join(rows)}")
    try:
        made = report(Path(store), Path(out), asked)
    except ValueError as error:
        sys.exit(str(error))
    if not asked:
        write_json(Path(out) / file, made)
    print(json.dumps(made, indent=1))


if __name__ == "__main__":
    answer(main, ROWS, "ablation.json")
