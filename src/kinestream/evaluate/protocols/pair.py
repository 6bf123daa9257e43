"""Recordings of several cameras that show the same, told by the features of encoders alone."""

from pathlib import Path

import numpy as np
import torch

from kinestream.data.partners import write_pairs
from kinestream.data.store import Store
from kinestream.evaluate.protocols.subject import Device, Subject
from kinestream.features.whitening import mutual_neighbours
from kinestream.train.run_folder import RunFolder


def check_cameras(store: Store, split: str) -> None:
    """Raises ValueError where training recordings of a split cannot be paired: whole videos, or all of one camera."""
    if store.continuous:
        raise ValueError(
            f"{store.path} holds whole videos, of which no two show the same: pair a store that was prepared without "
            "--continuous"
        )
    cameras = store.table.camera[store.select(split, "train")]
    if len(np.unique(cameras)) < 2:
        raise ValueError(
            f"the {len(cameras)} training recordings of split '{split}' in {store.path} are all of camera "
            f"{', '.join(map(str, np.unique(cameras)))}: there is no other to look for the same in"
        )


def pair_cameras(run: Path, data: Path, out: Path, *, split: str | None, count: int, device: Device) -> None:
    """Writes the pairs of training recordings of two cameras that are each among the `count` nearest of the other in
    the other cameras, and says how many there are. No label counts; how many pairs are of one action is for display.

    Raises ValueError when run and store do not go together, when the encoders have seen test recordings of the split,
    when the training recordings are all of one camera, and when no two of them find each other.
    """
    if count < 1:
        raise ValueError(f"--count {count}: at least one neighbour must count")
    if RunFolder(out.parent).pairs == out and (out.parent / "config.yaml").is_file():
        raise ValueError(f"{out} is what a run keeps of the pairs that it was given: choose another --out")
    subject = Subject(run, data, split, device, references=False, judged=False)
    store = subject.store
    check_cameras(store, subject.split)
    cameras = store.table.camera[subject.train]
    pairs = mutual_neighbours(subject.training_features(), count, camera=torch.from_numpy(cameras)).numpy()
    if not len(pairs):
        raise ValueError(
            f"no two of the {len(cameras)} training recordings are each among the {count} nearest of the other: "
            "give a larger --count"
        )
    names = [store.table.name[index] for index in subject.train.tolist()]
    write_pairs(
        out,
        ((names[first], names[second]) for first, second in pairs.tolist()),
        found_for=(store.info.dataset, subject.split),
    )
    subject.screen.say(f"{out}: {len(pairs)} pairs; {len(np.unique(pairs))} of {len(names)} recordings have a partner")
    labels = store.labels[subject.train][pairs]
    alike = 100 * float((labels[:, 0] == labels[:, 1]).mean())
    subject.screen.say(f"for display only: {alike:.1f} % of the pairs are of one action")
