"""Encoders, by name, with their heads and files.

An encoder of your own is a frozen dataclass of settings that derives from `kinestream.models.encoder.EncoderSettings`,
registered with `@models.register("mine")`, whose `build` makes the module.
"""

import dataclasses
from types import MappingProxyType
from typing import Any

from kinestream.plugins import Registry


def _check(name: str, entry: Any) -> None:
    fields = {field.name for field in dataclasses.fields(entry)} if dataclasses.is_dataclass(entry) else set()
    if "name" not in fields or not callable(getattr(entry, "build", None)):
        raise ValueError(
            f"encoder '{name}' must be a frozen dataclass that derives from kinestream.models.encoder.EncoderSettings"
        )
    if "dim" not in fields and not hasattr(entry, "dim"):
        raise ValueError(f"encoder '{name}' must say the length of its features: a field or property 'dim'")


ENCODERS: Registry[Any] = Registry(
    "encoder",
    MappingProxyType({"st-gcn": "kinestream.models.stgcn", "bigru": "kinestream.models.bigru"}),
    _check,
)
"""The class of settings of each encoder: a subclass of `kinestream.models.encoder.EncoderSettings`."""

register = ENCODERS.register
names = ENCODERS.names
