"""Movements of every kind by anybody, for an encoder that shall know any: each is performed twice, by two people.

Half of them are actions of the catalogue, in one style drawn for both performances; the others have no name (see
`improvise`). People, paces, cameras, faults of the sensor and the form of the joints are drawn for each performance.
"""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float

from kinestream.data.formats.outgoing import Outgoing
from kinestream.data.formats.to_npz import write_npz
from kinestream.data.recording import Recording
from kinestream.data.synthetic.catalogue import NTU_ACTIONS, NW_UCLA_ACTIONS
from kinestream.data.synthetic.forms import any_form
from kinestream.data.synthetic.generate import check_numbers
from kinestream.data.synthetic.improvise import improvise, seconds_of
from kinestream.data.synthetic.kinematics import joints_of
from kinestream.data.synthetic.people import draw_anybody, mood
from kinestream.data.synthetic.sensor import Camera, record
from kinestream.data.synthetic.timing import draw_clock
from kinestream.files import new_folder, replacing
from kinestream.skeleton.layout import load_layout

NAMED = 0.5
"""Share of the movements that are actions of the catalogue."""

PERFORMANCES = 2
RATE, FRAMES = 30.0, (20, 200)
PAIRS = "pairs.csv"
IN_A_FILE = 1000
MOST = 2_000_000

_ACTIONS = tuple(one for one in (*NTU_ACTIONS.values(), *NW_UCLA_ACTIONS.values()) if one.solo is not None)


def perform_movement(number: int, performance: int, seed: int) -> Float[np.ndarray, "t 1 16 3"]:
    """What a sensor has of one performance of a movement: metres, y up, joints as in the layout body16.

    Example:
        >>> perform_movement(3, 0, seed=0).shape[1:]
        (1, 16, 3)
    """
    what, how = (np.random.default_rng((seed, *path)) for path in ((21, number), (22, number, performance)))
    person = mood(draw_anybody(how), how)
    named, action = what.random() < NAMED, _ACTIONS[int(what.integers(len(_ACTIONS)))]
    seconds = seconds_of(what)
    if named:
        seconds = float(what.uniform(*action.seconds))
    clock = draw_clock(
        how,
        active=seconds / person.tempo * float(np.exp(0.12 * how.standard_normal())),
        before=float(how.uniform(0, 0.7)),
        after=float(how.uniform(0, 0.7)),
        rate=RATE,
        frames=FRAMES,
    )
    if named:
        assert action.solo is not None
        motion = action.solo(person, clock, what)
    else:
        motion = improvise(person, clock, what, how)
    around = how.uniform(-np.pi, np.pi) if how.random() < 0.5 else how.normal(0, 0.6)
    camera = Camera(
        angle=float(around), distance=float(how.uniform(2.0, 4.5)), height=float(how.uniform(0.5, 2.0)), down=0.0
    )
    seen = record(joints_of(person, motion)[:, None], camera, how, noise=float(how.uniform(0.0, 1.3)))
    joints = seen.joints[seen.bodies[:, 0] >= 0, 0]
    joints = joints + np.array([0.0, camera.height, 0.0])
    return any_form(joints, how)[:, None]


def generate_movements(
    out: Path, clips: int, seed: int, *, progress: Callable[[int], None] | None = None
) -> list[Path]:
    """Writes `clips` recordings into `out`, a thousand a file, and `pairs.csv`, which says what shows the same
    movement; returns the paths. A longer run begins with the recordings of a shorter one.

    Raises ValueError if `out` holds files, or a number does not fit.
    """
    check_numbers(clips, seed, FRAMES, most=MOST)
    if clips % PERFORMANCES:
        raise ValueError(f"clips={clips}: every movement is performed {PERFORMANCES} times, give an even number")
    if out.is_dir() and any(out.iterdir()):
        raise ValueError(f"{out} exists and is not an empty folder: name another folder or remove it first")
    names: list[Path] = []
    with new_folder(out) as folder:
        with replacing(folder / PAIRS) as part, part.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("recording", "partner"))
            for clip in range(0, clips, PERFORMANCES):
                stem, number = _file(clip), clip // PERFORMANCES
                writer.writerow([f"{stem}/{_name(number, performance)}" for performance in range(PERFORMANCES)])
        for first in range(0, clips, IN_A_FILE):
            last = min(first + IN_A_FILE, clips)
            path = folder / f"{_file(first)}.npz"
            with Outgoing(list(_recordings(first, last, seed, progress)), folder) as outgoing:
                write_npz(outgoing, path)
            names.append(out / path.name)
    return [*names, out / PAIRS]


def _recordings(first: int, last: int, seed: int, progress: Callable[[int], None] | None) -> Iterator[Recording]:
    layout = load_layout("body16")
    for clip in range(first, last):
        number, performance = divmod(clip, PERFORMANCES)
        joints = perform_movement(number, performance, seed).astype(np.float32)
        yield Recording(joints=joints, layout=layout, fps=RATE, name=_name(number, performance))
        if progress is not None:
            progress(clip + 1)


def _file(clip: int) -> str:
    """The stem of the file that a recording is in, and of its name in a store."""
    return f"movements-{clip - clip % IN_A_FILE:07d}"


def _name(number: int, performance: int) -> str:
    return f"m{number:07d}-{performance}"
