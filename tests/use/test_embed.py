"""`ks.embed`: any number of recordings into an archive; resumed, appended to, shared by processes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.stores import write_small_run
from tests.use.conftest import movement

import kinestream as ks
from kinestream.cli import main
from kinestream.skeleton.pose import standing
from kinestream.use import embed as embedding
from kinestream.use.archive import Embeddings
from kinestream.use.model import Model
from kinestream.use.sources import RowReader

HOW: dict[str, Any] = {"layout": "kinect20", "fps": 10, "units": "m", "up": "y", "trust": True}


def same(one: Embeddings, other: Embeddings) -> bool:
    return one.rows.same(other.rows) and np.array_equal(one.vectors, other.vectors)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "_BLOCK", 5)
    monkeypatch.setattr(embedding, "_BLOCK_OF_WINDOWS", 3)


@pytest.fixture
def stops_after(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes `embed` stop, as by a kill, when it has read so many recordings."""
    read = embedding._Work._read

    def stop(count: int | None) -> None:
        seen = 0

        def counted(self: Any, *words: Any) -> Iterator[Any]:
            nonlocal seen
            for one in read(self, *words):
                if seen == count:
                    raise KeyboardInterrupt
                seen += 1
                yield one

        monkeypatch.setattr(embedding._Work, "_read", counted)

    return stop


@pytest.mark.parametrize("out", ["a.parquet", "a.npz", "a.csv", "a"])
def test_files_of_every_form_have_the_same_rows(
    out: str, files: Path, model: Model, tmp_path: Path, small_blocks: None, moves: list[ks.Recording]
) -> None:
    if out.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    found = ks.embed(files, model, tmp_path / out, windows="2s", hop="1s", **HOW)
    expected = model.embedded(moves, windows="2s", hop="1s")
    assert found.rows.name.tolist() == expected.rows.name.tolist()
    assert found.rows.start.tolist() == expected.rows.start.tolist()
    np.testing.assert_allclose(found.vectors, expected.vectors, atol=1e-3)
    assert set(found.rows.file) == {str(files / f"{one.name}.npy") for one in moves}
    assert found.encoder == model.fingerprint
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["recordings", out]), "nothing else is left"


@pytest.mark.parametrize("out", ["a.npz", "a"])
def test_stopped_at_any_place_it_goes_on_to_the_same_archive(
    out: str, files: Path, model: Model, tmp_path: Path, small_blocks: None, stops_after: Any
) -> None:
    whole = ks.embed(files, model, tmp_path / "whole.npz", **HOW)
    for count in (0, 3, 5, 6):
        stops_after(count)
        with pytest.raises(KeyboardInterrupt):
            ks.embed(files, model, tmp_path / out, **HOW)
    stops_after(None)
    if out == "a":  # what is there already can be looked at
        assert 0 < len(ks.open_embeddings(tmp_path / "a")) < 12
    assert same(ks.embed(files, model, tmp_path / out, **HOW), whole)
    assert same(ks.embed(files, model, tmp_path / out, **HOW), whole), "given again it adds nothing"


def test_killed_after_the_file_was_written_no_row_is_there_twice(
    files: Path, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kinestream.use.shards import Shards

    def killed(self: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Shards, "remove", killed)
        with pytest.raises(KeyboardInterrupt):
            ks.embed(files, model, tmp_path / "a.npz", **HOW)
    assert (tmp_path / "a.npz.parts").is_dir()
    assert len(ks.embed(files, model, tmp_path / "a.npz", **HOW)) == 12
    assert not (tmp_path / "a.npz.parts").exists()


def test_new_recordings_are_appended_and_old_ones_are_not_read_again(
    files: Path, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ks.embed(files, model, tmp_path / "a.npz", **HOW)
    assert isinstance(before.vectors, np.memmap)
    np.save(files / "another.npy", movement(99))
    read: list[str] = []
    encode = embedding.encode

    def told(model: Any, given: Any, *words: Any, **more: Any) -> Any:
        def names() -> Iterator[Any]:
            for one in given:
                read.append(one.name)
                yield one

        return encode(model, names(), *words, **more)

    monkeypatch.setattr(embedding, "encode", told)
    monkeypatch.chdir(tmp_path)
    after = ks.embed(Path("recordings"), model, "a.npz", **HOW)  # named otherwise: the same files
    assert read == ["another"]
    assert after.rows.name.tolist() == [*before.rows.name.tolist(), "another"]
    more = ks.embed([ks.Recording(movement(5), "kinect20", name="held")], model, "a.npz")
    assert more.rows.file.tolist()[-1] == ""
    assert len(more) == 14


def test_another_encoder_or_other_windows_are_refused(
    files: Path, model: Model, tmp_path: Path, small_store: Path
) -> None:
    ks.embed(files, model, tmp_path / "a.npz", **HOW)
    other = write_small_run(tmp_path / "other", small_store, "bone")
    content = (tmp_path / "a.npz").read_bytes()
    with pytest.raises(ValueError, match=r"a\.npz was made by another encoder \(small, .*choose another --out") as told:
        ks.embed(files, other, tmp_path / "a.npz", **HOW)
    assert "\n" not in str(told.value)
    with pytest.raises(ValueError, match="was made with windows not given, not 2s"):
        ks.embed(files, model, tmp_path / "a.npz", windows="2s", **HOW)
    assert (tmp_path / "a.npz").read_bytes() == content


def test_a_store_is_embedded_as_the_model_does(model: Model, small_store: Path, tmp_path: Path) -> None:
    store = ks.open_store(small_store)
    found = ks.embed(store, model, tmp_path / "a.npz")
    np.testing.assert_array_equal(found.vectors, model.embed(store))
    assert found.rows.label[0] == store.info.classes[0]
    assert same(ks.embed(small_store, model, tmp_path / "b.npz"), found)


def test_what_cannot_be_read_is_listed_and_the_rest_embedded(files: Path, model: Model, tmp_path: Path) -> None:
    (files / "broken.npy").write_bytes(b"\x93NUMPY")
    np.save(files / "nobody.npy", np.zeros((20, 20, 3)))
    said: list[str] = []
    found = ks.embed(files, model, tmp_path / "a.npz", notice=said.append, **HOW)
    assert len(found) == 12
    listed = (tmp_path / "a.rejected.csv").read_text()
    assert "broken.npy" in listed
    assert "nobody.npy,,no body in any of its 20 frames" in listed
    assert said[-1].startswith("2 files cannot be embedded, all listed in ")
    for path in files.glob("move-*.npy"):
        path.unlink()
    with pytest.raises(ValueError, match=r"broken\.npy: "):
        ks.embed(files, model, tmp_path / "b.npz", **HOW)
    assert not list(tmp_path.glob("b.npz*"))


def test_notes_tell_of_short_recordings_and_maps(model: Model, tmp_path: Path) -> None:
    said: list[str] = []
    short = [ks.Recording(movement(n, 8), "kinect20", fps=10, name=f"s{n}") for n in range(3)]
    found = ks.embed(short, model, tmp_path / "a.npz", windows="2s", notice=said.append)
    assert said == ["3 recordings are shorter than a window of 2s: a row of the whole"]
    assert (found.rows.end - found.rows.start).tolist() == pytest.approx([0.8] * 3)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"out": "a.h5"}, r"a\.h5: an archive of embeddings ends with .parquet, .npz, .csv"),
        ({"windows": "2s", "fps": None}, r"move-00\.npy: no frame rate is known, and a window of 2s needs one"),
        ({"windows": "0.01s"}, r"windows of 0.01s are 0.1 frames here"),
        ({"layout": None}, "do not say which joints their 20 are"),
        ({"sources": "nowhere"}, "no file or folder nowhere"),
        ({"sources": []}, "no recordings: give at least one"),
        ({"out": "recordings"}, "recordings is a folder of other things: choose another --out"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    how: dict[str, Any], message: str, files: Path, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {"sources": files, "encoder": model, "out": "a.npz", **HOW, **how}
    with pytest.raises(ValueError, match=message) as told:
        ks.embed(**given)
    assert "\n" not in str(told.value)
    assert not list(tmp_path.glob("a.*"))


def test_what_stopped_before_there_was_a_row_binds_nobody(
    files: Path, model: Model, tmp_path: Path, stops_after: Any
) -> None:
    stops_after(0)
    with pytest.raises(KeyboardInterrupt):
        ks.embed(files, model, tmp_path / "a.npz", **HOW)
    stops_after(None)
    assert ks.embed(files, model, tmp_path / "a.npz", windows="1s", **HOW).made_by.windows == "1s"


def test_an_unfinished_archive_of_other_windows_is_refused(
    files: Path, model: Model, tmp_path: Path, small_blocks: None, stops_after: Any
) -> None:
    stops_after(7)
    with pytest.raises(KeyboardInterrupt):
        ks.embed(files, model, tmp_path / "a.npz", **HOW)
    stops_after(None)
    with pytest.raises(ValueError, match=r"a\.npz\.parts was made with windows not given, not 1s: .* remove it"):
        ks.embed(files, model, tmp_path / "a.npz", windows="1s", **HOW)


def test_two_names_alike_in_memory_are_refused(model: Model, tmp_path: Path) -> None:
    one = ks.Recording(movement(0), "kinect20", name="x")
    with pytest.raises(ValueError, match="two recordings are called 'x'"):
        ks.embed([one, one], model, tmp_path / "a.npz")


def test_a_shard_that_a_loss_of_power_cut_off_is_made_again(
    files: Path, model: Model, tmp_path: Path, small_blocks: None, stops_after: Any
) -> None:
    whole = ks.embed(files, model, tmp_path / "whole.npz", **HOW)
    stops_after(10)
    with pytest.raises(KeyboardInterrupt):
        ks.embed(files, model, tmp_path / "a.npz", **HOW)
    stops_after(None)
    shards = sorted((tmp_path / "a.npz.parts").glob("part-*.npy"))
    assert len(shards) == 2
    shards[0].write_bytes(shards[0].read_bytes()[:-64])
    assert same(ks.embed(files, model, tmp_path / "a.npz", **HOW), whole)


def test_a_shard_that_is_damaged_later_is_told(files: Path, model: Model, tmp_path: Path) -> None:
    ks.embed(files, model, tmp_path / "moves", **HOW)
    (shard,) = (tmp_path / "moves").glob("part-*.npy")
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-64])
    with pytest.raises(ValueError, match=r"part-.*\.json is damaged \(what lies beside it has another size\)"):
        ks.open_embeddings(tmp_path / "moves")
    shard.write_bytes(whole[:-4] + np.float32(np.nan).tobytes())
    with pytest.raises(ValueError, match="not of length 1"):
        ks.open_embeddings(tmp_path / "moves").search(0)


def test_two_processes_make_the_rows_of_one_also_when_one_is_killed(run: Path, tmp_path: Path) -> None:
    files = tmp_path / "recordings"
    files.mkdir()
    for number in range(20):
        np.save(files / f"m{number:02}.npy", movement(number, 60))
    words = ["embed", str(files), "--encoder", str(run), "--layout", "kinect20", "--fps", "10", "--windows", "1s"]
    words += ["--device", "cpu"]
    assert main([*words, "--out", str(tmp_path / "one.npz")]) == 0
    one = ks.open_embeddings(tmp_path / "one.npz")
    out = tmp_path / "two.npz"
    command = [sys.executable, "-m", "kinestream", *words, "--out", str(out), "--devices", "2"]
    launcher = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while launcher.poll() is None and not list(tmp_path.glob("two.npz.parts/part-*.json")):
        time.sleep(0.01)
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children")
    workers = [int(child) for child in children.read_text().split()] if children.exists() else []
    if len(workers) == 2:
        os.kill(workers[1], signal.SIGKILL)
    _, errors = launcher.communicate()
    assert "Traceback" not in errors
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    two = ks.open_embeddings(out)
    assert same(one, two)
    assert not (tmp_path / "two.npz.parts").exists()
    shutil.rmtree(files)


def test_recordings_of_another_layout_are_mapped_into_an_archive(model: Model, tmp_path: Path) -> None:
    pose = standing(ks.layouts.load("ntu25"))
    joints = np.tile(pose, (30, 1, 1)) + np.random.default_rng(0).normal(0, 0.01, (30, *pose.shape))
    told: list[str] = []
    moves = [ks.Recording(joints, "ntu25", fps=30, name="a"), ks.Recording(joints[:20], "ntu25", fps=30, name="b")]
    archive = ks.embed(moves, model, tmp_path / "a.npz", notice=told.append)
    assert archive.rows.name.tolist() == ["a", "b"]
    assert any("joints of ntu25 are mapped to kinect20" in text and "(2 recordings)" in text for text in told)


def test_one_file_read_again_is_in_the_units_and_axes_of_all(model: Model, tmp_path: Path) -> None:
    folder = tmp_path / "centimetres"
    folder.mkdir()
    pose = standing(ks.layouts.load("kinect20"))
    for number in range(6):
        joints = np.tile(pose, (20, 1, 1)) + np.random.default_rng(number).normal(0, 0.003, (20, 20, 3))
        if number == 5:
            joints = joints[..., [1, 0, 2]] * [1, -1, 1]  # lies on the floor
        np.save(folder / f"m{number}.npy", 100 * joints[..., [0, 2, 1]] * [1, -1, 1])
    archive = ks.embed(folder, model, tmp_path / "a.npz", layout="kinect20", trust=True)
    reading = ks.open_embeddings(tmp_path / "a.npz").made_by.reading
    assert (reading.units, reading.inferred_units, reading.inferred_up) == (None, "cm", "z")
    together = ks.read(folder, layout="kinect20", trust=True)
    for one in (0, 5):
        again = RowReader(reading).read(archive.rows.file[one], archive.rows.name[one])
        np.testing.assert_allclose(again.joints, together[one].joints, atol=1e-6)
    alone = RowReader(replace(reading, inferred_up=None)).read(archive.rows.file[5], archive.rows.name[5])
    assert np.abs(alone.joints - together[5].joints).max() > 0.5, "by itself it would seem to stand"
    said = ks.embed(folder, model, tmp_path / "b.npz", layout="kinect20", units="cm", up="z", trust=True)
    assert (said.made_by.reading.inferred_units, said.made_by.reading.inferred_up) == (None, None)
