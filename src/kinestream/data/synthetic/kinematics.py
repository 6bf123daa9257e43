"""From what a person does to where the joints are.

The world is right-handed: x to the right of a person who faces the camera, y up from the floor, z away from the camera;
metres and radians. Heading 0 faces the camera (-z). Places on the body are written (outward, up, forward), the same for
both sides. The trunk is turned joint by joint; arms and legs find their elbow and knee from where hand and foot are.
Shapes: t frame, c coordinate; pairs are (left, right).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from kinestream.data.synthetic.people import HIP_DROP, LEFT, RIGHT, Person
from kinestream.skeleton.layout import NTU25

CLEARANCE = 0.34
"""A hand on its way passes the shoulder in front, no nearer than about this many arm lengths."""

Vectors = Float[np.ndarray, "t 3"]
Turns = Float[np.ndarray, "t 3 3"]


@dataclass(frozen=True, kw_only=True)
class Motion:
    """What one person does, frame by frame."""

    place: Vectors
    """Pelvis over the ground; y is the height of a flight, 0 on the floor."""
    heading: Float[np.ndarray, " t"]
    height: Float[np.ndarray, " t"]
    """Pelvis height, 1 is standing."""
    tilt: Vectors
    """Pelvis (pitch forward, yaw to the left, roll to the left)."""
    bend: Vectors
    """Spine against the pelvis, same order."""
    nod: Vectors
    """Head against the chest, same order."""
    hands: Float[np.ndarray, "t 2 3"]
    """Wrists seen from their shoulder (outward, up, forward), in arm lengths, turning with the chest."""
    grasp: Float[np.ndarray, "t 2 3"]
    """Wrists in the world, where `grip` says so."""
    grip: Float[np.ndarray, "t 2"]
    """0: the wrist follows `hands`; 1: it follows `grasp`."""
    elbows: Float[np.ndarray, "t 2 3"]
    """Where the elbows point (outward, up, forward), turning with the chest."""
    feet: Float[np.ndarray, "t 2 3"]
    """Ankles in the world; y is the height over their place on the floor."""
    toes: Float[np.ndarray, "t 2"]
    """Heading of the feet."""


@dataclass(frozen=True, kw_only=True)
class Trunk:
    """Trunk joints (t, 3) and the turns (t, 3, 3) of pelvis and chest."""

    joints: dict[str, Vectors]
    pelvis: Turns
    chest: Turns


def forward(heading: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any 3"]:
    """Unit vector in which a heading looks."""
    return np.stack((-np.sin(heading), np.zeros_like(heading), -np.cos(heading)), axis=-1)


def sideways(heading: Float[np.ndarray, "*any"], side: int) -> Float[np.ndarray, "*any 3"]:
    """Unit vector to one side of a heading."""
    return _sign(side) * np.stack((np.cos(heading), np.zeros_like(heading), -np.sin(heading)), axis=-1)


def turn(angles: Vectors) -> Turns:
    """Turns by (pitch forward, yaw to the left, roll to the left): roll first, yaw last."""
    (cp, cy, cr), (sp, sy, sr) = np.cos(angles).T, np.sin(angles).T
    rows = (
        (cy * cr - sy * sp * sr, -cy * sr - sy * sp * cr, sy * cp),
        (cp * sr, cp * cr, sp),
        (-sy * cr - cy * sp * sr, sy * sr - cy * sp * cr, cy * cp),
    )
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=1)


def trunk(person: Person, motion: Motion) -> Trunk:
    """Everything that does not depend on the arms; the pelvis sinks as far as the feet ask for it."""
    upright = np.zeros_like(motion.tilt)
    upright[:, 1] = motion.heading
    pelvis = turn(upright) @ turn(motion.tilt)
    half = turn(motion.bend / 2)
    middle = pelvis @ half
    chest = middle @ half
    head = chest @ turn(motion.nod)
    joints: dict[str, Vectors] = {}
    drop = np.array([person.hip, -HIP_DROP * person.hip, 0.0])
    hips = [_apply(pelvis, drop * (_sign(side), 1, 1)) for side in (LEFT, RIGHT)]
    base = motion.place.copy()
    base[:, 1] += _supported(person, motion, hips)
    joints["spine_base"] = base
    joints["left_hip"], joints["right_hip"] = (base + hip for hip in hips)
    joints["spine_mid"] = base + _apply(middle, np.array([0.0, person.lower_spine, 0.0]))
    joints["spine_shoulder"] = joints["spine_mid"] + _apply(chest, np.array([0.0, person.upper_spine, 0.0]))
    joints["neck"] = joints["spine_shoulder"] + _apply(head, np.array([0.0, person.neck, -0.01]))
    joints["head"] = joints["neck"] + _apply(head, np.array([0.0, person.head, -0.025]))
    return Trunk(joints=joints, pelvis=pelvis, chest=chest)


def joints_of(person: Person, motion: Motion) -> Float[np.ndarray, "t 25 3"]:
    """All joints in the order of the NTU25 layout."""
    body = trunk(person, motion)
    joints = body.joints
    for side, name in ((LEFT, "left"), (RIGHT, "right")):
        joints |= _arm(person, motion, body, side, name)
        joints |= _leg(person, motion, body, side, name)
    return np.stack([joints[joint] for joint in NTU25.joints], axis=1)


def two_bones(
    start: Vectors, goal: Vectors, upper: float, lower: float, pole: Vectors, *, fold: float = 0.55
) -> tuple[Vectors, Vectors]:
    """Middle and end joint of a limb from `start` towards `goal`, bent to the side of `pole`.

    A goal out of reach is approached as near as the lengths allow; `fold` is the smallest inner angle in radians.
    """
    way = goal - start
    distance = np.linalg.norm(way, axis=-1, keepdims=True)
    along = way / np.maximum(distance, 1e-9)
    shortest = np.sqrt(upper**2 + lower**2 - 2 * upper * lower * np.cos(fold))
    distance = np.clip(distance, shortest, 0.9995 * (upper + lower))
    aside = pole - (pole * along).sum(axis=-1, keepdims=True) * along
    aside /= np.maximum(np.linalg.norm(aside, axis=-1, keepdims=True), 1e-9)
    cosine = (upper**2 + distance**2 - lower**2) / (2 * upper * distance)
    middle = start + upper * (cosine * along + np.sqrt(np.maximum(1 - cosine**2, 0)) * aside)
    return middle, start + distance * along


def _arm(person: Person, motion: Motion, body: Trunk, side: int, name: str) -> dict[str, Vectors]:
    hand, sign = motion.hands[:, side].copy(), _sign(side)
    hand[:, 2] += 1.4 * np.maximum(CLEARANCE - np.linalg.norm(hand, axis=-1), 0)
    mirror = np.array([sign, 1, -1])
    shrug = np.zeros_like(hand)
    shrug[:, 2] = 0.3 * sign * np.clip(hand[:, 1] + 0.1, 0, 1)
    collar = np.array([sign * person.shoulder, -0.025, 0.0])
    shoulder = body.joints["spine_shoulder"] + _apply(body.chest @ turn(shrug), collar)
    free = shoulder + person.arm * _apply(body.chest, hand * mirror)
    grip = motion.grip[:, side, None]
    goal = (1 - grip) * free + grip * motion.grasp[:, side]
    goal[:, 1] = np.maximum(goal[:, 1], 0.08)
    pole = _apply(body.chest, motion.elbows[:, side] * mirror)
    upper, lower = person.upper_arm[side], person.forearm[side]
    elbow, wrist = two_bones(shoulder, goal, upper, lower, pole)
    along = (wrist - elbow) / lower
    inward = _apply(body.chest, np.array([-sign * 1.0, 0.3, -0.6]))
    inward -= (inward * along).sum(axis=-1, keepdims=True) * along
    inward /= np.maximum(np.linalg.norm(inward, axis=-1, keepdims=True), 1e-9)
    palm = wrist + person.hand * along
    return {
        f"{name}_shoulder": shoulder,
        f"{name}_elbow": elbow,
        f"{name}_wrist": wrist,
        f"{name}_hand": palm,
        f"{name}_hand_tip": palm + person.hand * along,
        f"{name}_thumb": palm + 0.6 * person.hand * (0.4 * along + 0.9 * inward),
    }


def _leg(person: Person, motion: Motion, body: Trunk, side: int, name: str) -> dict[str, Vectors]:
    upper, lower = person.thigh[side], person.shank[side]
    goal = motion.feet[:, side] + np.array([0.0, person.ankle, 0.0])
    ahead = forward(motion.toes[:, side])
    ventral = -body.pelvis[:, :, 2]
    outward = body.pelvis[:, :, 0] * _sign(side)
    hip = body.joints[f"{name}_hip"]
    steep = (goal - hip)[:, 1:2] / np.maximum(np.linalg.norm(goal - hip, axis=-1, keepdims=True), 1e-9)
    prone = np.clip(-ventral[:, 1:2], 0, 1) * np.sqrt(np.maximum(1 - steep**2, 0))
    flat = np.array([1.0, 0.0, 1.0])
    pole = ahead + 1.2 * (1 - prone) * ventral + 0.15 * outward + 2 * prone * outward * flat
    knee, ankle = two_bones(hip, goal, upper, lower, pole)
    shank = (ankle - knee) / lower
    air = _airborne(ankle[:, 1] - person.ankle)
    level = ahead - np.array([0.0, 0.6 * person.ankle / person.foot, 0.0])
    hanging = ahead + ventral
    hanging -= (hanging * shank).sum(axis=-1, keepdims=True) * shank
    hanging /= np.maximum(np.linalg.norm(hanging, axis=-1, keepdims=True), 1e-9)
    direction = (1 - air) * level + air * (hanging + 0.45 * shank)
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    return {f"{name}_knee": knee, f"{name}_ankle": ankle, f"{name}_foot": ankle + person.foot * direction}


def _supported(person: Person, motion: Motion, hips: list[Vectors]) -> Float[np.ndarray, " t"]:
    """Pelvis height over the flight: as asked, but low enough that one foot at least reaches its place."""
    wanted = motion.height * person.standing
    reachable = []
    for side, hip in enumerate(hips):
        gap = motion.feet[:, side] - motion.place - hip
        reach = 0.999 * (person.thigh[side] + person.shank[side])
        vertical = np.sqrt(np.maximum(reach**2 - gap[:, 0] ** 2 - gap[:, 2] ** 2, 0))
        reachable.append(motion.feet[:, side, 1] - motion.place[:, 1] + person.ankle + vertical - hip[:, 1])
    height: Float[np.ndarray, " t"] = np.minimum(wanted, np.maximum(*reachable))
    return height


def _airborne(height: Float[np.ndarray, " t"]) -> Float[np.ndarray, "t 1"]:
    """0 for a foot on the floor, 1 for one that hangs free."""
    share: Float[np.ndarray, "t 1"] = np.clip(height / 0.12, 0, 1)[:, None]
    return share


def _apply(turns: Turns, vector: Float[np.ndarray, "*any"]) -> Vectors:
    result: Vectors = (turns @ vector) if vector.ndim == 1 else np.einsum("tij,tj->ti", turns, vector)
    return result


def _sign(side: int) -> int:
    return 1 if side == RIGHT else -1
