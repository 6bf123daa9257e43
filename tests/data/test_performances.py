"""Which recordings show one performance from several cameras."""

from pathlib import Path

import numpy as np

from kinestream.data.datasets import load_dataset
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.recording import Source
from kinestream.data.store import Store, StoreWriter


def performances(path: Path, *told: tuple[int, int, int, int]) -> list[int]:
    """Of recordings of these actions, subjects, cameras and repetitions."""
    path.mkdir()
    dataset = load_dataset("nw-ucla")
    joints = np.zeros((4, 1, 20, 3), dtype=np.float32)
    with StoreWriter(path, dataset.format.layout, dataset.most_bodies) as writer:
        for number, (action, subject, camera, repetition) in enumerate(told):
            name = str(number)
            source = Source(
                path=Path(name),
                name=name,
                action=action,
                subject=subject,
                camera=camera,
                setup=1,
                repetition=repetition,
            )
            writer.add(source, joints)
        writer.finish(dataset, PREPARATIONS["tracked"], excluded=0, rejected=0)
    found = Store(path).performances
    _, first = np.unique(found, return_index=True)
    return [sorted(first).index(int(np.flatnonzero(found == number)[0])) for number in found]


def test_performances_are_told_by_action_subject_setup_and_repetition(tmp_path: Path) -> None:
    told = ((1, 1, 1, 1), (1, 1, 2, 1), (2, 1, 2, 1), (1, 2, 2, 1), (1, 1, 3, 2), (1, 1, 1, 2), (1, 1, 3, 1))
    assert performances(tmp_path / "store", *told) == [0, 0, 1, 2, 3, 3, 0]


def test_recordings_that_tell_no_such_numbers_are_each_for_itself(tmp_path: Path) -> None:
    told = ((1, 0, 0, 0), (1, 0, 0, 0), (2, 0, 0, 0), (2, 0, 1, 0))
    assert performances(tmp_path / "store", *told) == [0, 1, 2, 2]
