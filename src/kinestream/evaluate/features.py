"""Features of a frozen encoder, computed once and kept: every evaluation of frozen features starts from here."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float32, Int64
from torch import Tensor, nn

from kinestream.data.clips import AnyClips
from kinestream.data.store import batches
from kinestream.files import replacing
from kinestream.models.encoder_file import weights_hash
from kinestream.streams import make_streams

Features = Float32[np.ndarray, "n d"]
_BATCH = 128


@torch.no_grad()
def compute_features(
    encoders: Mapping[str, nn.Module],
    clips: AnyClips,
    *,
    device: torch.device | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Features]:
    """For each stream the features `(n, d)` of all clips, in the order of the store, in evaluation mode, without
    augmentation. The encoders' modes are left as they were; all streams share one pass over the clips."""
    device = device or torch.device("cpu")
    modes = {stream: encoder.training for stream, encoder in encoders.items()}
    parts: dict[str, list[Tensor]] = {stream: [] for stream in encoders}
    try:
        for encoder in encoders.values():
            encoder.eval()
        progress(0, len(clips))
        for rows in batches(len(clips), _BATCH):
            batch = torch.from_numpy(clips.batch(np.arange(rows.start, rows.stop))).to(device)
            streams = make_streams(rearrange(batch, "n t m v c -> n c t v m"), encoders, clips.layout)
            for stream, encoder in encoders.items():
                parts[stream].append(encoder(streams[stream]).float().cpu())
            progress(rows.stop, len(clips))
    finally:
        for stream, encoder in encoders.items():
            encoder.train(modes[stream])
    return {stream: torch.cat(rows).numpy() for stream, rows in parts.items()}


def cached_features(
    folder: Path,
    encoders: Mapping[str, nn.Module],
    clips: AnyClips,
    *,
    device: torch.device | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Features]:
    """As `compute_features`, kept in `folder` under a name made of the weights and the data: never stale."""
    mapped = "" if clips.layout == clips.store.layout else f"-{clips.layout.name}"
    what = f"{clips.store.fingerprint[:12]}-{clips.frames}{mapped}"
    files = {
        stream: folder / f"{stream}-{weights_hash(encoder)[:12]}-{what}.npy" for stream, encoder in encoders.items()
    }
    known = {stream: features for stream, file in files.items() if (features := _load(file, len(clips))) is not None}
    missing = {stream: encoder for stream, encoder in encoders.items() if stream not in known}
    if missing:
        made = compute_features(missing, clips, device=device, progress=progress)
        folder.mkdir(parents=True, exist_ok=True)
        for stream, features in made.items():
            with replacing(files[stream]) as part:
                np.save(part, features)
        known |= made
    return {stream: known[stream] for stream in encoders}


def _load(file: Path, rows: int) -> Features | None:
    """The features in a file, or None when it is not there or damaged."""
    try:
        features: Features = np.load(file)
    except (OSError, ValueError, EOFError):
        return None
    return features if features.ndim == 2 and len(features) == rows and features.dtype == np.float32 else None


def raw_coordinates(clips: AnyClips, indices: Int64[np.ndarray, " n"], stream: str = "joint") -> Features:
    """A stream of these clips itself as features `(n, t * m * v * c)`: what any learning must beat."""
    batch = rearrange(torch.from_numpy(clips.batch(indices)), "n t m v c -> n c t v m")
    return rearrange(make_streams(batch, [stream], clips.layout)[stream], "n c t v m -> n (t m v c)").numpy()


@torch.no_grad()
def calibrate_batch_norm(encoder: nn.Module, clips: AnyClips, indices: Int64[np.ndarray, " n"], stream: str) -> None:
    """Sets the running statistics of batch normalisation from up to 8 batches of clips: without them the features of an
    encoder that was never trained would vanish, and it would be too easy to beat."""
    norms = [module for module in encoder.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain average over the batches
    encoder.train()
    for rows in list(batches(len(indices), _BATCH))[:8]:
        batch = rearrange(torch.from_numpy(clips.batch(indices[rows])), "n t m v c -> n c t v m")
        encoder(make_streams(batch, [stream], clips.layout)[stream])
    encoder.eval()
