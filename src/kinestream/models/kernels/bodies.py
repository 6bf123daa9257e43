"""Which bodies of a batch of clips are encoded, and how their features become those of the clips.

A body that is not there is all zero: the second one of most clips, and equal bodies have equal features. So one row of
zeros can stand for all of them, in batch normalisation with the weight of as many rows. n clip, m body of it, b row.
"""

from typing import Literal, NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

Absent = Literal["published", "once", "skip"]
"""What becomes of absent bodies. As published they are encoded and averaged in like real ones; `once` takes one for all
of them, with one mask of dropout; `skip` leaves them out, and averages over the bodies that are there."""


class Bodies(NamedTuple):
    """The rows to be encoded."""

    rows: Float[Tensor, "b c t v"]
    weights: Float[Tensor, " b"] | None
    """For how many bodies each row stands; None for one each."""
    place: Int[Tensor, "n m"]
    """The row of each body."""
    share: Float[Tensor, "n m"]
    """Of each body in the feature of its clip; they sum to 1."""

    def clips(self, features: Float[Tensor, "b d"]) -> Float[Tensor, "n d"]:
        """Features of clips from those of rows."""
        return (features[self.place] * self.share[..., None].to(features.dtype)).sum(dim=1)

    def apart(self, rows: Float[Tensor, "s v b d"]) -> tuple["Bodies", Float[Tensor, "s v nm d"]]:
        """A map of `rows` with a row for each body where some stand for several; else as they are."""
        if self.weights is None:
            return self, rows
        every = self.place.flatten()
        place = torch.arange(len(every), device=every.device).view_as(self.place)
        return self._replace(rows=self.rows[every], weights=None, place=place), rows.index_select(2, every)


def every_body(x: Float[Tensor, "n c t v m"]) -> Bodies:
    """Each body is a row, whether it is there or not."""
    clips, bodies = x.shape[0], x.shape[4]
    return Bodies(
        rows=rearrange(x, "n c t v m -> (n m) c t v"),
        weights=None,
        place=torch.arange(clips * bodies, device=x.device).view(clips, bodies),
        share=x.new_full((clips, bodies), 1 / bodies),
    )


def absent_once(x: Float[Tensor, "n c t v m"]) -> Bodies:
    """All absent bodies share the last row."""
    every = every_body(x)
    if x.shape[4] == 1:  # rarely any, and counting them would make a GPU wait
        return every
    present = _present(x).flatten()
    count = int(present.sum())
    absent = len(present) - count
    if absent < 2:
        return every
    rows = torch.cat([every.rows[present], torch.zeros_like(every.rows[:1])])
    weights = x.new_ones(count + 1)
    weights[count] = absent
    # The place of a body that is there is the number of those before it.
    place = torch.where(present, present.cumsum(dim=0) - 1, count)
    return every._replace(rows=rows, weights=weights, place=place.view_as(every.place))


def absent_skipped(x: Float[Tensor, "n c t v m"]) -> Bodies:
    """Only bodies that are there; the first of each clip counts as such."""
    if x.shape[4] == 1:
        return every_body(x)
    present = _present(x)
    present[:, 0] = True
    rows = rearrange(x, "n c t v m -> n m c t v")[present]
    place = (present.flatten().cumsum(dim=0) - 1).view_as(present)
    return Bodies(rows, None, place, present / present.sum(dim=1, keepdim=True).to(x.dtype))


def absent_weightless(x: Float[Tensor, "n c t v m"]) -> Bodies:
    """As `absent_skipped`, but each body is a row, and those that are not there have no share in their clip: as many
    rows whatever the values."""
    present = _present(x)
    present = torch.cat((torch.ones_like(present[:, :1]), present[:, 1:]), dim=1)
    return every_body(x)._replace(share=present / present.sum(dim=1, keepdim=True).to(x.dtype))


def _present(x: Float[Tensor, "n c t v m"]) -> Tensor:
    return x.abs().amax(dim=(1, 2, 3)) != 0
