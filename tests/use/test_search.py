"""Search: exact against the naive way, by an index, by names, files and stretches."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stores import write_small_run
from tests.use.conftest import movement
from tests.use.test_archive import MADE

import kinestream as ks
from kinestream.use.archive import Embeddings
from kinestream.use.model import Model
from kinestream.use.nearest import nearest
from kinestream.use.query import parse_query
from kinestream.use.rows import Rows
from kinestream.use.search import Query, search
from kinestream.use.vectors import Held


@given(
    count=st.integers(1, 60), queries=st.integers(1, 5), k=st.integers(1, 70), chunk=st.integers(1, 20),
    seed=st.integers(0, 1000), together=st.booleans(),
)  # fmt: skip
def test_the_nearest_are_those_of_a_sort_of_all(
    count: int, queries: int, k: int, chunk: int, seed: int, together: bool
) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-1, 2, (count, 3)).astype(np.float32)  # few values: many are equal
    asked = rng.integers(-1, 2, (queries, 3)).astype(np.float32)
    allowed = rng.random(count) < 0.7
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("kinestream.use.vectors._CHUNK_BYTES", 12 * chunk)
        cosines, places = nearest(Held(vectors), asked, k, allowed=allowed, together=together)
    table = asked @ vectors.T
    table = table.max(axis=0, keepdims=True) if together else table
    for row, found, similar in zip(table, places, cosines, strict=True):
        order = sorted(np.flatnonzero(allowed).tolist(), key=lambda place: (-row[place], place))[:k]
        assert found[found >= 0].tolist() == order
        assert similar[: len(order)].tolist() == row[order].tolist()


def windows(seed: int = 0) -> Embeddings:
    """Six recordings of three people in windows of two seconds, half a second apart."""
    rng = np.random.default_rng(seed)
    places = [(name, start) for name in range(6) for start in np.arange(0, 8, 0.5)]
    centres = rng.normal(size=(6, 5))
    vectors = np.stack([centres[name] + rng.normal(0, 0.5, 5) for name, _ in places]).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    some = len(places)
    rows = Rows.of(
        {
            "name": [f"r{name}" for name, _ in places],
            "file": [f"/data/r{name}.npy" for name, _ in places],
            "person": [1] * some,
            "start": [start for _, start in places],
            "end": [start + 2 for _, start in places],
            "fps": [30] * some,
            "label": [""] * some,
            "subject": [["a", "b", ""][name % 3] for name, _ in places],
            "camera": [""] * some,
            "session": [""] * some,
        }
    )
    return Embeddings(MADE, rows, Held(vectors))


def overlap(hits: Any) -> bool:
    rows = hits.rows
    return any(
        rows.name[a] == rows.name[b] and rows.start[a] < rows.end[b] and rows.end[a] > rows.start[b]
        for a in range(len(rows))
        for b in range(a)
    )


def test_of_overlapping_windows_only_the_nearest_is_found_and_never_the_query_itself() -> None:
    archive = windows()
    hits = archive.search("r0@2-4", k=12)
    assert len(hits) == 12
    assert not overlap(hits)
    assert list(hits.distances) == sorted(hits.distances)
    own = hits.rows.name == "r0"
    assert own.any(), "other parts of the same recording are found"
    assert not ((hits.rows.start < 4) & (hits.rows.end > 2))[own].any()
    query = archive.filter(lambda rows: (rows.name == "r0") & (rows.start == 2)).vectors
    assert hits.distances[0] == pytest.approx(
        1 - (archive.vectors[list(hits.indices)] @ query.T).max(axis=1)[0], abs=1e-6
    )


def test_same_file_and_same_person_are_left_out_on_request() -> None:
    archive = windows()
    assert "r0" not in archive.search("r0", k=10, not_same="file").names
    hits = archive.search("r0", k=10, not_same="person")
    assert set(hits.rows.subject) == {"b"}
    assert hits.notes == ("32 rows whose person is not known are left out",)
    with pytest.raises(ValueError, match="who the query shows is not known"):
        archive.search("r2", not_same="person")
    with pytest.raises(ValueError, match="nothing is left to search for 'r0'"):
        archive.filter(name="r0").search("r0", k=1)


def test_fewer_are_found_where_fewer_are_apart() -> None:
    archive = windows().filter(lambda rows: rows.name == "r1")
    hits = archive.search(0, k=10)
    assert 2 <= len(hits) <= 3, "of two seconds each in ten, two of which are the query"
    assert not overlap(hits)


def test_an_index_finds_nearly_the_same_and_tells_its_recall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("usearch")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(3000, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    columns = {name: [""] * 3000 for name in ("file", "label", "subject", "camera", "session")}
    numbers = {"person": [0] * 3000, "start": [0] * 3000, "end": [1] * 3000, "fps": [1] * 3000}
    rows = Rows.of({"name": [f"n{number}" for number in range(3000)], **columns, **numbers})
    Embeddings(MADE, rows, Held(vectors)).save(tmp_path / "a.npz")
    archive = ks.open_embeddings(tmp_path / "a.npz")
    exact = archive.search("n7", k=10)
    hits = archive.search("n7", k=10, index="usearch")
    assert len(set(exact.names) & set(hits.names)) >= 8
    assert hits.notes[0].startswith("by an index of usearch, which finds ")
    assert archive.index.recall > 0.8
    (kept,) = (tmp_path / "cache" / "kinestream").glob("index-*.usearch")
    made = kept.stat().st_mtime_ns
    again = ks.open_embeddings(tmp_path / "a.npz").search("n7", k=10, index="usearch")
    assert again.names == hits.names
    assert kept.stat().st_mtime_ns == made, "it is built once"
    assert exact.notes == ()
    monkeypatch.setattr("kinestream.use.search.EXACT_ROWS", 100)
    assert archive.search("n7", k=3).notes[0].startswith("by an index of usearch")


def test_files_and_stretches_of_them(model: Model, run: Path, files: Path, tmp_path: Path) -> None:
    archive = ks.embed(
        files, run, tmp_path / "a.npz", windows="1s", layout="kinect20", fps=10, units="m", up="y", trust=True
    )
    name = str(files / "move-05.npy")
    hits = archive.search(f"{name}@1-2", k=4, model=model)
    whole = archive.search("move-05@1-2", k=4)
    assert hits.names == whole.names
    np.testing.assert_allclose(hits.distances, whole.distances, atol=1e-3)
    np.save(tmp_path / "new.npy", np.load(files / "move-07.npy"))
    found = archive.search(tmp_path / "new.npy", k=3)  # by the encoder where it was
    assert found.names[0] == "move-07"
    assert found.distances[0] == pytest.approx(0, abs=1e-5)
    inside = archive.search(f"{tmp_path / 'new.npy'}@10-20f", k=3)
    assert inside.names[0] == "move-07"
    assert (inside.rows.start[0], inside.rows.end[0]) == (1.0, 2.0)
    for query, message in (
        ("move-05@9-12", r"'move-05' ends at 4"),
        (f"{name}@90-95", "there are no two frames in 90-95s"),
        ("move-5", "unknown recording 'move-5': did you mean move-05"),
        ("move-05@3-2", "the stretch ends before it begins"),
        (99_999, "no row 99999"),
    ):
        with pytest.raises(ValueError, match=message):
            archive.search(query)


def test_the_encoder_of_an_archive_must_be_there_and_the_same(
    run: Path, files: Path, tmp_path: Path, small_store: Path
) -> None:
    archive = ks.embed(files, run, tmp_path / "a.npz", layout="kinect20", units="m", up="y", trust=True)
    np.save(tmp_path / "new.npy", movement(3))
    other = write_small_run(tmp_path / "other", small_store, "bone")
    with pytest.raises(ValueError, match=r"a\.npz was made by another encoder \(small, "):
        archive.search(tmp_path / "new.npy", model=ks.load(other))
    moved = dataclasses.replace(archive.made_by, encoder_path=str(tmp_path / "gone"))
    with pytest.raises(ValueError, match="the encoder of the archive is not where it was"):
        Embeddings(moved, archive.rows, archive.source).search(tmp_path / "new.npy")
    changed = dataclasses.replace(archive.made_by, encoder_path=str(other))
    with pytest.raises(ValueError, match="was made by another encoder"):
        Embeddings(changed, archive.rows, archive.source).search(tmp_path / "new.npy")


def test_a_query_of_vectors_of_ones_own() -> None:
    archive = windows()
    hits = search(archive, Query(name="mine", vectors=archive.vectors[:1]), k=1)
    assert hits.indices == (0,)


@pytest.mark.parametrize(
    ("text", "name", "start"),
    [("walk@1-2", "walk", 1.0), ("a@b@0.5-2.25s", "a@b", 0.5), ("me@home", "me@home", None), ("x@1-", "x@1-", None)],
)
def test_queries_are_read(text: str, name: str, start: float | None) -> None:
    found, stretch = parse_query(text)
    assert found == name
    assert (None if stretch is None else stretch.start) == start


def test_hits_are_saved(tmp_path: Path) -> None:
    hits = windows().search("r0", k=3)
    hits.save(tmp_path / "hits.csv")
    lines = (tmp_path / "hits.csv").read_text().splitlines()
    assert lines[0].startswith("rank,distance,name,file,person,start,end")
    assert len(lines) == 4
    with pytest.raises(ValueError, match="hits are saved as"):
        hits.save(tmp_path / "hits.txt")
    assert list(pytest.importorskip("pandas") and hits.to_pandas()["rank"]) == [1, 2, 3]
