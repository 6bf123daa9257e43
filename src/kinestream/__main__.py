"""The command: `python -m kinestream`, and the console script."""

import os
import signal
import sys

_INTERRUPTED = 130  # as `kinestream.distributed.launch` has it, which takes time to load


def command() -> None:
    """Runs `kinestream.cli.main` so that Ctrl-C is no traceback at any time, also while modules load or are left."""
    signal.signal(signal.SIGINT, _leave)
    from kinestream.cli import main

    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        code = main()
    except KeyboardInterrupt:  # once more, while the first was seen to
        code = _INTERRUPTED
    signal.signal(signal.SIGINT, _leave)
    sys.exit(code)


def _leave(*_: object) -> None:
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    command()
