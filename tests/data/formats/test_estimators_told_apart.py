"""Files with one ending are told apart by their content, and nothing else is taken for one of them."""

from pathlib import Path

import numpy as np
import pytest
from tests.estimator_files import (
    alphapose_list,
    azure,
    coco_dataset,
    coco_results,
    deeplabcut_csv,
    deeplabcut_table,
    landmarks,
    mediapipe_csv,
    movement_data,
    openpose_frame,
    random_points,
    world_points,
    write_json,
    write_sleap,
)

from kinestream.data.formats import FORMATS, Format

NAMES = (
    *("alphapose", "azure-kinect", "coco", "deeplabcut", "freemocap", "mediapipe", "mediapipe-csv", "movement"),
    *("openpose", "sleap"),
)


def write_all(folder: Path) -> dict[Path, str]:
    """A file of each form, and the name of its format."""
    body25, coco17 = random_points(3, 25, 3), random_points(3, 17, 3)
    world = world_points(3)
    written: dict[Path, str] = {}

    def add(name: str, file: str, content: object) -> None:
        written[write_json(folder / file, content)] = name

    add("openpose", "clip_000000000000_keypoints.json", openpose_frame([body25[0]]))
    add("openpose", "nobody_000000000000_keypoints.json", openpose_frame([]))
    add("openpose", "openpose.json", [openpose_frame([frame]) for frame in body25])
    add("coco", "results.json", coco_results(coco17))
    add("coco", "dataset.json", coco_dataset(coco17))
    add("alphapose", "alphapose.json", alphapose_list(coco17))
    add("alphapose", "for_eval.json", [{**one, "image_id": t} for t, one in enumerate(alphapose_list(coco17))])
    add("alphapose", "cmu.json", {"0.jpg": {"version": "AlphaPose v0.3", "bodies": [{"joints": [1.0] * 54}]}})
    add("alphapose", "open.json", {"0.jpg": {"version": "v0.3", "people": [{"pose_keypoints_2d": [1.0] * 54}]}})
    add("mediapipe", "mediapipe.json", [{"pose_world_landmarks": landmarks(frame)} for frame in world])
    add("mediapipe", "protobuf.json", [{"landmark": landmarks(frame)} for frame in world])
    add("mediapipe", "lists.json", [landmarks(frame) for frame in world])
    add("mediapipe", "tasks.json", {"frames": [{"landmarks": [landmarks(frame)]} for frame in world]})
    add("mediapipe", "nobody.json", [{"pose_landmarks": None}])
    add("azure-kinect", "azure.json", azure(random_points(3, 32, 3)))
    for name, pattern in (("m", "{axis}{index}"), ("n", "{joint}_{axis}"), ("l", "landmark_{index}_{axis}")):
        path = folder / f"{name}.csv"
        path.write_text(mediapipe_csv(world, pattern))
        written[path] = "mediapipe-csv"
    dlc = random_points(3, 12, 3).reshape(3, 2, 6, 3)
    (folder / "dlc.csv").write_text(deeplabcut_csv(dlc, ("a", "b")))
    for form_of_table in ("table", "fixed"):
        path = folder / f"{form_of_table}.h5"
        deeplabcut_table(dlc, ("a", "b")).to_hdf(path, key="df_with_missing", format=form_of_table, mode="w")
        written[path] = "deeplabcut"
    written[folder / "dlc.csv"] = "deeplabcut"
    written[write_sleap(folder / "clip.analysis.h5", dlc[..., :2], [f"n{v}" for v in range(6)])] = "sleap"
    movement_data(dlc[..., :2]).to_netcdf(folder / "poses.nc", engine="h5netcdf")
    written[folder / "poses.nc"] = "movement"
    np.save(folder / "mediapipe_body_3d_xyz.npy", world[..., :3])
    written[folder / "mediapipe_body_3d_xyz.npy"] = "freemocap"
    return written


def recognised(path: Path) -> list[str]:
    found = []
    for name in FORMATS:
        of = FORMATS.get(name)
        if isinstance(of, Format) and path.suffix.lower() in of.suffixes and of.recognises and of.recognises(path):
            found.append(name)
    return found


def test_each_file_is_of_one_format(tmp_path: Path) -> None:
    for path, name in write_all(tmp_path).items():
        assert recognised(path) == [name], path.name


OTHERS = {
    "nw-ucla.json": b'{"file_name": "a01_s01_e00_v01", "skeletons": [[[0.1, 0.2, 2.0]]], "label": 1}',
    "package.json": b'{"name": "app", "version": "1.0", "people": 3}',
    "list.json": b"[1, 2, 3]",
    "points.json": b'[{"x": 1, "y": 2}]',
    "faces.json": b'{"frames": [{"landmarks": [[1, 2], [3, 4]]}]}',
    "empty.json": b"",
    "zeros.json": b"\0" * 4000,
    "text.csv": b"frame,hip_x,hip_y,hip_z\n0,1,2,3\n",
    "numbers.csv": b"x0,y0,z0,x1,y1,z1\n1,2,3,4,5,6\n",
    "empty.csv": b"",
    "binary.csv": bytes(range(256)) * 20,
    "empty.h5": b"",
    "cut.h5": b"\x89HDF\r\n\x1a\n" + b"\0" * 50,
    "text.nc": b"netcdf",
    "joints.npy": b"",
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_files_are_of_none(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(OTHERS[name])
    assert not {*NAMES} & {*recognised(path)}


def test_plain_hdf5_is_of_none(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["joints"] = np.zeros((3, 25, 3))
    assert not {*NAMES} & {*recognised(tmp_path / "a.h5")}
    assert not {*NAMES} & {*recognised(tmp_path / "absent.h5")}
