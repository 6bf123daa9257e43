"""The words of a command line, read into a frozen dataclass: help from the docstrings of its fields.

Tyro reads them. What is here says how a field becomes an argument, and makes one line of what is wrong.
"""

import contextlib
import dataclasses
import inspect
import io
import json
import os
import re
import shutil
import sys
import textwrap
import typing
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from itertools import takewhile
from typing import Annotated, Any, NoReturn, TypeVar

import tyro
from docstring_parser import parse_from_object
from tyro.constructors import ConstructorRegistry, StructConstructorSpec, StructFieldSpec, StructTypeInfo
from tyro.extras import SubcommandApp

Config = TypeVar("Config")
_MISUSE = 2
_HELP_WIDTH = 100
_NO_WRAP = 10_000

_typed: ContextVar[tuple[str, ...]] = ContextVar("typed words", default=())


def required_option(called: str | None = None) -> Any:
    """A field without a default that is `--field VALUE` on the command line, not positional; `called` where its name
    there is a word that Python keeps for itself."""
    return dataclasses.field(metadata={"option": True, "called": called})


def option(called: str) -> Any:
    """A field that is None unless the command line has `--called VALUE`, a word that Python keeps for itself."""
    return dataclasses.field(default=None, metadata={"option": True, "called": called})


def optional_word() -> Any:
    """A field that is None unless the command line has a positional word for it."""
    return dataclasses.field(default=None, metadata={"positional": True})


def typed_words() -> tuple[str, ...]:
    """The words of the command that runs, as the user typed them, without `kinestream`."""
    return _typed.get()


def remember_words(words: Sequence[str]) -> None:
    """What `typed_words` gives from here on."""
    _typed.set(tuple(words))


def parse_command(config: type[Config], command: str, text: str, words: Sequence[str]) -> Config:
    """An instance of the dataclass `config` from the words of a command line.

    Fields without a default are positional, in order (or `required_option`), a tuple among them takes all words there
    are; the others are options. A bool is a switch, a tuple may be given several times. `text` is the command's help: a
    description, then what begins with "Examples:". Raises SystemExit after help (0), or with one line on standard
    error that says what is wrong (2).
    """
    description, _, examples = text.partition("Examples:")
    asked = "-h" in words or "--help" in words
    width = min(shutil.get_terminal_size().columns, _HELP_WIDTH) if asked else _NO_WRAP
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), _columns(width):
            return tyro.cli(
                config,
                prog=command,
                # tyro joins lines that begin with a letter
                description=textwrap.fill(" ".join(description.split()), 80, initial_indent=" ", subsequent_indent=" "),
                args=list(words),
                config=_STYLE,
                registry=_registry,
            )
    except SystemExit as end:
        if end.code:
            misuse(command, _in_one_line(said.getvalue(), command))
        if examples:
            sys.stdout.write(f"\nexamples:{examples.rstrip()}\n")
        raise


def misuse(command: str, text: str) -> NoReturn:
    """Says in one line what is wrong with the words of a command, and ends with status 2."""
    sys.stderr.write(f"{command}: {text}; see '{command} --help'\n")
    raise SystemExit(_MISUSE) from None


def print_completion(
    commands: Mapping[str, tuple[type[Any], str]],
    shell: str,
    *,
    words: Mapping[str, Sequence[str]],
    values: Mapping[str, Sequence[str]],
) -> None:
    """Prints a script that completes the words of `commands` (the dataclass and a line of help for each) in bash, zsh
    or fish: their options, the `words` that a command takes first, and the `values` of options (by `--option`, or
    by `command --option` for those of one command)."""
    every: Any = SubcommandApp()
    groups = {"": every}
    for name, (config, text) in commands.items():
        group, _, last = name.rpartition(" ")
        if group not in groups:
            groups[group] = every.command(SubcommandApp(), name=group)
        groups[group].command(config, name=last, help=text)
    script = io.StringIO()
    with contextlib.redirect_stdout(script), contextlib.suppress(SystemExit):
        every.cli(prog="kinestream", args=["--tyro-write-completion", shell, "-"], config=_STYLE, registry=_registry)
    # Within the script tyro's Python looks up what a command takes; names are told to it before it does.
    more = _MORE.replace("WORDS", _plain(words)).replace("VALUES", _plain(values))
    if shell == "fish":  # there it stands in double quotes
        more = re.sub(r'(["\\$])', r"\\\1", more)
    before = "import sys\nfrom typing import"
    assert before in script.getvalue(), "tyro writes another kind of script"
    sys.stdout.write(script.getvalue().replace(before, f"{more}{before}", 1))


def _plain(names: Mapping[str, Sequence[str]]) -> str:
    return json.dumps({key: [one for one in some if re.fullmatch(r"[\w.=+-]+", one)] for key, some in names.items()})


_MORE = """\
def _add_names(part, name, words, values):
    for option in part["options"]:
        flag = option["flags"][0]
        some = values.get(name + " " + flag) or values.get(flag)
        if some:
            option.update({"type": "choice", "choices": some})
    same = dict(part, subcommands={}, frontier_groups=[])
    for inner, below in part["subcommands"].items():
        _add_names(below, name + " " + inner, words, values)
    for word in words.get(name, ()):
        part["subcommands"][word] = dict(same, description=word)


for _name, _part in COMPLETION_SPEC["subcommands"].items():
    _add_names(_part, _name, WORDS, VALUES)

"""


_STYLE = (tyro.conf.FlagCreatePairsOff, tyro.conf.DisallowNone, tyro.conf.PositionalMetavarFromFieldName)
_registry = ConstructorRegistry()


@_registry.struct_rule
def _arguments_of(info: StructTypeInfo) -> StructConstructorSpec | None:
    if not dataclasses.is_dataclass(info.type) or info.type.__module__.startswith("tyro."):
        return None
    hints = typing.get_type_hints(info.type)
    classes = [kind for kind in reversed(info.type.__mro__) if dataclasses.is_dataclass(kind)]
    texts = {text.arg_name: text.description or "" for kind in classes for text in parse_from_object(kind).params}
    own = inspect.get_annotations(info.type)  # these first, then those of the classes it is made from
    entries = sorted(dataclasses.fields(info.type), key=lambda entry: entry.name not in own)
    return StructConstructorSpec(info.type, tuple(_argument(entry, hints, texts) for entry in entries))


def _argument(entry: "dataclasses.Field[Any]", hints: Mapping[str, Any], texts: Mapping[str, str]) -> StructFieldSpec:
    hint = hints[entry.name]
    default = entry.default if entry.default_factory is dataclasses.MISSING else entry.default_factory()
    repeated = typing.get_origin(hint) is tuple
    if default is dataclasses.MISSING:
        default = tyro.MISSING
        if not entry.metadata.get("option"):
            hint = Annotated[hint, tyro.conf.Positional]
    elif entry.metadata.get("positional"):
        hint = Annotated[hint, tyro.conf.Positional]
    elif repeated:
        hint = Annotated[hint, tyro.conf.UseAppendAction]
    if entry.metadata.get("called"):
        hint = Annotated[hint, tyro.conf.arg(name=entry.metadata["called"])]
    if repeated or default is None or isinstance(default, bool) or default == "":
        hint = Annotated[hint, tyro.conf.arg(help_behavior_hint="")]  # no "(default: None)"
    return StructFieldSpec(entry.name, hint, default, " ".join(texts.get(entry.name, "").split()))


@contextlib.contextmanager
def _columns(number: int) -> Iterator[None]:
    """Tyro asks how wide the terminal is."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(number)
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


def _in_one_line(box: str, command: str) -> str:
    """What is wrong, from the box that tyro draws around it; what it indents most is the help of arguments."""
    rows = [row.strip("│").rstrip() for row in re.sub("\x1b\\[[0-9;]*m", "", box).splitlines()[1:-1]]
    rows = textwrap.dedent("\n".join(row for row in rows if row.strip(" ─-"))).splitlines()
    said = takewhile(lambda row: not row.startswith(("For full help", "Argument help")), rows)
    text = " ".join(row.strip() for row in said if not row.startswith(" " * 8))
    text = text.replace(f" from {command}", "").replace(" Perhaps you meant", "; perhaps you meant")
    return text[:1].lower() + text[1:].rstrip(".")
