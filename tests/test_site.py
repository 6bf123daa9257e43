"""The documentation site is built from an empty folder, with every warning an error: links and anchors, docstrings, the
pages that are made from the code."""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kinestream as ks
from kinestream.cli import COMMANDS, command_module
from kinestream.recipes import recipe_names

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "WARNING" not in done.stderr
    return folder


def text_of(folder: Path) -> str:
    return "\n".join(page.read_text("utf-8") for page in sorted(folder.rglob("*.html")))


def test_every_page_is_there_and_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = {page.relative_to(site).with_suffix(".md") for page in site.rglob("*.html")}
    assert {page.relative_to(ROOT / "docs") for page in (ROOT / "docs").rglob("*.md")} <= pages
    text = text_of(site)
    loaded = re.findall(r"<(?:script|img|iframe|link)[^>]*?(?:src|href)=\"?([^\" >]+)", text)
    assert len(loaded) > 100
    assert [one for one in loaded if re.match("(https?:)?//", one)] == []
    styles = "".join(file.read_text("utf-8") for file in site.rglob("*.css"))
    assert not re.search(r"(@import|url\()\s*[\"']?(https?:)?//", styles)


def test_every_command_has_its_arguments_in_the_reference(site: Path) -> None:
    text = text_of(site / "reference" / "commands")
    for name in (*COMMANDS, "evaluate"):
        (found,) = re.findall(f">kinestream {name}<a.*?(?=<h2|</article)", text, flags=re.DOTALL)
        for field in dataclasses.fields(command_module(name).Config):
            called = (field.metadata.get("called") or field.name).replace("_", "-")
            assert re.search(rf"--(no-)?{called}\b|\[?{called.upper()}", found), f"{name}: {called}"


def test_every_recipe_and_every_public_name_is_in_the_reference(site: Path) -> None:
    recipes = (site / "reference" / "recipes.html").read_text("utf-8")
    assert [name for name in recipe_names() if f"<code>{name}</code>" not in recipes] == []
    text = text_of(site / "reference")
    named = {ks._WHERE[name].partition(":")[2] or name for name in ks.__all__}  # without importing them
    assert [name for name in sorted(named) if not re.search(rf"\b{name}\b", text, re.IGNORECASE)] == []


def test_the_start_page_is_the_readme(site: Path) -> None:
    start = (site / "index.html").read_text("utf-8")
    for heading in re.findall(r"^## (.*)$", (ROOT / "README.md").read_text("utf-8"), flags=re.MULTILINE):
        assert f">{heading}<a" in start
