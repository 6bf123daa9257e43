"""TRC files with tabs and with commas, and what is refused."""

import csv
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests.data.formats.mutations import mutated, refusal_or

from kinestream.data.formats.markers import LARGEST
from kinestream.data.formats.trc import read
from kinestream.data.recording import Found, RecordingError, Source

NAMES = ("LKNE", "RKNE", "C7")


def trc(
    places: np.ndarray,
    names: tuple[str, ...] = NAMES,
    *,
    separator: str = "\t",
    units: str = "mm",
    rate: float = 100,
    said: int | None = None,
    trailing: int = 0,
    blank_line: bool = True,
) -> str:
    """NaN becomes a blank cell."""
    frames, count = places.shape[:2]
    rows: list[list[str]] = [
        ["PathFileType", "4", "(X/Y/Z)", "a.trc"],
        [
            "DataRate",
            "CameraRate",
            "NumFrames",
            "NumMarkers",
            "Units",
            "OrigDataRate",
            "OrigDataStartFrame",
            "OrigNumFrames",
        ],
        [f"{rate:g}", f"{rate:g}", str(frames if said is None else said), str(count), units, f"{rate:g}", "1", "9"],
        ["Frame#", "Time", *(cell for name in names for cell in (name, "", ""))],
        ["", "", *(f"{axis}{number + 1}" for number in range(count) for axis in "XYZ")],
        *([[]] if blank_line else []),
    ]
    for number, frame in enumerate(places):
        cells = ["" if np.isnan(value) else f"{value:.4f}" for value in frame.ravel()]
        rows.append([str(number + 1), f"{number / rate:.4f}", *cells, *[""] * trailing])
    return "\n".join(separator.join(row) for row in rows) + "\n"


def places(frames: int = 6, count: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-900, 900, size=(frames, count, 3)).round(4)


def read_all(folder: Path, text: str | bytes) -> list[Found]:
    path = folder / "a.trc"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read(Source(path=path, name="a"))


def read_one(folder: Path, text: str | bytes) -> Found:
    (found,) = read_all(folder, text)
    return found


@pytest.mark.parametrize("separator", ["\t", ","])
@pytest.mark.parametrize("trailing", [0, 1, 4])
@pytest.mark.parametrize("blank_line", [False, True])
def test_places_as_written(tmp_path: Path, separator: str, trailing: int, blank_line: bool) -> None:
    expected = places()
    text = trc(expected, separator=separator, trailing=trailing, blank_line=blank_line)
    found = read_one(tmp_path, text)
    np.testing.assert_array_equal(found.joints[:, 0], expected)
    assert (found.points, found.fps, found.units, found.up, found.notes) == (NAMES, 100, "mm", None, ())


@pytest.mark.parametrize("separator", ["\t", ","])
def test_blank_cells_are_not_seen(tmp_path: Path, separator: str) -> None:
    rng = np.random.default_rng(1)
    expected = places(200)
    expected[rng.random((200, 3)) < 0.4] = np.nan
    found = read_one(tmp_path, trc(expected, separator=separator, trailing=1))
    np.testing.assert_array_equal(found.joints[:, 0], expected)


@pytest.mark.parametrize("change", ["crlf", "mark", "spaces", "no end", "nan"])
def test_other_ways_to_write_the_same(tmp_path: Path, change: str) -> None:
    expected = places()
    expected[2, 1] = np.nan
    text = trc(expected)
    written = {
        "crlf": text.replace("\n", "\r\n").encode(),
        "mark": b"\xef\xbb\xbf" + text.encode(),
        "spaces": text.replace("\t", " \t  ").encode(),
        "no end": text.rstrip("\n").encode(),
        "nan": text.replace("\t\t\t\t", "\tNaN\tnan\tNaN\t").encode(),
    }[change]
    np.testing.assert_array_equal(read_one(tmp_path, written).joints[:, 0], expected)


def test_blocks_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = places(40)
    expected[::3, 1] = np.nan
    monkeypatch.setattr("kinestream.data.formats.lines._BLOCK", 90)
    np.testing.assert_array_equal(read_one(tmp_path, trc(expected, separator=",")).joints[:, 0], expected)


def test_subjects_and_markers_without_a_name(tmp_path: Path) -> None:
    names = ("A:LKNE", "A:RKNE", "B:LKNE", "B:RKNE", "", "*3")
    expected = places(count=6)
    found = read_one(tmp_path, trc(expected, names))
    np.testing.assert_array_equal(found.joints, expected[:, :4].reshape(6, 2, 2, 3))
    assert found.points == ("LKNE", "RKNE")
    assert found.notes == ("2 markers without a label are left out",)


def test_contradictions_are_told(tmp_path: Path) -> None:
    text = trc(places(), said=9).replace("\n4\t", "\n5\t").replace("\n6\t0.0500", "\n6\t0.1000")
    text = "\n".join(line for line in text.splitlines() if not line.startswith("5\t0.0400")) + "\n"
    found = read_one(tmp_path, text)
    assert found.notes == (
        "its header says 9 frames, it has 5",
        "its frames are numbered over 6, there are 5",
        "its header says 100 frames a second, its times 40",
    )


def test_the_real_file(real_data: Path) -> None:
    path = real_data / "formats/trc/markers.trc"
    (found,) = read(Source(path=path, name="markers"))
    with path.open(newline="") as file:
        rows = [row for row in list(csv.reader(file))[5:] if any(row)]
    expected = np.array([[float(cell) if cell else np.nan for cell in row[2 : 2 + 153]] for row in rows])
    np.testing.assert_array_equal(found.joints, expected.reshape(-1, 1, 51, 3))
    assert (found.fps, found.units, found.up) == (100, "mm", None)
    assert found.points[:2] == ("ASISl", "ASISr")
    assert found.notes == ("its header says 652 frames, it has 93",)


TEXT = trc(places(2), blank_line=False)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 1, "where PathFileType belongs"),
        ("frame,x,y\n1,2,3\n", 1, "'frame,x,y' where PathFileType belongs"),
        ("\n".join(TEXT.splitlines()[:2]), 2, "ends in its header"),
        ("\n".join(TEXT.splitlines()[:3]), 3, "0 columns of markers"),
        ("\n".join(TEXT.splitlines()[:4]), 4, "0 columns of markers"),
        ("\n".join(TEXT.splitlines()[:5]), None, "no frames"),
        (TEXT.replace("DataRate", "Rate"), 2, "do not tell DataRate"),
        (TEXT.replace("Z2", ""), 5, "'' where Z2 belongs"),
        (TEXT.replace("\tZ3", ""), 5, "8 columns of markers"),
        (TEXT.replace("Y2", "Z2", 1), 5, "'Z2' where Y2 belongs"),
        (TEXT.replace("LKNE\t\t", "LKNE\t\tRKNE"), 4, "'RKNE' is over a Y or Z"),
        (TEXT.replace("Frame#", "LKNE"), 4, "Frame#, Time and a name"),
        (TEXT.rstrip().rsplit("\t", 1)[0], 7, "10 cells where 11 belong"),
        (TEXT.rstrip() + "\t5\n", 7, "more than 11 cells with numbers"),
        (TEXT.rstrip().rsplit("\t", 1)[0] + "\t1,5\n", 7, "'1,5' where a number belongs"),
        (TEXT.rstrip().rsplit("\t", 1)[0] + "\t1 5\n", 7, "more than 11 cells"),
        (TEXT.rstrip().rsplit("\t", 1)[0] + "\tinf\n", 7, "a number beyond"),
        (TEXT.rstrip().rsplit("\t", 1)[0] + "\t1e7\n", 7, "a number beyond"),
        (trc(np.full((3, 3, 3), np.nan)), None, "no marker is seen"),
        (trc(places(), ("", "*1", "")), None, "no marker with a label: 3 markers"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, line: int | None, reason: str) -> None:
    with pytest.raises(RecordingError, match=reason) as caught:
        read_all(tmp_path, text)
    assert caught.value.line == line
    assert "\n" not in str(caught.value)


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="line 1: not UTF-8 text"):
        read_all(tmp_path, TEXT.encode("utf-16"))


@pytest.mark.parametrize("separator", ["\t", ","])
def test_any_damage_is_refused_or_read(tmp_path: Path, separator: str) -> None:
    expected = places(4)
    expected[1, 1] = np.nan
    refused = 0
    for text in mutated(trc(expected, separator=separator).encode(), 500):
        found = refusal_or(partial(read_all, tmp_path, text))
        if isinstance(found, RecordingError):
            refused += 1
            assert found.line is None or 1 <= found.line <= text.count(b"\n") + 1
            continue
        for one in found:
            assert 1 <= len(one.joints) <= text.count(b"\n") + 1
            assert not (np.abs(one.joints) > LARGEST).any()
    assert refused > 150
