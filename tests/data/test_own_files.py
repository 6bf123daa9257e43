"""Files of one's own, as recordings and as stores."""

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinestream.cli import main
from kinestream.data import formats
from kinestream.data.build import build_store
from kinestream.data.check import check_store
from kinestream.data.datasets import load_dataset
from kinestream.data.formats import FORMATS, Collection, Format
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.prepare import prepare
from kinestream.data.reading import read
from kinestream.data.recording import Recording
from kinestream.data.store import Store, StoreError, open_store
from kinestream.skeleton.layout import SkeletonLayout, load_layout
from kinestream.skeleton.pose import standing as upright

PAGES = Path(__file__).parents[2] / "docs/how-to"
STICK = SkeletonLayout(
    name="stick",
    joints=("hip", "left_hand", "right_hand", "head"),
    parents=(0, 0, 0, 0),
    pairs=((1, 2),),
    heading=(1, 2),
    pelvis=(0,),
)


def standing(frames: int, bodies: int = 1, seed: int = 0) -> np.ndarray:
    """Joints (t, m, v, 3) of bodies higher than wide, one metre apart."""
    rng = np.random.default_rng(seed)
    body = np.array([[0, 1, 0], [0.3, 1.2, 0], [-0.3, 1.2, 0], [0, 1.9, 0]])
    aside = np.arange(bodies)[:, None, None] * [1.0, 0, 0]
    return np.asarray(body + aside + rng.normal(0, 0.01, (frames, bodies, 4, 3)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three files of 10, 11 and 12 frames, one in a folder below, in millimetres with z up."""
    made = tmp_path / "recordings"
    (made / "below").mkdir(parents=True)
    for number, place in enumerate(("a.npy", "b.NPY", "below/c.npz")):
        x, y, z = np.moveaxis(1000 * standing(10 + number), -1, 0)
        array = np.stack((x, -z, y), axis=-1)
        with (made / place).open("wb") as file:
            np.savez(file, array) if place.endswith("npz") else np.save(file, array[:, 0])
    return made


def test_files_are_read_in_order_in_metres_with_y_up(folder: Path) -> None:
    moves = read(folder, layout=STICK, units="mm", up="z", fps=25)
    assert [(move.name, len(move), move.fps) for move in moves] == [("a", 10, 25), ("b", 11, 25), ("c", 12, 25)]
    np.testing.assert_allclose(moves[0].joints, standing(10), atol=1e-12)
    assert [move.name for move in read([folder / "b.NPY", folder / "below"], layout=STICK, units="mm", up="z")] == [
        "b",
        "c",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "do not say which joints their 4 are: give --layout"),
        ({"layout": STICK}, "which axis points up cannot be told from the bodies: say --up"),
        (
            {"layout": STICK, "units": "m", "up": "z"},
            r"a\.npy: a joint beyond 100 m: give positions in metres, or say --units",
        ),
        ({"layout": "ntu25", "units": "mm"}, "4 joints, where layout ntu25 has 25"),
        ({"layout": STICK, "format": "bvh2"}, "unknown format 'bvh2'"),
        ({"layout": STICK, "format": "ntu"}, r"no file \.skeleton in"),
    ],
)
def test_files_that_cannot_be_read_are_told(folder: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        read(folder, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_a_folder_of_own_files_becomes_a_store(folder: Path, tmp_path: Path) -> None:
    (folder / "broken.npy").write_bytes(b"\x93NUMPY")
    (folder / "notes.txt").write_text("by the window")
    store = prepare(folder, tmp_path / "store", format="arrays", layout=STICK, units="mm", up="z", fps=25)
    assert (len(store), store.info.fps, store.info.most_bodies, store.layout) == (3, 25, 1, STICK)
    assert store.info.notes == (
        "layout: stick, as given",
        "units: mm, as given",
        "up: z, as you say",
        "rate: 25 fps, as given",
        "1 files of other kinds are not read: 1 .txt",
        "1 recordings cannot be used, see rejected.csv",
    )
    assert "broken.npy" in (tmp_path / "store/rejected.csv").read_text()
    assert (store.info.classes, dict(store.info.splits), set(store.table.label.tolist())) == ((), {}, {-1})
    with pytest.raises(StoreError, match="has no labels, and this needs some"):
        store.labels  # noqa: B018
    report = check_store(store)
    assert (report.damaged, report.splits, report.class_counts.shape) == ((), (), (0, 0, 2))
    assert len(set(store.performances.tolist())) == 3, "nothing says that they show the same"
    again = [*open_store(tmp_path / "store").recordings()]
    assert [(move.name, move.fps, move.label) for move in again] == [("a", 25, None), ("b", 25, None), ("c", 25, None)]
    assert np.array_equal(again[1].joints, store.joints(1))
    assert "3 recordings" in repr(store)


@pytest.mark.parametrize(("people", "kept", "note"), [(None, 2, "3 recordings have more than 2"), (3, 3, None)])
def test_people_that_are_left_out_are_counted(tmp_path: Path, people: int | None, kept: int, note: str | None) -> None:
    crowd = [standing(12, 3, seed) for seed in range(3)]
    store = prepare(crowd, tmp_path / "store", layout=STICK, people=people)
    assert store.info.most_bodies == kept
    assert [text.startswith(note or "?") for text in store.info.notes] == ([True] if note else [])
    assert all(store.joints(index).any(axis=(0, 2, 3)).all() for index in range(3))


def test_a_store_has_no_places_for_people_that_nobody_recorded(tmp_path: Path) -> None:
    moves = [standing(10 + seed, 1, seed) for seed in range(3)]
    one = prepare(moves, tmp_path / "one", layout=STICK)
    two = prepare(moves, tmp_path / "two", layout=STICK, people=2)
    assert (one.info.most_bodies, two.info.most_bodies) == (1, 2)
    for index in range(3):
        assert np.array_equal(one.joints(index), two.joints(index)[:, :1])
    assert sorted(path.name for path in one.path.iterdir()) == sorted(path.name for path in two.path.iterdir())


def test_two_and_three_coordinates_do_not_mix(tmp_path: Path) -> None:
    flat = Recording(standing(9)[..., :2], STICK, name="flat")
    store = prepare([flat, Recording(standing(9), STICK, name="deep")], tmp_path / "store")
    assert (len(store), store.info.preparation) == (1, "planar")
    assert "3 coordinates, the first has 2" in (tmp_path / "store/rejected.csv").read_text()


def test_confidence_session_and_segments_belong_to_a_recording() -> None:
    move = Recording(standing(9)[:, 0], STICK, session="morning", confidence=np.ones((9, 4)))
    part = move.cut(slice(2, 5))
    assert (move.session, np.shape(move.confidence), np.shape(part.confidence)) == ("morning", (9, 1, 4), (3, 1, 4))
    with pytest.raises(ValueError, match=r"confidence \(9, 1, 3\) for joints \(9, 1, 4, 3\)"):
        Recording(standing(9), STICK, confidence=np.ones((9, 3)))


def test_every_format_is_a_file_a_recording_or_a_collection() -> None:
    collections = {name for name in FORMATS if isinstance(FORMATS.get(name), Collection)}
    assert collections >= {"authors", "ctr-gcn", "pyskl"}
    assert {name for name in collections if name in FORMATS._builtin} == set(formats._COLLECTIONS)
    assert {name for name in FORMATS if isinstance(FORMATS.get(name), Format)} >= {"arrays", "ntu", "nw-ucla"}


# --- data sets as files ---------------------------------------------------------------------------------------------

OWN = """
title: Sticks
format: arrays
layout: coco17
names: "{label}_{subject}"
classes: [wave, nod]
splits: {half: {field: subject, train: [1]}}
"""


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("title:", "titel:", "unknown key 'titel': did you mean title"),
        ("format: arrays", "format: array", "unknown format 'array': did you mean arrays"),
        ("format: arrays", "format: pyskl", "format 'pyskl' is a PYSKL pickle, not a file for each recording"),
        ("format: arrays", "", "'format' is missing"),
        ("layout: coco17", "", "do not say their joints: give a layout"),
        ("layout: coco17", "layout: coco18", "unknown layout 'coco18': did you mean coco17"),
        ("{label}_{subject}", "{label}_{person}", "the fields are label, subject"),
        ("[wave, nod]", "[wave, wave]", "'classes' must be a list of names, none twice"),
        ("field: subject", "feild: subject", "split 'half': unknown key 'feild': did you mean field"),
        ("field: subject, ", "", "split 'half': give 'field' and those for 'train'"),
        ("field: subject", "field: person", "split 'half': 'field' is person"),
        ("train: [1]", "train: [one]", "split 'half': invalid literal"),
        ("{field: subject, train: [1]}", "{random: 100}", "above 0 and below 100 is needed"),
        ("{field: subject, train: [1]}", "7", "split 'half' is no mapping"),
        (OWN, "[1]", "a mapping of keys to values is needed"),
        (OWN, "a: [", "is not YAML"),
    ],
)
def test_a_wrong_description_names_file_and_key(tmp_path: Path, before: str, after: str, message: str) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(OWN)
    assert load_dataset(file).layout == load_layout("coco17")
    assert before in OWN
    file.write_text(OWN.replace(before, after))
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        load_dataset(file)
    assert str(caught.value).removeprefix("the data set file ").startswith(str(file))
    assert "\n" not in str(caught.value)


def test_a_described_data_set_is_read_by_processes_alike(folder: Path, tmp_path: Path) -> None:
    for number in range(40):
        joints = upright(load_layout("coco17")) + np.random.default_rng(number).normal(0, 0.01, (8, 17, 3))
        np.save(tmp_path / f"{'wave' if number % 2 else 'nod'}_{number}.npy", joints)
    shutil.rmtree(folder)
    file = tmp_path / "own.yaml"
    file.write_text(OWN)
    dataset = load_dataset(str(file))
    stores = []
    for processes in (1, 2):
        out = tmp_path / f"store-{processes}"
        chosen = PREPARATIONS.get(dataset.preparation)
        build_store(dataset, tmp_path, out, preparation=chosen, processes=processes)
        stores.append(Store(out))
    assert stores[0].fingerprint == stores[1].fingerprint
    assert stores[0].info.classes == ("wave", "nod")
    assert len(stores[0].select("half", "train")) == 1


@pytest.mark.parametrize("more", [{"units": "mm"}, {"up": "z"}, {"format": "arrays"}])
def test_what_a_data_set_says_itself_is_not_taken_twice(more: dict[str, Any], tmp_path: Path) -> None:
    """Nothing that is given goes unheard."""
    with pytest.raises(ValueError, match="leave it out"):
        prepare("nw-ucla", tmp_path, tmp_path / "store", **more)
    assert not (tmp_path / "store").exists()


# --- the pages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["own-recordings", "own-data-set"])
def test_commands_and_code_of_the_page_run(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (PAGES / f"{page}.md").read_text()
    Path("recordings").mkdir()
    names = [f"s{subject}_{what}_1" for subject in (1, 2, 3) for what in ("squat", "lunge")]
    for number, name in enumerate([*names, "walk-01"]):
        noise = np.random.default_rng(number).normal(0, 0.01, (20, 33, 3))
        np.save(f"recordings/{name}.npy", upright(load_layout("mediapipe33")) + noise)
    for description in re.findall(r"```yaml\n(.*?)```", text, re.S):
        Path("rehab.yaml").write_text(description)
    commands = re.findall(r"^    kinestream (.*)$", text, re.M)
    assert commands
    for command in commands:
        assert main(shlex.split(command)) == 0, capsys.readouterr().err
    for store in ("store", "rehab"):
        shutil.rmtree(store, ignore_errors=True)
    names_so_far: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", text, re.S):
        exec(code, names_so_far)
