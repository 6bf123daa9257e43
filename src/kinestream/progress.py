"""How long work tells how far it is. The library prints nothing itself: whoever calls may hand in what shows it."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Progress(Protocol):
    """Told how far some work is: `progress("features", "clips", 128, 1484)`.

    It is called once with `done` 0 at the beginning, from time to time, and with `done` equal to `total` at the end;
    `note` is a short word on how it goes, such as the loss.
    """

    def __call__(self, what: str, unit: str, done: int, total: int, note: str = "", /) -> None: ...


@runtime_checkable
class Notice(Protocol):
    """Told what a user should know while work goes on, in one sentence."""

    def __call__(self, text: str, /) -> None: ...


def silent(what: str, unit: str, done: int, total: int, note: str = "", /) -> None:
    """A `Progress` that shows nothing."""


def unheard(text: str, /) -> None:
    """A `Notice` that says nothing."""
