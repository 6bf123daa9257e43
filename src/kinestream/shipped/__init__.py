"""Encoders that come with the package, each a folder like that of a run: `anybody` takes any full-body layout."""

from importlib import resources
from pathlib import Path

DEFAULT = "anybody"
"""What is taken where nobody names an encoder."""


def shipped_names() -> tuple[str, ...]:
    """In alphabetical order.

    Example:
        >>> shipped_names()
        ('anybody',)
    """
    here = resources.files(__name__)
    return tuple(sorted(entry.name for entry in here.iterdir() if (entry / "config.yaml").is_file()))


def shipped_folder(name: str | Path) -> Path | None:
    """The folder of an encoder of the package; None for any other name, and where a run of that name lies in the folder
    that one works in."""
    word = str(name)
    if word not in shipped_names() or (Path(word) / "config.yaml").is_file():
        return None
    return Path(str(resources.files(__name__) / word))
