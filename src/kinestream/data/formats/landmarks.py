"""MediaPipe's landmarks of a body, from whatever file: world landmarks in metres, or those of the picture."""

import re
from collections.abc import Sequence
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

from kinestream.data.formats.sightings import Assembled, refuse_far
from kinestream.data.recording import Found, RecordingError
from kinestream.skeleton.layout import load_layout
from kinestream.words import shown

POINTS = 33
WORLD = "pose_world_landmarks"
PICTURE = "pose_landmarks"
_SCALES = MappingProxyType({"s": 1.0, "ms": 1e-3, "us": 1e-6})
_UNITS = (
    ("us", re.compile(r"(_|\b)(us|usec|microseconds?)$|Us$")),
    ("ms", re.compile(r"(_|\b)(ms|msec|milliseconds?)$|Ms$")),
    ("s", re.compile(r"(_|\b)(s|sec|seconds?)$")),
)
"""How the names of times end."""
_WORDS = MappingProxyType(
    {
        WORLD: ("world", "worldlandmarks", "poseworldlandmarks"),
        PICTURE: ("picture", "image", "landmarks", "poselandmarks"),
    }
)


def found(
    seen: Assembled,
    kind: str | None,
    *,
    picture: tuple[float, float] | None = None,
    fps: float | None = None,
    notes: Sequence[str] = (),
) -> Found:
    """A recording out of x, y, z and visibility of each landmark.

    Args:
        kind: `WORLD` or `PICTURE`, as the file calls them; None where it does not say, which the numbers tell then:
            the origin of world landmarks is the middle between the hips.
        picture: width and height in pixels, if known: landmarks of the picture become pixels.
    """
    points, visible = seen.points[..., :3].copy(), seen.points[..., 3]
    refuse_far(points, int(seen.frames[0]))
    nothing = ~points.any(axis=-1)  # zeros in place of who was not found
    points[nothing & ((visible == 0) | nothing.all(axis=-1, keepdims=True))] = np.nan
    points[np.isnan(points).any(axis=-1)] = np.nan
    if not np.isfinite(points).any():
        raise RecordingError(f"no body in any of its {len(points)} frames")
    told = [*seen.notes, *notes]
    if kind is None:
        kind = _kind(points)
        what = {WORLD: "world landmarks, in metres", PICTURE: "landmarks of the picture"}.get(kind or "", "unknown")
        told.append(f"the file does not say which kind of landmarks it has; by their numbers: {what}")
    units: str | None = None
    up: str | None = "-y"
    if kind == WORLD:
        units = "m"
    elif kind == PICTURE:
        points = points[..., :2]
        if picture is not None:
            points = points * np.array(picture)
            units = "px"
        else:
            told.append(
                "landmarks of the picture: x and y as fractions of its width and height, of no unit; z left out"
            )
    else:
        up = None
    known = ~np.isnan(visible)
    confidence = None
    if known.any():
        if visible[known].min() < -1e-6 or visible[known].max() > 1 + 1e-6:
            told.append("visibility not used: it is not from 0 to 1")
        else:
            confidence = np.clip(np.nan_to_num(visible), 0.0, 1.0)
    return Found(
        joints=points,
        layout=load_layout("mediapipe33"),
        confidence=confidence,
        bodies=seen.bodies,
        in_any_order=seen.bodies is None,
        fps=fps,
        units=units,
        up=up,
        picture=picture if kind == PICTURE else None,
        notes=tuple(told),
    )


def chosen(variable: str) -> str | None:
    """Which landmarks the user means by the word. Raises RecordingError for an unknown one."""
    if not variable:
        return None
    plain = re.sub(r"[^a-z]", "", variable.lower())
    for kind, words in _WORDS.items():
        if plain in words:
            return kind
    raise RecordingError(f"no variable '{shown(variable)}': there are {WORLD} and {PICTURE}")


def seconds(times: Float[np.ndarray, " n"], name: str) -> tuple[Float[np.ndarray, " n"], tuple[str, ...]]:
    """Times of frames in seconds, by the unit in their name, else by their steps: no camera is slower than 4 pictures
    a second or faster than 1 000."""
    unit = next((unit for unit, ending in _UNITS if ending.search(name)), None)
    if unit is not None:
        return times * _SCALES[unit], ()
    steps = np.diff(times)
    usual = float(np.median(steps)) if len(steps) else 0.0
    for word, scale in _SCALES.items():
        if 1e-3 <= usual * scale <= 0.25:
            return times * scale, (f"'{shown(name)}' taken for {word}, by its steps of {usual:g}",)
    return np.full(len(times), np.nan), ()


def _kind(points: Float[np.ndarray, "t m v 3"]) -> str | None:
    hips = points[:, :, 23:25].mean(axis=2)
    hips = hips[~np.isnan(hips).any(axis=-1)]
    if not len(hips):
        return None
    if np.median(np.abs(hips)) < 0.01:
        return WORLD
    flat = points[..., :2]
    flat = flat[~np.isnan(flat)]
    inside = (flat > -0.5) & (flat < 1.5)
    return PICTURE if inside.mean() > 0.9 and np.abs(flat).max() < 10 else None
