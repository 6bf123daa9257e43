"""Self-supervised methods, by name. Each module holds one family: its settings, its objective, and how it is built.

A method of your own is a frozen dataclass of settings that derives from `kinestream.methods.method.MethodSettings`:

    @methods.register("mine")
    @dataclass(frozen=True, kw_only=True)
    class Mine(MethodSettings): ...
"""

import dataclasses
from types import MappingProxyType
from typing import Any

from kinestream.plugins import Registry


def _check(name: str, entry: Any) -> None:
    fields = {field.name for field in dataclasses.fields(entry)} if dataclasses.is_dataclass(entry) else set()
    if "name" not in fields or not callable(getattr(entry, "build", None)):
        raise ValueError(
            f"method '{name}' must be a frozen dataclass that derives from kinestream.methods.method.MethodSettings"
        )


METHODS: Registry[Any] = Registry(
    "method",
    MappingProxyType(
        {
            "caca": "kinestream.methods.self_distillation",
            "skeleton-byol": "kinestream.methods.self_distillation",
            "skeletonclr": "kinestream.methods.momentum_contrast",
            "crosclr": "kinestream.methods.momentum_contrast",
            "aimclr": "kinestream.methods.aimclr",
            "tranclr": "kinestream.methods.tranclr",
            "nt-xent": "kinestream.methods.nt_xent",
            "vicreg": "kinestream.methods.vicreg",
            "dense": "kinestream.methods.dense",
        }
    ),
    _check,
)
"""The class of settings of each method: a subclass of `kinestream.methods.method.MethodSettings`."""

register = METHODS.register
names = METHODS.names
