"""What a command shows of the library's work: lines in a log, bars on a terminal."""

import io

import pytest
from rich.console import Console

from kinestream import console
from kinestream.console import Screen, end_bars
from kinestream.progress import Notice, Progress


def screen(*, terminal: bool) -> tuple[Screen, io.StringIO]:
    made, shown = Screen(), io.StringIO()
    made.err = Console(file=shown, force_terminal=terminal, width=80)
    return made, shown


def test_a_log_has_a_line_at_the_end_of_each_piece_of_work(monkeypatch: pytest.MonkeyPatch) -> None:
    made, shown = screen(terminal=False)
    show = made.progress_callback()
    assert isinstance(show, Progress)
    assert isinstance(made.notice, Notice)
    for done in (0, 1, 2, 2):
        show("train", "steps", done, 2, "loss 3")
    show("train", "steps", 0, 2)
    show("train", "steps", 2, 2)
    lines = shown.getvalue().splitlines()
    assert [line.split(",")[0] for line in lines] == ["train: 2/2 steps"] * 2
    assert lines[0].endswith("loss 3")
    monkeypatch.setattr(console, "LOG_SECONDS", 0.0)
    show("train", "steps", 0, 3)
    assert shown.getvalue().splitlines()[-1].startswith("train: 0/3 steps"), "every few seconds"


def test_tables_of_notebooks_are_cut() -> None:
    page = console.table_html("many", ["n"], ((n,) for n in range(1000)))
    assert page.count("<tr>") == 62
    assert page.endswith("<tr><td>59</td></tr><tr><td>...</td></tr></table>")


def test_progress_for_a_script_or_a_notebook(capsys: pytest.CaptureFixture[str]) -> None:
    show = console.show_progress()
    for done in (0, 1, 2):
        show("embed", "recordings", done, 2)
    said = capsys.readouterr()
    assert said.err.startswith("embed: 2/2 recordings")
    assert said.out == ""


def test_bars_of_work_within_work_share_a_terminal_that_is_left_as_it_was() -> None:
    made, shown = screen(terminal=True)
    show = made.progress_callback()
    show("train", "steps", 0, 2)
    for done in (0, 40):
        show("features", "clips", done, 40)
    with made.progress("check", "recordings") as advance:
        advance(0, 3)
    show("train", "steps", 1, 2)
    end_bars()  # where work broke off
    text = shown.getvalue()
    assert all(word in text for word in ("train", "features", "check"))
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") > 0, "the cursor is hidden and shown again"


def test_a_quiet_screen_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    made = Screen()
    made.quiet()
    made.notice("x")
    made.say("y")
    made.progress_callback()("train", "steps", 2, 2)
    assert capsys.readouterr() == ("", "")
