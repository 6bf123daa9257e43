"""Soft alignment (TranCLR): a query sees the neighbourhood of its target in the bank as the target itself sees it."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from kinestream.methods.contrast import info_nce, similarities


@dataclass(frozen=True, kw_only=True)
class SoftAlignment:
    """Settings of the loss; the usual ones are those published."""

    nearest: int = 8192
    """Entries of the bank that are most similar to the target, over which the similarities are compared."""
    target_temperature: float = 0.05
    """Divides the similarities of the target; below that of the query, the target is the sharper one."""
    query_temperature: float = 0.1
    """Divides the similarities of the query."""
    centred: bool = False
    """Compare directions about the mean of the bank (not published). With few clips the embeddings of all soon point
    nearly the same way: then every neighbour is equally similar, and there is nothing left to align with."""
    contrast: float = 0.0
    """Weight of an InfoNCE term in which the query finds its target among the whole bank (not published); 0 for none.
    The alignment alone tells no clips apart before the keys do: with few steps it starts too slowly."""

    def __post_init__(self) -> None:
        if self.nearest < 1:
            raise ValueError(f"nearest ({self.nearest}) must be at least 1")
        for name in ("target_temperature", "query_temperature"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} ({getattr(self, name)}) must be above 0")
        if not 0 <= self.contrast < math.inf:
            raise ValueError(f"contrast ({self.contrast}) must be a weight, 0 or more")

    def check_bank(self, length: int) -> None:
        """Raises ValueError where a bank has too few keys."""
        if self.nearest > length:
            raise ValueError(f"nearest ({self.nearest}) must be at most {length}, the length of the bank of keys")

    def loss(
        self, query: Float[Tensor, "B d"], target: Float[Tensor, "B d"], bank: Float[Tensor, "K d"]
    ) -> Float[Tensor, ""]:
        """`KL(softmax(target . N / T_k) || softmax(query . N / T_q))`, averaged over the batch, N the entries of the
        bank nearest to the target, and `contrast` times `-log softmax_0([query . target, query . bank] / T_q)`. All are
        unit vectors; no gradient reaches target and bank.

        Example:
            >>> bank, query = torch.eye(3), torch.tensor([[1.0, 0.0, 0.0]])
            >>> same = SoftAlignment(nearest=2, target_temperature=0.1, query_temperature=0.1)
            >>> float(same.loss(query, query, bank))
            0.0
        """
        aligned = self._aligned(query, target, bank)
        if not self.contrast:
            return aligned
        found = similarities(query, target.detach(), bank)
        return aligned + self.contrast * info_nce(found.logits(self.query_temperature))

    def _aligned(self, query: Tensor, target: Tensor, bank: Tensor) -> Tensor:
        if self.centred:
            centre = bank.mean(dim=0)
            query, target, bank = (functional.normalize(rows - centre, dim=1) for rows in (query, target, bank))
        with torch.no_grad():
            similar = target @ bank.T
            nearest, index = similar.topk(self.nearest, dim=1)
            towards = (nearest / self.target_temperature).log_softmax(dim=1)
        logits = (query @ bank.T).gather(1, index) / self.query_temperature
        return functional.kl_div(logits.log_softmax(dim=1), towards, reduction="batchmean", log_target=True)


@torch.no_grad()
def mixed_keys(
    first: Float[Tensor, "B d"], second: Float[Tensor, "B d"], share: Float[Tensor, " B"]
) -> Float[Tensor, "B d"]:
    """The target of a mixture: `share * first + (1 - share) * second`, made a unit vector again, so that temperatures
    mean the same for every share."""
    return functional.normalize(share[:, None] * first + (1 - share[:, None]) * second, dim=1)


@torch.no_grad()
def common_share(first: Float[Tensor, " B"], second: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
    """How alike two mixtures of one pair are, l1 and l2 the shares of the same clip in them: `k_h / (k_h + k_c)` with
    `k_h = min(l1, l2) + min(1 - l1, 1 - l2)`, what they have in common, and `k_c = min(l1, 1 - l2) + min(1 - l1, l2)`,
    what they would have, were the clips of one exchanged.

    Example:
        >>> common_share(torch.tensor([1.0, 0.5]), torch.tensor([1.0, 0.5])).tolist()
        [1.0, 0.5]
    """
    alike = torch.minimum(first, second) + torch.minimum(1 - first, 1 - second)
    exchanged = torch.minimum(first, 1 - second) + torch.minimum(1 - first, second)
    return alike / (alike + exchanged)
