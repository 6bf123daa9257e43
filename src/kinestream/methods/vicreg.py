"""VICReg: agreement with variance kept and covariance removed (Bardes et al. 2022)."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from kinestream import methods
from kinestream.methods.in_batch import InBatch, projected
from kinestream.methods.losses import vicreg_loss
from kinestream.methods.method import MethodSettings, Networks


@methods.register("vicreg")
@dataclass(frozen=True, kw_only=True)
class VICRegSettings(MethodSettings):
    """Views agree while the embeddings keep their variance and are decorrelated; no negatives."""

    name: Literal["vicreg"] = "vicreg"
    """Which objective."""
    invariance: float = 25.0
    """Weight of the distance between the views."""
    variance: float = 25.0
    """Weight of the hinge on the deviation of each dimension."""
    covariance: float = 1.0
    """Weight of the squared covariances of different dimensions."""
    hidden: int = 2048
    """Hidden units of the projector."""
    embedding: int = 2048
    """Output units of the projector."""

    def build(self, networks: Networks) -> InBatch:
        loss = partial(vicreg_loss, invariance=self.invariance, variance=self.variance, covariance=self.covariance)
        return InBatch(projected(networks, hidden=self.hidden, embedding=self.embedding), loss)
