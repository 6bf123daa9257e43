"""The recipes of the package, as plain settings. A file `NAME.yaml` is one recipe, or a family of many that differ in
little, with these keys:

    base: NAME          another family, whose settings and tables this one is laid over
    title: PATTERN      {TABLE} stands for the title of the entry of that table
    settings: ...       what all recipes of the family share
    TABLE:              streams, data or method: what differs, by entry
      ENTRY: ...        settings laid over those above, with a `title`; under `with`, an entry of an earlier table: what
                        holds for the two together
    recipes:
      PATTERN: {TABLE: ENTRY or [ENTRY, ...]}    names, {TABLE} standing for the entry; one recipe for each combination
"""

import copy
import itertools
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from kinestream.documents import load_yaml
from kinestream.methods import METHODS
from kinestream.models import ENCODERS
from kinestream.plugins import Registry

REGISTRIES: Mapping[str, Registry[Any]] = {"method": METHODS, "encoder": ENCODERS}
"""The parts of a recipe that are one of several kinds, told by their names."""
USUAL = {"method": "caca", "encoder": "st-gcn"}
"""What a part without a name is."""
_TABLES = ("streams", "data", "method")


def published_recipes() -> Mapping[str, dict[str, Any]]:
    """The settings of each recipe of the package by name, in alphabetical order; a copy. Imports no method.

    Example:
        >>> published_recipes()["caca-3s-ntu60-xview"]["split"]
        'xview'
    """
    return copy.deepcopy(_expanded())


def laid_over(base: Mapping[str, Any], plain: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with what `plain` says instead; parts (mappings) are laid over each other key by key. A method or encoder
    of another kind than that of `base` takes nothing over: its settings are others.

    Example:
        >>> laid_over({"epochs": 60, "optimiser": {"rate": 0.1, "name": "sgd"}}, {"optimiser": {"rate": 0.2}})
        {'epochs': 60, 'optimiser': {'rate': 0.2, 'name': 'sgd'}}
    """
    merged = dict(base)
    for key, value in plain.items():
        parts = isinstance(value, Mapping) and isinstance(base.get(key), Mapping)
        if parts and is_of_another_kind(key, base[key], value):
            parts = False
        merged[key] = laid_over(base[key], value) if parts else value
    return merged


def is_of_another_kind(key: str, base: Mapping[str, Any], part: Mapping[str, Any]) -> bool:
    """Whether the part `key` of a recipe changes from one kind to another; a part without a name is the usual one."""
    if key not in REGISTRIES or not isinstance(part.get("name"), str):
        return False
    return not REGISTRIES[key].are_one_kind(base.get("name", USUAL[key]), part["name"])


@cache
def _expanded() -> dict[str, dict[str, Any]]:
    files = {
        file.name.removesuffix(".yaml"): load_yaml(file.read_text("utf-8"), file.name)
        for file in resources.files(__package__).iterdir()
        if file.name.endswith(".yaml")
    }
    found: dict[str, dict[str, Any]] = {}
    for stem, plain in files.items():
        recipes = _of_family(_on_base(plain, files)) if "recipes" in plain else [(stem, plain)]
        for name, settings in recipes:
            assert name not in found, f"two recipes are called {name}"
            found[name] = settings
    return dict(sorted(found.items()))


def _on_base(family: Mapping[str, Any], files: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The names of the recipes of the base are its own."""
    if "base" not in family:
        return family
    base = _on_base(files[family["base"]], files)
    return {**laid_over(base, family), "recipes": family["recipes"]}


def _of_family(family: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for pattern, choice in family["recipes"].items():
        tables = [table for table in _TABLES if table in choice]
        wanted = [[choice[table]] if isinstance(choice[table], str) else choice[table] for table in tables]
        for keys in itertools.product(*wanted):
            entries = {table: family[table][key] for table, key in zip(tables, keys, strict=True)}
            titles = {table: entry["title"] for table, entry in entries.items()}
            settings = family["settings"]
            for entry in entries.values():
                own = {key: value for key, value in entry.items() if key not in ("title", "with")}
                for part in (own, *(entry.get("with", {}).get(key, {}) for key in keys)):
                    settings = laid_over(settings, part)
            title = {"title": family["title"].format(**titles)}
            yield pattern.format(**dict(zip(tables, keys, strict=True))), {**title, **settings}
