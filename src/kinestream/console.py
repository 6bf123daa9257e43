"""What a command or a notebook shows: progress, tables, words. Bars on a terminal, plain lines in a log."""

import html
import importlib.util
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

from rich import progress as bars
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from kinestream.progress import Progress
from kinestream.words import printable

LOG_SECONDS = 10.0
"""Time between two progress lines where there is no terminal."""
_LOG_WIDTH = 120
_MOST_ROWS = 60
"""Of a table in a notebook."""

Advance = Callable[..., None]
"""`advance(done, total, note="")`."""


class Screen:
    """Progress goes to standard error, results to standard output."""

    def __init__(self) -> None:
        self.out = _console(stderr=False)
        self.err = _console(stderr=True)

    def progress_callback(self) -> Progress:
        """What shows the progress of the library's work: a bar for each piece that is under way, or lines."""
        # Bars in a notebook are widgets; without ipywidgets rich would write each of their states below the last.
        bars_there = self.err.is_jupyter and importlib.util.find_spec("ipywidgets") is not None
        return _Bars(self.err) if self.err.is_terminal or bars_there else _Lines(self.err)

    @contextmanager
    def progress(self, what: str, unit: str) -> Iterator[Advance]:
        """Gives `advance(done, total, note)`; shows rate and remaining time until the block ends."""
        show = self.progress_callback()
        try:
            yield lambda done, total, note="": show(what, unit, done, total, note)
        finally:
            end_bars()

    def quiet(self) -> None:
        """Nothing is shown from here on: another process speaks."""
        self.out.quiet = self.err.quiet = True

    def notice(self, text: str) -> None:
        """What the library has to say while it works."""
        if text.startswith("LEAK"):
            self.warn(text)
        else:
            self.err.print(Text(printable(f"note: {text}"), style="yellow"), soft_wrap=True)

    def say(self, text: str) -> None:
        self.out.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """Something that the user must not miss."""
        self.err.print(Text(printable(f"WARNING: {text}"), style="bold red"), soft_wrap=True)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """The first column is text, the others are numbers."""
        self.out.print(_table(title, columns, rows))


def show_progress() -> Progress:
    """What shows the progress of any call of the library, in a notebook or a script: bars, or plain lines in a log.

    Example:
        >>> archive = embed("recordings/", "runs/mine", "a.npz", progress=show_progress())  # doctest: +SKIP
    """
    return Screen().progress_callback()


def table_html(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table for a notebook; of more than 60 rows the first.

    Example:
        >>> table_html("hits", ["name"], [["<b>"]])
        '<table><caption>hits</caption><tr><th>name</th></tr><tr><td>&lt;b&gt;</td></tr></table>'
    """

    def line(cells: Sequence[object], kind: str) -> str:
        return "<tr>" + "".join(f"<{kind}>{html.escape(str(cell))}</{kind}>" for cell in cells) + "</tr>"

    some = [line(row, "td") for row in islice(rows, _MOST_ROWS + 1)]
    if len(some) > _MOST_ROWS:
        some[-1] = line(["..."], "td")
    return f"<table><caption>{html.escape(title)}</caption>{line(columns, 'th')}{''.join(some)}</table>"


def table_text(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table as text, as wide as the terminal. The first column is text, the others are numbers."""
    console = _console(stderr=False)
    with console.capture() as capture:
        console.print(_table(title, columns, rows))
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    # As `Text`, never as str: rich would take brackets in the names of others for its markup.
    table = Table(title=Text(printable(title)), title_justify="left", title_style="bold")
    for position, column in enumerate(columns):
        table.add_column(Text(printable(column)), justify="right" if position else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(str(cell))) for cell in row))
    return table


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else _LOG_WIDTH)


_running: list[bars.Progress] = []


def end_bars() -> None:
    """Leaves the terminal as it was, also where work ended in the middle."""
    while _running:
        _running.pop().stop()


class _Bars:
    """Bars on a terminal, one below the other while several pieces of work are under way."""

    def __init__(self, console: Console) -> None:
        # One line on a terminal of 80 columns: the note takes what is left and gives way first.
        column = Column(ratio=1, no_wrap=True, overflow="ellipsis")
        note = bars.TextColumn("{task.fields[note]}", markup=False, table_column=column)
        self._shown = bars.Progress(
            bars.TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            bars.BarColumn(bar_width=12),
            bars.MofNCompleteColumn(table_column=Column(no_wrap=True)),
            _Rate(table_column=Column(no_wrap=True)),
            bars.TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True)),
            bars.TextColumn("left", table_column=Column(no_wrap=True)),
            note,
            console=console,
            expand=True,
        )
        self._tasks: dict[str, bars.TaskID] = {}

    def __call__(self, what: str, unit: str, done: int, total: int, note: str = "", /) -> None:
        what, note = printable(what), printable(note)
        if what not in self._tasks and done >= total > 0:
            return  # said already
        if self._shown not in _running:
            end_bars()  # a terminal has room for one display
            self._shown.start()
            _running.append(self._shown)
        if what not in self._tasks:
            self._tasks[what] = self._shown.add_task(what, total=None, note="", unit=unit)
        self._shown.update(self._tasks[what], completed=done, total=total, note=note)
        if done >= total and len(self._tasks) > 1:
            self._shown.remove_task(self._tasks.pop(what))
        elif done >= total:
            end_bars()
            self._shown.remove_task(self._tasks.pop(what))


class _Rate(bars.ProgressColumn):
    def render(self, task: bars.Task) -> Text:
        return Text(f"{task.speed:.1f} {task.fields['unit']}/s" if task.speed else "")


class _Lines:
    """A line at the end of each piece of work, and every few seconds before."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun: dict[str, tuple[float, int]] = {}
        self._last: dict[str, float] = {}

    def __call__(self, what: str, unit: str, done: int, total: int, note: str = "", /) -> None:
        if what not in self._begun and done >= total > 0:
            return  # said already
        now = time.monotonic()
        began, first = self._begun.setdefault(what, (now, done))
        if done < total and now - self._last.setdefault(what, now) < LOG_SECONDS:
            return
        self._last[what] = now
        seconds = now - began
        rate = (done - first) / seconds if seconds > 0 else 0.0
        left = f", {_duration((total - done) / rate)} left" if rate > 0 and done < total else ""
        line = f"{what}: {done}/{total} {unit}, {rate:.1f} {unit}/s, {_duration(seconds)}{left}"
        self._console.print(printable(f"{line}  {note}".rstrip()), markup=False, highlight=False, soft_wrap=True)
        if done >= total:
            del self._begun[what], self._last[what]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
