"""What a command shows: progress, tables, words. Bars on a terminal, plain lines in a log."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

LOG_SECONDS = 10.0
"""Time between two progress lines where there is no terminal."""
_LOG_WIDTH = 120

Advance = Callable[..., None]
"""`advance(done, total, note="")`."""


class Screen:
    """Progress goes to standard error, results to standard output."""

    def __init__(self) -> None:
        self.out = _console(stderr=False)
        self.err = _console(stderr=True)

    @contextmanager
    def progress(self, what: str, unit: str) -> Iterator[Advance]:
        """Gives `advance(done, total, note)`; shows rate and remaining time until the block ends."""
        if self.err.is_terminal:
            with self._bar(what, unit) as advance:
                yield advance
        else:
            yield _Lines(self.err, what, unit).advance

    @contextmanager
    def _bar(self, what: str, unit: str) -> Iterator[Advance]:
        # One line on a terminal of 80 columns: the note takes what is left and gives way first.
        note = TextColumn("{task.fields[note]}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"))
        columns = (
            TextColumn("{task.description}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=12),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            _Rate(unit, table_column=Column(no_wrap=True)),
            TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True)),
            TextColumn("left", table_column=Column(no_wrap=True)),
            note,
        )
        with Progress(*columns, console=self.err, expand=True) as bar:
            task = bar.add_task(what, total=None, note="")

            def advance(done: int, total: int, note: str = "") -> None:
                bar.update(task, completed=done, total=total, note=note)

            yield advance

    def hush(self) -> None:
        """Nothing is shown from here on: another process speaks."""
        self.out.quiet = self.err.quiet = True

    def say(self, text: str) -> None:
        self.out.print(text, markup=False, highlight=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """Something that the user must not miss."""
        self.err.print(Text(f"WARNING: {text}", style="bold red"), soft_wrap=True)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """The first column is text, the others are numbers."""
        table = Table(title=title, title_justify="left", title_style="bold")
        for position, column in enumerate(columns):
            table.add_column(column, justify="right" if position else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(str(cell)) for cell in row))
        self.out.print(table)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else _LOG_WIDTH)


class _Rate(ProgressColumn):
    def __init__(self, unit: str, table_column: Column) -> None:
        super().__init__(table_column)
        self._unit = unit

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f} {self._unit}/s" if task.speed else "")


class _Lines:
    """A line at the beginning of the work, at its end, and every few seconds between."""

    def __init__(self, console: Console, what: str, unit: str) -> None:
        self._console = console
        self._what = what
        self._unit = unit
        self._began = self._last = time.monotonic()
        self._first: int | None = None

    def advance(self, done: int, total: int, note: str = "") -> None:
        now = time.monotonic()
        if self._first is None:
            self._first, self._began = done, now
        if done < total and now - self._last < LOG_SECONDS:
            return
        self._last = now
        seconds = now - self._began
        rate = (done - self._first) / seconds if seconds > 0 else 0.0
        left = f", {_duration((total - done) / rate)} left" if rate > 0 and done < total else ""
        line = f"{self._what}: {done}/{total} {self._unit}, {rate:.1f} {self._unit}/s, {_duration(seconds)}{left}"
        self._console.print(f"{line}  {note}".rstrip(), markup=False, highlight=False, soft_wrap=True)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
