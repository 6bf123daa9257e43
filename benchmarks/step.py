"""A training step of one stream of CACA: ours against the literal one, from two views to the moved target.

Both start from the same weights; their losses and the gradients of some parameters are compared first, without dropout,
whose masks differ. `once` is ours with `encoder.absent: once`.
"""

import copy
from collections.abc import Callable
from typing import Any

import torch
from tests.reference.literal_stgcn import LiteralCACA, LiteralSTGCN, copy_weights
from torch import Tensor, nn

from benchmarks.arithmetic import clock, forward_operations, matrix_product_rate, setting, shares_by_kind
from benchmarks.pairing import in_turn, ratio, spread
from kinestream.methods.method import Progress
from kinestream.methods.online_target import OnlineTarget
from kinestream.methods.self_distillation import SelfDistillation, caca
from kinestream.models.heads import mlp_head
from kinestream.models.kernels.bodies import Absent
from kinestream.models.kernels.dropout import Dropout
from kinestream.models.kernels.graph import adjacency
from kinestream.models.stgcn import STGCN, initialise_as_published
from kinestream.skeleton.layout import KINECT20, NTU25, SkeletonLayout

ROUNDS = 3
DROPOUT = 0.5
FRAMES, DIM, HIDDEN, EMBEDDING = 50, 512, 2048, 512
CLIPS_TO_COMPARE = 6
PASSES = 8
"""Of the encoder in a step, as counted here: two views forward and back (three times a pass forward), two of the
target."""


def measure() -> dict[str, Any]:
    """NTU with four of five clips of one body, and NW-UCLA, at paper size with dropout 0.5."""
    return {
        "machine": setting(),
        "frames": FRAMES,
        "dim": DIM,
        "dropout": DROPOUT,
        "ntu, 2 bodies of which 4 of 5 second ones absent, batch 32": _measure(NTU25, 32, bodies=2, once=True),
        "nw-ucla, 1 body, batch 64": _measure(KINECT20, 64, bodies=1, once=False),
    }


def _measure(layout: SkeletonLayout, batch: int, *, bodies: int, once: bool) -> dict[str, Any]:
    torch.manual_seed(0)
    views = [torch.randn(batch, 3, FRAMES, len(layout.joints), bodies) for _ in range(2)]
    for view in views if bodies > 1 else []:
        view[[clip for clip in range(batch) if clip % 5], ..., 1] = 0
    a = torch.from_numpy(adjacency(layout)).float()
    literal = LiteralCACA(LiteralSTGCN(a, dim=DIM, dropout=DROPOUT), DIM, HIDDEN, EMBEDDING)
    initialise_as_published(literal)
    literal.target_encoder.load_state_dict(literal.encoder.state_dict())
    literal.target_projector.load_state_dict(literal.projector.state_dict())
    forms: list[Absent] = ["published", "once"] if once else ["published"]
    ours = {absent: _ours(literal, absent) for absent in forms}

    difference = _compare(literal, ours["published"], views)
    ways: dict[str, Callable[[], object]] = {"literal": _literal_step(literal, views)}
    ways |= {absent: _our_step(method, views) for absent, method in ours.items()}
    seconds = in_turn(ways, ROUNDS, clock=clock())
    operations = PASSES * batch * forward_operations(layout, frames=FRAMES, bodies=bodies, dim=DIM)
    rate = matrix_product_rate()
    return {
        "rounds": ROUNDS,
        "differences": difference,
        "seconds": {name: spread(times) for name, times in seconds.items()},
        "ratio": {absent: ratio(seconds["literal"], seconds[absent]) for absent in forms},
        "literal_gigaoperations": round(operations / 1e9, 1),
        "literal_operations_a_second_by_matrix_product_rate": {
            name: round(operations / spread(times)["median"] / rate, 2) for name, times in seconds.items()
        },
        "where_the_time_goes_percent": {absent: shares_by_kind(ways[absent]) for absent in forms},
    }


def _ours(literal: LiteralCACA, absent: Absent) -> SelfDistillation:
    a = literal.encoder.a
    assert isinstance(a, Tensor)
    pair = OnlineTarget(
        STGCN(a, dim=DIM, dropout=DROPOUT, absent=absent),
        mlp_head(DIM, HIDDEN, EMBEDDING),
        mlp_head(EMBEDDING, HIDDEN, EMBEDDING),
    )
    assert isinstance(literal.encoder, LiteralSTGCN)
    for encoder in (pair.encoder, pair.target_encoder):
        copy_weights(literal.encoder, encoder)
    for head in (pair.projector, pair.target_projector):
        head.load_state_dict(literal.projector.state_dict())
    pair.predictor.load_state_dict(literal.predictor.state_dict())
    return caca({"joint": pair})


def _compare(literal: LiteralCACA, ours: SelfDistillation, views: list[Tensor]) -> dict[str, float]:
    """Without dropout. Losses of the whole batch as they are; gradients of some of its clips in double precision, for
    in single precision rounding alone parts those of the projector by thousandths. Raises AssertionError."""
    literal, ours = copy.deepcopy(literal), copy.deepcopy(ours)
    for part in [*literal.modules(), *ours.modules()]:
        _leave_out_dropout(part)
    with torch.no_grad():
        expected = literal(*views)
        found = ours([{"joint": view} for view in views])["loss"]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    some = [view[:CLIPS_TO_COMPARE].double() for view in views]
    literal.double()(*some).backward()
    ours.double()([{"joint": view} for view in some])["loss"].backward()
    pair = ours.pairs["joint"]
    apart = {"loss": float((found - expected).abs())}
    for name in ("predictor.3.weight", "projector.0.weight"):
        one, other = pair.get_parameter(name).grad, literal.get_parameter(name).grad
        assert one is not None
        assert other is not None
        apart[f"gradient of {name}, relative, double precision"] = float((one - other).norm() / other.norm())
    assert max(apart.values()) < 1e-4, apart
    return apart


def _leave_out_dropout(part: nn.Module) -> None:
    if isinstance(part, STGCN):
        part.dropout = 0.0
    elif isinstance(part, nn.Dropout | Dropout):
        part.p = 0.0


def _literal_step(literal: LiteralCACA, views: list[Tensor]) -> Callable[[], None]:
    optimizer = _optimiser([parameter for parameter in literal.parameters() if parameter.requires_grad])
    for parameter in [*literal.target_encoder.parameters(), *literal.target_projector.parameters()]:
        parameter.requires_grad_(False)

    def step() -> None:
        optimizer.zero_grad()
        literal(*views).backward()
        optimizer.step()
        literal.update_target()

    return step


def _our_step(method: SelfDistillation, views: list[Tensor]) -> Callable[[], None]:
    optimizer = _optimiser([parameter for _, group in method.parameter_groups() for parameter in group])
    progress = Progress(step=1, steps=1000, epoch=0)

    def step() -> None:
        optimizer.zero_grad()
        method([{"joint": view} for view in views])["loss"].backward()
        optimizer.step()
        method.after_step(progress)

    return step


def _optimiser(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=1e-4)
