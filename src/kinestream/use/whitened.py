"""The whitening that an encoder's card asks for: kept in its run, else made of the clips that it learnt from."""

from collections.abc import Mapping
from pathlib import Path

import torch

from kinestream.data.clips import clips_as
from kinestream.data.store import Store
from kinestream.evaluate.source import Source
from kinestream.features.whitening import Whitening
from kinestream.features.whitening_file import load_whitening, make_whitening
from kinestream.models.encoder import Encoder
from kinestream.models.encoder_file import EncoderCard
from kinestream.progress import Progress, silent
from kinestream.train.run_folder import Run, RunConfig


def whitening_of(
    source: Source,
    encoders: Mapping[str, Encoder],
    card: EncoderCard,
    *,
    device: torch.device | None = None,
    progress: Progress = silent,
) -> dict[str, Whitening]:
    """By stream; none where features are read as they are. What had to be made is kept in the run, where that can be
    written.

    Raises ValueError where the run keeps none and the store that it learnt from is not there, or has changed.
    """
    if not card.readout.whitening:
        return {}
    folder = source.kept
    found = load_whitening(folder, encoders, card.readout)
    return _made(source, encoders, card, device, progress) if found is None else found


def _made(
    source: Source,
    encoders: Mapping[str, Encoder],
    card: EncoderCard,
    device: torch.device | None,
    progress: Progress,
) -> dict[str, Whitening]:
    config = source.config or _beside(source.path)
    if config is None:
        raise ValueError(
            f"{source.path} is read whitened ({card.readout}), and no whitening lies beside it "
            f"({source.kept}): copy its folder along, load it from its run, or ks.load(..., whitened=False)"
        )
    remedy = "embed once where its store is, or ks.load(..., whitened=False) to leave features as they are"
    try:
        store = Store(Path(config.data))
    except ValueError:
        raise ValueError(
            f"{source.path} is read whitened by its training clips, and their store {config.data} is not there: "
            f"{remedy}"
        ) from None
    if store.fingerprint != config.store_fingerprint:
        raise ValueError(
            f"{source.path} is read whitened by its training clips, and {config.data} has other recordings since: "
            f"{remedy}"
        )
    return make_whitening(
        source.kept,
        encoders,
        clips_as(store, card.frames, card.layout, card.seconds, card.preparation),
        store.select(config.recipe.split, "train"),
        card.readout,
        device=device,
        progress=progress,
    )


def _beside(encoder: Path) -> RunConfig | None:
    """What the run of an encoder file says, where it lies in one."""
    run = Run(encoder.parent)
    return run.config() if (run.path / "config.yaml").is_file() else None
