"""Lists the recipes that 'kinestream pretrain' takes by name, grouped by method and data set; with a name, prints that
recipe in full.

Examples:
  kinestream recipes
  kinestream recipes --name caca-joint-ntu60-xsub
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from kinestream.console import Screen
from kinestream.recipes import resolve
from kinestream.recipes.families import published_recipes

_STREAMS_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream recipes`."""

    name: str | None = None
    """Print this recipe with every setting, as YAML: a start for one of your own."""


def run(config: Config) -> None:
    screen = Screen()
    if config.name is not None:
        screen.say(yaml.safe_dump(resolve(config.name).to_dict(), sort_keys=False, allow_unicode=True).rstrip())
        return
    # The settings as they stand in the files: reading them imports no method, and so no torch.
    recipes = published_recipes()
    notes: dict[str, int] = {}
    groups: dict[str, list[tuple[str, str, str, object, str]]] = {}
    for name, plain in sorted(recipes.items(), key=lambda entry: (_data(entry[1]), entry[0])):
        published = plain.get("published")
        figure = "-"
        if published:
            figure = f"{published['accuracy']:.2f} [{notes.setdefault(published['what'], len(notes) + 1)}]"
        streams = plain["streams"]
        shown = " ".join(streams) if len(streams) <= _STREAMS_SHOWN else f"{len(streams)} streams"
        groups.setdefault(plain["method"]["name"], []).append((name, _data(plain), shown, plain["epochs"], figure))
    for method, rows in sorted(groups.items()):
        screen.table(method, ("recipe", "data", "streams", "epochs", "published top-1, %"), rows)
    for source, mark in notes.items():
        screen.say(f"[{mark}] {source}")
    for name, plain in recipes.items():
        if what := plain.get("recommended"):
            screen.say(f"recommended for {what}: {name}")
    screen.say("run one: kinestream pretrain RECIPE --data STORE --out RUN")
    screen.say("see one in full: kinestream recipes --name RECIPE")


def _data(plain: Mapping[str, Any]) -> str:
    return f"{plain['dataset']} {plain['split']}" if plain.get("dataset") else "any"
