"""Long JSON files an entry at a time: what is read was never in memory as a whole.

A file holds a list, or an object some of whose values are long lists; their entries are handed out one by one, each as
`json` makes it. Around them only a piece of the text is held.
"""

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from kinestream.data.recording import RecordingError
from kinestream.words import reason, shown

_PIECE = 2**20
_LONGEST_ENTRY = 2**26
"""Characters: an entry is a frame or a body."""
_LONGEST_WORD = 32
"""Characters of a number or a constant, of which a piece may end in the middle."""
_HEAD = 2**16
_DEEPEST = 32
_LONGEST_PLACE = 500
"""Characters. No form is told by anything further down, and every place has a name as long as it is deep."""
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_SPACE = re.compile(r"[ \t\r\n]*")


class Entry(NamedTuple):
    """One value of a JSON file."""

    key: str | None
    """Of the object at the top; None where a list is at the top."""
    number: int | None
    """Of the entry in its list, counted from 1; 0 stands for the list as such, before its entries, and has no value.
    None for a value that is no list."""
    value: Any

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        called = _called(self.key)
        return f"{called} {self.number}" if self.number else called


def entries(path: Path) -> Iterator[Entry]:
    """The entries of the list that a file holds, or of the values of its object. Raises RecordingError, with the line,
    for what is no JSON.

    Example:
        >>> from tempfile import mkdtemp
        >>> path = Path(mkdtemp(), "walk.json")
        >>> _ = path.write_text('{"fps": 30, "frames": [[0, 1], [2, 3]]}')
        >>> [tuple(entry) for entry in entries(path)]
        [('fps', None, 30), ('frames', 0, None), ('frames', 1, [0, 1]), ('frames', 2, [2, 3])]
    """
    with path.open("rb") as file:
        text = _Text(file)
        start = text.peek()
        if start == "[":
            yield from _list(text, None)
        elif start == "{":
            yield from _object(text)
        else:
            raise text.wrong("empty" if not start else "neither a list nor an object")
        if text.peek():
            raise text.wrong("text after its end")


def load_json(path: Path) -> Any:
    """The whole of a small file. Raises RecordingError, with the line, for what is no JSON, or is long."""
    with path.open("rb") as file:
        text = _Text(file)
        if not text.peek():
            raise text.wrong("empty")
        value = text.value()
        if text.peek():
            raise text.wrong("text after its end")
        return value


def outline(path: Path) -> Mapping[str, str]:
    """What the beginning of a file tells of its form: for each place the first value there, as it is written, or the
    bracket that opens it. No error for any content; nothing where the file cannot be read.

    Example:
        >>> from tempfile import mkdtemp
        >>> path = Path(mkdtemp(), "walk.json")
        >>> _ = path.write_text('[{"frame": 4, "people": [{"id": "a"}, {"id": "b"}]}, {"frame": 5, "peo')
        >>> dict(outline(path))  # doctest: +NORMALIZE_WHITESPACE
        {'': '[', '[]': '{', '[].frame': '4', '[].people': '[', '[].people[]': '{', '[].people[].id': '"a"'}
    """
    try:
        state = path.stat()
        return _outline(path, state.st_mtime_ns, state.st_size)
    except OSError:
        return {}


@lru_cache(maxsize=16)
def _called(key: str | None) -> str:
    return "entry" if key is None else shown(key) or "entry"


class _Text:
    """The text of a file, a piece of it at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._json = json.JSONDecoder()
        self._text = ""
        self._at = 0
        self._line = 1
        self._ended = False

    def peek(self) -> str:
        """The next character that is no white space; none at the end."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, character: str) -> None:
        """Raises RecordingError where another one is next."""
        found = self.peek()
        if found != character:
            raise self.wrong(
                "it ends too early: cut off" if not found else f"'{shown(found)}' where '{character}' belongs"
            )
        self._at += 1

    def value(self) -> Any:
        """The next value as a whole."""
        self.peek()
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated") or error.pos > len(self._text) - _LONGEST_WORD
                ahead = min(error.pos, len(self._text)) - self._at
                if cut and self._more():
                    continue
                raise self.wrong(f"{error.msg}: cut off or damaged", ahead) from None
            except RecursionError:
                raise self.wrong("lists within lists, too deep") from None
            except ValueError as error:
                raise self.wrong(reason(error, 80)) from None
            length = end - self._at
            closed = isinstance(value, dict | list | str) or end + _LONGEST_WORD < len(self._text)
            if closed or not self._more():  # a number may go on
                self._at += length
                return value

    def wrong(self, what: str, ahead: int = 0) -> RecordingError:
        """An error about what stands so many characters further on."""
        line = self._line + self._text.count("\n", 0, self._at + ahead)
        return RecordingError(f"no JSON that can be used: {what}", line)

    def _more(self) -> bool:
        """Reads on, and lets go of what is done with; whether there was more. Pieces grow with what is waiting, so
        that a long entry is not tried more often than a few times."""
        if self._ended:
            return False
        self._line += self._text.count("\n", 0, self._at)
        self._text = self._text[self._at :]
        self._at = 0
        if len(self._text) > _LONGEST_ENTRY:
            raise self.wrong(f"an entry of more than {_LONGEST_ENTRY:,} characters")
        before = len(self._text)
        while not self._ended and len(self._text) == before:
            piece = self._file.read(max(_PIECE, before))
            self._ended = not piece
            try:
                self._text += self._decoder.decode(piece, final=self._ended)
            except UnicodeDecodeError:
                raise self.wrong("its text is not UTF-8") from None
        return len(self._text) > before


def _list(text: _Text, key: str | None) -> Iterator[Entry]:
    text.take("[")
    yield Entry(key, 0, None)
    if text.peek() == "]":
        text.take("]")
        return
    number = 1
    while True:
        yield Entry(key, number, text.value())
        if text.peek() == "]":
            text.take("]")
            return
        text.take(",")
        number += 1


def _object(text: _Text) -> Iterator[Entry]:
    text.take("{")
    if text.peek() == "}":
        text.take("}")
        return
    seen: set[str] = set()
    while True:
        if text.peek() != '"':
            text.take('"')
        key = text.value()
        if key in seen:
            raise text.wrong(f"'{shown(key)}' stands twice")
        seen.add(key)
        text.take(":")
        if text.peek() == "[":
            yield from _list(text, key)
        else:
            yield Entry(key, None, text.value())
        if text.peek() == "}":
            text.take("}")
            return
        text.take(",")


@lru_cache(maxsize=4)  # each format that has JSON files looks at the same file
def _outline(path: Path, changed: int, size: int) -> Mapping[str, str]:
    with path.open("rb") as file:
        text = file.read(_HEAD).decode("utf-8-sig", errors="replace")
    found: dict[str, str] = {}
    inside: list[tuple[str, bool]] = []  # the place of each open bracket, and whether it is that of an object
    key: str | None = None
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in ("]", "}"):
            if not inside:
                break
            inside.pop()
            key = None
        elif token == ",":
            key = None
        elif token == ":":
            continue
        elif inside and inside[-1][1] and key is None:
            key = token.strip('"')
        else:
            place = "" if not inside else f"{inside[-1][0]}.{key}" if inside[-1][1] else f"{inside[-1][0]}[]"
            if len(inside) > _DEEPEST or len(place) > _LONGEST_PLACE:
                break
            found.setdefault(place, token)
            if token in ("[", "{"):
                inside.append((place, token == "{"))
                key = None
    return found
