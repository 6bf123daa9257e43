"""What tables and file names say of recordings."""

from itertools import pairwise
from pathlib import Path

import pytest

from kinestream.data.durations import Duration, duration, windows
from kinestream.data.listing import listed, named

FILES = {Path(f"/data/{name}"): Path(name) for name in ("a.bvh", "walks/b.csv", "walks/c.csv.gz", "runs/b.csv")}


def table(folder: Path, text: str) -> Path:
    path = folder / "recordings.csv"
    path.write_bytes(text.encode())
    return path


def test_a_table_names_files_by_path_name_or_stem(tmp_path: Path) -> None:
    text = (
        "\ufefffile;label;subject;weather\r\na;wave;ann;dry\r\nwalks/b.csv;walk;ben;wet\r\nC.csv;x;y;z\r\nc;run;;\r\n"
    )
    found = listed(table(tmp_path, text), FILES)
    told = {path.name: (entry.label, entry.subject) for path, (entry,) in found.entries.items()}
    assert told == {"a.bvh": ("wave", "ann"), "b.csv": ("walk", "ben"), "c.csv.gz": ("run", "")}
    assert found.unlisted == 1
    assert [note.partition(":")[0] for note in found.notes][:2] == ["recordings.csv", "recordings.csv"]
    assert "columns that are not read: weather" in found.notes[0]
    assert "1 names without a file: C.csv" in found.notes[1]
    assert "1 files are not named in recordings.csv and left out: runs/b.csv" in found.notes[2]


def test_parts_of_a_file(tmp_path: Path) -> None:
    found = listed(table(tmp_path, "file,start,end,label,name\na,0,1.5,sit,\na,1:02,70f,stand,up\na,,3s,lie,\n"), FILES)
    entries = found.entries[Path("/data/a.bvh")]
    assert [(entry.start, entry.end) for entry in entries] == [
        (Duration(0), Duration(1.5)),
        (Duration(62), Duration(70, True)),
        (Duration(0, True), Duration(3)),
    ]
    assert [entry.line for entry in entries] == [2, 3, 4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line names the columns nothing: 'file' is needed"),
        ("name,label\na,b\n", "first line names the columns name, label: 'file' is needed"),
        ("file,file\na,b\n", "names the column 'file' twice"),
        ("file,label\nnone,b\nnone2,c\n", "none of its 2 names is a file of the folder; the first: none"),
        ("file,label\na,b,c\n", "line 2: 3 cells, where the first line names 2 columns"),
        ("file,label\nb,x\n", r"line 2: 'b' may be walks/b\.csv or runs/b\.csv: give its path"),
        ("file,start,end\na,5,2\n", "line 2: it ends at 2s and starts at 5s"),
        ("file,start\na,soon\n", "line 2: 'soon' is no time"),
        ("file,label\na,x\na,y\n", "line 3: 'a' stands there twice"),
        ('file,label\na,"x\n', "line 2: no CSV"),
    ],
)
def test_a_table_that_cannot_be_used_is_told(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        listed(table(tmp_path, text), FILES)
    assert "\n" not in str(caught.value)


def test_a_table_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "recordings.csv").write_bytes(b"file,label\na,\xff\n")
    with pytest.raises(ValueError, match="no UTF-8 text"):
        listed(tmp_path / "recordings.csv", FILES)


def test_names_tell_by_a_pattern() -> None:
    files = {Path(f"/d/{name}"): Path(name) for name in ("s01_wave_2.npy", "sann_sit down_x.npy.gz", "other.npy")}
    found = named("s{subject}_{label}_{}", files)
    told = [(entry.subject, entry.label) for (entry,) in found.entries.values()]
    assert told == [("01", "wave"), ("ann", "sit down"), ("", "")]
    assert "1 files are not called 's{subject}_{label}_{}'" in found.notes[0]


def test_a_pattern_may_be_about_folders() -> None:
    files = {Path(f"/d/{name}"): Path(name) for name in ("ann/wave_1.npy", "ben/sit_2.npy")}
    found = named("{subject}/{label}_{}", files)
    assert [(entry.subject, entry.label) for (entry,) in found.entries.values()] == [("ann", "wave"), ("ben", "sit")]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("s{who}", "unknown field 'who'"),
        ("{label}{label}", "{label} stands there twice"),
        ("s{}", "it tells nothing"),
        ("x{label}", "none of 4 files is called so; the first: a.bvh"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_told(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        named(pattern, FILES)


@pytest.mark.parametrize("told", ["", "two", "-1", "1:2:3:4", "1.5f", "nan", "inf", "2 min", "1e9"])
def test_what_is_no_time_is_told(told: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        duration(told)


@pytest.mark.parametrize("frames", range(1, 60))
def test_windows_cover_a_recording(frames: int) -> None:
    """All have the length asked for, begin at the first frame, and leave less than half a hop at the end."""
    cuts = list(windows("20f", "7f").of(frames, None))
    assert cuts[0].start == 0
    assert all(cut.stop - cut.start == min(20, frames) for cut in cuts)
    assert all(0 < after.start - before.start <= 7 for before, after in pairwise(cuts))
    assert 2 * (frames - cuts[-1].stop) < 7
    assert max(cut.stop for cut in cuts) <= frames


def test_windows_in_seconds_need_a_rate() -> None:
    assert [cut.start for cut in windows("2s", "0.5s").of(90, 30)] == [0, 15, 30]
    with pytest.raises(ValueError, match="say --fps, or give frames, as in 60f"):
        list(windows("2s").of(90, None))
    with pytest.raises(ValueError, match="both must be above 0"):
        windows("2s", "0s")
