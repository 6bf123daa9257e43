"""The demonstration: does it end with what it promises, and is learning worth something in it?"""

import re
from pathlib import Path

import pytest

from kinestream.cli import main


def test_the_demonstration_shows_that_learning_beats_raw_coordinates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = Path("demo")
    assert main(["demo", "--out", str(out), "--clips", "360"]) == 0
    shown = capsys.readouterr().out
    lines = shown.splitlines()
    assert len(lines) <= 40
    found = re.findall(r"by (.+?) in ([\d.]+) % \(([\d.]+) to ([\d.]+)\)", " ".join(lines))
    assert [name for name, *_ in found] == [
        "the encoder",
        "the same networks without training",
        "the best raw coordinates",
    ]
    (_, own, low, _), (_, twin, _, _), (_, raw, _, high) = found
    assert float(low) > float(high), "the intervals of the encoder and of raw coordinates are apart"
    assert float(own) > float(twin) > float(raw) - 10
    assert [path.name for path in tmp_path.iterdir()] == ["demo"], "nothing is left beside it"
    page = out / "explore.html"
    assert str(page) in shown
    assert page.stat().st_size > 100_000
    assert "kinestream embed recordings/" in shown
    assert "WARNING" not in shown

    assert main(["demo", "--out", str(out)]) == 1
    assert "is not empty" in capsys.readouterr().err
