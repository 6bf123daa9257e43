"""A small whole file of each format of recordings that kinestream reads, as the programs of that format write it."""

import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kinestream.data.formats import FORMATS, Format
from kinestream.data.recording import Found, Recording
from kinestream.data.synthetic.generate import generate_ntu, generate_nw_ucla
from kinestream.skeleton.layout import load_layout

MEDIAPIPE, COCO, AZURE = (load_layout(name).joints for name in ("mediapipe33", "coco17", "azure32"))
BVH = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Spine
  {
    OFFSET 0 2.5 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 0 1.5 0
    }
  }
}
MOTION
Frames: 4
Frame Time: 0.0333333
"""
ASF = """:version 1.10
:units
  mass 1.0
  length 0.5
  angle deg
:root
  order TX TY TZ RX RY RZ
  axis XYZ
  position 0 0 0
  orientation 0 0 0
:bonedata
  begin
    id 1
    name lfemur
    direction 0.6 -0.8 0
    length 4
    axis 0 10 20 XYZ
    dof rx ry rz
  end
:hierarchy
  begin
    root lfemur
  end
"""


def write_all(folder: Path) -> None:
    """Those of `FILES`, and what belongs to them."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    points = rng.uniform(0.1, 1, (4, 33, 4)).round(4)
    rows = "\n".join(" ".join(f"{number:.4f}" for number in rng.uniform(-90, 90, 9)) for _ in range(4))
    (folder / "walk.bvh").write_text(f"{BVH}{rows}\n")
    (folder / "01.asf").write_text(ASF)
    frames = "".join(f"{n + 1}\nroot 1 2 3 10 {n} 0\nlfemur 5 {n} 7\n" for n in range(4))
    (folder / "01_01.amc").write_text(f":FULLY-SPECIFIED\n:DEGREES\n{frames}")
    (folder / "walk.trc").write_text(_trc(rng))
    _write_c3d(folder / "walk.c3d", rng)
    _write_json(folder, points)
    _write_tables(folder, points)
    _write_hdf5(folder, points)
    for made in (generate_ntu, generate_nw_ucla):
        for path in made(folder / made.__name__, 1, 0, frames=(8, 8)):
            path.rename(folder / path.name)


def reading(name: str) -> Callable[[Path], object]:
    """What reads a file of `FILES` in the folder of them, and looks at what it gives."""

    def read(folder: Path) -> None:
        raw = FILES[name]
        form, path = FORMATS.get(raw.format), folder / (raw.read or raw.file)
        assert isinstance(form, Format)
        if form.recognises is not None:
            form.recognises(path)
        made = form.read(form.parse_name(path))
        for one in made if isinstance(made, Sequence) else [made]:
            _check(one)

    return read


def _check(one: Found | Recording) -> None:
    joints = one.joints
    assert np.isfinite(joints).any(), "nothing in it"
    assert not np.isinf(joints).any(), "positions that cannot be"
    assert joints.size < 1_000_000, f"{joints.shape} out of a small file"
    assert one.fps is None or 0 < one.fps < 100_000, f"a rate of {one.fps}"
    if one.confidence is not None:
        assert not ((one.confidence < 0) | (one.confidence > 1)).any(), "no confidence"
    for note in getattr(one, "notes", ()):
        assert note.isprintable(), f"the note {ascii(note)[:100]}"
        assert len(note) < 1000, f"the note {ascii(note)[:100]}"


def _trc(rng: np.random.Generator) -> str:
    told = ("DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units", "OrigDataRate", "OrigDataStartFrame")
    rows: list[Sequence[object]] = [
        ("PathFileType", 4, "(X/Y/Z)", "walk.trc"),
        (*told, "OrigNumFrames"),
        (30, 30, 4, 2, "mm", 30, 1, 4),
        ("Frame#", "Time", "LASI", "", "", "RASI", "", ""),
        ("", "", *(f"{axis}{number}" for number in (1, 2) for axis in "XYZ")),
        (),
    ]
    rows += [(n + 1, f"{n / 30:.3f}", *rng.uniform(-900, 900, 6).round(3).tolist()) for n in range(4)]
    return "".join("\t".join(map(str, row)) + "\n" for row in rows)


def _write_c3d(path: Path, rng: np.random.Generator) -> None:
    made = importlib.import_module("ezc3d").c3d()
    made["parameters"]["POINT"]["RATE"]["value"] = [30]
    made["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    made["parameters"]["POINT"]["LABELS"]["value"] = ["LASI", "RASI", "SACR"]
    made["data"]["points"] = np.concatenate([rng.uniform(-900, 900, (3, 3, 4)), np.ones((1, 3, 4))])
    made.write(str(path))


def _write_json(folder: Path, points: np.ndarray) -> None:
    body = points[:, :25, :3]
    coco = [[*frame.ravel().tolist()] for frame in 400 * points[:, :17, :3]]
    openpose = {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": (400 * body[0]).ravel().tolist()}]}
    names = [joint.upper() for joint in AZURE]
    azure = {
        "joint_names": names,
        "bone_list": [],
        "frames": [
            {
                "frame_id": n,
                "timestamp_usec": 33_333 * n,
                "num_bodies": 1,
                "bodies": [{"body_id": 7, "joint_positions": frame.tolist()}],
            }
            for n, frame in enumerate(1000 * points[:, :32, :3])
        ],
    }
    landmarks = [
        [dict(zip(("x", "y", "z", "visibility"), point, strict=True)) for point in frame.tolist()] for frame in points
    ]
    poses: Mapping[str, Any] = {
        "openpose.json": openpose,
        "coco.json": [{"image_id": n, "category_id": 1, "keypoints": one, "score": 0.9} for n, one in enumerate(coco)],
        "alphapose.json": [
            {"image_id": f"{n}.jpg", "category_id": 1, "keypoints": one, "score": 2.5, "idx": 1}
            for n, one in enumerate(coco)
        ],
        "azure.json": azure,
        "mediapipe.json": {"fps": 30, "pose_world_landmarks": [[frame] for frame in landmarks]},
    }
    for name, content in poses.items():
        (folder / name).write_text(json.dumps(content))


def _write_tables(folder: Path, points: np.ndarray) -> None:
    def text(rows: Sequence[Sequence[object]]) -> str:
        return "".join(",".join(map(str, row)) + "\n" for row in rows)

    names = [f"{axis}{number}" for number in range(33) for axis in "xyzv"]
    (folder / "mediapipe.csv").write_text(text([names, *points.reshape(4, -1).tolist()]))
    parts = [(f"part{number}", axis) for number in range(5) for axis in ("x", "y", "likelihood")]
    head: list[list[object]] = [
        ["scorer", *["net"] * len(parts)],
        ["bodyparts", *[part for part, _ in parts]],
        ["coords", *[axis for _, axis in parts]],
    ]
    (folder / "deeplabcut.csv").write_text(
        text([*head, *[[n, *row] for n, row in enumerate(points[:, :5, :3].reshape(4, -1).tolist())]])
    )
    wide = ["frame", *[f"{joint}_{axis}" for joint in COCO for axis in "xyz"]]
    (folder / "wide.csv").write_text(
        text([wide, *[[n, *row] for n, row in enumerate(points[:, :17, :3].reshape(4, -1).tolist())]])
    )
    long = [
        [n, joint, *place]
        for n, frame in enumerate(points[:, :17, :3].tolist())
        for joint, place in zip(COCO, frame, strict=True)
    ]
    (folder / "long.csv").write_text(text([["frame", "joint", "x", "y", "z"], *long]))


def _write_hdf5(folder: Path, points: np.ndarray) -> None:
    import h5py
    import scipy.io

    nodes = [f"node{number}".encode() for number in range(5)]
    scipy.io.savemat(folder / "walk.mat", {"joints": points[:, :20, :3], "fps": 30.0})
    with h5py.File(folder / "sleap.h5", "w") as file:
        file["tracks"] = points[:, None, :5, :2].transpose(1, 3, 2, 0)
        file["node_names"] = np.array(nodes)
        file["track_names"] = np.array([b"track_0"])
        file["edge_inds"] = np.zeros((2, 0), np.int64)
    with h5py.File(folder / "walk.nc", "w") as file:
        dims = {"time": 4, "space": 2, "keypoints": 5, "individuals": 1}
        file["time"] = np.arange(4) / 25
        file["space"] = np.array(["x", "y"], dtype=h5py.string_dtype())
        file["keypoints"] = np.array([node.decode() for node in nodes], dtype=h5py.string_dtype())
        file["individuals"] = np.array(["id_0"], dtype=h5py.string_dtype())
        file["position"] = points[:, None, :5, :2].transpose(0, 3, 2, 1)
        for number, name in enumerate(dims):
            file[name].make_scale(name)
            file["position"].dims[number].attach_scale(file[name])
        file.attrs["fps"] = 25.0


class Raw(NamedTuple):
    """A file to damage."""

    file: str
    format: str
    form: str = "bytes"
    """How it can be taken apart, as in `mutations.Kind`."""
    read: str = ""
    """What is read, where that is another file, to which it belongs."""


FILES: Mapping[str, Raw] = {
    "bvh": Raw("walk.bvh", "bvh"),
    "asf": Raw("01.asf", "amc", read="01_01.amc"),
    "amc": Raw("01_01.amc", "amc"),
    "trc": Raw("walk.trc", "trc"),
    "c3d": Raw("walk.c3d", "c3d"),
    "ntu": Raw("S001C001P001R001A001.skeleton", "ntu"),
    "nw-ucla": Raw("a01_s01_e00_v01.json", "nw-ucla", "json"),
    "openpose": Raw("openpose.json", "openpose", "json"),
    "coco": Raw("coco.json", "coco", "json"),
    "alphapose": Raw("alphapose.json", "alphapose", "json"),
    "azure": Raw("azure.json", "azure-kinect", "json"),
    "mediapipe": Raw("mediapipe.json", "mediapipe", "json"),
    "mediapipe table": Raw("mediapipe.csv", "mediapipe-csv", "csv"),
    "deeplabcut": Raw("deeplabcut.csv", "deeplabcut", "csv"),
    "wide table": Raw("wide.csv", "table", "csv"),
    "long table": Raw("long.csv", "table", "csv"),
    "matlab": Raw("walk.mat", "matlab"),
    "sleap": Raw("sleap.h5", "sleap"),
    "movement": Raw("walk.nc", "movement"),
}
"""By what they are called."""
