"""The folder of a run: configuration, log, checkpoint, encoders.

config.yaml                   the recipe, resolved, and the name it was found by
environment.txt               versions of what it ran with
pretrained-on.csv             name, length and hashes of each recording that it learns from
pairs.csv                     which of them stand in for each other, where a file of pairs was given
metrics.jsonl                 a line a step, a line an epoch and a line an evaluation
last.ckpt                     everything needed to go on
.lock                         while a process trains: whose the run is
encoder-<stream>.safetensors  and .json, its card
"""

import json
import os
import platform
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from kinestream.config import parse_strictly
from kinestream.documents import dump_yaml, parse_json, read_yaml
from kinestream.files import replacing
from kinestream.lock import lock
from kinestream.progress import Notice, unheard
from kinestream.recipes import Recipe
from kinestream.words import plain_name


@dataclass(frozen=True, kw_only=True)
class Further:
    """A further store of unlabelled recordings."""

    data: str
    """Its path, as the user gave it."""
    store_fingerprint: str


@dataclass(frozen=True, kw_only=True)
class GivenPairs:
    """A file of pairs of recordings."""

    file: str
    """Its path, as the user gave it."""
    sha256: str


@dataclass(frozen=True, kw_only=True)
class StartedFrom:
    """Encoders whose weights a run begins with."""

    encoder: str
    """Their name or path, as the user gave it."""
    sha256: str
    """Of the weights of each stream."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What `config.yaml` holds."""

    recipe_name: str
    recipe: Recipe
    data: str
    """Path of the store, as the user gave it."""
    store_fingerprint: str
    also: tuple[Further, ...] = ()
    """The further stores that it learns from."""
    pairs: GivenPairs | None = None
    """Which recordings stand in for each other; None where the stores tell."""
    start: StartedFrom | None = None
    """What it goes on from; None for random weights."""
    precision: str = "32-true"
    """Number format of the computation."""


@dataclass(frozen=True, kw_only=True)
class _Written:
    """`RunConfig` as it stands in the file."""

    recipe_name: str
    recipe: dict[str, Any]
    data: str
    store_fingerprint: str
    also: tuple[Further, ...] = ()
    pairs: GivenPairs | None = None
    start: StartedFrom | None = None
    precision: str = "32-true"


class Run:
    """A run on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def checkpoint(self) -> Path:
        return self.path / "last.ckpt"

    @property
    def environment(self) -> Path:
        return self.path / "environment.txt"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def recordings(self) -> Path:
        return self.path / "pretrained-on.csv"

    @property
    def pairs(self) -> Path:
        return self.path / "pairs.csv"

    @property
    def is_begun(self) -> bool:
        return (self.path / "config.yaml").is_file()

    def __repr__(self) -> str:
        if not self.is_begun:
            return f"Run({str(self.path)!r}: not begun)"
        recipe, done = self.config().recipe, self.epochs_done
        return (
            f"Run({str(self.path)!r}: {self.config().recipe_name}, {done} of {recipe.epochs} epochs, "
            f"{' + '.join(recipe.streams)})"
        )

    @property
    def epochs_done(self) -> int:
        """Whole epochs that are trained."""
        lines = read_metrics(self.metrics) if self.metrics.is_file() else []
        return max((line["epoch"] for line in lines if line.get("kind") == "epoch"), default=0)

    def locked(self, notice: Notice = unheard) -> AbstractContextManager[None]:
        """For the time of a block no other process trains here. Raises ValueError, which names it, where one does."""
        return lock(self.path / ".lock", of=self.path, notice=notice)

    def encoder(self, stream: str) -> Path:
        return self.path / f"encoder-{stream}.safetensors"

    def check_free(self) -> None:
        """Raises ValueError when there is something in the folder."""
        if self.path.exists() and (not self.path.is_dir() or any(map(_is_content, self.path.iterdir()))):
            raise ValueError(f"{self.path} exists already: go on with --resume, or choose another --out")

    def create(self, config: RunConfig) -> None:
        """Makes the folder. Raises ValueError when there is something in it."""
        self.check_free()
        self.path.mkdir(parents=True, exist_ok=True)
        with replacing(self.environment) as part:
            part.write_text(_environment(), encoding="utf-8")
        self.write_config(config)

    def write_config(self, config: RunConfig) -> None:
        """In place of what it was, if anything."""
        plain = {
            "recipe_name": config.recipe_name,
            "data": config.data,
            "store_fingerprint": config.store_fingerprint,
            **({"also": [vars(one) for one in config.also]} if config.also else {}),
            **({"pairs": vars(config.pairs)} if config.pairs else {}),
            **({"start": vars(config.start)} if config.start else {}),
            **({"precision": config.precision} if config.precision != "32-true" else {}),
            "recipe": config.recipe.to_dict(),
        }
        with replacing(self.path / "config.yaml") as part:
            part.write_text(dump_yaml(plain), encoding="utf-8")

    def config(self) -> RunConfig:
        """Raises ValueError when the folder is no run."""
        file = self.path / "config.yaml"
        if not file.is_file():
            raise ValueError(f"{self.path} is no run folder (no config.yaml): make one with 'kinestream pretrain'")
        plain = read_yaml(file)
        told = parse_strictly(_Written, plain, f"{file} was edited or damaged")
        recipe = Recipe.from_dict(told.recipe, str(file))
        return RunConfig(**{**vars(told), "recipe_name": plain_name(told.recipe_name), "recipe": recipe})

    def streams(self) -> tuple[str, ...]:
        """The streams whose encoder has been written."""
        return tuple(stream for stream in self.config().recipe.streams if self.encoder(stream).is_file())


@runtime_checkable
class Log(Protocol):
    """Where the training loop writes its lines."""

    @property
    def size(self) -> int:
        """Bytes written."""
        ...

    def append(self, entry: Mapping[str, Any]) -> None: ...
    def close(self) -> None: ...


class SilentLog:
    """Of processes that write no log."""

    size = 0

    def append(self, entry: Mapping[str, Any]) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is open."""


class MetricsLog:
    """Appends lines to `metrics.jsonl`; each is on disk as a whole when `append` returns."""

    def __init__(self, path: Path, keep: int = 0) -> None:
        """`keep`: bytes of an earlier log that are true; what was written after them is cut off."""
        self._file = path.open("ab")
        if self._file.tell() < keep:
            self._file.close()
            raise ValueError(f"{path} is shorter than the checkpoint says: it was cut, this run cannot be resumed")
        os.truncate(path, keep)
        self._file.seek(keep)

    @property
    def size(self) -> int:
        return self._file.tell()

    def append(self, entry: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(entry).encode() + b"\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def append_line(path: Path, entry: Mapping[str, Any]) -> None:
    """Adds a line to the log of a run that is trained already, or is trained at this moment by another process: in one
    piece, so that the lines of several do not mix."""
    with path.open("a+b") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - 1))
        torn = file.read(1) not in (b"", b"\n")
        file.write((b"\n" if torn else b"") + json.dumps(entry).encode() + b"\n")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All whole lines of a log; one that was cut by a kill, or is none of a log, is passed over. Raises ValueError
    where it cannot be read."""
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror})") from None
    return [entry for line in lines if (entry := _parsed(line)) is not None]


def _parsed(line: bytes) -> dict[str, Any] | None:
    """None for what is no line of a log: of an epoch or a step, figures are numbers."""
    try:
        entry: dict[str, Any] = parse_json(line, finite=False)
    except ValueError:
        return None
    if entry.get("kind") == "evaluation":
        return entry
    epoch = entry.get("epoch", 0)
    is_whole = type(epoch) is int and epoch >= 0 and ("epoch" in entry or entry.get("kind") != "epoch")
    figures = (value for key, value in entry.items() if key != "kind")
    return entry if is_whole and all(isinstance(value, int | float) for value in figures) else None


def _is_content(path: Path) -> bool:
    """What a run killed in its first moment leaves (no config.yaml yet) is in nobody's way."""
    return path.name != "environment.txt" and not path.name.startswith(".")


def _environment() -> str:
    packages = ("kinestream", "torch", "lightning-fabric", "numpy", "einops", "safetensors")
    lines = [f"python {platform.python_version()}", f"platform {platform.platform()}", f"processors {os.cpu_count()}"]
    return "\n".join(lines + [f"{package} {version(package)}" for package in packages]) + "\n"
