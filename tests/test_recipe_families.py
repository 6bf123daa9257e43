"""The published names and the settings that they stand for."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from kinestream.augment.mixing import with_mixtures
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.recording import Source
from kinestream.data.store import Store, StoreWriter
from kinestream.models.encoder_file import load_encoder
from kinestream.recipes import Recipe, recipe_names, resolve
from kinestream.recipes.families import laid_over, published_recipes
from kinestream.skeleton.layout import LAYOUTS, SkeletonLayout, load_layout
from kinestream.skeleton.streams import make_streams
from kinestream.train.pretrain import pretrain

PUBLIC = ("utd-mhad", "msr-action3d", "sbu", "ui-prmd", "hdm05", "berkeley-mhad", "kinder-gator")
FROZEN = json.loads((Path(__file__).parent / "recipes_frozen.json").read_text("utf-8"))
"""The settings of each recipe as they were when each was a file of its own, without what is gone since."""


@pytest.mark.parametrize("name", FROZEN)
def test_the_settings_of_a_published_name_stay(name: str) -> None:
    then, now = dict(FROZEN[name]), resolve(name).to_dict()
    if name.startswith("caca") and len(then["streams"]) == 1:
        then["published"] = None  # it was that of three streams
    assert laid_over(now, then) == now
    assert (now["dataset"], now["split"]) == (then["dataset"], then["split"])


def test_the_names_are_those_of_before_and_one_for_any_store() -> None:
    new = {name for name in recipe_names() if name.startswith(("tranclr", "dense"))}
    new |= {f"laptop-{data}" for data in PUBLIC}
    assert set(recipe_names()) == {*FROZEN, "laptop", "anybody", *new}
    assert {
        "dense",
        "dense-nw-ucla",
        "dense-3s-nw-ucla",
        "tranclr",
        "tranclr-nw-ucla",
        "tranclr-3s-ntu120-xset",
        "tranclr-joint-pku2-xsub",
    } <= new


def test_what_a_caller_changes_in_a_recipe_is_the_callers_own() -> None:
    published_recipes()["laptop"]["method"]["name"] = "changed"
    assert published_recipes()["laptop"]["method"]["name"] == "nt-xent"


def test_listing_recipes_imports_no_torch() -> None:
    code = "import sys; from kinestream.commands.recipes import *; run(Config()); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_no_recipe_of_one_stream_shows_the_figure_of_three() -> None:
    for name, recipe in ((name, resolve(name)) for name in recipe_names()):
        if recipe.published is not None:
            of_several_protocols = "mean of" in recipe.published.what
            assert set(recipe.published.streams) == (set() if of_several_protocols else set(recipe.streams)), name


STICK = SkeletonLayout(
    name="stick",
    joints=("pelvis", "chest", "head", "left_hand", "right_hand"),
    parents=(0, 0, 1, 1, 1),
    pairs=((3, 4),),
    heading=(3, 4),
    pelvis=(0,),
)


@dataclasses.dataclass(frozen=True)
class NoSplits:
    """What a store tells of recordings that nobody split."""

    name: str = "mine"
    title: str = "Mine"
    classes: tuple[str, ...] = ("all",)
    splits: dict[str, object] = dataclasses.field(default_factory=dict)


def thin_laptop(*settings: str) -> Recipe:
    return resolve("laptop", ["encoder.hidden=4", "method.hidden=8", "method.embedding=4", "frames=12", *settings])


@pytest.fixture
def own_store(tmp_path: Path) -> Path:
    """Nine recordings of five joints without splits."""
    path, rng = tmp_path / "store", np.random.default_rng(0)
    path.mkdir()
    with StoreWriter(path, STICK, 1) as writer:
        for number in range(9):
            name = f"r{number}"
            source = Source(path=Path(name), name=name, action=1, subject=1, camera=1, setup=1, repetition=number)
            writer.add(source, rng.normal(0, 0.4, (20, 1, 5, 3)).astype(np.float32))
        writer.finish(NoSplits(), PREPARATIONS["tracked"], excluded=0, rejected=0)
    return path


@pytest.mark.parametrize("mixing", ["null", "{local: 0}"])
@pytest.mark.parametrize("layout", [*map(load_layout, LAYOUTS), STICK], ids=lambda layout: layout.name)
def test_laptop_takes_any_layout(layout: SkeletonLayout, mixing: str) -> None:
    recipe, generator = thin_laptop(f"method.mixing={mixing}"), torch.Generator().manual_seed(0)
    method = recipe.method.build(recipe.networks(layout))
    clips = torch.randn(4, 3, 12, len(layout.joints), 1, generator=generator)
    views = [make_streams(view(clips, generator), recipe.streams, layout) for view in recipe.views(layout)]
    loss = method(with_mixtures(views, recipe.mixtures(layout), generator))["loss"]
    loss.backward()
    assert torch.isfinite(loss)


def test_laptop_learns_from_a_store_without_splits(own_store: Path, tmp_path: Path) -> None:
    recipe = thin_laptop("batch_size=4", "epochs=3", "monitor.knn_every=1")
    run = pretrain(own_store, recipe, out=tmp_path / "run", device="cpu")
    _, card = load_encoder(run.encoder("distance"))
    assert (card.dataset, card.split, card.preparation) == ("mine", "", Store(own_store).info.preparation)
    assert run.config().recipe.split is None


def test_a_store_smaller_than_a_batch_is_told_the_batch_that_it_can_fill(own_store: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"9 training clips are less than one batch of 128: .*--set batch_size=9"):
        pretrain(own_store, "laptop", out=tmp_path / "run", device="cpu")
    run = pretrain(own_store, thin_laptop("batch_size=9", "epochs=3"), out=tmp_path / "run", device="cpu")
    assert run.encoder("bone").is_file()
