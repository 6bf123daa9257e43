"""By what features are whitened, and what several cameras bring: `python -m benchmarks.whitening STORE OUT [ROW ...]`.

Recipe `laptop-nw-ucla` with views of another camera as often as each row says, learnt from half the subjects by two
cameras and judged by the other half (`xsub-tune`: neither a judging subject nor the test view is looked at), with thin
encoders and fewer epochs than the recipe has. Each is read with features whitened by all clips, by the differences
between neighbours, and by those between cameras. Runs lie in `OUT/<row>/seed-<n>`; what is there is not trained again,
so rows may be given to several processes (those whose pairs another row finds after that one), and a last call without
rows writes `OUT/whitening.json` of all.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.ablation import SEEDS, answer, measure
from kinestream.evaluate.linear import ProbeSettings

SMALLER = ("split=xsub-tune", "encoder.hidden=64", "epochs=40", "monitor.knn_every=0")
ROWS: Mapping[str, Sequence[str]] = {
    "one camera a clip": (),
    "another camera for half the clips": ("other_camera=0.5",),
    "another camera for all clips": ("other_camera=1",),
    "another camera for half the clips, found by features": ("other_camera=0.5",),
}
PAIRED_BY = {"another camera for half the clips, found by features": "one camera a clip"}
"""Where the store does not tell which recordings show the same, the row whose features do."""
READOUTS: Mapping[str, tuple[Mapping[str, Any], ProbeSettings]] = {
    "not whitened, rate 0.3": ({"whitening": 0.0}, ProbeSettings(rate=0.3)),
    **{
        f"whitened by clips to the power 0.5, rate {rate:g}": (
            {"whitening": 0.5, "whitened_by": "clips"},
            ProbeSettings(rate=rate),
        )
        for rate in (0.05, 0.3, 3.0)
    },
    **{
        f"whitened by {by}, rate {rate:g}": ({"whitening": 1.0, "whitened_by": by}, ProbeSettings(rate=rate))
        for by in ("neighbours", "cameras")
        for rate in (0.05, 0.3, 3.0)
    },
}


def main(store: Path, out: Path, rows: Sequence[str] = ()) -> dict[str, Any]:
    """Trains what is missing and evaluates."""
    return {
        "smaller": SMALLER,
        "seeds": SEEDS,
        "rows": {
            row: measure(row, SMALLER, ROWS[row], READOUTS, store, out, paired_by=PAIRED_BY.get(row))
            for row in rows or ROWS
        },
    }


if __name__ == "__main__":
    answer(main, ROWS, "whitening.json")
