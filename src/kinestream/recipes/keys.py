"""Names of the settings of a recipe: where a key belongs that a user gave, also under another usual name.

A field says of itself by what else it is known, `dataclasses.field(..., metadata=also_called("learning_rate"))`, those
of methods, encoders and optimisers of others too.
"""

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from kinestream.recipes.families import REGISTRIES, USUAL
from kinestream.words import either, nearest, shown


def also_called(*names: str) -> Mapping[str, Any]:
    """The metadata of a field of settings that is known by further names, without the part that it stands in."""
    return {"also": names}


def place_of(key: str, recipe: type[Any], plain: Mapping[str, Any]) -> list[str]:
    """The path of a setting: `rate` of `optimiser` for `optimiser.rate` and for `learning_rate`.

    `plain` are the settings of the recipe so far: they tell which method and which encoder is meant. What stands in a
    part and is unknown there is left as it is. Raises ValueError for a key without a part that no setting has, or that
    is another name of several.
    """
    *parts, last = key.split(".")
    if parts:
        part = _called(recipe, parts[0])
        settings = _settings_of(part, recipe, plain)
        return [part, *parts[1:], _called(settings, last) if len(parts) == 1 and settings is not None else last]
    own = _called(recipe, last)
    if own in _names(recipe):
        return [own]
    places = dict(_parts(recipe, plain))
    found = [part for part, settings in places.items() if _called(settings, last) in _names(settings)]
    meant = [part for part in found if last not in _names(places[part])]  # under another name: that is no guess
    if len(found) == 1 and meant:
        return [meant[0], _called(places[meant[0]], last)]
    if found:
        whole = [f"{part}.{_called(places[part], last)}" for part in found]
        raise ValueError(f"unknown key '{shown(last)}': did you mean {either(whole)}?")
    every = (*_names(recipe), *(f"{part}.{name}" for part, settings in places.items() for name in _names(settings)))
    leaves = {one.rpartition(".")[2]: one for one in reversed(every)}
    leaves |= {other: f"{part}.{name}" for part, one in places.items() for other, name in _others(one)}
    near = [leaves[one] for one in nearest(last, leaves)]
    hint = f"did you mean {either(list(dict.fromkeys(near)))}?" if near else "no setting is called so;"
    raise ValueError(f"unknown key '{shown(last)}': {hint} 'kinestream recipes --name RECIPE' prints all keys")


def _others(settings: type[Any]) -> Iterator[tuple[str, str]]:
    """Each further name of a field, and the field."""
    return ((other, field.name) for field in dataclasses.fields(settings) for other in field.metadata.get("also", ()))


def _parts(recipe: type[Any], plain: Mapping[str, Any]) -> Iterator[tuple[str, type[Any]]]:
    for name in _names(recipe):
        if (settings := _settings_of(name, recipe, plain)) is not None:
            yield name, settings


def _settings_of(part: str, recipe: type[Any], plain: Mapping[str, Any]) -> type[Any] | None:
    """The dataclass of a part of a recipe; None where it is none, or nobody knows it."""
    if part in REGISTRIES:
        chosen = plain.get(part)
        name = chosen.get("name", USUAL[part]) if isinstance(chosen, Mapping) else USUAL[part]
        try:
            return typing.cast("type[Any]", REGISTRIES[part].get(name))
        except (ValueError, TypeError):
            return None
    hint = typing.get_type_hints(recipe).get(part)
    return next((one for one in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(one)), None)  # type: ignore[return-value]


def _called(settings: type[Any] | None, name: str) -> str:
    """The field that a name stands for; the name itself where it is of none."""
    return name if settings is None else dict(_others(settings)).get(name, name)


def _names(settings: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(settings))
