"""The command line: a table of commands. A command's module is imported only when it is asked for."""

import difflib
import importlib
import itertools
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from kinestream.distributed import launch
from kinestream.evaluate.settings import BUILTIN
from kinestream.failures import VARIABLE, line_of
from kinestream.plugins import add_plugin
from kinestream.words import shown

COMMANDS = {
    "demo": ("demo", "show in two minutes what kinestream does, without any data of your own"),
    "inspect": ("inspect", "show what recordings are: format, layout, people, rate, units, gaps"),
    "embed": ("embed", "embed recordings, or windows of them, into an archive of any size"),
    "search": ("search", "find what in an archive is most similar to a recording, or to a part of one"),
    "explore": ("explore", "write an archive as one page: a map whose clips play, to select and name them"),
    "suggest": ("suggest", "suggest what in an archive to label next"),
    "fit": ("fit", "learn a classifier from a few labels, with its accuracy on other people"),
    "predict": ("predict", "label recordings by a classifier, with probabilities"),
    "segment": ("segment", "cut long recordings into recurring movements, or into the labels of a classifier"),
    "export": ("export", "write an encoder or classifier as ONNX or for torch.export"),
    "prepare": ("prepare", "read recordings into a store: your own, a data set's, or prepared by others"),
    "check": ("check", "check a store: counts per split and class, integrity, odd recordings"),
    "show": ("show", "draw a recording of a store as a strip of frames or an animation"),
    "layouts": ("layouts", "list skeleton layouts, check one of your own, or draw one"),
    "generate": ("generate", "write made-up recordings in a data set's raw format, to try things out"),
    "export-data": ("export_data", "write a store's recordings in other formats"),
    "recipes": ("recipes", "list the recipes, with their published figures"),
    "pretrain": ("pretrain", "learn an encoder from unlabelled clips, as a recipe says"),
    "sweep": ("sweep", "run a recipe with several seeds or settings: means and deviations"),
    "reproduce": ("reproduce", "run a recipe and its evaluations, and report them beside the published figure"),
    "runs": ("runs", "list runs: progress, and accuracy beside the baselines"),
    "features": ("features", "compute a run's features once, for all evaluations, on one device or several"),
    "import-weights": ("import_weights", "make encoders from the 3s-CACA authors' released weights"),
    **{f"evaluate {name}": ("evaluate", text) for name, (_, _, text) in BUILTIN.items()},
    "plot": ("plot", "draw a figure of a run: embedding, confusion, curves, classes or agreement"),
    "report": ("report", "write a run as one page to explore: results, figures, a map of its clips"),
    "compare": ("compare", "compare runs: settings, curves and accuracies"),
}
"""Words of a command: its module below `kinestream.commands`, and what it does."""

_HEADINGS = {
    "demo": "Use an encoder",
    "prepare": "Data",
    "recipes": "Train",
    "evaluate linear": "Evaluate",
    "plot": "Look at runs",
}
"""By the first command below each."""

_MISUSE = 2
_DRAWING = ("jinja2", "matplotlib", "PIL")

_FIRST_LOOK = """\
  kinestream generate ntu60 raw/ --clips 600
  kinestream prepare ntu60 raw/ store/ --preparation tracked
  kinestream pretrain demo --data store/ --out runs/demo
  kinestream evaluate knn runs/demo --data store/"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. The exit status: 0, 1 for work that cannot be done, 2 for a wrong call, 3 where another process
    of the same command is gone, 130 after Ctrl-C. Whatever goes wrong is told in one line; `--traceback` before the
    command, or KINESTREAM_TRACEBACK=1, shows where in the code it came from, too."""
    typed = tuple(sys.argv[1:] if arguments is None else arguments)
    called = ["kinestream"]
    try:
        code = _run(typed, called)
        sys.stdout.flush()
        return code
    except SystemExit as end:
        return _MISUSE if isinstance(end.code, str) else end.code or 0
    except KeyboardInterrupt:
        print("interrupted; nothing half-written is left", file=sys.stderr)
        return launch.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return launch.FAILED
    except Exception as error:  # noqa: BLE001  the one net: a line for each
        if os.environ.get(VARIABLE):
            traceback.print_exc()
        missing = isinstance(error, ModuleNotFoundError) and error.name in _DRAWING
        line = (
            f'{called[-1]}: drawing needs {error.name}: pip install "kinestream[viz]"'  # type: ignore[attr-defined]
            if missing
            else line_of(error, called[-1], typed)
        )
        print(line, file=sys.stderr)
        return launch.LOST if isinstance(error, launch.LostContactError) else launch.FAILED


def _run(typed: Sequence[str], called: list[str]) -> int:
    """The exit status; what is called for messages is added to `called` once it is known."""
    words = _before_the_command(typed)
    if words == ["--version"]:
        print(f"kinestream {version('kinestream')}")
        return 0
    table = _with_registered() if words[:1] == ["evaluate"] else COMMANDS
    known = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in table), None)
    if _evaluates_several(words, table):
        known = "evaluate"
    if known is None:
        is_completion = words[:1] == ["completion"] and len(words) == 2
        return _completion(words[1]) if is_completion else _overview(words, table)
    called.append(f"kinestream {known}")
    module = command_module(known)
    from kinestream.arguments import parse_command, remember_words

    config = parse_command(module.Config, called[-1], module.__doc__ or "", words[len(known.split()) :])
    remember_words(typed)
    launch.check_device(getattr(config, "device", "auto"))
    try:
        module.run(config)
    finally:
        from kinestream.console import end_bars

        end_bars()
    return 0


def command_module(name: str) -> Any:
    """The command's `Config`, `run(config)` and help (`__doc__`)."""
    if name.startswith("evaluate "):
        from kinestream.commands.evaluate import command

        return command(name.removeprefix("evaluate "))
    if name == "evaluate":
        return importlib.import_module("kinestream.commands.evaluate_several")
    return importlib.import_module(f"kinestream.commands.{COMMANDS[name][0]}")


def _evaluates_several(words: Sequence[str], table: Mapping[str, tuple[str, str]]) -> bool:
    """`evaluate RUN`, several evaluations, or several runs: not one evaluation with options of its own."""
    if words[:1] != ["evaluate"] or len(words) < 2 or words[1].startswith("-"):
        return False
    plain = list(itertools.takewhile(lambda word: not word.startswith("-"), words[1:]))
    if f"evaluate {words[1]}" in table:
        return len(plain) > 2
    return "," in words[1] or len(plain) > 1 or os.path.exists(words[1])  # noqa: PTH110  before pathlib is needed


def _before_the_command(words: Sequence[str]) -> list[str]:
    """Sees to `--traceback`, and loads what `--plugin` names; gives the words that follow."""
    rest = list(words)
    while rest and rest[0].partition("=")[0] in ("--plugin", "--traceback"):
        option, given, plugin = rest.pop(0).partition("=")
        if option == "--traceback":
            os.environ[VARIABLE] = "1"  # the processes that this one starts see it, too
            continue
        if not given and not rest:
            raise ValueError("--plugin needs a Python file or the name of a module")
        add_plugin(plugin if given else rest.pop(0))
    return rest


def _with_registered() -> dict[str, tuple[str, str]]:
    """The table, with the evaluations of plug-ins."""
    from kinestream.evaluate import EVALUATIONS, settings_of

    more = [name for name in EVALUATIONS.names() if name not in BUILTIN]
    texts = {name: (settings_of(name).__doc__ or "").strip().partition("\n")[0].rstrip(".") for name in more}
    return {**COMMANDS, **{f"evaluate {name}": ("evaluate", text) for name, text in texts.items()}}


def _overview(words: Sequence[str], table: Mapping[str, tuple[str, str]]) -> int:
    """Help for the table as a whole or for a group such as `evaluate`; a wrong word is an error."""
    group = [name for name in table if words and name.split()[0] == words[0]]
    rest = words[1:] if group else words
    wrong = next((word for word in rest if word not in ("-h", "--help")), None)
    if wrong is not None:
        above = f"kinestream {words[0]}" if group else "kinestream"
        near = difflib.get_close_matches(wrong, [name.split()[-1] if group else name for name in group or table])
        hint = f": did you mean {' or '.join(near)}?" if near else ";"
        print(f"{above}: unknown command '{shown(wrong)}'{hint} see '{above} --help'", file=sys.stderr)
        return _MISUSE
    print("kinestream: one encoder for any skeleton\n")
    print("usage: kinestream COMMAND ...   (kinestream COMMAND --help for its arguments and examples)\n")
    for name in group or table:
        if not group and name in _HEADINGS:
            print(f"{_HEADINGS[name]}:")
        print(f"  {name:<20} {table[name][1]}")
    if group:
        print("\nSeveral in one call: kinestream evaluate [NAME ...] RUN; linear and knn if none is named.")
    print("\nBefore the command: --plugin FILE.py|MODULE loads what others added; may be given several times.")
    print("--traceback shows where in the code an error came from.")
    print("Completion in a shell: kinestream completion bash|zsh|fish prints a script for it.")
    print("\nA first look, from nothing to an accuracy:")
    print(_FIRST_LOOK)
    return 0 if words else _MISUSE


def _completion(shell: str) -> int:
    """Prints a script that completes commands and their options."""
    if shell not in ("bash", "zsh", "fish"):
        print(f"kinestream completion: no script for '{shown(shell)}': bash, zsh or fish", file=sys.stderr)
        return _MISUSE
    from kinestream.arguments import print_completion
    from kinestream.data.datasets import dataset_names, load_dataset
    from kinestream.recipes.families import published_recipes
    from kinestream.skeleton.layout import layout_names

    recipes, data = list(published_recipes()), list(dataset_names())
    splits = dict.fromkeys(split for name in data for split in load_dataset(name).splits)
    print_completion(
        {name: (command_module(name).Config, text) for name, (_, text) in COMMANDS.items()},
        shell,
        words={
            **dict.fromkeys(("pretrain", "reproduce", "sweep"), recipes),
            **dict.fromkeys(("prepare", "generate"), data),
            "plot": ["embedding", "confusion", "curves", "classes", "agreement"],
        },
        values={
            "--split": list(splits),
            "--layout": list(layout_names()),
            "--log": ["tensorboard", "wandb"],
            "--evaluate": list(BUILTIN),
            "--protocol": list(BUILTIN),
            "recipes --name": recipes,
        },
    )
    return 0
