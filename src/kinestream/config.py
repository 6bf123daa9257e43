"""Frozen dataclasses as the one form of configuration: help from their docstrings, strict parsing of plain containers
and of command lines."""

import dataclasses
import inspect
import textwrap
import types
import typing
from argparse import Action, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from docstring_parser import parse_from_object

if TYPE_CHECKING:
    import jsonargparse

Config = TypeVar("Config")
_HELP_WIDTH = 80


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


def parse_command(config: type[Config], command: str, text: str, words: Sequence[str]) -> Config:
    """An instance of the dataclass `config` from the words of a command line.

    Fields without a default are positional, in order (or `required_option`), a tuple among them takes one word or more;
    the others are options. A bool is a switch, a tuple may be given several times. `text` is the command's help: a
    description, then what begins with "Examples:". Raises SystemExit after help (0) or after saying what is wrong (2).
    """
    # The standard parser, not jsonargparse: that one has no positional dataclass fields, switches or repeated options.
    description, _, examples = text.partition("Examples:")
    parser = ArgumentParser(
        prog=command,
        description=textwrap.fill(" ".join(description.split()), _HELP_WIDTH),
        epilog=f"examples:{examples.rstrip()}" if examples else None,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    hints = typing.get_type_hints(config)
    help_texts = _help_texts(config)
    own = inspect.get_annotations(config)  # these first, then those of the classes it is made from
    for entry in sorted(dataclasses.fields(typing.cast(Any, config)), key=lambda entry: entry.name not in own):
        _add_argument(parser, entry, hints[entry.name], help_texts.get(entry.name) or "")
    return config(**vars(parser.parse_args(list(words))))


def _help_texts(config: type[Any]) -> dict[str, str | None]:
    """The docstring of each field, those of the classes that `config` is made from included."""
    classes = [kind for kind in reversed(config.__mro__) if dataclasses.is_dataclass(kind)]
    return {text.arg_name: text.description for kind in classes for text in parse_from_object(kind).params}


def command_words(command: str, config: Any) -> list[str]:
    """The words of the command line that `parse_command` makes `config` of, defaults left out.

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Config:
        ...     run: str
        ...     data: str = required_option()
        ...     percent: tuple[float, ...] = ()
        ...     k: int = 20
        ...     allow_leak: bool = False
        >>> " ".join(command_words("evaluate", Config("a", "ntu60", percent=(1.0, 10.0), allow_leak=True)))
        'evaluate a --data ntu60 --percent 1.0 --percent 10.0 --allow-leak'
    """
    positional: list[str] = []
    options: list[str] = []
    for entry in dataclasses.fields(config):
        value, flag = getattr(config, entry.name), f"--{entry.name.replace('_', '-')}"
        values = [str(one) for one in value] if isinstance(value, tuple) else [str(value)]
        needed = entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING
        if needed and not entry.metadata.get("option"):
            positional += values
        elif isinstance(value, bool):
            options += [flag] if value else []
        elif needed or value != entry.default:
            for one in values:
                options += [f"{flag}={one}"] if one.startswith("-") else [flag, one]
    if any(word.startswith("-") for word in positional):
        return [*command.split(), *options, "--", *positional]
    return [*command.split(), *positional, *options]


def _add_argument(parser: ArgumentParser, entry: "dataclasses.Field[Any]", hint: Any, text: str) -> None:
    kinds = [kind for kind in typing.get_args(hint) if kind is not types.NoneType]
    kind = kinds[0] if len(kinds) == 1 and types.NoneType in typing.get_args(hint) else hint
    options: dict[str, Any] = {"help": text.replace("\n", " ").replace("%", "%%")}
    if typing.get_origin(kind) is typing.Literal:
        options["choices"] = typing.get_args(kind)
    elif hint is not bool:
        options["type"] = kinds[0] if kinds else hint
    if typing.get_origin(hint) is tuple:
        options["type"] = typing.get_args(hint)[0]
    flag = f"--{entry.name.replace('_', '-')}"
    if entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING:
        if entry.metadata.get("option"):
            if "choices" not in options:
                options["metavar"] = options["type"].__name__.upper()
            parser.add_argument(flag, required=True, **options)
        elif typing.get_origin(hint) is tuple:
            parser.add_argument(entry.name, nargs="+", action=_Collect, **options)
        else:
            parser.add_argument(entry.name, **options)
        return
    default = entry.default if entry.default_factory is dataclasses.MISSING else entry.default_factory()
    if hint is bool:
        options["action"] = "store_true"
    elif isinstance(default, tuple):
        options |= {"action": _Append, "metavar": options["type"].__name__.upper()}
    else:
        options["help"] += "" if default is None else f" (default: {default})"
        if "choices" not in options:
            options["metavar"] = options["type"].__name__.upper()
    parser.add_argument(flag, default=default, **options)


def required_option() -> Any:
    """A field without a default that is `--field VALUE` on the command line, not positional."""
    return dataclasses.field(metadata={"option": True})


class _Append(Action):
    """Adds to a tuple."""

    def __call__(self, parser: object, namespace: Namespace, values: Any, option: str | None = None) -> None:
        setattr(namespace, self.dest, (*getattr(namespace, self.dest), values))


class _Collect(Action):
    """Makes a tuple of all words."""

    def __call__(self, parser: object, namespace: Namespace, values: Any, option: str | None = None) -> None:
        setattr(namespace, self.dest, tuple(values))


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
