"""Draws what the classes of the test clips are taken for, with the worst pairs by name: by the predictions that an
evaluation left in the run, else by the nearest training clips.

Examples:
  kinestream plot confusion runs/caca-joint --data ntu60/
  kinestream plot confusion runs/caca-joint --data ntu60/ --out confusion.svg
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kinestream.arguments import required_option


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream plot confusion`."""

    run: Path
    """Folder of a pre-training run."""
    data: Path = required_option()
    """The store with the clips."""
    out: Path | None = None
    """Picture to write, .png or .svg; RUN/figures/confusion.png if not given."""
    split: str | None = None
    """Split whose test clips are counted; that of the run if not given."""
    dark: bool = False
    """Light on dark."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute features."""


def run(config: Config) -> None:
    from kinestream.viz.plotting import finish, need_drawing, target

    need_drawing()
    out = target(config.run, config.out, "confusion")
    from kinestream.evaluate.protocols.subject import Subject
    from kinestream.viz.run_figures import confusion_figure
    from kinestream.viz.test_clips import encode_test_clips, guesses

    subject = Subject(config.run, config.data, config.split, config.device, references=False)
    clips = encode_test_clips(subject)
    guessed = guesses(config.run, subject.store, subject.split, clips)
    finish(confusion_figure(subject.store, subject.split, clips.labels, guessed), out, dark=config.dark)
