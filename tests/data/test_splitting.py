"""Splits as a user asks for them."""

import numpy as np
import pytest

from kinestream.data.splitting import ask, make

NUMBERS = {"subject": np.array([1, 1, 2, 3]), "camera": np.array([0, 0, 0, 0]), "session": np.array([1, 2, 2, 1])}
NAMES = {"subject": ("ann", "ben", "cleo"), "camera": (), "session": ()}
FILES = ["a", "b", "c", "d"]


def parts(told: str) -> dict[str, tuple[list[int], list[int]]]:
    """For each split the recordings for training and for testing."""
    found = {}
    for split in make(ask("default", told), FILES, NUMBERS, NAMES):
        values = np.asarray(FILES) if split.field == "file" else NUMBERS[split.field]
        cameras = NUMBERS["camera"]
        found[split.name] = (
            np.flatnonzero(split.is_training(values, cameras, cameras)).tolist(),
            np.flatnonzero(split.is_testing(values, cameras, cameras)).tolist(),
        )
    return found


def test_by_name_number_and_file() -> None:
    assert parts("subject:ann, cleo") == {"default": ([0, 1, 3], [2])}
    assert parts("session:1") == {"default": ([0, 3], [1, 2])}
    assert parts("file:a,d") == {"default": ([0, 3], [1, 2])}


def test_each_subject_is_left_out_once() -> None:
    assert parts("leave-one-subject-out") == {
        "without-ann": ([2, 3], [0, 1]),
        "without-ben": ([0, 1, 3], [2]),
        "without-cleo": ([0, 1, 2], [3]),
    }


def test_a_drawn_split_keeps_what_is_of_one_file_together() -> None:
    files = ["long"] * 8 + ["short"] * 2
    (split,) = make(ask("default", "random:20%"), files, {}, {})
    training = split.is_training(np.asarray(files), np.zeros(10), np.zeros(10))
    assert len({(file, bool(is_training)) for file, is_training in zip(files, training, strict=True)}) == 2
    assert 0 < training.sum() < 10


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ("subject", "subject:1,3,5, camera:1,2"),
        ("subject:", "those for training"),
        ("age:3", "leave-one-subject-out"),
        ("random:0%", "above 0 and below 100"),
        ("random:few", "'few' is no number of percent"),
        ("subject:dan", "no recording has subject dan; there are ann, ben, cleo"),
        ("camera:1", "no recording has camera 1; there are none"),
        ("subject:ann,ben,cleo", "leaves no recording for testing"),
        ("leave-one-camera-out", "the recordings tell 0 cameras, 2 are needed"),
    ],
)
def test_what_is_no_split_is_told(told: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parts(told)
