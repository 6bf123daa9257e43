"""The explorer without a browser: what the page holds, what it says, and what is refused."""

import base64
import dataclasses
import html
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.viz.archives import EVIL, KEPT, archive, files, kinds, made_by

pytest.importorskip("matplotlib")

import kinestream as ks
from kinestream.cli import main
from kinestream.use.archive import Embeddings
from kinestream.use.made_by import Reading
from kinestream.use.nearest import nearest
from kinestream.use.vectors import Held
from kinestream.viz.landmarks import lay_out
from kinestream.viz.projection import pca, principal_axes, tsne, unit


def data_of(path: Path) -> dict[str, Any]:
    text = path.read_text("utf-8")
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return dict(json.loads(found))


def numbers(text: str, dtype: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype)


def coloured(data: dict[str, Any], name: str) -> list[str]:
    (found,) = (one for one in data["colourings"] if one["name"] == name)
    return [found["classes"][label] for label in numbers(found["labels"], "<u2")]


@pytest.fixture(scope="module")
def twelve(tmp_path_factory: pytest.TempPathFactory) -> Embeddings:
    """Of three kinds in turn, by four people, with files; one has another label than the others, one none."""
    paths = files(tmp_path_factory.mktemp("twelve") / "recordings", 12)
    return archive(
        kinds(12), made_by(6), file=paths, subject=[str(8 + n // 3) for n in range(12)], label=[EVIL, *["b"] * 10, ""]
    )


def test_groups_people_and_labels_colour_the_map(twelve: Embeddings, tmp_path: Path) -> None:
    done = ks.explore(twelve, tmp_path / "map.html", groups=3)
    data = data_of(done.path)
    assert (done.rows, done.groups, done.clips, done.gone, done.named) == (12, 3, 12, 0, 0)
    groups = coloured(data, "group")
    assert all(groups[n] == groups[n % 3] for n in range(12))
    assert len(set(groups)) == 3
    assert coloured(data, "person") == [str(8 + n // 3) for n in range(12)]
    assert [one["classes"] for one in data["colourings"] if one["name"] == "person"] == [
        ["8", "9", "10", "11", "not known"]
    ], "10 comes after 9"
    assert coloured(data, "label") == [KEPT, *["b"] * 10, "not known"]
    assert [one["name"] for one in data["colourings"]] == ["group", "person", "label"], "each file is a colour of none"
    assert data["names"] == twelve.rows.name.tolist()


def test_the_number_of_groups_is_chosen_and_groups_are_numbered_by_size(tmp_path: Path) -> None:
    some = kinds(30)[[n for n in range(30) if n % 3 < 2 or n > 20]]
    done = ks.explore(archive(some, made_by(6)), tmp_path / "map.html")
    found = coloured(data_of(done.path), "group")
    assert done.groups == 3
    sizes = [found.count(str(number)) for number in (1, 2, 3)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[2] == 3


def test_clips_are_the_recordings_and_neighbours_those_of_the_search(twelve: Embeddings, tmp_path: Path) -> None:
    done = ks.explore(twelve, tmp_path / "map.html", frames=10)
    data = data_of(done.path)
    skeleton = data["skeleton"]
    text = done.path.read_text("utf-8")
    (packed,) = re.findall(r'<script type="text/plain" id="skeletons">(.*?)</script>', text, re.DOTALL)
    joints = numbers(packed, "<i2").reshape(12, 10, 20, 3) * skeleton["unit"]
    for number in range(12):
        # Distances in the body, the moving arm left out, are those of the file: the scene is moved and turned.
        recording = np.load(twelve.rows.file[number])[:, 0]
        still = [[one[0, a] - one[0, b] for a in range(4) for b in range(8, 20)] for one in (joints[number], recording)]
        np.testing.assert_allclose(*np.linalg.norm(still, axis=2), atol=1e-3)
        hand = [float(np.ptp(one[:, 7, 1])) for one in (joints[number], recording)]
        assert 0.5 * hand[1] < hand[0] <= hand[1] + 1e-3, "the arm goes up and down"
    found = numbers(data["neighbours"], "<u4").reshape(12, 5)
    best = nearest(twelve.source, twelve.vectors, 6)[1]
    assert [row.tolist() for row in found] == [[m for m in row if m != n][:5] for n, row in enumerate(best.tolist())]


def test_windows_that_overlap_are_no_neighbours(tmp_path: Path) -> None:
    count = 24
    places = [(n // 8, n % 8) for n in range(count)]
    vectors = np.array([[np.cos(0.1 * n), np.sin(0.1 * n), 0.3 * name] for name, n in places])
    windows = archive(
        vectors, made_by(3, windows="2s", people="each"), name=[f"r{name}" for name, _ in places],
        person=[1] * count, start=[float(n) for _, n in places], end=[n + 2.0 for _, n in places],
    )  # fmt: skip
    data = data_of(ks.explore(windows, tmp_path / "map.html", groups=2).path)
    found = numbers(data["neighbours"], "<u4").reshape(count, 5)
    for row, others in enumerate(found.tolist()):
        assert len(set(others)) == 5
        for other in others:
            assert places[row][0] != places[other][0] or abs(places[row][1] - places[other][1]) >= 2
    assert data["rows"]["columns"] == ["name", "start", "end", "person"]
    assert data["names"][1] == "r0@1-3 person 1"


def test_rows_without_a_recording_have_no_clip_and_it_is_said(twelve: Embeddings, tmp_path: Path) -> None:
    rows = twelve.rows
    moved = [file if number % 2 else f"{file}.gone" for number, file in enumerate(rows.file.tolist())]
    half = archive(kinds(12), made_by(6), file=moved)
    said: list[str] = []
    done = ks.explore(half, tmp_path / "map.html", notice=said.append)
    assert (done.clips, done.gone) == (6, 6)
    assert numbers(data_of(done.path)["skeleton"]["bodies"], "<u1").tolist() == [0, 1] * 6
    assert said[0].startswith("6 rows have no clip to play, the recordings cannot be read any more: no file or folder")
    assert html.escape(said[0], quote=False)[:60] in done.path.read_text("utf-8")
    none = archive(kinds(12), made_by(6))
    done = ks.explore(none, tmp_path / "none.html", notice=said.append)
    assert (done.clips, done.gone) == (0, 12)
    assert "held in memory" in said[1]


def test_a_budget_makes_frames_fewer_then_clips(twelve: Embeddings, tmp_path: Path) -> None:
    a_frame = 20 * 3 * 8 / 3 / 1e6
    for frames, clips in ((24, 12), (9, 12), (8, 5), (8, 0)):
        most = frames * clips * a_frame + 1e-7
        done = ks.explore(twelve, tmp_path / "map.html", megabytes=most)
        assert (done.clips, done.gone) == (clips, 0)
        assert data_of(done.path)["skeleton"]["frames"] == frames
        said = done.path.read_text("utf-8")
        assert (f"{12 - clips} have no clip: " in said) == (clips < 12)


def test_people_play_alone_and_layouts_may_differ(tmp_path: Path) -> None:
    from tests.use.conftest import movement

    np.save(tmp_path / "two.npy", movement(0, 40, people=2))
    (tmp_path / "k").mkdir()
    recordings = [ks.Recording(movement(1, 40)[:, 0], "kinect20", fps=10, name="one")]
    ntu = np.tile(np.linspace(0, 1.7, 75).reshape(25, 3), (40, 1, 1)) + movement(2, 40)[:, 0, :1]
    recordings.append(ks.Recording(ntu, "ntu25", fps=10, name="other"))
    store = [ks.prepare([one], tmp_path / "k" / one.name) for one in recordings]
    paths = [tmp_path / "two.npy"] * 2 + [one.path / one.table.file[0] for one in store]
    some = archive(
        kinds(4), made_by(6, people="each"), file=[path.as_posix() for path in paths],
        name=["two", "two", "one", "other"], person=[1, 2, 1, 0],
    )  # fmt: skip
    said: list[str] = []
    done = ks.explore(some, tmp_path / "map.html", notice=said.append)
    skeleton = data_of(done.path)["skeleton"]
    assert (done.clips, said) == (4, [])
    assert numbers(skeleton["bodies"], "<u1").tolist() == [1, 1, 1, 1]
    assert numbers(skeleton["of"], "<u1").tolist() == [0, 0, 0, 1]
    assert [one["joints"] for one in skeleton["layouts"]] == [20, 25]
    assert data_of(done.path)["rows"]["columns"] == ["name", "person"]


def test_names_given_before_are_on_the_page(twelve: Embeddings, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text('name,label\nmove-03,"a ""b"""\nmove-05,walk\nmove-07,walk\nnobody,walk\n', "utf-8")
    said: list[str] = []
    done = ks.explore(twelve, tmp_path / "map.html", labels=table, notice=said.append)
    given = data_of(done.path)["given"]
    of = numbers(given["of"], "<i4").tolist()
    assert {n: given["names"][name] for n, name in enumerate(of) if name >= 0} == {3: 'a "b"', 5: "walk", 7: "walk"}
    assert done.named == 3
    assert "nobody" in said[0]


def test_a_name_of_a_window_is_not_that_of_one_that_overlaps(tmp_path: Path) -> None:
    windows = archive(
        kinds(9), made_by(6, windows="2s"), name=["r"] * 9, start=[0.5 * n for n in range(9)],
        end=[0.5 * n + 2 for n in range(9)],
    )  # fmt: skip
    (tmp_path / "labels.csv").write_text("name,label,start,end\nr,walk,1,3\nr,run,0,1.4\n", "utf-8")
    done = ks.explore(windows, tmp_path / "map.html", labels=tmp_path / "labels.csv")
    given = data_of(done.path)["given"]
    assert numbers(given["of"], "<i4").tolist() == [0, -1, 1, -1, -1, -1, -1, -1, -1]
    assert given["names"] == ["run", "walk"]


def test_foreign_names_are_no_html(twelve: Embeddings, tmp_path: Path) -> None:
    count = 12
    odd = archive(kinds(count), made_by(6, encoder_name=EVIL), name=[f"{n} {EVIL}" for n in range(count)],
                  file=[f"/no/{EVIL}"] * count, subject=[EVIL, "b"] * 6, session=[EVIL, "c"] * 6)  # fmt: skip
    odd = dataclasses.replace(odd, path=Path(f"{EVIL}.npz"))
    done = ks.explore(odd, tmp_path / "map.html")
    text = done.path.read_text("utf-8")
    assert "<b>wave" not in text
    assert text.count("</script>") == 4
    assert data_of(done.path)["names"][3] == f"3 {KEPT}"
    assert coloured(data_of(done.path), "person")[0] == KEPT


def test_many_files_are_a_hundred_colours_and_the_others(tmp_path: Path) -> None:
    count = 400
    some = archive(kinds(count), made_by(6), file=[f"/d/{min(n // 2, 150)}.npy" for n in range(count)])
    data = data_of(ks.explore(some, tmp_path / "map.html", groups=3).path)
    found = coloured(data, "file")
    assert found[-1] == "150.npy"
    assert "33 others" in found
    assert len({*found}) == 119


def test_few_rows_are_a_map_too(tmp_path: Path) -> None:
    for count in (1, 2, 3):
        done = ks.explore(archive(kinds(count), made_by(6)), tmp_path / "map.html")
        assert (done.rows, done.groups) == (count, 1 if count < 3 else 2)
    same = archive(np.ones((8, 6)), made_by(6))
    assert ks.explore(same, tmp_path / "map.html").groups == 1


def test_of_many_rows_some_are_drawn_and_it_is_said(tmp_path: Path) -> None:
    done = ks.explore(archive(kinds(50), made_by(6)), tmp_path / "map.html", points=20)
    assert (done.rows, done.left_out) == (20, 30)
    assert "20 of 50 rows, drawn by lot" in done.path.read_text("utf-8")
    names = data_of(done.path)["names"]
    assert names == sorted(names)
    again = ks.explore(archive(kinds(50), made_by(6)), tmp_path / "again.html", points=20)
    assert again.path.read_text("utf-8") == done.path.read_text("utf-8")


def test_what_is_no_landmark_lies_amid_those_that_are_like_it(rng: np.random.Generator) -> None:
    features = unit(kinds(300, 12))
    laid = lay_out(features, most=60)
    assert len(laid.landmarks) == 60
    np.testing.assert_array_equal(laid.tsne[laid.landmarks], tsne(features[laid.landmarks]))
    kind = np.arange(300) % 3
    middles = np.stack([laid.tsne[laid.landmarks][kind[laid.landmarks] == one].mean(axis=0) for one in range(3)])
    nearest_middle = ((laid.tsne[:, None] - middles) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest_middle == kind).mean() > 0.98
    few = features[:40]
    whole = lay_out(few, most=40)
    np.testing.assert_allclose(whole.pca, pca(few), atol=1e-6)
    np.testing.assert_array_equal(whole.tsne, tsne(few))


def test_principal_axes_of_long_rows_are_those_of_the_covariance(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rng.normal(size=(12, 40)) * np.linspace(0.1, 3, 40)
    middle, axes = principal_axes(rows, 50)
    monkeypatch.setattr("kinestream.viz.projection._WIDE", 10)
    same, others = principal_axes(rows, 50)
    np.testing.assert_allclose(same, middle)
    assert others.shape == (40, 11), "twelve rows differ in eleven directions"
    np.testing.assert_allclose(others, axes[:, :11], atol=1e-8)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"out": "map.png"}, "the suffix '.png' is not one of"),
        ({"groups": 0}, "1 to 120 groups"),
        ({"groups": 13}, "13 groups of 12 different"),
        ({"points": 0}, "at least 1 point"),
        ({"frames": 1}, "2 frames"),
        ({"megabytes": float("nan")}, "megabytes are needed"),
        ({"labels": "none.csv"}, "no file of labels none.csv"),
    ],
)
def test_what_cannot_be_is_refused(
    twelve: Embeddings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        ks.explore(twelve, **{"out": "map.html", **changed})
    assert not list(tmp_path.iterdir())


def test_empty_or_damaged_archives_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no rows"):
        ks.explore(archive(np.zeros((0, 6)), made_by(6)), tmp_path / "map.html")
    damaged = archive(kinds(4), made_by(6))
    broken = damaged.vectors.copy()
    broken[2, 1] = np.nan
    with pytest.raises(ValueError, match="no numbers"):
        ks.explore(dataclasses.replace(damaged, source=Held(broken)), tmp_path / "map.html")


def test_a_file_of_many_recordings_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real_data: Path
) -> None:
    """UI-PRMD: 2 000 recordings end to end in one file."""
    source = real_data / "ui-prmd" / "ui_prmd_kinect.npz"
    reading = Reading(layout="uiprmd22", variable="joints_mm")
    names = ["m01_s01_e01_correct", "m01_s01_e03_correct", "m01_s02_e01_correct"]
    some = archive(
        kinds(3), made_by(6, reading=reading), file=[source.as_posix()] * 3,
        name=[f"ui_prmd_kinect/{name}" for name in names], end=[60.0] * 3, fps=[np.nan] * 3,
    )  # fmt: skip
    import kinestream.use.sources as sources

    opened: list[object] = []
    really = sources.open_sources
    monkeypatch.setattr(sources, "open_sources", lambda *given: (opened.append(given), really(*given))[1])
    said: list[str] = []
    done = ks.explore(some, tmp_path / "map.html", notice=said.append)
    assert (done.clips, said, len(opened)) == (3, [], 1)
    assert data_of(done.path)["skeleton"]["layouts"][0]["joints"] == 22


def test_the_command(
    twelve: Embeddings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    twelve.save("a.npz")
    assert main(["explore", "a.npz", "--groups", "3"]) == 0
    assert re.search(r"explore: explore.html \(0\.\d MB\): 12 rows in 3 groups, 12 play", capsys.readouterr().out)
    assert Path("explore.html").is_file()
    for words, message in (
        (["explore", "b.npz"], "no archive of embeddings b.npz"),
        (["explore", "a.npz", "--out", "map.pdf"], "the suffix '.pdf'"),
        (["explore", "a.npz", "--labels", "a.npz"], "a.npz is no table of labels"),
    ):
        assert main(words) == 1
        assert message in capsys.readouterr().err
