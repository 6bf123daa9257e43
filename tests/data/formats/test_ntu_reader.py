import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference.literal_readers import format_ntu, parse_ntu, read_ntu

from kinestream.data.formats import ntu
from kinestream.data.formats.ntu_regular import parse_regular
from kinestream.data.recording import LARGEST_COORDINATE, Recording, RecordingError

BODY_IDS = [72057594037931101, 72057594037931102, 72057594037944738, 7, 1, 2**63 - 1]
"""The first two are the same as floating point numbers."""


def scene(counts: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Joints and body ids of frames with these numbers of bodies."""
    rng = np.random.default_rng(seed)
    most = max(counts)
    present = np.arange(most) < np.array(counts)[:, None]
    joints = rng.normal(scale=2, size=(len(counts), most, 25, 3)).round(7) * present[..., None, None]
    return joints, np.where(present, np.array(BODY_IDS[:most]), 0)


def assert_same(recording: Recording, expected: tuple[np.ndarray, np.ndarray]) -> None:
    joints, bodies = expected
    np.testing.assert_array_equal(recording.joints, joints)
    np.testing.assert_array_equal(recording.bodies, bodies)


# Lines counted from 1: 1 frames; 2 bodies, 3 body, 4 joints, 5-29 joints; 30 bodies, 31, 32, 33-57; 58, 59, 60-84.
VALID = format_ntu(*scene([1, 2]))
LINES = VALID.decode().splitlines()
JOINT = "0.5 -1.25 3 277.4 191.8 1036.2 519.1 -0.2 0.05 0.97 -0.12 2"


def with_line(number: int, *replacement: str) -> bytes:
    """The valid file with other lines in place of one."""
    return "\n".join([*LINES[: number - 1], *replacement, *LINES[number:], ""]).encode()


def joint_with(column: int, word: str) -> str:
    words = JOINT.split()
    words[column] = word
    return " ".join(words)


def outcome(text: bytes) -> Recording | RecordingError:
    """What is read of a text, or why it is refused. A regular text is read as the way line by line reads it."""
    found: Recording | RecordingError
    try:
        found = ntu.parse_line_by_line(text)
    except RecordingError as error:
        found = error
    regular = parse_regular(text)
    if regular is not None:
        assert isinstance(found, Recording), f"regular, and yet {found}"
        assert regular.joints.tobytes() == found.joints.tobytes()
        np.testing.assert_array_equal(regular.bodies, found.bodies)
    return found


def parse(text: bytes) -> Recording:
    found = outcome(text)
    assert isinstance(found, Recording), str(found)
    return found


def refusal(text: bytes) -> RecordingError:
    found = outcome(text)
    assert isinstance(found, RecordingError)
    return found


# --- what is accepted -----------------------------------------------------------------------------------------------


def test_real_files(real_data: Path) -> None:
    paths = sorted((real_data / "ntu/nturgb+d_skeletons").glob("*.skeleton"))
    for path in paths:
        assert parse_regular(path.read_bytes()) is not None
        parse(path.read_bytes())
        recording = ntu.read(ntu.parse_name(path))
        assert_same(recording, read_ntu(path))
        assert recording.bodies.any(axis=0).all()
    assert {b"\r\n" in path.read_bytes() for path in paths} == {True, False}


@given(
    counts=st.lists(st.integers(0, 6), min_size=1, max_size=5).filter(any),
    seed=st.integers(0, 1000),
    line_end=st.sampled_from(["\n", "\r\n"]),
    last=st.booleans(),
)
def test_generated_files(counts: list[int], seed: int, line_end: str, last: bool) -> None:
    made = scene(counts, seed)
    text = format_ntu(*made, line_end)
    assert parse_regular(text) is not None
    text = text if last else text.removesuffix(line_end.encode())
    recording = parse(text)
    assert_same(recording, made)
    assert_same(recording, parse_ntu(io.BytesIO(text)))


@settings(max_examples=40)
@given(data=st.data())
def test_any_spelling_of_numbers(data: st.DataObject) -> None:
    usual = st.floats(-100, 100).map(repr) | st.decimals(-100, 100, places=6).map(str)
    rare = st.sampled_from(["-0", "0", ".5", "7.", "+1.5", "1e-5", "-2.50E+01", "00012.3", "1" * 2 + "." + "3" * 30])
    unused = usual | rare | st.sampled_from(["NaN", "-inf", "inf", "1e999", "123456789012345678901234567890"])
    lines = list(LINES)
    for number in data.draw(st.lists(st.sampled_from([*range(5, 30), *range(33, 58), *range(60, 85)]), max_size=5)):
        words = [data.draw(usual | rare) for _ in range(3)] + [data.draw(unused) for _ in range(9)]
        lines[number - 1] = data.draw(st.sampled_from([" ", "  ", "\t"])).join(words)
    text = "\n".join(lines).encode()
    assert_same(parse(text), parse_ntu(io.BytesIO(text)))


def test_frames_without_bodies_and_blank_lines() -> None:
    text = format_ntu(*scene([0, 2, 0, 0, 1, 0]))
    expected = parse_ntu(io.BytesIO(text))
    assert expected[0].shape == (6, 2, 25, 3)
    assert_same(parse(text), expected)
    assert_same(parse(b"\r\n\n" + text.replace(b"\n", b" \r\n\r\n")), expected)


@pytest.mark.parametrize("word", ["NaN", "nan", "-inf", "-Infinity", "inf", "1e999", "-1000000", "1" * 400])
@pytest.mark.parametrize("column", [3, 11])
def test_unused_columns_may_hold_any_number(word: str, column: int) -> None:
    recording = parse(with_line(40, joint_with(column, word)))
    assert recording.joints[1, 0, 7].tolist() == [0.5, -1.25, 3.0]


def test_the_largest_distance_counts_as_a_position() -> None:
    recording = parse(with_line(40, joint_with(2, str(LARGEST_COORDINATE))))
    assert recording.joints.max() == LARGEST_COORDINATE


# --- what is refused, why and where ---------------------------------------------------------------------------------

BODY = "72057594037931101 0 1 1 1 1 0 0.02 -0.05 2"
REFUSED = {
    "text for the frames": (with_line(1, "abc"), 1, "'abc' where the number of frames belongs"),
    "negative frames": (with_line(1, "-2"), 1, "'-2' where the number of frames belongs"),
    "no frames": (with_line(1, "0"), 1, "no frames"),
    "more frames than lines": (with_line(1, "85"), 1, "says 85 frames, but the file has only 84 lines"),
    "one frame too many": (with_line(1, "3"), 84, "ends before the number of bodies in frame 3: cut off"),
    "one frame too few": (with_line(1, "1"), 30, "55 more lines after the last frame"),
    "frames beyond all sense": (with_line(1, "9" * 5000), 1, "where the number of frames belongs"),
    "two counts": (with_line(30, "2 2"), 30, "2 words where 1 belong: the number of bodies in frame 2"),
    "negative bodies": (with_line(30, "-1"), 30, "'-1' where the number of bodies"),
    "bodies with a fraction": (with_line(30, "2.0"), 30, "'2.0' where the number of bodies"),
    "seven bodies": (with_line(30, "7"), 30, "7 bodies in a frame where at most 6 can be"),
    "seven whole bodies": (
        "\n".join(["1", "7", *LINES[2:29] * 7, ""]).encode(),
        2,
        "7 bodies in a frame where at most 6 can be",
    ),
    "another control character for a return": (
        VALID.replace(b"\n", b"\r\n").replace(LINES[39].encode() + b"\r", LINES[39].encode() + b"\x01"),
        40,
        "where a number belongs",
    ),
    "a body too many": (with_line(2, "2"), 30, "1 words where 10 belong: the header of a body in frame 1"),
    "a body too few": (with_line(30, "1"), 58, "more lines after the last frame"),
    "short body": (with_line(31, BODY[:-2]), 31, "9 words where 10 belong: the header of a body in frame 2"),
    "long body": (with_line(58, BODY + " 1"), 58, "11 words where 10 belong: the header of a body in frame 2"),
    "text in a body": (with_line(58, BODY.replace("-0.05", "left")), 58, "'left' where a number belongs"),
    "body number zero": (with_line(58, "0" + BODY[17:]), 58, "'0' where a body's tracking number belongs"),
    "negative body number": (with_line(58, "-7" + BODY[17:]), 58, "'-7' where a body's tracking number belongs"),
    "body number with a fraction": (with_line(58, "7.5" + BODY[17:]), 58, "'7.5' where a body's tracking number"),
    "body number of 64 bits": (with_line(58, f"{2**63}" + BODY[17:]), 58, f"'{2**63}' where a body's tracking number"),
    "body number of 5000 digits": (with_line(58, "9" * 5000 + BODY[17:]), 58, "where a body's tracking number belongs"),
    "24 joints": (with_line(32, "24"), 32, "24 joints where 25 belong"),
    "no joints": (with_line(32, "0"), 32, "0 joints where 25 belong"),
    "text for the joints": (with_line(32, "many"), 32, "'many' where the number of joints in frame 2 belongs"),
    "short joint": (with_line(40, JOINT[:-2]), 40, "11 numbers for a joint where 12 belong"),
    "long joint": (with_line(40, JOINT + " 2"), 40, "13 numbers for a joint where 12 belong"),
    "hole in a joint": (with_line(40, JOINT.replace(" 277.4 ", "  ")), 40, "11 numbers for a joint where 12 belong"),
    "hole before a joint": (with_line(40, JOINT[3:]), 40, "11 numbers for a joint where 12 belong"),
    "hole after a joint": (with_line(40, JOINT[:-1]), 40, "11 numbers for a joint where 12 belong"),
    "hole before a line end": (
        with_line(40, JOINT[:-1]).replace(b"\n", b"\r\n"),
        40,
        "11 numbers for a joint where 12 belong",
    ),
    "hole in a body": (
        with_line(58, BODY.replace(" 0.02 ", "  ")),
        58,
        "9 words where 10 belong: the header of a body",
    ),
    "first joint short": (with_line(5, "1 2 3"), 5, "3 numbers for a joint where 12 belong"),
    "last joint short": (with_line(84, "1"), 84, "1 numbers for a joint where 12 belong"),
    "text after the last frame": (VALID + b"\n\nthe end\n", 87, "1 more lines after the last frame"),
    "two recordings in a file": (VALID + VALID, 85, "84 more lines after the last frame"),
    "empty": (b"", 1, "the file ends before the number of frames"),
    "blank": (b"\n\r\n \n", 1, "the file ends before the number of frames"),
    "UTF-16": (VALID.decode().encode("utf-16"), 1, "where the number of frames belongs"),
    "a picture": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", 1, "'\\x89PNG' where the number of frames belongs"),
    "zeros": (bytes(1000), 1, "'\\x00"),
    "a hole of zeros": (VALID[:3000] + bytes(50) + VALID[3050:], VALID[:3000].count(b"\n") + 1, "\\x00"),
}
for _column in (0, 1, 2):
    for _word in ("abc", "-", "1.2.3", "1-2", "1,5", "0x10", "1_0", "e5", "1\x10", "\xe9"):
        REFUSED[f"{_word!r} in used column {_column}"] = (
            with_line(40, joint_with(_column, _word)),
            40,
            "where a number belongs",
        )
    for _word in ("NaN", "nan", "inf", "-Infinity", "1e999", "100.001", "-1e30", "9" * 400):
        REFUSED[f"{_word[:9]} in used column {_column}"] = (
            with_line(77, joint_with(_column, _word)),
            77,
            "not a position",
        )
for _column in (3, 7, 11):
    for _word in ("abc", "1,5", "1/5", "1:5", "1!", "0x10", "1_0", "\xe9", "1.5\x10", "infinite"):
        REFUSED[f"{_word!r} in unused column {_column}"] = (
            with_line(40, joint_with(_column, _word)),
            40,
            "where a number belongs",
        )


@pytest.mark.parametrize(("text", "line", "reason"), REFUSED.values(), ids=REFUSED)
def test_refused_with_reason_and_line(text: bytes, line: int, reason: str) -> None:
    error = refusal(text)
    assert (error.line, reason in error.reason) == (line, True), str(error)
    assert str(error) == f"line {line}: {error.reason}"
    assert error.reason.isprintable()
    assert len(error.reason) < 160


@pytest.mark.parametrize("text", [b"1\n0\n", b"3\n0\n0\n0\n"])
def test_refused_without_any_body(text: bytes) -> None:
    error = refusal(text)
    assert error.line is None
    assert "no body in any of its" in error.reason


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_cut_after_every_line(line_end: str) -> None:
    text = format_ntu(*scene([1, 0, 2, 0]), line_end).decode()
    lines = text.splitlines(keepends=True)
    for kept in range(len(lines)):
        error = refusal("".join(lines[:kept]).encode())
        assert "cut off" in error.reason
        assert error.line == (max(kept, 1) if "says" not in error.reason else 1)


def test_one_line_lost_or_doubled() -> None:
    """No line can be left out or doubled without being noticed, and never is an earlier line blamed."""
    for number in range(2, len(LINES) + 1):
        for text in (with_line(number), with_line(number, LINES[number - 1], LINES[number - 1])):
            error = refusal(text)
            assert error.line is not None
            assert error.line >= min(number, text.count(b"\n")), (number, str(error))


@pytest.mark.parametrize(
    "name",
    [
        "S001C001P001R001A01",
        "S001C001P001R001A0001",
        "s001c001p001r001a001",
        "S001C001P001R001",
        "S001C001P001A001R001",
        "xS001C001P001R001A001",
        "S001C001P001R001A001x",
        "S001C001P001R001A001 (1)",
        "S001C001P001R001A001\n",
        "S00\u0661C001P001R001A001",
        "._S001C001P001R001A001",
        "",
    ],
)
def test_names_not_of_the_scheme(name: str) -> None:
    with pytest.raises(RecordingError, match=r"not of the scheme SsssCcccPpppRrrrAaaa\.skeleton") as caught:
        ntu.parse_name(Path(f"/data/{name}.skeleton"))
    assert caught.value.line is None


@given(fields=st.tuples(*[st.integers(0, 999)] * 5))
def test_fields_of_the_name(fields: tuple[int, ...]) -> None:
    name = "S{:03}C{:03}P{:03}R{:03}A{:03}".format(*fields)
    source = ntu.parse_name(Path(f"/data/{name}.skeleton"))
    assert (source.setup, source.camera, source.subject, source.repetition, source.action) == fields
    assert source.name == name


# --- damage of any kind ---------------------------------------------------------------------------------------------

SNIPPETS = st.sampled_from(
    [b"0", b"1", b"9", b".", b"-", b"e", b"+", b" ", b"\n", b"\r", b"\t", b"\x00", b"\x0c", b"\xff"]
)
SNIPPETS |= st.sampled_from([b"NaN", b"inf", b"25\n", b"0\n", b"1e9", b"\r\n", b"\n\n", b"1_0", b"\x1f"]) | st.binary(
    max_size=4
)


@st.composite
def damage(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """One way to spoil a file."""
    kind = draw(st.sampled_from(["flip", "insert", "replace", "delete", "double", "cut", "swap lines", "drop line"]))
    a, b = draw(st.integers(0, 10**6)), draw(st.integers(0, 10**6))
    snippet, length, bit = draw(SNIPPETS), draw(st.integers(1, 200)), draw(st.integers(0, 7))

    def spoil(text: bytes) -> bytes:
        at = a % max(len(text), 1)
        lines = text.split(b"\n")
        i, j = a % len(lines), b % len(lines)
        match kind:
            case "flip":
                return text[:at] + bytes(code ^ (1 << bit) for code in text[at : at + 1]) + text[at + 1 :]
            case "insert":
                return text[:at] + snippet + text[at:]
            case "replace":
                return text[:at] + snippet + text[at + len(snippet) :]
            case "delete":
                return text[:at] + text[at + length :]
            case "double":
                return text[: at + length] + text[at:]
            case "cut":
                return text[:at]
            case "swap lines":
                lines[i], lines[j] = lines[j], lines[i]
            case "drop line":
                del lines[i]
        return b"\n".join(lines)

    return spoil


def used_columns(text: bytes) -> bytes:
    """Without blank lines, and zeros in the columns that nobody uses: what is left must be numbers."""
    lines = [line.split() for line in text.split(b"\n") if line.split()]
    kept = {12: 3, 10: 1}
    return b"\n".join(
        b" ".join([*line[: kept.get(len(line), 1)], *[b"0"] * (len(line) - kept.get(len(line), 1))]) for line in lines
    )


@settings(max_examples=600)
@given(
    spoils=st.lists(damage(), min_size=1, max_size=3),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_damaged_files_are_refused_or_read_as_they_stand(spoils: list[Callable[[bytes], bytes]], line_end: str) -> None:
    text = VALID.replace(b"\n", line_end.encode())
    for spoil in spoils:
        text = spoil(text)
    recording = outcome(text)
    if isinstance(recording, RecordingError):
        assert recording.reason.isprintable()
        assert recording.line is None or 1 <= recording.line <= text.count(b"\n") + 1
        return
    frames, most = recording.bodies.shape
    assert recording.joints.dtype == np.float64
    assert recording.joints.shape == (frames, most, 25, 3)
    assert 1 <= most <= ntu.MOST_BODIES
    assert (np.abs(recording.joints) <= LARGEST_COORDINATE).all()
    assert_same(recording, parse_ntu(io.BytesIO(used_columns(text))))
    # The unused columns have at least the characters of numbers.
    left = re.sub(rb"(?i)\b(nan|inf|infinity)\b", b"", text)
    assert not left.translate(None, b"0123456789+-.eE \t\r\n\v\f")


def test_a_file_of_more_joints_than_are_read_together() -> None:
    made = scene([6] * 28)
    text = format_ntu(*made)
    assert parse_regular(text) is not None
    assert_same(parse(text), made)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_damage_where_blocks_meet(line_end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kinestream.data.formats.ntu_regular._BLOCK", 512)
    monkeypatch.setattr("kinestream.data.formats.ntu_regular._MANY", 7)
    whole = VALID.replace(b"\n", line_end.encode())
    assert parse_regular(whole) is not None
    for border in range(512, len(whole), 1536):
        for at in (border - 1, border, border + 1, whole.index(b"\n", border)):
            for byte in (b" ", b"\n", b"\r", b"-", b"x", b",", b"\x00", b"\xff", b""):
                outcome(whole[:at] + byte + whole[at + 1 :])


@given(text=st.binary(max_size=300) | st.text("0123456789.-\n ", max_size=300).map(str.encode))
def test_any_bytes(text: bytes) -> None:
    """Nothing this short holds a body."""
    assert refusal(text).reason.isprintable()
