"""Text of others: as it may stand in messages, in terminals, in tables and in the names of files."""

import contextlib
import difflib
import json
import re
import reprlib
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

_ENDLESS = 10_000
"""Characters of a value that are written out before it is cut, however much there is of it."""
_UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")
_TURNS_TEXT = re.compile("[\u202a-\u202e\u2066-\u2069]")
_FORMULA = re.compile(r"[=@]|[+-](?=.*[(|!=])", re.DOTALL)
_SEPARATORS = re.compile(r"[/\\]+")


def shown(value: Any, most: int = 60) -> str:
    """A foreign value as it may stand in a message: printable, in one line, cut. No more of it is written out than
    that takes, so that it costs nothing to show what would be gigabytes.

    Example:
        >>> shown("a\\nb"), shown([1, "x", None]), shown("x" * 9, 4)
        ('a?b', '[1, "x", null]', 'xxxx...')
    """
    text = value if isinstance(value, str) else _written(value, most)
    text = "".join(character if character.isprintable() else "?" for character in text[: most + 1])
    return text if len(text) <= most else f"{text[:most]}..."


def reason(error: BaseException, most: int = 200) -> str:
    """What an error of another library says, as it may stand in a message; its kind where it says nothing."""
    try:
        said = str(error)[:_ENDLESS]
    except Exception:  # noqa: BLE001  an error that cannot even be told
        said = ""
    return shown(" ".join(said.split()), most) or type(error).__name__


def printable(text: str) -> str:
    """Lines as a terminal may get them: nothing in them moves its cursor, changes its colours or turns its writing."""
    if text.isprintable():
        return text
    return "".join("?" if _is_control(character) else character for character in text)


def plain_text(text: str) -> str:
    """A label, or what else is kept of a foreign file, as every later use can take it: no control characters, and no
    formula for the spreadsheet that it may end in.

    Example:
        >>> plain_text("wave\\x1b[31m"), plain_text("=HYPERLINK(1)"), plain_text("-1")
        ('wave_[31m', '_HYPERLINK(1)', '-1')
    """
    made = text
    if not text.isprintable():
        made = "".join("_" if _is_control(character, "") else character for character in text)
    return f"_{made[1:]}" if _FORMULA.match(made) else made


def plain_name(name: str) -> str:
    """A name from a foreign file as a recording may be called: as `plain_text`, and no path that leads out of a folder.

    Example:
        >>> plain_name("../../escaped"), plain_name("/tmp/walk"), plain_name("monday/walk")
        ('escaped', 'tmp/walk', 'monday/walk')
    """
    parts = [part for part in _SEPARATORS.split(name) if part not in ("", ".", "..")]
    return plain_text("/".join(parts))


def flat_name(name: str) -> str:
    """The same, for a name that is no path.

    Example:
        >>> flat_name("../monday/walk")
        'monday_walk'
    """
    return plain_name(name).replace("/", "_")


def file_stem(name: str) -> str:
    """The name of a recording as a file in a folder may be called, without a suffix."""
    return flat_name(name).lstrip(".")[:150] or "_"


def unknown(kind: str, name: object, known: tuple[str, ...], most: int = 12) -> str:
    """What to say of a name that nobody knows: the nearest ones, and all names where they are no more than
    `most`; where none is near, so many of them.

    Example:
        >>> unknown("stream", "bones", ("joint", "bone"))
        "unknown stream 'bones': did you mean bone? There are: joint, bone"
    """
    name = shown(name, 80)  # it may come from a damaged file
    near = nearest(name, known)
    hint = f": did you mean {shown(either(near), 300)}?" if near else ""
    if not most or (near and len(known) > most):
        return f"unknown {kind} '{name}'{hint}"
    there = ", ".join(shown(one, 80) for one in known[:most]) + (
        f" and {len(known) - most} more" if len(known) > most else ""
    )
    return (
        f"unknown {kind} '{name}'{hint} There are: {there}" if near else f"unknown {kind} '{name}': there are {there}"
    )


def either(names: Sequence[str]) -> str:
    """
    Example:
        >>> either(["a", "b", "c"])
        'a, b or c'
    """
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def nearest(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The known names that are most like one: first those that differ in a letter or so, then those that have all its
    words, then those spelt nearly so.

    Example:
        >>> nearest("caca-ntu60", ("caca-joint-ntu60", "caca-joint-nw-ucla", "laptop"))
        ['caca-joint-ntu60']
    """
    plain = {one.lower(): one for one in known}
    words = set(re.findall(r"[a-z0-9]+", name.lower()))
    whole = [one for one in plain if words and words <= set(re.findall(r"[a-z0-9]+", one))]
    slip, spelt = (difflib.get_close_matches(name.lower(), plain, n=most, cutoff=cutoff) for cutoff in (0.88, 0.6))
    return [plain[one] for one in dict.fromkeys([*slip, *sorted(whole, key=len), *spelt])][:most]


def _written(value: Any, most: int) -> str:
    """As JSON, as far as it is needed."""
    made = ""
    with contextlib.suppress(TypeError, ValueError, RecursionError, OverflowError):
        for piece in islice(json.JSONEncoder(ensure_ascii=False, default=_briefly).iterencode(value), _ENDLESS):
            made += piece[:_ENDLESS]
            if len(made) > most:
                break
        return made
    return _briefly(value)


def _briefly(value: Any) -> str:
    with contextlib.suppress(Exception):
        return reprlib.repr(value)
    return type(value).__name__


def _is_control(character: str, but: str = "\n\t") -> bool:
    if character.isprintable() or character in but:
        return False
    return unicodedata.category(character) in _UNPRINTABLE or bool(_TURNS_TEXT.match(character))
