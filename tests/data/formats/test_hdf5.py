"""HDF5 of unknown origin: bounded in memory, only what lies in the file itself, and one line where h5py is missing."""

import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from tests.estimator_files import form, refusal, write_sleap

from kinestream.data.formats import hdf5
from kinestream.data.recording import RecordingError

WORDS = ["abc", "", "x" * 300]


@pytest.mark.parametrize("how", [{}, {"chunks": (2,)}, {"chunks": (2,), "compression": "gzip"}])
def test_texts_of_any_length(tmp_path: Path, how: dict[str, Any]) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("words", data=WORDS, dtype=h5py.string_dtype(), **how)
        file["fixed"] = np.array([word.encode() for word in WORDS])
    with hdf5.opened(path) as file:
        for name in ("words", "fixed"):
            assert hdf5.texts(hdf5.dataset(file, name)).tolist() == WORDS


@pytest.mark.parametrize("how", [{}, {"chunks": (3,)}])
def test_a_text_longer_than_the_file_takes_no_memory(tmp_path: Path, how: dict[str, Any]) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        held = file.create_dataset("words", data=WORDS, dtype=h5py.string_dtype(), **how)
        place = held.id.get_chunk_info(0).byte_offset if how else held.id.get_offset()
    content = bytearray(path.read_bytes())
    content[place : place + 4] = (2**31).to_bytes(4, "little")
    path.write_bytes(content)
    with hdf5.opened(path) as file, pytest.raises(RecordingError, match="a text longer than the file"):
        hdf5.dataset(file, "words")


def test_what_leads_elsewhere_or_is_too_large_is_refused(tmp_path: Path) -> None:
    path, other = tmp_path / "a.h5", tmp_path / "b.h5"
    (tmp_path / "raw").write_bytes(bytes(80))
    with h5py.File(other, "w") as file:
        file["numbers"] = np.zeros(10)
    with h5py.File(path, "w") as file:
        file["soft"] = h5py.SoftLink("/large")
        file["outside"] = h5py.ExternalLink(str(other), "numbers")
        file.create_dataset("raw", (10,), "f8", external=[(str(tmp_path / "raw"), 0, 80)])
        layout = h5py.VirtualLayout((10,), "f8")
        layout[:] = h5py.VirtualSource(str(other), "numbers", (10,))
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("large", (10**5, 10**5), "f8", chunks=(10, 10))
        file.create_dataset("nothing", data=h5py.Empty("f8"))
        file.create_dataset("lists", (3,), h5py.vlen_dtype("f8"))
        file.create_group("group")
    with hdf5.opened(path) as file:
        for name, words in {
            "soft": "is a link",
            "outside": "is a link",
            "raw": "lies in another file",
            "virtual": "lies in another file",
            "large": "too large for one recording",
            "nothing": "empty or too large",
            "lists": "holds lists",
        }.items():
            with pytest.raises(RecordingError, match=words):
                hdf5.dataset(file, name)
        assert hdf5.dataset(file, "group") is None
        assert hdf5.dataset(file, "absent") is None


def test_without_h5py_files_are_recognised_and_the_command_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_sleap(tmp_path / "a.h5", np.ones((3, 1, 2, 2)), ("a", "b"))
    monkeypatch.setitem(sys.modules, "h5py", None)
    recognises = form("sleap").recognises
    assert recognises is not None
    assert recognises(path)
    assert refusal("sleap", path) == 'HDF5 files need h5py: pip install "kinestream[formats]"'
