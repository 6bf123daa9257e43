"""The settings of runs as flat `key: value`, and what differs between them."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from kinestream.recipes import recipe_names, resolve
from kinestream.train.run_folder import RunConfig


def flat(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Parts joined by dots, as `--set` takes them.

    Example:
        >>> flat({"epochs": 3, "optimiser": {"rate": 0.1}})
        {'epochs': 3, 'optimiser.rate': 0.1}
    """
    found: dict[str, Any] = {}
    for key, value in settings.items():
        found |= flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return found


def differing(settings: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The keys whose values are not the same in all, with the value of each; None where it has none.

    Example:
        >>> differing([{"a": 1, "b": 2}, {"a": 1, "b": 3}])
        {'b': [2, 3]}
    """
    keys = dict.fromkeys(key for one in settings for key in one)
    values = {key: [one.get(key) for one in settings] for key in keys}
    return {key: found for key, found in values.items() if any(value != found[0] for value in found)}


def changed_settings(config: RunConfig) -> tuple[bool, list[str]]:
    """Whether the package has a recipe of the run's name, and the `key=value` by which the run differs from it."""
    if config.recipe_name not in recipe_names():
        return False, []
    known = flat(resolve(config.recipe_name).to_dict())
    own = flat(config.recipe.to_dict())
    changes = differing([known, own]).items()
    words_only = ("published", "title")
    return True, [f"{key}={in_yaml(values[1])}" for key, values in changes if not key.startswith(words_only)]


def in_yaml(value: Any) -> str:
    """A value in one line, as `--set` and recipes write it.

    Example:
        >>> in_yaml(None), in_yaml([1, 2]), in_yaml("caca")
        ('null', '[1, 2]', 'caca')
    """
    return (
        yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True).removesuffix("...\n").strip()
    )
