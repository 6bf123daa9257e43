"""PKU-MMD: what lies in a download (label files, official split files), whole videos, and the chain as a whole."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from tests.data.formats.test_pku_reader import PKU1, PKU2, build, text_of, tree, video, with_real

from kinestream.cli import main
from kinestream.data.build import Built, build_store
from kinestream.data.check import check_store
from kinestream.data.datasets import load_dataset
from kinestream.data.formats.pku_mmd import parse, parse_labels, parse_name_1, parse_name_2
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.recording import Segment
from kinestream.data.split_lists import SplitList, read_split_list
from kinestream.data.store import Store, StoreError
from kinestream.data.synthetic import generate_pku
from kinestream.data.synthetic.catalogue import NTU_ACTIONS, PKU_CLASSES
from kinestream.data.synthetic.formats import pku_bytes
from kinestream.data.synthetic.sensor import Sighting

NAMES = ("A01N01-L", "A01N02-L", "A01N03-L")
PUBLISHED = PREPARATIONS["published"]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Three videos of two actions each, no split files."""
    for name in NAMES:
        tree(tmp_path / "raw", b"3,1,4,2\n9,5,9,2\n", name)
    (tmp_path / "raw/cross_subject_v2.txt").unlink()
    return tmp_path / "raw"


def split_file(path: Path, train: str, test: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"Training videos:\n{train}\nValidataion videos:\n{test}\n")
    return path


def parts(store: Store, split: str) -> list[list[str]]:
    return [[store.table.name[index] for index in store.select(split, part)] for part in ("train", "test")]


# --- split files ----------------------------------------------------------------------------------------------------

PLACES = ["raw/{}", "raw/Split/{}", "{}", "Split/{}", "split_v2/{}", "raw/Split-20260101T000000Z-1-001/{}"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("file", ["cross_subject_v2.txt", "cross-subject.txt", "Cross_Subject.txt"])
def test_split_files_are_found(raw: Path, tmp_path: Path, place: str, file: str) -> None:
    path = split_file(tmp_path / place.format(file), "A01N01-L, A01N02-L, ", " A01N03-L,")
    built = build(raw, tmp_path / "store")
    store = Store(tmp_path / "store")
    assert parts(store, "xsub") == [
        [f"{name}-{row:03}" for name in names for row in (1, 2)] for names in (NAMES[:2], NAMES[2:])
    ]
    assert built.split_lists == (SplitList(split="xsub", path=path, unlisted=0, absent=0),)
    assert list(store.info.splits) == ["xsub"]
    assert store.info.splits["xsub"].title == f"cross-subject by {file}"
    assert not built.rejected


def test_the_second_version_is_preferred(raw: Path, tmp_path: Path) -> None:
    split_file(raw / "cross-subject.txt", "A01N01-L", "A01N02-L")
    second = split_file(raw / "Split/cross_subject_v2.txt", "A01N02-L", "A01N01-L")
    built = build(raw, tmp_path / "store")
    assert [used.path for used in built.split_lists] == [second]
    assert parts(Store(tmp_path / "store"), "xsub")[1] == ["A01N01-L-001", "A01N01-L-002"]


def test_the_split_file_within_the_folder_goes_before_the_one_beside(raw: Path, tmp_path: Path) -> None:
    within = split_file(raw / "Split/cross_subject_v2.txt", "A01N02-L", "A01N01-L")
    split_file(tmp_path / "cross_subject_v2.txt", "A01N01-L", "A01N02-L")
    assert [used.path for used in build(raw, tmp_path / "store").split_lists] == [within]


def test_split_files_given(raw: Path, tmp_path: Path) -> None:
    split_file(raw / "cross_subject_v2.txt", "A01N01-L", "A01N02-L")
    given = split_file(tmp_path / "mine/Split/cross_view_v2.txt", "A01N02-L", "A01N01-L")
    built = build_store(PKU2, raw, tmp_path / "store", preparation=PUBLISHED, split_folder=tmp_path / "mine")
    assert [(used.split, used.path) for used in built.split_lists] == [("xview", given)]


def test_a_video_in_neither_list_is_in_neither_part(raw: Path, tmp_path: Path) -> None:
    split_file(raw / "cross_subject_v2.txt", "A01N01-L, A09N09-R", "A01N02-L, A08N08-M, A07N07-L")
    built = build(raw, tmp_path / "store")
    store = Store(tmp_path / "store")
    assert parts(store, "xsub") == [["A01N01-L-001", "A01N01-L-002"], ["A01N02-L-001", "A01N02-L-002"]]
    assert len(store) == 6
    assert (built.split_lists[0].unlisted, built.split_lists[0].absent) == (1, 3)
    assert [(count.train, count.test) for count in check_store(store).splits] == [(2, 2)]


def test_what_prepare_says_of_the_splits(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    split_file(raw / "cross_subject_v2.txt", "A01N01-L, A09N09-R", "A01N02-L")
    assert main(["prepare", "pku2", str(raw), str(tmp_path / "store"), "--processes", "1"]) == 0
    said = capsys.readouterr()
    assert f"split xsub: by {raw / 'cross_subject_v2.txt'}" in said.out
    assert "1 files are in neither list of cross_subject_v2.txt" in said.err
    assert "1 names of cross_subject_v2.txt have no usable file" in said.err
    assert re.search(r"no split xview: its file cross_view_v2\.txt was not found.*--splits FOLDER", said.err)


def test_without_any_split_file(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no split file in or beside .*--splits FOLDER") as caught:
        build(raw, tmp_path / "store")
    for words in ("cross_subject_v2.txt and cross_view_v2.txt", "folder Split", PKU2.home):
        assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "cross_subject_v2.txt:2: no names for training"),
        (b"Training videos:\n , ,\nx\nA01N01-L\n", ":2: no names for training"),
        (b"Training videos:\nA01N01-L\n", ":4: no names for validation"),
        (b"t\nA01N01-L, A01N02-L\nv\nA01N02-L\n", "A01N02-L is for training and for validation"),
        (b"t\n0002-L\nv\n0003-L\n", r"names none of the 3 files .*begins with 0002-L.*take the one of PKU-MMD II"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_bad_split_files(raw: Path, tmp_path: Path, content: bytes, reason: str) -> None:
    (raw / "cross_subject_v2.txt").write_bytes(content)
    with pytest.raises(ValueError, match=reason) as caught:
        build(raw, tmp_path / "store")
    assert "\n" not in str(caught.value)


def test_split_files_with_windows_line_ends(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(b"\xef\xbb\xbft\r\n0002-L, 0003-L\r\nv\r\n0004-M\r\n")
    assert read_split_list(tmp_path / "x.txt") == ({"0002-L", "0003-L"}, {"0004-M"})


@pytest.mark.parametrize("options", [["--splits", "x"], ["--labels", "x"], ["--continuous"]])
def test_other_data_sets_have_no_such_options(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/a01_s01_e00_v01.json").write_text("{}")
    assert main(["prepare", "nw-ucla", str(tmp_path / "raw"), str(tmp_path / "store"), *options]) == 1
    assert f"leave out {options[0]}" in capsys.readouterr().err


# --- label files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "folder",
    [
        *("raw/label", "raw/Label_PKUMMD_v2", "raw/x/Train_Label_PKU_final", "raw/labels/deep/er"),
        *("label", "Train_Label_PKU_final", "labels/deep/er"),
    ],
)
def test_label_files_are_found(raw: Path, tmp_path: Path, folder: str) -> None:
    split_file(raw / "cross_subject_v2.txt", "A01N01-L", "A01N02-L")
    shutil.move(raw / "label", tmp_path / "moved")
    (tmp_path / folder).parent.mkdir(parents=True, exist_ok=True)
    shutil.move(tmp_path / "moved", tmp_path / folder)
    built = build(raw, tmp_path / "store")
    assert (built.info.recordings, built.info.rejected, built.unused_labels) == (6, 0, 0)


@pytest.mark.parametrize("place", ["raw/annotations", "elsewhere"])
def test_label_files_given(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    split_file(raw / "cross_subject_v2.txt", "A01N01-L", "A01N02-L")
    shutil.move(raw / "label", tmp_path / place)
    monkeypatch.chdir(tmp_path)
    for number, labels in enumerate((Path(place), tmp_path / place)):
        out = tmp_path / f"store{number}"
        built = build_store(PKU2, Path("raw"), out, preparation=PUBLISHED, label_folder=labels)
        assert (built.info.recordings, built.info.rejected) == (6, 0)


def test_videos_without_labels_and_labels_without_videos(raw: Path, tmp_path: Path) -> None:
    split_file(raw / "cross_subject_v2.txt", "A01N01-L", "A01N02-L")
    (raw / "label/A01N02-L.txt").rename(raw / "label/A05N05-M.txt")
    (raw / "label/A01N03-L.txt").write_bytes(b"\n")
    built = build(raw, tmp_path / "store")
    assert [(entry.path.parent.name, entry.path.stem, entry.reason) for entry in built.rejected] == [
        ("label", "A01N03-L", "no row in it"),
        ("skeleton", "A01N02-L", "no label file of that name"),
    ]
    assert (built.unused_labels, built.info.recordings) == (1, 2)


def test_without_any_label_file(raw: Path, tmp_path: Path) -> None:
    split_file(raw / "cross_subject_v2.txt", "A01N01-L", "A01N02-L")
    shutil.rmtree(raw / "label")
    with pytest.raises(ValueError, match=r"no label files of PKU-MMD II .*Label_PKUMMD_v2\.7z .*--labels FOLDER"):
        build(raw, tmp_path / "store")
    for name in NAMES:
        (tmp_path / "labels").mkdir(exist_ok=True)
        (tmp_path / f"labels/x{name}.txt").write_text("")
    with pytest.raises(ValueError, match=r"none of the 3 files .* has a label file"):
        build(raw, tmp_path / "store")


def test_videos_of_the_other_phase(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no usable file .*scheme NNNN-V\.txt"):
        build_store(PKU1, raw, tmp_path / "store", preparation=PUBLISHED)


# --- whole videos ---------------------------------------------------------------------------------------------------


@pytest.fixture(params=["published", "tracked"])
def whole(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Built]:
    """Two videos: one begins and ends with frames without a body and has a bad row, one has no labels."""
    raw = tree(tmp_path / "raw", b"3,3,9,2\n5,20,21,1\n8,12,18,1\n")
    tree(raw, b"", "A01N02-L")
    joints = video(20)
    joints[[0, 1, 10, 18, 19]] = 0
    (raw / "skeleton/A01N01-L.txt").write_bytes(text_of(joints))
    return tmp_path / "store", build(raw, tmp_path / "store", request.param, continuous=True)


def test_whole_videos_keep_every_frame(whole: tuple[Path, Built]) -> None:
    path, built = whole
    store = Store(path)
    assert store.continuous
    assert store.table.name == ("A01N01-L", "A01N02-L")
    assert store.table.length.tolist() == [20, 9]
    assert store.table.label.tolist() == [-1, -1]
    assert store.segments(0) == (Segment(label=2, start=2, end=9), Segment(label=7, start=11, end=18))
    assert store.segments(1) == ()
    assert [(entry.line, entry.reason[:9]) for entry in built.rejected] == [(2, "frames 20")]
    absent = ~store.joints(0).any(axis=(2, 3))
    assert absent[[0, 1, 18, 19], 0].all()
    assert not absent[2:10, 0].any()
    assert not absent[11:18, 0].any()
    assert (path / "segments.csv").read_text() == "name,label,start,end\nA01N01-L,2,2,9\nA01N01-L,7,11,18\n"
    assert [part.size for part in (store.select("xsub", "train"), store.select("xsub", "test"))] == [1, 1]


def test_check_of_whole_videos(whole: tuple[Path, Built], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(whole[0])]) == 0
    said = capsys.readouterr().out
    assert re.search(r"labelled parts +│ +2, 48 % of the frames", said)
    assert re.search(r"without a labelled part +│ +1 ", said)
    assert re.search(r"3 brushing teeth +│ +1 │ +0 ", said)
    report = check_store(Store(whole[0]))
    assert report.class_counts[[2, 7], 0, 0].tolist() == [1, 1]
    assert report.class_counts.sum() == 2
    assert all(count.as_published is None for count in report.splits)


def test_whole_videos_have_no_label_and_no_published_counts(whole: tuple[Path, Built], tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="prepared without --continuous"):
        _ = Store(whole[0]).labels
    raw = tree(tmp_path / "first", name="0002-L")
    (raw / "cross_subject_v2.txt").unlink()
    split_file(raw / "cross-subject.txt", "0002-L", "0003-L")
    published = {}
    for continuous in (False, True):
        out = tmp_path / f"first-{continuous}"
        built = build_store(PKU1, raw, out, preparation=PUBLISHED, continuous=continuous)
        published[continuous] = built.info.splits["xsub"].published
    assert published == {False: {"train": 18_841, "test": 2_704}, True: None}


def edit(store: Path, **values: object) -> None:
    plain = json.loads((store / "store.json").read_text()) | values
    (store / "store.json").write_text(json.dumps(plain))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda store: (store / "segments.csv").unlink(), "has lost its segments.csv"),
        (lambda store: (store / "segments.csv").write_text("name,label,start,end\n"), "segments.csv is not as it was"),
        (lambda store: edit(store, segments_sha256=None), "has lost the checksum of segments.csv"),
        (lambda store: edit(store, segments_sha256=7), "was edited or damaged .*segments_sha256"),
        (lambda store: edit(store, classes=["one", "two", "three"]), "segments.csv does not go with store.json"),
    ],
)
def test_damaged_stores_of_whole_videos(
    whole: tuple[Path, Built], damage: Callable[[Path], object], reason: str
) -> None:
    damage(whole[0])
    with pytest.raises(StoreError, match=reason):
        Store(whole[0])


def test_the_real_video_as_a_whole(real_data: Path, tmp_path: Path) -> None:
    build(with_real(real_data, tmp_path / "raw"), tmp_path / "store", continuous=True)
    store = Store(tmp_path / "store")
    assert store.table.length.tolist() == [1040]
    assert [(s.label, s.start, s.end) for s in store.segments(0)] == [
        (33, 20, 140),
        (11, 199, 320),
        (0, 399, 760),
        (26, 799, 1040),
    ]


# --- generated trees ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    raw = tmp_path_factory.mktemp("generated") / "raw"
    generate_pku(raw, 108, 0, phase=2, frames=(12, 20), classes=3)
    return raw


@pytest.mark.parametrize("phase", [1, 2])
def test_generated_trees_are_of_the_true_format(phase: Literal[1, 2], tmp_path: Path) -> None:
    calls: list[int] = []
    paths = generate_pku(tmp_path / "raw", 19, 1, phase=phase, frames=(10, 15), progress=calls.append)
    assert calls == list(range(1, len(paths) + 1))
    assert sorted(paths) == sorted(path for path in (tmp_path / "raw").rglob("*") if path.is_file())
    videos = sorted((tmp_path / "raw/skeleton").iterdir())
    assert len(videos) == 4
    for path in videos:
        assert (parse_name_1 if phase == 1 else parse_name_2)(path).camera == 1 + "LMR".index(path.stem[-1])
        recording = parse(path.read_bytes())
        track = parse_labels((tmp_path / "raw/label" / path.name).read_bytes(), len(recording.joints), 51)
        assert len(track.segments) == 6
        assert not track.refused
    names = {path.stem for path in videos}
    for path in (tmp_path / "raw/Split").iterdir():
        train, test = read_split_list(path)
        assert train | test == names


def test_a_longer_generated_tree_begins_with_a_shorter_one(generated: Path, tmp_path: Path) -> None:
    generate_pku(tmp_path / "raw", 19, 0, phase=2, frames=(12, 20), classes=3)
    shorter = [path for path in (tmp_path / "raw").rglob("*-?.txt") if path.is_file()]
    assert len(shorter) == 2 * 4
    for path in shorter:
        assert path.read_bytes() == (generated / path.relative_to(tmp_path / "raw")).read_bytes()


@pytest.mark.parametrize("clips", [0, 18, 26 * 13 * 3 * 6 + 1])
def test_as_many_clips_cannot_be_generated(clips: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"clips={clips}: "):
        generate_pku(tmp_path / "raw", clips, 0, phase=2)
    assert not (tmp_path / "raw").exists()


def test_generated_classes_are_the_actions_of_those_names() -> None:
    for number, action in PKU_CLASSES.items():
        words = set(re.findall(r"[a-z]{4,}", load_dataset("pku1").classes[number - 1]))
        ours = set(re.findall(r"[a-z]{4,}", NTU_ACTIONS[action].name))
        stems = {word[:4] for word in words} & {word[:4] for word in ours}
        assert stems or NTU_ACTIONS[action].name in ("nod head or bow", "hopping"), (words, ours)


def test_third_bodies_and_gaps_are_closed_up() -> None:
    joints = np.arange(2 * 3 * 75, dtype=float).reshape(2, 3, 25, 3) / 100 + 1
    bodies = np.array([[-1, 0, 1], [0, 1, 2]])
    read_back = parse(pku_bytes([Sighting(joints=joints, states=np.full((2, 3, 25), 2), bodies=bodies)]))
    np.testing.assert_allclose(read_back.joints, np.stack((joints[0, 1:], joints[1, :2])), atol=1e-6)


SETTINGS = ("dataset=pku2", "epochs=1", "batch_size=8", "frames=10", "encoder.hidden=2", "encoder.dim=8")
SMALL = [f"--set={word}" for word in (*SETTINGS, "method.hidden=8", "method.embedding=4", "monitor.knn_every=1")]


def test_the_chain_on_a_generated_tree(generated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, whole, run = (str(tmp_path / name) for name in ("store", "whole", "run"))
    recipe = ["pretrain", "caca-joint-ntu60-xsub"]
    assert main(["prepare", "pku2", str(generated), store, "--processes", "1"]) == 0
    assert "WARNING" not in capsys.readouterr().err
    assert main(["check", store]) == 0
    report = check_store(Store(Path(store)))
    assert all(0 < count.test < count.train for count in report.splits)
    assert not report.damaged
    assert main([*recipe, "--data", store, "--out", run, *SMALL]) == 0
    assert main(["evaluate", "knn", run, "--data", store, "--k", "3"]) == 0
    # Whole videos: learnt from, not evaluated on.
    assert main(["prepare", "pku2", str(generated), whole, "--continuous", "--processes", "1"]) == 0
    assert main([*recipe, "--data", whole, "--out", f"{run}-whole", *SMALL]) == 0
    assert main(["show", whole, "A01N01-L", "--out", str(tmp_path / "x.png")]) == 0
    capsys.readouterr()
    for protocol in ("knn", "linear"):
        assert main(["evaluate", protocol, run, "--data", whole]) == 1
        said = capsys.readouterr().err.strip()
        assert "holds whole videos, which have no label of their own" in said
        assert "\n" not in said
