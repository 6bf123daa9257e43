"""Recordings that stand in for each other: drawn alike, written and read, refused where they tell nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jaxtyping import Int64
from tests.stores import write_pairs

from kinestream.data.partners import Partners, pairs_of_equal, parse_pairs
from kinestream.data.store import Store


@pytest.mark.parametrize("seed", range(3))
def test_all_pairs_of_places_with_one_number(seed: int) -> None:
    numbers = np.random.default_rng(seed).integers(0, 9, 30)
    expected = {(a, b) for a in range(30) for b in range(a + 1, 30) if numbers[a] == numbers[b]}
    found = pairs_of_equal(numbers)
    assert {tuple(pair) for pair in found.tolist()} == expected
    assert len(found) == len(expected) > 0
    assert pairs_of_equal(np.arange(5)).shape == (0, 2)


def read(path: Path, chosen: list[tuple[Store, Int64[np.ndarray, " _"]]], split: str = "xview") -> Any:
    return parse_pairs(path.read_bytes(), path.name, chosen, split)


def test_a_clip_draws_each_of_its_partners_alike_and_itself_where_it_has_none() -> None:
    pairs = np.array([[3, 1], [1, 0], [5, 1], [3, 5]])
    alike = {0: {1}, 1: {0, 3, 5}, 2: {2}, 3: {1, 5}, 4: {4}, 5: {1, 3}, 6: {6}}
    partners = Partners(pairs, 7, share=1.0)
    draws = np.stack([np.linspace(0, 1, 60, endpoint=False)] * 2)
    for number, expected in alike.items():
        found = partners.stand_ins(np.full(60, number), draws)
        assert {other: int((found == other).sum()) for other in set(found.tolist())} == {
            other: 60 // len(expected) for other in expected
        }
    mixed = np.array([1, 6, 1, 3]), np.array([[0.2, 0.0, 0.7, 0.3], [0.0, 0.5, 0.999, 0.999]])
    np.testing.assert_array_equal(partners.stand_ins(*mixed), [0, 6, 5, 5])
    np.testing.assert_array_equal(Partners(pairs, 7, share=0.3).stand_ins(*mixed), [0, 6, 1, 3])
    none = Partners(np.zeros((0, 2), dtype=np.int64), 4, share=1.0)
    np.testing.assert_array_equal(none.stand_ins(np.arange(4), mixed[1]), np.arange(4))


def test_pairs_are_read_whatever_their_order(small_store: Path, tmp_path: Path) -> None:
    store = Store(small_store)
    train = store.select("xview", "train")
    names = [store.table.name[index] for index in train]
    write_pairs(tmp_path / "pairs.csv", [(names[4], names[9]), (names[2], names[0]), (names[9], names[4])])
    np.testing.assert_array_equal(read(tmp_path / "pairs.csv", [(store, train)]), [[0, 2], [4, 9]])
    # Numbers go through all that is chosen; a recording that is not chosen pairs nothing.
    parts = [(store, train[5:]), (store, train[:3])]
    np.testing.assert_array_equal(read(tmp_path / "pairs.csv", parts), [[22, 24]])


def test_what_is_not_learnt_from_is_never_a_partner(small_store: Path, tmp_path: Path) -> None:
    store = Store(small_store)
    train, test = store.select("xview", "train"), store.select("xview", "test")
    names = store.table.name
    write_pairs(tmp_path / "pairs.csv", [(names[train[0]], names[test[0]]), (names[test[1]], names[test[2]])])
    with pytest.raises(ValueError, match=r"pairs\.csv pairs no two of the 27 recordings to learn from"):
        read(tmp_path / "pairs.csv", [(store, train)])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"begins with '', where 'recording,partner' belongs"),
        ("recording|partner\n{0}|{1}\n", r"begins with 'recording\|partner'"),
        ("name,length\na,b\n", r"begins with 'name,length'"),
        ("recording,partner\n{0},{1}\n{0}\n", r"pairs\.csv is no table of pairs of names: line 3: 1 cells"),
        ("recording,partner\n{0},{1},{0}\n", r"line 2: 3 cells, where the first line names 2 columns"),
        ("recording,partner\n{0},somebody\n", r"line 2: no recording is called 'somebody'"),
        ("recording,partner\n{0},{0}\n", r"line 2: '{0}' is paired with itself"),
        ("recording,partner\n", r"pairs no two of the 27"),
    ],
)
def test_a_file_that_tells_nothing_is_refused(small_store: Path, tmp_path: Path, text: str, words: str) -> None:
    store = Store(small_store)
    train = store.select("xview", "train")
    names = [store.table.name[index] for index in train[:2]]
    (tmp_path / "pairs.csv").write_text(text.format(*names))
    with pytest.raises(ValueError, match=words.format(*names)):
        read(tmp_path / "pairs.csv", [(store, train)])


def test_files_of_spreadsheets_are_read(small_store: Path, tmp_path: Path) -> None:
    store = Store(small_store)
    train = store.select("xview", "train")
    names = [store.table.name[index] for index in train]
    rows = f'\ufeffrecording,partner\r\n"{names[4]}", {names[9]} \r\n,\r\n\r\n'
    (tmp_path / "pairs.csv").write_bytes(rows.encode())
    np.testing.assert_array_equal(read(tmp_path / "pairs.csv", [(store, train)]), [[4, 9]])


def test_what_is_no_text_and_names_of_two_stores_are_refused(small_store: Path, tmp_path: Path) -> None:
    store = Store(small_store)
    train = store.select("xview", "train")
    (tmp_path / "pairs.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="is no table of pairs of names"):
        read(tmp_path / "pairs.csv", [(store, train)])
    write_pairs(tmp_path / "pairs.csv", [(store.table.name[train[0]], store.table.name[train[1]])])
    with pytest.raises(ValueError, match="line 2: several recordings to learn from are called"):
        read(tmp_path / "pairs.csv", [(store, train), (store, train)])
