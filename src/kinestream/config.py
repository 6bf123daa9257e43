"""Frozen dataclasses as the one form of configuration: strict parsing of plain containers."""

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import jsonargparse

Config = TypeVar("Config")


def parse_strictly(config: type[Config], plain: Mapping[str, Any], where: str) -> Config:
    """An instance of the dataclass `config` from nested plain containers.

    A field that is a union of dataclasses is one of them, told by their fields `name: Literal[...]`; without a name it
    is the first. Raises ValueError, beginning with `where`, for an unknown key, a missing one, or a value that does
    not fit.
    """
    from jsonargparse import ArgumentError  # a tenth of a second to import, which --help need not wait for

    hints = typing.get_type_hints(config)
    unions = {field: kinds for field, hint in hints.items() if (kinds := _dataclasses_of(hint))}
    parts = {field: _parse_chosen(unions[field], plain[field], field, where) for field in unions if field in plain}
    rest = {key: value for key, value in plain.items() if key not in unions}
    parser = _parser(typing.cast(Any, config), frozenset(unions))
    try:
        _refuse_null(config, rest)
        made = parser.instantiate(parser.parse_object({"config": rest}))
        return typing.cast(Config, dataclasses.replace(typing.cast(Any, made.config), **parts))
    except (ArgumentError, ValueError, TypeError) as error:
        raise ValueError(f"{where}: {_in_one_line(error)}") from None


def choose_by_name(kinds: Sequence[type[Any]], name: object) -> type[Any]:
    """That of several dataclasses whose field `name: Literal[...]` allows `name`.

    Raises ValueError with all the names there are.
    """
    names = {one: kind for kind in kinds for one in typing.get_args(typing.get_type_hints(kind)["name"])}
    if not isinstance(name, str) or name not in names:
        raise ValueError(f"name ({name}) must be one of {', '.join(names)}")
    return names[name]


def _dataclasses_of(hint: Any) -> tuple[type[Any], ...]:
    """The members of a union of dataclasses; none for any other type."""
    members = typing.get_args(hint) if isinstance(hint, types.UnionType) else ()
    return members if members and all(map(dataclasses.is_dataclass, members)) else ()


def _parse_chosen(kinds: tuple[type[Any], ...], plain: Any, field: str, where: str) -> Any:
    if not isinstance(plain, Mapping):
        raise ValueError(f"{where}: '{field}' must be a mapping of keys to values, it is {plain}")
    try:
        kind = choose_by_name(kinds, plain["name"]) if "name" in plain else kinds[0]
    except ValueError as error:
        raise ValueError(f"{where}: {field}.{error}") from None
    known = [entry.name for entry in dataclasses.fields(kind)]
    if unknown := [key for key in plain if key not in known]:
        raise ValueError(
            f"{where}: {field} '{plain.get('name', '')}' does not accept {', '.join(map(str, unknown))}: "
            f"it has {', '.join(known)}"
        )
    return parse_strictly(kind, plain, f"{where}: {field}")


def required_option() -> Any:
    """As `kinestream.arguments.required_option`, until all commands take it from there."""
    return dataclasses.field(metadata={"option": True})


@cache
def _parser(config: Any, leave_out: frozenset[str]) -> "jsonargparse.ArgumentParser":
    from jsonargparse import ArgumentParser

    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(config, "config", skip=set(leave_out))
    return parser


def _refuse_null(config: type[Any], plain: Mapping[str, Any], path: str = "") -> None:
    """The parser takes a null for any field; only fields that may be None shall have it."""
    hints = typing.get_type_hints(config)
    for key, value in plain.items():
        hint = hints.get(key)
        if value is None and hint is not None and types.NoneType not in typing.get_args(hint):
            raise ValueError(f"'{path}{key}' cannot be null")
        if isinstance(value, Mapping) and dataclasses.is_dataclass(hint):
            _refuse_null(typing.cast(type[Any], hint), value, f"{path}{key}.")


def _in_one_line(error: Exception) -> str:
    """jsonargparse explains itself over several lines; the user gets one."""
    return " ".join(str(error).replace("config.", "").replace("Group 'config' does not", "it does not").split())
