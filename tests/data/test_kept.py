"""What is kept is what was written, or it is not taken."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.data.kept import Kept, NotKeptError, keep, kept

ROWS = np.arange(12, dtype=np.float32).reshape(4, 3)


def test_other_programs_read_it_too(tmp_path: Path) -> None:
    keep(tmp_path / "new" / "a.npy", ROWS.shape, ROWS)
    np.testing.assert_array_equal(kept(tmp_path / "new" / "a.npy", 4), ROWS)
    np.testing.assert_array_equal(np.load(tmp_path / "new" / "a.npy"), ROWS)


def test_none_is_told_by_silence_and_other_rows_by_words(tmp_path: Path) -> None:
    with pytest.raises(NotKeptError) as told:
        kept(tmp_path / "none.npy", 4)
    assert str(told.value) == ""
    keep(tmp_path / "a.npy", ROWS.shape, ROWS)
    with pytest.raises(NotKeptError, match="where 5 rows"):
        kept(tmp_path / "a.npy", 5)
    np.save(tmp_path / "plain.npy", ROWS)
    with pytest.raises(NotKeptError, match=r"checksum|cut off"):
        kept(tmp_path / "plain.npy", 4)
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(NotKeptError, match="directory"):
        kept(tmp_path / "folder.npy", 4)


@given(st.data())
def test_no_change_of_a_byte_is_taken(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    file = tmp_path_factory.mktemp("kept") / "a.npy"
    keep(file, ROWS.shape, ROWS)
    content = bytearray(file.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    how = data.draw(st.sampled_from(["changed", "cut", "longer"]))
    file.write_bytes({"changed": bytes(content), "cut": bytes(content[:place]), "longer": bytes(content) + b"0"}[how])
    with pytest.raises(NotKeptError):
        kept(file, 4)


@pytest.mark.parametrize("array", [ROWS.astype(np.float64), ROWS[0], np.asfortranarray(ROWS), ROWS.astype("<i4")])
def test_arrays_of_another_kind_are_not_taken(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", array)
    keep(tmp_path / "b.npy", ROWS.shape, ROWS)
    with (tmp_path / "a.npy").open("ab") as file:
        file.write((tmp_path / "b.npy").read_bytes()[ROWS.nbytes + 128 :])  # what stands behind the array
    with pytest.raises(NotKeptError):
        kept(tmp_path / "a.npy", 4)


def test_rows_that_were_not_written_are_not_there_and_no_file_is(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="3 rows of an array"):
        keep(tmp_path / "a.npy", ROWS.shape, ROWS[:3])
    with pytest.raises(ValueError, match="row 1 is"):
        keep(tmp_path / "a.npy", ROWS.shape, ROWS[:, :2])
    assert not list(tmp_path.iterdir())


def test_a_row_is_compared_when_it_is_used(tmp_path: Path) -> None:
    keep(tmp_path / "a.npy", ROWS.shape, ROWS)
    content = bytearray((tmp_path / "a.npy").read_bytes())
    content[128 + 2 * ROWS[0].nbytes] ^= 1
    (tmp_path / "a.npy").write_bytes(content)
    found = Kept(tmp_path / "a.npy")
    indices = np.array([3, 2, 0])
    assert found.are_whole(indices, found.array[indices]).tolist() == [True, False, True]
