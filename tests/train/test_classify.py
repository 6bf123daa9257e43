"""Training with labels: stopped and resumed it is the training that was not stopped."""

import os
import signal
from pathlib import Path

import pytest
import torch

from kinestream.augment.transforms import Augmentation, Shear
from kinestream.data.clips import Clips
from kinestream.data.store import Store
from kinestream.methods.method import Progress
from kinestream.models.classifier import StreamClassifier
from kinestream.models.kernels.graph import adjacency
from kinestream.models.stgcn import STGCN
from kinestream.skeleton.layout import KINECT20
from kinestream.train.classify import TrainingSettings, score_clips, train_classifier
from kinestream.train.labelled import Classification, LabelledLoader
from kinestream.train.run_folder import read_metrics

SETTINGS = TrainingSettings(epochs=4, batch_size=8, rate=0.01, layer_decay=0.9, warmup_epochs=0.5)


def made() -> StreamClassifier:
    encoder = STGCN(torch.from_numpy(adjacency(KINECT20)), hidden=4, dim=8, dropout=0.2)
    return StreamClassifier({"joint": encoder}, 10, frozen_statistics=False)


def train(store: Store, folder: Path, origin: str = "here") -> torch.Tensor:
    clips = Clips(store, 10)
    chosen = torch.from_numpy(store.select("xview", "train"))
    model = train_classifier(
        made,
        clips,
        chosen,
        torch.from_numpy(store.labels)[chosen],
        augmentation=Augmentation((Shear(0.2),)),
        settings=SETTINGS,
        seed=0,
        folder=folder,
        origin=origin,
        device=torch.device("cpu"),
        advance=lambda done, total, note="": None,
    )
    return score_clips(model, clips, torch.from_numpy(store.select("xview", "test")), torch.device("cpu"))


def test_stopped_and_resumed_equals_uninterrupted(
    small_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(small_store)
    whole = train(store, tmp_path / "whole")
    assert train(store, tmp_path / "whole").equal(whole), "done: read, not trained"

    def stop_in_the_middle(self: Classification, progress: Progress) -> None:
        if progress.step % 6 == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(Classification, "after_step", stop_in_the_middle)
        with pytest.raises(KeyboardInterrupt):
            train(store, tmp_path / "stopped")
    assert len(read_metrics(tmp_path / "stopped" / "metrics.jsonl")) < 16
    assert train(store, tmp_path / "stopped").equal(whole)


def test_a_training_from_elsewhere_is_begun_anew(
    small_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(small_store)
    steps: list[int] = []
    counted = Classification.after_step

    def count(self: Classification, progress: Progress) -> None:
        steps.append(progress.step)
        counted(self, progress)

    monkeypatch.setattr(Classification, "after_step", count)
    train(store, tmp_path / "run", origin="a")
    once = list(steps)
    train(store, tmp_path / "run", origin="a")
    assert steps == once, "done: read, not trained"
    train(store, tmp_path / "run", origin="b")
    assert steps == once + once
    assert '"origin": "b"' in (tmp_path / "run" / "settings.json").read_text()


def test_every_clip_comes_once_an_epoch_with_its_label_however_few_there_are(small_store: Path) -> None:
    store = Store(small_store)
    labels = torch.from_numpy(store.labels)
    for count, batch_size, steps in ((27, 8, 4), (3, 8, 1)):
        chosen = torch.arange(count)
        loader = LabelledLoader(
            Clips(store, 10),
            chosen,
            labels[:count],
            streams=["joint"],
            augmentation=Augmentation(()),
            batch_size=batch_size,
            seed=0,
            device=torch.device("cpu"),
        )
        assert loader.steps == steps
        seen = [(clip, int(label)) for x, y in loader.epoch(1, 0) for clip, label in zip(x["joint"], y, strict=True)]
        clips = torch.from_numpy(Clips(store, 10).batch(chosen.numpy())).permute(0, 4, 1, 3, 2)
        order = [next(i for i in range(count) if clips[i].equal(clip)) for clip, _ in seen]
        assert sorted(order) == list(range(count))
        assert order != list(range(count)) or count < 4, "in another order"
        assert [label for _, label in seen] == labels[order].tolist()
