"""The parameter names of the published code, and ours for the same thing. Written once: tests and imports use it."""

import re
from collections.abc import Callable, Mapping

from torch import Tensor

_BLOCK_PARTS = {
    "gcn.conv": "graph.linear",
    "tcn.0": "graph_bn",
    "tcn.2": "temporal",
    "tcn.3": "temporal_bn",
    "residual.0": "residual.linear",
    "residual.1": "residual.bn",
}
_BLOCK = re.compile(r"st_gcn_networks\.(\d+)\.(gcn\.conv|tcn\.[023]|residual\.[01])\.(\w+)")
_PUBLISHED_PARTS = {ours: published for published, ours in _BLOCK_PARTS.items()}
_OUR_BLOCK = re.compile(r"blocks\.(\d+)\.(graph\.linear|graph_bn|temporal|temporal_bn|residual\.(?:linear|bn))\.(\w+)")
_HEAD = re.compile(r"net\.([013])\.(\w+)")


def encoder_name(published: str) -> str | None:
    """Our name of an encoder's parameter or buffer, or None when the published encoder has no such one.

    Example:
        >>> encoder_name("st_gcn_networks.3.tcn.2.weight")
        'blocks.3.temporal.weight'
    """
    if published == "A":
        return "adjacency"
    if published.startswith(("data_bn.", "edge_importance.")):
        return published
    match = _BLOCK.fullmatch(published)
    return f"blocks.{match[1]}.{_BLOCK_PARTS[match[2]]}.{match[3]}" if match else None


def head_name(published: str) -> str | None:
    """Our name of a projector's or predictor's parameter or buffer."""
    match = _HEAD.fullmatch(published)
    return f"{match[1]}.{match[2]}" if match else None


def published_encoder_name(ours: str) -> str:
    """The inverse of `encoder_name`.

    Example:
        >>> published_encoder_name("blocks.3.temporal.weight")
        'st_gcn_networks.3.tcn.2.weight'
    """
    if ours == "adjacency":
        return "A"
    match = _OUR_BLOCK.fullmatch(ours)
    return f"st_gcn_networks.{match[1]}.{_PUBLISHED_PARTS[match[2]]}.{match[3]}" if match else ours


def published_head_name(ours: str) -> str:
    """The inverse of `head_name`."""
    return f"net.{ours}"


def translate(
    state: Mapping[str, Tensor], prefix: str, rename: Callable[[str], str | None]
) -> tuple[dict[str, Tensor], list[str]]:
    """The part of a published state below `prefix` under our names, and the keys below it that have none."""
    ours: dict[str, Tensor] = {}
    unknown: list[str] = []
    for key, value in state.items():
        if not key.startswith(prefix):
            continue
        name = rename(key.removeprefix(prefix))
        if name is None:
            unknown.append(key)
        else:
            # 1x1 convolutions are linear layers here: (out, c, 1, 1) -> (out, c).
            is_1x1 = name.endswith(".linear.weight") and value.shape[2:] == (1, 1)
            ours[name] = value.flatten(1) if is_1x1 else value
    return ours, unknown
