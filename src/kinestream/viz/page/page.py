"""The page: everything in one file, nothing loaded from elsewhere, every name of the user's escaped."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader

_SCRIPTS = ("data.js", "player.js", "map.js", "legend.js")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What stands in a table: words, or an accuracy, drawn as a bar of 0..100, with its interval where there is one."""

    text: str
    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the results."""

    cells: Sequence[Cell]
    strong: bool


@dataclass(frozen=True, kw_only=True)
class Group:
    """The results of one evaluation, folded."""

    title: str
    summary: str
    """What is seen of it while it is folded."""
    headings: Sequence[str]
    rows: Sequence[Row]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure in both themes."""

    title: str
    words: str
    light: bytes
    dark: bytes
    kind: str = "svg+xml"


@dataclass(frozen=True, kw_only=True)
class Page:
    """What the report says; all texts are plain, none is HTML."""

    title: str
    subtitle: str
    facts: Sequence[tuple[str, str]]
    warnings: Sequence[str]
    headline: str
    """What the run came to, in a sentence."""
    beside: Sequence[Row]
    """Its figure, and those of its baselines: what it is of, and the accuracy."""
    groups: Sequence[Group]
    results_note: str
    map_note: str
    pictures: Sequence[Picture]
    left_out: Sequence[str]
    configuration: str
    environment: str
    commands: Sequence[str]
    guessed: bool = True
    """Whether it is known what each clip was taken for."""


@dataclass(frozen=True, kw_only=True)
class ExplorerPage:
    """What the explorer says; all texts are plain, none is HTML."""

    title: str
    subtitle: str
    facts: Sequence[tuple[str, str]]
    warnings: Sequence[str]
    map_note: str
    commands: Sequence[str]
    """What may be done with the names."""
    saved_as: str = "labels.csv"


def render(page: Page | ExplorerPage, data: Mapping[str, Any], skeletons: str) -> str:
    """The file's text. `data` is what the map reads; `skeletons` is base64."""
    pages = Environment(
        loader=PackageLoader("kinestream.viz", "page"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    pages.filters["base64"] = lambda content: base64.b64encode(content).decode("ascii")
    pages.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":"), "allow_nan": False}
    own = "report" if isinstance(page, Page) else "explore"
    template = pages.get_template(f"{own}.html")
    return template.render(page=page, data=data, skeletons=skeletons, scripts=(*_SCRIPTS, f"{own}.js", "page.js"))
