"""Frozen dataclasses as the one form of configuration: help from their docstrings, strict parsing of plain containers
and of command lines."""

import dataclasses
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

    Raises ValueError, beginning with `where`, for an unknown key, a missing one, or a value that does not fit.
    """
    from jsonargparse import ArgumentError  # a tenth of a second to import, which --help need not wait for

    parser = _parser(typing.cast(Any, config))
    try:
        _refuse_null(config, plain)
        made = parser.instantiate(parser.parse_object({"config": dict(plain)}))
    except (ArgumentError, ValueError, TypeError) as error:
        raise ValueError(f"{where}: {_in_one_line(error)}") from None
    return typing.cast(Config, made.config)


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
    help_texts = {parameter.arg_name: parameter.description for parameter in parse_from_object(config).params}
    for entry in dataclasses.fields(typing.cast(Any, config)):
        _add_argument(parser, entry, hints[entry.name], help_texts.get(entry.name) or "")
    return config(**vars(parser.parse_args(list(words))))


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
def _parser(config: Any) -> "jsonargparse.ArgumentParser":
    from jsonargparse import ArgumentParser

    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(config, "config")
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
