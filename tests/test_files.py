"""Files appear whole, with the mode of any new file; what killed processes left is removed; one process writes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kinestream import files
from kinestream.files import check_writable, new_folder, new_scratch, replacing, scratch_folder, sweep, write_json
from kinestream.lock import lock
from kinestream.owner import Owner, this_process


def dead() -> Owner:
    """A process that has ended: its number may be given to another, its start may not."""
    me = this_process()
    return Owner(place=me.place, pid=me.pid, start=me.start - 1)


def part(owner: Owner, name: str = "a", suffix: str = ".json") -> str:
    return f".{name}.{owner.place}-{owner.pid}-{owner.start}-0.part{suffix}"


def elsewhere() -> Owner:
    return Owner(place="0" * 8, pid=1, start=1)


def test_a_process_is_gone_when_it_has_ended_or_its_number_is_anothers() -> None:
    assert this_process().is_gone() is False
    assert dead().is_gone() is True
    assert elsewhere().is_gone() is None
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    stat = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
    owner = Owner(place=this_process().place, pid=child.pid, start=int(stat[19]))
    assert owner.is_gone() is False
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # nobody has asked for its end yet
    assert owner.is_gone() is True
    child.communicate()
    assert owner.is_gone() is True


def test_the_next_writer_removes_what_was_left_and_nothing_else(tmp_path: Path) -> None:
    left, running, foreign = part(dead()), part(this_process()), part(elsewhere())
    for name in (left, running, foreign, ".a.123.part.json", "a.part", ".hidden"):
        (tmp_path / name).touch()
    folder = tmp_path / part(dead(), "store", "")
    folder.mkdir()
    (folder / "joints.npy").touch()
    target = tmp_path / "elsewhere"
    target.mkdir()
    (target / "kept").touch()
    (tmp_path / part(dead(), "link", "")).symlink_to(target)
    write_json(tmp_path / "other.json", {})  # of another name: the folder counts
    there = {path.name for path in tmp_path.iterdir()}
    assert there == {running, foreign, ".a.123.part.json", "a.part", ".hidden", "elsewhere", "other.json"}
    assert (target / "kept").exists()


def test_what_a_process_elsewhere_left_goes_when_it_is_old(tmp_path: Path) -> None:
    old, new = (tmp_path / part(elsewhere(), name) for name in ("old", "new"))
    for path in (old, new):
        path.touch()
    os.utime(old, (time.time() - 7200,) * 2)
    sweep(tmp_path)
    assert (old.exists(), new.exists()) == (False, True)


def test_folders_with_very_many_files_are_looked_through_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_MANY", 3)
    for number in range(5):
        (tmp_path / f"{number}").touch()
    sweep(tmp_path)
    (tmp_path / part(dead())).touch()
    sweep(tmp_path)
    assert (tmp_path / part(dead())).exists()


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_the_mode_is_that_of_any_new_file_whatever_the_writer_gives(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        with replacing(tmp_path / "a.bin") as made:
            made.unlink()
            made.touch(mode=0o600)
    finally:
        os.umask(before)
    assert (tmp_path / "a.bin").stat().st_mode & 0o777 == 0o666 & ~mask


def test_encoders_can_be_read_by_others(tmp_path: Path, small_store: Path) -> None:
    from tests.stores import write_small_run

    before = os.umask(0o022)
    try:
        run = write_small_run(tmp_path / "run", small_store)
    finally:
        os.umask(before)
    assert {oct(path.stat().st_mode & 0o777) for path in run.iterdir()} == {"0o644"}


def test_a_file_that_cannot_be_written_is_named_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for wrong in (tmp_path / "file" / "a.json", tmp_path / "file" / "b" / "a.json", tmp_path):
        with pytest.raises(ValueError, match="cannot be written") as told:
            check_writable(wrong)
        assert str(wrong) in str(told.value)
        with pytest.raises(OSError, match=re.escape(str(tmp_path))), replacing(wrong):
            pytest.fail("the work was begun")
    check_writable(tmp_path / "new" / "folder" / "a.json")
    check_writable(tmp_path, is_folder=True)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_takes_an_empty_ones_place_or_that_of_an_earlier_one(tmp_path: Path) -> None:
    place = tmp_path / "there"
    for content in ("first", "second"):
        with new_folder(place, over=True) as made:
            (made / content).touch()
    assert [path.name for path in place.iterdir()] == ["second"]
    with pytest.raises(ValueError, match="exists already"), new_folder(place):
        pytest.fail("the work was begun")
    with pytest.raises(ValueError, match="not an empty folder"), new_folder(place, empty=True):
        pytest.fail("the work was begun")
    (place / "second").unlink()
    with pytest.raises(FileNotFoundError), new_folder(place, empty=True) as made:
        (made / "third" / "half").touch()
    assert list(place.iterdir()) == []
    with new_folder(place, empty=True) as made:
        (made / "third").touch()
    assert [path.name for path in place.iterdir()] == ["third"]
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_folders_change_places_where_the_system_has_no_such_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files.ctypes, "CDLL", lambda name, use_errno: object())
    for content in ("first", "second"):
        with new_folder(tmp_path / "there", over=True) as made:
            (made / content).touch()
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == ["there", "there/second"]


def test_the_folder_one_is_in_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="name a folder in it"), new_folder(Path(), empty=True):
        pytest.fail("the work was begun")


def test_scratch_folders_of_killed_processes_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    owner = dead()
    (tmp_path / f"kinestream-{owner.place}-{owner.pid}-{owner.start}-3.part").mkdir()
    with scratch_folder() as folder:
        assert [path.name for path in tmp_path.iterdir()] == [folder.name]
    assert list(tmp_path.iterdir()) == []
    mine = new_scratch()
    sweep(tmp_path)
    assert mine.is_dir()


HOLD = "import sys, time; from pathlib import Path; from kinestream.lock import lock\n" + (
    "with lock(Path(sys.argv[1]), of=Path('runs/mine')): print('held', flush=True); time.sleep(60)"
)


def test_a_lock_names_its_owner_and_ends_with_it(tmp_path: Path) -> None:
    file = tmp_path / "run" / ".lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(file)], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        host = os.uname().nodename
        named = rf"runs/mine is being written by process {holder.pid} on {host} since"
        with pytest.raises(ValueError, match=named), lock(file, of=Path("runs/mine")):
            pytest.fail("two have it")
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert json.loads(file.read_text())["pid"] == holder.pid
        with lock(file, of=Path("runs/mine")):
            assert json.loads(file.read_text())["pid"] == os.getpid()
    finally:
        holder.kill()
        holder.communicate()
    assert list(file.parent.iterdir()) == []


def test_where_there_are_no_locks_a_process_of_this_machine_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kinestream.lock._locked", lambda descriptor: False)
    told: list[str] = []
    file = tmp_path / ".lock"
    file.write_text(json.dumps({"host": "here", "since": "then", **vars(dead())}))
    with lock(file, of=tmp_path, notice=told.append):
        assert len(told) == 1
        assert "file system without locks" in told[0]
        with pytest.raises(ValueError, match=f"process {os.getpid()}"), lock(file, of=tmp_path):
            pytest.fail("two have it")


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", "[" * 4000, '{"pid": 1e400}', "\udcff"])
def test_a_lock_file_may_hold_anything(tmp_path: Path, content: str) -> None:
    file = tmp_path / ".lock"
    file.write_bytes(content.encode(errors="surrogateescape"))
    with lock(file, of=tmp_path):
        assert json.loads(file.read_text())["pid"] == os.getpid()


def test_a_folder_made_for_a_lock_alone_goes_with_it(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), lock(tmp_path / "run" / ".lock", of=tmp_path):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
