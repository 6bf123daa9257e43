"""Checks a store: clips per split and class beside the published counts, every checksum, odd recordings. Ends with
status 1 when the store is damaged.

Examples:
  kinestream check ntu60/
  kinestream check nw-ucla/ --brief
"""

from dataclasses import dataclass
from pathlib import Path

from kinestream.console import Screen
from kinestream.data.check import StoreReport, check_store
from kinestream.data.store import Store, StoreError

_NAMES_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream check`."""

    store: Path
    """The store."""
    brief: bool = False
    """Leave out the table of classes."""


def run(config: Config) -> None:
    screen = Screen()
    store = Store(config.store)
    with screen.progress("check", "recordings") as advance:
        report = check_store(store, advance)
    _show_counts(screen, store, report)
    if store.info.classes and not config.brief:
        _show_classes(screen, store, report)
    _show_oddities(screen, report)
    for note in store.info.notes:
        screen.notice(note)
    if report.damaged:
        more = f" (and {len(report.damaged) - 1} more)" if len(report.damaged) > 1 else ""
        raise StoreError(f"{report.damaged[0]}{more}")
    screen.say(f"{config.store} is whole: {len(store):,} recordings, every checksum as written")


def _show_counts(screen: Screen, store: Store, report: StoreReport) -> None:
    shortest, median, longest = report.lengths
    bodies = ", ".join(f"{count:,} with {number}" for number, count in report.bodies.items())
    screen.table(
        store.info.title + (f" ({store.info.dataset})" if store.info.dataset else ""),
        ("what", "value"),
        [
            ("preparation", f"{store.info.preparation}: {store.preparation.summary}"),
            ("layout", f"{store.layout.name}, {len(store.layout.joints)} joints"),
            ("recordings", f"{len(store):,}"),
            ("bodies", bodies),
            ("length in frames", f"{shortest} to {longest}, median {median}"),
            *_segment_rows(store),
            *([("labels", "none")] if not store.info.classes else []),
            *([("splits", "none: all are for training")] if not store.info.splits else []),
            ("left out: listed as missing / rejected", f"{store.info.excluded} / {store.info.rejected}"),
        ],
    )
    if not store.info.splits:
        return
    screen.table(
        "splits",
        ("split", "train", "test", "published train", "published test", "as published"),
        [
            (
                f"{count.split.name} ({count.split.title})",
                f"{count.train:,}",
                f"{count.test:,}",
                *(f"{count.split.published[part]:,}" if count.split.published else "-" for part in ("train", "test")),
                {True: "yes", False: "no", None: "-"}[count.as_published],
            )
            for count in report.splits
        ],
    )


def _segment_rows(store: Store) -> list[tuple[str, str]]:
    if not store.continuous:
        return []
    tracks = [store.segments(index) for index in range(len(store))]
    labelled = sum(segment.end - segment.start for track in tracks for segment in track)
    share = 100 * labelled / store.info.frames
    return [
        ("whole videos: labelled parts", f"{sum(map(len, tracks)):,}, {share:.0f} % of the frames"),
        ("whole videos without a labelled part", f"{sum(not track for track in tracks):,}"),
    ]


def _show_classes(screen: Screen, store: Store, report: StoreReport) -> None:
    columns = [f"{split} {part}" for split in store.info.splits for part in ("train", "test")]
    rows = [
        (f"{number:>3} {name}", *report.class_counts[number - 1].ravel().tolist())
        for number, name in enumerate(store.info.classes, start=1)
        if report.class_counts[number - 1].any()
    ]
    what = "labelled parts" if store.continuous else "clips"
    screen.table(f"{what} of each class", ("class", *columns), rows)
    empty = int((~report.class_counts.any(axis=(1, 2))).sum())
    if empty:
        screen.say(f"{empty} of {len(store.info.classes)} classes have no {what.rstrip('s')}")


def _show_oddities(screen: Screen, report: StoreReport) -> None:
    if report.odd:
        rows = [
            (oddity, len(names), ", ".join(names[:_NAMES_SHOWN]) + (", ..." if len(names) > _NAMES_SHOWN else ""))
            for oddity, names in report.odd.items()
        ]
        screen.table("odd recordings (kept; worth a look with 'kinestream show')", ("what", "count", "which"), rows)
