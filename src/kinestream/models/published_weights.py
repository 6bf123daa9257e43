"""The 3s-CACA authors' released weights: every key and every shape is accounted for before an encoder is made of them.

Understood is the state dict of a pre-training (`{online,target}_backbone[_stream]`,
`{online,target}_projector[_stream]`, `online_predictor[_stream]`) and that of a linear evaluation (the online backbones
and a linear layer for each), plain or wrapped, with or without the `module.` of DataParallel.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kinestream.models.heads import mlp_head
from kinestream.models.kernels.graph import Partition, adjacency
from kinestream.models.published_names import (
    encoder_name,
    head_name,
    published_encoder_name,
    published_head_name,
    translate,
)
from kinestream.models.stgcn import STGCN
from kinestream.models.tensor_file import read_torch
from kinestream.skeleton.layout import SkeletonLayout
from kinestream.words import shown

SINGLE = ""
"""The stream of keys that name none."""
_STREAMS = ("joint", "motion", "bone")
_PART = re.compile(rf"((?:online|target)_(?:backbone|projector|predictor))(?:_({'|'.join(_STREAMS)}))?")
_LINEAR = re.compile(r"(.*(?:fc|linear|classifier).*)\.(weight|bias)", re.IGNORECASE)
_NEVER_ZERO = re.compile(r"weight|running_var|edge_importance")
_WRAPPINGS = ("state_dict", "model_state_dict", "model", "net")
_HEADS = ("online_projector", "target_projector", "online_predictor")
_KEYS_SHOWN = 4
_CLOSE = 1e-5


class WeightsError(ValueError):
    """Weights that are not what they should be: which keys, and why."""


@dataclass(frozen=True, kw_only=True)
class ReleasedEncoder:
    """The online encoder of one stream, under our names, checked."""

    state: Mapping[str, Tensor]
    hidden: int
    dim: int
    partition: Partition


@dataclass(frozen=True, kw_only=True)
class Released:
    """What a file of released weights holds."""

    encoders: Mapping[str, ReleasedEncoder]
    """By stream; the only key is `SINGLE` where the file names none."""
    form: str
    left_aside: tuple[str, ...]
    """What the file has beside the encoders, in words; checked where it belongs to the pre-training."""
    untrained: tuple[str, ...]
    """Streams whose batch normalisation has never seen a batch."""


def read_state(path: Path) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The tensors of a file saved by torch, without wrapping and `module.`, and the names of what lay beside them.

    Raises WeightsError when the file cannot be read without running code in it, or is no state dict.
    """
    try:
        content = read_torch(path)
    except FileNotFoundError:
        raise WeightsError(f"no file {path}") from None
    except ValueError as error:
        raise WeightsError(f"{path} cannot be read as weights ({error}): damaged, or more than tensors") from None
    beside: list[str] = []
    if isinstance(content, Mapping) and not any(isinstance(value, Tensor) for value in content.values()):
        inner = [key for key in _WRAPPINGS if isinstance(content.get(key), Mapping)]
        if inner:
            beside = [str(key) for key in content if key != inner[0]]
            content = content[inner[0]]
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(
            f"{path} holds {type(content).__name__}: a state dict was expected, plain or in 'state_dict'"
        )
    wrong = [str(key) for key, value in content.items() if not isinstance(key, str) or not _is_plain(value)]
    if wrong:
        raise WeightsError(f"{path}: no plain tensor under {_list(wrong)}: a state dict was expected")
    state: dict[str, Tensor] = {}
    for key, value in content.items():
        plain = ".".join(word for word in key.split(".") if word != "module")
        if plain in state:
            raise WeightsError(f"{path} has '{plain}' twice, with and without 'module.'")
        state[plain] = value
    return state, tuple(beside)


def _is_plain(value: object) -> bool:
    """A tensor with its numbers in it."""
    return isinstance(value, Tensor) and value.layout == torch.strided and not (value.is_quantized or value.is_meta)


def check_released(state: Mapping[str, Tensor], layout: SkeletonLayout) -> Released:
    """The online encoders of a state dict.

    Raises WeightsError naming the keys that are missing, unknown, of another shape, not finite or all zero, or when the
    graph is not that of `layout`.
    """
    parts: dict[str, dict[str, dict[str, Tensor]]] = {}
    others: dict[str, Tensor] = {}
    for key, value in state.items():
        match = _PART.fullmatch(key.partition(".")[0])
        if match and match[1] != "target_predictor":
            parts.setdefault(match[2] or SINGLE, {}).setdefault(match[1], {})[key] = value
        else:
            others[key] = value
    if not any("online_backbone" in found for found in parts.values()):
        raise WeightsError(f"no key online_backbone[_stream].*: the keys are {_list(state)}")
    if SINGLE in parts and len(parts) > 1:
        raise WeightsError(f"keys with and without a stream: {_list(k for p in parts[SINGLE].values() for k in p)}")
    pretrained = any(name != "online_backbone" for found in parts.values() for name in found)
    encoders, untrained = {}, []
    for stream in sorted(parts, key=lambda name: (*_STREAMS, SINGLE).index(name)):
        suffix = f"_{stream}" if stream else ""
        found = parts[stream]
        encoder = _encoder(found.get("online_backbone", {}), f"online_backbone{suffix}.", layout)
        encoders[stream] = encoder
        if pretrained:
            target = _encoder(found.get("target_backbone", {}), f"target_backbone{suffix}.", layout)
            if (target.hidden, target.dim) != (encoder.hidden, encoder.dim):
                raise WeightsError(f"online and target backbone{suffix} are of different size")
            for name in _HEADS:
                _check_head(found.get(name, {}), f"{name}{suffix}.", encoder.dim, is_predictor=name == _HEADS[2])
        if int(encoder.state["data_bn.num_batches_tracked"]) == 0:
            untrained.append(stream or "of the file")
    left = _linear_layers(others)
    if pretrained:
        left = (f"the target encoders, projectors and predictors of {len(encoders)} streams", *left)
    return Released(
        encoders=encoders,
        form="pre-training" if pretrained else "linear evaluation",
        left_aside=left,
        untrained=tuple(untrained),
    )


def _encoder(values: Mapping[str, Tensor], prefix: str, layout: SkeletonLayout) -> ReleasedEncoder:
    ours, unknown = translate(values, prefix, encoder_name)
    sizes = [ours.get(f"blocks.{block}.graph_bn.weight") for block in (0, 9)]
    if any(size is None or size.ndim != 1 or not len(size) for size in sizes):
        lacking = [f"{prefix}{published_encoder_name(f'blocks.{block}.graph_bn.weight')}" for block in (0, 9)]
        raise WeightsError(f"missing or misshaped: {_list(lacking)}, which tell the size of an encoder")
    hidden, dim = (len(size) for size in sizes if size is not None)
    with torch.device("meta"):
        expected = STGCN(torch.zeros(3, len(layout.joints), len(layout.joints)), hidden=hidden, dim=dim).state_dict()
    _compare(ours, unknown, expected, prefix, published_encoder_name, layout)
    partition = _partition(ours["adjacency"], f"{prefix}A", layout)
    return ReleasedEncoder(state=ours, hidden=hidden, dim=dim, partition=partition)


def _check_head(values: Mapping[str, Tensor], prefix: str, dim: int, *, is_predictor: bool) -> None:
    ours, unknown = translate(values, prefix, head_name)
    first, last = ours.get("0.weight"), ours.get("3.weight")
    if first is None or last is None or first.ndim != 2 or last.ndim != 2:
        raise WeightsError(f"missing or misshaped: {prefix}net.0.weight and {prefix}net.3.weight, two matrices")
    inputs = first.shape[1] if is_predictor else dim
    with torch.device("meta"):
        expected: nn.Module = mlp_head(inputs, len(first), len(last))
    _compare(ours, unknown, expected.state_dict(), prefix, published_head_name, None)


def _compare(
    ours: Mapping[str, Tensor],
    unknown: list[str],
    expected: Mapping[str, Tensor],
    prefix: str,
    published: Callable[[str], str],
    layout: SkeletonLayout | None,
) -> None:
    """Raises WeightsError unless both have the same names and shapes, and the numbers can be those of a training."""
    joints = f" (an encoder of {len(layout.joints)} joints, {layout.name}, was expected)" if layout else ""
    missing = [f"{prefix}{published(name)}" for name in expected if name not in ours]
    extra = [*unknown, *(f"{prefix}{published(name)}" for name in ours if name not in expected)]
    common = [(f"{prefix}{published(name)}", ours[name], entry) for name, entry in expected.items() if name in ours]
    misshaped = [
        f"{key} is {tuple(found.shape)} for {tuple(entry.shape)}"
        for key, found, entry in common
        if found.shape != entry.shape
    ]
    mistyped = [
        f"{key} ({found.dtype})"
        for key, found, entry in common
        if found.is_floating_point() != entry.is_floating_point()
    ]
    _refuse(
        {"missing": missing, "not known": extra, "of another shape": misshaped, "of another type": mistyped}, joints
    )
    named = {f"{prefix}{published(name)}": value for name, value in ours.items()}
    zero = [key for key, value in named.items() if _NEVER_ZERO.search(key) and not value.any()]
    negative = [key for key, value in named.items() if key.endswith("running_var") and bool((value < 0).any())]
    broken = [key for key, value in named.items() if not bool(torch.isfinite(value).all())]
    _refuse({"not finite": broken, "zero throughout, so not trained": zero, "with negative variances": negative}, "")


def _refuse(wrong: Mapping[str, list[str]], more: str) -> None:
    said = [f"{what}: {_list(keys)}" for what, keys in wrong.items() if keys]
    if said:
        raise WeightsError(f"{'; '.join(said)}{more}")


def _partition(graph: Tensor, key: str, layout: SkeletonLayout) -> Partition:
    partitions: tuple[Partition, ...] = ("one-hop", "distance")
    for partition in partitions:
        if np.allclose(graph.numpy(), adjacency(layout, partition), atol=_CLOSE):
            return partition
    raise WeightsError(f"{key} is not the graph of {layout.name}, by neither of the partitions {', '.join(partitions)}")


def _linear_layers(others: Mapping[str, Tensor]) -> tuple[str, ...]:
    """The linear layers among the keys that are no part of a method, in words. Raises WeightsError for others."""
    layers: dict[str, dict[str, Tensor]] = {}
    unknown = []
    for key, value in others.items():
        match = _LINEAR.fullmatch(key)
        if match:
            layers.setdefault(match[1], {})[match[2]] = value
        else:
            unknown.append(key)
    for name, layer in layers.items():
        weight, bias = layer.get("weight"), layer.get("bias")
        if weight is None or bias is None or weight.ndim != 2 or bias.shape != weight.shape[:1]:
            unknown += [f"{name}.{part} {tuple(value.shape)}" for part, value in layer.items()]
    if unknown:
        raise WeightsError(f"not known: {_list(unknown)}; left aside are linear layers only (a matrix and its bias)")
    return tuple(
        f"linear layer {name} ({layer['weight'].shape[1]} to {layer['weight'].shape[0]})"
        for name, layer in layers.items()
    )


def _list(keys: Any) -> str:
    names = [shown(key, 120) for key in keys]
    more = f" and {len(names) - _KEYS_SHOWN} more" if len(names) > _KEYS_SHOWN else ""
    return ", ".join(names[:_KEYS_SHOWN]) + more
