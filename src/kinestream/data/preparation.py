"""From a recording as read to the joints that the store keeps, and from those to a clip of fixed length.

A preparation has a name and two steps. `clean` chooses bodies and frames and the origin; its result, of full length,
is what the store keeps. `clip` makes a fixed number of frames of it. Shapes: t frame, m body, v joint, c coordinate;
metres.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from kinestream.data.body_size import body_scale
from kinestream.data.people import Person, find_people
from kinestream.data.recording import Recording, RecordingError
from kinestream.plugins import Registry
from kinestream.skeleton.layout import SkeletonLayout

Joints = Float[np.ndarray, "t m v c"]
Clip = Float[np.ndarray, "frames m v c"]


@runtime_checkable
class Clean(Protocol):
    """Chooses bodies, frames and origin. Raises RecordingError for a recording that it cannot use.

    With `all_frames` no frame is left out: frame t of the result is frame t of the recording, as a track of labels
    needs it.
    """

    def __call__(
        self, recording: Recording, layout: SkeletonLayout, most_bodies: int, *, all_frames: bool = False
    ) -> Joints: ...


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """A named way to prepare recordings. `clip(joints, frames, layout)` never fails on what `clean` gave."""

    name: str
    summary: str
    clean: Clean
    clip: Callable[[Joints, int, SkeletonLayout], Clip]
    like: str | None = None
    """The preparation whose clips these are: a recipe written for that one takes such a store, too."""
    each_frame: bool = False
    """Whether `clean` places every frame for itself: what is cut out of its result needs no cleaning again. Else a part
    is placed anew by its own first frame."""

    def gives(self, wanted: str) -> bool:
        """Whether clips of the preparation `wanted` can be had of what this one keeps."""
        return wanted in (self.name, self.like) or self.cleans_as(wanted)

    def cleans_as(self, wanted: str) -> bool:
        """Whether what it keeps is what the preparation `wanted` keeps, though its clips may be others."""
        return wanted in PREPARATIONS and PREPARATIONS.get(wanted).clean is self.clean


def resize(joints: Joints, frames: int) -> Clip:
    """Linear interpolation to `frames` frames, half-pixel centres, no antialiasing.

    Example:
        >>> resize(np.arange(4.0).reshape(4, 1, 1, 1), 2).ravel().tolist()
        [0.5, 2.5]
    """
    length = len(joints)
    position = np.clip((np.arange(frames) + 0.5) * (length / frames) - 0.5, 0, length - 1)
    before = np.floor(position).astype(np.intp)
    after = np.minimum(before + 1, length - 1)
    weight = (position - before).astype(joints.dtype)[:, None, None, None]
    return joints[before] * (1 - weight) + joints[after] * weight


def timed(joints: Joints, seconds: float | int | None, fps: float | int | None) -> Float[np.ndarray, "frames m v c"]:
    """The middle of a recording, so many seconds of it; of a shorter one the first and last frames are held. All of it
    if `seconds` is None.

    Raises RecordingError where its frames a second are not known.

    Example:
        >>> timed(np.arange(5.0).reshape(5, 1, 1, 1), 1, fps=3).ravel().tolist()
        [1.0, 2.0, 3.0]
        >>> timed(np.arange(2.0).reshape(2, 1, 1, 1), 2, fps=2).ravel().tolist()
        [0.0, 0.0, 1.0, 1.0]
    """
    if seconds is None:
        return joints
    if fps is None:
        raise RecordingError(f"a clip of {seconds:g} s is wanted, and the frame rate is not known: say --fps")
    wanted = max(2, round(seconds * fps))
    surplus = len(joints) - wanted
    if surplus >= 0:
        return joints[surplus // 2 : surplus // 2 + wanted]
    before = -surplus // 2
    return joints[np.clip(np.arange(wanted) - before, 0, len(joints) - 1)]


def _turn(joints: Joints, cosine: np.ndarray, sine: np.ndarray) -> Joints:
    """`x' = cos x + sin z`, `z' = -sin x + cos z`; y, the vertical, stays."""
    x, y, z = joints[..., 0], joints[..., 1], joints[..., 2]
    return np.stack((cosine * x + sine * z, y, cosine * z - sine * x), axis=-1)


# --- published ------------------------------------------------------------------------------------------------------


def clean_as_published(
    recording: Recording, layout: SkeletonLayout, most_bodies: int, *, all_frames: bool = False
) -> Joints:
    """Body m is the m-th of each frame in file order, without tracking. As many frames as there are valid ones (first
    joint of body 1 not all zero) are kept, *from the start*, or all of them with `all_frames`; each body is centred on
    its root joint in every frame.

    Raises RecordingError when no frame is valid (the published code breaks there).
    """
    joints = _first_bodies(recording.joints, most_bodies)
    valid = int(joints[:, 0, 0].any(axis=-1).sum())
    if not valid:
        raise RecordingError(f"no valid frame: the first joint of the first body is zero in all {len(joints)}")
    if not all_frames:
        joints = joints[:valid]
    return joints - joints[:, :, layout.root, None]


def clip_as_published(joints: Joints, frames: int, layout: SkeletonLayout) -> Clip:
    """Resized, then each body turned about the vertical, frame by frame, until its shoulders lie along x.

    With d from the left to the right shoulder: angle(t) = s arccos(dx / (sqrt(dx^2 + dz^2) + 1e-4)), s = +1 where the
    sum of dz over the resized frames is >= 0, else -1 (reference, section 5).
    """
    clip = resize(joints, frames)
    left, right = layout.heading
    across = clip[:, :, right] - clip[:, :, left]
    dx, dz = across[..., 0], across[..., 2]
    side = np.where(dz.sum(axis=0) >= 0, 1.0, -1.0).astype(clip.dtype)
    angle = side * np.arccos(dx / (np.sqrt(dx**2 + dz**2) + 1e-4))
    return _turn(clip, np.cos(angle)[..., None], np.sin(angle)[..., None])


def _first_bodies(joints: Joints, most_bodies: int) -> Float[np.ndarray, "t most v c"]:
    """Exactly `most_bodies` bodies: further ones are left out, missing ones are zero."""
    missing = most_bodies - joints.shape[1]
    if missing > 0:
        return np.pad(joints, ((0, 0), (0, missing), (0, 0), (0, 0)))
    return joints[:, :most_bodies]


# --- tracked --------------------------------------------------------------------------------------------------------


def clean_by_tracking(
    recording: Recording, layout: SkeletonLayout, most_bodies: int, *, all_frames: bool = False
) -> Joints:
    """Follows each person by the tracking numbers, joined where one person has several, drops noise bodies, orders the
    rest by motion energy (see `find_people`), and moves the whole scene so that the first body begins with its pelvis
    at the origin and its shoulders along x: the path through the room is kept, and where two people stand to each
    other.

    Gaps inside a body's time are filled by linear interpolation; before and after it the body is zero. Frames in which
    none of the kept bodies has begun or all have ended are cut off, unless `all_frames`.

    Raises RecordingError when no frame has a body.
    """
    people = find_people(recording).most(most_bodies).people
    if not people:
        raise RecordingError(f"no body in any of its {len(recording.joints)} frames")
    first = 0 if all_frames else min(int(person.frames[0]) for person in people)
    last = len(recording.joints) - 1 if all_frames else max(int(person.frames[-1]) for person in people)
    scene = np.zeros((last - first + 1, most_bodies, *recording.joints.shape[2:]))
    for slot, person in enumerate(people):
        begin, end = int(person.frames[0]), int(person.frames[-1])
        scene[begin - first : end - first + 1, slot] = _without_gaps(person)
    return _place(scene, _first_with_heading(people[0].joints, layout), layout)


def _first_with_heading(body: Float[np.ndarray, "t v c"], layout: SkeletonLayout) -> Float[np.ndarray, "v c"]:
    """The first frame, but where the joints of the heading are masked there the first in which they are not."""
    left, right = layout.heading
    across = body[:, right] - body[:, left]
    apart = np.flatnonzero(np.hypot(across[:, 0], across[:, 2]) > 0)
    return body[apart[0]] if len(apart) else body[0]


def _without_gaps(person: Person) -> Float[np.ndarray, "t v c"]:
    """The joints of every frame from the first to the last seen."""
    wanted = np.arange(person.frames[0], person.frames[-1] + 1)
    if len(wanted) == len(person.frames):
        return person.joints
    after = np.minimum(np.searchsorted(person.frames, wanted), len(person.frames) - 1)
    before = np.where(person.frames[after] == wanted, after, np.maximum(after - 1, 0))
    span = np.maximum(person.frames[after] - person.frames[before], 1)
    weight = ((wanted - person.frames[before]) / span)[:, None, None]
    return person.joints[before] * (1 - weight) + person.joints[after] * weight


def _place(scene: Joints, start: Float[np.ndarray, "v c"], layout: SkeletonLayout) -> Joints:
    """The scene with the pelvis of `start` at the origin and its shoulders along x; absent bodies stay zero."""
    left, right = layout.heading
    across = start[right] - start[left]
    reach = float(np.hypot(across[0], across[2]))
    cosine, sine = (across[0] / reach, across[2] / reach) if reach > 0 else (1.0, 0.0)
    present = scene.any(axis=(2, 3), keepdims=True)
    placed = _turn(scene - _pelvis(start, layout), np.asarray(cosine), np.asarray(sine))
    return np.where(present, placed, 0.0)


def _pelvis(body: Float[np.ndarray, "v c"], layout: SkeletonLayout) -> Float[np.ndarray, " c"]:
    joints = body[list(layout.pelvis)]
    return joints[0] if len(joints) == 1 else joints.mean(axis=0)


def clip_by_resizing(joints: Joints, frames: int, layout: SkeletonLayout) -> Clip:
    """Resized, nothing else."""
    return resize(joints, frames)


# --- scaled ---------------------------------------------------------------------------------------------------------


def clip_to_one_size(joints: Joints, frames: int, layout: SkeletonLayout) -> Clip:
    """Resized, and the scene scaled so that the first body is as large as a grown one (see `body_scale`): neither units
    nor height matter, and the distance of two people counts in sizes of the first.

    Raises ValueError for a layout without the joints that a body is measured by.
    """
    clip = resize(joints, frames)
    first = clip[:, 0]
    seen = np.asarray(first.any(axis=(1, 2)))
    scale = body_scale(first[seen], layout) if seen.any() else 1.0
    return clip * np.asarray(scale, dtype=clip.dtype)


# --- planar ---------------------------------------------------------------------------------------------------------


def clean_planar(recording: Recording, layout: SkeletonLayout, most_bodies: int, *, all_frames: bool = False) -> Joints:
    """For joints seen in pictures, where no depth tells which way a body faces: the bodies of the file in their order,
    frames without any body at both ends cut off, the whole scene moved so that the first body begins with its pelvis at
    the origin. Nothing is turned.

    Raises RecordingError when no frame has a body.
    """
    joints = _first_bodies(recording.joints, most_bodies)
    present = np.asarray(joints.any(axis=(2, 3)))
    frames = np.flatnonzero(present.any(axis=1))
    if not len(frames):
        raise RecordingError(f"no body in any of its {len(joints)} frames")
    if not all_frames:
        kept = slice(int(frames[0]), int(frames[-1]) + 1)
        joints, present = joints[kept], present[kept]
    body = int(np.flatnonzero(present.any(axis=0))[0])
    start = joints[np.flatnonzero(present[:, body])[0], body]
    return np.where(present[..., None, None], joints - _pelvis(start, layout), 0.0).astype(joints.dtype)


PREPARATIONS: Registry[Preparation] = Registry("preparation", {})
"""What recordings as a sensor or a pose estimator gave them can be prepared with; others may be added."""

for _preparation in (
    Preparation(
        name="published",
        summary="as the 3s-CACA authors: bodies in file order, centred and turned frame by frame",
        clean=clean_as_published,
        clip=clip_as_published,
        each_frame=True,
    ),
    Preparation(
        name="tracked",
        summary="bodies followed by their number, noise dropped, path through the room kept",
        clean=clean_by_tracking,
        clip=clip_by_resizing,
    ),
    Preparation(
        name="scaled",
        summary="as tracked, and clips are scaled to one body size: units and height do not matter",
        clean=clean_by_tracking,
        clip=clip_to_one_size,
    ),
    Preparation(
        name="planar",
        summary="for joints seen in pictures: moved to the origin, never turned, path kept",
        clean=clean_planar,
        clip=clip_by_resizing,
    ),
):
    PREPARATIONS.add(_preparation.name, _preparation)


# --- as found -------------------------------------------------------------------------------------------------------


def clean_as_found(
    recording: Recording, layout: SkeletonLayout, most_bodies: int, *, all_frames: bool = False
) -> Joints:
    """Nothing but the number of bodies: someone else has prepared these joints."""
    return _first_bodies(recording.joints, most_bodies)


_CLIPS = "-clips"
_IMPORTED = Preparation(
    name="imported",
    summary="arrays that someone else prepared, kept as they are",
    clean=clean_as_found,
    clip=clip_by_resizing,
)


def is_as_found(name: object) -> bool:
    """Whether a preparation is of arrays that someone else made, and leaves them as they are."""
    known = isinstance(name, str) and name.endswith(_CLIPS) and name.removesuffix(_CLIPS) in PREPARATIONS
    return known or name == _IMPORTED.name


def preparation_of(name: str) -> Preparation:
    """That of a store: one of `PREPARATIONS`, `NAME-clips` for clips that were made so elsewhere, or `imported`. Raises
    ValueError for any other."""
    if name == _IMPORTED.name:
        return _IMPORTED
    if not name.endswith(_CLIPS):
        return PREPARATIONS.get(name)
    made = PREPARATIONS.get(name.removesuffix(_CLIPS))
    return Preparation(
        name=name,
        summary=f"clips of fixed length that were made as '{made.name}' elsewhere, kept as they are",
        clean=clean_as_found,
        clip=clip_by_resizing,
        like=made.name,
    )
