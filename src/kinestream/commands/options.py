"""Options that commands on a run and a store share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinestream.distributed.launch import Device
from kinestream.models.readout import WhitenedBy


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What is evaluated on what."""

    run: Path
    """Folder of a pre-training run, or an encoder file (.safetensors)."""
    data: Path | None = None
    """The store; the one that the run learnt from if not given."""
    split: str | None = None
    """Split to evaluate on; that of the run if not given."""
    allow_leak: bool = False
    """Go on where test clips were learnt from; the results are marked."""
    device: Device = "auto"
    """Where to compute."""

    @property
    def shared(self) -> dict[str, Any]:
        """As functions of Python take them."""
        return {"split": self.split, "device": self.device, "allow_leak": self.allow_leak}


@dataclass(frozen=True, kw_only=True)
class FrozenOptions(RunOptions):
    """How frozen encoders are read."""

    bare: bool = False
    """Only the run: leave out the untrained encoder and the raw coordinates, which take long on much data."""
    turns: int | None = None
    """Directions about the vertical to read each clip from, averaged; as the run's recipe says if not given. One is
    taken for streams that are the same from all sides."""
    whitening: float | None = None
    """How far features are whitened, 0 (not at all) to 1; as the recipe says if not given."""
    whitened_by: WhitenedBy | None = None
    """By which training clips features are whitened: all of them, or pairs of nearest neighbours; as the recipe says if
    not given."""

    @property
    def shared(self) -> dict[str, Any]:
        readout = {"turns": self.turns, "whitening": self.whitening, "whitened_by": self.whitened_by}
        return {**super().shared, "baselines": not self.bare, "readout": readout}
