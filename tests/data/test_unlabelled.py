"""Clips of several stores to learn from: numbered through, in the form of the first."""

from pathlib import Path

import numpy as np
import pytest

from kinestream.data.build import build_store
from kinestream.data.clips import Clips, MappedClips, clips_as
from kinestream.data.datasets import load_dataset
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.recording import Segment, Source
from kinestream.data.store import Store, StoreWriter
from kinestream.data.synthetic import generate_ntu
from kinestream.data.unlabelled import NO_LABEL, Part, Unlabelled, choose_further
from kinestream.skeleton.joint_maps import joint_map

FRAMES = 10


@pytest.fixture(scope="module")
def ntu_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Generated NTU recordings, some with two people."""
    folder = tmp_path_factory.mktemp("ntu")
    generate_ntu(folder / "raw", 48, 0, frames=(12, 20))
    build_store(
        load_dataset("ntu60"), folder / "raw", folder / "store", preparation=PREPARATIONS["tracked"], processes=1
    )
    return Store(folder / "store")


def beside(store: Store, split: str, first: Store) -> Part:
    return Part(clips=clips_as(store, FRAMES, first.layout), indices=choose_further(store, split, first))


def first(store: Store) -> Part:
    return Part(clips=Clips(store, FRAMES), indices=store.select(next(iter(store.info.splits)), "train"))


def test_clips_of_two_stores_are_numbered_through(small_store: Path, ntu_store: Store) -> None:
    store = Store(small_store)
    own = first(store)
    both = Unlabelled([own, beside(ntu_store, "xview", store)])
    assert len(both) == 27 + 48, "of another data set all recordings are taken"
    mapped = MappedClips(Clips(ntu_store, FRAMES), joint_map(ntu_store.layout, store.layout))
    batch = both.batch(np.array([27, 3, 74, 26]))
    assert batch.shape == (4, FRAMES, 1, 20, 3)
    np.testing.assert_array_equal(batch[[1, 3]], own.clips.batch(own.indices[[3, 26]]))
    np.testing.assert_array_equal(batch[[0, 2]], mapped.batch(np.array([0, 47]))[:, :, :1])
    np.testing.assert_array_equal(both.labels()[:27], store.labels[own.indices])
    assert set(both.labels()[27:]) == {NO_LABEL}


def test_one_store_alone_is_as_it_was(small_store: Path) -> None:
    store = Store(small_store)
    own = first(store)
    numbers = np.array([5, 0, 26])
    np.testing.assert_array_equal(Unlabelled([own]).batch(numbers), own.clips.batch(own.indices[numbers]))


def test_bodies_that_a_further_store_does_not_have_are_absent(small_store: Path, ntu_store: Store) -> None:
    added = beside(Store(small_store), "xsub", ntu_store)
    batch = Unlabelled([first(ntu_store), added]).batch(np.array([len(first(ntu_store).indices)]))
    assert batch.shape == (1, FRAMES, 2, 25, 3)
    assert batch[:, :, 0].any()
    assert not batch[:, :, 1].any()


def test_of_the_same_data_set_only_the_training_part_is_learnt_from(small_store: Path) -> None:
    store = Store(small_store)
    added = beside(store, "xview", store)
    np.testing.assert_array_equal(added.indices, store.select("xview", "train"))
    both = Unlabelled([first(store), added])
    np.testing.assert_array_equal(both.labels()[27:], both.labels()[:27])


def test_whole_videos_have_no_label(small_store: Path, tmp_path: Path) -> None:
    dataset, source = (
        load_dataset("nw-ucla"),
        Source(path=Path("v"), name="v", action=0, subject=1, camera=1, setup=1, repetition=0),
    )
    (tmp_path / "videos").mkdir()
    with StoreWriter(tmp_path / "videos", dataset.format.layout, dataset.most_bodies, continuous=True) as writer:
        writer.add(source, np.ones((30, 1, 20, 3), np.float32), [Segment(label=1, start=0, end=9)])
        writer.finish(dataset, PREPARATIONS["tracked"], excluded=0, rejected=0)
    store = Store(small_store)
    both = Unlabelled([first(store), beside(Store(tmp_path / "videos"), "xview", store)])
    assert both.labels()[27:].tolist() == [NO_LABEL]


def test_stores_that_were_prepared_otherwise_are_refused(small_store: Path, ntu_store: Store, tmp_path: Path) -> None:
    generate_ntu(tmp_path / "raw", 3, 0, frames=(12, 14), classes=2)
    build_store(
        load_dataset("ntu60"), tmp_path / "raw", tmp_path / "other", preparation=PREPARATIONS["published"], processes=1
    )
    with pytest.raises(ValueError, match=r"other was prepared 'published', .* 'tracked': prepare them alike"):
        choose_further(Store(tmp_path / "other"), "xview", Store(small_store))


def test_clips_of_one_performance_have_one_number(small_store: Path, ntu_store: Store) -> None:
    store = Store(small_store)
    both = Unlabelled([first(store), beside(ntu_store, "xview", store)])
    told = [(0, store.performances[index]) for index in both.parts[0].indices]
    told += [(1, ntu_store.performances[index]) for index in both.parts[1].indices]
    numbers = both.performances()
    assert len(numbers) == len(told)
    counts = set()
    for number, one in zip(numbers, told, strict=True):
        alike = [other == one for other in told]
        np.testing.assert_array_equal(numbers == number, alike)
        counts.add(sum(alike))
    assert counts == {1, 2, 3}, "of one camera, of two, of three"
