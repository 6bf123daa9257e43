"""Two clips put together: the transitional anchors of TranCLR (CVPR 2026), on which methods learn what lies between.

A mixture is made of the streams of two views, with the same draw for every stream and body: bones that are put in stay
whole, and so does their motion. Its *share* says how much of it is of the first clip.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from kinestream.augment.transforms import Parameters, take_frames, uniform

SHARE = "share of the first"
"""Where a view that is a mixture keeps, beside its streams, the share of each clip: `(n,)`."""

Streams = Mapping[str, Tensor]


@dataclass(frozen=True)
class Mixing:
    """How two clips are put together, drawn for each pair.

    With probability `local` 2 or 3 parts of the body are drawn, but never all, and a window of frames; from the same
    parts of the first clip a stretch of 1/2 to 2 times the length of the window is cut, resized to it by linear
    interpolation (half-pixel centres), and put into the second clip; the share is that of the joints and frames that
    are replaced. Else the two are averaged, `share * first + (1 - share) * second`, share uniform in (0, 1).

    Args:
        parts: the joints of each part of the body.
        local: probability of the first way.
        window: its shortest and longest length, as shares of the clip.
    """

    parts: tuple[tuple[int, ...], ...]
    local: float = 0.5
    window: tuple[float, float] = (0.32, 0.48)

    def sample(self, pairs: int, frames: int, generator: Generator) -> Parameters:
        """Of that many pairs of clips, tensors of as many rows."""
        device, parts = generator.device, len(self.parts)
        shortest, longest = (max(1, round(share * frames)) for share in self.window)
        length = torch.randint(shortest, longest + 1, (pairs,), generator=generator, device=device)
        cut = (length * uniform(0.5, 2.0, (pairs,), generator)).clamp(max=frames)
        number = torch.randint(2, 4, (pairs,), generator=generator, device=device).clamp(max=max(1, parts - 1))
        order = uniform(0.0, 1.0, (pairs, parts), generator).argsort(dim=1).argsort(dim=1)
        return {
            "local": uniform(0.0, 1.0, (pairs,), generator) < self.local,
            "share": uniform(0.0, 1.0, (pairs,), generator),
            "length": length,
            "start": ((frames - length + 1) * uniform(0.0, 1.0, (pairs,), generator)).long().clamp(max=frames - length),
            "cut": cut,
            "from": (frames - cut) * uniform(0.0, 1.0, (pairs,), generator),
            "parts": order < number[:, None],
        }

    def apply(
        self, first: Float[Tensor, "n c t v m"], second: Float[Tensor, "n c t v m"], parameters: Parameters
    ) -> Float[Tensor, "n c t v m"]:
        """The mixtures of one stream. Raises ValueError where parts are exchanged of a stream that is not of joints."""
        share = parameters["share"].to(first.dtype)[:, None, None, None, None]
        everywhere = share * first + (1 - share) * second
        if not self.local:
            return everywhere
        replaced = self._replaced(parameters, first.shape[2])
        if replaced.shape[2] != first.shape[3]:
            raise ValueError(f"parts of {replaced.shape[2]} joints cannot be exchanged in a stream of {first.shape[3]}")
        put_in = torch.where(replaced[:, None, :, :, None], _resized(first, parameters), second)
        return torch.where(parameters["local"][:, None, None, None, None], put_in, everywhere)

    def shares(self, parameters: Parameters, frames: int) -> Float[Tensor, " n"]:
        """Of the first clip in each mixture."""
        replaced = self._replaced(parameters, frames).to(parameters["share"].dtype).mean(dim=(1, 2))
        return torch.where(parameters["local"], replaced, parameters["share"])

    def _replaced(self, parameters: Parameters, frames: int) -> Tensor:
        """Which frames and joints `(n, t, v)` of the second clip are."""
        chosen = parameters["parts"]
        of_part = torch.zeros(len(self.parts), sum(map(len, self.parts)), dtype=torch.bool, device=chosen.device)
        for number, joints in enumerate(self.parts):
            of_part[number, list(joints)] = True
        joints_replaced = (chosen[:, :, None] & of_part).any(dim=1)
        after = torch.arange(frames, device=chosen.device) - parameters["start"][:, None]
        within = (after >= 0) & (after < parameters["length"][:, None])
        return within[:, :, None] & joints_replaced[:, None, :]


def _resized(x: Float[Tensor, "n c t v m"], parameters: Parameters) -> Float[Tensor, "n c t v m"]:
    """The stretch that is cut from each clip, where it is to be put in; the frames beside it mean nothing."""
    frames = x.shape[2]
    after = torch.arange(frames, device=x.device) - parameters["start"][:, None]
    position = parameters["from"][:, None] + (after + 0.5) / parameters["length"][:, None] * parameters["cut"][:, None]
    position = (position - 0.5).clamp(0, frames - 1)
    before = position.floor().long()
    weight = (position - before).to(x.dtype)[:, None, :, None, None]
    return torch.lerp(take_frames(x, before), take_frames(x, (before + 1).clamp(max=frames - 1)), weight)


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """A further view of a batch, each clip of it put together of two.

    With `across` these are clip i of view `first` and clip B - 1 - i of view `second`, B the batch: the opposite one,
    which is mixed with it in turn by the same draw; else clip i of both, each by a draw of its own.
    """

    mixing: Mixing
    first: int = 0
    second: int = 0
    across: bool = True


def with_mixtures(
    views: Sequence[Streams],
    mixtures: Sequence[Mixture],
    generator: Generator,
    *,
    opposite: Sequence[Streams] | None = None,
    total: int | None = None,
    first: int = 0,
) -> list[Streams]:
    """The views, and after them the mixtures: the streams of each, and its `SHARE`.

    Where the views are one process's share of a batch of `total` clips, beginning at clip `first`, `opposite` are the
    same views of the opposite clips, row by row; else the batch itself holds them.

    Example:
        >>> view, mixing = {"joint": torch.zeros(4, 3, 50, 3, 1)}, Mixing(parts=((0,), (1,), (2,)))
        >>> made = with_mixtures([view], [Mixture(mixing=mixing)], torch.Generator().manual_seed(0))
        >>> len(made), made[1]["joint"].shape, made[1][SHARE].shape
        (2, torch.Size([4, 3, 50, 3, 1]), torch.Size([4]))
    """
    if opposite is None:
        opposite = [{stream: x.flip(0) for stream, x in view.items()} for view in views]
    some = next(iter(views[0].values()))
    rows, total = slice(first, first + len(some)), len(some) if total is None else total
    made = list(views)
    for mixture in mixtures:
        drawn = mixture.mixing.sample(total, some.shape[2], generator)
        if mixture.across:
            clip = torch.arange(total, device=generator.device)
            drawn = {name: value[torch.minimum(clip, total - 1 - clip)] for name, value in drawn.items()}
        own = {name: value[rows].to(some.device) for name, value in drawn.items()}
        others = (opposite if mixture.across else views)[mixture.second]
        view = {stream: mixture.mixing.apply(x, others[stream], own) for stream, x in views[mixture.first].items()}
        made.append({**view, SHARE: mixture.mixing.shares(own, some.shape[2]).to(some.dtype)})
    return made
