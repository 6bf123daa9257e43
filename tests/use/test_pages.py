"""The how-to pages on embedding, search, exploring and few labels: commands and programs are run, in their order."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from tests.stores import SMALL
from tests.use.conftest import movement

import kinestream as ks
from kinestream.cli import main
from kinestream.recipes import Recipe
from kinestream.skeleton.pose import standing
from kinestream.train.pretrain import pretrain

PAGES = Path(__file__).parents[2] / "docs" / "how-to"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with recordings and an encoder that has learnt a little from them."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "recordings").mkdir()
    pose = standing(ks.layouts.load("mediapipe33"))
    for number in range(8):
        rng = np.random.default_rng(number)
        joints = np.tile(pose, (50, 1, 1)) + rng.normal(0, 0.005, (50, *pose.shape))
        joints[:, 15, 1] += np.sin(np.linspace(0, 3 + number, 50))
        np.save(folder / "recordings" / f"move-{number}.npy", joints)
    store = ks.prepare(folder / "recordings", folder / "store", layout="mediapipe33", fps=30)
    recipe = {**SMALL, "epochs": 1, "dataset": None, "split": None, "readout": {"whitening": 0.5}}
    pretrain(store, Recipe.from_dict(recipe, "test"), out=folder / "runs" / "mine", name="small", device="cpu")
    return folder


def test_the_pages_are_true(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for needed in ("pyarrow", "pandas", "matplotlib"):
        pytest.importorskip(needed)
    monkeypatch.chdir(place)
    labels = [f"move-{number},{'up' if number % 2 else 'down'}" for number in range(8)]
    for name in ("embed.md", "search.md", "explore.md", "few-labels.md"):
        Path("labels.csv").write_text("\n".join(["name,label", *labels]))
        text = (PAGES / name).read_text("utf-8")
        known: dict[str, object] = {}
        parts = re.findall(r"^    kinestream ([^\n]*)$|```python\n(.*?)```", text, re.MULTILINE | re.DOTALL)
        assert len(parts) >= 3
        for words, program in parts:
            if words:
                if "--labels" in words and name == "explore.md":  # what the page saves
                    Path("labels.csv").write_text("name,label\nmove-0,walk\n", "utf-8")
                assert main(shlex.split(words)) == 0, capsys.readouterr().err
            else:
                exec(compile(program, name, "exec"), known)
    assert {path.name for path in place.glob("*.html")} == {"explore.html", "again.html"}
    assert {path.name for path in place.glob("hits.*")} == {"hits.png", "hits.csv"}
    said = capsys.readouterr().out
    assert "next: kinestream search move-0 --in movements.parquet" in said


MADE_UP = ("--units", "m", "--up", "y", "--trust")


def test_commands_tell_a_mistake_in_one_line(
    place: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("files").mkdir()
    for number in range(3):
        np.save(f"files/m{number}.npy", movement(number))
    embed = ["embed", "files", "--encoder", str(run), "--layout", "kinect20", "--device", "cpu", *MADE_UP]
    assert main([*embed, "--out", "a.npz"]) == 0
    capsys.readouterr()
    for words, message in (
        ([*embed, "--out", "b.npz", "--windows", "2s"], "no frame rate is known"),
        ([*embed, "--out", "b.npz", "--windows", "2h"], "windows '2h': a number of seconds is meant"),
        ([*embed, "--out", "b.txt"], "an archive of embeddings ends with"),
        (["embed", "nowhere", "--encoder", str(run), "--out", "b.npz"], "no file or folder nowhere"),
        (["embed", "files", "--encoder", "norun", "--out", "b.npz", "--layout", "kinect20"], "norun is no run folder"),
        (["search", "m9", "--in", "a.npz"], "unknown recording 'm9'"),
        (["search", "m1", "--in", "c.npz"], "no archive of embeddings c.npz"),
        (["search", "m1", "--in", "a.npz", "--top", "0"], "k (0) must be in 1..3"),
        (["search", "m1", "--in", "a.npz", "--out", "hits.jpg"], "a table is .csv, a sheet is .png"),
        (["search", "m1", "--in", "a.npz", "--not-same", "person"], "who the query shows is not known"),
        (["search", "files/m1.npy", "--in", "a.npz", "--encoder", str(place / "runs" / "mine")], "another encoder"),
    ):
        assert main(words) == 1, words
        said = capsys.readouterr().err
        assert message in said.splitlines()[-1], said
        assert "Traceback" not in said
    assert not list(tmp_path.glob("b.*"))
    pytest.importorskip("matplotlib")
    assert main(["search", "m1", "--in", "a.npz", "--top", "2", "--out", "hits.png"]) == 0
    Path("files/m0.npy").unlink()
    assert main(["search", "m1", "--in", "a.npz", "--top", "2", "--out", "hits.png"]) == 0
    assert "1 of 2 hits are not drawn" in capsys.readouterr().err
