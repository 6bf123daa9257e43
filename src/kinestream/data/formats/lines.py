"""Large text files, line by line where they are a header and in blocks of lines where they are numbers."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
from jaxtyping import Float64, Int64

from kinestream.data.formats.decimals import Tokens, parse_decimals
from kinestream.data.recording import RecordingError
from kinestream.words import shown

LONGEST_LINE = 16_000_000
"""Bytes."""
_BLOCK = 1 << 20
_MARK = b"\xef\xbb\xbf"


class TextFile:
    """A text file that is read once, from front to back; a context manager.

    A byte order mark at its beginning is passed over; lines end with LF or CRLF.
    """

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("rb")
        self.size = path.stat().st_size
        self._before = 0
        self.number = 0
        """Of the line that was read last, counted from 1."""

    def __enter__(self) -> "TextFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def line(self, *, comment: bytes | None = None) -> str | None:
        """The next line without its end, None after the last; one that begins with `comment` may be in any encoding.
        Raises RecordingError for one that is no text."""
        self._before = self._file.tell()
        raw = self._file.readline(LONGEST_LINE)
        if not raw:
            return None
        self.number += 1
        _check_length(raw, self.number)
        if self.number == 1:
            raw = raw.removeprefix(_MARK)
        anyhow = comment is not None and raw.startswith(comment)
        try:
            return raw.decode("utf-8", "replace" if anyhow else "strict").rstrip("\r\n")
        except UnicodeDecodeError:
            raise RecordingError("not UTF-8 text: save it as UTF-8", self.number) from None

    def unread(self) -> None:
        """Goes back to before the line that was read last."""
        self._file.seek(self._before)
        self.number -= 1

    def tell(self) -> int:
        """How many bytes were read."""
        return self._file.tell()

    def count_rest(self) -> int:
        """How many lines follow at most; reads ahead and comes back."""
        here = self._file.tell()
        lines = 1
        while block := self._file.read(_BLOCK):
            lines += block.count(b"\n")
        self._file.seek(here)
        return lines

    def blocks(self) -> Iterator[tuple[bytes, int]]:
        """The lines that follow, some at a time, with the number of the first of them. Raises RecordingError."""
        rest = b""
        while block := self._file.read(_BLOCK):
            whole, end, part = (rest + block).rpartition(b"\n")
            rest = part
            _check_length(rest, self.number + 1)
            if end:
                first, self.number = self.number + 1, self.number + 1 + whole.count(b"\n")
                yield whole + end, first
        if rest:
            self.number += 1
            yield rest, self.number


def parse_numbers(tokens: Tokens, words: Int64[np.ndarray, " n"], first: int) -> Float64[np.ndarray, " n"]:
    """The numbers that the given words of a block spell, whose first line has the number `first`. Raises RecordingError
    with the line."""
    try:
        return parse_decimals(tokens, words)
    except ValueError as error:
        word = int(error.args[0])
        line = first - 1 + tokens.line_of(word)
        raise RecordingError(f"'{spelled(tokens.word(word))}' where a number belongs", line) from None


def spelled(word: bytes) -> str:
    """A word of a file as it may stand in a message."""
    return shown(word.decode("ascii", "backslashreplace"), 24)


def _check_length(line: bytes, number: int) -> None:
    if len(line) >= LONGEST_LINE:
        raise RecordingError(f"a line of over {LONGEST_LINE // 1_000_000} MB: no such file has one", number)
