"""Heads that stand on an encoder: projector and predictor of the self-supervised methods."""

from torch import nn

from kinestream.models.kernels.batch_norm import BatchNorm1d


def mlp_head(in_dim: int, hidden_dim: int, out_dim: int) -> nn.Sequential:
    """Linear, BN, ReLU, Linear: the projector and predictor of BYOL (Grill et al. 2020), SkeletonBYOL and CACA."""
    return nn.Sequential(
        nn.Linear(in_dim, hidden_dim), BatchNorm1d(hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, out_dim)
    )


def contrast_head(in_dim: int, hidden_dim: int, out_dim: int) -> nn.Sequential:
    """Linear, ReLU, Linear: the projector of MoCo v2 (Chen et al. 2020), SkeletonCLR, CrosSCLR and AimCLR."""
    return nn.Sequential(nn.Linear(in_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, out_dim))
