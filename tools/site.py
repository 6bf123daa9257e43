"""Hooks of the documentation site (`mkdocs.yml`): pages that are made from the code, and links out of `docs/`.

The start page is the README, the changelog CHANGELOG.md. `<!-- commands: embed search -->` becomes the arguments and
examples of those commands, as their parser has them, and `<!-- recipes -->` the table of all recipes.
"""

import html
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
OUTSIDE = ("CITATION.cff", "CONTRIBUTING.md", "LICENSE", "examples/onnx_embed.py")
"""Files that pages point to, which do not lie in `docs/`: they are copied into the site."""
WHOLE_PAGES = {"index.md": "README.md", "changelog.md": "CHANGELOG.md"}
ALONE = ("index.md", "results.md")
"""Pages that are a section of their own: they have the room of its list."""
COMMANDS = re.compile(r"<!-- commands: (.*?) -->", re.DOTALL)


def on_files(files: Any, config: Any) -> Any:
    from mkdocs.structure.files import File

    for name in OUTSIDE:
        plain = f"{Path(name).name}.txt" if name.endswith(".md") else name
        files.append(File.generated(config, plain, content=(ROOT / name).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    where = page.file.src_uri
    if where in WHOLE_PAGES:
        markdown = (ROOT / WHOLE_PAGES[where]).read_text("utf-8").replace("](docs/", "](")
        markdown = markdown.replace("](CONTRIBUTING.md)", "](CONTRIBUTING.md.txt)")
    if where in ALONE:
        page.meta["hide"] = ["navigation"]
    markdown = markdown.replace("](../../examples/", "](../examples/")
    markdown = markdown.replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")
    markdown = COMMANDS.sub(lambda found: "\n".join(map(command, names_in(found[1]))), markdown)
    return markdown.replace("<!-- recipes -->", recipes()) if "<!-- recipes -->" in markdown else markdown


def names_in(marker: str) -> list[str]:
    """`a, evaluate b` of a marker as names of commands."""
    return [" ".join(name.split()) for name in marker.split(",")]


def command(name: str) -> str:
    """What a command does, its arguments and its examples, in Markdown."""
    from kinestream.cli import command_module

    module = command_module(name)
    description, _, examples = (module.__doc__ or "").partition("Examples:")
    lines = [f"## kinestream {name}", "", " ".join(description.split()).replace("<", "&lt;"), ""]
    rows = list(arguments(module.Config))
    if rows:
        lines += ["| argument | what |", "|---|---|", *(f"| {called} | {text} |" for called, text in rows), ""]
    if examples.strip():
        lines += [f"    {line.strip()}" for line in examples.strip().splitlines()]
    return "\n".join([*lines, ""])


def arguments(config: type[Any]) -> Iterator[tuple[str, str]]:
    """How each argument of a command is called, and its help, out of the parser that reads the command line."""
    import tyro.extras

    from kinestream.arguments import _STYLE, _registry

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        parser = tyro.extras.get_parser(config, config=_STYLE, registry=_registry)
    for action in parser._actions:
        if "--help" in action.option_strings:
            continue
        words = [*action.option_strings[-1:], *([str(action.metavar)] if action.metavar else [])]
        yield f"`{cell(' '.join(words))}`", cell(html.escape((action.help or "").strip(), quote=False))


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def recipes() -> str:
    """The recipes by method: data, streams, epochs and the published accuracy."""
    from kinestream.recipes.families import published_recipes

    groups: dict[str, list[str]] = {}
    sources: dict[str, int] = {}
    for name, plain in published_recipes().items():
        data = f"{plain['dataset']} {plain['split']}" if plain.get("dataset") else "any"
        streams = plain["streams"]
        shown = ", ".join(streams) if len(streams) <= 3 else f"{len(streams)} streams"
        figure = "-"
        if published := plain.get("published"):
            figure = f"{published['accuracy']:.2f} [{sources.setdefault(published['what'], len(sources) + 1)}]"
        row = f"| `{name}` | {data} | {shown} | {plain['epochs']} | {figure} |"
        groups.setdefault(plain["method"]["name"], []).append(row)
    lines = []
    for method, rows in sorted(groups.items()):
        lines += [
            f"## {method}",
            "",
            "| recipe | data | streams | epochs | published top-1, % |",
            "|---|---|---|---|---|",
        ]
        lines += [*sorted(rows), ""]
    lines += ["## Sources of the published figures", ""]
    lines += [f"{number}. {cell(source)}" for source, number in sources.items()]
    return "\n".join(lines)
