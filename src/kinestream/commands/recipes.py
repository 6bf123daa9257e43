"""Lists the recipes that 'kinestream pretrain' takes by name; with a name, prints that recipe in full.

Examples:
  kinestream recipes
  kinestream recipes --name caca-joint-ntu60-xsub
"""

from dataclasses import dataclass

import yaml

from kinestream.console import Screen
from kinestream.recipes import recipe_names, resolve


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
    rows, recommended = [], []
    notes: dict[str, int] = {}
    for name in recipe_names():
        recipe = resolve(name)
        published = "-"
        if recipe.published:
            mark = notes.setdefault(recipe.published.what, len(notes) + 1)
            published = f"{recipe.published.accuracy:.2f} [{mark}]"
        if recipe.recommended:
            recommended.append((name, recipe.recommended))
        rows.append((name, f"{recipe.dataset} {recipe.split}", recipe.epochs, recipe.encoder.dim, published))
    screen.table("recipes", ("recipe", "data", "epochs", "dim", "published top-1, %"), rows)
    for name, what in recommended:
        screen.say(f"recommended for {what}: {name}")
    for what, mark in notes.items():
        screen.say(f"[{mark}] {what}")
    screen.say("run one: kinestream pretrain RECIPE --data STORE --out RUN")
    screen.say("see one in full: kinestream recipes --name RECIPE")
