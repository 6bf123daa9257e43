"""Operators of torch that its ONNX exporter has no translation for, or takes apart frame by frame."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class WholeLayers(TorchFunctionMode):
    """Under it a recurrent layer is traced as one operator, `translations` has its node. Torch's own is taken apart
    frame by frame wherever a shape is asked for, which takes longer than all the rest, and is then put aside."""

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__name__", "") == "gru" and len(args) == 9 and isinstance(args[1], Tensor):
            x, first, weights, *settings = args
            if isinstance(weights, Sequence):  # else it is packed: sequences of different lengths
                return _whole_gru(x, first, list(weights), *settings)
        return func(*args, **(kwargs or {}))


@torch.library.custom_op("kinestream::gru", mutates_args=())
def _whole_gru(
    x: Tensor,
    first: Tensor,
    weights: list[Tensor],
    has_biases: bool,
    layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Tensor, Tensor]:
    return torch.gru(x, first, weights, has_biases, layers, dropout, train, bidirectional, batch_first)


@_whole_gru.register_fake
def _shapes(x: Tensor, first: Tensor, weights: list[Tensor], *settings: Any) -> tuple[Tensor, Tensor]:
    *_, bidirectional, _ = settings
    return x.new_empty(*x.shape[:2], first.shape[2] * (1 + bidirectional)), torch.empty_like(first)


def translations() -> dict[Any, Callable[..., Any]]:
    """By the operator of torch. Needs onnxscript. The functions are handed values of the graph under construction, and
    add nodes to it."""
    from onnxscript import opset18

    graph: Any = opset18

    def gru(
        x: Any,
        first: Any,
        weights: Sequence[Any],
        has_biases: bool,
        layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool,
    ) -> tuple[Any, Any]:
        """A node a layer. Torch's gates are reset, update, new; those of ONNX update, reset, new."""
        sides, each = 1 + bidirectional, 4 if has_biases else 2
        states = graph.Transpose(x, perm=[1, 0, 2]) if batch_first else x
        last = []
        for layer in range(layers):
            rows = [weights[each * side : each * (side + 1)] for side in range(layer * sides, (layer + 1) * sides)]
            inputs, hidden = (
                graph.Concat(*(graph.Unsqueeze(in_order(row[place]), [0]) for row in rows), axis=0) for place in (0, 1)
            )
            biases = (
                graph.Concat(*(pair(in_order(row[2]), in_order(row[3])) for row in rows), axis=0)
                if has_biases
                else None
            )
            begin = graph.Slice(first, [layer * sides], [(layer + 1) * sides], [0])
            states, end = graph.GRU(
                states,
                inputs,
                hidden,
                biases,
                None,
                begin,
                direction="bidirectional" if bidirectional else "forward",
                hidden_size=first.shape[2],
                linear_before_reset=1,
            )
            states = graph.Reshape(graph.Transpose(states, perm=[0, 2, 1, 3]), [0, 0, -1])
            last.append(end)
        out = graph.Transpose(states, perm=[1, 0, 2]) if batch_first else states
        return out, graph.Concat(*last, axis=0)

    def in_order(weight: Any) -> Any:
        size = weight.shape[0] // 3
        reset, update, new = (graph.Slice(weight, [size * gate], [size * (gate + 1)], [0]) for gate in range(3))
        return graph.Concat(update, reset, new, axis=0)

    def pair(of_inputs: Any, of_states: Any) -> Any:
        return graph.Unsqueeze(graph.Concat(of_inputs, of_states, axis=0), [0])

    def cummax(x: Any, dim: int) -> tuple[Any, Any]:
        """By doubling the reach; the index is that of the last of equal values, as torch has it."""
        axis, length = dim % len(x.shape), x.shape[dim]
        if not isinstance(length, int):
            raise ValueError("a cumulative maximum over an axis whose length is not fixed")
        shape = [length if one == axis else 1 for one in range(len(x.shape))]
        places = graph.Constant(value=_tensor(torch.arange(length).view(shape)))
        values = running_maximum(x, axis, length)
        mine = graph.Where(graph.Equal(x, values), places, graph.Constant(value_int=-1))
        return values, running_maximum(mine, axis, length)

    def running_maximum(x: Any, axis: int, length: int) -> Any:
        for step in range((length - 1).bit_length()):
            earlier = (torch.arange(length) - 2**step).clamp(min=0)
            x = graph.Max(x, graph.Gather(x, graph.Constant(value=_tensor(earlier)), axis=axis))
        return x

    def cdist(x: Any, y: Any, p: float = 2.0, compute_mode: int | None = None) -> Any:
        """By the differences of coordinates, in all modes: exact for small distances too."""
        apart = graph.Sub(graph.Unsqueeze(x, [-2]), graph.Unsqueeze(y, [-3]))
        if p == 2:
            return graph.ReduceL2(apart, [-1], keepdims=0)
        if p == 1:
            return graph.ReduceL1(apart, [-1], keepdims=0)
        raise ValueError(f"distances of the norm {p}")

    def hypot(x: Any, y: Any) -> Any:
        return graph.Sqrt(graph.Add(graph.Mul(x, x), graph.Mul(y, y)))

    aten = torch.ops.aten
    return {
        torch.ops.kinestream.gru.default: gru,
        aten.cummax.default: cummax,
        aten.cdist.default: cdist,
        aten._cdist_forward.default: cdist,
        aten.hypot.default: hypot,
    }


def _tensor(values: torch.Tensor) -> Any:
    import onnx

    return onnx.numpy_helper.from_array(values.numpy())
