"""Encoders on disk: weights as safetensors, and a JSON card that says how to build one and what it learnt from."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BeforeValidator
from safetensors.torch import save_file
from torch import Tensor

from kinestream.config import parse_strictly, registered
from kinestream.data.durations import check_clip_seconds
from kinestream.documents import read_json
from kinestream.files import replacing, write_json
from kinestream.models import ENCODERS
from kinestream.models.encoder import Encoder, EncoderSettings
from kinestream.models.readout import Readout
from kinestream.models.tensor_file import read_tensors
from kinestream.skeleton.layout import SkeletonLayout
from kinestream.words import plain_name, plain_text, reason, shown

SCHEMA = 2
_MOST_BYTES = 2**20
_LONGEST_NAME = 1000
_MOST_POINTS = 10_000_000
_MOST_EPOCHS = 10_000_000


@dataclass(frozen=True, kw_only=True)
class EncoderCard:
    """What is needed to build an encoder and to feed it, and where it comes from."""

    stream: str
    layout: Annotated[SkeletonLayout, BeforeValidator(lambda plain: _layout(plain))]
    encoder: Annotated[EncoderSettings, BeforeValidator(registered(ENCODERS, "encoder"))]
    """Its settings, those of a plug-in's encoder too."""
    frames: int
    """Length of a clip."""
    seconds: float | None = None
    """Length of a clip in time; None for whole recordings."""
    bodies: int = 2
    """Of a clip, with those that are not there."""
    preparation: str
    dataset: str = ""
    """Of the pre-training; empty where it has no name, and so is the split."""
    split: str = ""
    recipe: str
    epochs_done: int
    epochs: int
    readout: Readout = field(default_factory=Readout)
    partly: bool = False
    """It learnt with limbs hidden: recordings of a part of a body are taken."""

    def __post_init__(self) -> None:
        if not 2 <= self.frames <= 100_000:
            raise ValueError(f"frames ({self.frames}) must be in 2..100000")
        check_clip_seconds(self.seconds)
        if not 1 <= self.bodies <= 100:
            raise ValueError(f"bodies ({self.bodies}) must be in 1..100")
        numbers = self.frames * self.bodies * len(self.layout.joints)
        if numbers > _MOST_POINTS:
            raise ValueError(f"a clip of {numbers:,} points (frames x bodies x joints), at most {_MOST_POINTS:,} are")
        if not 0 <= self.epochs_done <= _MOST_EPOCHS or not 0 <= self.epochs <= _MOST_EPOCHS:
            raise ValueError(f"epochs ({self.epochs_done} of {self.epochs}) must be in 0..{_MOST_EPOCHS}")
        for name in ("stream", "preparation", "dataset", "split", "recipe"):
            if len(getattr(self, name)) > _LONGEST_NAME:
                raise ValueError(f"{name} is a name of {len(getattr(self, name)):,} characters")
        for name in ("stream", "preparation", "dataset", "split"):
            object.__setattr__(self, name, plain_name(getattr(self, name)))
        object.__setattr__(self, "recipe", plain_text(self.recipe))  # which may be the path of a file

    def new_encoder(self) -> Encoder:
        """An encoder as the card says, with random weights. Raises ValueError where it cannot take its stream."""
        return self.encoder.build(self.stream, self.layout)


def save_encoder(path: Path, encoder: Encoder, card: EncoderCard) -> None:
    """Writes `path` (`.safetensors`) and its card beside it, each whole."""
    with replacing(path) as part:
        save_file({name: value.contiguous() for name, value in encoder.state_dict().items()}, part)
    write_json(path.with_suffix(".json"), {"schema": SCHEMA, **asdict(card), "layout": card.layout.to_dict()})


def load_encoder(path: Path) -> tuple[Encoder, EncoderCard]:
    """The encoder in evaluation mode, and its card. Raises ValueError when either file is missing, damaged or does not
    fit the other; no code is run from the files and nothing is loaded in part."""
    card = read_card(path)
    try:
        tensors, _ = read_tensors(path, _expected(card))
        encoder = card.new_encoder()
        encoder.load_state_dict(tensors)
    except FileNotFoundError:
        raise ValueError(f"no encoder {path}") from None
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{path} does not fit its card: {reason(error, 300)}") from None
    return encoder.eval(), card


def _expected(card: EncoderCard) -> Mapping[str, Tensor] | None:
    """The names and shapes of the weights, without memory for them: a card may ask for any size, and is compared with
    its file first. None where an encoder of a plug-in cannot be built so."""
    try:
        with torch.device("meta"):
            return card.new_encoder().state_dict()
    except (NotImplementedError, RuntimeError, TypeError):
        return None


def weights_hash(encoder: torch.nn.Module) -> str:
    """Names the weights: equal for equal values."""
    digest = hashlib.sha256()
    for name, value in sorted(encoder.state_dict().items()):
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def read_card(encoder: Path) -> EncoderCard:
    """The card beside an encoder file. Raises ValueError when it is missing or damaged, or names an encoder that no
    plug-in at hand brings."""
    path = encoder.with_suffix(".json")
    try:
        plain = read_json(path, remedy="restore it, it belongs to the encoder", most=_MOST_BYTES)
    except FileNotFoundError:
        raise ValueError(f"no card {path} beside the encoder") from None
    if plain.get("schema") != SCHEMA:
        found = shown(plain.get("schema"), 20)
        raise ValueError(f"{path} is no card of an encoder: schema {found}, this kinestream reads {SCHEMA}")
    del plain["schema"]
    return parse_strictly(EncoderCard, plain, f"{path} is no card of an encoder")


def _layout(plain: Any) -> Any:
    return SkeletonLayout.from_dict(plain) if isinstance(plain, dict) else plain
