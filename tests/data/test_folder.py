"""Files below folders: links, archives, suffixes, and what must not come in by them."""

import gzip
import zipfile
from pathlib import Path

import pytest

from kinestream.data.folder import files_below, plain_file, stem_of, suffix_of, unpack
from kinestream.data.recording import RecordingError


def test_files_come_in_a_fixed_order_and_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "data/b").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    for name in ("data/z.csv", "data/b/a.csv", "elsewhere/linked.csv"):
        (tmp_path / name).write_text("1")
    (tmp_path / "data/a").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data/one.csv").symlink_to(tmp_path / "elsewhere/linked.csv")
    found = [path.relative_to(tmp_path / "data").as_posix() for path in files_below(tmp_path / "data")]
    assert found == ["one.csv", "z.csv", "a/linked.csv", "b/a.csv"]


def test_a_ring_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/file.csv").write_text("1")
    (tmp_path / "a/b/back").symlink_to(tmp_path / "a")
    assert [path.name for path in files_below(tmp_path / "a")] == ["file.csv"]


@pytest.mark.parametrize(
    ("name", "suffix", "stem"),
    [("walk.CSV", ".csv", "walk"), ("walk.csv.gz", ".csv", "walk"), ("a.b.npy", ".npy", "a.b"), ("plain", "", "plain")],
)
def test_suffixes(name: str, suffix: str, stem: str) -> None:
    assert (suffix_of(Path(name)), stem_of(Path(name))) == (suffix, stem)


def test_gz_is_read_as_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "walk.csv.gz").write_bytes(gzip.compress(b"frame,x\n"))
    with plain_file(tmp_path / "walk.csv.gz") as plain:
        assert (plain.name, plain.read_bytes()) == ("walk.csv", b"frame,x\n")
    assert not plain.exists()
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(bytes(1000))[:-9])
    (tmp_path / "none.csv.gz").write_bytes(b"frame,x\n")
    for name in ("cut.csv.gz", "none.csv.gz"):
        with pytest.raises(RecordingError, match=r"no whole \.gz file"), plain_file(tmp_path / name):
            pass


def test_archives_are_looked_into_and_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with zipfile.ZipFile(tmp_path / "data/walks.ZIP", "w") as archive:
        archive.writestr("monday/a.csv", "1")
        archive.writestr("b.csv", "2")
    (tmp_path / "data/c.csv").write_text("3")
    found = unpack(tmp_path / "data")
    assert [path.read_text() for path in found.files] == ["3", "2", "1"]
    names = [found.called(path).relative_to(tmp_path / "data").as_posix() for path in found.files]
    assert names == ["c.csv", "walks.ZIP/b.csv", "walks.ZIP/monday/a.csv"]
    assert [found.relative(path).as_posix() for path in found.files] == names
    alone = unpack(tmp_path / "data/walks.ZIP")
    assert [alone.relative(path).as_posix() for path in alone.files] == ["b.csv", "monday/a.csv"]


def test_nothing_is_unpacked_outside_of_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../outside.csv", "1")
        archive.writestr("/absolute.csv", "2")
    found = unpack(path)
    ((_, folder),) = found.archives
    assert len(found.files) == 2
    assert all(file.resolve().is_relative_to(folder.resolve()) for file in found.files)


def test_an_archive_that_cannot_be_unpacked_is_told(tmp_path: Path) -> None:
    path = tmp_path / "walks.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "1234567890" * 50)
    whole = path.read_bytes()
    for damaged in (whole[:40], b"", whole.replace(b"1234567890", b"0234567890", 1)):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"walks\.zip cannot be unpacked"):
            unpack(path)


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no file or folder"):
        unpack(tmp_path / "nothing")
