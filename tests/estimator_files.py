"""Small files as pose estimators and trackers write them, what a reader may return, and damage for its tests."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kinestream.data.formats import FORMATS, Format
from kinestream.data.recording import Found, RecordingError, Source
from kinestream.skeleton.layout import UNITS, UP, load_layout

MEDIAPIPE = load_layout("mediapipe33").joints
COCO = load_layout("coco17").joints


def random_points(frames: int, points: int, coordinates: int, seed: int = 0, scale: float = 400.0) -> np.ndarray:
    """In a picture or a room, with few decimals, as files have them."""
    return np.random.default_rng(seed).uniform(0.1, 1, (frames, points, coordinates)).round(5) * scale


def write_json(path: Path, content: Any, **how: Any) -> Path:
    path.write_text(json.dumps(content, **how), "utf-8")
    return path


def openpose_frame(people: Sequence[np.ndarray], **more: Any) -> dict[str, Any]:
    """Of people `(v, 3)`: x, y and score."""
    empty = {f"{part}_keypoints_2d": [] for part in ("face", "hand_left", "hand_right")}
    empty |= {f"{part}_keypoints_3d": [] for part in ("pose", "face", "hand_left", "hand_right")}
    written = [{"person_id": [-1], "pose_keypoints_2d": one.ravel().tolist(), **empty, **more} for one in people]
    return {"version": 1.3, "people": written}


def coco_results(points: np.ndarray, first: int = 0) -> list[dict[str, Any]]:
    """One body a frame, `(t, v, 3)`."""
    return [
        {"image_id": first + t, "category_id": 1, "keypoints": frame.ravel().tolist(), "score": 0.9}
        for t, frame in enumerate(points)
    ]


def coco_dataset(points: np.ndarray, names: Sequence[str] = COCO) -> dict[str, Any]:
    """One body a frame, `(t, v, 3)`."""
    images = [
        {"id": 100 + t, "file_name": f"walk/frame_{t:04}.png", "width": 640, "height": 480} for t in range(len(points))
    ]
    annotations = [
        {
            "id": t,
            "image_id": 100 + t,
            "category_id": 1,
            "keypoints": frame.ravel().tolist(),
            "num_keypoints": len(names),
        }
        for t, frame in enumerate(points)
    ]
    category = {"id": 1, "name": "person", "keypoints": list(names), "skeleton": [[1, 2], [1, 3]]}
    return {"info": {}, "images": images, "annotations": annotations, "categories": [category]}


def alphapose_list(points: np.ndarray, first: int = 0) -> list[dict[str, Any]]:
    """One body a frame, `(t, v, 3)`."""
    return [
        {
            "image_id": f"{first + t}.jpg",
            "category_id": 1,
            "keypoints": frame.ravel().tolist(),
            "score": 2.8,
            "box": [1.0, 2.0, 30.0, 40.0],
            "idx": [1.0],
        }
        for t, frame in enumerate(points)
    ]


def landmarks(points: np.ndarray) -> list[dict[str, float]]:
    """Of a body `(33, 4)`: x, y, z and visibility."""
    return [dict(zip(("x", "y", "z", "visibility"), point, strict=True)) for point in points.tolist()]


def world_points(frames: int, seed: int = 0) -> np.ndarray:
    """`(t, 33, 4)` with the origin between the hips, in metres."""
    points = np.random.default_rng(seed).normal(0, 0.4, (frames, 33, 4)).round(5)
    points[:, 24, :3] = -points[:, 23, :3]
    points[..., 3] = np.abs(points[..., 3]).clip(0, 1)
    return points


def mediapipe_csv(points: np.ndarray, name: str = "{axis}{index}") -> str:
    """Rows of x, y, z and visibility."""
    axes = ("x", "y", "z", "v")
    names = [name.format(axis=axis, index=i, joint=joint.upper()) for i, joint in enumerate(MEDIAPIPE) for axis in axes]
    rows = [",".join(f"{number!r}" for number in frame.ravel().tolist()) for frame in points]
    return "\n".join([",".join(names), *rows]) + "\n"


def azure(points: np.ndarray, **more: Any) -> dict[str, Any]:
    """One body a frame, `(t, 32, 3)` in millimetres."""
    names = [_azure_name(joint) for joint in load_layout("azure32").joints]
    frames = [
        {
            "bodies": [
                {
                    "body_id": 7,
                    "joint_orientations": [[1.0, 0.0, 0.0, 0.0]] * len(frame),
                    "joint_positions": frame.tolist(),
                }
            ],
            "frame_id": t,
            "num_bodies": 1,
            "timestamp_usec": 100_000 + 33_333 * t,
        }
        for t, frame in enumerate(points)
    ]
    bones = [["SPINE_CHEST", "SPINE_NAVEL"]]
    return {"bone_list": bones, "frames": frames, "joint_names": names, "k4abt_sdk_version": "1.1.2", **more}


def _azure_name(joint: str) -> str:
    side, _, rest = joint.partition("_")
    name = f"{rest}_{side}" if side in ("left", "right") else joint
    return name.replace("hand_tip", "handtip").upper()


def deeplabcut_csv(points: np.ndarray, individuals: Sequence[str] = ()) -> str:
    """`(t, m, v, n)`: x, y, perhaps z, and a likelihood where n is 3 in the picture or 4."""
    coordinates = ("x", "y", "likelihood") if points.shape[3] == 3 else ("x", "y", "z", "likelihood")
    people = individuals or ("",)
    columns = [(one, f"part{v}", axis) for one in people for v in range(points.shape[2]) for axis in coordinates]
    head = [["scorer", *["DLC_net"] * len(columns)]]
    if individuals:
        head.append(["individuals", *[column[0] for column in columns]])
    head += [["bodyparts", *[column[1] for column in columns]], ["coords", *[column[2] for column in columns]]]
    rows = [
        [str(t), *["" if np.isnan(n) else repr(n) for n in frame.ravel().tolist()]] for t, frame in enumerate(points)
    ]
    return "\n".join(",".join(row) for row in [*head, *rows]) + "\n"


def deeplabcut_table(points: np.ndarray, individuals: Sequence[str] = ()) -> Any:
    """The same as a table of pandas."""
    import pandas as pd

    coordinates = ("x", "y", "likelihood") if points.shape[3] == 3 else ("x", "y", "z", "likelihood")
    levels = [["DLC_net"], list(individuals), [f"part{v}" for v in range(points.shape[2])], list(coordinates)]
    names = ["scorer", "individuals", "bodyparts", "coords"]
    if not individuals:
        del levels[1], names[1]
    columns = pd.MultiIndex.from_product(levels, names=names)
    return pd.DataFrame(points.reshape(len(points), -1), columns=columns)


def write_sleap(path: Path, tracks: np.ndarray, nodes: Sequence[str], edges: Sequence[tuple[int, int]] = ()) -> Path:
    """Of `(t, m, v, c)`, with axes as MATLAB has them."""
    import h5py

    with h5py.File(path, "w") as file:
        file["tracks"] = tracks.transpose(1, 3, 2, 0)
        file["track_names"] = np.array([f"track_{m}".encode() for m in range(tracks.shape[1])])
        file["node_names"] = np.array([node.encode() for node in nodes])
        file["edge_inds"] = np.array(edges, dtype=np.int64).reshape(-1, 2).T
        file["point_scores"] = np.where(np.isnan(tracks[..., 0]), np.nan, 0.75).transpose(1, 2, 0)
        file["track_occupancy"] = np.isfinite(tracks).all(axis=(2, 3)).astype(np.uint8)
        file["video_path"] = "clip.mp4"
    return path


def movement_data(points: np.ndarray, **attributes: Any) -> Any:
    """Of `(t, m, v, c)`, as a data set of xarray."""
    import xarray as xr

    frames, people, count, coordinates = points.shape
    dims = ("time", "space", "keypoints", "individuals")
    return xr.Dataset(
        {
            "position": (dims, points.transpose(0, 3, 2, 1)),
            "confidence": (("time", "keypoints", "individuals"), np.full((frames, count, people), 0.5)),
        },
        coords={
            "time": np.arange(frames) / 25,
            "space": list("xyz")[:coordinates],
            "keypoints": [f"part{v}" for v in range(count)],
            "individuals": [f"id_{m}" for m in range(people)],
        },
        attrs={"fps": 25.0, "time_unit": "seconds", "source_software": "DeepLabCut", "ds_type": "poses", **attributes},
    )


# --- reading and damage ---------------------------------------------------------------------------------------------


def form(name: str) -> Format:
    found = FORMATS.get(name)
    assert isinstance(found, Format)
    return found


def read(name: str, path: Path, **more: Any) -> list[Found]:
    """All recordings of a file."""
    made = form(name).read(Source(path=path, name=path.stem, **more))
    return [made] if isinstance(made, Found) else list(made)  # type: ignore[arg-type]


def read_one(name: str, path: Path, **more: Any) -> Found:
    [found] = read(name, path, **more)
    return found


def refusal(name: str, path: Path, **more: Any) -> str:
    try:
        made = read(name, path, **more)
    except RecordingError as error:
        return str(error)
    raise AssertionError(f"{path} was read: {made}")


def check(found: Found, most_numbers: int) -> None:
    """What every recording of a reader keeps to, however damaged its file was."""
    joints = found.joints
    assert joints.size <= most_numbers
    assert 0 not in joints.shape
    assert np.isfinite(joints).any()
    assert not np.isinf(joints).any()
    assert np.nanmax(np.abs(joints)) <= 1e9
    assert (np.isnan(joints).any(axis=-1) == np.isnan(joints).all(axis=-1)).all()
    assert found.units is None or found.units in UNITS
    assert found.up is None or found.up in UP
    assert found.fps is None or 0 < found.fps < 1e5
    assert not (found.layout and found.points)
    assert len(set(found.points)) == len(found.points)
    if found.confidence is not None:
        assert found.confidence.shape == joints.shape[:3]
        assert ((found.confidence >= 0) & (found.confidence <= 1)).all()
    if found.bodies is not None:
        assert found.bodies.shape == joints.shape[:2]
        assert (found.bodies >= 0).all()
        assert found.bodies.max() >= 1
    for note in found.notes:
        assert note.isprintable()
        assert len(note) < 400


def mutations(content: bytes, count: int, seed: int = 0, words: Sequence[bytes] = ()) -> Iterator[bytes]:
    """A file cut, with bytes changed, lines or stretches taken out, doubled or exchanged, and words put in."""
    rng = np.random.default_rng(seed)
    some = (
        *words,
        b"NaN",
        b"Infinity",
        b"-1",
        b"1e999",
        b"null",
        b'"x"',
        b"[]",
        b"{}",
        b"9" * 30,
        b"\xff",
        b"\x00",
        b",",
        b'"',
    )
    for number in range(count):
        damaged = bytearray(content)
        kind = number % 6
        a, b = sorted(rng.integers(0, len(content), 2).tolist())
        if kind == 0:
            del damaged[a:]
        elif kind == 1:
            for at in rng.integers(0, len(content), rng.integers(1, 5)).tolist():
                damaged[at] = int(rng.integers(0, 256))
        elif kind == 2:
            del damaged[a : min(b, a + int(rng.integers(1, 60)))]
        elif kind == 3:
            word = some[int(rng.integers(0, len(some)))]
            damaged[a : a + int(rng.integers(0, len(word) + 1))] = word
        elif kind == 4:
            stretch = bytes(damaged[a : min(b, a + 200)])
            damaged[a:a] = stretch
        else:
            lines = damaged.splitlines(keepends=True)
            x, y = rng.integers(0, len(lines), 2).tolist()
            lines[x], lines[y] = lines[y], lines[x]
            if rng.random() < 0.5:
                del lines[x]
            damaged = bytearray(b"".join(lines))
        yield bytes(damaged)


def survive(name: str, path: Path, damaged: Iterator[bytes], most_numbers: int) -> tuple[int, int]:
    """Reads each damaged file; how many were taken, and how many refused in one line."""
    taken = refused = 0
    recognises: Callable[[Path], bool] | None = form(name).recognises
    assert recognises is not None
    for content in damaged:
        path.write_bytes(content)
        assert recognises(path) in (True, False)
        try:
            for found in read(name, path):
                check(found, most_numbers)
            taken += 1
        except RecordingError as error:
            words = str(error)
            assert words.isprintable(), repr(words)
            assert len(words) < 400, words
            refused += 1
    return taken, refused
