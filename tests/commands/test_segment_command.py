"""`kinestream segment` as a user meets it, and the sheet of groups."""

import csv
from pathlib import Path

import numpy as np
import pytest
from tests.stores import write_small_run

import kinestream as ks
from kinestream.cli import main
from kinestream.use.model import Model
from kinestream.use.segment import segment

MADE_UP = ["--layout", "kinect20", "--units", "m", "--up", "y", "--trust"]
RATE = [*MADE_UP, "--fps", "20", "--window", "0.5"]


@pytest.fixture(scope="module")
def run(small_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_run(tmp_path_factory.mktemp("runs") / "run", small_store, "joint")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings of the same three poses, in turns."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    held = rng.normal(0, 0.4, (3, 20, 3))
    for name, order in (("a", (0, 1, 0, 2)), ("b", (2, 1))):
        joints = np.concatenate([np.repeat(held[number][None], 30, axis=0) for number in order])
        np.save(folder / f"{name}.npy", joints + rng.normal(0, 0.005, joints.shape))
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_pieces_of_several_recordings_in_one_file(
    run: Path, files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "segments.csv"
    words = ["segment", str(files), "--encoder", str(run), "--out", str(out), "--groups", "3", *RATE]
    assert main(words) == 0
    made = rows(out)
    assert {row["recording"] for row in made} == {"a", "b"}
    mine = [row for row in made if row["recording"] == "a"]
    assert (float(mine[0]["start"]), float(mine[-1]["end"])) == (0.0, 6.0)
    assert {row["group"] for row in made} == {"0", "1", "2"}
    assert {row["label"] for row in made} == {""}
    said = capsys.readouterr().out
    assert str(out) in said
    assert "2 recordings" in said
    named = tmp_path / "named.csv"
    assert (
        main(
            [
                *(*words[:4], "--out", str(named), "--groups", "3", *RATE),
                *("--merge", "1,2", "--name", "1=busy", "--name", "0=rest"),
            ]
        )
        == 0
    )
    assert {(row["group"], row["label"]) for row in rows(named)} == {("0", "rest"), ("1", "busy")}


def test_the_command_is_the_call(run: Path, files: Path, tmp_path: Path) -> None:
    out = tmp_path / "segments.csv"
    assert (
        main(["segment", str(files / "a.npy"), "--encoder", str(run), "--out", str(out), "--groups", "3", *RATE]) == 0
    )
    (move,) = ks.read(files / "a.npy", layout="kinect20", fps=20, units="m", up="y", trust=True)
    found = ks.load(run).segment(move, groups=3, window=0.5)
    assert [(int(row["start_frame"]), int(row["group"])) for row in rows(out)] == [
        (row.start_frame, row.group) for row in found
    ]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (MADE_UP, "has no frame rate"),
        (["--fps", "20"], "give --layout"),
        ([*RATE, "--groups", "0"], "0 groups of"),
        ([*RATE, "--groups", "3", "--name", "walk"], "--name 'walk': write it as 0=walk"),
        ([*RATE, "--groups", "3", "--merge", "1"], "--merge '1': write it as 1,2"),
        ([*RATE, "--groups", "3", "--name", "9=x"], "there is no group 9"),
        ([*RATE, "--sheet", "sheet.jpg"], "--sheet sheet.jpg"),
        ([*MADE_UP, "--fps", "20", "--window", "0"], "both must be above 0"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    words: list[str], reason: str, run: Path, files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "segments.csv"
    assert main(["segment", str(files / "a.npy"), "--encoder", str(run), "--out", str(out), *words]) == 1
    said = capsys.readouterr().err.strip()
    assert reason in said.replace("\n", " ")
    assert not out.exists()


def test_a_sheet_shows_each_group(run: Path, files: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from PIL import Image

    from kinestream.viz.group_sheet import CELL, draw_groups

    sheet = tmp_path / "groups.png"
    words = ["segment", str(files), "--encoder", str(run), "--out", str(tmp_path / "s.csv"), "--groups", "3", *RATE]
    assert main([*words, "--sheet", str(sheet)]) == 0
    with Image.open(sheet) as picture:
        assert picture.height == 3 * (CELL[1] + 12) + 12, "a row for each group"
        assert picture.width > 2 * CELL[0]
        assert picture.getextrema() != ((255, 255),) * 3
    moves = ks.read(files, layout="kinect20", fps=20, units="m", up="y", trust=True)
    found = segment(model_of(run), moves, groups=3, window=0.5)
    draw_groups(found, moves, tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == sheet.read_bytes(), "the same each time"
    draw_groups(found[0].named({0: "rest"}), moves[0], tmp_path / "one.png", examples=1)
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.width < 2 * CELL[0]
    with pytest.raises(ValueError, match=r"'.svg' is not .png"):
        draw_groups(found, moves, tmp_path / "groups.svg")
    with pytest.raises(ValueError, match="are not of these 1 recordings"):
        draw_groups(found, moves[:1], tmp_path / "no.png")


def model_of(run: Path) -> Model:
    return ks.load(run)
