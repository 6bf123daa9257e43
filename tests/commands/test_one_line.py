"""The one net: whatever goes wrong in a command is a line, and Ctrl-C is none."""

import csv
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kinestream.cli import main
from kinestream.commands import check
from kinestream.console import Screen, table_text

ERRORS = [
    (np.linalg.LinAlgError("SVD did not converge"), "features are not finite"),
    (
        RuntimeError("[enforce fail at x.cc:672] . PytorchStreamWriter failed writing file"),
        "disk is full",
    ),
    (MemoryError(), "not enough memory"),
    (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), "not enough memory"),
    (RecursionError("maximum recursion depth exceeded"), "nested too deeply"),
    (OverflowError("int too large"), "unexpected OverflowError (int too large), with"),
    (KeyError("offset"), "unexpected KeyError ('offset'), with"),
    (csv.Error("field larger than field limit (131072)"), "unexpected Error (field larger"),
    (struct.error("unpack requires a buffer of 4 bytes"), "unexpected error (unpack"),
    (SystemError("error return without exception set"), "unexpected SystemError"),
    (AttributeError(), "unexpected AttributeError (AttributeError)"),
    (PermissionError(13, "Permission denied", "/some/file"), "/some/file: Permission denied"),
    (ValueError("two\nlines \x1b[31mand colours"), "two lines ?[31mand colours"),
    (ValueError("x" * 10_000_000), "xxx"),
]


@pytest.mark.parametrize(("error", "said"), ERRORS, ids=lambda value: type(value).__name__)
def test_every_error_is_one_line(
    error: Exception, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("KINESTREAM_TRACEBACK", raising=False)

    def run(config: object) -> None:
        raise error

    monkeypatch.setattr(check, "run", run)
    assert main(["check", str(tmp_path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("kinestream check: ")
    assert said in line
    assert len(line) <= 2000
    assert line.isprintable()
    assert "unexpected" not in line or "--traceback" in line


def test_the_traceback_is_there_for_the_asking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KINESTREAM_TRACEBACK", "")  # put back after the test
    assert main(["--traceback", "check", str(tmp_path / "x")]) == 1
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert said.splitlines()[-1].startswith("kinestream check: no store at")


def test_ctrl_c_while_modules_load_is_no_traceback() -> None:
    program = """
import os, signal, sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "kinestream.evaluate.settings":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
sys.argv = ["kinestream", "--version"]
from kinestream.__main__ import command
command()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert not done.stdout + done.stderr


HOSTILE = ("[/red]", "[bold", "a[link=x]b", "\x1b[2J", "\x9b31m", "\u202egnp", "line\nline")


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_others_are_shown_as_they_are_and_do_nothing(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    screen.table(name, (name, name), [(name, name)])
    screen.say(name)
    screen.notice(name)
    screen.warn(name)
    with screen.progress(name, "steps") as advance:
        advance(0, 2, name)
        advance(2, 2, name)
    said = capsys.readouterr()
    text = said.out + said.err + table_text(name, (name,), [(name,)])
    assert not set(text) & set("\x1b\x9b\u202e")
    if name.startswith("["):
        assert text.count(name) >= 8
