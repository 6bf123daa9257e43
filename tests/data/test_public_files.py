"""Files of others, each in one command: read rightly, upright, with left and right where they belong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kinestream as ks
from kinestream.data.plausibility import examine

LAYOUTS = Path(__file__).parents[2] / "examples" / "layouts"
FILES: dict[str, tuple[str, dict[str, Any], str, float]] = {
    # What is said, and what is found out: the layout, and the height in metres of who was recorded.
    "Plug-in Gait, two players": ("formats/c3d/kinematics_tennis_serve_2players.c3d", {}, "plug-in-gait", 1.65),
    "a gait laboratory": ("formats/c3d/c3d_sample.c3d", {"layout": LAYOUTS / "gait22.yaml"}, "gait22", 1.85),
    "a shoulder study": ("formats/trc/markers.trc", {"layout": LAYOUTS / "trunk-and-arm.yaml"}, "trunk-and-arm", 1.1),
    "BVH in inches / 0.45": ("formats/bvh/cmu_12_01_walk.bvh", {"units": "body"}, "bvh38", 1.7),
    "BVH with z up": ("formats/bvh/bvh_example.bvh", {"units": "body"}, "bvh29", 1.7),
    "BVH in centimetres": ("formats/bvh/bvh_test2.bvh", {}, "bvh28", 1.63),
    "CMU": ("cmu-mocap/02/02_01.amc", {}, "cmu31", 1.51),
}


@pytest.mark.parametrize("name", FILES)
def test_bodies_stand_upright_with_their_right_on_the_right(name: str, real_data: Path, tmp_path: Path) -> None:
    place, said, layout, height = FILES[name]
    (move,) = ks.read(real_data / place, **said)
    assert move.layout is not None
    assert move.layout.name == layout
    seen = examine(move.joints, move.layout, bodies=move.bodies)
    assert seen.height == pytest.approx(height, abs=0.05)
    assert seen.up in ("y", None)
    assert seen.problems == ()
    store = ks.prepare(real_data / place, tmp_path / "store", **said)
    left, right = store.layout.heading
    body = store.joints(0)[:, 0]
    across = next(line for line in body[:, right] - body[:, left] if line.any())  # where the shoulders are seen first
    assert across[0] > 0.9 * np.hypot(across[0], across[2]), "as prepared, the first body's right is at positive x"


def test_a_mouse_in_pixels(real_data: Path, tmp_path: Path) -> None:
    place, layout = real_data / "formats/deeplabcut/labelled.csv", LAYOUTS / "mouse4.yaml"
    with pytest.raises(ValueError, match=r"which joints its 4 points are is not known .snout, leftear"):
        ks.read(place)
    store = ks.prepare(place, tmp_path / "store", layout=layout)
    assert (store.info.preparation, store.layout.joints[0]) == ("planar", "tailbase")
    assert "units: px, as the files say; bodies are scaled to 1.7 m from ankles to head" in store.info.notes


def test_a_folder_of_cmu_motions(real_data: Path, tmp_path: Path) -> None:
    store = ks.prepare(real_data / "cmu-mocap/02", tmp_path / "store", fps=120, windows="2s", hop="1s")
    assert set(store.table.file) == {f"02_{number:02}" for number in range(1, 11)}
    assert set(store.table.length.tolist()) == {240, 173}, "one motion is shorter than a window"
    assert (store.info.fps, store.layout.name, store.info.rejected) == (120, "cmu31", 0)


def test_units_that_no_person_has_are_asked_for(real_data: Path) -> None:
    with pytest.raises(
        ValueError, match=r"24\.\d+ high in the files, which is no person in m, cm or mm .*--units body"
    ):
        ks.read(real_data / "formats/bvh/cmu_12_01_walk.bvh")


def test_ui_prmd_is_an_archive_of_2000_recordings(real_data: Path) -> None:
    found = ks.inspect(real_data / "ui-prmd/ui_prmd_kinect.npz", layout="uiprmd22", variable="joints_mm")
    assert found.facts[:3] == (
        "layout: uiprmd22, as given",
        "units: mm, as the files say",
        "up: y, as layout uiprmd22 says",
    )
    assert all(1.1 < (one.height or 0) < 1.8 for one in found.looked_at)
