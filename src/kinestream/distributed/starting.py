"""Commands that work in several processes."""

from typing import Any

from kinestream.config import command_words
from kinestream.distributed.launch import is_worker, supervise


def in_processes(name: str, config: Any, processes: int) -> None:
    """Goes on where this is one of the processes, or all there is to be. Else starts `processes` of the command, waits
    for them and ends with their exit status (SystemExit). Raises ValueError for an impossible number."""
    if processes < 1:
        raise ValueError(f"--devices ({processes}) must be at least 1")
    if processes > 1 and not is_worker():
        raise SystemExit(supervise(command_words(name, config), processes))
