"""NT-Xent: in-batch contrast (SimCLR, Chen et al. 2020); no second network, no queue."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from kinestream import methods
from kinestream.methods.in_batch import InBatch, projected
from kinestream.methods.losses import nt_xent_loss
from kinestream.methods.method import MethodSettings, Networks


@methods.register("nt-xent")
@dataclass(frozen=True, kw_only=True)
class NTXentSettings(MethodSettings):
    """In-batch contrast (SimCLR): no second network, no queue."""

    name: Literal["nt-xent"] = "nt-xent"
    """Which objective."""
    temperature: float = 0.1
    """Divides the similarities."""
    hidden: int = 512
    """Hidden units of the projector."""
    embedding: int = 128
    """Output units of the projector."""

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError(f"temperature ({self.temperature}) must be above 0")

    def build(self, networks: Networks) -> InBatch:
        pairs = projected(networks, hidden=self.hidden, embedding=self.embedding)
        return InBatch(pairs, partial(nt_xent_loss, temperature=self.temperature))
