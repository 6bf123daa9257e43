"""docs/deviations.md names what the source and the recipes do."""

import re
from pathlib import Path

from kinestream.methods.self_distillation import SelfDistillationSettings
from kinestream.recipes import recipe_names, resolve

ROOT = Path(__file__).parents[1]
ROWS = [
    [cell.strip() for cell in line.split("|")[1:-1]]
    for line in (ROOT / "docs" / "deviations.md").read_text("utf-8").splitlines()
    if line.startswith("|")
]


def test_the_numbers_of_the_notes_are_those_of_the_table() -> None:
    files = (ROOT / "src").rglob("*.py")
    noted = {int(found) for file in files for found in re.findall(r"NOTE\(deviation (\d+)\)", file.read_text("utf-8"))}
    numbered = {int(row[0]) for row in ROWS if row[0].isdigit()}
    assert noted == numbered - {11}, "11 is no place in the code, as the page says"


def test_every_recipe_that_whitens_is_named() -> None:
    methods = {name: resolve(name).method for name in recipe_names()}
    whitened = {
        name
        for name, method in methods.items()
        if isinstance(method, SelfDistillationSettings) and method.target == "whitened"
    }
    (row,) = [row for row in ROWS if row[0].startswith("whitened targets")]
    assert set(re.findall(r"`([^`]+)`", row[0])) == whitened


def test_every_recipe_that_skips_absent_bodies_is_named() -> None:
    skipping = {name for name in recipe_names() if resolve(name).encoder.absent == "skip"}
    (row,) = [row for row in ROWS if row[0].startswith("`encoder.absent: skip`")]
    assert set(re.findall(r"`([^`]+)`", row[0])) == skipping | {"encoder.absent: skip"}
