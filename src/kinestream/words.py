"""Names and values of others in messages: printable, in one line, with what was probably meant."""

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any


def shown(value: Any, most: int = 60) -> str:
    """A foreign value as it may stand in a message: printable, in one line, cut."""
    text = value if isinstance(value, str) else json.dumps(value, default=repr)
    text = "".join(character if character.isprintable() else "?" for character in text[: most + 1])
    return text if len(text) <= most else f"{text[:most]}..."


def unknown(kind: str, name: object, known: tuple[str, ...], most: int = 12) -> str:
    """What to say of a name that nobody knows: the nearest ones, and all names where they are no more than
    `most`; where none is near, so many of them.

    Example:
        >>> unknown("stream", "bones", ("joint", "bone"))
        "unknown stream 'bones': did you mean bone? There are: joint, bone"
    """
    name = shown(str(name), 80)  # it may come from a damaged file
    near = nearest(name, known)
    hint = f": did you mean {either(near)}?" if near else ""
    if not most or (near and len(known) > most):
        return f"unknown {kind} '{name}'{hint}"
    there = ", ".join(known[:most]) + (f" and {len(known) - most} more" if len(known) > most else "")
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
    """The known names that are most like one: first those that have all its words, then those spelt nearly so.

    Example:
        >>> nearest("caca-ntu60", ("caca-joint-ntu60", "caca-joint-nw-ucla", "laptop"))
        ['caca-joint-ntu60', 'caca-joint-nw-ucla']
    """
    plain = {one.lower(): one for one in known}
    words = set(re.findall(r"[a-z0-9]+", name.lower()))
    whole = [one for one in plain if words and words <= set(re.findall(r"[a-z0-9]+", one))]
    spelt = difflib.get_close_matches(name.lower(), plain, n=most, cutoff=0.6)
    return [plain[one] for one in dict.fromkeys([*sorted(whole, key=len), *spelt])][:most]
