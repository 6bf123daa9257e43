import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from kinestream.data.datasets import dataset_names, load_dataset
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.recording import Source
from kinestream.data.split import Split
from kinestream.data.store import Store

# Section 5 of the reference.
TRAINING_SUBJECTS = {1, 2, 4, 5, 8, 9, *range(13, 20), 25, 27, 28, 31, 34, 35, 38}
PUBLISHED = {
    ("ntu60", "xsub"): (40_091, 16_487),
    ("ntu60", "xview"): (37_646, 18_932),
    ("ntu120", "xsub"): (63_026, 50_919),
    ("ntu120", "xset"): (54_468, 59_477),
    ("nw-ucla", "xview"): (1_020, 464),
    ("pku1", "xsub"): (18_841, 2_704),
    ("utd-mhad", "xsub"): (431, 430),
    ("msr-action3d", "xsub"): (284, 273),
    ("hdm05", "xsub"): (142, 109),
    ("berkeley-mhad", "xsub"): (384, 275),
}
CLASSES_AND_BODIES = {
    "ntu60": (60, 2, "ntu25"),
    "ntu120": (120, 2, "ntu25"),
    "nw-ucla": (10, 1, "kinect20"),
    "pku1": (51, 2, "ntu25"),
    "pku2": (51, 2, "ntu25"),
    "utd-mhad": (27, 1, "kinect20"),
    "msr-action3d": (20, 1, "kinect20"),
    "sbu": (8, 2, "sbu15"),
    "ui-prmd": (10, 1, "uiprmd22"),
    "ui-prmd-correctness": (20, 1, "uiprmd22"),
    "hdm05": (11, 1, "cmu31"),
    "berkeley-mhad": (11, 1, "body16"),
    "kinder-gator": (58, 1, "kinect20"),
}
ONE_SHOT = (95_001, 18_944)
"""Of the 20 novel classes, 18 924 clips and the exemplars, as `evaluate one-shot` counts them."""


def count_of_split(split: Split, sources: list[Source]) -> tuple[int, int]:
    cameras = np.array([source.camera for source in sources])
    training = split.is_training(np.array([getattr(source, split.field) for source in sources]), cameras, cameras)
    return int(training.sum()), int((~training).sum())


def ntu_names(real_data: Path, name: str) -> list[str]:
    return gzip.decompress((real_data / f"ntu/{name}_clip_names.txt.gz").read_bytes()).decode().split()


def test_known_data_sets() -> None:
    assert set(dataset_names()) == set(CLASSES_AND_BODIES)
    assert {
        (name, split): tuple(load_dataset(name).splits[split].published.values()) for name, split in PUBLISHED
    } == PUBLISHED


@pytest.mark.parametrize("name", CLASSES_AND_BODIES)
def test_classes_and_bodies(name: str) -> None:
    classes, bodies, layout = CLASSES_AND_BODIES[name]
    dataset = load_dataset(name)
    assert dataset.name == name
    assert len(dataset.classes) == len(set(dataset.classes)) == classes
    assert all(label == label.strip() and label for label in dataset.classes)
    assert dataset.most_bodies == bodies
    assert dataset.preparation in PREPARATIONS
    assert dataset.layout.name == layout
    assert dataset.format.layout in (None, dataset.layout)


def test_classes_stand_where_the_data_sets_have_them() -> None:
    """A few that everybody knows by number, counted from 1."""
    ntu60 = {1: "drink water", 8: "sit down", 43: "falling down", 50: "punch", 58: "shaking hands", 60: "walking apart"}
    for action, words in ntu60.items():
        assert load_dataset("ntu60").classes[action - 1].startswith(words)
    assert load_dataset("ntu120").classes[:60] == load_dataset("ntu60").classes
    ntu120 = {61: "put on headphone", 80: "squat down", 103: "yawn", 106: "hit other person", 120: "finger-guessing"}
    for action, words in ntu120.items():
        assert load_dataset("ntu120").classes[action - 1].startswith(words)
    nw_ucla = {1: "pick up with one hand", 4: "walk around", 7: "donning", 10: "carry"}
    for label, words in nw_ucla.items():
        assert load_dataset("nw-ucla").classes[label - 1] == words
    pku = {1: "bow", 8: "drink water", 14: "handshaking", 34: "standing up", 51: "writing"}
    for action, words in pku.items():
        assert load_dataset("pku1").classes[action - 1] == words
    assert load_dataset("pku1").classes == load_dataset("pku2").classes == tuple(sorted(load_dataset("pku1").classes))


@pytest.mark.parametrize(("name", "count"), [("ntu60", 56_578), ("ntu120", 113_945)])
def test_splits_of_ntu(name: str, count: int, real_data: Path) -> None:
    dataset = load_dataset(name)
    names = ntu_names(real_data, name)
    assert len(names) == count
    # Reading all these names under the checks of shapes takes seconds: the fields by hand, some by the parser.
    for one in names[::200]:
        parsed = dataset.format.parse_name(Path(f"{one}.skeleton"))
        assert (parsed.setup, parsed.camera, parsed.subject) == (int(one[1:4]), int(one[5:8]), int(one[9:12]))
        assert 1 <= parsed.action <= len(dataset.classes)
    places = {"subject": slice(9, 12), "camera": slice(5, 8), "setup": slice(1, 4), "label": slice(17, 20)}
    for split, rule in dataset.splits.items():
        values, cameras, labels = (
            np.array([int(one[places[field]]) for one in names]) for field in (rule.field, "camera", "label")
        )
        training = rule.is_training(values, cameras, labels)
        assert (int(training.sum()), int((~training).sum())) == PUBLISHED.get((name, split), ONE_SHOT)


def test_the_splits_train_on_what_the_reference_says() -> None:
    assert load_dataset("ntu60").splits["xsub"].train == TRAINING_SUBJECTS
    assert load_dataset("ntu60").splits["xview"].train == {2, 3}
    more = {45, 46, 47, 49, 50, *range(52, 60), 70, 74, 78, *range(80, 87), 89, *range(91, 96), 97, 98, 100, 103}
    assert load_dataset("ntu120").splits["xsub"].train == TRAINING_SUBJECTS | more
    assert load_dataset("ntu120").splits["xset"].train == set(range(2, 33, 2))


@pytest.mark.parametrize(("name", "count"), [("ntu60", 302), ("ntu120", 535)])
def test_missing_lists_fit_the_names(name: str, count: int, real_data: Path) -> None:
    dataset = load_dataset(name)
    assert dataset.missing_list is not None
    listed = (real_data / "ntu" / dataset.missing_list).read_text().split()
    missing = {word for word in listed if word.startswith("S0") and len(word) == 20}
    assert len(missing) == count
    assert missing.isdisjoint(ntu_names(real_data, name))


def test_splits_of_nw_ucla(real_data: Path) -> None:
    dataset = load_dataset("nw-ucla")
    sources = [dataset.format.parse_name(path) for path in sorted((real_data / "nw-ucla/all_sqe").iterdir())]
    assert count_of_split(dataset.splits["xview"], sources) == PUBLISHED["nw-ucla", "xview"]
    cameras = np.array([source.camera for source in sources])
    subjects, labels = (np.array([getattr(one, what) for one in sources]) for what in ("subject", "action"))
    for name, values, counts in (("xview-tune", cameras, (516, 504)), ("xsub-tune", subjects, (514, 506))):
        tune = dataset.splits[name]
        training, testing = tune.is_training(values, cameras, labels), tune.is_testing(values, cameras, labels)
        assert (training.sum(), testing.sum()) == counts
        assert not (training | testing)[cameras == 3].any(), "the test view is in neither"
        assert not set(values[training]) & set(values[testing])
    assert {source.action for source in sources} == set(range(1, 11))
    assert {source.subject for source in sources} == set(range(1, 11))


@pytest.mark.parametrize("name", ["", "ntu", "NTU60", "ntu121", "../datasets/ntu60", "nw_ucla"])
def test_unknown_names(name: str) -> None:
    near = r"did you mean (ntu60 or )?(ntu120|nw-ucla)\? Or"
    with pytest.raises(
        ValueError, match=rf"unknown data set '.*': ({near}|.*pku1, pku2, .*; or) give the path of a \.yaml"
    ):
        load_dataset(name)
    with pytest.raises(ValueError, match=r"the data set file ntu60\.yaml: there is no such file$"):
        load_dataset("ntu60.yaml")


@pytest.mark.parametrize(("name", "split"), PUBLISHED)
def test_split_survives_json(name: str, split: str) -> None:
    rule = load_dataset(name).splits[split]
    assert Split.from_dict(split, json.loads(json.dumps(rule.to_dict()))) == rule


def test_split_by_an_unknown_field() -> None:
    plain = load_dataset("ntu60").splits["xsub"].to_dict()
    with pytest.raises(
        ValueError, match="split 'own': field 'action' is none of subject, camera, session, setup, label"
    ):
        Split.from_dict("own", plain | {"field": "action"})


def test_split_without_published_counts_of_both_parts() -> None:
    """They are looked up when a store is checked: a split that lacks one is refused before."""
    plain = yaml.safe_load("{title: own, field: subject, train: [1], published: {train: 10}}")
    with pytest.raises(KeyError, match="test"):
        Split.from_dict("own", plain)


def test_a_store_keeps_which_cameras_a_split_counts(small_store: Path) -> None:
    store = Store(small_store)
    rule = store.info.splits["xsub-tune"]
    assert rule == load_dataset("nw-ucla").splits["xsub-tune"]
    assert not len(store.select("xsub-tune", "train")), "its one subject is for testing"
    testing = store.select("xsub-tune", "test")
    assert set(store.table.camera[testing]) == {1, 2}
    assert len(testing) == (store.table.camera < 3).sum()
