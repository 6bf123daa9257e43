"""The whitening of a run, kept beside its encoders: what is embedded later needs no training clip.

whitening.safetensors    of each stream the mean of the unit features and the scaled directions, float64
"""

import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import numpy as np
import torch
from jaxtyping import Int64
from safetensors.torch import save_file
from torch import nn

from kinestream.data.clips import AnyClips
from kinestream.data.partners import ClipPairs
from kinestream.features.extract import cached_features
from kinestream.features.whitening import Whitening, fit_streams
from kinestream.files import replacing
from kinestream.models.encoder_file import weights_hash
from kinestream.models.readout import Readout
from kinestream.models.tensor_file import read_tensors
from kinestream.progress import Notice, Progress, silent, unheard
from kinestream.words import reason

FILE = "whitening.safetensors"


def load_whitening(folder: Path, encoders: Mapping[str, nn.Module], readout: Readout) -> dict[str, Whitening] | None:
    """The whitening of just these encoders, read so; None where the folder has none. Raises ValueError for a damaged
    file."""
    file = folder / FILE
    if not file.is_file():
        return None
    try:
        tensors, metadata = read_tensors(file)
        if metadata.get("of") != _of(encoders, readout):
            return None
        for stream, encoder in encoders.items():
            dim = cast(int, encoder.dim)
            for part, shape in (("mean", (dim,)), ("directions", (dim, dim))):
                values = tensors.get(f"{stream}.{part}")
                if values is None or tuple(values.shape) != shape or values.dtype != torch.float64:
                    raise ValueError(f"no {part} of stream {stream}, float64 {shape}")
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{file} is damaged, or does not fit its encoders ({reason(error)}): remove it, it is made again where the "
            "training clips are at hand"
        ) from None
    return {stream: Whitening(tensors[f"{stream}.mean"], tensors[f"{stream}.directions"]) for stream in encoders}


def make_whitening(
    folder: Path,
    encoders: Mapping[str, nn.Module],
    clips: AnyClips,
    train: Int64[np.ndarray, " n"],
    readout: Readout,
    *,
    partners: ClipPairs | None = None,
    device: torch.device | None = None,
    progress: Progress = silent,
    notice: Notice = unheard,
) -> dict[str, Whitening]:
    """By the clips `train`, as the evaluations of these encoders whiten; kept in the folder where that can be written.
    `partners`: places in `train` of clips that show the same.

    Raises ValueError where they tell too little of how features vary, or features are not finite.
    """
    values = cached_features(
        folder / "features",
        encoders,
        clips,
        readout=readout,
        device=device,
        progress=lambda done, total: progress("features to whiten by", "clips", done, total),
        notice=notice,
    )
    rows = {stream: torch.from_numpy(each[train]) for stream, each in values.items()}
    told = None if partners is None else torch.from_numpy(partners)
    made = fit_streams(rows, readout.whitening, readout.whitened_by, partners=told)
    with contextlib.suppress(PermissionError):
        save_whitening(folder, made, encoders, readout)
    return made


def save_whitening(
    folder: Path, whitenings: Mapping[str, Whitening], encoders: Mapping[str, nn.Module], readout: Readout
) -> None:
    """Writes the file, whole."""
    tensors = {f"{stream}.mean": one.mean.contiguous() for stream, one in whitenings.items()}
    tensors |= {f"{stream}.directions": one.directions.contiguous() for stream, one in whitenings.items()}
    with replacing(folder / FILE) as part:
        save_file(tensors, part, metadata={"of": _of(encoders, readout)})


def hash_of(encoders: Mapping[str, nn.Module], readout: Readout, whitenings: Mapping[str, Whitening]) -> str:
    """Names what decides over embeddings: the weights, how they are read, and the whitening."""
    digest = hashlib.sha256(_of(encoders, readout).encode())
    for stream in encoders:
        if stream in whitenings:
            for values in (whitenings[stream].mean, whitenings[stream].directions):
                digest.update(values.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _of(encoders: Mapping[str, nn.Module], readout: Readout) -> str:
    streams = " ".join(f"{stream}={weights_hash(encoder)}" for stream, encoder in encoders.items())
    how = f"{readout.turns} {readout.whitening} {readout.whitened_by}"
    return f"{streams} {how}"
