"""Numbers out of CSV, against the module csv and `float`."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.data.formats import comma_rows
from kinestream.data.recording import RecordingError

NUMBERS = st.floats(allow_nan=True, allow_infinity=False).map(repr) | st.integers(-(10**20), 10**20).map(str)
FIELDS = NUMBERS | st.just("") | st.sampled_from(["nan", "NaN", "+1.5", "1e5", "-.5", "5.", " 2 ", "1E-3"])


def plainly(path: Path, skip: int, text: list[int]) -> tuple[list[list[str]], list[list[float]]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[skip:]
    words = [[row[at] for at in text] for row in rows if row]
    return words, [[float(f) if f.strip() else np.nan for at, f in enumerate(row) if at not in text] for row in rows if row]


@pytest.mark.parametrize("block", [1, 40, 2**22])
def test_numbers_are_those_of_float(block: int, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comma_rows, "_BLOCK", block)
    path = tmp_path_factory.getbasetemp() / "rows.csv"

    @given(
        rows=st.integers(2, 4).flatmap(lambda n: st.lists(st.lists(FIELDS, min_size=n, max_size=n), min_size=1, max_size=6)),
        names=st.lists(st.text(st.characters(categories=("L", "N", "P"))), min_size=6, max_size=6),
        ending=st.sampled_from(["\n", "\r\n"]),
        last=st.booleans(),
        worded=st.booleans(),
    )
    def same(rows: list[list[str]], names: list[str], ending: str, last: bool, worded: bool) -> None:
        with path.open("w", newline="", encoding="utf-8") as file:
            write = csv.writer(file, lineterminator=ending)
            write.writerow(["head"])
            write.writerows([[name, *row] if worded else row for name, row in zip(names, rows, strict=False)])
        if not last:
            path.write_bytes(path.read_bytes().removesuffix(ending.encode()))
        text = [0] if worded else []
        expected = plainly(path, 1, text)
        found = list(comma_rows.rows(path, skip=1, columns=len(rows[0]) + worded, text=text))
        np.testing.assert_array_equal(np.concatenate([part.numbers for part in found]), np.array(expected[1]))
        assert [words for part in found for words in part.texts] == (expected[0] if worded else [])
        assert [part.line for part in found] == np.cumsum([2, *[len(part.numbers) for part in found[:-1]]]).tolist()

    same()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,2\n3,4,5\n", "line 2: 3 fields where 2 belong"),
        ("1,2\n3\n", "line 2: 1 fields where 2 belong"),
        ("1,2\n3,x\n", "line 2: 'x' where a number belongs"),
        ("1,2\n3,1_0\n", "line 2: '1_0' where a number belongs"),
        ("1,2\n3,infinity\n", "line 2: 'infinity' where a number belongs"),
        ("1,2\n3,1e999\n", "line 2: '1e999' where a number belongs"),
        ("1,2\n3,0x10\n", "line 2: '0x10' where a number belongs"),
        ("1,2\n3,1.2.3\n", "line 2: '1.2.3' where a number belongs"),
        ("1,2\n\n3,4\n", "line 2: 1 fields where 2 belong"),
        ('1,2\n"3,4\n', "line 2: "),
        ("1,2\n3;4\n", "line 2: 1 fields where 2 belong"),
        ("1,2\n3,٣\n", ""),
    ],
)
def test_what_is_no_row_is_named_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text, "utf-8")
    if not words:  # digits of other scripts are numbers to float
        [part] = comma_rows.rows(path, skip=0, columns=2)
        assert part.numbers[1, 1] == 3
        return
    with pytest.raises(RecordingError, match=words.replace("(", r"\(")):
        list(comma_rows.rows(path, skip=0, columns=2))


def test_lines_without_end_are_no_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comma_rows, "_LONGEST_LINE", 100)
    path = tmp_path / "a.csv"
    path.write_text("1," * 500)
    with pytest.raises(RecordingError, match="a line of more than 100 bytes"):
        comma_rows.header(path, 1)
    with pytest.raises(RecordingError, match="a line of more than 100 bytes"):
        list(comma_rows.rows(path, skip=0, columns=501))
