"""What an archive of embeddings keeps of how it was made."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from kinestream.use.pieces import Cutting


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the files were read; None where they told it themselves."""

    layout: str | None = None
    format: str | None = None
    fps: float | None = None
    units: str | None = None
    up: str | None = None
    columns: str = ""
    variable: str = ""
    trust: bool = False
    inferred_units: str | None = None
    """What the bodies of all files told; so is `inferred_up`."""
    inferred_up: str | None = None


@dataclass(frozen=True, kw_only=True)
class MadeBy:
    """The encoder of an archive, and how recordings were cut."""

    SCHEMA: ClassVar[int] = 1

    encoder: str
    """Hash of the weights, of how they are read and of the whitening: equal for equal embeddings."""
    encoder_name: str
    encoder_path: str
    """Where it was; empty where it was held in memory."""
    dim: int
    streams: tuple[str, ...]
    layout: str
    frames: int
    preparation: str
    readout: str
    windows: str | None
    hop: str | None
    people: str
    reading: Reading = dataclasses.field(default_factory=Reading)

    @property
    def cutting(self) -> Cutting:
        return Cutting.of(self.windows, self.hop, self.people)  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        return {"schema": self.SCHEMA, **dataclasses.asdict(self)}

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))

    def check_same(self, other: "MadeBy", where: Path | str) -> None:
        """Raises ValueError, in one line, where rows of `other` do not belong among those of `where`, made by this."""
        if self.encoder != other.encoder:
            raise ValueError(
                f"{where} was made by another encoder ({self.encoder_name}, {self.encoder[:12]}; this one is "
                f"{other.encoder_name}, {other.encoder[:12]}): vectors of two encoders cannot be compared, choose "
                "another --out"
            )
        for what in ("windows", "hop", "people"):
            mine, theirs = getattr(self, what), getattr(other, what)
            if mine != theirs:
                raise ValueError(
                    f"{where} was made with {what} {mine or 'not given'}, not {theirs or 'not given'}: give the same, "
                    "remove it, or choose another --out"
                )
