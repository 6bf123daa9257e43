from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from kinestream.augment.mixing import SHARE, Mixture
from kinestream.augment.settings import MixingSettings
from kinestream.augment.transforms import Augmentation, Shear, TemporalCrop
from kinestream.data.clips import Clips
from kinestream.data.partners import Partners, pairs_of_equal
from kinestream.data.store import Store
from kinestream.data.unlabelled import Part, Unlabelled
from kinestream.methods.method import Views
from kinestream.skeleton.layout import KINECT20
from kinestream.train.views import Loader, ViewLoader, to_batch


def loader(
    path: Path,
    *,
    augmentation: Augmentation | None = None,
    batch_size: int = 8,
    seed: int = 0,
    views: int = 2,
    partners: Partners | None = None,
    mixtures: Sequence[Mixture] = (),
    rank: int = 0,
    processes: int = 1,
) -> ViewLoader:
    store = Store(path)
    return ViewLoader(
        Unlabelled([Part(clips=Clips(store, 10), indices=store.select("xview", "train"))]),
        streams=("joint", "bone"),
        augmentations=[augmentation if augmentation is not None else Augmentation((TemporalCrop(), Shear()))] * views,
        batch_size=batch_size,
        seed=seed,
        device=torch.device("cpu"),
        partners=partners,
        mixtures=mixtures,
        rank=rank,
        processes=processes,
    )


def by_performances(path: Path, share: float) -> Partners:
    """Training clips of one performance are each other's partners."""
    store = Store(path)
    numbers = store.performances[store.select("xview", "train")]
    return Partners(pairs_of_equal(numbers), len(numbers), share=share)


def equal(a: list[Views], b: list[Views]) -> bool:
    return len(a) == len(b) and all(
        torch.equal(x[view][stream], y[view][stream])
        for x, y in zip(a, b, strict=True)
        for view in (0, 1)
        for stream in x[view]
    )


def test_says_which_recordings_a_batch_is_made_of(small_store: Path) -> None:
    source = loader(small_store, augmentation=Augmentation(()))
    store = Store(small_store)
    clips, train = Clips(store, 10), store.select("xview", "train")
    for epoch in (0, 1):
        for step, views in enumerate(source.epoch(epoch, 0)):
            chosen = source.chosen(epoch, step)
            assert torch.equal(views[0]["joint"], to_batch(torch.from_numpy(clips.batch(train[chosen.numpy()]))))
    assert torch.equal(source.chosen(0, 1), loader(small_store).chosen(0, 1)), "in whatever order it is asked"


def test_gives_two_different_views_of_the_same_clips(small_store: Path) -> None:
    source = loader(small_store)
    assert isinstance(source, Loader)
    batches = list(source.epoch(0, 0))
    assert len(batches) == source.steps == 3, "27 clips, batches of 8, the last 3 dropped"
    for first, second in batches:
        assert set(first) == {"joint", "bone"}
        assert first["joint"].shape == (8, 3, 10, 20, 1)
        assert not torch.equal(first["joint"], second["joint"])


def test_a_third_view_leaves_the_first_two_as_they_are(small_store: Path) -> None:
    two, three = (list(loader(small_store, views=views).epoch(0, 0)) for views in (2, 3))
    assert [len(views) for views in three] == [3, 3, 3]
    assert equal(two, [views[:2] for views in three])
    for _, second, third in three:
        assert not torch.equal(second["joint"], third["joint"])


def test_without_augmentation_an_epoch_is_each_training_clip_at_most_once(small_store: Path) -> None:
    store = Store(small_store)
    clips = to_batch(torch.from_numpy(Clips(store, 10).batch(store.select("xview", "train"))))
    seen = torch.cat([views[0]["joint"] for views in loader(small_store, augmentation=Augmentation(())).epoch(0, 0)])
    found = [int((clips == clip).flatten(1).all(dim=1).nonzero()) for clip in seen]
    assert len(found) == len(set(found)) == 24


def test_epochs_differ_in_order_and_augmentation_and_are_repeatable(small_store: Path) -> None:
    # The published loader's workers replay their augmentation in every epoch: deviation 1.
    source = loader(small_store)
    epochs = [list(source.epoch(epoch, 0)) for epoch in (0, 1, 0)]
    assert equal(epochs[0], epochs[2])
    assert not equal(epochs[0], epochs[1])
    assert not equal(epochs[0], list(loader(small_store, seed=1).epoch(0, 0)))


def test_an_epoch_can_be_entered_at_any_step(small_store: Path) -> None:
    source = loader(small_store)
    assert equal(list(source.epoch(2, 0))[1:], list(source.epoch(2, 1)))


def test_refuses_fewer_clips_than_a_batch(small_store: Path) -> None:
    with pytest.raises(ValueError, match="27 training clips are less than one batch of 64: set batch_size"):
        loader(small_store, batch_size=64)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_further_views_are_of_partners(small_store: Path, share: float) -> None:
    store = Store(small_store)
    train = store.select("xview", "train")
    clips = to_batch(torch.from_numpy(Clips(store, 10).batch(train)))
    source = loader(small_store, augmentation=Augmentation(()), views=3, partners=by_performances(small_store, share))
    changed = []
    for epoch in range(8):
        for step, (first, second, third) in enumerate(source.epoch(epoch, 0)):
            chosen = source.chosen(epoch, step)
            assert torch.equal(first["joint"], clips[chosen])
            assert torch.equal(second["joint"], third["joint"])
            for number, clip in zip(chosen.tolist(), second["joint"], strict=True):
                found = int((clips == clip).flatten(1).all(dim=1).nonzero())
                assert store.performances[train[found]] == store.performances[train[number]]
                if (store.performances[train] == store.performances[train[number]]).sum() > 1:
                    changed.append(found != number)
    assert sum(changed) / len(changed) == pytest.approx(share, abs=0.15)


def test_partners_do_not_hang_on_the_step_that_is_entered_at(small_store: Path) -> None:
    source = loader(small_store, partners=by_performances(small_store, 0.5))
    assert equal(list(source.epoch(2, 0))[1:], list(source.epoch(2, 1)))
    assert equal([views[:1] * 2 for views in source.epoch(2, 0)], [v[:1] * 2 for v in loader(small_store).epoch(2, 0)])
    assert not equal(list(source.epoch(2, 0)), list(loader(small_store).epoch(2, 0)))


MIXTURES = (
    Mixture(mixing=MixingSettings().build(KINECT20), first=0, second=1, across=False),
    Mixture(mixing=MixingSettings().build(KINECT20), first=0, second=1),
)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_two_processes_draw_the_halves_of_one_batch_mixtures_too(small_store: Path, share: float) -> None:
    partners = by_performances(small_store, share) if share else None
    whole, *halves = (
        list(loader(small_store, mixtures=MIXTURES, partners=partners, rank=rank, processes=processes).epoch(1, 1))
        for rank, processes in ((0, 1), (0, 2), (1, 2))
    )
    assert [len(views) for views in whole] == [4, 4]
    for step, views in enumerate(whole):
        for number, view in enumerate(views):
            for name, value in view.items():
                assert torch.equal(torch.cat([half[step][number][name] for half in halves]), value), (number, name)
    shares = [views[2][SHARE] for views in whole]
    assert not torch.equal(*shares), "drawn anew for each batch"


def test_mixtures_leave_the_views_as_they_are(small_store: Path) -> None:
    mixed = list(loader(small_store, mixtures=MIXTURES).epoch(0, 0))
    assert equal(list(loader(small_store).epoch(0, 0)), [views[:2] for views in mixed])
    assert equal(mixed, list(loader(small_store, mixtures=MIXTURES).epoch(0, 0)))
    assert not equal([v[2:] for v in mixed], [v[2:] for v in loader(small_store, mixtures=MIXTURES).epoch(1, 0)])
