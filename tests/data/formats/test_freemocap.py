from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from tests.estimator_files import form, mutations, read_one, refusal, survive

from kinestream.data.formats.freemocap import parse_name, recognises

POINTS = np.random.default_rng(0).normal(0, 900, (6, 553, 3))
NAMES = ("mediapipe_body_3d_xyz", "mediapipe_skeleton_3d", "mediaPipeSkel_3d_body_hands_face")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("points", [33, 553])
def test_the_body_is_read(tmp_path: Path, name: str, points: int) -> None:
    written = POINTS[:, :points].copy()
    written[2, 5, 1] = np.nan
    path = tmp_path / f"{name}.npy"
    np.save(path, written.astype(np.float32) if points == 33 else written)
    assert recognises(path)
    found = read_one("freemocap", path)
    expected = POINTS[:, :33].copy()
    expected[2, 5] = np.nan
    np.testing.assert_allclose(found.joints[:, 0], expected, rtol=1e-6)
    assert found.layout is not None
    assert (found.layout.name, found.units, found.up) == ("mediapipe33", "mm", "z")
    assert found.notes == (() if points == 33 else ("not read: 520 of 553 points, of hands and face",))


def test_raw_data_is_not_upright(tmp_path: Path) -> None:
    folder = tmp_path / "walk" / "output_data" / "raw_data"
    folder.mkdir(parents=True)
    path = folder / "mediapipe_body_3d_xyz.npy"
    np.save(path, POINTS[:, :33])
    found = read_one("freemocap", path)
    assert found.up is None
    assert "raw data: not yet turned so that z is up" in found.notes
    assert parse_name(path).name == "walk"


def test_other_names_are_ordinary_arrays() -> None:
    assert form("freemocap").recognises is recognises
    for name in ("joints.npy", "mediapipe_right_hand_3d_xyz.npy", "my_mediapipe_body_3d_xyz.npy", "body.npy"):
        assert not recognises(Path(name))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((5, 25, 3)), r"an array (5, 25, 3) of float64: frames, 33 or more points and 3 coordinates belong"),
        (np.zeros((5, 33, 2)), "3 coordinates belong"),
        (np.zeros((0, 33, 3)), "no frames"),
        (np.full((5, 33, 3), np.nan), "no body in any of its 5 frames"),
        (np.full((5, 33, 3), np.inf), "frame 0: a point that is no position"),
        (np.full((5, 33, 3), "a"), "3 coordinates belong"),
    ],
)
def test_refused(tmp_path: Path, array: np.ndarray, words: str) -> None:
    path = tmp_path / f"{NAMES[0]}.npy"
    np.save(path, array)
    assert words in refusal("freemocap", path)


def test_objects_and_damage_are_refused(tmp_path: Path) -> None:
    path = tmp_path / f"{NAMES[0]}.npy"
    np.save(path, np.array([{}, {}], dtype=object))
    assert "no numpy file" in refusal("freemocap", path)
    file = BytesIO()
    np.save(file, POINTS[:, :33])
    damaged = (cut[: 300 + 40 * number] for number, cut in enumerate(mutations(file.getvalue()[:200], 200)))
    _, refused = survive("freemocap", path, damaged, 1000)
    assert refused == 200
    _, refused = survive("freemocap", path, mutations(file.getvalue(), 200), 100_000)
    assert refused > 30
