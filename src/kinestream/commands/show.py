"""Draws a recording of a store: a strip of frames (.png or .svg) or an animation (.gif). Needs the extra
kinestream[viz].

Examples:
  kinestream show ntu60/ S001C001P001R001A023
  kinestream show nw-ucla/ a01_s01_e00_v01 --out pick-up.gif
"""

from dataclasses import dataclass
from pathlib import Path

from kinestream.console import Screen
from kinestream.data.store import Store
from kinestream.words import file_stem


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream show`."""

    store: Path
    """The store."""
    clip: str
    """Name of a recording, as in recordings.csv."""
    out: Path | None = None
    """Picture to write; CLIP.png here if not given."""
    frames: int = 8
    """Number of frames in a strip."""


def run(config: Config) -> None:
    store = Store(config.store)
    index = store.index_of(config.clip)
    out = config.out or Path(f"{file_stem(config.clip)}.png")
    try:
        from kinestream.viz import skeleton
    except ModuleNotFoundError as error:
        raise ValueError(f'drawing needs {error.name}: pip install "kinestream[viz]"') from None
    number = int(store.table.label[index])
    label = "a whole video" if store.continuous else "no label" if number < 0 else store.info.classes[number]
    title = f"{config.clip}: {label} ({store.table.length[index]} frames)"
    joints = store.joints(index)
    if out.suffix == ".gif":
        skeleton.skeleton_animation(joints, store.layout, out, title=title)
    else:
        skeleton.skeleton_strip(joints, store.layout, out, frames=config.frames, title=title)
    Screen().say(f"{title}: {out}")
