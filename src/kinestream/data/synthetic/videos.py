"""Generated PKU-MMD trees: long videos of several actions with pauses, their label files and split files.

Performances are counted; each stands for three videos, one from each view. A video depends on the seed and its number
alone, so a longer run begins with the videos of a shorter one; only the split files differ.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float

from kinestream.data.synthetic.catalogue import PKU_CLASSES
from kinestream.data.synthetic.formats import pku_bytes
from kinestream.data.synthetic.generate import CAMERAS, NTU_NOISE, check_numbers, choose_actions, write_files
from kinestream.data.synthetic.performance import NTU_FRAMES, perform_ntu
from kinestream.data.synthetic.sensor import draw_camera, record

ACTIONS = 6
"""Labelled actions in each video."""

PAUSE = (8, 40)
"""Least and greatest number of frames before, between and after them."""

SUBJECTS = {1: 66, 2: 13}
PERFORMANCES = {1: 363, 2: 26 * 13}
"""By the phase: people, and names for performances."""

FEWEST = 3 * ACTIONS + 1
"""Actions with which the second subject is seen: the first is for training, that one for validation."""

_SPLIT_FILES = {1: ("cross-subject.txt", "cross-view.txt"), 2: ("cross_subject_v2.txt", "cross_view_v2.txt")}


def generate_pku(
    out: Path,
    clips: int,
    seed: int,
    *,
    phase: Literal[1, 2],
    frames: tuple[int, int] = NTU_FRAMES,
    classes: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Writes a PKU-MMD tree with at least `clips` labelled actions, six in a video, and returns the paths of its files:
    `skeleton/`, `label/` and `Split/`. See `generate_ntu`; `progress` is called with the number of files.

    Raises:
        ValueError: if `out` holds files, or a number does not fit.
    """
    numbers = choose_actions(PKU_CLASSES, classes)
    if clips < FEWEST:
        raise ValueError(f"clips={clips}: a tree with both parts of its splits needs {FEWEST} actions")
    check_numbers(clips, seed, frames, most=PERFORMANCES[phase] * CAMERAS * ACTIONS)
    videos = [video_of(number, phase) for number in range(-(-clips // ACTIONS))]
    files = (file for video in videos for file in _video_files(video, numbers, seed, frames))
    lists = ((f"Split/{name}", content) for name, content in _split_files(videos, phase))
    return write_files(out, count_pku_files(clips), (file for part in (files, lists) for file in part), progress)


def count_pku_files(clips: int) -> int:
    """Files of a tree with at least so many actions: two for each video, and two with the splits."""
    return 2 * -(-clips // ACTIONS) + 2


@dataclass(frozen=True, kw_only=True)
class Video:
    """Who is seen from where."""

    name: str
    performance: int
    view: int
    subject: int
    partner: int

    @property
    def validated(self) -> tuple[bool, bool]:
        """Whether it is for validation by subject, and by view."""
        return self.subject % 3 == 2, self.view == 1


def video_of(number: int, phase: Literal[1, 2]) -> Video:
    """The views of a performance in a row; subjects in turn.

    Example:
        >>> [video_of(number, 2).name for number in (0, 2, 3, 39)]
        ['A01N01-L', 'A01N01-R', 'A01N02-L', 'A02N01-L']
    """
    performance, view = divmod(number, CAMERAS)
    turn, index = divmod(performance, SUBJECTS[phase])
    place = f"{performance + 2:04}" if phase == 1 else f"A{turn + 1:02}N{index + 1:02}"
    return Video(
        name=f"{place}-{'LMR'[view]}",
        performance=performance,
        view=view + 1,
        subject=index + 1,
        partner=(index + 1) % SUBJECTS[phase] + 1,
    )


def _video_files(
    video: Video, classes: tuple[int, ...], seed: int, frames: tuple[int, int]
) -> Iterator[tuple[str, bytes]]:
    """The skeleton and the label file. What the sensor loses shortens a view, and its labels go with that."""
    rng = np.random.default_rng((seed, 8, video.performance, video.view))
    camera = draw_camera(video.view, 1 + video.performance % 17)
    seen, rows, length = [], [], 0
    for label, joints in _scenes(video, classes, seed, frames):
        sighting = record(joints, camera, rng, noise=NTU_NOISE)
        seen.append(sighting)
        if label is not None:
            rows.append(f"{label},{length + 1},{length + len(sighting.joints)},{rng.integers(1, 3)}\n")
        length += len(sighting.joints)
    yield f"skeleton/{video.name}.txt", pku_bytes(seen)
    yield f"label/{video.name}.txt", "".join(rows).encode()


def _scenes(
    video: Video, classes: tuple[int, ...], seed: int, frames: tuple[int, int]
) -> Iterator[tuple[int | None, Float[np.ndarray, "t m 25 3"]]]:
    """The actions with their classes, and pauses (None) in which the subject glides from where it is to where it goes
    on, alone. The same in all views."""
    rng = np.random.default_rng((seed, 7, video.performance))
    labels = [classes[(video.performance * ACTIONS + turn) % len(classes)] for turn in range(ACTIONS)]
    facing = float(rng.choice((-1.0, 1.0)) * np.pi / 4)
    acts = [
        perform_ntu(
            PKU_CLASSES[label],
            video.subject,
            seed,
            number=1_000_000 + video.performance * ACTIONS + turn,
            partner=video.partner,
            facing=facing,
            frames=frames,
        )
        for turn, label in enumerate(labels)
    ]
    pose = acts[0][0, :1]
    for label, act in zip(labels, acts, strict=True):
        yield None, _glide(pose, act[0, :1], int(rng.integers(*PAUSE)))
        yield label, act
        pose = act[-1, :1]
    yield None, _glide(pose, pose, int(rng.integers(*PAUSE)))


def _glide(
    start: Float[np.ndarray, "1 25 3"], end: Float[np.ndarray, "1 25 3"], frames: int
) -> Float[np.ndarray, "t 1 25 3"]:
    share = np.linspace(0, 1, frames)[:, None, None, None]
    return start + share * (end - start)


def _split_files(videos: list[Video], phase: Literal[1, 2]) -> Iterator[tuple[str, bytes]]:
    for place, name in enumerate(_SPLIT_FILES[phase]):
        train = ", ".join(video.name for video in videos if not video.validated[place])
        test = ", ".join(video.name for video in videos if video.validated[place])
        yield name, f"Training videos:\n{train}\nValidation videos:\n{test}\n".encode()
