"""The leak guard: what an evaluation looks for before it computes anything."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from kinestream.data.check import copies
from kinestream.data.leaks import known_copies, same_by_rule, same_content, same_name
from kinestream.data.store import Store
from kinestream.protocols.source import Source
from kinestream.screen import Screen

_NAMES_SHOWN = 3
Marks = Bool[np.ndarray, " _"]
Indices = Int64[np.ndarray, " _"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the guard found."""

    copies: Marks
    """Test clips that are, to the bit, copies of a training clip."""
    leak: str | None
    """What is shared that must not be; None when nothing is."""


def look_for_leaks(
    store: Store, split: str, train: Indices, test: Indices, source: Source | None, screen: Screen, *, allow: bool
) -> Verdict:
    """Looks for test clips among the training clips and, unless `source` is None, in what its encoders learnt from.

    Copies that the data set is known for are said and marked, no more. Raises ValueError for every other leak, unless
    it is allowed.
    """
    marked = copies(store, test, train)
    known = known_copies(store.info.dataset, split)
    found: list[str] = []
    both = np.isin(np.array([store.table.name[i] for i in test]), np.array([store.table.name[i] for i in train]))
    if both.any():
        found.append(
            f"{_share(both)} test clips of split '{split}' are training clips of it ({_some(store, test[both])})"
        )
    if marked.sum() > known:
        found.append(
            f"{_share(marked)} test clips of split '{split}' are copies of a training clip, to the bit "
            f"({_some(store, test[marked])})" + (f", where {known} are known" if known else "")
        )
    elif marked.any():
        screen.warn(
            f"{int(marked.sum())} of the {len(test)} test clips of split '{split}' are copies of "
            "a training clip, to the bit: what they add to an accuracy is no generalisation. Figures without them "
            "stand beside the usual ones"
        )
    if source is not None:
        found += _learnt_from(store, test, marked, source, screen)
    leak = "; ".join(found) or None
    if leak is not None and not allow:
        raise ValueError(
            f"{leak}: figures on them would say nothing about new recordings. Take another split, store or run, or "
            "give --allow-leak to evaluate all the same; the results are marked then"
        )
    if leak is not None:
        screen.warn(f"LEAK, allowed and marked in all results: {leak}")
    return Verdict(copies=marked, leak=leak)


def _learnt_from(store: Store, test: Indices, marked: Marks, source: Source, screen: Screen) -> list[str]:
    """What the encoders of `source` have seen of the test clips: by its list of recordings, or by the rule of its
    split. The content of a known copy was seen with the training clip that it is a copy of."""
    recordings = source.recordings()
    if recordings is not None:
        by_name = same_name(store, test, recordings)
        by_content = same_content(store, test, recordings) & ~by_name & ~marked
        ways: Sequence[tuple[Marks, str]] = ((by_name, "by name"), (by_content, "by content, under other names"))
        return [
            f"{source.path} was pre-trained on {_share(seen)} of the test clips, {how} ({_some(store, test[seen])})"
            for seen, how in ways
            if seen.any()
        ]
    missing = f"{source.path} keeps no list of the recordings that it learnt from (pretrained-on.csv)"
    by_rule = same_by_rule(store, test, source.dataset, source.split)
    if by_rule is None:
        said = source.dataset or "a data set that its card does not name"
        screen.say(f"not checked: {missing}, and the split of {said} does not tell whether test clips are among them")
        return []
    if not by_rule.any():
        screen.say(f"{missing}: checked by the rule of {source.dataset} {source.split} alone")
        return []
    return [
        f"{source.path} was pre-trained on {source.dataset} {source.split}, whose training part has {_share(by_rule)} "
        f"of the test clips ({_some(store, test[by_rule])})"
    ]


def _share(marks: Marks) -> str:
    return f"{int(marks.sum()):,} of {len(marks):,}"


def _some(store: Store, indices: Indices) -> str:
    names = [store.table.name[index] for index in indices[:_NAMES_SHOWN].tolist()]
    return ", ".join(names) + (", ..." if len(indices) > _NAMES_SHOWN else "")
