"""Features of a frozen encoder, computed once and kept: every evaluation of frozen features starts from here."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn
from torch.nn import functional

from kinestream.augment.transforms import axis_rotation, transform_points
from kinestream.data.clips import AnyClips, FixedClips
from kinestream.data.kept import NotKeptError, keep, kept
from kinestream.data.store import batches
from kinestream.distributed.collectives import agree, by_themselves, place, sum_over_processes
from kinestream.models.encoder_file import weights_hash
from kinestream.models.readout import Readout
from kinestream.progress import Notice, unheard
from kinestream.skeleton import STREAMS
from kinestream.skeleton.layout import SkeletonLayout
from kinestream.skeleton.streams import make_streams

Features = Float32[np.ndarray, "n d"]
_BATCH = 128
_PLAIN = Readout()


@torch.no_grad()
def compute_features(
    encoders: Mapping[str, nn.Module],
    clips: FixedClips,
    *,
    readout: Readout = _PLAIN,
    device: torch.device | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Features]:
    """For each stream the features `(n, d)` of all clips, in the order of the store, in evaluation mode, without
    augmentation. The encoders go to the device, their modes are left as they were; all streams share one pass over the
    clips.

    Several processes take the batches in turn and all have the features of all: the same bits as of one process, for
    the batches are the same."""
    device = device or torch.device("cpu")
    modes = {stream: encoder.training for stream, encoder in encoders.items()}
    made = {stream: torch.zeros(len(clips), cast(int, encoder.dim)) for stream, encoder in encoders.items()}
    rank, processes = place()
    try:
        for encoder in encoders.values():
            encoder.to(device).eval()
        progress(0, len(clips))
        for rows in list(batches(len(clips), _BATCH))[rank::processes]:
            batch = torch.from_numpy(clips.batch(np.arange(rows.start, rows.stop))).to(device)
            x = rearrange(batch, "n t m v c -> n c t v m")
            if all(getattr(encoder, "leaves_out_absent", False) for encoder in encoders.values()):
                x = _anybody_there(x)
            for stream, values in read_clips(x, encoders, clips.layout, readout, clips.rate).items():
                made[stream][rows] = values.float().cpu()
            progress(rows.stop, len(clips))
    finally:
        for stream, encoder in encoders.items():
            encoder.train(modes[stream])
    if processes > 1:
        progress(len(clips), len(clips))
        made = {stream: sum_over_processes(values.to(device)).cpu() for stream, values in made.items()}
    return {stream: values.numpy() for stream, values in made.items()}


def _anybody_there(x: Float[Tensor, "n c t v m"]) -> Float[Tensor, "n c t v k"]:
    """Without the last places that nobody has in any clip: streams are not made of them."""
    if x.shape[4] == 1:
        return x
    places = x.ne(0).any(dim=3).any(dim=2).any(dim=1).any(dim=0).nonzero()
    return x[..., : int(places.max()) + 1 if len(places) else 1]


def read_clips(
    x: Float[Tensor, "n c t v m"],
    encoders: Mapping[str, nn.Module],
    layout: SkeletonLayout,
    readout: Readout,
    rate: float | None = None,
) -> dict[str, Tensor]:
    """The features of some clips by stream, as the readout says but for the whitening."""

    def look(view: Tensor, read: Sequence[str]) -> dict[str, Tensor]:
        streams = make_streams(view, read, layout, rate)
        return {
            stream: encoders[stream](streams[stream].to(next(encoders[stream].parameters()).dtype)) for stream in read
        }

    every = list(encoders)
    if readout.is_plain:
        return look(x, every)
    turning = [stream for stream in every if not STREAMS.get(stream).same_from_all_sides]
    looks = [look(x, every)]
    looks += [look(_turned(x, turn / readout.turns), turning) for turn in range(1, readout.turns) if turning]
    return {stream: _mean_direction([each[stream] for each in looks if stream in each]) for stream in every}


def _turned(x: Float[Tensor, "n c t v m"], share: float) -> Float[Tensor, "n c t v m"]:
    """By this share of a full turn about the vertical."""
    return transform_points(x, axis_rotation(x.new_full((x.shape[0],), 2 * math.pi * share), 1))


def _mean_direction(looks: Sequence[Float[Tensor, "n d"]]) -> Float[Tensor, "n d"]:
    mean = torch.stack([functional.normalize(look, dim=1) for look in looks]).mean(dim=0)
    return functional.normalize(mean, dim=1)


def cached_features(
    folder: Path,
    encoders: Mapping[str, nn.Module],
    clips: AnyClips,
    *,
    readout: Readout = _PLAIN,
    device: torch.device | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    notice: Notice = unheard,
) -> dict[str, Features]:
    """As `compute_features`, kept in `folder` under a name made of the weights, the data and the readout: never
    stale. Of several processes the first one writes. `notice` is told of what is kept there and damaged, which is
    computed again, and where nothing can be kept.

    Raises ValueError where features are not finite.
    """
    mapped = "" if clips.layout == clips.store.layout else f"-{clips.layout.name}"
    looks = "" if readout.is_plain else f"-{readout.turns}"
    timed = "" if clips.rate is None else f"-{clips.rate:g}fps"
    what = f"{clips.store.fingerprint[:12]}-{clips.frames}{timed}{mapped}{looks}"
    files = {
        stream: folder / f"{stream}-{weights_hash(encoder)[:12]}-{what}.npy" for stream, encoder in encoders.items()
    }
    known = {
        stream: features for stream, file in files.items() if (features := _load(file, len(clips), notice)) is not None
    }
    lacking = agree(*(stream not in known for stream in encoders), device=device or torch.device("cpu"))
    missing = {stream: encoders[stream] for stream, lacks in zip(encoders, lacking, strict=True) if lacks}
    if missing:
        made = compute_features(missing, clips, readout=readout, device=device, progress=progress)
        check_finite(made)
        known |= made
        if place()[0] == 0:
            try:
                for stream, features in made.items():
                    keep(files[stream], features.shape, features)
            except OSError as error:
                notice(f"features are not kept in {folder}: {error.strerror or error}")
    return {stream: known[stream] for stream in encoders}


def check_finite(features: Mapping[str, Features]) -> None:
    """Raises ValueError where features hold NaN or infinity: nothing can be told by them."""
    for stream, values in features.items():
        wrong = len(values) - int(np.isfinite(values).all(axis=1).sum())
        if wrong:
            raise ValueError(
                f"the features of {wrong:,} of {len(values):,} clips are not finite (stream {stream}): the encoder has "
                "diverged, or its file is damaged; train it again at a lower rate"
            )


def _load(file: Path, rows: int, notice: Notice) -> Features | None:
    """The features in a file, or None when it is not there or damaged."""
    try:
        features = kept(file, rows)
    except NotKeptError as error:
        if str(error):
            notice(f"{file} is not what was kept there ({error}): it is computed again")
        return None
    if not np.isfinite(features).all():
        notice(f"{file} holds features that are not finite: they are computed again")
        return None
    return features


def raw_coordinates(clips: FixedClips, indices: Int64[np.ndarray, " n"], stream: str = "joint") -> Features:
    """A stream of these clips itself as features `(n, t * m * v * c)`: what any learning must beat. Raises ValueError
    where it is not finite."""
    made: list[Features] = []
    for rows in batches(len(indices), _BATCH):
        batch = rearrange(torch.from_numpy(clips.batch(indices[rows])), "n t m v c -> n c t v m")
        values = make_streams(batch, [stream], clips.layout, clips.rate)[stream]
        made.append(rearrange(values, "n c t v m -> n (t m v c)").numpy())
    found = np.concatenate(made)
    if not np.isfinite(found).all():
        raise ValueError(f"stream {stream} of some recordings is not finite: prepare them again, without these")
    return found


@torch.no_grad()
def calibrate_batch_norm(encoder: nn.Module, clips: FixedClips, indices: Int64[np.ndarray, " n"], stream: str) -> None:
    """Sets the running statistics of batch normalisation from up to 8 batches of clips: without them the features of an
    encoder that was never trained would vanish, and it would be too easy to beat. Every process takes the same."""
    norms = [module for module in encoder.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain average over the batches
    encoder.train()
    with by_themselves():
        for rows in list(batches(len(indices), _BATCH))[:8]:
            batch = rearrange(torch.from_numpy(clips.batch(indices[rows])), "n t m v c -> n c t v m")
            encoder(make_streams(batch, [stream], clips.layout, clips.rate)[stream])
    encoder.eval()
