"""Names and values of others in messages: printable, in one line, with what was probably meant."""

import difflib
import json
from typing import Any


def shown(value: Any, most: int = 60) -> str:
    """A foreign value as it may stand in a message: printable, in one line, cut."""
    text = value if isinstance(value, str) else json.dumps(value, default=repr)
    text = "".join(character if character.isprintable() else "?" for character in text[: most + 1])
    return text if len(text) <= most else f"{text[:most]}..."


def unknown(kind: str, name: object, known: tuple[str, ...], most: int = 12) -> str:
    """What to say of a name that nobody knows: the nearest ones, and all if they are few.

    Example:
        >>> unknown("stream", "bones", ("joint", "bone"))
        "unknown stream 'bones': did you mean bone? There are: joint, bone"
    """
    name = shown(str(name), 80)  # it may come from a damaged file
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    hint = f": did you mean {' or '.join(near)}?" if near else ":"
    there = ", ".join(known[:most]) + (f" and {len(known) - most} more" if len(known) > most else "")
    return (
        f"unknown {kind} '{name}'{hint} There are: {there}" if near else f"unknown {kind} '{name}': there are {there}"
    )
