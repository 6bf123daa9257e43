"""Work over portions of files, in one process or several, with a bounded memory."""

import contextlib
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from threading import Thread, current_thread, main_thread
from typing import TypeVar

from kinestream.plugins import load_plugins

Portion = TypeVar("Portion")
Result = TypeVar("Result")
_AHEAD = 3
"""Portions handed to each process before the first is done: they bound what lies in memory."""


def in_processes(
    work: Callable[[Portion], list[Result]], portions: Iterable[Portion], processes: int
) -> Iterator[Result]:
    """The results of all portions, in order. Raises ValueError when a process is killed."""
    if processes <= 1:
        for portion in portions:
            yield from work(portion)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("forkserver"), initializer=_begin_worker) as pool:
        try:
            yield from _in_order(pool, work, portions, most=processes * _AHEAD)
        except BrokenProcessPool:
            raise ValueError(
                "a worker process ended early: with too little memory try fewer processes, in a script of your own put "
                "what it does below 'if __name__ == \"__main__\":'; nothing was written"
            ) from None
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _in_order(
    pool: ProcessPoolExecutor, work: Callable[[Portion], list[Result]], portions: Iterable[Portion], most: int
) -> Iterator[Result]:
    waiting: deque[Future[list[Result]]] = deque()
    remaining = iter(portions)
    with _interrupts_held_back():
        waiting.extend(pool.submit(work, portion) for portion in islice(remaining, most))
    while waiting:
        yield from waiting.popleft().result()
        waiting.extend(pool.submit(work, portion) for portion in islice(remaining, 1))


@contextlib.contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Ctrl-C waits until the block ends: it would find processes half started, and each would show a traceback."""
    if current_thread() is not main_thread():
        yield
        return
    came: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: came.append(number))  # for this process
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # for those that it starts: they inherit this
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
    if came:
        signal.raise_signal(signal.SIGINT)


def _begin_worker() -> None:
    """Ctrl-C reaches all processes of a terminal, and only the first one acts on it. When that one is killed, the
    others end; they would wait for ever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    load_plugins()  # before what they brought is unpickled
    first = parent_process()
    if first is not None:
        Thread(target=_end_with, args=(first,), daemon=True).start()


def _end_with(process: BaseProcess) -> None:
    process.join()
    os._exit(1)
