import dataclasses
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from kinestream.data.datasets import Split, dataset_names, load_dataset
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.recording import Source
from kinestream.layout import KINECT20, NTU25

# Section 5 of the reference.
TRAINING_SUBJECTS = {1, 2, 4, 5, 8, 9, *range(13, 20), 25, 27, 28, 31, 34, 35, 38}
PUBLISHED = {
    ("ntu60", "xsub"): (40_091, 16_487),
    ("ntu60", "xview"): (37_646, 18_932),
    ("nw-ucla", "xview"): (1_020, 464),
}


def count_of_split(split: Split, sources: list[Source]) -> tuple[int, int]:
    training = split.is_training(np.array([getattr(source, split.field) for source in sources]))
    return int(training.sum()), int((~training).sum())


def ntu60_names(real_data: Path) -> list[str]:
    return gzip.decompress((real_data / "ntu/ntu60_clip_names.txt.gz").read_bytes()).decode().split()


def test_known_data_sets() -> None:
    assert dataset_names() == ("ntu60", "nw-ucla")
    assert {
        (name, split): tuple(load_dataset(name).splits[split].published.values()) for name, split in PUBLISHED
    } == PUBLISHED


@pytest.mark.parametrize(("name", "classes", "bodies"), [("ntu60", 60, 2), ("nw-ucla", 10, 1)])
def test_classes_and_bodies(name: str, classes: int, bodies: int) -> None:
    dataset = load_dataset(name)
    assert dataset.name == name
    assert len(dataset.classes) == len(set(dataset.classes)) == classes
    assert all(label == label.strip() and label for label in dataset.classes)
    assert dataset.most_bodies == bodies
    assert dataset.preparation in PREPARATIONS
    assert dataset.format.layout is {"ntu60": NTU25, "nw-ucla": KINECT20}[name]


def test_classes_stand_where_the_data_sets_have_them() -> None:
    """A few that everybody knows by number, counted from 1."""
    ntu60 = {1: "drink water", 8: "sit down", 43: "falling down", 50: "punch", 58: "shaking hands", 60: "walking apart"}
    for action, words in ntu60.items():
        assert load_dataset("ntu60").classes[action - 1].startswith(words)
    nw_ucla = {1: "pick up with one hand", 4: "walk around", 7: "donning", 10: "carry"}
    for label, words in nw_ucla.items():
        assert load_dataset("nw-ucla").classes[label - 1] == words


def test_splits_of_ntu60(real_data: Path) -> None:
    dataset = load_dataset("ntu60")
    assert dataset.splits["xsub"].train == TRAINING_SUBJECTS
    assert dataset.splits["xview"].train == {2, 3}
    names = ntu60_names(real_data)
    assert len(names) == 56_578
    # Reading all these names under the checks of shapes takes seconds: the fields by hand, some by the parser.
    example = dataset.format.parse_name(Path(f"{names[0]}.skeleton"))
    sources = [
        dataclasses.replace(example, name=name, camera=int(name[5:8]), subject=int(name[9:12])) for name in names[::20]
    ]
    for source in sources[::10]:
        parsed = dataset.format.parse_name(Path(f"{source.name}.skeleton"))
        assert (parsed.camera, parsed.subject) == (source.camera, source.subject)
        assert 1 <= parsed.action <= 60
    for split, places in (("xsub", slice(9, 12)), ("xview", slice(5, 8))):
        training = dataset.splits[split].is_training(np.array([int(name[places]) for name in names]))
        assert (int(training.sum()), int((~training).sum())) == PUBLISHED["ntu60", split]
        assert dataset.splits[split].field == {"xsub": "subject", "xview": "camera"}[split]


def test_missing_list_of_ntu60_fits_the_names(real_data: Path) -> None:
    dataset = load_dataset("ntu60")
    assert dataset.missing_list is not None
    listed = (real_data / "ntu" / dataset.missing_list).read_text().split()
    missing = {word for word in listed if word.startswith("S0") and len(word) == 20}
    assert len(missing) == 302
    assert missing.isdisjoint(ntu60_names(real_data))


def test_splits_of_nw_ucla(real_data: Path) -> None:
    dataset = load_dataset("nw-ucla")
    sources = [dataset.format.parse_name(path) for path in sorted((real_data / "nw-ucla/all_sqe").iterdir())]
    assert count_of_split(dataset.splits["xview"], sources) == PUBLISHED["nw-ucla", "xview"]
    assert {source.action for source in sources} == set(range(1, 11))
    assert {source.subject for source in sources} == set(range(1, 11))


@pytest.mark.parametrize("name", ["", "ntu", "NTU60", "ntu120", "ntu60.yaml", "../datasets/ntu60", "nw_ucla"])
def test_unknown_names(name: str) -> None:
    with pytest.raises(ValueError, match=r"unknown data set '.*': choose from ntu60, nw-ucla$"):
        load_dataset(name)


@pytest.mark.parametrize(("name", "split"), PUBLISHED)
def test_split_survives_json(name: str, split: str) -> None:
    rule = load_dataset(name).splits[split]
    assert Split.from_dict(split, json.loads(json.dumps(rule.to_dict()))) == rule


def test_split_by_an_unknown_field() -> None:
    plain = load_dataset("ntu60").splits["xsub"].to_dict()
    with pytest.raises(ValueError, match="split 'own': field 'action' is none of subject, camera, setup"):
        Split.from_dict("own", plain | {"field": "action"})


def test_split_without_published_counts_of_both_parts() -> None:
    """They are looked up when a store is checked: a split that lacks one is refused before."""
    plain = yaml.safe_load("{title: own, field: subject, train: [1], published: {train: 10}}")
    with pytest.raises(KeyError, match="test"):
        Split.from_dict("own", plain)
