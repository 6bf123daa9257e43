"""Recordings of several cameras that show the same, told by the features of encoders alone."""

from pathlib import Path

import numpy as np
import torch

from kinestream.data.partners import write_pairs
from kinestream.evaluate.whitening import mutual_neighbours
from kinestream.protocols.subject import Subject


def pair_cameras(subject: Subject, out: Path, *, count: int) -> None:
    """Writes the pairs of training recordings of two cameras that are each among the `count` nearest of the other in
    the other cameras, and says how many there are. No label counts; how many pairs are of one action is for display.

    Raises ValueError when the training recordings are all of one camera, or no two of them find each other.
    """
    if count < 1:
        raise ValueError(f"--count {count}: at least one neighbour must count")
    cameras = subject.store.table.camera[subject.train]
    if len(np.unique(cameras)) < 2:
        raise ValueError(
            f"the {len(cameras)} training recordings of split '{subject.split}' in {subject.store.path} are all of "
            f"camera {cameras[0]}: there is no other to look for the same in"
        )
    pairs = mutual_neighbours(subject.training_features(), count, camera=torch.from_numpy(cameras)).numpy()
    if not len(pairs):
        raise ValueError(f"no two of the {len(cameras)} training recordings are near to each other: a larger --count?")
    names = [subject.store.table.name[index] for index in subject.train.tolist()]
    write_pairs(out, ((names[first], names[second]) for first, second in pairs.tolist()))
    labels = subject.train_labels.numpy()[pairs]
    subject.screen.say(
        f"{out}: {len(pairs)} pairs; {len(np.unique(pairs))} of {len(names)} recordings have a partner\n"
        f"for display only: {100 * float((labels[:, 0] == labels[:, 1]).mean()):.1f} % of the pairs are of one action"
    )
