"""A store's tables are those of its writer: names once, frames one recording after the other, segments within."""

import csv
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.stores import write_small_store

from kinestream.data.datasets import load_dataset
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.recording import Segment, Source
from kinestream.data.store import Store, StoreError, StoreWriter

Rows = list[dict[str, str]]


def forge(path: Path, change: Callable[[Rows], None]) -> None:
    """Changes the table, and the checksum with it."""
    file = path / "recordings.csv"
    with file.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    heading = list(rows[0])
    change(rows)
    with file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, heading, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    info = json.loads((path / "store.json").read_text())
    info["table_sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    (path / "store.json").write_text(json.dumps(info))


def set_cell(row: int, column: str, value: object) -> Callable[[Rows], None]:
    return lambda rows: rows[row].__setitem__(column, str(value))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: rows[5].__setitem__("name", rows[3]["name"]), "two recordings of the name"),
        (set_cell(4, "offset", 0), "from 0 on, where those before it end"),
        (set_cell(4, "offset", -1), "from -1 on"),
        (set_cell(39, "length", 100_000), "100000 frames"),
        (set_cell(7, "length", 0), "has 0 frames"),
        (set_cell(7, "length", -3), "has -3 frames"),
        (lambda rows: rows.insert(0, rows.pop()), "from "),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(change: Callable[[Rows], None], told: str, tmp_path: Path) -> None:
    path = write_small_store(tmp_path / "store")
    forge(path, change)
    with pytest.raises(StoreError, match=told):
        Store(path)


def test_the_writer_refuses_a_name_twice_and_segments_outside(tmp_path: Path) -> None:
    dataset = load_dataset("nw-ucla")
    source = Source(path=Path("a"), name="a", action=1, subject=1, camera=1, setup=1, repetition=1)
    joints = np.zeros((10, 1, 20, 3), np.float32)
    for number, wrong in enumerate((Segment(label=0, start=2, end=11), Segment(label=0, start=-1, end=2))):
        folder = tmp_path / str(number)
        folder.mkdir()
        with StoreWriter(folder, dataset.format.layout, 1, continuous=True) as writer:
            with pytest.raises(ValueError, match="recording a has 10 frames, and a segment from"):
                writer.add(source, joints, [wrong])
            writer.add(source, joints, [Segment(label=0, start=2, end=10)])
            writer.add(source, joints)
            with pytest.raises(ValueError, match="2 recordings have the name a: give each its own"):
                writer.finish(dataset, PREPARATIONS["tracked"], excluded=0, rejected=0)
