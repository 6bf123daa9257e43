"""Long JSON files an entry at a time: the same as all at once, whatever piece an entry lies in."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.data.formats import json_stream
from kinestream.data.formats.json_stream import entries, load_json, outline
from kinestream.data.recording import RecordingError

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def put_together(path: Path) -> Any:
    """What the entries of a file make as a whole."""
    whole: Any = None
    for key, number, value in entries(path):
        if key is None:
            whole = [] if number == 0 else [*whole, value]
        else:
            whole = {} if whole is None else whole
            if number is None:
                whole[key] = value
            elif number == 0:
                whole[key] = []
            else:
                whole[key].append(value)
                assert len(whole[key]) == number
    return whole


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 64, 2**20])
def test_entries_are_what_json_makes(piece: int, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> None:
    monkeypatch.setattr(json_stream, "_PIECE", piece)
    path = tmp_path_factory.getbasetemp() / "entries.json"

    @given(
        content=st.lists(PLAIN) | st.dictionaries(st.text(), PLAIN, min_size=1),
        indent=st.sampled_from([None, 2]),
        ascii_only=st.booleans(),
        ending=st.sampled_from(["", "\n", " \r\n"]),
        bom=st.booleans(),
    )
    def same(content: Any, indent: int | None, ascii_only: bool, ending: str, bom: bool) -> None:
        text = json.dumps(content, indent=indent, ensure_ascii=ascii_only) + ending
        path.write_bytes(
            (b"\xef\xbb\xbf" if bom else b"") + text.replace("\n", "\r\n").encode("utf-8", "surrogatepass")
        )
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:  # lone surrogates are no UTF-8
            return
        assert put_together(path) == content
        assert load_json(path) == content

    same()


@pytest.mark.parametrize("piece", [1, 5, 2**20])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "line 1: .*empty"),
        (b"12", "neither a list nor an object"),
        (b"[1, 2", "cut off"),
        (b'{"a": 1', "cut off"),
        (b'{"a": [1, {"b": "c', "Unterminated string .*cut off"),
        (b'{"a"\n\n 1}', "line 3: .*'1' where ':' belongs"),
        (b"[1\n 2]", "line 2: .*'2' where ',' belongs"),
        (b"[1, 2] 3", "text after its end"),
        (b'{"a": 1, "a": 2}', "'a' stands twice"),
        (b"{1: 2}", "'1' where '\"' belongs"),
        (b'[1, "\xe9"]', "not UTF-8"),
        (b"\xff\xfe[\x001\x00]\x00", "not UTF-8"),
        (b"[nul]", "Expecting value"),
        (b"[" + b"9" * 5000 + b"]", "4300 digits"),
        (b"[" * 100_000, "too deep"),
        (b'{"a": [1, 2,]}', "Expecting value|Illegal trailing comma"),
    ],
)
def test_what_is_no_json_is_refused_in_one_line(
    tmp_path: Path, text: bytes, words: str, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_stream, "_PIECE", piece)
    path = tmp_path / "a.json"
    path.write_bytes(text)
    with pytest.raises(RecordingError, match=words):
        list(entries(path))


def test_an_entry_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "_LONGEST_ENTRY", 1000)
    monkeypatch.setattr(json_stream, "_PIECE", 100)
    path = tmp_path / "a.json"
    path.write_text('["' + "x" * 5000 + '"]')
    with pytest.raises(RecordingError, match="an entry of more than 1,000 characters"):
        list(entries(path))


def test_memory_does_not_grow_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "_PIECE", 2**14)
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"frames": [[0.123456] * 100] * 5000}))
    tracemalloc.start()
    count = sum(1 for _ in entries(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 5001
    assert path.stat().st_size > 5_000_000
    assert peak < 1_000_000


@given(content=PLAIN, cut=st.integers(0, 100))
def test_the_outline_has_no_error_and_finds_top_keys(
    tmp_path_factory: pytest.TempPathFactory, content: Any, cut: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "outline.json"
    path.write_bytes(json.dumps({"first": 1, "more": content}).encode()[: 11 + cut])
    assert outline(path)[""] == "{"
    assert outline(path).get(".first", "1") == "1"


def test_a_changed_file_has_another_outline(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("[1]")
    assert outline(path) == {"": "[", "[]": "1"}
    path.write_text('{"a": []}')
    assert outline(path) == {"": "{", ".a": "["}
    assert outline(tmp_path / "absent.json") == {}
