"""What a depth camera makes of a performance: a view, noise, lost joints, lost bodies and bodies that are none.

Camera coordinates: x to the right of a person who faces the camera, y up, z away from the camera, metres.
Shapes: t frame, m body, v joint.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool, Float, Int

from kinestream.skeleton.layout import NTU25

CAMERA_ANGLES = (0.0, np.pi / 4, -np.pi / 4)
"""Where the cameras 1, 2, 3 stand round the scene: the first before it, the others to its sides."""

_SPREAD = {"hand_tip": 0.020, "thumb": 0.022, "hand": 0.012, "wrist": 0.010, "elbow": 0.008, "foot": 0.020}
_SPREAD |= {"ankle": 0.012, "knee": 0.009, "head": 0.006}
TRUNK_SPREAD = 0.005


def _by_name(table: dict[str, float], otherwise: float) -> Float[np.ndarray, " v"]:
    return np.array(
        [table.get(joint.removeprefix("left_").removeprefix("right_"), otherwise) for joint in NTU25.joints]
    )


SPREAD = _by_name(_SPREAD, TRUNK_SPREAD)
"""Size of the lasting and slow errors of each joint in metres."""

_TREMBLE = {"hand_tip": 0.007, "thumb": 0.008, "hand": 0.005, "wrist": 0.003, "elbow": 0.0017, "foot": 0.006}
_TREMBLE |= {"ankle": 0.0012, "knee": 0.0012, "head": 0.0014}
TREMBLE = _by_name(_TREMBLE, 0.0007)
"""Size of the noise from one frame to the next in metres, such that the second differences of generated NTU recordings
have about the median size of those of real ones."""

LIMBS = tuple(
    tuple(v for v, joint in enumerate(NTU25.joints) if joint.startswith(side) and joint.endswith(ends))
    for side in ("left", "right")
    for ends in (("elbow", "wrist", "hand", "hand_tip", "thumb"), ("knee", "ankle", "foot"))
)
"""The joints of each limb, which are lost together."""


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A camera on a tripod that looks at the scene's middle."""

    angle: float
    """Round the scene, 0 in front of it."""
    distance: float
    height: float
    down: float
    """Pitch downwards."""

    def see(self, joints: Float[np.ndarray, "*any 3"]) -> Float[np.ndarray, "*any 3"]:
        """World to camera coordinates: a rigid motion."""
        (ca, sa), (cd, sd) = ((np.cos(angle), np.sin(angle)) for angle in (self.angle, self.down))
        round_scene = np.array([[ca, 0.0, sa], [0.0, 1.0, 0.0], [-sa, 0.0, ca]])
        pitched = np.array([[1.0, 0.0, 0.0], [0.0, cd, sd], [0.0, -sd, cd]])
        upright = joints @ round_scene.T + np.array([0.0, -self.height, self.distance])
        seen: Float[np.ndarray, "*any 3"] = upright @ pitched.T
        return seen


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """A recording: joints in metres and tracking states (2 seen, 1 guessed), zero where there is no body.

    `bodies[t, m]` is the number of the body at place m of frame t, -1 for none.
    """

    joints: Float[np.ndarray, "t m 25 3"]
    states: Int[np.ndarray, "t m 25"]
    bodies: Int[np.ndarray, "t m"]


@cache
def draw_camera(number: int, setup: int) -> Camera:
    """Camera 1, 2 or 3 of a setup; setups differ in height and distance."""
    rng = np.random.default_rng((setup, number, 2))
    shared = np.random.default_rng((setup, 2))
    distance = float(shared.uniform(3.2, 4.4))
    height = float(shared.uniform(0.8, 1.7))
    return Camera(
        angle=CAMERA_ANGLES[number - 1] + float(rng.normal(0, 0.07)),
        distance=distance + float(rng.uniform(-0.2, 0.2)),
        height=height,
        down=float(np.arctan2(height - 0.9, distance)) + float(rng.normal(0, 0.03)),
    )


def record(
    joints: Float[np.ndarray, "t m 25 3"], camera: Camera, rng: np.random.Generator, *, noise: float = 1.0
) -> Sighting:
    """What `camera` writes down of joints (t, m, 25, 3) in the world; `noise` scales every fault, 0 for none.

    With noise there may be fewer frames and more bodies than there were.
    """
    seen = camera.see(joints)
    frames, people = seen.shape[:2]
    states = np.full(seen.shape[:3], 2)
    bodies = np.tile(np.arange(people), (frames, 1))
    if not noise:
        return Sighting(joints=seen, states=states, bodies=bodies)
    hidden = _hidden(seen)
    states[hidden] = 1
    seen = _misjudge(seen, hidden, rng, noise)
    for person in range(people):
        _lose_joints(seen[:, person], states[:, person], rng, noise)
    sighting = _lose_bodies(Sighting(joints=seen, states=states, bodies=bodies), rng, noise)
    if rng.random() < 0.04 * noise:
        sighting = _add_clutter(sighting, rng)
    return _lose_frames(sighting, rng, noise)


def _misjudge(
    seen: Float[np.ndarray, "t m 25 3"], hidden: Bool[np.ndarray, "t m 25"], rng: np.random.Generator, noise: float
) -> Float[np.ndarray, "t m 25 3"]:
    """Joints where the sensor believes them: lasting offsets, tremble, flattened depth, guesses for hidden ones."""
    frames, people = seen.shape[:2]
    middle = seen[:, :, [NTU25.joints.index("spine_mid")]]
    flat = 1 + noise * rng.normal(-0.1, 0.05, (people, 1))
    seen = np.concatenate((seen[..., :2], (middle + flat[..., None] * (seen - middle))[..., 2:]), axis=-1)
    guess = np.clip(0.55 * noise, 0, 1) * hidden[..., None]
    seen = seen + guess * np.array([0.35, 0.15, 1.0]) * (middle - seen)
    lasting = 0.25 * rng.standard_normal((people, 25, 3))
    trembling = _tremble(rng, frames, people) * (1 + 2.5 * hidden[..., None])
    faulty: Float[np.ndarray, "t m 25 3"] = seen + noise * (lasting * SPREAD[:, None] + trembling)
    return faulty


def _tremble(rng: np.random.Generator, frames: int, people: int) -> Float[np.ndarray, "t m 25 3"]:
    """A slow part (about 6 frames) and a fast one, in metres; depth is worse than the picture plane."""
    knots = frames // 6 + 2
    slow = rng.standard_normal((knots, people * 75))
    time = np.arange(frames) / 6
    left = time.astype(int)
    share = (time - left)[:, None]
    fast = rng.standard_normal((frames, people * 75))
    smooth = 0.35 * (slow[left] + share * (slow[left + 1] - slow[left]))
    smooth, fast = (part.reshape(frames, people, 25, 3) for part in (smooth, fast))
    noise: Float[np.ndarray, "t m 25 3"] = smooth * SPREAD[:, None] + fast * TREMBLE[:, None]
    return noise * np.array([0.8, 0.8, 1.3])


def _hidden(seen: Float[np.ndarray, "t m 25 3"]) -> Bool[np.ndarray, "t m 25"]:
    """Joints of arms and legs behind the own trunk or the other person's."""
    spine = NTU25.joints.index("spine_mid")
    hidden = np.zeros(seen.shape[:3], dtype=bool)
    for person in range(seen.shape[1]):
        before = seen[:, person, None, None, spine]
        beside = np.abs(seen[..., 0] - before[..., 0]) < 0.17
        hidden |= beside & (seen[..., 2] > before[..., 2] + 0.10) & (seen[..., 1] > before[..., 1] - 0.9)
    hidden[:, :, SPREAD <= TRUNK_SPREAD] = False
    return hidden


def _lose_joints(
    joints: Float[np.ndarray, "t 25 3"], states: Int[np.ndarray, "t 25"], rng: np.random.Generator, noise: float
) -> None:
    """Limbs that stay where they were last seen for some frames, or leap away for a moment. Changes its arguments."""
    frames = len(joints)
    for limb in LIMBS:
        if frames > 4 and rng.random() < 0.12 * noise:
            start = int(rng.integers(1, frames - 1))
            end = min(frames, start + int(rng.integers(2, 10)))
            joints[start:end, limb] = joints[start - 1, limb]
            states[start:end, limb] = 1
        if rng.random() < 0.05 * noise:
            at = int(rng.integers(frames))
            joints[at : at + 2, limb] += 0.12 * rng.standard_normal((len(limb), 3))
            states[at : at + 2, limb] = 1


def _lose_bodies(sighting: Sighting, rng: np.random.Generator, noise: float) -> Sighting:
    """A body may be lost for a few frames and come back under another number, and at another place of the file."""
    joints, states, bodies = (rows.copy() for rows in (sighting.joints, sighting.states, sighting.bodies))
    frames, people = bodies.shape
    if people == 2 and rng.random() < 0.5:
        joints, states = joints[:, ::-1].copy(), states[:, ::-1].copy()
    if frames >= 20 and rng.random() < (0.10 if people == 2 else 0.02) * noise:
        start = int(rng.integers(3, frames - 8))
        end = start + int(rng.integers(2, 6))
        lost = int(rng.integers(people))
        bodies[start:end, lost] = -1
        bodies[end:, lost] = people
        joints[start:end, lost], states[start:end, lost] = 0.0, 0
        if people == 2 and lost == 0:
            for rows in (joints, states, bodies):
                rows[start:] = rows[start:, ::-1].copy()
    return Sighting(joints=joints, states=states, bodies=bodies)


def _add_clutter(sighting: Sighting, rng: np.random.Generator) -> Sighting:
    """A piece of furniture is taken for a body for a while: a squeezed, trembling figure at rest."""
    frames, pose = len(sighting.joints), sighting.joints[0, 0]
    start = int(rng.integers(frames))
    end = min(frames, start + int(rng.integers(4, 30)))
    beside = np.array([float(rng.choice((-1.0, 1.0))) * rng.uniform(0.8, 1.5), -0.3, rng.uniform(-0.3, 1.0)])
    figure = pose[0] + beside + (pose - pose[0]) * rng.uniform((0.5, 0.2, 0.3), (1.2, 0.5, 1.0))
    joints = np.zeros((frames, 1, 25, 3))
    joints[start:end, 0] = figure + 0.03 * rng.standard_normal((end - start, 25, 3))
    states, bodies = np.zeros((frames, 1, 25), dtype=int), np.full((frames, 1), -1)
    states[start:end], bodies[start:end] = 1, sighting.bodies.max() + 1
    return Sighting(
        joints=np.concatenate((sighting.joints, joints), axis=1),
        states=np.concatenate((sighting.states, states), axis=1),
        bodies=np.concatenate((sighting.bodies, bodies), axis=1),
    )


def _lose_frames(sighting: Sighting, rng: np.random.Generator, noise: float) -> Sighting:
    """Now and then the sensor misses some frames; the recording simply goes on."""
    frames = len(sighting.joints)
    keep = np.ones(frames, dtype=bool)
    if frames > 12 and rng.random() < 0.25 * noise:
        for start in rng.integers(0, frames - 4, rng.integers(1, 4)).tolist():
            keep[start : start + int(rng.integers(1, 4))] = False
    return Sighting(joints=sighting.joints[keep], states=sighting.states[keep], bodies=sighting.bodies[keep])
