"""PKU-MMD: videos and their label files, as read and as cut into recordings."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference import literal_readers as literal

from kinestream.data.build import Built, build_store
from kinestream.data.clips import Clips
from kinestream.data.datasets import load_dataset
from kinestream.data.formats.pku_mmd import parse, parse_labels, parse_name_1, parse_name_2, read
from kinestream.data.plan import Rejected
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.recording import LARGEST_COORDINATE, RecordingError
from kinestream.data.store import Store

PKU1, PKU2 = load_dataset("pku1"), load_dataset("pku2")
VIDEO = "A10N08-L"
LABELS = b"34,21,140,2\n12,200,320,2\n1,400,760,2\n27,800,1040,1\n"


def video(frames: int = 9, seed: int = 0, bodies: int = 1) -> np.ndarray:
    """Joints (t, 2, 25, 3), six decimals."""
    rng = np.random.default_rng(seed)
    joints = np.zeros((frames, 2, 25, 3))
    joints[:, :bodies] = rng.normal(scale=0.2, size=(frames, bodies, 25, 3)) * (1, 2, 1) + (0, 0, 3)
    return joints.round(6)


def text_of(joints: np.ndarray, line_end: str = "\n") -> bytes:
    lines = [" ".join(f"{number:.6f}" for number in frame.ravel()) for frame in joints]
    return (line_end.join(lines) + line_end).encode()


def tree(raw: Path, labels: bytes = b"3,1,9,2\n", name: str = "A01N01-L", frames: int = 9, bodies: int = 1) -> Path:
    """A video, its labels, and split files; returns the folder."""
    for folder, content in (("skeleton", text_of(video(frames, len(name), bodies))), ("label", labels)):
        (raw / folder).mkdir(parents=True, exist_ok=True)
        (raw / folder / f"{name}.txt").write_bytes(content)
    (raw / "cross_subject_v2.txt").write_text("Training videos:\nA01N01-L, A01N01-R\nValidation videos:\nA01N02-L\n")
    return raw


def build(raw: Path, out: Path, preparation: str = "published", continuous: bool = False) -> Built:
    return build_store(PKU2, raw, out, preparation=PREPARATIONS[preparation], continuous=continuous)


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "number", "camera"), [("0002-L", 2, 1), ("0364-R", 364, 3), ("0017-M", 17, 2)])
def test_names_of_phase_1(name: str, number: int, camera: int) -> None:
    source = parse_name_1(Path(f"x/{name}.txt"))
    assert (source.name, source.setup, source.camera, source.subject, source.action) == (name, number, camera, 0, 0)


def test_names_of_phase_2() -> None:
    source = parse_name_2(Path("A26N13-R.txt"))
    assert (source.name, source.setup, source.subject, source.camera, source.action) == ("A26N13-R", 26, 13, 3, 0)


@pytest.mark.parametrize("name", ["", "0002", "002-L", "0002-X", "0002-l", "00020-L", "A10N08-L", "\uff10002-L"])
def test_other_names_are_not_of_phase_1(name: str) -> None:
    with pytest.raises(RecordingError, match=r"scheme NNNN-V\.txt"):
        parse_name_1(Path(f"{name}.txt"))


@pytest.mark.parametrize("name", ["", "0002-L", "A1N01-L", "A01N01", "A01N01-X", "A01P01-L"])
def test_other_names_are_not_of_phase_2(name: str) -> None:
    with pytest.raises(RecordingError, match=r"scheme AaaNnn-V\.txt"):
        parse_name_2(Path(f"{name}.txt"))


# --- videos ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line_end", ["\n", "\r\n", " \n "])
@pytest.mark.parametrize("frames", [1, 9, 513, 1025])
def test_a_video_as_written(frames: int, line_end: str) -> None:
    joints = video(frames, bodies=2)
    joints[frames // 2, 1] = 0
    recording = parse(text_of(joints, line_end))
    np.testing.assert_array_equal(recording.joints, joints)
    np.testing.assert_array_equal(recording.bodies[:, 0], 1)
    np.testing.assert_array_equal(recording.bodies[:, 1], np.where(np.arange(frames) == frames // 2, 0, 2))


def test_the_real_video(real_data: Path) -> None:
    path = real_data / f"pku-mmd/skeleton/{VIDEO}.txt"
    recording = read(parse_name_2(path))
    assert recording.joints.shape == (1040, 2, 25, 3)
    parts = literal.read_pku(path, real_data / f"pku-mmd/label/{VIDEO}.txt")
    assert [part[:3] for part in parts] == [(33, 21, 140), (11, 200, 320), (0, 400, 760), (26, 800, 1040)]
    for _, start, end, joints in parts:
        surplus = max(end - start + 1 - 300, 0)
        first = start - 1 + surplus // 2
        np.testing.assert_array_equal(recording.joints[first : first + len(joints)], joints)
    assert set(recording.bodies[:, 0]) <= {0, 1}
    assert 0 < (recording.bodies[:, 1] == 2).sum() < 1040


def with_word(frame: int, place: int, word: bytes) -> bytes:
    lines = [line.split() for line in text_of(video(12)).splitlines()]
    lines[frame][place] = word
    return b"\n".join(b" ".join(line) for line in lines)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (b"", None, "no frames"),
        (b"\n \n", None, "no frames"),
        (text_of(video(3)).replace(b" ", b"  ", 1)[:-11], 3, "149 numbers where 150 belong"),
        (text_of(video(3)).replace(b"\n", b" 1.0\n", 1), 1, "151 numbers where 150 belong"),
        (text_of(video(2)) + b"5\n", 3, "1 numbers where 150 belong"),
        (b"\n" + text_of(video(2)), 1, "an empty line"),
        (text_of(video(2)).replace(b"\n", b"\n\n", 1), 2, "an empty line"),
        (with_word(7, 3, b"x\x1b[31m"), 8, r"'x\\x1b\[31m' where a number belongs"),
        (with_word(0, 149, b"1,5"), 1, "'1,5' where a number belongs"),
        (with_word(11, 0, b"1_000"), 12, "'1_000' where a number belongs"),
        (with_word(4, 76, b"nan"), 5, r"joint 1 of body 2 at \[0.0, nan, 0.0\] m: not a position"),
        (with_word(4, 2, b"-inf"), 5, "joint 1 of body 1 .* not a position"),
        (with_word(5, 74, b"1e300"), 6, "joint 25 of body 1 .* not a position"),
        (with_word(5, 74, b"100.001"), 6, "joint 25 of body 1 .* not a position"),
        (text_of(np.zeros((4, 2, 25, 3))), None, "no body in any of its 4 frames"),
    ],
)
def test_damaged_videos(text: bytes, line: int | None, reason: str) -> None:
    with pytest.raises(RecordingError, match=reason) as caught:
        parse(text)
    assert caught.value.line == line
    assert "\n" not in str(caught.value)


@settings(max_examples=150)
@given(data=st.data())
def test_any_mutation_of_a_video_is_refused_or_read(data: st.DataObject) -> None:
    text = bytearray(text_of(video(3, bodies=2)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        length = data.draw(st.sampled_from((0, 1, 1, 40, 2000)))
        text[at : at + length] = data.draw(st.sampled_from((b"", b"\n", b" ", b"nan", b"-", b"9" * 30)) | st.binary())
        if not text:
            break
    try:
        recording = parse(bytes(text))
    except RecordingError as refused:
        error = refused
    else:
        error = None
    if error is not None:
        assert error.line is None or 1 <= error.line <= text.count(b"\n") + 1
        return
    assert recording.joints.shape == (len(recording.bodies), 2, 25, 3)
    assert (np.abs(recording.joints) <= LARGEST_COORDINATE).all()
    np.testing.assert_array_equal(recording.bodies > 0, recording.joints.any(axis=(2, 3)))


# --- labels ---------------------------------------------------------------------------------------------------------


def test_rows_as_written() -> None:
    track = parse_labels(LABELS, 1040, 51)
    assert [(row, s.label, s.start, s.end) for row, s in track.segments.items()] == [
        (1, 33, 20, 140),
        (2, 11, 199, 320),
        (3, 0, 399, 760),
        (4, 26, 799, 1040),
    ]
    assert not track.refused


@pytest.mark.parametrize("text", [LABELS.replace(b"\n", b"\r\n"), LABELS.replace(b",", b" , "), LABELS.rstrip()])
def test_white_space_in_rows_means_nothing(text: bytes) -> None:
    assert parse_labels(text, 1040, 51) == parse_labels(LABELS, 1040, 51)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"34,21,140", "'34,21,140' where class,start,end,confidence belong"),
        (b"34,21,140,2,1", "where class,start,end,confidence belong"),
        (b"34;21;140;2", "where class,start,end,confidence belong"),
        (b"34,21.0,140,2", "where class,start,end,confidence belong"),
        (b"34,-21,140,2", "where class,start,end,confidence belong"),
        (b"34,,140,2", "where class,start,end,confidence belong"),
        (b"34,21,99999999999,2", "where class,start,end,confidence belong"),
        (b"\xff\x00\x1b", r"'\\xff\\x00\\x1b' where class"),
        (b"0,21,140,2", "class 0: there are classes 1 to 51"),
        (b"52,21,140,2", "class 52: there are classes 1 to 51"),
        (b"34,140,21,2", "begins with frame 140 and ends with 21: reversed"),
        (b"34,0,140,2", "frames 0 to 140 of a video with frames 1 to 1040: out of range"),
        (b"34,1000,1041,2", "frames 1000 to 1041 of a video with frames 1 to 1040: out of range"),
        (b"34,320,330,2", "overlaps the row of line 2"),
        (b"34,190,200,2", "overlaps the row of line 2"),
        (b"34,210,220,2", "overlaps the row of line 2"),
        (b"34,150,399,2", "overlaps the row of line 2"),
    ],
)
def test_bad_rows_are_refused_with_their_line(row: bytes, reason: str) -> None:
    """The others stand, and keep their numbers."""
    lines = LABELS.splitlines()
    track = parse_labels(b"\n".join([*lines[:2], b"", row, *lines[2:]]), 1040, 51)
    assert list(track.segments) == [1, 2, 5, 6]
    (error,) = track.refused
    assert error.line == 4
    with pytest.raises(RecordingError, match=reason):
        raise error


def test_the_first_and_the_last_frame_and_neighbours() -> None:
    track = parse_labels(b"1,1,1,1\n2,2,9,1\n3,10,10,1\n", 10, 51)
    assert [(s.start, s.end) for s in track.segments.values()] == [(0, 1), (1, 9), (9, 10)]


def test_a_refused_row_overlaps_nothing() -> None:
    track = parse_labels(b"99,1,100,1\n2,2,9,1\n", 100, 51)
    assert list(track.segments) == [2]


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(*[st.integers(-2, 60)] * 4).map(lambda row: ",".join(map(str, row)).encode()) | st.binary(max_size=12)
    ),
)
def test_any_rows_make_a_sane_track(rows: list[bytes]) -> None:
    text = b"\n".join(rows)
    track = parse_labels(text, 50, 51)
    lines = text.split(b"\n")
    filled = [number for number, line in enumerate(lines, start=1) if line.strip()]
    assert sorted([*track.segments, *(error.line for error in track.refused)]) == filled
    covered = np.zeros(50, dtype=int)
    for row, segment in track.segments.items():
        assert 0 <= segment.label < 51
        assert 0 <= segment.start < segment.end <= 50
        covered[segment.start : segment.end] += 1
        assert [int(word) for word in lines[row - 1].split(b",")][:3] == [
            segment.label + 1,
            segment.start + 1,
            segment.end,
        ]
    assert covered.max(initial=0) <= 1


# --- cut and prepared -----------------------------------------------------------------------------------------------


def with_real(real_data: Path, raw: Path) -> Path:
    """The real video beside split files."""
    (raw / "pku").mkdir(parents=True)
    for folder in ("skeleton", "label"):
        (raw / "pku" / folder).symlink_to(real_data / "pku-mmd" / folder)
    (raw / "pku/cross_subject_v2.txt").write_text(f"t\n{VIDEO},\nv\nA01N01-L\n")
    return raw / "pku/skeleton"


def test_golden(real_data: Path, golden: Path, tmp_path: Path) -> None:
    built = build(with_real(real_data, tmp_path / "raw"), tmp_path / "store")
    store = Store(tmp_path / "store")
    assert store.table.name == tuple(f"{VIDEO}-{row:03}" for row in (1, 2, 3, 4))
    assert set(store.table.file) == {VIDEO}
    assert store.table.repetition.tolist() == [1, 2, 3, 4]
    assert store.table.length.tolist() == [120, 121, 300, 241]
    assert not built.rejected
    with np.load(golden / "pku_prepared.npz") as values:
        np.testing.assert_array_equal(store.labels, values["labels"])
        clips = Clips(store, 50).batch(np.arange(4)).transpose(0, 4, 1, 3, 2)
        np.testing.assert_allclose(clips, values["position"], rtol=0, atol=3e-6)


def test_cut_and_prepared_as_the_loops_do(tmp_path: Path) -> None:
    """An odd surplus over 300 frames, one body and two, the whole video and a single frame."""
    labels = b"1,1,700,2\n2,701,701,1\n51,702,1003,2\n"
    raw = tree(tmp_path / "raw", labels, frames=1003, bodies=2)
    build(raw, tmp_path / "store")
    store = Store(tmp_path / "store")
    parts = literal.read_pku(raw / "skeleton/A01N01-L.txt", raw / "label/A01N01-L.txt")
    assert store.table.length.tolist() == [len(part[3]) for part in parts] == [300, 1, 300]
    assert store.labels.tolist() == [part[0] for part in parts] == [0, 1, 50]
    clips = Clips(store, 8).batch(np.arange(3))
    for clip, part in zip(clips, parts, strict=True):
        np.testing.assert_allclose(clip, literal.prepare_as_published(part[3], 8), rtol=0, atol=1e-5)


def test_tracked_follows_the_places(tmp_path: Path) -> None:
    """The second body is absent in the middle: its gap is filled, the first stays the first."""
    joints = video(9, bodies=2)
    joints[4, 1] = 0
    raw = tree(tmp_path / "raw")
    (raw / "skeleton/A01N01-L.txt").write_bytes(text_of(joints))
    build(raw, tmp_path / "store", "tracked")
    kept = Store(tmp_path / "store").joints(0)
    assert kept.shape[0] == 9
    assert kept.any(axis=(2, 3)).all()


def test_bad_rows_stand_in_the_list_with_label_file_and_line(tmp_path: Path) -> None:
    joints = video(20)
    joints[10:15] = 0
    raw = tree(tmp_path / "raw", b"3,1,8,2\n\n4,9,5,2\n5,8,10,2\n6,11,15,2\n7,16,20,1\nx\n")
    (raw / "skeleton/A01N01-L.txt").write_bytes(text_of(joints))
    built = build(raw, tmp_path / "store")
    store = Store(tmp_path / "store")
    assert store.table.name == ("A01N01-L-001", "A01N01-L-006")
    labels = raw / "label/A01N01-L.txt"
    assert built.rejected == (
        Rejected(path=labels, line=3, reason="begins with frame 9 and ends with 5: reversed"),
        Rejected(path=labels, line=4, reason="overlaps the row of line 1"),
        Rejected(path=labels, line=5, reason="no valid frame: the first joint of the first body is zero in all 5"),
        Rejected(path=labels, line=7, reason="'x' where class,start,end,confidence belong"),
    )
    rows = (tmp_path / "store/rejected.csv").read_text().splitlines()
    assert rows[1] == "label/A01N01-L.txt,3,begins with frame 9 and ends with 5: reversed"
    assert built.info.rejected == 4
    with pytest.raises(ValueError, match=r"A01N01-L\.txt:3: begins with frame 9 .*nothing was written"):
        build_store(PKU2, raw, tmp_path / "strict", preparation=PREPARATIONS["published"], strict=True)
    assert not (tmp_path / "strict").exists()


def test_one_process_or_two_make_the_same_store(tmp_path: Path) -> None:
    for number in range(1, 8):
        labels = b"9,1,4,2\n8,5,9,1\n" if number % 3 else b"1,5,4,2\n2,6,9,1\n"
        raw = tree(tmp_path / "raw", labels, name=f"A01N{number:02}-M")
    (raw / "cross_subject_v2.txt").write_text("t\nA01N01-M\nv\nA01N02-M\n")
    for processes in (1, 2):
        build_store(PKU2, raw, tmp_path / str(processes), preparation=PREPARATIONS["published"], processes=processes)
    for file in ("joints.npy", "recordings.csv", "rejected.csv", "store.json"):
        assert (tmp_path / "1" / file).read_bytes() == (tmp_path / "2" / file).read_bytes(), file
    assert len(Store(tmp_path / "2")) == 5 * 2 + 2
