"""Readers of raw files and the published preparation, written line by line as published code writes them and in no way
fast: what ours is held against. Needs numpy only; also the slow side of the benchmarks.

Shapes: t frame, m body, v joint, c coordinate. Metres.
"""

import json
import math
from pathlib import Path
from typing import IO, Any

import numpy as np

_BODY_KEYS = (
    "body_id",
    "clipped_edges",
    "hand_left_confidence",
    "hand_left_state",
    "hand_right_confidence",
    "hand_right_state",
    "is_restricted",
    "lean_x",
    "lean_y",
    "tracking_state",
)
_JOINT_KEYS = (
    "x",
    "y",
    "z",
    "depth_x",
    "depth_y",
    "color_x",
    "color_y",
    "orientation_w",
    "orientation_x",
    "orientation_y",
    "orientation_z",
    "tracking_state",
)


def read_ntu(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Joints (t, m, v, c) and body ids (t, m) of a `.skeleton` file, zero where a frame has no m-th body."""
    with path.open("rb") as file:
        return parse_ntu(file)


def parse_ntu(file: IO[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """See `read_ntu`. Knows nothing of damage: any exception may come."""
    sequence = []
    for _ in range(int(file.readline())):
        frame = []
        for _ in range(int(file.readline())):
            words = file.readline().split()
            body: dict[str, Any] = {key: float(word) for key, word in zip(_BODY_KEYS, words, strict=True)}
            body["body_id"] = int(words[0])  # as a float the last digits would be lost
            body["joints"] = []
            for _ in range(int(file.readline())):
                words = file.readline().split()
                joint = {key: float(word) for key, word in zip(_JOINT_KEYS, words, strict=True)}
                body["joints"].append(joint)
            frame.append(body)
        sequence.append(frame)

    most = max(len(frame) for frame in sequence)
    joint_count = max(len(body["joints"]) for frame in sequence for body in frame)
    joints = np.zeros((len(sequence), most, joint_count, 3))
    bodies = np.zeros((len(sequence), most), dtype=np.int64)
    for t, frame in enumerate(sequence):
        for m, body in enumerate(frame):
            bodies[t, m] = body["body_id"]
            for v, joint in enumerate(body["joints"]):
                joints[t, m, v] = [joint["x"], joint["y"], joint["z"]]
    return joints, bodies


def read_nw_ucla(path: Path) -> tuple[np.ndarray, int]:
    """Joints (t, 1, v, c) and the label (from 1) of a `.json` file."""
    with path.open() as file:
        content = json.load(file)
    frames = content["skeletons"]
    joints = np.zeros((len(frames), 1, len(frames[0]), 3))
    for t, frame in enumerate(frames):
        for v, joint in enumerate(frame):
            for c in range(3):
                joints[t, 0, v, c] = float(joint[c])
    return joints, content["label"]


def resize(joints: np.ndarray, frames: int) -> np.ndarray:
    """Linear interpolation over time, half-pixel centres, no antialiasing, one number after the other."""
    length, bodies, joint_count, axes = joints.shape
    resized = np.zeros((frames, bodies, joint_count, axes))
    for i in range(frames):
        centre = (i + 0.5) * length / frames - 0.5
        centre = min(max(centre, 0.0), length - 1.0)
        before = math.floor(centre)
        after = min(before + 1, length - 1)
        share = centre - before
        for m in range(bodies):
            for v in range(joint_count):
                for c in range(axes):
                    a, b = float(joints[before, m, v, c]), float(joints[after, m, v, c])
                    resized[i, m, v, c] = a + (b - a) * share
    return resized


def prepare_as_published(
    joints: np.ndarray, frames: int = 50, bodies: int = 2, root: int = 21, left: int = 5, right: int = 9
) -> np.ndarray:
    """The preparation of reference section 5: joints as read (t, m, v, c) to a clip (frames, bodies, v, c).

    Joint numbers count from 1, as there. Raises ZeroDivisionError without a valid frame, where the published code
    breaks in its own way.
    """
    joint_count = joints.shape[2]
    # Body m is the m-th of each frame, at most `bodies`.
    chosen = np.zeros((len(joints), bodies, joint_count, 3))
    for t in range(len(joints)):
        for m in range(min(bodies, joints.shape[1])):
            chosen[t, m] = joints[t, m]
    # Count the valid frames, keep that many from the start.
    valid = 0
    for t in range(len(chosen)):
        x, y, z = chosen[t, 0, 0]
        if x != 0 or y != 0 or z != 0:
            valid += 1
    kept = chosen[:valid]
    if not valid:
        raise ZeroDivisionError("no valid frame")
    # Subtract the root joint of the same body in each frame.
    centred = np.zeros_like(kept)
    for t in range(valid):
        for m in range(bodies):
            for v in range(joint_count):
                centred[t, m, v] = kept[t, m, v] - kept[t, m, root - 1]
    clip = resize(centred, frames)
    # Each body on its own: turned about the vertical in every frame.
    turned = np.zeros_like(clip)
    for m in range(bodies):
        dz_sum = 0.0
        for t in range(frames):
            dz_sum += clip[t, m, right - 1, 2] - clip[t, m, left - 1, 2]
        sign = 1.0 if dz_sum >= 0 else -1.0
        for t in range(frames):
            dx, _, dz = clip[t, m, right - 1] - clip[t, m, left - 1]
            angle = sign * math.acos(dx / (math.sqrt(dx**2 + dz**2) + 1e-4))
            for v in range(joint_count):
                x, y, z = clip[t, m, v]
                turned[t, m, v, 0] = math.cos(angle) * x + math.sin(angle) * z
                turned[t, m, v, 1] = y
                turned[t, m, v, 2] = -math.sin(angle) * x + math.cos(angle) * z
    return turned


def format_ntu(joints: np.ndarray, bodies: np.ndarray, line_end: str = "\n") -> bytes:
    """The text of a `.skeleton` file: the inverse of `parse_ntu`. A body id of 0 means that the body is absent; the
    other columns hold numbers of the kind that the sensor writes."""
    lines = [str(len(joints))]
    for frame, numbers in zip(joints, bodies, strict=True):
        present = [m for m in range(len(numbers)) if numbers[m]]
        lines.append(str(len(present)))
        for m in present:
            lines += [f"{numbers[m]} 0 1 1 1 1 0 0.02764709 -0.05745083 2", str(len(frame[m]))]
            lines += [
                f"{x!r} {y!r} {z!r} 277.419 191.8218 1036.2 519.1 -0.2 0.05 0.97 -0.12 2"
                for x, y, z in frame[m].tolist()
            ]
    return (line_end.join(lines) + line_end).encode()


def read_pku(skeleton: Path, label: Path) -> list[tuple[int, int, int, np.ndarray]]:
    """Of each row of a PKU-MMD label file: class (from 0), first and last frame (from 1), and the joints (t, 2, 25, 3)
    cut out of the video, at most the 300 frames in the middle."""
    frames = []
    with skeleton.open() as file:
        for line in file:
            words = line.split()
            frame = np.zeros((2, 25, 3))
            for m in range(2):
                for v in range(25):
                    for c in range(3):
                        frame[m, v, c] = float(words[m * 75 + v * 3 + c])
            frames.append(frame)
    parts = []
    with label.open() as file:
        for line in file:
            action, start, end, _ = (int(word) for word in line.split(","))
            chosen = [frames[t - 1] for t in range(start, end + 1)]
            if len(chosen) > 300:
                first = math.floor((len(chosen) - 300) / 2)
                chosen = chosen[first : first + 300]
            parts.append((action - 1, start, end, np.array(chosen)))
    return parts
