"""The command line: a table of commands. A command's module is imported only when it is asked for."""

import importlib
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from kinestream import exits

COMMANDS = {
    "generate": ("generate", "write made-up recordings in a data set's raw format, to try things out"),
    "prepare": ("prepare", "read a folder of raw recordings into a store"),
    "import": ("import_data", "make a store from arrays or pickles that others prepared"),
    "export-data": ("export_data", "write a store's recordings in the form of others"),
    "import-weights": ("import_weights", "make encoders from the 3s-CACA authors' released weights"),
    "check": ("check", "look a store over: counts per split and class, integrity, odd recordings"),
    "show": ("show", "draw a recording of a store as a strip of frames or an animation"),
    "recipes": ("recipes", "list what can be run by name, with its published figure"),
    "pretrain": ("pretrain", "learn an encoder from unlabelled clips, as a recipe says"),
    "reproduce": ("reproduce", "run a recipe and its evaluations, and report them beside the published figure"),
    "features": ("features", "compute a run's features once, for all evaluations, on one device or several"),
    "evaluate linear": ("evaluate_linear", "accuracy of a linear layer on the frozen encoder"),
    "evaluate knn": ("evaluate_knn", "accuracy of nearest neighbours of the frozen encoder"),
    "evaluate probe-grid": (
        "evaluate_probe_grid",
        "a linear layer, its rate and decay chosen on held-out training clips",
    ),
    "evaluate retrieval": ("evaluate_retrieval", "search by example: precision at k, mAP, a sheet of what was found"),
    "evaluate cluster": ("evaluate_cluster", "clusters of the features against the classes"),
    "evaluate finetune": ("evaluate_finetune", "accuracy after fine-tuning with all labels"),
    "evaluate semi": ("evaluate_semi", "accuracy after fine-tuning with few labels"),
    "evaluate supervised": ("evaluate_supervised", "the same encoder from random weights with all labels"),
    "evaluate transfer": ("evaluate_transfer", "encoders of one data set on another, also of another sensor"),
    "plot embedding": ("plot_embedding", "draw the test clips by their features, before and after pre-training"),
    "plot confusion": ("plot_confusion", "draw what is taken for what, with the worst pairs by name"),
    "plot curves": ("plot_curves", "draw every term of the loss and the online 1-NN over the epochs"),
    "plot classes": ("plot_classes", "draw the accuracy class by class beside the untrained encoder"),
    "plot agreement": ("plot_agreement", "draw what the streams agree on in stage 2, and how right it is"),
    "report": ("report", "write a run as one page to explore: results, figures, a map of its clips"),
    "compare": ("compare", "set runs side by side: what differs, how they learnt, what they reached"),
}
"""Words of a command: its module below `kinestream.commands`, and what it does."""

_MISUSE = 2

_FIRST_LOOK = """\
  kinestream generate ntu60 raw/ --clips 600
  kinestream prepare ntu60 raw/ store/ --preparation tracked
  kinestream pretrain demo --data store/ --out runs/demo
  kinestream evaluate knn runs/demo --data store/"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. The exit status: 0, 1 for work that cannot be done, 2 for a wrong call, 3 where another process
    of the same command is gone, 130 after Ctrl-C."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words == ["--version"]:
        print(f"kinestream {version('kinestream')}")
        return 0
    name = " ".join(words[:2]) if " ".join(words[:2]) in COMMANDS else " ".join(words[:1])
    if name not in COMMANDS:
        return _overview(words)
    module = importlib.import_module(f"kinestream.commands.{COMMANDS[name][0]}")
    from kinestream.configs import parse_command

    try:
        config = parse_command(module.Config, f"kinestream {name}", module.__doc__ or "", words[len(name.split()) :])
        module.run(config)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else _MISUSE
    except KeyboardInterrupt:
        print("interrupted; nothing half-written is left", file=sys.stderr)
        return exits.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.FAILED
    except (ValueError, OSError) as error:
        if os.environ.get("KINESTREAM_TRACEBACK"):
            raise
        print(f"kinestream {name}: {error}", file=sys.stderr)
        return exits.LOST if isinstance(error, exits.LostContactError) else exits.FAILED
    return 0


def _overview(words: Sequence[str]) -> int:
    """Help for the table as a whole or for a group such as `evaluate`; a wrong word is an error."""
    group = [name for name in COMMANDS if words and name.split()[0] == words[0]]
    rest = words[1:] if group else words
    wrong = next((word for word in rest if word not in ("-h", "--help")), None)
    if wrong is not None:
        below = f" {words[0]}" if group else ""
        print(f"kinestream{below}: unknown command '{wrong}'; see 'kinestream{below} --help'", file=sys.stderr)
        return _MISUSE
    print("kinestream: representations of human actions from unlabelled 3D skeleton recordings\n")
    print("usage: kinestream COMMAND ...   (kinestream COMMAND --help for its arguments and examples)\n")
    for name in group or COMMANDS:
        print(f"  {name:<20} {COMMANDS[name][1]}")
    print("\nA first look, from nothing to an accuracy:")
    print(_FIRST_LOOK)
    return 0 if words else _MISUSE


def command() -> None:
    """The console script."""
    sys.exit(main())
