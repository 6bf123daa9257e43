"""Puts a finished run into the package as the encoder `anybody`: `python -m benchmarks.ship RUN`.

Weights, their cards, the whitening and the configuration are taken; not the list of recordings, the log and the paths
of the machine that it was made on. Two people are taken, though it learnt from one at a time.
"""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from kinestream.evaluate.source import open_source
from kinestream.features.whitening_file import FILE, load_whitening
from kinestream.models.encoder_file import save_encoder
from kinestream.shipped import DEFAULT
from kinestream.train.run_folder import GivenPairs, Run

PACKAGE = Path(__file__).parents[1] / "src" / "kinestream" / "shipped"
MOST_BYTES = 20_000_000
BODIES = 2


def main(folder: Path) -> dict[str, object]:
    """What is printed. Raises ValueError for a run that is not finished, or too large."""
    source, run = open_source(folder), Run(folder)
    config, encoders = run.config(), source.encoders()
    partly = config.recipe.augment.limb_mask > 0
    cards = {stream: replace(card, partly=partly, bodies=BODIES) for stream, (_, card) in encoders.items()}
    if any(card.epochs_done < card.epochs for card in cards.values()):
        raise ValueError(f"{folder} is not finished")
    first = next(iter(cards.values()))
    if load_whitening(folder, {stream: one for stream, (one, _) in encoders.items()}, first.readout) is None:
        raise ValueError(f"{folder} keeps no whitening: go on with it until it ends")
    out = PACKAGE / DEFAULT
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    made = Run(out)
    for stream, (encoder, _) in encoders.items():
        save_encoder(made.encoder(stream), encoder, cards[stream])
    shutil.copyfile(folder / FILE, out / FILE)
    pairs = None if config.pairs is None else GivenPairs(file="raw/pairs.csv", sha256=config.pairs.sha256)
    made.write_config(replace(config, data="store", pairs=pairs))
    size = sum(path.stat().st_size for path in out.iterdir())
    if size > MOST_BYTES:
        raise ValueError(f"{out} has {size:,} bytes, more than {MOST_BYTES:,}")
    return {"encoder": DEFAULT, "files": len(list(out.iterdir())), "bytes": size}


if __name__ == "__main__":
    try:
        print(json.dumps(main(Path(sys.argv[1]))))
    except ValueError as error:
        sys.exit(f"benchmarks.ship: {error}")
