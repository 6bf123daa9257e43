"""Folders of generated recordings in the raw formats.

Performances are counted; each stands for three files in a row, one from each camera. A file depends on the seed and its
number alone, so a longer run begins with the files of a shorter one.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kinestream.data.datasets import load_dataset
from kinestream.data.synthetic.catalogue import NTU_ACTIONS, NW_UCLA_ACTIONS
from kinestream.data.synthetic.formats import ntu_bytes, nw_ucla_bytes
from kinestream.data.synthetic.performance import (
    NTU_FRAMES,
    NW_UCLA_FRAMES,
    kinect20_from_ntu25,
    perform_ntu,
    perform_nw_ucla,
)
from kinestream.data.synthetic.sensor import draw_camera, record
from kinestream.files import new_folder

CAMERAS = 3

NTU_TRAIN = tuple(sorted(int(subject) for subject in load_dataset("ntu60").splits["xsub"].train))
NTU_TEST = tuple(sorted(set(range(1, 41)) - set(NTU_TRAIN)))
"""Subjects on both sides of the cross-subject split of NTU-60."""

NTU_SETUPS, NTU_USUAL_SETUPS = 32, 17
"""Setups in NTU-120 and in NTU-60."""

NW_UCLA_SUBJECTS, NW_UCLA_EPISODES = 10, 100

NTU_NOISE, NW_UCLA_NOISE = 1.3, 2.2
"""How faulty the newer and the older sensor are."""

CRLF = 0.1
"""Share of NTU files with CRLF line ends."""


def generate_ntu(
    out: Path,
    clips: int,
    seed: int,
    *,
    frames: tuple[int, int] = NTU_FRAMES,
    classes: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Writes `clips` NTU RGB+D files `SsssCcccPpppRrrrAaaa.skeleton` into `out` and returns their paths.

    Args:
        out: a folder that is empty or does not exist yet.
        clips: number of files; three cameras see each performance.
        seed: another seed, other people and performances.
        frames: least and greatest length of a performance; frames that the sensor loses shorten the recording.
        classes: number of action classes, spread evenly over the generated ones; all by default.
        progress: called with the number of files written so far.

    Raises:
        ValueError: if `out` holds files, or a number does not fit.
    """
    actions = choose_actions(NTU_ACTIONS, classes)
    check_numbers(clips, seed, frames, most=len(actions) * CAMERAS * 3 * len(NTU_TRAIN) * NTU_SETUPS)
    takes = (ntu_take(number, actions) for number in range(-(-clips // CAMERAS)))
    return write_files(out, clips, (file for take in takes for file in _ntu_files(take, seed, frames)), progress)


def generate_nw_ucla(
    out: Path,
    clips: int,
    seed: int,
    *,
    frames: tuple[int, int] = NW_UCLA_FRAMES,
    classes: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Writes `clips` NW-UCLA files `aAA_sSS_eEE_vVV.json` into `out` and returns their paths; see `generate_ntu`."""
    actions = choose_actions(NW_UCLA_ACTIONS, classes)
    check_numbers(clips, seed, frames, most=len(actions) * CAMERAS * NW_UCLA_SUBJECTS * NW_UCLA_EPISODES)
    takes = (nw_ucla_take(number, actions) for number in range(-(-clips // CAMERAS)))
    return write_files(out, clips, (file for take in takes for file in _nw_ucla_files(take, seed, frames)), progress)


@dataclass(frozen=True, kw_only=True)
class Take:
    """Who does what, where and for which time."""

    number: int
    action: int
    subject: int
    partner: int
    repetition: int
    setup: int = 0


def ntu_take(number: int, actions: tuple[int, ...]) -> Take:
    """Performance `number`: classes in turn, two thirds by training subjects, setups 18 to 32 when 1 to 17 are used up.

    Two rounds over the classes already have each class on both sides of the split.
    """
    turn, place = divmod(number, len(actions))
    group, step = divmod(turn, 3)
    tested = 1 - place % 2
    if step == tested:
        subjects, turn = NTU_TEST, group
    else:
        subjects, turn = NTU_TRAIN, turn - group - (step > tested)
    lap, index = divmod(turn, len(subjects))
    index = (index + 7 * place) % len(subjects)
    setup = lap // 2
    if setup < NTU_USUAL_SETUPS:
        setup = (setup + index + place) % NTU_USUAL_SETUPS
    return Take(
        number=number,
        action=actions[place],
        subject=subjects[index],
        partner=subjects[(index + 1 + place % 3) % len(subjects)],
        repetition=1 + (lap + index) % 2,
        setup=1 + setup,
    )


def nw_ucla_take(number: int, actions: tuple[int, ...]) -> Take:
    """Performance `number`: classes in turn, then subjects, then episodes."""
    turn, place = divmod(number, len(actions))
    episode, index = divmod(turn, NW_UCLA_SUBJECTS)
    subject = 1 + (index + 3 * place) % NW_UCLA_SUBJECTS
    return Take(number=number, action=actions[place], subject=subject, partner=subject, repetition=episode)


def _ntu_files(take: Take, seed: int, frames: tuple[int, int]) -> Iterator[tuple[str, bytes]]:
    """The same performance from three sides; in the first repetition people face one camera, in the second another."""
    joints = perform_ntu(
        take.action,
        take.subject,
        seed,
        number=take.number,
        partner=take.partner,
        facing=(-1) ** take.repetition * np.pi / 4,
        frames=frames,
    )
    for camera in range(1, CAMERAS + 1):
        rng = np.random.default_rng((seed, 4, take.number, camera))
        name = f"S{take.setup:03d}C{camera:03d}P{take.subject:03d}R{take.repetition:03d}A{take.action:03d}.skeleton"
        content = ntu_bytes(record(joints, draw_camera(camera, take.setup), rng, noise=NTU_NOISE), rng)
        yield name, content.replace(b"\n", b"\r\n") if rng.random() < CRLF else content


def _nw_ucla_files(take: Take, seed: int, frames: tuple[int, int]) -> Iterator[tuple[str, bytes]]:
    """Three views.

    NOTE(views): each has a performance of its own, unlike the real ones; otherwise what is nearest to a clip of the
    test view would nearly always be the same performance in a training view.
    """
    label = 1 + list(NW_UCLA_ACTIONS).index(take.action)
    for view in range(1, CAMERAS + 1):
        number = CAMERAS * take.number + view - 1
        joints = perform_nw_ucla(take.action, take.subject, seed, number=number, frames=frames)
        rng = np.random.default_rng((seed, 6, number))
        sighting = record(joints, draw_camera(view, take.setup), rng, noise=NW_UCLA_NOISE)
        seen = sighting.joints[sighting.bodies[:, 0] >= 0, 0]
        name = f"a{take.action:02d}_s{take.subject:02d}_e{take.repetition:02d}_v{view:02d}"
        yield f"{name}.json", nw_ucla_bytes(kinect20_from_ntu25(seen), name, label)


def choose_actions(actions: Mapping[int, Any], classes: int | None) -> tuple[int, ...]:
    """Numbers of so many classes, spread evenly; all by default. Raises ValueError when there are not so many."""
    numbers = tuple(actions)
    if classes is None:
        return numbers
    if not 2 <= classes <= len(numbers):
        raise ValueError(f"classes={classes}: choose 2 to {len(numbers)} classes")
    return tuple(numbers[round(step)] for step in np.linspace(0, len(numbers) - 1, classes))


def check_numbers(clips: int, seed: int, frames: tuple[int, int], *, most: int) -> None:
    """Raises ValueError when one of the numbers does not fit."""
    if not 1 <= clips <= most:
        raise ValueError(f"clips={clips}: there are names for 1 to {most} clips of these classes")
    if seed < 0:
        raise ValueError(f"seed={seed}: give a number from 0 on")
    if not 2 <= frames[0] <= frames[1]:
        raise ValueError(f"frames={frames}: give the least and the greatest number of frames, at least 2")


def write_files(
    out: Path, count: int, files: Iterator[tuple[str, bytes]], progress: Callable[[int], None] | None
) -> list[Path]:
    """Writes the first `count` files, given as (name, content), and returns their paths: all of them, or none. Raises
    ValueError when `out` holds files."""
    names = []
    with new_folder(out, empty=True) as folder:
        for done, (name, content) in zip(range(1, count + 1), files, strict=False):
            file = folder / name
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(content)
            names.append(name)
            if progress is not None:
                progress(done)
    return [out / name for name in names]
