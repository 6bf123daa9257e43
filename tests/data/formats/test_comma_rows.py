"""Numbers out of CSV, against the module csv and `float`."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.data.formats import comma_rows, lines
from kinestream.data.recording import RecordingError

NUMBERS = st.floats(allow_nan=True, allow_infinity=False).map(repr) | st.integers(-(10**20), 10**20).map(str)
FIELDS = NUMBERS | st.just("") | st.sampled_from(["nan", "NaN", "+1.5", "1e5", "-.5", "5.", " 2 ", "1E-3"])


def plainly(path: Path, skip: int, text: list[int]) -> tuple[list[list[str]], list[list[float]]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[skip:]
    words = [[row[at] for at in text] for row in rows if row]
    return words, [
        [float(f) if f.strip() else np.nan for at, f in enumerate(row) if at not in text] for row in rows if row
    ]


@pytest.mark.parametrize("block", [1, 40, 2**20])
def test_numbers_are_those_of_float(
    block: int, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "_BLOCK", block)
    path = tmp_path_factory.getbasetemp() / "rows.csv"

    @given(
        rows=st.integers(2, 4).flatmap(
            lambda n: st.lists(st.lists(FIELDS, min_size=n, max_size=n), min_size=1, max_size=6)
        ),
        names=st.lists(st.text(st.characters(categories=("L", "N"))), min_size=6, max_size=6),
        ending=st.sampled_from(["\n", "\r\n"]),
        last=st.booleans(),
        worded=st.booleans(),
    )
    def same(rows: list[list[str]], names: list[str], ending: str, last: bool, worded: bool) -> None:
        with path.open("w", newline="", encoding="utf-8") as file:
            write = csv.writer(file, lineterminator=ending)
            write.writerow(["head"])
            write.writerows([[f"a,{name}", *row] if worded else row for name, row in zip(names, rows, strict=False)])
        if not last:
            path.write_bytes(path.read_bytes().removesuffix(ending.encode()))
        text = [0] if worded else []
        expected = plainly(path, 1, text)
        columns = [str(column) for column in range(len(rows[0]) + worded)]
        found = list(comma_rows.rows(path, skip=1, names=columns, text=text))
        np.testing.assert_array_equal(np.concatenate([part.numbers for part in found]), np.array(expected[1]))
        assert [words for part in found for words in part.texts] == (expected[0] if worded else [])
        assert [line for part in found for line in part.lines] == list(range(2, 2 + len(rows)))

    same()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,2\n3,4,5\n", "line 2: 3 cells where 2 belong"),
        ("1,2\n3\n", "line 2: 1 cell where 2 belong"),
        ("1,2\n3;4\n", "line 2: 1 cell where 2 belong"),
        ("1,2\n3,x\n", "line 2: 'x' where a number belongs, column 'b'"),
        ("1,2\n3,1_0\n", "line 2: '1_0' where a number belongs"),
        ("1,2\n3,0x10\n", "line 2: '0x10' where a number belongs"),
        ("1,2\n3,1.2.3\n", "line 2: '1.2.3' where a number belongs"),
        ("1,2\n3,infinity\n", "line 2: a number without end"),
        ("1,2\n3,1e999\n", "line 2: a number without end"),
    ],
)
def test_what_is_no_row_is_named_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(RecordingError, match=words):
        list(comma_rows.rows(path, skip=0, names=["a", "b"]))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"a," * 2**20, "a line of more than 1,048,576 bytes"),
        (b"a," * 110_000 + b"\n", "more than 100,000 columns"),
        (b"a\n\xe9,b\n", "line 2: not UTF-8 text"),
        (b'a\n"b,c\n', "line 2: no CSV"),
    ],
)
def test_heads_that_cannot_be_read(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=words):
        comma_rows.header(path, 2)
