"""Splits as a user asks for them, in one word: `subject:1,3,5`, `random:20%`, `leave-one-subject-out`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from jaxtyping import Int64

from kinestream.data.split import Part, Split, SplitField, drawn_split
from kinestream.data.store import Store, StoreWriter
from kinestream.words import file_stem, shown

FORMS = (
    "subject:1,3,5, camera:1,2, session:morning or file:a,b (those for training), random:20% (for testing), or "
    "leave-one-subject-out"
)
_FIELDS = ("subject", "camera", "session", "file")
_LEAVE = {f"leave-one-{what}-out": what for what in _FIELDS[:3]}


@dataclass(frozen=True, kw_only=True)
class AskedSplit:
    """A split that is asked for, before the recordings are known."""

    name: str
    field: SplitField
    train: tuple[str, ...] = ()
    """Names or numbers."""
    drawn: float | None = None
    """Percent for testing."""
    each: bool = False
    """One split for each value of the field, which is for testing there."""


def ask(name: str, told: str) -> AskedSplit:
    """Raises ValueError for a split of none of `FORMS`.

    Example:
        >>> ask("default", "subject:ann, ben").train
        ('ann', 'ben')
    """
    if told in _LEAVE:
        return AskedSplit(name=name, field=cast(SplitField, _LEAVE[told]), each=True)
    kind, mark, values = told.partition(":")
    if kind == "random" and mark:
        try:
            percent = float(values.strip().removesuffix("%"))
        except ValueError:
            raise ValueError(f"split '{shown(told)}': '{shown(values)}' is no number of percent") from None
        drawn_split(name, percent, seed=0)  # refuses a share that leaves nothing
        return AskedSplit(name=name, field="file", drawn=percent)
    train = tuple(value.strip() for value in values.split(",") if value.strip())
    if kind in _FIELDS and train:
        return AskedSplit(name=name, field=cast(SplitField, kind), train=train)
    raise ValueError(f"split '{shown(told)}': {FORMS}")


def make(
    asked: AskedSplit,
    files: Sequence[str],
    numbers: Mapping[str, Int64[np.ndarray, " n"]],
    names: Mapping[str, Sequence[str]],
) -> Iterator[Split]:
    """The split, or several, of recordings: `files` they were read from, `numbers` their subjects, cameras and
    sessions, `names` what those numbers stand for, where they do.

    Raises ValueError for a value that no recording has, and where one part would be empty.
    """
    if asked.drawn is not None:
        yield drawn_split(asked.name, asked.drawn, seed=0).draw(files)
        return
    if asked.field == "file":
        there = list(files)
    else:
        there = [_called(number, names[asked.field]) for number in numbers[asked.field].tolist()]
    values = sorted(set(there) - {""}, key=lambda value: (len(value), value))
    if asked.each:
        if len(values) < 2:
            raise ValueError(
                f"split leave-one-{asked.field}-out: the recordings tell {len(values)} {asked.field}s, 2 are needed"
            )
        for value in values:
            rest = [other for other in values if other != value]
            yield _split(
                file_stem(f"without-{value}"), f"{asked.field} {value} for testing", asked.field, rest, names, [value]
            )
        return
    absent = [value for value in asked.train if value not in values]
    if absent:
        raise ValueError(
            f"split '{asked.name}': no recording has {asked.field} {shown(absent[0])}; there are "
            f"{', '.join(shown(value, 20) for value in values[:12]) or 'none'}{' ...' if len(values) > 12 else ''}"
        )
    if set(asked.train) == set(values):
        raise ValueError(f"split '{asked.name}': it leaves no recording for testing: choose another")
    yield _split(asked.name, f"{asked.field} {', '.join(asked.train)} for training", asked.field, asked.train, names)


def splits_of(splits: Sequence[AskedSplit | Split], writer: StoreWriter) -> dict[str, Split]:
    """The splits of what a writer has been given. Raises ValueError as `make` does."""
    names = writer.number_names()
    files, numbers = writer.told()
    made: dict[str, Split] = {}
    for one in splits:
        if isinstance(one, Split):
            made[one.name] = one.draw(files)
        else:
            made |= {split.name: split for split in make(one, files, numbers, names)}
    return made


def check_splits(store: Store) -> None:
    """Raises ValueError for a split that leaves one part without recordings."""
    parts: tuple[Part, Part] = ("train", "test")
    for name, split in store.info.splits.items():
        for part in parts:
            if not len(store.select(name, part)):
                raise ValueError(f"split '{name}' ({split.title}) leaves no recording for {part}ing: choose another")


def _split(
    name: str,
    title: str,
    field: SplitField,
    train: Sequence[str],
    names: Mapping[str, Sequence[str]],
    test: Sequence[str] | None = None,
) -> Split:
    def known(values: Sequence[str]) -> frozenset[int | str]:
        if field == "file":
            return frozenset(values)
        return frozenset(names[field].index(value) + 1 if names[field] else int(value) for value in values)

    tested = None if test is None else known(test)
    return Split(name=name, title=title, field=field, train=known(train), test=tested, published=None)


def _called(number: int, names: Sequence[str]) -> str:
    if not number:
        return ""
    return names[number - 1] if names else str(number)
