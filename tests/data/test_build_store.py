import contextlib
import csv
import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.reference.literal_readers import format_ntu

from kinestream import cli
from kinestream.data import clips as clips_module
from kinestream.data import kept as kept_module
from kinestream.data.build import Built, build_store
from kinestream.data.check import StoreReport, check_store
from kinestream.data.clips import Clips
from kinestream.data.datasets import load_dataset
from kinestream.data.formats import ntu
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.store import Store, StoreError, StoreInfo, StoreWriter

NTU60, NW_UCLA = load_dataset("ntu60"), load_dataset("nw-ucla")
LIST = "NTU_RGBD_samples_with_missing_skeletons.txt"


def name_of(action: int, subject: int = 1, camera: int = 1, repetition: int = 1) -> str:
    return f"S001C{camera:03}P{subject:03}R{repetition:03}A{action:03}"


def scene(name: str, frames: int = 9, bodies: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Joints and body ids, different for each name."""
    rng = np.random.default_rng(list(name.encode()))
    joints = rng.normal(scale=0.2, size=(frames, bodies, 25, 3)) * (1, 2, 1) + (0, 0, 3)
    return joints.round(4), np.tile(np.arange(1, bodies + 1), (frames, 1))


def write(folder: Path, name: str, frames: int = 9, bodies: int = 1) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.skeleton"
    path.write_bytes(format_ntu(*scene(name, frames, bodies)))
    return path


def build(raw: Path, out: Path, **options: Any) -> Built:
    return build_store(NTU60, raw, out, **{"preparation": PREPARATIONS["published"], **options})


def left_behind(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def rejected_rows(store: Path) -> list[list[str]]:
    with (store / "rejected.csv").open(newline="") as file:
        return list(csv.reader(file))


def names_in(store: Path) -> tuple[str, ...]:
    return Store(store).table.name


# --- building -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four folders with 49 files, four of which are bad: more than three tasks of 16."""
    raw = tmp_path_factory.mktemp("many") / "raw"
    for action in range(1, 50):
        path = write(
            raw / "abcd"[action % 4],
            name_of(action, subject=action % 7 + 1),
            frames=1 + action % 5,
            bodies=1 + action % 3,
        )
        if action % 12 == 0:
            path.write_bytes(path.read_bytes()[: -100 * action])
    return raw


def test_one_process_or_three_make_the_same_store(many: Path, tmp_path: Path) -> None:
    calls: dict[int, list[tuple[int, int]]] = {1: [], 3: []}
    for processes, seen in calls.items():
        build(many, tmp_path / str(processes), processes=processes, progress=lambda *call, seen=seen: seen.append(call))
    files = ["joints.npy", "recordings.csv", "rejected.csv", "store.json"]
    assert left_behind(tmp_path / "1") == left_behind(tmp_path / "3") == files
    for file in files:
        assert (tmp_path / "1" / file).read_bytes() == (tmp_path / "3" / file).read_bytes(), file
    assert calls[1] == calls[3] == [(done, 49) for done in range(50)]
    assert len(rejected_rows(tmp_path / "3")) == 1 + 4


def test_the_store_has_what_was_read(many: Path, tmp_path: Path) -> None:
    built = build(many, tmp_path / "store", preparation=PREPARATIONS["tracked"])
    store = Store(tmp_path / "store")
    assert len(store) == 45 == built.info.recordings
    assert built.info.frames == store.table.length.sum()
    assert built.raw_bytes == sum(path.stat().st_size for path in many.rglob("*.skeleton"))
    for index, name in enumerate(store.table.name):
        path = next(many.rglob(f"{name}.skeleton"))
        source = ntu.parse_name(path)
        expected = PREPARATIONS["tracked"].clean(ntu.read(source), NTU60.format.layout, 2)
        np.testing.assert_array_equal(store.joints(index), expected.astype(np.float32))
        table = store.table
        assert (table.label[index] + 1, table.subject[index]) == (source.action, source.subject)
        assert (table.camera[index], table.setup[index], table.repetition[index]) == (1, 1, 1)
        assert store.index_of(name) == index
    assert (store.preparation.name, store.layout, store.info.classes) == ("tracked", NTU60.format.layout, NTU60.classes)
    assert store.info.splits == NTU60.splits
    np.testing.assert_array_equal(np.load(tmp_path / "store/joints.npy")[: store.table.length[0]], store.joints(0))


def test_the_real_files(real_data: Path, tmp_path: Path) -> None:
    built = build(real_data / "ntu/nturgb+d_skeletons", tmp_path / "store")
    assert (built.info.recordings, built.info.rejected, built.missing_list) == (7, 0, real_data / "ntu" / LIST)
    assert check_store(Store(tmp_path / "store")).bodies == {1: 4, 2: 3}


def test_nw_ucla_files(tmp_path: Path) -> None:
    joints = np.random.default_rng(0).normal(size=(3, 20, 3)).round(4)
    for name, label in (("a08_s01_e00_v03", 7), ("a01_s02_e01_v01", 1), ("a02_s02_e01_v01", 5), ("a07_s01_e00_v01", 7)):
        content = {"file_name": name, "label": label, "skeletons": joints.tolist()}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    build_store(NW_UCLA, tmp_path, tmp_path / "store", preparation=PREPARATIONS["tracked"])
    store = Store(tmp_path / "store")
    assert store.table.name == ("a01_s02_e01_v01", "a08_s01_e00_v03")
    assert [store.info.classes[label] for label in store.table.label] == ["pick up with one hand", "donning"]
    assert [store.select("xview", part).tolist() for part in ("train", "test")] == [[0], [1]]
    assert [row[0] for row in rejected_rows(tmp_path / "store")] == [
        "file",
        "a02_s02_e01_v01.json",
        "a07_s01_e00_v01.json",
    ]


def test_rejected_files_are_listed_with_line_and_reason(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    write(raw, name_of(1))
    cut = write(raw / "b", name_of(2))
    cut.write_bytes(b"\n".join(cut.read_bytes().splitlines()[:30]))
    text = write(raw / "a", name_of(3))
    text.write_bytes(text.read_bytes().replace(b"277.419", b'x,"y', 1))
    write(raw, name_of(4)).write_bytes(b"2\n0\n0\n")
    write(raw, "readme")
    (raw / f"{name_of(5)}.skeleton").symlink_to(raw / "nowhere")
    built = build(raw, tmp_path / "store")
    assert rejected_rows(tmp_path / "store") == [
        ["file", "line", "reason"],
        [f"{name_of(4)}.skeleton", "", "no body in any of its 2 frames"],
        [f"{name_of(5)}.skeleton", "", "cannot be read: No such file or directory"],
        [f"a/{name_of(3)}.skeleton", "5", "'x,\"y' where a number belongs"],
        [f"b/{name_of(2)}.skeleton", "30", "the file ends before the header of a body in frame 2: cut off"],
        ["readme.skeleton", "", "the name is not of the scheme SsssCcccPpppRrrrAaaa.skeleton"],
    ]
    assert (built.info.rejected, built.info.recordings) == (5, 1)


def test_recordings_that_the_preparation_cannot_use(tmp_path: Path) -> None:
    write(tmp_path / "raw", name_of(1))
    joints, bodies = scene(name_of(2))
    joints[:, 0, 0] = 0
    write(tmp_path / "raw", name_of(2)).write_bytes(format_ntu(joints, bodies))
    assert build(tmp_path / "raw", tmp_path / "published").rejected[0].reason.startswith("no valid frame")
    assert not build(tmp_path / "raw", tmp_path / "tracked", preparation=PREPARATIONS["tracked"]).rejected


def test_a_second_file_of_a_name(tmp_path: Path) -> None:
    for folder in ("b", "a/z", "a"):
        write(tmp_path / "raw" / folder, name_of(1), frames=len(folder))
    built = build(tmp_path / "raw", tmp_path / "store")
    assert names_in(tmp_path / "store") == (name_of(1),)
    assert built.info.frames == len("a")
    assert [entry.path.parent.name for entry in built.rejected] == ["z", "b"]
    for entry in built.rejected:
        assert str(tmp_path / "raw/a") in entry.reason


def test_names_that_are_no_text(tmp_path: Path) -> None:
    """A file name may hold any bytes; one of those shall not lose the work of an hour."""
    write(tmp_path / "raw", name_of(1))
    try:
        Path(os.fsdecode(os.fsencode(tmp_path / "raw") + b"/\xff\xe4.skeleton")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system has no such names")
    built = build(tmp_path / "raw", tmp_path / "store")
    assert (built.info.recordings, built.info.rejected) == (1, 1)
    assert len((tmp_path / "store/rejected.csv").read_text("utf-8").splitlines()) == 2


def test_other_classes_and_other_files_are_counted(tmp_path: Path) -> None:
    for action in (0, 1, 60, 61, 120):
        write(tmp_path / "raw", name_of(action))
    for file in ("readme.txt", "notes", f"{name_of(2)}.avi", f"{name_of(2)}.skeleton.zip"):
        (tmp_path / "raw" / file).write_text("")
    (tmp_path / f"raw/{name_of(3)}.skeleton").mkdir()
    built = build(tmp_path / "raw", tmp_path / "store")
    assert (built.info.recordings, built.other_classes, built.other_files, built.rejected) == (2, 3, 4, ())
    assert Store(tmp_path / "store").table.label.tolist() == [0, 59]


# --- the list of missing skeletons ----------------------------------------------------------------------------------

HEADER = '302 of the captured samples in the "NTU RGB+D" dataset have missing or incomplete skeleton data.\n\n'


@pytest.fixture
def three(tmp_path: Path) -> Path:
    for action in (1, 2, 3):
        write(tmp_path / "raw", name_of(action))
    return tmp_path / "raw"


@pytest.mark.parametrize("place", [f"raw/{LIST}", LIST])
def test_missing_list_beside_the_data_or_one_folder_up(three: Path, tmp_path: Path, place: str) -> None:
    (tmp_path / place).write_text(f"{HEADER}{name_of(2)}\r\n{name_of(9)}\n", newline="")
    built = build(three, tmp_path / "store")
    assert built.missing_list == tmp_path / place
    assert (built.info.excluded, built.info.rejected, built.info.recordings) == (1, 0, 2)
    assert names_in(tmp_path / "store") == (name_of(1), name_of(3))
    assert len(rejected_rows(tmp_path / "store")) == 1


def test_missing_list_of_a_relative_folder(three: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / LIST).write_text(name_of(2))
    monkeypatch.chdir(three)
    assert build(Path(), tmp_path / "store").info.excluded == 1


def test_missing_list_given(three: Path, tmp_path: Path) -> None:
    (tmp_path / LIST).write_text(name_of(1))
    (tmp_path / "mine.txt").write_text(f"  {name_of(2)}  \n{name_of(3)}.skeleton\n")
    built = build(three, tmp_path / "store", missing_list=tmp_path / "mine.txt")
    assert names_in(tmp_path / "store") == (name_of(1),)
    assert (built.info.excluded, built.missing_list) == (2, tmp_path / "mine.txt")


def test_no_missing_list(three: Path, tmp_path: Path) -> None:
    assert build(three, tmp_path / "store").missing_list is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "has no name"),
        (HEADER.encode(), "has no name"),
        (b"\n\n", "has no name"),
        (b"name\nS001\n\n{}\n", "has no name"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_missing_list_refused(three: Path, tmp_path: Path, content: bytes | None, reason: str) -> None:
    given_list = tmp_path / "list.txt"
    if content is not None:
        given_list.write_bytes(content)
    with pytest.raises(ValueError, match=rf"list\.txt {reason}"):
        build(three, tmp_path / "store", missing_list=given_list)
    assert "store" not in left_behind(tmp_path)


# --- nothing to build -----------------------------------------------------------------------------------------------


def no_folder(raw: Path) -> None: ...


def a_file(raw: Path) -> None:
    raw.write_text("")


def empty(raw: Path) -> None:
    (raw / "deep/er").mkdir(parents=True)


def other_data_set(raw: Path) -> None:
    raw.mkdir()
    for number in range(3):
        (raw / f"a01_s0{number}_e00_v01.json").write_text("{}")
    (raw / "LICENSE").write_text("")


def only_bad_names(raw: Path) -> None:
    write(raw, "one")
    write(raw, "two")


def only_bad_files(raw: Path) -> None:
    write(raw, name_of(1)).write_bytes(b"3\n")
    write(raw, name_of(2)).write_bytes(b"")


def only_other_classes(raw: Path) -> None:
    write(raw, name_of(61))


def only_missing(raw: Path) -> None:
    write(raw, name_of(1))
    (raw / LIST).write_text(name_of(1))


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (no_folder, r"raw is no folder: give the one with the \*\.skeleton files"),
        (a_file, r"raw is no folder"),
        (empty, r"raw is empty: give the folder with the files SsssCcccPpppRrrrAaaa\.skeleton"),
        (
            other_data_set,
            r"no file SsssCcccPpppRrrrAaaa\.skeleton below .*raw: there are others \(3 \.json, 1 LICENSE\)",
        ),
        (only_bad_names, r"the first of 2 refused: .*one\.skeleton: the name is not of the scheme"),
        (only_bad_files, r"none of the 2 files below .*raw can be used; the first: .*A001\.skeleton:1: says 3 frames"),
        (only_other_classes, r"1 are of actions that ntu60 does not have, 0 are on the list"),
        (only_missing, r"0 are of actions that ntu60 does not have, 1 are on the list"),
    ],
)
@pytest.mark.parametrize("processes", [1, 2])
def test_nothing_to_build(
    tmp_path: Path, prepare: Callable[[Path], None], reason: str, processes: int, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = tmp_path / "raw"
    prepare(raw)
    before = left_behind(tmp_path)
    with pytest.raises(ValueError, match=reason):
        build(raw, tmp_path / "store", processes=processes)
    assert left_behind(tmp_path) == before
    assert cli.main(["prepare", "ntu60", str(raw), str(tmp_path / "store"), "--processes", "1"]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("kinestream prepare: ")
    assert left_behind(tmp_path) == before


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("bad", [name_of(3), "zzz"], ids=["bad file", "bad name"])
def test_strict(tmp_path: Path, bad: str, processes: int) -> None:
    for action in range(1, 40):
        write(tmp_path / "raw", name_of(action), frames=1)
    write(tmp_path / "raw", bad).write_bytes(b"1\n1\nx")
    with pytest.raises(
        ValueError, match=rf"{bad}\.skeleton(:3)?: .* \(--strict stops at the first such file; nothing was"
    ):
        build(tmp_path / "raw", tmp_path / "store", strict=True, processes=processes)
    assert left_behind(tmp_path) == ["raw"]
    assert build(tmp_path / "raw", tmp_path / "store", processes=processes).info.rejected == 1


@pytest.mark.parametrize("content", [None, "file", "empty folder"])
def test_what_is_there_already_stays(three: Path, tmp_path: Path, content: str | None) -> None:
    out = tmp_path / "store"
    if content is None:
        build(three, out)
    elif content == "file":
        out.write_text("precious")
    else:
        out.mkdir()
    before = {path.name: path.read_bytes() for path in ([out] if out.is_file() else out.iterdir())}
    with pytest.raises(ValueError, match="store exists already: choose another folder, or remove it first"):
        build(three, out)
    assert {path.name: path.read_bytes() for path in ([out] if out.is_file() else out.iterdir())} == before
    assert left_behind(tmp_path) == ["raw", "store"]


def test_made_by_someone_else_meanwhile(three: Path, tmp_path: Path) -> None:
    def progress(done: int, total: int) -> None:
        if done == total:
            (tmp_path / "store").mkdir()

    with pytest.raises(ValueError, match="was made by someone else meanwhile"):
        build(three, tmp_path / "store", progress=progress)
    assert left_behind(tmp_path) == ["raw", "store"]
    assert left_behind(tmp_path / "store") == []


def test_a_folder_that_cannot_be_read_is_an_error(three: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would lack in the store without a word."""
    (three / "locked").mkdir()
    scan = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path).name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises((ValueError, OSError), match=r"locked"):
        build(three, tmp_path / "store")
    assert left_behind(tmp_path) == ["raw"]


def test_a_failing_write_leaves_nothing(three: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(StoreWriter, "add", full)
    with pytest.raises(OSError, match="No space left"):
        build(three, tmp_path / "store")
    assert left_behind(tmp_path) == ["raw"]


# --- stopped in the middle ------------------------------------------------------------------------------------------


def start_and_wait_for_data(tmp_path: Path, out: str) -> "subprocess.Popen[str]":
    """`kinestream prepare` in a process group of its own, at work on several thousand files."""
    first = write(tmp_path / "raw", name_of(1), frames=100)
    for number in range(8000):
        (tmp_path / "raw" / f"{name_of(1 + number % 60, subject=number // 60, camera=2)}.skeleton").hardlink_to(first)
    command = [sys.executable, "-m", "kinestream", "prepare", "ntu60", "raw", out, "--processes", "2"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    while process.poll() is None:
        for joints in tmp_path.glob(".*.part/joints.npy"):
            if joints.stat().st_size > 30_000:
                return process
        time.sleep(0.01)
    raise AssertionError(f"ended before it could be stopped: {process.communicate()}")


def test_interrupted(tmp_path: Path) -> None:
    process = start_and_wait_for_data(tmp_path, "store")
    os.killpg(process.pid, signal.SIGINT)
    out, error = process.communicate()
    assert (process.returncode, out) == (130, "")
    assert error.splitlines()[-1] == "interrupted; nothing half-written is left"
    assert "Traceback" not in error
    assert left_behind(tmp_path) == ["raw"]


def test_killed(tmp_path: Path) -> None:
    process = start_and_wait_for_data(tmp_path, "sto[r]e")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    (left, raw) = left_behind(tmp_path)
    assert re.fullmatch(rf"\.sto\[r\]e\.[0-9a-f]{{8}}-{process.pid}-\d+-\d+\.part", left)
    assert raw == "raw"
    running = tmp_path / left.replace(f"-{process.pid}-", f"-{os.getppid()}-")
    parent = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[19]
    running = running.with_name(re.sub(r"-\d+(-\d+\.part)", rf"-{parent}\1", running.name))
    running.mkdir()
    write(tmp_path / "small", name_of(1))
    build(tmp_path / "small", tmp_path / "sto[r]e")
    # What a running process works on is left alone.
    assert set(left_behind(tmp_path)) == {running.name, "raw", "small", "sto[r]e"}
    assert len(Store(tmp_path / "sto[r]e")) == 1


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks the processes up in /proc")
def test_workers_end_with_the_first_process(tmp_path: Path) -> None:
    """Killed alone, as a system short of memory does it: nobody is left waiting for work."""
    process = start_and_wait_for_data(tmp_path, "store")
    process.kill()
    process.wait()
    # The group is there for as long as one of its processes holds the pipes or is not yet waited for.
    for _ in range(600):
        if not _living(process.pid):
            break
        time.sleep(0.05)
    assert _living(process.pid) == []
    process.communicate()


def _living(group: int) -> list[int]:
    """The processes of a group, without those that only wait for their parent to look at them."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            number, _, after = status.read_text().partition(" (")
            state, _, of_group = after.rpartition(") ")[2].split()[:3]
            if int(of_group) == group and state != "Z":
                found.append(int(number))
    return found


# --- the store ------------------------------------------------------------------------------------------------------


def make_store(
    folder: Path, recordings: Mapping[str, np.ndarray], preparation: str = "tracked", missing: int = 0
) -> Store:
    """A store of these prepared joints."""
    folder.mkdir(parents=True)
    with StoreWriter(folder, NTU60.format.layout, 2) as writer:
        for name, joints in recordings.items():
            writer.add(ntu.parse_name(Path(f"{name}.skeleton")), joints.astype(np.float32))
        writer.finish(NTU60, PREPARATIONS[preparation], excluded=missing, rejected=0)
    return Store(folder)


def joints_of(seed: int, frames: int = 10, bodies: int = 2) -> np.ndarray:
    joints = np.random.default_rng(seed).normal(scale=0.3, size=(frames, 2, 25, 3))
    return joints * (np.arange(2) < bodies)[:, None, None]


RECORDINGS = {
    name_of(1, subject=1, camera=1): joints_of(1, frames=12),
    name_of(60, subject=3, camera=2): joints_of(2, frames=30, bodies=1),
    name_of(7, subject=4, camera=3): joints_of(3, frames=1),
    name_of(1, subject=6, camera=2): joints_of(4, frames=20),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "store"
    make_store(folder, RECORDINGS)
    return folder


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "store"))


def edit(store: Path, **changes: Any) -> None:
    """Other values in store.json; `...` takes a key out."""
    plain = json.loads((store / "store.json").read_text()) | changes
    (store / "store.json").write_text(json.dumps({key: value for key, value in plain.items() if value is not ...}))


def test_round_trip(whole: Path) -> None:
    store = Store(whole)
    assert len(store) == 4
    assert store.table.name == tuple(RECORDINGS)
    for index, (name, joints) in enumerate(RECORDINGS.items()):
        np.testing.assert_array_equal(store.joints(index), joints.astype(np.float32))
        assert store.index_of(name) == index
    with pytest.raises(ValueError, match="read-only"):
        store.joints(0)[0] = 1


def test_parts_of_splits(whole: Path) -> None:
    store = Store(whole)
    assert store.select("xsub", "train").tolist() == [0, 2]
    assert store.select("xsub", "test").tolist() == [1, 3]
    assert store.select("xview", "train").tolist() == [1, 2, 3]
    assert store.select("xview", "test").tolist() == [0]
    with pytest.raises(StoreError, match=r"store \(ntu60\) has no split 'xset': choose from xsub, xview"):
        store.select("xset", "train")


def test_index_of_an_unknown_name(whole: Path) -> None:
    with pytest.raises(StoreError, match=f"no recording 'S1': names there are like {name_of(1)}, "):
        Store(whole).index_of("S1")


@pytest.mark.parametrize("shape", [(0, 2, 25, 3), (5, 1, 25, 3), (5, 2, 20, 3), (5, 2, 25, 2)])
def test_writer_refuses_what_does_not_fit(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with StoreWriter(tmp_path, NTU60.format.layout, 2) as writer, pytest.raises(ValueError, match="has shape"):
        writer.add(ntu.parse_name(Path(f"{name_of(1)}.skeleton")), np.zeros(shape, np.float32))


def test_fingerprint_is_of_the_content(whole: Path, tmp_path: Path) -> None:
    fingerprint = Store(whole).fingerprint
    assert make_store(tmp_path / "same", RECORDINGS).fingerprint == fingerprint
    assert make_store(tmp_path / "way", RECORDINGS, "published").fingerprint != fingerprint
    assert make_store(tmp_path / "less", dict(list(RECORDINGS.items())[:3])).fingerprint != fingerprint
    moved = {name: joints + 1e-6 * (name == name_of(7, subject=4, camera=3)) for name, joints in RECORDINGS.items()}
    assert make_store(tmp_path / "moved", moved).fingerprint != fingerprint


def test_one_changed_byte_is_found_when_read(copy: Path) -> None:
    content = bytearray((copy / "joints.npy").read_bytes())
    content[-20 * 2 * 25 * 3 * 4 - 1] ^= 1  # the last byte of the third recording
    (copy / "joints.npy").write_bytes(content)
    store = Store(copy)
    for index in (0, 1, 3):
        store.joints(index)
    with pytest.raises(StoreError, match=f"recording {name_of(7, subject=4, camera=3)} is not as it was written"):
        store.joints(2)


def cut_joints(store: Path) -> None:
    os.truncate(store / "joints.npy", (store / "joints.npy").stat().st_size - 1)


def cut_header(store: Path) -> None:
    os.truncate(store / "joints.npy", 100)


def no_joints(store: Path) -> None:
    os.truncate(store / "joints.npy", 0)


def other_joints(store: Path) -> None:
    np.save(store / "joints.npy", np.load(store / "joints.npy").astype(np.float64))


def fewer_joints(store: Path) -> None:
    np.save(store / "joints.npy", np.load(store / "joints.npy")[:-1])


def sorted_table(store: Path) -> None:
    lines = (store / "recordings.csv").read_text().splitlines()
    (store / "recordings.csv").write_text("\n".join([lines[0], *sorted(lines[1:])]) + "\n")


def no_json(store: Path) -> None:
    text = (store / "store.json").read_text()
    (store / "store.json").write_text(text[: len(text) // 2])


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (lambda store: shutil.rmtree(store), r"no store at .*: make one with 'kinestream prepare'"),
    "empty folder": (lambda store: [path.unlink() for path in store.iterdir()], r"is no store \(no store.json\)"),
    "no store.json": (lambda store: (store / "store.json").unlink(), r"is no store \(no store.json\)"),
    "no table": (lambda store: (store / "recordings.csv").unlink(), r"has lost its recordings.csv"),
    "no joints": (lambda store: (store / "joints.npy").unlink(), r"has lost its joints.npy"),
    "joints cut": (cut_joints, r"joints.npy was cut or damaged .*prepare the store again"),
    "joints cut in the header": (cut_header, r"joints.npy was cut or damaged .*prepare the store again"),
    "joints empty": (no_joints, r"joints.npy was cut or damaged .*prepare the store again"),
    "joints of another type": (other_joints, r"holds float64 .*store.json says float32"),
    "joints too few": (fewer_joints, r"holds float32 \(62, .*store.json says float32 \(63, "),
    "table edited": (sorted_table, r"recordings.csv is not as it was written \(checksum\)"),
    "not JSON": (no_json, r"store.json is damaged .*prepare the store again"),
    "not UTF-8": (lambda store: (store / "store.json").write_bytes(b'{"schema": "\xff"}'), r"store.json is damaged"),
    "a JSON list": (lambda store: (store / "store.json").write_text("[1]"), r"store.json is damaged"),
    "no schema": (lambda store: edit(store, schema=...), r"has schema null, .*: prepare it again"),
    "newer": (lambda store: edit(store, schema=5), r"has schema 5, this kinestream reads 4: update kinestream"),
    "older": (lambda store: edit(store, schema=2), r"has schema 2, this kinestream reads 4: prepare it again"),
    "schema as text": (lambda store: edit(store, schema="1"), r"has schema 1, .*: prepare it again"),
    "schema null": (lambda store: edit(store, schema=None), r"has schema null, .*: prepare it again"),
    "preparation of the future": (lambda store: edit(store, preparation="perfect"), r"unknown preparation 'perfect'"),
    "preparation as a list": (lambda store: edit(store, preparation=["tracked"]), r"edited or damaged .*preparation"),
    "recordings as text": (lambda store: edit(store, recordings="4"), r"edited or damaged .*recordings"),
    "more recordings": (lambda store: edit(store, recordings=5), r"store.json says 5 recordings.*has 4"),
    "fewer recordings": (lambda store: edit(store, recordings=3), r"store.json says 3 recordings.*has 4"),
    "frames as a fraction": (lambda store: edit(store, frames=63.0), r"edited or damaged .*frames"),
    "more frames": (lambda store: edit(store, frames=64), r"holds float32 \(63, .*store.json says float32 \(64, "),
    "other bodies": (lambda store: edit(store, most_bodies=1), r"store.json says float32 \(63, 1, "),
    "title null": (lambda store: edit(store, title=None), r"edited or damaged .*title"),
    "rejected as text": (lambda store: edit(store, rejected="none"), r"edited or damaged .*rejected"),
    "classes as text": (lambda store: edit(store, classes="abc"), r"edited or damaged .*classes"),
    "classes as numbers": (lambda store: edit(store, classes=[1] * 60), r"edited or damaged .*classes"),
    "fewer classes": (lambda store: edit(store, classes=["one", "two"]), r"store.json .*2 classes"),
    "splits as a list": (lambda store: edit(store, splits=["xsub"]), r"edited or damaged"),
    "a split without rule": (lambda store: edit(store, splits={"own": {"title": "x"}}), r"edited or damaged"),
    "layout of another sensor": (
        lambda store: edit(store, layout=NW_UCLA.format.layout.to_dict()),
        r"says float32 \(63, 2, 20, 3\)",
    ),
    "layout without parents": (lambda store: edit(store, layout={"name": "ntu25"}), r"edited or damaged .*layout"),
    "a key too many": (lambda store: edit(store, colour="red"), r"edited or damaged .*colour"),
} | {
    f"no {key}": (lambda store, key=key: edit(store, **{key: ...}), rf"edited or damaged .*{key}")
    for key in StoreInfo.__dataclass_fields__
    if key not in ("segments_sha256", "fps")  # where it is not known
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("damage", "reason"), REFUSED.values(), ids=REFUSED)
def test_refused_stores(copy: Path, damage: Callable[[Path], object], reason: str) -> None:
    damage(copy)
    with pytest.raises(StoreError, match=reason) as caught:
        Store(copy)
    assert str(copy) in str(caught.value)
    assert "\n" not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "tracked", "camera", "7", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["train", "field", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(plain: Any, *above: Any) -> Iterator[tuple[Any, ...]]:
    """The way to every value in nested containers, with the first two entries of lists."""
    entries = (
        list(plain.items())
        if isinstance(plain, dict)
        else list(enumerate(plain))[:2]
        if isinstance(plain, list)
        else []
    )
    for key, value in entries:
        yield (*above, key)
        yield from places(value, *above, key)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(data=st.data())
@pytest.mark.usefixtures("unchecked")
def test_any_edit_of_the_description_is_refused_or_harmless(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    plain = json.loads((whole / "store.json").read_text())
    *above, key = data.draw(st.sampled_from(sorted(places(plain), key=str)))
    container = plain
    for step in above:
        container = container[step]
    container[key] = data.draw(JSON)
    folder = tmp_path_factory.getbasetemp() / "edited"
    if not folder.exists():
        shutil.copytree(whole, folder)
    (folder / "store.json").write_text(json.dumps(plain))
    try:
        store = Store(folder)
    except StoreError:
        return
    assert len(store) == len(store.table.name) == 4
    report = check_store(store)
    assert not report.damaged
    assert Clips(store, 2).batch(np.arange(4)).shape == (4, 2, 2, 25, 3)


@pytest.mark.usefixtures("unchecked")
def test_any_bit_of_the_header_of_the_joints(copy: Path) -> None:
    """Refused, or read as before."""
    content = (copy / "joints.npy").read_bytes()
    expected = [Store(copy).joints(index).copy() for index in range(4)]
    for place in range(192):
        for bit in (0, 2, 5):
            with (copy / "joints.npy").open("r+b") as file:
                file.seek(place)
                file.write(bytes([content[place] ^ (1 << bit)]))
            with contextlib.suppress(StoreError):
                store = Store(copy)
                for index, joints in enumerate(expected):
                    np.testing.assert_array_equal(store.joints(index), joints)
            with (copy / "joints.npy").open("r+b") as file:
                file.write(content[:192])


# --- clips ----------------------------------------------------------------------------------------------------------


def cache_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("clips-*.npy"))


@pytest.mark.parametrize("preparation", PREPARATIONS)
def test_clips_are_those_of_the_preparation(tmp_path: Path, preparation: str) -> None:
    store = make_store(tmp_path / "store", RECORDINGS, preparation)
    clips = Clips(store, 17)
    assert len(clips) == 4
    batch = clips.batch(np.array([3, 0, 0, 2, 1]))
    for position, index in enumerate((3, 0, 0, 2, 1)):
        expected = PREPARATIONS[preparation].clip(store.joints(index), 17, store.layout)
        np.testing.assert_array_equal(batch[position], expected)
    assert batch.dtype == np.float32
    batch[:] = 7  # a copy: the next user does not see it
    assert not (clips.batch(np.arange(4)) == 7).any()
    assert [path.suffix for path in store.path.iterdir()].count(".npy") == 2


def test_clips_are_made_once(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = Clips(Store(copy), 6).batch(np.arange(4))
    before = {path: path.stat().st_mtime_ns for path in cache_files(copy)}
    assert len(before) == 1
    monkeypatch.setattr(clips_module, "keep", None)
    np.testing.assert_array_equal(Clips(Store(copy), 6).batch(np.arange(4)), expected)
    assert {path: path.stat().st_mtime_ns for path in cache_files(copy)} == before


def test_other_lengths_have_their_own_clips(copy: Path) -> None:
    store = Store(copy)
    assert [Clips(store, frames).batch(np.arange(4)).shape[1] for frames in (2, 50, 2)] == [2, 50, 2]
    assert len(cache_files(copy)) == 2
    with pytest.raises(ValueError, match="at least 2 frames, not 1"):
        Clips(store, 1)


def test_clips_of_a_store_made_anew_are_made_anew(tmp_path: Path) -> None:
    make_store(tmp_path / "a", RECORDINGS)
    Clips(Store(tmp_path / "a"), 6)
    (cached,) = cache_files(tmp_path / "a")
    other = {name: joints + 1 for name, joints in RECORDINGS.items()}
    store = make_store(tmp_path / "b", other)
    shutil.copy(cached, tmp_path / "b" / cached.name)
    expected = store.preparation.clip(store.joints(1), 6, store.layout)
    np.testing.assert_array_equal(Clips(store, 6).batch(np.array([1]))[0], expected)


def test_a_damaged_clip_is_made_again_and_the_file_with_it(copy: Path) -> None:
    expected = Clips(Store(copy), 6).batch(np.arange(4))
    (cached,) = cache_files(copy)
    content = bytearray(cached.read_bytes())
    content[128 + expected[:2].nbytes + 40 : 128 + expected[:2].nbytes + 44] = np.float32(5e8).tobytes()
    cached.write_bytes(content)
    clips = Clips(Store(copy), 6)
    np.testing.assert_array_equal(clips.batch(np.array([0, 1])), expected[:2])
    assert cached.exists(), "these two are as they were"
    np.testing.assert_array_equal(clips.batch(np.array([1, 2, 2, 3])), expected[[1, 2, 2, 3]])
    assert not cached.exists()
    np.testing.assert_array_equal(Clips(Store(copy), 6).batch(np.arange(4)), expected)
    np.testing.assert_array_equal(np.load(cached), expected)


@pytest.mark.parametrize("size", [0, 60, 128, 4000, -1])
def test_cut_clips_are_made_again(copy: Path, size: int) -> None:
    expected = Clips(Store(copy), 6).batch(np.arange(4))
    (cached,) = cache_files(copy)
    os.truncate(cached, size if size >= 0 else cached.stat().st_size + size)
    np.testing.assert_array_equal(Clips(Store(copy), 6).batch(np.arange(4)), expected)
    np.testing.assert_array_equal(np.load(cached), expected)


@pytest.mark.parametrize(
    "change", [lambda clips: clips[:, :5], lambda clips: clips[:3], lambda clips: clips.astype(np.float64)]
)
def test_clips_of_another_form_are_made_again(copy: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    expected = Clips(Store(copy), 6).batch(np.arange(4))
    (cached,) = cache_files(copy)
    np.save(cached, change(expected))
    np.testing.assert_array_equal(Clips(Store(copy), 6).batch(np.arange(4)), expected)


def test_interrupted_clips_leave_nothing(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(copy)
    before = left_behind(copy)

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "joints", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Clips(store, 6)
    assert left_behind(copy) == before


@pytest.mark.parametrize("error", [PermissionError(errno.EACCES, "denied"), OSError(errno.EROFS, "read-only")], ids=str)
def test_clips_of_a_store_that_cannot_be_written(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    replacing = kept_module.replacing

    @contextlib.contextmanager
    def refuse(path: Path) -> Iterator[Path]:
        if path.is_relative_to(copy) or not writable:
            raise error
        with replacing(path) as part:
            yield part

    writable = True
    monkeypatch.setattr(kept_module, "replacing", refuse)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    store = Store(copy)
    clips = Clips(store, 6)
    (cached,) = cache_files(tmp_path / "cache/kinestream")
    np.testing.assert_array_equal(
        clips.batch(np.array([3]))[0], store.preparation.clip(store.joints(3), 6, store.layout)
    )
    assert not cache_files(copy)
    writable = False
    np.testing.assert_array_equal(Clips(store, 6).batch(np.arange(4)), np.load(cached))  # used again, not made
    with pytest.raises(StoreError, match=r"neither the store nor .*cache/kinestream can be written"):
        Clips(store, 7)


def test_a_full_disk_is_no_reason_to_go_elsewhere(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def refuse(path: Path) -> Iterator[Path]:
        raise OSError(errno.ENOSPC, "No space left on device")
        yield path

    monkeypatch.setattr(kept_module, "replacing", refuse)
    with pytest.raises(OSError, match="No space left"):
        Clips(Store(copy), 6)


# --- looking a store over -------------------------------------------------------------------------------------------


def report_of(folder: Path, recordings: Mapping[str, np.ndarray]) -> StoreReport:
    return check_store(make_store(folder, recordings))


def test_counts_of_a_whole_store(whole: Path) -> None:
    calls: list[tuple[int, int]] = []
    report = check_store(Store(whole), lambda *call: calls.append(call))
    assert calls == [(done, 4) for done in range(5)]
    assert {count.split.name: (count.train, count.test) for count in report.splits} == {"xsub": (2, 2), "xview": (3, 1)}
    assert not any(count.as_published for count in report.splits)
    assert report.class_counts.shape == (60, 2, 2)
    assert report.class_counts.sum(axis=0).tolist() == [[2, 2], [3, 1]]
    assert report.class_counts[0].tolist() == [[1, 1], [1, 1]]
    assert report.class_counts[59].tolist() == [[0, 1], [1, 0]]
    assert report.damaged == ()
    assert (report.bodies, report.lengths) == ({1: 1, 2: 3}, (1, 16, 30))
    assert report.odd == {"fewer than 8 frames": (name_of(7, subject=4, camera=3),)}


def test_counts_as_published(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", RECORDINGS)
    edit(store.path, splits={"own": NTU60.splits["xsub"].to_dict() | {"published": {"train": 2, "test": 2}}})
    assert [count.as_published for count in check_store(Store(store.path)).splits] == [True]


def test_damaged_recordings_are_all_named(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (copy / "joints.npy").open("r+b") as file:
        for frame in (0, 60):
            file.seek(192 + frame * 2 * 25 * 3 * 4)
            file.write(b"\x00\x01\x02")
    calls: list[tuple[int, int]] = []
    report = check_store(Store(copy), lambda *call: calls.append(call))
    assert len(report.damaged) == 2
    names = list(RECORDINGS)
    assert names[0] in report.damaged[0]
    assert names[3] in report.damaged[1]
    assert report.bodies == {1: 1, 2: 1}
    assert calls[-1] == (4, 4)
    assert cli.main(["check", str(copy), "--brief"]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert f"recording {names[0]} is not as it was written" in error
    assert error.endswith("(and 1 more)")
    assert cli.main(["check", str(copy)]) == 1


def test_check_of_a_whole_store(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", str(whole)]) == 0
    assert capsys.readouterr().out.endswith("is whole: 4 recordings, every checksum as written\n")


def still() -> np.ndarray:
    return np.tile(joints_of(5, frames=1), (10, 1, 1, 1)) + np.linspace(0, 0.009, 10)[:, None, None, None]


def large(size: float) -> np.ndarray:
    joints = joints_of(6)
    joints[4, 1, 20, 1] = joints[4, 1, :, 1].min() + size
    return joints


def late() -> np.ndarray:
    joints = joints_of(7)
    joints[0] = 0
    return joints


def no_number() -> np.ndarray:
    joints = joints_of(8)
    joints[3, 0, 2, 1] = np.nan
    return joints


@pytest.mark.parametrize(
    ("joints", "oddities"),
    [
        (joints_of(5, frames=8), []),
        (joints_of(5, frames=7), ["fewer than 8 frames"]),
        (np.tile(joints_of(5, frames=1), (7, 1, 1, 1)), ["fewer than 8 frames"]),
        (still(), ["no joint moves by 1 cm"]),
        (still() * 1.3, []),
        (large(3.1), ["a body larger than 3 m"]),
        (large(2.9), []),
        (late(), ["no body in the first frame"]),
        (late()[:5], ["fewer than 8 frames", "no body in the first frame"]),
        (no_number(), ["numbers that are not finite"]),
    ],
)
def test_oddities(tmp_path: Path, joints: np.ndarray, oddities: list[str]) -> None:
    report = report_of(tmp_path / "store", {name_of(1): joints_of(0), name_of(2): joints})
    assert report.odd == {oddity: (name_of(2),) for oddity in oddities}


def test_the_same_content_twice(tmp_path: Path) -> None:
    names = [name_of(action) for action in range(1, 6)]
    contents = [joints_of(1), joints_of(2), joints_of(1), joints_of(1), joints_of(2)[:9]]
    report = report_of(tmp_path / "store", dict(zip(names, contents, strict=True)))
    assert report.odd == {
        "the same content as another recording": (f"{names[2]} = {names[0]}", f"{names[3]} = {names[0]}")
    }


def test_the_same_checksum_is_not_the_same_content(tmp_path: Path) -> None:
    """Among 100 000 recordings some checksums of 32 bits agree by chance."""
    store = make_store(tmp_path / "store", {name_of(1): joints_of(1), name_of(2): _forged(joints_of(1), joints_of(2))})
    assert store.table.crc32[0] == store.table.crc32[1]
    assert check_store(store).odd == {}


def _forged(model: np.ndarray, other: np.ndarray) -> np.ndarray:
    """`other` with four bytes changed such that its checksum is that of `model` (checksums are linear in the bytes)."""
    target = zlib.crc32(model.astype(np.float32).tobytes())
    data = bytearray(other.astype(np.float32).tobytes())
    place = len(data) - 4
    data[place:] = bytes(4)
    base = zlib.crc32(data)
    rows = []
    for bit in range(32):
        data[place:] = (1 << bit).to_bytes(4, "little")
        rows.append((zlib.crc32(data) ^ base, 1 << bit))
    wanted, solution = target ^ base, 0
    for bit in reversed(range(32)):
        pivot = next(row for row in rows if row[0] >> bit & 1)
        rows = [(a ^ pivot[0], b ^ pivot[1]) if a >> bit & 1 else (a, b) for a, b in rows if (a, b) != pivot]
        if wanted >> bit & 1:
            wanted, solution = wanted ^ pivot[0], solution ^ pivot[1]
    data[place:] = solution.to_bytes(4, "little")
    return np.frombuffer(bytes(data), np.float32).reshape(other.shape)
