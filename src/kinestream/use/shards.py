"""The folder that an archive is written in, shard by shard: what is whole in it need not be made again.

embedding.json        what makes the rows, and whether all of the last call are there
part-ROUND-BLOCK-*    .npy the vectors, .csv the rows, .json which recordings they are of; the last one is written last
"""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinestream.documents import read_json
from kinestream.files import replacing, write_json
from kinestream.use.archive_files import Content, made_by_from, map_vectors, writing_vectors
from kinestream.use.made_by import MadeBy
from kinestream.use.pieces import Tally
from kinestream.use.rows import Rows, read_rows, write_rows
from kinestream.use.vectors import Held, Joined
from kinestream.words import reason

FILE = "embedding.json"
Key = tuple[str, str | None]
"""A recording by its file and its name; None for all recordings of the file."""


@dataclass(frozen=True, kw_only=True)
class Shard:
    """A part of the rows, whole."""

    stem: Path
    """Without suffix."""
    done: tuple[Key, ...]
    """The recordings that it has the rows of, also those of which none was left."""
    refused: tuple[tuple[str, str], ...]
    """Files that cannot be used, and why."""
    tally: Tally

    def rows(self) -> Rows:
        file = Path(f"{self.stem}.csv")
        try:
            with file.open(encoding="utf-8", newline="") as lines:
                return read_rows(lines, file)
        except OSError as error:
            raise ValueError(
                f"{file} cannot be read ({error.strerror}): remove {self.stem}.json, and embed again"
            ) from None

    def vectors(self, dim: int) -> Held:
        return map_vectors(Path(f"{self.stem}.npy"), dim)


class Shards:
    """A folder of them, for the rows that `made_by` tells of.

    Raises ValueError where it holds rows that were made otherwise.
    """

    def __init__(self, folder: Path, made_by: MadeBy) -> None:
        self.folder, self.made_by = folder, made_by
        self._round = 0

    def begin(self) -> None:
        """Makes the folder, or goes on in it. One process of several calls this, before the others `join`; nothing else
        writes there at the time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in (*self.folder.glob(".part-*"), *self.folder.glob("part-*")):
            if left.name.startswith(".") or not left.with_suffix(".json").is_file():
                left.unlink(missing_ok=True)  # of one that was killed
        if (self.folder / FILE).is_file():
            known, number, whole = _read_info(self.folder)
            if any(_found(self.folder)):  # what stopped before there was a row binds nobody
                known.check_same(self.made_by, self.folder)
                self._round = number + whole
        elif any(self.folder.iterdir()):
            raise ValueError(f"{self.folder} is a folder of other things: choose another --out")
        self._write_info(whole=False)

    def join(self) -> None:
        """Of a folder that another process has begun."""
        known, self._round, _ = _read_info(self.folder)
        known.check_same(self.made_by, self.folder)

    def end(self) -> None:
        """All of this call is there."""
        self._write_info(whole=True)

    def remove(self) -> None:
        shutil.rmtree(self.folder)

    def remove_if_empty(self) -> None:
        """Where nothing was made."""
        if self.folder.is_dir() and {path.name for path in self.folder.iterdir()} == {FILE}:
            self.remove()

    def found(self) -> list[Shard]:
        """Those that are whole, in the order of what they hold."""
        return list(_found(self.folder))

    @contextmanager
    def new(self, block: int, keys: Sequence[Key]) -> Iterator["ShardWriter"]:
        """One more, for these recordings of a block of the call; it is there when the `with` block ends well."""
        # The keys in the name: where a call goes on with other recordings, no shard takes the place of another.
        digest = hashlib.sha256(json.dumps(list(keys)).encode()).hexdigest()[:12]
        name = f"part-{self._round:04}-{block:08}-{digest}"
        hidden = self.folder / f".{name}"
        made = ShardWriter()
        try:
            with (
                writing_vectors(hidden.with_suffix(".npy"), self.made_by.dim) as made.vectors,
                hidden.with_suffix(".csv").open("w", encoding="utf-8", newline="") as made.table,
            ):
                write_rows(made.table, Rows.joined([]))
                yield made
            for suffix in (".npy", ".csv"):
                hidden.with_suffix(suffix).replace(self.folder / f"{name}{suffix}")
            stem = self.folder / name
            # Not `asdict`: before Python 3.12 it makes a counter of pairs out of a Counter.
            tally = {**vars(made.tally), "mapped": dict(made.tally.mapped)}
            told = {"done": made.done, "refused": made.refused, "tally": tally, "bytes": _sizes(stem)}
            # Not waited for until it is on the disk, which takes long: what a loss of power cut off is made again.
            with replacing(stem.with_suffix(".json"), durable=False) as part:
                part.write_text(json.dumps(told), "utf-8")
        finally:
            for suffix in (".npy", ".csv"):
                hidden.with_suffix(suffix).unlink(missing_ok=True)

    def _write_info(self, *, whole: bool) -> None:
        write_json(self.folder / FILE, {**self.made_by.to_dict(), "round": self._round, "whole": whole})


class ShardWriter:
    """What `Shards.new` gives."""

    def __init__(self) -> None:
        self.done: list[Key] = []
        self.refused: list[tuple[str, str]] = []
        self.tally = Tally()
        self.vectors: Any = None
        self.table: Any = None

    def add(self, rows: Rows, vectors: Any) -> None:
        self.vectors.add(vectors)
        write_rows(self.table, rows, heading=False)


def read_folder(folder: Path) -> Content:
    """All that is whole in a folder of shards, also while more is written. Raises ValueError for any other folder."""
    made_by, _, whole = _read_info(folder)
    shards = list(_found(folder, every=whole))
    rows = [shard.rows() for shard in shards]
    vectors = [shard.vectors(made_by.dim) for shard in shards]
    for shard, table, values in zip(shards, rows, vectors, strict=True):
        if len(table) != values.shape[0]:
            raise ValueError(f"{shard.stem}.csv has {len(table)} rows for {values.shape[0]} vectors: remove it")
    return made_by, Rows.joined(rows), Joined(vectors, made_by.dim)


def _found(folder: Path, *, every: bool = False) -> Iterator[Shard]:
    """Those that are whole; with `every` it is an error that some are not."""
    for file in sorted(folder.glob("part-*.json")):
        try:
            plain = read_json(file, remedy="remove it, and embed again")
            if plain["bytes"] != _sizes(file.with_suffix("")):
                if every:
                    raise ValueError("what lies beside it has another size")
                continue
            yield Shard(
                stem=file.with_suffix(""),
                done=tuple((str(place), None if name is None else str(name)) for place, name in plain["done"]),
                refused=tuple((str(place), str(why)) for place, why in plain["refused"]),
                tally=_tally(plain["tally"]),
            )
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"{file} is damaged ({reason(error)}): remove it, and embed again") from None


def _sizes(stem: Path) -> list[int]:
    """Bytes of the vectors and of the table."""
    files = [stem.with_suffix(suffix) for suffix in (".npy", ".csv")]
    return [file.stat().st_size if file.is_file() else -1 for file in files]


def _tally(plain: dict[str, Any]) -> Tally:
    mapped = Counter({str(how): int(count) for how, count in plain["mapped"].items()})
    return Tally(short=int(plain["short"]), empty=int(plain["empty"]), passing=int(plain["passing"]), mapped=mapped)


def _read_info(folder: Path) -> tuple[MadeBy, int, bool]:
    file = folder / FILE
    try:
        plain = read_json(file, remedy="remove its folder, and embed again")
        number, whole = int(plain.pop("round")), bool(plain.pop("whole"))
    except FileNotFoundError:
        raise ValueError(f"{folder} is no archive of embeddings: it has no {FILE}") from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError):
        raise ValueError(f"{file} is damaged: remove {folder}, and embed again") from None
    return made_by_from(plain, file), number, whole
