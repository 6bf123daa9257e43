"""`kinestream layouts`, and the page that tells how to write one."""

import re
from pathlib import Path

import pytest

from kinestream.cli import main
from kinestream.skeleton.layout import layout_names

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "how-to/own-layout.md").read_text("utf-8")
KEYS = (DOCS / "reference/layouts.md").read_text("utf-8")


@pytest.fixture
def layouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the page, where the test then is."""
    for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL):
        (tmp_path / text.split()[1]).write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_layout_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layouts"]) == 0
    words = capsys.readouterr().out
    assert all(name in words for name in layout_names())


def test_the_page_is_true(layouts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    commands = re.findall(r"^    kinestream (.*)$", PAGE, re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        assert main(command.split()) == 0, capsys.readouterr().err
    assert {path.name for path in layouts.glob("*.png")} == {"mediapipe33.png", "two-people.png", "markers39.png"}
    assert "derived: pelvis from left_hip and right_hip\n" in capsys.readouterr().out
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(program, "own-layout.md", "exec"), {})
    assert capsys.readouterr().out == "('T10', 'STRN')\n"


def test_the_page_names_every_key() -> None:
    from kinestream.skeleton.layout_file import _KEYS

    assert {key for row in re.findall(r"^\| (`.*?) \|", KEYS, re.MULTILINE) for key in re.findall(r"`(\w+)`", row)} == {
        *_KEYS
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ntu26"], "unknown layout 'ntu26': did you mean ntu25"),
        (["none.yaml"], "none.yaml: there is no such file"),
        (["ntu25", "--to", "body17"], "unknown layout 'body17'"),
        (["ntu25", "--draw", "a.gif"], "the suffix '.gif' is not one of"),
        (["--draw", "a.png"], "--draw needs a layout"),
    ],
)
def test_a_mistake_is_one_line(
    words: list[str], message: str, layouts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["layouts", *words]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert message in said[0]
    assert not list(layouts.glob("a.*"))


def test_what_cannot_be_made_of_a_layout_is_said(layouts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layouts", "two-people.yaml", "--to", "coco17"]) == 0
    assert "no joint map from layout two-people to coco17: nose, left_eye" in capsys.readouterr().out
