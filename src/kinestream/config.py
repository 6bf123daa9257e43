"""Frozen dataclasses as the one form of configuration: strict parsing of plain containers."""

import contextlib
import dataclasses
import json
import math
import re
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from kinestream.plugins import VARIABLE, Registry
from kinestream.words import reason, shown, unknown

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

_MOST, _MOST_WHOLE = 1e15, 2**63 - 1
"""Of the numbers of a setting."""

Config = TypeVar("Config")


def parse_strictly(config: type[Config], plain: Any, where: str) -> Config:
    """An instance of the frozen dataclass `config` from nested plain containers, as YAML and JSON give them.

    Nothing is converted but lists to tuples and whole numbers to floats. Raises ValueError, one line that begins with
    `where`, for an unknown key, a missing one, and a value that does not fit.

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Point:
        ...     x: float
        ...     y: float = 0.0
        >>> parse_strictly(Point, {"x": 1}, "point.yaml")
        Point(x=1.0, y=0.0)
        >>> parse_strictly(Point, {"x": 1, "yy": 2}, "point.yaml")
        Traceback (most recent call last):
        ValueError: point.yaml: unknown key 'yy': did you mean y? There are: x, y
    """
    from pydantic import ValidationError

    if not isinstance(plain, Mapping):
        raise ValueError(f"{where}: should be a mapping of keys to values, it is {shown(plain)}")
    with contextlib.suppress(RecursionError):  # said below
        _check_range(plain, where)
    try:
        # As JSON: there a list is a tuple and a mapping is a dataclass even where nothing else is converted.
        return cast(Config, _adapter(cast(Any, config)).validate_json(json.dumps(plain)))
    except ValidationError as error:
        raise ValueError(f"{where}: {_in_one_line(config, error)}") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{where}: {reason(error, 80)}: numbers, text, lists and mappings are allowed") from None


def _check_range(plain: Any, where: str, name: str = "") -> None:
    """Raises ValueError for numbers that no setting has: products of two must be finite in single precision, and whole
    ones fit into 64 bits."""
    if isinstance(plain, Mapping):
        for key, value in plain.items():
            _check_range(value, where, f"{name}.{key}" if name else str(key))
    elif isinstance(plain, list | tuple):
        for value in plain:
            _check_range(value, where, name)
    elif isinstance(plain, int | float) and math.isfinite(plain):
        most = _MOST_WHOLE if isinstance(plain, int) else _MOST
        if abs(plain) > most:
            bound = most if isinstance(plain, int) else f"{most:g}"
            raise ValueError(f"{where}: {shown(name)} ({shown(plain, 20)}) must be at most {bound}")


def registered(registry: Registry[Any], kind: str) -> Callable[[Any], Any]:
    """For pydantic's BeforeValidator: a mapping with a `name` becomes the settings that the registry has for it."""

    def parse(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ValueError(f"must be a mapping of keys to values with a name, it is {shown(value)}")
        if not isinstance(value.get("name"), str):
            raise ValueError(f"has no name: choose from {', '.join(registry.names())}")
        try:
            entry = registry.get(value["name"])
        except ValueError as error:
            raise ValueError(f"{error}; a plug-in that brings it is named by --plugin or {VARIABLE}") from None
        return parse_strictly(entry, value, f"{kind} '{value['name']}'")

    return parse


@cache
def _adapter(config: Any) -> "TypeAdapter[Any]":
    from pydantic import ConfigDict, TypeAdapter

    return TypeAdapter(_strict(config, ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)))


def _strict(config: Any, rules: Any) -> Any:
    """Puts the rules on a dataclass and on those within it: pydantic takes them from the class itself."""
    if dataclasses.is_dataclass(config) and "__pydantic_config__" not in vars(config):
        config.__pydantic_config__ = rules  # type: ignore[union-attr]
        for hint in typing.get_type_hints(config).values():
            for part in (hint, *typing.get_args(hint)):
                _strict(part, rules)
    return config


_UNEXPECTED = ("unexpected_keyword_argument", "extra_forbidden")


def _in_one_line(config: Any, error: "ValidationError") -> str:
    """The first thing that is wrong."""
    # A misspelt key, if there is one, says more than the one that is missing for it.
    every = sorted(error.errors(include_url=False), key=lambda one: one["type"] not in _UNEXPECTED)
    first = every[0]
    kind, path = first["type"], [shown(str(part)) for part in first["loc"]]
    if kind == "value_error":
        own = str(first["ctx"]["error"])
        return f"{'.'.join(path)} {own}" if own.startswith(("must", "has no")) else own
    if kind in _UNEXPECTED:
        known = tuple(field.name for field in dataclasses.fields(_at(config, path[:-1])))
        within = f"{'.'.join(path[:-1])}: " if path[:-1] else ""
        return within + unknown("key", path[-1], known, most=30)
    if kind in ("missing", "missing_argument"):
        if not path[-1].isdigit():
            return f"'{'.'.join(path)}' is missing"
        return f"'{'.'.join(path[:-1])}' is {shown(first['input'])}, value {int(path[-1]) + 1} is missing"
    wanted = re.sub("^Input |^Tuple | after validation", "", first["msg"])
    for theirs, ours in _WORDS.items():
        wanted = wanted.replace(theirs, ours)
    return f"'{'.'.join(path)}' is {shown(first['input'])}, {wanted}"


_WORDS = {
    "an object": "a mapping of keys to values",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid string": "text",
    "a valid boolean": "true or false",
    "a valid array": "a list",
    "a valid tuple": "a list",
    "a valid dictionary": "a mapping",
}
"""What pydantic says, and what users of YAML call it."""


def _at(config: Any, path: Sequence[str]) -> Any:
    """The dataclass that stands in a field of a field of ... `config`; numbers of entries in a list lead no further."""
    for name in path:
        hint = typing.get_type_hints(config).get(name)
        config = config if hint is None else next(_dataclasses_in(hint))
    return config


def _dataclasses_in(hint: Any) -> Iterator[Any]:
    if dataclasses.is_dataclass(hint):
        yield hint
    for part in typing.get_args(hint):
        yield from _dataclasses_in(part)
