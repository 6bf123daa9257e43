"""ST-GCN and the one-stream step, written as the formulas say and in no way fast: what ours is held against.

Also the slow side of the benchmarks. Shapes: n clip, c channel, t frame, v joint, m body, k part.
"""

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional


class LiteralBlock(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, stride: int, dropout: float, residual: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 3 * out_channels, 1)
        self.bn_1 = nn.BatchNorm2d(out_channels)
        self.temporal = nn.Conv2d(out_channels, out_channels, (9, 1), (stride, 1), (4, 0))
        self.bn_2 = nn.BatchNorm2d(out_channels)
        self.dropout = nn.Dropout(dropout)
        self.residual: nn.Module | None = None
        if residual and in_channels == out_channels and stride == 1:
            self.residual = nn.Identity()
        elif residual:
            self.residual = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, (stride, 1)), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x: Tensor, a: Tensor) -> Tensor:
        y = self.conv(x)
        n, kc, t, v = y.shape
        # y[.., j] = sum_k sum_i x_k[.., i] A[k, i, j], channel k * out + c
        y = torch.einsum("nkctv,kvw->nctw", y.view(n, 3, kc // 3, t, v), a).contiguous()
        y = functional.relu(self.bn_1(y))
        y = self.dropout(self.bn_2(self.temporal(y)))
        if self.residual is not None:
            y = y + self.residual(x)
        return functional.relu(y)


class LiteralSTGCN(nn.Module):
    def __init__(self, a: Tensor, hidden: int = 16, dim: int = 512, dropout: float = 0.5) -> None:
        super().__init__()
        h = hidden
        widths = [h, h, h, h, 2 * h, 2 * h, 2 * h, 4 * h, 4 * h, dim]
        strides = [1, 1, 1, 1, 2, 1, 1, 2, 1, 1]
        self.a = a
        self.data_bn = nn.BatchNorm1d(a.shape[1] * 3)
        self.blocks = nn.ModuleList(
            LiteralBlock(before, width, stride, dropout if i else 0.0, i > 0)
            for i, (before, width, stride) in enumerate(zip([3, *widths[:-1]], widths, strides, strict=True))
        )
        self.importance = nn.ParameterList(nn.Parameter(torch.ones_like(a)) for _ in widths)

    def forward(self, x: Tensor) -> Tensor:
        n, c, t, v, m = x.shape
        x = x.permute(0, 4, 3, 1, 2).contiguous().view(n * m, v * c, t)
        x = self.data_bn(x)
        x = x.view(n, m, v, c, t).permute(0, 1, 3, 4, 2).contiguous().view(n * m, c, t, v)
        for block, importance in zip(self.blocks, self.importance, strict=True):
            x = block(x, self.a * importance)
        x = functional.avg_pool2d(x, x.shape[2:])
        return x.view(n, m, -1).mean(dim=1)


def copy_weights(literal: LiteralSTGCN, ours: nn.Module) -> None:
    """Gives our encoder the literal one's weights."""
    parts = {"conv": "graph.linear", "bn_1": "graph_bn", "temporal": "temporal", "bn_2": "temporal_bn"}
    state = {}
    for name, value in literal.state_dict().items():
        words = name.split(".")
        if words[0] == "importance":
            words[0] = "edge_importance"
        if words[0] == "blocks" and words[2] in parts:
            words[2] = parts[words[2]]
        if words[0] == "blocks" and words[2] == "residual":
            words[3] = {"0": "linear", "1": "bn"}[words[3]]
        ours_name = ".".join(words)
        state[ours_name] = value.flatten(1) if ours_name.endswith(".linear.weight") else value
    state["adjacency"] = literal.a
    ours.load_state_dict(state)


class LiteralCACA(nn.Module):
    """One stream: online encoder, projector, predictor; target encoder, projector."""

    def __init__(self, encoder: nn.Module, dim: int, hidden: int = 2048, embedding: int = 512) -> None:
        super().__init__()

        def head(size: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Linear(size, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, embedding)
            )

        self.encoder, self.projector, self.predictor = encoder, head(dim), head(embedding)
        self.target_encoder = copy.deepcopy(self.encoder)
        self.target_projector = copy.deepcopy(self.projector)

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        q1 = self.predictor(self.projector(self.encoder(x1)))
        q2 = self.predictor(self.projector(self.encoder(x2)))
        with torch.no_grad():
            z1 = self.target_projector(self.target_encoder(x1))
            z2 = self.target_projector(self.target_encoder(x2))

        def distance(a: Tensor, b: Tensor) -> Tensor:
            return (functional.normalize(a, dim=1) - functional.normalize(b, dim=1)).square().sum(dim=1).mean()

        return distance(q1, q2) - 0.5 * (distance(q1, z1) + distance(q2, z2))

    @torch.no_grad()
    def update_target(self, decay: float = 0.996) -> None:
        pairs = [(self.target_encoder, self.encoder), (self.target_projector, self.projector)]
        for target, online in pairs:
            for t, o in zip(target.parameters(), online.parameters(), strict=True):
                t.data = decay * t.data + (1 - decay) * o.data
