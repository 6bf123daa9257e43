"""Encoders on disk: weights as safetensors, and a JSON card that says how to build one and what it learnt from."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from kinestream.files import replacing, write_json
from kinestream.models.bigru import BiGRU
from kinestream.models.encoder import Encoder
from kinestream.models.kernels.bodies import Absent
from kinestream.models.kernels.graph import Partition, adjacency
from kinestream.models.readout import Readout
from kinestream.models.stgcn import STGCN
from kinestream.skeleton import STREAMS
from kinestream.skeleton.layout import SkeletonLayout

SCHEMA = 1

Architecture = Literal["st-gcn", "bigru"]


@dataclass(frozen=True, kw_only=True)
class EncoderCard:
    """What is needed to build an encoder and to feed it, and where it comes from."""

    stream: str
    layout: SkeletonLayout
    hidden: int
    dim: int
    dropout: float
    partition: Partition = "one-hop"
    frames: int
    preparation: str
    dataset: str
    split: str
    recipe: str
    epochs_done: int
    epochs: int
    absent: Absent = "published"
    pool: int = 1
    architecture: Architecture = "st-gcn"
    layers: int = 1
    convolutions: int = 0
    """These two of a bigru."""
    readout: Readout = Readout()


def new_encoder(card: EncoderCard) -> Encoder:
    """An encoder as the card says, with random weights. Raises ValueError where its architecture cannot take its
    stream."""
    shared: dict[str, Any] = {
        "hidden": card.hidden,
        "dropout": card.dropout,
        "absent": card.absent,
        "pool": card.pool,
    }
    stream = STREAMS.get(card.stream)
    channels, joints = stream.shape(card.layout)
    if card.architecture == "st-gcn":
        if stream.of_pairs:
            raise ValueError(
                f"stream '{card.stream}' is of pairs of joints, which the graph of an st-gcn does not have"
            )
        graph = torch.as_tensor(adjacency(card.layout, card.partition))
        return STGCN(graph, in_channels=channels, dim=card.dim, **shared)
    return BiGRU(joints, in_channels=channels, layers=card.layers, convolutions=card.convolutions, **shared)


def save_encoder(path: Path, encoder: Encoder, card: EncoderCard) -> None:
    """Writes `path` (`.safetensors`) and its card beside it, each whole."""
    with replacing(path) as part:
        save_file({name: value.contiguous() for name, value in encoder.state_dict().items()}, part)
    write_json(path.with_suffix(".json"), {"schema": SCHEMA, **asdict(card), "layout": card.layout.to_dict()})


def load_encoder(path: Path) -> tuple[Encoder, EncoderCard]:
    """The encoder in evaluation mode, and its card. Raises ValueError when either file is missing, damaged or does not
    fit the other; no code is run from the files and nothing is loaded in part."""
    card = read_card(path)
    encoder = new_encoder(card)
    try:
        encoder.load_state_dict(load_file(path))
    except FileNotFoundError:
        raise ValueError(f"no encoder {path}") from None
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(f"{path} does not fit its card: {' '.join(str(error).split())[:300]}") from None
    return encoder.eval(), card


def weights_hash(encoder: torch.nn.Module) -> str:
    """Names the weights: equal for equal values."""
    digest = hashlib.sha256()
    for name, value in sorted(encoder.state_dict().items()):
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def read_card(encoder: Path) -> EncoderCard:
    """The card beside an encoder file. Raises ValueError when it is missing or damaged."""
    path = encoder.with_suffix(".json")
    try:
        plain: dict[str, Any] = json.loads(path.read_text("utf-8"))
        schema = plain.pop("schema")
        if schema != SCHEMA:
            raise ValueError(f"schema {schema}, this kinestream reads {SCHEMA}")
        known = get_args(Architecture)
        if plain.get("architecture", known[0]) not in known:
            raise ValueError(f"architecture '{plain['architecture']}', this kinestream has {' and '.join(known)}")
        if "skip_absent" in plain:  # cards of earlier versions
            plain["absent"] = "skip" if plain.pop("skip_absent") else "published"
        parts = {
            "layout": SkeletonLayout.from_dict(plain["layout"]),
            "readout": Readout(**plain.get("readout", {})),  # cards of earlier versions have none
        }
        return EncoderCard(**{**plain, **parts})
    except FileNotFoundError:
        raise ValueError(f"no card {path} beside the encoder") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no card of an encoder: {error}") from None
