"""Archives of embeddings: written, opened, appended to, filtered; damaged ones told in one line."""

import contextlib
import csv
import dataclasses
import io
import json
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

import kinestream as ks
from kinestream.use.archive import Embeddings
from kinestream.use.made_by import MadeBy, Reading
from kinestream.use.rows import COLUMNS, Rows
from kinestream.use.vectors import Held, Joined, Picked, chunks, take

MADE = MadeBy(
    encoder="e" * 64,
    encoder_name="mine",
    encoder_path="",
    dim=5,
    streams=("joint",),
    layout="ntu25",
    frames=20,
    preparation="tracked",
    readout="whole",
    windows="2s",
    hop=None,
    people="each",
    reading=Reading(layout="ntu25", fps=30.0),
)
ODD = ["plain", "with, comma", 'quote "', "line\nbreak", "ümlaut 動作", "", "=1+1"]


def archive(count: int = 40, seed: int = 0, made: MadeBy = MADE) -> Embeddings:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, made.dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    numbers = range(count)
    rows = Rows.of(
        {
            "name": [f"{seed}-{number // 4}" for number in numbers],
            "file": [f"/data/{ODD[number % len(ODD)]}" for number in numbers],
            "person": [number % 3 for number in numbers],
            "start": [number % 4 / 3 for number in numbers],
            "end": [number % 4 / 3 + 2 for number in numbers],
            "fps": [np.nan if number % 5 == 0 else 29.97 for number in numbers],
            "label": [ODD[number % len(ODD)] for number in numbers],
            "subject": [str(number % 6) for number in numbers],
            "camera": [""] * count,
            "session": ["s"] * count,
        }
    )
    return Embeddings(made, rows, Held(vectors))


@pytest.mark.parametrize("suffix", [".parquet", ".npz", ".csv"])
@pytest.mark.parametrize("count", [1, 40])
def test_what_is_written_is_what_is_read(tmp_path: Path, suffix: str, count: int) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    made, path = archive(count), tmp_path / f"a{suffix}"
    made.save(path)
    found = ks.open_embeddings(path)
    assert found.made_by == made.made_by
    assert found.rows.same(made.rows)
    np.testing.assert_array_equal(found.vectors, made.vectors)
    assert found.vectors.dtype == np.float32
    assert found.path == path
    assert repr(found).endswith(f"{count} rows of 5, windows 2s, encoder mine eeeeeeeeeeee)")


def test_others_read_the_files(tmp_path: Path) -> None:
    made = archive()
    made.save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as plain:
        np.testing.assert_array_equal(plain["vectors"], made.vectors)
    mapped = ks.open_embeddings(tmp_path / "a.npz").vectors
    assert isinstance(mapped, np.memmap)
    assert mapped.flags.aligned
    made.save(tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert table[3]["label"] == "line_break"
    assert table[6]["label"] == "_1+1", "no formula for a spreadsheet"
    assert float(table[3]["v4"]) == made.vectors[3, 4]
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    made.save(tmp_path / "a.parquet")
    frame = pandas.read_parquet(tmp_path / "a.parquet")
    assert list(frame.columns) == [*COLUMNS, "vector"]
    np.testing.assert_array_equal(np.stack(frame["vector"]), made.vectors)


def test_large_archives_are_written_and_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    monkeypatch.setattr("kinestream.use.vectors._CHUNK_BYTES", 4 * 5 * 7)  # seven rows
    made = archive(40)
    made.save(tmp_path / "a.parquet")
    found = ks.open_embeddings(tmp_path / "a.parquet")
    assert [start for start, _ in chunks(found.source)] == [0, 7, 14, 21, 28, 35]
    np.testing.assert_array_equal(np.concatenate([some for _, some in chunks(found.source)]), made.vectors)
    places = np.array([39, 0, 13, 14, 13])
    np.testing.assert_array_equal(take(found.source, places), made.vectors[places])
    some = found.filter(places)
    np.testing.assert_array_equal(some.vectors, made.vectors[places])
    np.testing.assert_array_equal(found.source.read(5, 20), made.vectors[5:20])
    both = Joined([found.source, Picked(found.source, places)], 5)
    np.testing.assert_array_equal(both.read(38, 42), np.concatenate([made.vectors[38:], made.vectors[[39, 0]]]))


def test_filter_and_append() -> None:
    first, second = archive(40), archive(12, seed=1)
    some = first.filter(subject=2, person=2)
    assert set(some.rows.subject) == {"2"}
    assert len(some) == sum(number % 6 == 2 and number % 3 == 2 for number in range(40))
    np.testing.assert_array_equal(first.filter(lambda rows: rows.start > 0.5).rows.start > 0.5, True)
    both = first.append(second)
    assert len(both) == 52
    np.testing.assert_array_equal(both.vectors[40:], second.vectors)
    assert both.append(second).rows.same(both.rows), "no row twice"
    assert len(first) == 40, "an archive is not changed"
    with pytest.raises(ValueError, match="no column 'subjekt': there are name, file"):
        first.filter(subjekt=2)
    with pytest.raises(ValueError, match=r"made by another encoder .*vectors of two encoders cannot be compared"):
        first.append(archive(made=dataclasses.replace(MADE, encoder="f" * 64)))
    with pytest.raises(ValueError, match="was made with windows 2s, not not given"):
        first.append(archive(made=dataclasses.replace(MADE, windows=None)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.rows = second.rows  # type: ignore[misc]


def test_to_pandas_and_xarray() -> None:
    made = archive()
    frame = pytest.importorskip("pandas") and made.to_pandas()
    assert list(frame.columns) == [*COLUMNS, "v0", "v1", "v2", "v3", "v4"]
    np.testing.assert_array_equal(frame[["v0", "v1", "v2", "v3", "v4"]].to_numpy(), made.vectors)
    array = pytest.importorskip("xarray") and made.to_xarray()
    assert array.dims == ("row", "feature")
    np.testing.assert_array_equal(array.values, made.vectors)
    assert array.sel(row=array["subject"] == "3").shape[0] == int((made.rows.subject == "3").sum())
    assert array.attrs["encoder"] == made.encoder


def damaged(path: Path, kind: str) -> None:
    content = path.read_bytes()
    if kind == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "noise":
        path.write_bytes(np.random.default_rng(0).bytes(len(content)))
    else:
        middle = len(content) // 3
        path.write_bytes(
            content[:middle] + bytes(255 - byte for byte in content[middle : middle + 40]) + content[middle + 40 :]
        )


@pytest.mark.parametrize("suffix", [".parquet", ".npz", ".csv"])
@pytest.mark.parametrize("kind", ["cut", "empty", "noise", "flipped"])
def test_a_damaged_file_is_one_line_or_read_as_far_as_it_is_whole(tmp_path: Path, suffix: str, kind: str) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"a{suffix}"
    archive().save(path)
    damaged(path, kind)
    if kind == "flipped" or (suffix, kind) == (".csv", "cut"):  # numbers, of which any may be right
        with contextlib.suppress(ValueError):
            found = ks.open_embeddings(path)
            assert found.vectors.shape == (len(found), 5)
        return
    with pytest.raises(ValueError, match=re.escape(str(path))) as told:
        ks.open_embeddings(path).vectors  # noqa: B018
    assert "\n" not in str(told.value)


def test_a_hostile_npz_allocates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    archive().save(path)
    with zipfile.ZipFile(path) as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}

    def write(**changed: bytes) -> None:
        with zipfile.ZipFile(path, "w") as file:
            for name, content in {**parts, **{name.replace("_", "."): made for name, made in changed.items()}}.items():
                file.writestr(name, content)

    huge = io.BytesIO()
    np.lib.format.write_array_header_1_0(huge, {"descr": "<f4", "fortran_order": False, "shape": (10**12, 5)})  # 20 TB
    objects = io.BytesIO()
    np.save(objects, np.array([print], dtype=object), allow_pickle=True)
    for content, message in (
        (huge.getvalue(), "is no array of"),
        (objects.getvalue(), "is no array of"),
        (b"\x93NUMPY\x01\x00\x10\x00(((((((((((((((", "no header of an array"),
        (parts["vectors.npy"] + b"more", "is no array of"),
    ):
        write(vectors_npy=content)
        with pytest.raises(ValueError, match=message):
            ks.open_embeddings(path)
    write(rows_csv=parts["rows.csv"] + parts["rows.csv"].splitlines(keepends=True)[-1])
    with pytest.raises(ValueError, match="is damaged"):
        ks.open_embeddings(path)
    write(kinestream_json=json.dumps({**MADE.to_dict(), "dim": 6}).encode())
    with pytest.raises(ValueError, match="each has 6 numbers"):
        ks.open_embeddings(path)
    write(kinestream_json=b"[" * 100_000)
    with pytest.raises(ValueError, match="is no archive of embeddings that this kinestream reads"):
        ks.open_embeddings(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.npz", "no archive of embeddings .*none.npz: make one with 'kinestream embed'"),
        ("a.txt", "is no archive of embeddings: one ends with .parquet, .npz, .csv"),
        ("folder", "folder is no archive of embeddings: it has no embedding.json"),
    ],
)
def test_what_is_no_archive_is_one_line(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.txt").write_text("words")
    with pytest.raises(ValueError, match=message):
        ks.open_embeddings(tmp_path / name)


def test_saving_needs_a_known_suffix(tmp_path: Path) -> None:
    for name in ("a.h5", "a"):
        with pytest.raises(ValueError, match=r"\.parquet"):
            archive().save(tmp_path / name)
    assert not any(tmp_path.iterdir())
    shutil.rmtree(tmp_path)
