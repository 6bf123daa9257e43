"""JSON and YAML of unknown origin: size, depth and kind are checked, and nothing in them is built but plain containers,
text and numbers."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from kinestream.words import reason, shown

MOST_JSON = 2**26
"""Bytes of a JSON file that is read whole."""
MOST_YAML = 2**18
"""Characters of a YAML text. What people write by hand has a tenth of it."""
_MOST_NODES = 20_000
_MOST_VALUES = 100_000
"""Values of a YAML text with every alias written out."""
_DEEPEST = 50
_MOST_DIGITS = 100


def read_json(path: Path, *, remedy: str, kind: type | None = dict, most: int = MOST_JSON, finite: bool = True) -> Any:
    """The content of a JSON file.

    Args:
        remedy: what to do about a damaged one, for the message.
        kind: what it must be; None for anything.
        most: bytes that it may have.
        finite: whether NaN and infinite numbers are refused.

    Raises:
        FileNotFoundError: there is none.
        ValueError: one line, with the file, for one that is damaged, too large or of another kind.
    """
    try:
        size = path.stat().st_size
        if size > most:
            raise ValueError(f"it has {size:,} bytes, at most {most:,} are read")
        return parse_json(path.read_bytes(), kind=kind, finite=finite)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({reason(error)}): {remedy}") from None


def parse_json(text: str | bytes, *, kind: type | None = dict, finite: bool = True) -> Any:
    """The content of JSON text. Raises ValueError with what is wrong with it, see `read_json`.

    Example:
        >>> parse_json('{"a": [1, 2.5]}')
        {'a': [1, 2.5]}
        >>> parse_json("[NaN]", kind=list)
        Traceback (most recent call last):
        ValueError: NaN where a number belongs
    """
    numbers: dict[str, Any] = {"parse_constant": _no_number, "parse_float": _finite} if finite else {}
    try:
        content = json.loads(text.decode("utf-8") if isinstance(text, bytes) else text, **numbers)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} in line {error.lineno}") from None
    except UnicodeDecodeError:
        raise ValueError("not JSON: no UTF-8 text") from None
    except RecursionError:
        raise ValueError("lists within lists, too deep") from None
    if kind is not None and not isinstance(content, kind):
        wanted = "an object" if kind is dict else "a list" if kind is list else kind.__name__
        raise ValueError(f"{shown(content, 40)} where {wanted} belongs")
    return content


def read_yaml(path: Path, where: str | None = None) -> Any:
    """The content of a YAML file; `where` names it in messages. Raises ValueError, one line."""
    where = where or str(path)
    try:
        with path.open("rb") as file:
            text = file.read(4 * MOST_YAML + 1).decode("utf-8-sig")
    except FileNotFoundError:
        raise ValueError(f"{where}: there is no such file") from None
    except OSError as error:
        raise ValueError(f"{where} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError(f"{where} is not YAML: no UTF-8 text") from None
    return load_yaml(text, where)


def load_yaml(text: str, where: str) -> Any:
    """The content of YAML text, numbers such as 1e-3 included, which YAML 1.1 takes for text.

    Raises ValueError, one line that begins with `where`, for text that is no YAML, and for more of it than a person
    writes: 256 KB, 20 000 values, 50 lists within lists, aliases that stand for more than 100 000 values.

    Example:
        >>> load_yaml("{rate: 1e-3, layers: [1, 2]}", "it")
        {'rate': 0.001, 'layers': [1, 2]}
        >>> load_yaml("&a [*a]", "it")
        Traceback (most recent call last):
        ValueError: it is not YAML: a list that holds itself
    """
    try:
        if len(text) > MOST_YAML:
            raise ValueError(f"more than {MOST_YAML:,} characters")
        content = yaml.load(text, _Loader)
        _count(content, {}, set())
    except (
        yaml.YAMLError,
        ValueError,
        TypeError,
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
    ) as error:
        raise ValueError(f"{where} is not YAML: {reason(error)}") from None
    return content


def dump_yaml(plain: Any) -> str:
    """YAML text that `load_yaml` reads as it was.

    Example:
        >>> load_yaml(dump_yaml({"name": "1e3", "rate": 1e3}), "it")
        {'name': '1e3', 'rate': 1000.0}
        >>> load_yaml("{hash: 768e6ce0}", "it")
        {'hash': '768e6ce0'}
    """
    return yaml.dump(plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def _no_number(word: str) -> float:
    raise ValueError(f"{word} where a number belongs")


def _finite(word: str) -> float:
    value = float(word)
    return value if math.isfinite(value) else _no_number(shown(word, 20))


class _Loader(yaml.SafeLoader):
    """Safe, reads 1e-3 as a number, and gives up where there is too much."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._nodes = self._depth = 0
        self._merged: dict[yaml.MappingNode, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._nodes += 1
        self._depth += 1
        if self._nodes > _MOST_NODES:
            raise ValueError(f"more than {_MOST_NODES:,} values")
        if self._depth > _DEEPEST:
            raise ValueError(f"more than {_DEEPEST} lists within each other")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def flatten_mapping(self, node: Any) -> None:
        """Takes in what `<<` names, unless that stands for too much: as it is written, whatever is left of it."""
        if node not in self._merged:
            count = 0
            for key, value in node.value:
                if key.tag != "tag:yaml.org,2002:merge":
                    count += 1
                    continue
                for merged in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    if isinstance(merged, yaml.MappingNode):
                        self.flatten_mapping(merged)
                        count += self._merged[merged]
                    if count > _MOST_NODES:
                        raise ValueError(f"mappings merged to more than {_MOST_NODES:,} values")
            self._merged[node] = count
        super().flatten_mapping(node)

    def construct_yaml_int(self, node: Any) -> int:
        if len(node.value) > _MOST_DIGITS:
            raise ValueError(f"a number of {len(node.value):,} digits")
        return super().construct_yaml_int(node)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_OTHERWISE = ("tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp")  # a date is text
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in entries if tag not in _OTHERWISE]
    for first, entries in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"([-+]?(\d+\.?\d*[eE][-+]?\d+|\d+\.\d*|\.\d+([eE][-+]?\d+)?|\.(inf|Inf|INF))|\.(nan|NaN|NAN))$"),
    list("-+0123456789."),
)


class _Dumper(yaml.SafeDumper):
    """Puts text in quotes that the loader would take for something else."""


_Dumper.yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers


def _count(value: Any, known: dict[int, int], above: set[int]) -> int:
    """Values in a value, each alias counted as what it stands for. Raises ValueError where they are too many."""
    if not isinstance(value, dict | list | tuple | set):
        return 1
    key = id(value)
    if key in above:
        raise ValueError("a list that holds itself")
    if key not in known:
        above.add(key)
        count = 1
        for part in _parts(value):
            count += _count(part, known, above)
            if count > _MOST_VALUES:
                raise ValueError(f"aliases that stand for more than {_MOST_VALUES:,} values")
        known[key] = count
        above.discard(key)
    return known[key]


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.keys()
        yield from value.values()
    else:
        yield from value
