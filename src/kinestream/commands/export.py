"""Writes a run, an encoder file or a classifier for other programs: as ONNX (.onnx) or for torch.export (.pt2). Joints
in metres with y up go in; embeddings come out, and probabilities where it is a classifier. Preparation, map of joints,
resizing, streams and readout are inside. The file gets its name when it computes what the model computes.

Examples:
  kinestream export anybody encoder.onnx
  kinestream export runs/mine encoder.onnx --layout mediapipe33
  kinestream export runs/mine/encoder-joint.safetensors encoder.pt2
  kinestream export gestures.model gestures.onnx
"""

from dataclasses import dataclass
from pathlib import Path

from kinestream.console import Screen


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream export`."""

    run: Path
    """Run, encoder file, classifier ('kinestream fit'), or anybody, which comes with the package."""
    out: Path
    """File to write: .onnx or .pt2."""
    layout: str | None = None
    """Name or .yaml file of the layout of the joints that go in, if another than that of the encoders."""
    prepared: bool = False
    """The joints that go in are prepared already: only resizing and what follows is inside."""
    people: int = 2
    """Bodies that the encoders see of each recording."""


def run(config: Config) -> None:
    from kinestream.use.classifier import Classifier
    from kinestream.use.loading import load

    screen = Screen()
    found = load(config.run)
    made = found.export(
        config.out,
        layout=config.layout,
        prepared=config.prepared,
        people=config.people,
        progress=screen.progress_callback(),
    )
    model, classes = found, ""
    if isinstance(found, Classifier):
        model, classes = found.model, f" and probabilities of {len(found.classes_)} classes"
    screen.say(
        f"joints of layout {config.layout or model.layout.name}, metres, y up; embeddings of {model.dim}{classes}"
    )
    screen.say(f"written: {made}")
