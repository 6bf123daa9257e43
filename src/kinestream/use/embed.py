"""Embeds any number of recordings into an archive on disk: memory stays bounded, what is whole is not made again, and
several processes share the work."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from kinestream.data.recording import Recording, Up
from kinestream.data.rejected import Rejected, write_rejected
from kinestream.data.understanding import ToldUnits
from kinestream.distributed.collectives import by_themselves
from kinestream.distributed.devices import contact, in_turn, make_fabric
from kinestream.distributed.launch import Device
from kinestream.evaluate.source import AnyRun
from kinestream.files import check_writable
from kinestream.lock import lock
from kinestream.progress import Notice, Progress, silent, unheard
from kinestream.shipped import DEFAULT
from kinestream.skeleton.layout import SkeletonLayout, load_layout
from kinestream.use.archive import Embeddings, open_embeddings
from kinestream.use.archive_files import check_out, write_archive
from kinestream.use.encode import Given, Unusable, encode
from kinestream.use.made_by import Reading
from kinestream.use.model import Model, load
from kinestream.use.pieces import Cutting, Length, People, Tally
from kinestream.use.rows import Rows
from kinestream.use.shards import Key, Shard, Shards
from kinestream.use.sources import Listed, Sources, open_sources, settled
from kinestream.use.vectors import Picked, Vectors

_BLOCK, _BLOCK_OF_WINDOWS = 128, 8
"""Recordings that are made or made again together: whole ones are quick, those cut into windows may be long."""
_REASONS_SHOWN = 3


def embed(
    sources: Sources,
    encoder: AnyRun | Model = DEFAULT,
    out: str | Path | None = None,
    *,
    windows: Length | None = None,
    hop: Length | None = None,
    people: People | None = None,
    layout: str | Path | SkeletonLayout | None = None,
    format: str | None = None,  # noqa: A002  the word of the command line
    fps: int | float | None = None,
    units: ToldUnits | None = None,
    up: Up | None = None,
    columns: str = "",
    variable: str = "",
    trust: bool = False,
    device: Device = "auto",
    progress: Progress = silent,
    notice: Notice = unheard,
) -> Embeddings:
    """Embeds recordings into the archive `out` and opens it: `.parquet` (extra `formats`), `.npz`, `.csv` or a folder.

    Stopped, the same call goes on; recordings that the archive has already are left alone, so that new ones are
    appended. Under torchrun the processes share the recordings, and the rows are those of one. What cannot be read is
    left out and listed in `OUT.rejected.csv`.

    Args:
        sources: a store, or its path; a file or folder, or several; recordings or arrays.
        encoder: a run, its folder, an encoder file, a model, or the name of an encoder that comes with the package.
        out: where the archive goes; it must be given (`ks.load().embedded` keeps one in memory).
        windows: a row for each stretch of so many seconds (2, "2s") or frames ("60f"), instead of the whole.
        hop: from the start of a window to that of the next; half a window if None.
        people: "together" for all in one row, as in whole recordings; "each" for a row of each, as in windows.
        layout: of files that do not say their joints; so for `format`, `fps`, `units`, `up`,
            `columns`, `variable` and `trust`, see `kinestream.read`.

    Raises:
        ValueError: there is nothing to embed, another process writes `out`, `out` was made by another encoder or with
            other windows, joints cannot be mapped, or windows are given in seconds and no frame rate is known.

    Example:
        >>> archive = embed("recordings/", out="movements.parquet", windows="2s")  # doctest: +SKIP
        >>> archive.search("walk@3.2-5.1", k=3)  # doctest: +SKIP
    """
    if out is None:
        raise ValueError("say where the archive goes, out=; load().embedded(recordings) keeps one in memory")
    place = Path(out)
    check_out(place)
    check_writable(place, is_folder=not place.suffix)
    cutting = Cutting.of(windows, hop, people)
    known = load_layout(layout) if isinstance(layout, str | Path) else layout
    reading = Reading(
        layout=None if known is None else str(layout) if isinstance(layout, str | Path) else known.name,
        format=format,
        fps=None if fps is None else float(fps),
        units=units,
        up=up,
        columns=columns,
        variable=variable,
        trust=trust,
    )
    listed = Listed(tuple(open_sources(sources, reading, known)))
    reading = settled(reading, listed.sources)
    model = encoder if isinstance(encoder, Model) else load(encoder, device=device)
    fabric = make_fabric(device)
    with contact(), by_themselves():
        in_turn(fabric, lambda: model.fingerprint)  # whitening is made by one process, and found by the others
        made_by = model.made_by(cutting, reading)
        work = _Work(
            model=model,
            listed=listed,
            out=place,
            cutting=cutting,
            shards=Shards(place if not place.suffix else place.with_name(f"{place.name}.parts"), made_by),
            device=fabric.device,
            rank=fabric.global_rank,
            processes=fabric.world_size,
            progress=progress,
        )
        target = place.resolve()
        own = lock(target.with_name(f".{target.name}.lock"), of=place, notice=notice)
        with own if fabric.is_global_zero else nullcontext():
            if fabric.is_global_zero:
                work.begin()
            fabric.barrier()
            try:
                work.run()
            except ValueError:
                work.shards.remove_if_empty()
                raise
            fabric.barrier()
            if fabric.is_global_zero:
                work.finish(notice)
        fabric.barrier()
    return open_embeddings(place)


@dataclass(kw_only=True)
class _Work:
    """One call of `embed`, as one of its processes sees it."""

    model: Model
    listed: Listed
    out: Path
    cutting: Cutting
    shards: Shards
    device: torch.device
    rank: int
    processes: int
    progress: Progress
    before: Embeddings | None = None
    """What is appended to."""

    def begin(self) -> None:
        self._open_before()
        self.shards.begin()

    def run(self) -> None:
        """This process's blocks, each as a shard. What a block is depends on the recordings alone: whoever makes it,
        and in however many calls, its rows are the same."""
        self._open_before()
        self.shards.join()
        known = _Known(self.before, self.shards.found())
        size = _BLOCK if self.cutting.windows is None else _BLOCK_OF_WINDOWS
        total = len(self.listed)
        self.progress("embed", "recordings", 0, total)
        keys = enumerate(self.listed.all_keys())
        for block in range(-(-total // size)):
            some = [(number, key) for number, key in _first(keys, size) if not known.has(key)]
            if block % self.processes == self.rank and some:
                self._make(block, some)
            self.progress("embed", "recordings", min((block + 1) * size, total), total)

    def finish(self, notice: Notice) -> None:
        """Puts all shards together."""
        found = self.shards.found()
        known = _Known(self.before, found)
        refused = {place: why for shard in found for place, why in shard.refused}
        lacking = [key for key in self.listed.all_keys() if not known.has(key) and _called(key) not in refused]
        if lacking:
            raise ValueError(
                f"{len(lacking):,} recordings are lacking in {self.shards.folder}, {_called(lacking[0])} first: "
                "machines that embed together must see one folder"
            )
        self._tell(found, refused, notice)
        if not self.out.suffix:
            self.shards.end()
            return
        old = set() if self.before is None else set(self.before.rows.recordings())
        parts: list[tuple[Rows, Vectors]] = []
        if self.before is not None:
            parts.append((self.before.rows, self.before.source))
        for shard in found:
            rows, vectors = shard.rows(), shard.vectors(self.model.dim)
            # A call that was killed when the file was written already has left shards of rows that are in it.
            new = np.array([key not in old for key in rows.recordings()], dtype=np.bool_)
            if new.all():
                parts.append((rows, vectors))
            else:
                parts.append((rows.take(new), Picked(vectors, new.nonzero()[0])))
        if not any(len(rows) for rows, _ in parts):
            self.shards.remove()
            why = next((f"{place}: {reason}" for place, reason in refused.items()), "nobody is seen in any window")
            raise ValueError(f"nothing can be embedded, {why}")
        write_archive(self.out, self.shards.made_by, parts)
        self.shards.remove()

    def _open_before(self) -> None:
        if self.out.suffix and self.out.exists() and self.before is None:
            self.before = open_embeddings(self.out)
            self.before.made_by.check_same(self.shards.made_by, self.out)

    def _make(self, block: int, some: Sequence[tuple[int, Key]]) -> None:
        with self.shards.new(block, [key for _, key in some]) as shard:
            refused: list[Unusable] = []
            for one in encode(self.model, self._read(some, refused), self.cutting, shard.tally, device=self.device):
                if isinstance(one, Unusable):
                    refused.append(one)
                else:
                    shard.add(*one)
            failed = {one.file or one.name: one.reason for one in refused}
            shard.refused += failed.items()
            shard.done += [key for _, key in some if _called(key) not in failed]

    def _read(self, some: Sequence[tuple[int, Key]], refused: list[Unusable]) -> Iterator[Given]:
        for number, (file, name) in some:
            source, place = self.listed.at(number)
            for one in source.read(place):
                if isinstance(one, Recording):
                    called = one.name or name or Path(file).stem
                    yield Given(recording=one, file=file, name=called, cleaned=source.cleaned)
                else:
                    refused.append(Unusable(file=file, name=name or "", reason=_reason(one)))

    def _tell(self, found: Sequence[Shard], refused: dict[str, str], notice: Notice) -> None:
        tally = Tally()
        for shard in found:
            tally.add(shard.tally)
        for text in tally.notes(self.cutting):
            notice(text)
        if refused:
            entries = [Rejected(path=Path(place), reason=why) for place, why in refused.items()]
            folder, name = (
                (self.out, "rejected.csv")
                if not self.out.suffix
                else (
                    self.out.parent,
                    f"{self.out.stem}.rejected.csv",
                )
            )
            write_rejected(folder, entries, name=name)
            some = "; ".join(map(str, entries[:_REASONS_SHOWN]))
            notice(f"{len(entries):,} files cannot be embedded, all listed in {folder / name}: {some}")


@dataclass
class _Known:
    """The recordings that have their rows already."""

    before: Embeddings | None
    shards: Sequence[Shard]
    keys: set[Key] = field(init=False)

    def __post_init__(self) -> None:
        self.keys = {key for shard in self.shards for key in shard.done}
        if self.before is not None:
            pairs = set(self.before.rows.recordings())
            self.keys |= pairs | {(file, None) for file, _ in pairs if file}

    def has(self, key: Key) -> bool:
        return key in self.keys


def _first(keys: "enumerate[Key]", count: int) -> Iterator[tuple[int, Key]]:
    return itertools.islice(keys, count)


def _called(key: Key) -> str:
    """What a recording is called among those that cannot be used."""
    return key[0] or key[1] or ""


def _reason(rejected: Rejected) -> str:
    return rejected.reason if rejected.line is None else f"line {rejected.line}: {rejected.reason}"
