"""The leak guard: what an evaluation looks for before it computes anything."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from kinestream.data.check import copies
from kinestream.data.leaks import known_copies, same_by_rule, same_content, same_name
from kinestream.data.store import Store
from kinestream.evaluate.source import Source

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
    notes: tuple[str, ...]
    """What to tell the user."""


def look_for_leaks(
    store: Store, split: str, train: Indices, test: Indices, source: Source | None, *, allow: bool
) -> Verdict:
    """Looks for test clips among the training clips and, unless `source` is None, in what its encoders learnt from.

    Copies that the data set is known for are noted and marked, no more. Raises ValueError for every other leak, unless
    it is allowed.
    """
    marked = copies(store, test, train)
    known = known_copies(store.info.dataset, split)
    found: list[str] = []
    notes: list[str] = []
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
        notes.append(
            f"{int(marked.sum())} of the {len(test)} test clips of split '{split}' are copies of "
            "a training clip, to the bit: what they add to an accuracy is no generalisation. Figures without them "
            "stand beside the usual ones"
        )
    if source is not None:
        for is_leak, sentence in _learnt_from(store, test, marked, source):
            (found if is_leak else notes).append(sentence)
    leak = "; ".join(found) or None
    if leak is not None and not allow:
        raise ValueError(
            f"{leak}: figures on them would say nothing about new recordings. Take another split, store or run, or "
            "give --allow-leak to evaluate all the same; the results are marked then"
        )
    if leak is not None:
        notes.append(f"LEAK, allowed and marked in all results: {leak}")
    return Verdict(copies=marked, leak=leak, notes=tuple(notes))


def _learnt_from(store: Store, test: Indices, marked: Marks, source: Source) -> Iterator[tuple[bool, str]]:
    """What the encoders of `source` have seen of the test clips, by its list of recordings or by the rule of its split,
    and whether that is a leak or only to be noted. The content of a known copy was seen with the training clip that it
    is a copy of."""
    if source.shipped:
        return
    recordings = source.recordings()
    if recordings is not None:
        by_name = same_name(store, test, recordings)
        by_content = same_content(store, test, recordings) & ~by_name & ~marked
        for seen, how in ((by_name, "by name"), (by_content, "by content, under other names")):
            if seen.any():
                yield (
                    True,
                    (
                        f"{source.path} was pre-trained on {_share(seen)} of the test clips, {how} "
                        f"({_some(store, test[seen])})"
                    ),
                )
        return
    missing = f"{source.path} keeps no list of the recordings that it learnt from (pretrained-on.csv)"
    by_rule = same_by_rule(store, test, source.dataset, source.split)
    if by_rule is None:
        what = source.dataset or "a data set that its card does not name"
        yield False, f"not checked: {missing}, and the split of {what} does not tell whether test clips are among them"
    elif not by_rule.any():
        yield False, f"{missing}: checked by the rule of {source.dataset} {source.split} alone"
    else:
        yield (
            True,
            (
                f"{source.path} was pre-trained on {source.dataset} {source.split}, whose training part has "
                f"{_share(by_rule)} of the test clips ({_some(store, test[by_rule])})"
            ),
        )


def _share(marks: Marks) -> str:
    return f"{int(marks.sum()):,} of {len(marks):,}"


def _some(store: Store, indices: Indices) -> str:
    names = [store.table.name[index] for index in indices[:_NAMES_SHOWN].tolist()]
    return ", ".join(names) + (", ..." if len(indices) > _NAMES_SHOWN else "")
