"""Lists the skeleton layouts; with the name or .yaml file of one, shows its joints and how those of another are made
from them, and draws it on request.

Examples:
  kinestream layouts
  kinestream layouts mediapipe33 --draw mediapipe33.png
  kinestream layouts markers.yaml --to body16
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kinestream.arguments import optional_word
from kinestream.console import Screen

if TYPE_CHECKING:
    from kinestream.skeleton.layout import SkeletonLayout


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream layouts`."""

    layout: str | None = optional_word()
    """Name of a layout or its .yaml file; all are listed if not given."""
    draw: Path | None = None
    """Picture of it to write, .png, .svg or .pdf."""
    to: str = "body16"
    """The other layout, a name or a .yaml file: which of its joints LAYOUT can provide."""


def run(config: Config) -> None:
    from kinestream.skeleton.layout import layout_names, load_layout

    screen = Screen()
    if config.layout is None:
        if config.draw is not None:
            raise ValueError("--draw needs a layout: kinestream layouts NAME --draw FILE")
        layouts = [load_layout(name) for name in layout_names()]
        listed = [(one.name, len(one.joints), len(one.bones), one.joints[one.root], one.title) for one in layouts]
        screen.table("layouts", ("layout", "joints", "bones", "root", "what it is"), listed)
        screen.say("see one: kinestream layouts LAYOUT --draw FILE.png")
        return
    layout = load_layout(config.layout)
    sides = {child: side for (child, _), side in zip(layout.bones, layout.bone_sides, strict=True)}
    rows = []
    for v, (joint, elsewhere, parent) in enumerate(zip(layout.joints, layout.canonical, layout.parents, strict=True)):
        above = "" if v == parent else layout.joints[parent]
        rows.append((v, joint, "" if elsewhere == joint else elsewhere, above, sides.get(v, "trunk")))
    screen.table(layout.title or layout.name, ("number", "joint", "elsewhere", "hangs on", "side"), rows)
    screen.say(f"faces by {' and '.join(layout.joints[v] for v in layout.heading)}")
    screen.say(f"stands at {' and '.join(layout.joints[v] for v in layout.pelvis)}")
    if layout.source:
        screen.say(f"source: {layout.source}")
    for line in _map_to(load_layout(config.to), layout):
        screen.say(line)
    if config.draw is not None:
        from kinestream.viz.skeleton import layout_picture

        layout_picture(layout, config.draw)
        screen.say(f"drawing: {config.draw}")


def _map_to(target: "SkeletonLayout", layout: "SkeletonLayout") -> list[str]:
    from kinestream.skeleton.joint_maps import joint_map

    if target == layout:
        return []
    try:
        made = joint_map(layout, target)
    except ValueError as error:
        return [str(error)]
    filled = [f"{joint} from {' and '.join(parts)}" for joint, parts in made.filled.items()]
    return [
        f"recordings of it go into encoders of {target.name}",
        f"  derived: {'; '.join(filled) or 'none'}",
        f"  not used: {', '.join(made.unused) or 'none'}",
    ]
