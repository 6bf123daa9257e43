"""Starts a command in several processes of this machine and looks after them. Knows no torch: it waits, no more.

The processes find each other by the environment variables of torchrun, so that a command need not know whether this,
torchrun or a cluster has started it.
"""

import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import IO, TYPE_CHECKING, Literal

from kinestream.distributed.memory import keep_memory

if TYPE_CHECKING:
    import torch

FAILED, LOST, INTERRUPTED = 1, 3, 130
"""Exit status of work that cannot be done, where another process of the same command is gone, and after Ctrl-C."""

GO_ON = "what was written is whole: give the same command again, a training with --resume"
"""What to do when a process was lost."""

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["32-true", "bf16-mixed", "16-mixed", "64-true", "spectral-bf16"]
"""Lightning's, and 32-true but for the products of spectra, which round to bfloat16 (`models.kernels.rounding`)."""

_GRACE_SECONDS = 20.0
"""For the others to end by themselves after one has failed."""
_POLL_SECONDS = 0.05


class LostContactError(ConnectionError):
    """Another process of this command is gone."""


def device_named(device: Device) -> "torch.device":
    """The device of one process, which keeps its memory from here on; "auto" is a GPU where there is one. Raises
    ValueError where there is no GPU for "cuda"."""
    import torch

    keep_memory()
    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        raise ValueError("torch finds no CUDA device here: leave --device out, or give cpu")
    if not there or device == "cpu":
        return torch.device("cpu")
    torch.backends.cudnn.allow_tf32 = False  # convolutions are as exact as products; a training may say otherwise
    return torch.device("cuda")


def check_device(device: object) -> None:
    """Before any work. Raises ValueError where "cuda" is asked for and there is no GPU; for others torch is not
    loaded."""
    if device == "cuda":
        device_named("cuda")


def in_processes(words: Sequence[str], processes: int) -> None:
    """Goes on where this is one of the processes, or all there is to be. Else starts `processes` of `kinestream WORDS`,
    waits for them and ends with their exit status (SystemExit). Raises ValueError for an impossible number."""
    if processes < 1:
        raise ValueError(f"--devices ({processes}) must be at least 1")
    if processes > 1 and not is_worker():
        raise SystemExit(supervise(words, processes))


def stopping_signals() -> tuple[signal.Signals, ...]:
    """Those that ask a process to end: of the user, of the system, and of a terminal that is gone, unless that is to be
    survived (nohup)."""
    names = ["SIGINT", "SIGTERM", *(["SIGHUP"] if hasattr(signal, "SIGHUP") else [])]
    every = [signal.Signals[name] for name in names]
    return tuple(one for one in every if one.name != "SIGHUP" or signal.getsignal(one) != signal.SIG_IGN)


def is_worker() -> bool:
    """Whether this process is one of several that this module, torchrun or SLURM's srun has started."""
    in_slurm = "SLURM_NTASKS" in os.environ and os.environ.get("SLURM_JOB_NAME") not in ("bash", "interactive")
    return "LOCAL_WORLD_SIZE" in os.environ or (in_slurm and os.environ["SLURM_NTASKS"] != "1")


def is_first() -> bool:
    """Whether this process is the only one, or the first of several that were started together."""
    return os.environ.get("RANK", os.environ.get("SLURM_PROCID", "0")) == "0" or not is_worker()


def check_shares(batch_size: int, processes: int) -> None:
    """Raises ValueError when so many processes cannot share a batch equally."""
    if batch_size % processes:
        raise ValueError(
            f"{processes} processes cannot share a batch of {batch_size} clips equally: take another number, or "
            "--set batch_size=..."
        )


def supervise(words: Sequence[str], processes: int) -> int:
    """Runs `kinestream WORDS` in so many processes and gives the exit status.

    Only process 0 speaks, unless another fails for a reason of its own. SIGINT, SIGTERM and SIGHUP go to all. When one
    dies, the others are ended, and it is said which it was.
    """
    with ExitStack() as stack:
        spoken = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(1, processes)]
        workers = [
            subprocess.Popen(
                [sys.executable, "-m", "kinestream", *words],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=None if rank == 0 else subprocess.DEVNULL,
                stderr=None if rank == 0 else spoken[rank - 1],
                start_new_session=True,  # a Ctrl-C at the terminal comes to them through here, once
            )
            for rank, env in enumerate(_environments(processes))
        ]
        with _forwarding(workers) as asked:
            failed = _wait(workers)
        return _verdict([worker.returncode for worker in workers], failed, spoken, stopped=bool(asked))


def _environments(processes: int) -> Iterator[Mapping[str, str]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "GROUP_RANK": "0",
    }
    for rank in range(processes):
        yield {**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}


def _wait(workers: Sequence["subprocess.Popen[bytes]"]) -> list[int]:
    """Until all have ended; those that failed by themselves, in the order in which they did."""
    failed: list[int] = []
    deadline = math.inf
    while True:
        running = [worker for worker in workers if worker.poll() is None]
        if time.monotonic() <= deadline:
            codes = enumerate(worker.returncode for worker in workers)
            failed += [rank for rank, code in codes if code not in (None, 0, INTERRUPTED) and rank not in failed]
        if not running:
            return failed
        if failed and deadline == math.inf:
            deadline = time.monotonic() + _GRACE_SECONDS
        if time.monotonic() > deadline:
            for worker in running:
                worker.kill()
        time.sleep(_POLL_SECONDS)


def _verdict(codes: Sequence[int], failed: Sequence[int], spoken: Sequence[IO[bytes]], *, stopped: bool) -> int:
    if not failed:
        return INTERRUPTED if INTERRUPTED in codes else 0
    # Who lost contact did so because another failed.
    first = next((rank for rank in failed if codes[rank] != LOST), failed[0])
    code = codes[first]
    if code < 0 and stopped:
        return INTERRUPTED
    if code < 0:
        how = signal.Signals(-code).name
        sys.stderr.write(f"process {first} of {len(codes)} was ended by {how}, and the others with it; {GO_ON}\n")
        return FAILED
    if first and codes[0] in (0, LOST):
        spoken[first - 1].seek(0)
        sys.stderr.write(f"process {first} of {len(codes)}: {spoken[first - 1].read().decode(errors='replace')}")
    return FAILED if code == LOST else code


@contextmanager
def _forwarding(workers: Sequence["subprocess.Popen[bytes]"]) -> Iterator[list[int]]:
    """SIGINT, SIGTERM and SIGHUP go to the workers; gives those that came."""
    came: list[int] = []

    def forward(number: int, frame: FrameType | None) -> None:
        came.append(number)
        for worker in workers:
            worker.send_signal(number)

    before = {number: signal.signal(number, forward) for number in stopping_signals()}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
