"""C3D files of all kinds of computers, compared with ezc3d, and what is refused."""

import struct
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests.data.formats.mutations import mutated, refusal_or

from kinestream.data.formats.c3d import read
from kinestream.data.formats.markers import LARGEST
from kinestream.data.recording import Found, RecordingError, Source

LABELS = ("LKNE", "RKNE", "LANK", "RANK")


def dec(value: float) -> bytes:
    """A number of 32 bits as a VAX has it: twice two bytes, an exponent that is larger by 2."""
    if value == 0:
        return bytes(4)
    bits = struct.unpack("<I", struct.pack("<f", value * 4))[0]
    return struct.pack("<HH", bits >> 16, bits & 0xFFFF)


MACHINES: dict[str, tuple[int, str, Callable[[float], bytes]]] = {
    "intel": (84, "<", lambda value: struct.pack("<f", value)),
    "dec": (85, "<", dec),
    "mips": (86, ">", lambda value: struct.pack(">f", value)),
}


def written(
    places: np.ndarray,
    labels: Sequence[str] = LABELS,
    *,
    machine: str = "intel",
    scale: float = -1.0,
    residuals: np.ndarray | None = None,
    units: str = "mm",
    rate: float = 100.0,
    analog: int = 0,
    more: dict[str, list[str] | list[float] | list[int]] | None = None,
) -> bytes:
    """A file as the user guide of C3D has it; `more` are parameters by `GROUP:NAME`."""
    code, order, real = MACHINES[machine]
    frames, points = places.shape[:2]
    residuals = np.zeros((frames, points)) if residuals is None else residuals

    def parameter(group: int, name: str, values: list[str] | list[float] | list[int]) -> bytes:
        if values and isinstance(values[0], str):
            width = max(len(str(value).encode()) for value in values)
            kind, shape = -1, [width, len(values)]
            data = b"".join(str(value).encode().ljust(width) for value in values)
        elif values and isinstance(values[0], float):
            kind, shape, data = 4, [len(values)], b"".join(real(value) for value in values)
        else:
            kind, shape, data = 2, [len(values)], struct.pack(f"{order}{len(values)}h", *values)
        shape = [] if shape == [1] else shape
        body = struct.pack("bB", kind, len(shape)) + bytes(shape) + data + b"\0"
        return struct.pack("bb", len(name), group) + name.encode() + struct.pack(f"{order}h", len(body) + 2) + body

    given: dict[str, list[str] | list[float] | list[int]] = {
        "POINT:USED": [points],
        "POINT:SCALE": [scale],
        "POINT:RATE": [rate],
        "POINT:FRAMES": [frames],
        "POINT:UNITS": [units],
        **({"POINT:LABELS": list(labels)} if labels else {}),
        **(more or {}),
    }
    groups = list(dict.fromkeys(name.split(":")[0] for name in given))
    body = b""
    for number, group in enumerate(groups, start=1):
        body += struct.pack("bb", len(group), -number) + group.encode() + struct.pack(f"{order}h", 3) + b"\0"
        for name, values in given.items():
            if name.split(":")[0] == group:
                body += parameter(number, name.split(":")[1], values)
    body += b"\0\0"
    blocks = -(-(len(body) + 4) // 512)
    parameters = (bytes([1, 80, blocks, code]) + body).ljust(512 * blocks, b"\0")
    head = bytes([2, 80]) + struct.pack(f"{order}5H", points, analog, 1, frames, 10) + real(scale)
    head += struct.pack(f"{order}2H", 2 + blocks, 1) + real(rate)
    if scale < 0:
        numbers = np.concatenate((places, residuals[..., None]), axis=-1).reshape(frames, -1)
        rows = [b"".join(map(real, row)) + bytes(4 * analog) for row in numbers.tolist()]
    else:
        numbers = np.concatenate((np.round(places / scale), residuals[..., None]), axis=-1).reshape(frames, -1)
        rows = [struct.pack(f"{order}{len(row)}h", *map(int, row)) + bytes(2 * analog) for row in numbers.tolist()]
    return head.ljust(512, b"\0") + parameters + b"".join(rows)


def places(frames: int = 6, points: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-900, 900, size=(frames, points, 3)).astype(np.float32).round(1)


def read_all(folder: Path, content: bytes) -> list[Found]:
    path = folder / "a.c3d"
    path.write_bytes(content)
    return read(Source(path=path, name="a"))


def read_one(folder: Path, content: bytes) -> Found:
    (found,) = read_all(folder, content)
    return found


# --- what is read ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("machine", [*MACHINES])
@pytest.mark.parametrize("scale", [-1.0, 0.1])
@pytest.mark.parametrize("analog", [0, 12])
def test_places_as_written(tmp_path: Path, machine: str, scale: float, analog: int) -> None:
    expected = places()
    found = read_one(tmp_path, written(expected, machine=machine, scale=scale, analog=analog))
    np.testing.assert_allclose(found.joints[:, 0], expected, atol=1e-3 if scale < 0 else 0.051)
    assert found.joints.dtype == np.float32
    assert (found.points, found.fps, found.units, found.up, found.layout) == (LABELS, 100, "mm", None, None)


@pytest.mark.parametrize("machine", ["intel", "dec"])
@pytest.mark.parametrize("scale", [-1.0, 0.1])
def test_as_ezc3d_reads_it(tmp_path: Path, machine: str, scale: float) -> None:
    """It does not read those of MIPS computers."""
    ezc3d = pytest.importorskip("ezc3d")
    residuals = np.zeros((6, 4))
    residuals[2, 1] = -1
    found = read_one(tmp_path, written(places(), machine=machine, scale=scale, residuals=residuals))
    expected = ezc3d.c3d(str(tmp_path / "a.c3d"))["data"]["points"][:3].transpose(2, 1, 0)
    np.testing.assert_array_equal(np.isnan(found.joints[:, 0]), np.isnan(expected))
    np.testing.assert_allclose(found.joints[:, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["c3d_sample", "kinematics_tennis_serve_2players"])
def test_real_files_as_ezc3d_reads_them(real_data: Path, name: str) -> None:
    ezc3d = pytest.importorskip("ezc3d")
    path = real_data / f"formats/c3d/{name}.c3d"
    (found,) = read(Source(path=path, name=name))
    expected = ezc3d.c3d(str(path))["data"]["points"][:3].transpose(2, 1, 0)
    own = found.joints.reshape(expected.shape)
    np.testing.assert_array_equal(np.isnan(own), np.isnan(expected))
    np.testing.assert_array_equal(own[~np.isnan(own)], expected[~np.isnan(expected)].astype(np.float32))


def test_what_the_real_files_say(real_data: Path) -> None:
    (walk,) = read(Source(path=real_data / "formats/c3d/c3d_sample.c3d", name="walk"))
    assert (walk.fps, walk.units, walk.up, walk.subject) == (100, "mm", "y", None)
    assert walk.notes == ("44 analog channels (force plates, EMG and the like) are not read",)
    assert walk.points[:3] == ("c7", "r should", "l should")
    heights = np.nanmedian(walk.joints[:, 0, :, 1], axis=0)
    assert (
        heights[walk.points.index("c7")] > heights[walk.points.index("sacrum")] > heights[walk.points.index("r heel")]
    )
    (tennis,) = read(Source(path=real_data / "formats/c3d/kinematics_tennis_serve_2players.c3d", name="tennis"))
    assert tennis.joints.shape == (599, 2, 39, 3)
    assert (tennis.fps, tennis.units, tennis.up, tennis.notes) == (50, "m", None, ())
    assert tennis.points[:2] == ("C7", "CLAV")


def test_markers_that_were_not_seen(tmp_path: Path) -> None:
    expected = places()
    residuals = np.zeros((6, 4))
    residuals[0, 1] = -1
    expected[1, 2] = 0
    expected[3, 3, 0] = np.nan
    joints = read_one(tmp_path, written(expected, residuals=residuals)).joints[:, 0]
    unseen = np.isnan(joints).all(axis=-1)
    assert np.argwhere(unseen).tolist() == [[0, 1], [1, 2], [3, 3]]
    assert not np.isnan(joints[~unseen]).any()


def test_subjects_are_bodies(tmp_path: Path) -> None:
    labels = ("Ann:LKNE", "Ann:RKNE", "Ben:RKNE", "Ben:LKNE")
    expected = places()
    found = read_one(tmp_path, written(expected, labels))
    assert found.points == ("LKNE", "RKNE")
    np.testing.assert_array_equal(found.joints[:, 0], expected[:, :2])
    np.testing.assert_array_equal(found.joints[:, 1], expected[:, [3, 2]])
    assert found.subject is None


def test_a_marker_that_one_body_lacks_is_not_seen(tmp_path: Path) -> None:
    labels = ("A:LKNE", "A:RKNE", "A:HEAD", "B:LKNE", "B:RKNE")
    found = read_one(tmp_path, written(places(points=5), labels))
    assert found.joints.shape == (6, 2, 3, 3)
    assert np.isnan(found.joints[:, 1, 2]).all()
    assert np.isfinite(found.joints[:, 0]).all()


def test_subjects_with_other_markers_are_recordings(tmp_path: Path) -> None:
    labels = ("Ann:LKNE", "Ann:RKNE", "Racket:TIP", "Racket:GRIP")
    found = read_all(tmp_path, written(places(), labels))
    assert [(one.name, one.subject, one.points) for one in found] == [
        ("Ann", "Ann", ("LKNE", "RKNE")),
        ("Racket", "Racket", ("TIP", "GRIP")),
    ]
    assert "recordings of their own: 'Ann', 'Racket'" in found[0].notes[0]


def test_markers_that_are_left_out_are_counted(tmp_path: Path) -> None:
    labels = ("LKNE", "*12", "RKNE", "RKNE", "", "LKneeAngles")
    more: dict[str, list[str] | list[float] | list[int]] = {"POINT:ANGLES": ["LKneeAngles"]}
    found = read_one(tmp_path, written(places(points=7), labels, more=more))
    assert found.points == ("LKNE",)
    assert found.notes == (
        "3 markers without a label are left out",
        "2 markers whose label stands twice are left out",
        "1 marker of angles, forces and other results of a model is left out",
    )


@pytest.mark.parametrize(
    ("screen", "up"), [("+Z", "z"), ("Z", "z"), ("-Y", "-y"), ("+X", "x"), ("up", None), ("", None)]
)
def test_the_axis_that_points_up_on_the_screen(tmp_path: Path, screen: str, up: str | None) -> None:
    more: dict[str, list[str] | list[float] | list[int]] = {"POINT:Y_SCREEN": [screen]} if screen else {}
    assert read_one(tmp_path, written(places(), more=more)).up == up


@pytest.mark.parametrize(("units", "known"), [("mm", "mm"), ("M", "m"), ("cm", "cm"), ("in", "in"), ("furlongs", None)])
def test_units(tmp_path: Path, units: str, known: str | None) -> None:
    found = read_one(tmp_path, written(places(), units=units))
    assert found.units == known
    assert [*found.notes] == ([] if known else ["its units 'furlongs' are none that are known"])


def test_events_and_measurements_are_named(tmp_path: Path) -> None:
    more: dict[str, list[str] | list[float] | list[int]] = {"EVENT:USED": [3], "ANALOG:USED": [8]}
    assert read_one(tmp_path, written(places(), more=more)).notes == (
        "8 analog channels (force plates, EMG and the like) are not read",
        "3 events are not read",
    )


def test_long_recordings_say_their_length_elsewhere(tmp_path: Path) -> None:
    expected = np.repeat(places(1), 70_000, axis=0)
    expected[:, 0, 0] = np.arange(70_000) / 8
    more: dict[str, list[str] | list[float] | list[int]] = {
        "POINT:FRAMES": [-1],
        "TRIAL:ACTUAL_START_FIELD": [1, 0],
        "TRIAL:ACTUAL_END_FIELD": [70_000 - 65_536, 1],
    }
    content = bytearray(written(expected[:60_000], more=more))
    rest = written(expected[60_000:])
    content += rest[-10_000 * 64 :]
    found = read_one(tmp_path, bytes(content))
    assert len(found.joints) == 70_000
    np.testing.assert_array_equal(found.joints[:, 0, 0, 0], expected[:, 0, 0])


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "does not begin with the header"),
        (b"PK\3\4" * 400, "does not begin with the header"),
        (written(places())[:512], "parameters begin beyond its end"),
        (written(places())[:1024], "frames begin outside of the file"),
        (written(places())[:-1], "6 frames and has room for 5: the file is cut"),
        (written(places())[:-300], "6 frames and has room for 1: the file is cut"),
        (written(np.full((3, 4, 3), np.nan)), "no marker is seen in any frame"),
        (written(places(), ("*1", "*2", "*3", "")), "no marker with a label: 4 markers without a label"),
        (written(places(), ()), "no marker with a label"),
        (written(np.full((3, 4, 3), 1e7, dtype=np.float32)), "frame 1: point 1 beyond 1,000,000"),
        (written(places(), more={"POINT:USED": [9]}), "header says 4 points, its parameters 9"),
        (written(places(), more={"POINT:SCALE": [1.0]}), "differ in whether numbers are whole"),
        (written(places(), more={"POINT:FRAMES": [30_000]}), "30,000 frames and has room for 6"),
    ],
)
def test_what_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(RecordingError, match=reason):
        read_all(tmp_path, content)


def test_an_unknown_kind_of_computer(tmp_path: Path) -> None:
    content = bytearray(written(places()))
    content[512 + 3] = 7
    with pytest.raises(RecordingError, match=r"kind of computer \(7\)"):
        read_all(tmp_path, bytes(content))


@pytest.mark.parametrize("cut", range(0, 1800, 37))
def test_every_cut_is_noticed(tmp_path: Path, cut: int) -> None:
    content = written(places(20))
    with pytest.raises(RecordingError):
        read_all(tmp_path, content[: len(content) - 1 - cut])


@pytest.mark.parametrize("scale", [-1.0, 0.1])
def test_any_damage_is_refused_or_read(tmp_path: Path, scale: float) -> None:
    content = written(places(), scale=scale, analog=3, more={"POINT:ANGLES": ["A"], "EVENT:USED": [2]})
    refused = 0
    for damaged in mutated(content, 600, upto=1100):
        found = refusal_or(partial(read_all, tmp_path, damaged))
        if isinstance(found, RecordingError):
            refused += 1
            continue
        for one in found:
            assert one.joints.nbytes <= 2 * len(damaged)
            assert not (np.abs(one.joints) > LARGEST).any()
            assert all(point.isprintable() for point in one.points)
            assert one.fps is None or 0 < one.fps < 100_000
    assert refused > 200
