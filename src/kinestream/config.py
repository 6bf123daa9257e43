"""Frozen dataclasses as the one form of configuration: strict parsing of plain containers, help from the docstrings of
their fields, and command lines."""

import dataclasses
import inspect
import json
import re
import textwrap
import types
import typing
from argparse import Action, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

import yaml
from docstring_parser import parse_from_object

from kinestream.plugins import Registry, unknown

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

Config = TypeVar("Config")
_HELP_WIDTH = 80


def parse_strictly(config: type[Config], plain: Mapping[str, Any], where: str) -> Config:
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

    try:
        # As JSON: there a list is a tuple and a mapping is a dataclass even where nothing else is converted.
        return cast(Config, _adapter(config).validate_json(json.dumps(plain)))
    except ValidationError as error:
        raise ValueError(f"{where}: {_in_one_line(config, error)}") from None
    except (TypeError, RecursionError) as error:
        raise ValueError(f"{where}: {shown(str(error))}: numbers, text, lists and mappings are allowed") from None


def registered(registry: Registry[Any], kind: str) -> Callable[[Any], Any]:
    """For pydantic's BeforeValidator: a mapping with a `name` becomes the settings that the registry has for it."""

    def parse(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ValueError(f"must be a mapping of keys to values with a name, it is {shown(value)}")
        if not isinstance(value.get("name"), str):
            raise ValueError(f"has no name: choose from {', '.join(registry.names())}")
        # Its own ValueError, if any, says all; pydantic would put its words around it.
        return parse_strictly(registry.get(value["name"]), value, f"{kind} '{value['name']}'")

    return parse


def load_yaml(text: str, where: str) -> Any:
    """The content of YAML text, numbers such as 1e-3 included, which YAML 1.1 takes for text. Raises ValueError, one
    line that begins with `where`, for text that is no YAML."""
    try:
        return yaml.load(text, _Loader)  # noqa: S506  a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        raise ValueError(f"{where} is not YAML: {shown(' '.join(str(error).split()), 200)}") from None


def shown(value: Any, most: int = 60) -> str:
    """A foreign value as it may stand in a message: printable, in one line, cut."""
    text = value if isinstance(value, str) else repr(value) if isinstance(value, int | float | bool) else ascii(value)
    text = "".join(character if character.isprintable() else "?" for character in text[: most + 1])
    return text if len(text) <= most else f"{text[:most]}..."


class _Loader(yaml.SafeLoader):
    """Safe, and reads 1e-3 as a number."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in entries if tag != "tag:yaml.org,2002:float"]
    for first, entries in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d[\d_]*\.?[\d_]*([eE][-+]?\d+)|\d[\d_]*\.[\d_]*|\.\d[\d_]*([eE][-+]?\d+)?|\.(inf|Inf|INF))|\.(nan|NaN|NAN)"),
    list("-+0123456789."),
)


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


def _in_one_line(config: Any, error: "ValidationError") -> str:
    """The first thing that is wrong."""
    first = error.errors(include_url=False)[0]
    kind, path = first["type"], [str(part) for part in first["loc"]]
    if kind == "value_error":
        own = str(first["ctx"]["error"])
        return f"{'.'.join(path)} {own}" if own.startswith(("must", "has no")) else own
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        known = tuple(field.name for field in dataclasses.fields(_at(config, path[:-1])))
        return unknown("key", ".".join(path), tuple(".".join([*path[:-1], name]) for name in known), most=30)
    if kind in ("missing", "missing_argument"):
        return f"'{'.'.join(path)}' is missing"
    return f"'{'.'.join(path)}' is {shown(first['input'])}: {first['msg'][0].lower()}{first['msg'][1:]}"


def _at(config: Any, path: Sequence[str]) -> Any:
    """The dataclass that stands in a field of a field of ... `config`."""
    for name in path:
        hint = typing.get_type_hints(config)[name]
        config = next(part for part in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(part))
    return config


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
