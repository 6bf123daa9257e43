"""Frozen dataclasses as the one form of configuration: help from their docstrings, strict parsing of plain containers."""

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from jsonargparse import ArgumentError, ArgumentParser, set_parsing_settings

Config = TypeVar("Config")

set_parsing_settings(docstring_parse_attribute_docstrings=True)


def parse_strictly(config: type[Config], plain: Mapping[str, Any], where: str) -> Config:
    """An instance of the dataclass `config` from nested plain containers.

    Raises ValueError, beginning with `where`, for an unknown key, a missing one, or a value that does not fit.
    """
    parser = _parser(config)
    try:
        made = parser.instantiate(parser.parse_object({"config": dict(plain)}))
    except (ArgumentError, ValueError, TypeError) as error:
        raise ValueError(f"{where}: {_in_one_line(error)}") from None
    return made.config  # type: ignore[no-any-return]


@cache
def _parser(config: type[Any]) -> ArgumentParser:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(config, "config")
    return parser


def _in_one_line(error: Exception) -> str:
    """jsonargparse explains itself over several lines; the user gets one."""
    return " ".join(str(error).replace("config.", "").split())
