"""The published names and the settings that they stand for."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kinestream.recipes import recipe_names, resolve
from kinestream.recipes.families import laid_over, published_recipes

FROZEN = json.loads((Path(__file__).parent / "recipes_frozen.json").read_text("utf-8"))
"""The settings of each recipe as they were when each was a file of its own, without what is gone since."""


@pytest.mark.parametrize("name", FROZEN)
def test_the_settings_of_a_published_name_stay(name: str) -> None:
    then, now = dict(FROZEN[name]), resolve(name).to_dict()
    if name.startswith("caca") and len(then["streams"]) == 1:
        then["published"] = None  # it was that of three streams
    assert laid_over(now, then) == now
    assert (now["dataset"], now["split"]) == (then["dataset"], then["split"])


def test_the_names_are_those_of_before_and_one_for_any_store() -> None:
    assert set(recipe_names()) == {*FROZEN, "laptop"}


def test_what_a_caller_changes_in_a_recipe_is_the_callers_own() -> None:
    published_recipes()["laptop"]["method"]["name"] = "changed"
    assert published_recipes()["laptop"]["method"]["name"] == "nt-xent"


def test_listing_recipes_imports_no_torch() -> None:
    code = "import sys; from kinestream.commands import recipes as r; r.run(r.Config()); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_no_recipe_of_one_stream_shows_the_figure_of_three() -> None:
    for name, recipe in ((name, resolve(name)) for name in recipe_names()):
        if recipe.published is not None:
            assert set(recipe.published.streams) == set(recipe.streams), name
