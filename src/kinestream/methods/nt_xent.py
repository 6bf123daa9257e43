"""NT-Xent: in-batch contrast (SimCLR, Chen et al. 2020); no second network, no queue."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from kinestream import methods
from kinestream.augment.mixing import Mixture
from kinestream.augment.settings import MixingSettings
from kinestream.methods.in_batch import InBatch, projected
from kinestream.methods.losses import mixture_loss, nt_xent_loss
from kinestream.methods.method import MethodSettings, Networks
from kinestream.skeleton.layout import SkeletonLayout


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
    mixing: MixingSettings | None = None
    """How clips are mixed, where mixtures are to find their clips too; null for no mixtures."""

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError(f"temperature ({self.temperature}) must be above 0")

    def check_streams(self, streams: Sequence[str]) -> None:
        if self.mixing is not None:
            self.mixing.check_streams(streams)

    def mixtures(self, layout: SkeletonLayout) -> Sequence[Mixture]:
        return () if self.mixing is None else (Mixture(mixing=self.mixing.build(layout)),)

    def build(self, networks: Networks) -> InBatch:
        pairs = projected(networks, hidden=self.hidden, embedding=self.embedding)
        of_mixtures = None if self.mixing is None else partial(mixture_loss, temperature=self.temperature)
        return InBatch(pairs, partial(nt_xent_loss, temperature=self.temperature), of_mixtures)
