"""Drawings of recordings: a strip of frames, or an animation; and of layouts.

Seen from the front, y up, the same scale in every frame: a body that faces the viewer has its right on the left of the
picture. Joints in 2D are drawn as the picture has them. Left limbs, right limbs and trunk have a colour each, further
bodies are lighter. Needs the extra `[viz]`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from jaxtyping import Float
from matplotlib.animation import PillowWriter
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from kinestream.files import replacing
from kinestream.skeleton.layout import SkeletonLayout
from kinestream.skeleton.pose import standing
from kinestream.viz.style import save

COLOURS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"trunk": ("#303030", "#9a9a9a"), "left": ("#0072b2", "#7fbfe8"), "right": ("#d55e00", "#f3ab76")}
)
"""For each part of the body the colour in the first body and in the others, fit for colour-blind eyes."""

HEIGHT = 2.0
"""Height of a panel in inches."""

DPI = 120
"""Of a strip that is not vector graphics."""


def skeleton_strip(
    joints: Float[np.ndarray, "t m v c"],
    layout: SkeletonLayout,
    path: Path,
    *,
    frames: int = 8,
    title: str | None = None,
) -> None:
    """Draws `frames` evenly spaced frames side by side into a .png or .svg file.

    Bodies that are all zero in a frame are not there and not drawn.

    Raises:
        ValueError: if the suffix or the shape does not fit, or no frame holds a body.
    """
    _check(joints, layout, path, (".png", ".svg"))
    view = _View.over(joints, layout)
    chosen = np.unique(np.linspace(0, len(joints) - 1, frames).round().astype(int))
    figure = Figure(figsize=(max(2.0, len(chosen) * HEIGHT * view.aspect), HEIGHT + (0.3 if title else 0.0)), dpi=DPI)
    panels = figure.subplots(1, len(chosen), squeeze=False)[0]
    for panel, frame in zip(panels, chosen, strict=True):
        view.prepare(panel)
        view.draw(panel, joints[frame])
        panel.text(0.5, 0.0, str(frame), transform=panel.transAxes, fontsize=6, ha="center", va="top", color="#808080")
    figure.subplots_adjust(left=0.005, right=0.995, bottom=0.06, top=HEIGHT / figure.get_figheight(), wspace=0.0)
    if title:
        figure.suptitle(title, fontsize=9)
    save(figure, path, dpi=DPI)


def skeleton_animation(
    joints: Float[np.ndarray, "t m v c"],
    layout: SkeletonLayout,
    path: Path,
    *,
    fps: float = 30.0,
    title: str | None = None,
) -> None:
    """Draws every frame into a .gif file that plays `fps` frames a second; see `skeleton_strip`."""
    _check(joints, layout, path, (".gif",))
    view = _View.over(joints, layout)
    figure = Figure(figsize=(max(2.0, 1.5 * HEIGHT * view.aspect), 1.5 * HEIGHT), dpi=100)
    FigureCanvasAgg(figure)
    panel = figure.add_axes((0.0, 0.0, 1.0, 0.93 if title else 1.0))
    view.prepare(panel)
    if title:
        figure.suptitle(title, fontsize=9)
    writer = PillowWriter(fps=fps)  # type: ignore[arg-type]
    with replacing(path) as unfinished, writer.saving(figure, str(unfinished), dpi=100):
        for frame in joints:
            artists = view.draw(panel, frame)
            writer.grab_frame()
            for artist in artists:
                artist.remove()


def layout_picture(layout: SkeletonLayout, path: Path) -> None:
    """Draws a body of this layout standing, with the number of each joint, and the numbers with their names beside it,
    into a .png, .svg or .pdf file."""
    pose = standing(layout)
    view = _View.over(pose[None, None], layout)
    rows = max(34, -(-len(layout.joints) // 2))
    figure = Figure(figsize=(6.6, 4.2 * max(1.0, rows / 36)), dpi=DPI)
    panel = figure.add_axes((0.0, 0.02, 0.6, 0.9))
    view.prepare(panel)
    view.draw(panel, pose[None])
    for v, (x, y, _) in enumerate((pose * [view.side, 1, view.side]).tolist()):
        panel.plot(x, y, "o", color=view.colour(v), markersize=2.5, zorder=4)
        side = -1 if x < -1e-6 else 1
        align = "left" if side > 0 else "right"
        panel.annotate(str(v), (x, y), (3 * side, 1), textcoords="offset points", fontsize=5.5, ha=align, zorder=5)
        column, row = divmod(v, rows)
        words = f"{v}  {layout.joints[v]}"
        where = (0.62 + 0.2 * column, 0.9 - 0.88 * row / rows)
        figure.text(*where, words, fontsize=6.5, color=view.colour(v))
    figure.text(0.02, 0.95, f"{layout.name}: {layout.title}" if layout.title else layout.name, fontsize=9)
    save(figure, path, dpi=DPI)


@dataclass(frozen=True, kw_only=True)
class _View:
    """What all frames of a clip share: limits, floor, and which part of the body each bone belongs to."""

    left: float
    right: float
    floor: float
    top: float
    bones: tuple[tuple[int, int], ...]
    parts: tuple[str, ...]
    head: int | None
    side: int
    """1 where the viewer looks along -z, -1 where along z: at the face of the body, not at its back."""

    @classmethod
    def over(cls, joints: Float[np.ndarray, "t m v c"], layout: SkeletonLayout) -> "_View":
        there = (joints != 0).any(axis=(2, 3))
        side = _front(joints[there], layout)
        shown = joints[there] * [side, 1, side]
        lows = [frame[present][..., 1].min() for frame, present in zip(joints, there, strict=True) if present.any()]
        margin = 0.08 * float(np.ptp(shown[..., 1])) + 1e-6
        return cls(
            left=float(shown[..., 0].min()) - margin,
            right=float(shown[..., 0].max()) + margin,
            floor=float(np.median(lows)),
            top=float(shown[..., 1].max()) + margin,
            bones=layout.bones,
            parts=layout.bone_sides,
            head=layout.canonical.index("head") if "head" in layout.canonical else None,
            side=side,
        )

    @property
    def aspect(self) -> float:
        return float(np.clip((self.right - self.left) / (self.top - self.floor), 0.4, 2.5))

    def colour(self, joint: int) -> str:
        """Of a joint of the first body."""
        part = next((part for bone, part in zip(self.bones, self.parts, strict=True) if bone[0] == joint), "trunk")
        return COLOURS[part][0]

    def prepare(self, panel: Axes) -> None:
        panel.set_xlim(self.left, self.right)
        panel.set_ylim(self.floor - 0.04 * (self.top - self.floor), self.top)
        panel.set_aspect("equal")
        panel.set_axis_off()
        panel.axhline(self.floor, color="#b0b0b0", linewidth=0.8, zorder=0)

    def draw(self, panel: Axes, bodies: Float[np.ndarray, "m v c"]) -> list[Artist]:
        """The bones of all bodies of a frame, far ones first, and their heads."""
        children, parents = (list(ends) for ends in zip(*self.bones, strict=True))
        drawn, artists = [], []
        for number, body in enumerate(bodies * [self.side, 1, self.side]):
            shade = min(number, 1)
            if body.any():
                for line, part in zip(np.stack((body[children], body[parents]), axis=1), self.parts, strict=True):
                    drawn.append((-float(line[:, 2].mean()), line[:, :2], COLOURS[part][shade], (1.7, 1.4)[shade]))
                if self.head is not None:
                    x, y, z = body[self.head].tolist()
                    size, colour = 0.055 * (self.top - self.floor), COLOURS["trunk"][shade]
                    circle = Circle(
                        (x, y), size, facecolor="white", edgecolor=colour, linewidth=1.4, zorder=3 - z / 100
                    )
                    artists.append(panel.add_patch(circle))
        drawn.sort(key=lambda bone: bone[0])
        _, lines, colours, widths = zip(*drawn, strict=True) if drawn else ((), (), (), ())
        bones = LineCollection(lines, colors=colours, linewidths=widths, capstyle="round", zorder=2)
        return [panel.add_collection(bones), *artists]


def _front(bodies: Float[np.ndarray, "n v c"], layout: SkeletonLayout) -> int:
    """From which side bodies are seen from the front: with y up, a body whose right is at positive x faces -z."""
    if not bodies[..., 2].any():
        return 1
    left, right = layout.heading
    return -1 if float((bodies[:, right, 0] - bodies[:, left, 0]).mean()) > 0 else 1


def _check(joints: Float[np.ndarray, "t m v c"], layout: SkeletonLayout, path: Path, suffixes: tuple[str, ...]) -> None:
    if path.suffix not in suffixes:
        raise ValueError(f"{path}: the suffix '{path.suffix}' is not one of {', '.join(suffixes)}")
    if joints.ndim != 4 or joints.shape[2:] != (len(layout.joints), 3):
        raise ValueError(f"joints of shape {joints.shape} are not (t, m, {len(layout.joints)}, 3) of '{layout.name}'")
    if not joints.any():
        raise ValueError(f"{path}: nothing to draw, all bodies of all {len(joints)} frames are absent (zero)")
