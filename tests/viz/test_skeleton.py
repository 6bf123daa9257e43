"""Drawings: are they written, the same each time, and do they show what is there?"""

from pathlib import Path

import numpy as np
import pytest

from kinestream.data.synthetic import kinect20_from_ntu25, perform_ntu, perform_nw_ucla
from kinestream.data.synthetic.sensor import draw_camera
from kinestream.skeleton.layout import KINECT20, NTU25, SkeletonLayout
from kinestream.viz.skeleton import COLOURS, skeleton_animation, skeleton_strip

image = pytest.importorskip("PIL.Image")


def seen(action: int = 58, frames: int = 12) -> np.ndarray:
    return draw_camera(1, 1).see(perform_ntu(action, 2, 0, partner=7, frames=(frames, frames)))


def pixels(path: Path) -> np.ndarray:
    with image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def inked(picture: np.ndarray, colour: str) -> int:
    """Pixels of about this colour."""
    wanted = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])
    return int((np.abs(picture - wanted).max(axis=-1) < 12).sum())


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_strip_is_the_same_each_time_and_leaves_nothing_else(suffix: str, tmp_path: Path) -> None:
    paths = [tmp_path / name / f"strip{suffix}" for name in ("a", "b")]
    for path in paths:
        skeleton_strip(seen(), NTU25, path, title="handshaking")
        assert list(path.parent.iterdir()) == [path]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_strip_has_one_panel_a_frame(tmp_path: Path) -> None:
    widths = []
    for frames in (4, 8):
        skeleton_strip(seen(6, 20), NTU25, tmp_path / "strip.png", frames=frames)
        widths.append(pixels(tmp_path / "strip.png").shape[1])
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.02)


def test_fewer_frames_than_asked_for(tmp_path: Path) -> None:
    skeleton_strip(seen(6, 2), NTU25, tmp_path / "strip.png", frames=8)
    assert (tmp_path / "strip.png").exists()


def test_second_body_is_lighter_and_absent_bodies_are_not_drawn(tmp_path: Path) -> None:
    both = seen()
    alone = both.copy()
    alone[:, 1] = 0.0
    skeleton_strip(both, NTU25, tmp_path / "both.png")
    skeleton_strip(alone, NTU25, tmp_path / "alone.png")
    two, one = pixels(tmp_path / "both.png"), pixels(tmp_path / "alone.png")
    for first, other in COLOURS.values():
        assert inked(two, first) > 50
        assert inked(two, other) > 50
        assert inked(one, first) > 50
    for part in ("left", "right"):
        assert inked(one, COLOURS[part][1]) < inked(two, COLOURS[part][1]) / 10


def test_far_limbs_are_hidden_by_near_ones(tmp_path: Path) -> None:
    layout = SkeletonLayout(
        name="crossing",
        joints=("middle", "left_a", "right_a"),
        parents=(0, 0, 0),
        pairs=((1, 2),),
        heading=(1, 2),
        pelvis=(0,),
    )
    shares = []
    for near in (1, 2):
        body = np.array([[0.0, 0.0, 3.0], [0.0, 1.0, 3.0], [0.0, 1.0, 3.0]])
        body[near, 2] = 2.0
        skeleton_strip(body[None, None], layout, tmp_path / "x.png", frames=1)
        picture = pixels(tmp_path / "x.png")
        shares.append(inked(picture, COLOURS["left"][0]) > inked(picture, COLOURS["right"][0]))
    assert shares == [True, False]


def test_scale_is_common_to_all_frames(tmp_path: Path) -> None:
    """A body that shrinks to half must look half as high in the last panel."""
    body = seen(6, 20)[:1, :1]
    clip = np.concatenate((body, 0.5 * body))
    skeleton_strip(clip, NTU25, tmp_path / "x.png", frames=2)
    picture = pixels(tmp_path / "x.png")
    wanted = np.array([0x30, 0x30, 0x30])
    dark = np.abs(picture - wanted).max(axis=-1) < 12
    heights = []
    for half in np.array_split(dark, 2, axis=1):
        rows = np.flatnonzero(half.any(axis=1))
        heights.append(rows[-1] - rows[0])
    assert 0.45 < heights[1] / heights[0] < 0.75


def test_animation_has_every_frame(tmp_path: Path) -> None:
    path = tmp_path / "clip.gif"
    joints = kinect20_from_ntu25(perform_nw_ucla(4, 2, 0, frames=(15, 15)))
    skeleton_animation(joints, KINECT20, path, fps=10.0, title="walk around")
    assert list(tmp_path.iterdir()) == [path]
    with image.open(path) as gif:
        assert gif.n_frames == 15
        assert gif.info["duration"] == 100
    first = path.read_bytes()
    skeleton_animation(joints, KINECT20, path, fps=10.0, title="walk around")
    assert path.read_bytes() == first


def test_unknown_suffix_names_the_allowed_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'\.jpg' is not one of \.png, \.svg"):
        skeleton_strip(seen(), NTU25, tmp_path / "x.jpg")
    with pytest.raises(ValueError, match=r"'\.mp4' is not one of \.gif"):
        skeleton_animation(seen(), NTU25, tmp_path / "x.mp4")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_drawn_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        skeleton_strip(np.zeros((3, 1, 25, 3)), NTU25, tmp_path / "x.png")
    with pytest.raises(ValueError, match="are not \\(t, m, 20, 3\\) of 'kinect20'"):
        skeleton_strip(seen(), KINECT20, tmp_path / "x.png")
