"""What decides about similarities is computed in single precision, whatever the training rounds."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def in_single_precision(work: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """A decorator: tensors of half precision among the arguments are made float32, and autocast rounds nothing within.
    The nearest of embeddings, and so pseudo-labels, change where their cosines are rounded to 8 bits.

    Example:
        >>> @in_single_precision
        ... def cosine(a, b):
        ...     return a @ b
        >>> with torch.autocast("cpu", torch.bfloat16):
        ...     float(cosine(torch.tensor([1.001]), torch.tensor([1.0])))
        1.0010000467300415
    """

    @wraps(work)
    def exactly(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        kinds = {value.device.type for value in (*args, *kwargs.values()) if isinstance(value, Tensor)}
        plain: Any = [_single(value) for value in args]
        named: Any = {name: _single(value) for name, value in kwargs.items()}
        with ExitStack() as stack:
            for kind in kinds:
                if torch.amp.is_autocast_available(kind):
                    stack.enter_context(torch.autocast(kind, enabled=False))
            return work(*plain, **named)

    return exactly


def _single(value: Any) -> Any:
    is_half = isinstance(value, Tensor) and value.dtype in (torch.float16, torch.bfloat16)
    return value.float() if is_half else value
