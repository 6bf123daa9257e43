"""The page: everything in one file, nothing loaded from elsewhere, every name of the user's escaped."""

import base64
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

_SCRIPTS = ("data.js", "player.js", "map.js", "legend.js", "page.js")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What stands in a table: words, or an accuracy with its interval, drawn as a bar of 0..100."""

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
    headings: Sequence[str]
    rows: Sequence[Row]
    results_note: str
    map_note: str
    pictures: Sequence[Picture]
    left_out: Sequence[str]
    configuration: str
    environment: str
    commands: Sequence[str]


def render(page: Page, data: Mapping[str, Any], skeletons: str) -> str:
    """The file's text. `data` is what the map reads; `skeletons` is base64."""
    assert re.fullmatch(r"[A-Za-z0-9+/=]*", skeletons)
    parts = {
        "title": html.escape(page.title),
        "subtitle": html.escape(page.subtitle),
        "facts": "".join(f"<div><dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd></div>" for k, v in page.facts),
        "warnings": "".join(f'<p class="warning">{html.escape(text)}</p>' for text in page.warnings),
        "results": _results(page),
        "results_note": html.escape(page.results_note),
        "map_note": html.escape(page.map_note),
        "pictures": "".join(map(_picture, page.pictures)),
        "left_out": "".join(f"<li>{html.escape(text)}</li>" for text in page.left_out),
        "left_out_state": "" if page.left_out else "hidden",
        "configuration": html.escape(page.configuration),
        "environment": html.escape(page.environment),
        "commands": html.escape("\n".join(page.commands)),
        "style": _file("page.css"),
        "script": "\n".join(_file(name) for name in _SCRIPTS),
        "data": script_json(data),
        "skeletons": skeletons,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _file("page.html"))


def script_json(data: Mapping[str, Any]) -> str:
    r"""JSON that no name in it can end the script element of.

    Example:
        >>> script_json({"class": "</script>"})
        '{"class":"\\u003c/script>"}'
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _results(page: Page) -> str:
    if not page.rows:
        return ""
    head = "".join(f'<th scope="col">{html.escape(heading)}</th>' for heading in page.headings)
    body = "".join(_row(row) for row in page.rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _row(row: Row) -> str:
    opening = '<tr class="strong">' if row.strong else "<tr>"
    return f"{opening}{''.join(map(_cell, row.cells))}</tr>"


def _cell(cell: Cell) -> str:
    if cell.value is None or cell.low is None or cell.high is None:
        return f"<td>{html.escape(cell.text)}</td>"
    bar = f"--v:{cell.value:.2f}%;--l:{cell.low:.2f}%;--w:{cell.high - cell.low:.2f}%"
    return f'<td class="measured"><span>{html.escape(cell.text)}</span><i class="bar" style="{bar}"><b></b></i></td>'


def _picture(picture: Picture) -> str:
    alternative = html.escape(f"{picture.title}. {picture.words}")
    images = "".join(
        f'<img class="{theme}" alt="{alternative}" loading="lazy" '
        f'src="data:image/{picture.kind};base64,{_base64(content)}">'
        for theme, content in (("light", picture.light), ("dark", picture.dark))
    )
    words = f"<b>{html.escape(picture.title)}.</b> {html.escape(picture.words)}"
    return f"<figure>{images}<figcaption>{words}</figcaption></figure>"


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
