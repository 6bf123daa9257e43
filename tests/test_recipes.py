import dataclasses
from pathlib import Path

import pytest
import torch

from kinestream.augment.mixing import with_mixtures
from kinestream.augment.settings import ExtremeSettings
from kinestream.data.datasets import load_dataset
from kinestream.data.preparation import PREPARATIONS
from kinestream.methods.aimclr import AimCLRSettings
from kinestream.methods.method import Progress
from kinestream.methods.momentum_contrast import MomentumContrastSettings
from kinestream.methods.self_distillation import SelfDistillationSettings
from kinestream.methods.tranclr import TranCLRSettings
from kinestream.models.bigru import BiGRU, BiGRUSettings
from kinestream.models.readout import Readout
from kinestream.models.stgcn import STGCNSettings
from kinestream.recipes import PublishedFigure, Recipe, recipe_names, resolve, with_settings
from kinestream.skeleton.streams import STREAMS, make_streams
from kinestream.train.run_folder import Run
from kinestream.train.schedule import make_schedule


@pytest.fixture(scope="module")
def trained() -> set[str]:
    """What differs in a few steps, of the recipes that have made them: other splits of a data set are the same."""
    return set()


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_is_whole_and_trains_a_few_steps(name: str, trained: set[str]) -> None:
    recipe = resolve(name)
    dataset = load_dataset(recipe.dataset or "ntu60")
    if recipe.dataset is None:
        own = "scaled" if name == "anybody" else None  # it is read so wherever it is used
        assert (recipe.split, recipe.preparation) == (None, own), "the store decides"
    else:
        assert recipe.split in dataset.splits
        assert recipe.preparation in PREPARATIONS
    make_schedule(
        recipe.optimiser.schedule, epochs=recipe.epochs, warmup_epochs=recipe.optimiser.warmup_epochs
    )  # raises when the parts do not fit
    kind = repr((recipe.method, recipe.streams, recipe.encoder, recipe.augment, recipe.optimiser, dataset.layout))
    if kind in trained:
        return
    trained.add(kind)
    # As the recipe says, but for the size: thinner networks, short clips.
    thin = {"hidden": 4, "dim": 16} if isinstance(recipe.encoder, STGCNSettings) else {"hidden": 4}
    recipe = dataclasses.replace(
        recipe,
        encoder=dataclasses.replace(recipe.encoder, **thin),
        method=dataclasses.replace(recipe.method, hidden=16, embedding=8),
    )
    layout = dataset.layout
    torch.manual_seed(0)
    method = recipe.method.build(recipe.networks(layout))
    optimizer = recipe.optimiser.build(method)
    augmentations = recipe.views(layout)
    generator = torch.Generator().manual_seed(0)
    clips = torch.randn(4, 3, 8, len(layout.joints), dataset.most_bodies, generator=generator)
    before = [parameter.detach().clone() for parameter in method.parameters()]
    for step in range(2):
        method.start_epoch(0 if step == 0 else recipe.epochs - 1)  # both stages, where there are two
        views = [make_streams(augmentation(clips, generator), recipe.streams, layout) for augmentation in augmentations]
        loss = method(with_mixtures(views, recipe.mixtures(layout), generator))["loss"]
        assert torch.isfinite(loss)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        method.after_step(Progress(step=step + 1, steps=2, epoch=0))
    moved = [not torch.equal(a, b) for a, b in zip(before, method.parameters(), strict=True)]
    assert sum(moved) / len(moved) > 0.9, "online network and target both move"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("optimiser.rate=.inf", "rate"),
        ("optimiser.weight_decay=1001", r"weight_decay \(1001.*\) must be in 0\.\.1000"),
        ("optimiser.warmup_epochs=1000001", r"warmup_epochs \(1000001.*\) must be in 0\.\.1000000"),
        ("optimiser.factor=1.5", r"factor \(1\.5\) must be in 0\.\.1"),
    ],
)
def test_settings_of_the_optimiser_have_bounds(override: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        resolve("laptop", [override])


@pytest.mark.parametrize("split", ["xsub", "xview"])
@pytest.mark.parametrize("stream", ["joint", "motion", "bone"])
@pytest.mark.parametrize("method", ["caca", "skeleton-byol"])
def test_the_published_settings(method: str, stream: str, split: str) -> None:
    """Reference, sections 3 and 4, word for word."""
    recipe = resolve(f"{method}-{stream}-ntu60-{split}")
    assert (recipe.split, recipe.streams, recipe.method.name) == (split, (stream,), method)
    assert (recipe.dataset, recipe.preparation, recipe.frames) == ("ntu60", "published", 50)
    assert (recipe.epochs, recipe.batch_size) == (60, 128)
    optimiser = recipe.optimiser
    assert (optimiser.name, optimiser.rate, optimiser.momentum, optimiser.weight_decay) == ("sgd", 0.1, 0.9, 1e-4)
    assert (optimiser.schedule, optimiser.warmup_epochs) == ("constant", 0)
    encoder = recipe.encoder
    assert (encoder.hidden, encoder.dim, encoder.dropout, encoder.partition) == (16, 512, 0.5, "one-hop")
    assert encoder.initialisation == "published"
    heads = recipe.method
    assert (heads.decay, heads.final_decay, heads.hidden, heads.embedding) == (0.996, None, 2048, 512)
    assert (heads.push, heads.target, heads.predictor_rate) == (0.5, "plain", 1.0)
    chosen = {key: value for key, value in dataclasses.asdict(recipe.augment).items() if value}
    assert chosen == {"temporal_crop": 6, "shear": 0.5, "joint_mask_at": "origin"}


@pytest.mark.parametrize(
    ("name", "epochs", "cross_epoch", "accuracy"),
    [
        ("ntu60-xsub", 100, 60, 78.57),
        ("ntu60-xview", 100, 60, 84.50),
        ("ntu120-xsub", 80, 40, 68.54),
        ("ntu120-xset", 80, 40, 71.10),
    ],
)
def test_the_published_settings_of_three_streams(name: str, epochs: int, cross_epoch: int, accuracy: float) -> None:
    """Reference, section 4: the table of recipes and that of published accuracy."""
    recipe = resolve(f"caca-3s-{name}")
    one = resolve("caca-joint-ntu60-xsub")
    assert f"{recipe.dataset}-{recipe.split}" == name
    assert recipe.streams == ("joint", "motion", "bone")
    assert (recipe.epochs, recipe.method.cross_epoch) == (epochs, cross_epoch)
    assert (recipe.method.cross_k, recipe.method.cross_weight, recipe.method.cross_moving_target) == (2, 10.0, False)
    assert recipe.published is not None
    assert recipe.published.accuracy == accuracy
    assert (recipe.encoder, recipe.augment, recipe.optimiser) == (one.encoder, one.augment, one.optimiser)
    assert (recipe.frames, recipe.batch_size, recipe.method.decay) == (one.frames, one.batch_size, one.method.decay)


CONTRAST = [
    *((f"skeletonclr-joint-{name}", a) for name, a in (("ntu60-xsub", 68.3), ("ntu60-xview", 76.4))),
    *((f"skeletonclr-joint-{name}", a) for name, a in (("ntu120-xsub", 56.8), ("ntu120-xset", 55.9))),
    *((f"crosclr-3s-{name}", a) for name, a in (("ntu60-xsub", 77.8), ("ntu60-xview", 83.4), ("pku1-xsub", 84.9))),
    *((f"crosclr-3s-{name}", a) for name, a in (("ntu120-xsub", 67.9), ("ntu120-xset", 66.7))),
    *((f"aimclr-{name}-ntu60-xsub", a) for name, a in (("joint", 74.34), ("motion", 68.68), ("bone", 71.87))),
    *((f"aimclr-{name}-ntu60-xview", a) for name, a in (("joint", 79.68), ("motion", 71.83), ("bone", 77.02))),
    *((f"aimclr-{name}-pku1-xsub", a) for name, a in (("joint", 83.43), ("motion", 72.00), ("bone", 82.03))),
    *((f"3s-aimclr-{name}", a) for name, a in (("ntu60-xsub", 79.18), ("ntu60-xview", 84.02), ("pku1-xsub", 87.79))),
    *((f"3s-aimclr-{name}", a) for name, a in (("ntu120-xsub", 68.2), ("ntu120-xset", 68.8), ("pku2-xsub", 38.5))),
]


@pytest.mark.parametrize(("name", "accuracy"), CONTRAST)
def test_the_published_settings_of_the_queue_methods(name: str, accuracy: float) -> None:
    """Reference, section 4: methods, table of recipes, table of published accuracy."""
    recipe = resolve(name)
    settings = recipe.method
    assert f"{recipe.dataset}-{recipe.split}" in name
    assert recipe.published is not None
    assert recipe.published.accuracy == accuracy
    assert (recipe.frames, recipe.epochs, recipe.batch_size, recipe.preparation) == (50, 300, 128, "published")
    assert isinstance(settings, MomentumContrastSettings | AimCLRSettings)
    assert (settings.decay, settings.temperature, settings.queue) == (0.999, 0.07, 32768)
    assert (settings.hidden, settings.embedding) == (256, 128)
    assert (recipe.encoder.hidden, recipe.encoder.dim, recipe.encoder.dropout) == (16, 256, 0.5)
    optimiser = recipe.optimiser
    assert (optimiser.name, optimiser.rate, optimiser.momentum, optimiser.weight_decay) == ("sgd", 0.1, 0.9, 1e-4)
    assert (optimiser.schedule, optimiser.milestones, optimiser.factor) == ("step", (250,), 0.1)
    assert recipe.augment == resolve("caca-joint-ntu60-xsub").augment
    if isinstance(settings, AimCLRSettings):
        assert (settings.mining_epoch, settings.mining_k, settings.drop_threshold) == (150, 1, 0.7)
        assert settings.extreme == ExtremeSettings()
        assert recipe.streams == (("joint", "motion", "bone") if "3s" in name else (name.split("-")[1],))
    else:
        three = name.startswith("crosclr")
        assert (settings.cross_epoch, settings.cross_k) == ((150 if three else None), 1)
        assert recipe.streams == (("joint", "motion", "bone") if three else ("joint",))


@pytest.mark.parametrize("streams", ["joint", "3s"])
@pytest.mark.parametrize("data", ["ntu60-xsub", "ntu60-xview", "ntu120-xsub", "ntu120-xset", "pku1-xsub", "pku2-xsub"])
def test_the_published_settings_of_tranclr(data: str, streams: str) -> None:
    """Reference, section 7."""
    recipe = resolve(f"tranclr-{streams}-{data}")
    settings = recipe.method
    assert f"{recipe.dataset}-{recipe.split}" == data
    assert settings == TranCLRSettings()
    assert (settings.decay, settings.bank, settings.hidden, settings.embedding) == (0.999, 65536, 256, 128)
    alignment = settings.alignment
    assert (alignment.nearest, alignment.target_temperature, alignment.query_temperature) == (8192, 0.05, 0.1)
    assert settings.mixing.local == 0.5
    assert [share * recipe.frames for share in settings.mixing.window] == [16, 24]
    assert (settings.intra, settings.inter, settings.cross) == (1, 1, 1)
    other = resolve("skeletonclr-joint-ntu60-xsub")
    assert (recipe.encoder, recipe.augment, recipe.optimiser) == (other.encoder, other.augment, other.optimiser)
    assert (recipe.epochs, recipe.batch_size, recipe.frames) == (300, 128, 50)
    figures = {"ntu60": (85.9, 88.5), "ntu120-xsub": (74.3, 78.8), "ntu120-xset": (74.7, 79.0)}
    expected = next((pair for name, pair in figures.items() if data.startswith(name)), None)
    assert (recipe.published is None) == (expected is None)
    if recipe.published is not None and expected is not None:
        assert recipe.published.accuracy == expected[streams == "3s"]


@pytest.mark.parametrize("name", [name for name in recipe_names() if resolve(name).published])
def test_a_published_figure_is_compared_with_its_own_kind_alone(name: str) -> None:
    recipe = resolve(name)
    published, three = recipe.published, ("joint", "motion", "bone")
    assert published is not None
    weights = {"joint": 0.6, "motion": 0.4, "bone": 0.6}
    kinds = [
        *(("linear", "alone", (stream,), None) for stream in three),
        ("linear", "together", three, None),
        ("linear", "fused", three, None),
        ("linear", "fused", three, weights),
        ("knn", "together", three, None),
        ("knn", "alone", ("joint",), None),
    ]
    if "mean of" in published.what:
        assert not any(published.is_like(*kind) for kind in kinds), "no run has the mean of two protocols"
        return
    wanted = {
        "tranclr-joint": ("linear", "alone", ("joint",), None),
        "tranclr-3s": ("linear", "together", three, None),
        "3s-aimclr": ("linear", "fused", three, weights),
        "aimclr": ("linear", "alone", recipe.streams, None),
        "skeletonclr": ("linear", "alone", recipe.streams, None),
        "crosclr": ("linear", "together", three, None),
        "caca": ("linear", "together", three, None),
    }
    method = next(method for method in wanted if name.startswith(method))
    assert [kind for kind in kinds if published.is_like(*kind)] == [wanted[method]]
    assert ("three streams" in published.what or "3s" in published.what) == (len(published.streams) == 3)


def test_a_published_figure_of_unknown_streams_is_compared_with_nothing() -> None:
    figure = PublishedFigure(accuracy=50.0, what="somewhere")
    assert not figure.is_like("linear", "alone", ("joint",))
    assert not figure.is_like("linear", "together", ())
    alike = PublishedFigure(
        accuracy=50.0, what="somewhere", streams=("joint", "bone"), fusion={"joint": 1.0, "bone": 1.0}
    )
    assert alike.is_like("linear", "fused", ("bone", "joint")), "without weights all count alike"
    assert not alike.is_like("linear", "fused", ("bone", "joint"), {"bone": 1.0, "joint": 2.0})
    nearest = PublishedFigure(accuracy=50.0, what="somewhere", streams=("joint",), protocol="knn")
    assert nearest.is_like("knn", "alone", ("joint",))
    assert not nearest.is_like("linear", "alone", ("joint",))


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("published.accuracy=785.7", r"published.accuracy \(785.7\) must be in percent"),
        ("published.streams=[joint, joint]", "must name no stream twice"),
        ("published.streams=[joints]", r"unknown stream 'joints': did you mean joint\?"),
        ("published.protocol=1-NN", "'published.protocol' is 1-NN, should be 'linear' or 'knn'"),
        (
            "published.fusion={joint: 1.0}",
            "published.fusion has weights for joint, it must have one for each of several",
        ),
        ("published.kind=fused", r"published: unknown key 'kind': .*There are|there are accuracy, what, streams"),
    ],
)
def test_a_published_figure_is_read_strictly(override: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        resolve("caca-3s-ntu60-xsub", [override])
    assert "\n" not in str(caught.value)


def test_a_method_of_another_kind_takes_nothing_over() -> None:
    byol = resolve("nw-ucla")
    for overrides in (
        ["method.name=skeletonclr", "method.queue=64"],
        ["method.queue=64", "method.name=skeletonclr"],
    ):
        recipe = resolve("nw-ucla", overrides)
        assert recipe.method == MomentumContrastSettings(name="skeletonclr", queue=64)
        assert dataclasses.replace(recipe, method=byol.method) == byol
    same_kind = resolve("nw-ucla", ["method.name=caca"]).method
    assert same_kind == dataclasses.replace(byol.method, name="caca"), "of the same kind all of it"


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            ["method.queue=3"],
            "'caca-joint-ntu60-xsub': method 'caca': unknown key 'queue': there are name, decay, final_decay, push",
        ),
        (["method.name=moco"], "unknown method 'moco': there are aimclr, caca, .*KINESTREAM_PLUGINS"),
        (["method.name=aimclr", "method.push=1"], "method 'aimclr': unknown key 'push': there are name, decay"),
        (["method.name=aimclr", "method.extreme.blurr=1"], r"extreme: unknown key 'blurr': did you mean blur\?"),
        (["method.name=skeletonclr", "method.cross_epoch=3"], r"cross_epoch \(3\) is for crosclr"),
        (
            ["method.name=nt-xent", "method.temperature=null"],
            "method 'nt-xent': 'temperature' is null, should be a number",
        ),
        (["method=3"], "method must be a mapping of keys to values with a name, it is 3"),
        (
            ["method.name=nt-xent", "method.mixing.locall=1"],
            r"method 'nt-xent': mixing: unknown key 'locall': did you mean local\?",
        ),
        (["method.name=skeletonclr", "method.mixing.local=2"], r"mixing.local \(2.0\) is a probability"),
        (["method.name=skeletonclr", "method.alignment.nearest=0"], r"nearest \(0\) must be at least 1"),
        (
            ["method.name=tranclr", "encoder.name=bigru", "streams=[distance]"],
            r"mixing.local \(0.5\) exchanges the joints of body parts, and stream distance is of pairs",
        ),
        (["method.nme=caca"], r"method 'caca': unknown key 'nme': did you mean name\?"),
    ],
)
def test_settings_of_another_method_are_refused_in_one_line(overrides: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        resolve("caca-joint-ntu60-xsub", overrides)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("learning_rate=0.0625", "optimiser.rate"),
        ("lr=0.0625", "optimiser.rate"),
        ("optimiser.learning_rate=0.0625", "optimiser.rate"),
        ("optimizer.rate=0.0625", "optimiser.rate"),
        ("optimizer.lr=0.0625", "optimiser.rate"),
        ("warmup=0.0625", "optimiser.warmup_epochs"),
    ],
)
def test_a_setting_may_be_called_as_others_call_it(override: str, key: str) -> None:
    assert resolve("nw-ucla", [override]) == resolve("nw-ucla", [f"{key}=0.0625"]) != resolve("nw-ucla")
    assert with_settings(resolve("nw-ucla"), [override]) == resolve("nw-ucla", [override])


@pytest.mark.parametrize(
    ("recipe", "override", "words"),
    [
        ("laptop", "weight_decay=1", r"unknown key 'weight_decay': did you mean optimiser\.weight_decay\?"),
        ("laptop", "learningrate=1", r"unknown key 'learningrate': did you mean optimiser\.rate"),
        ("laptop", "epohcs=3", r"unknown key 'epohcs': did you mean epochs\?"),
        ("caca-joint-ntu60-xsub", "hidden=3", r"did you mean method\.hidden or encoder\.hidden\?"),
        ("laptop", "zzz=3", "unknown key 'zzz': no setting is called so; 'kinestream recipes --name"),
        ("caca-ntu60", "epochs=3", r"unknown recipe 'caca-ntu60': did you mean caca-3s-ntu60-xsub, .* See all with"),
        ("laptp", "epochs=3", r"unknown recipe 'laptp': did you mean laptop or .*\? See all with"),
    ],
)
def test_of_unknown_names_the_nearest_are_said(recipe: str, override: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        resolve(recipe, [override])
    assert len(str(caught.value)) < 220


def test_another_encoder_takes_nothing_over_from_the_one_it_replaces(tmp_path: Path) -> None:
    """As methods do: `dim` and `partition` of an ST-GCN mean nothing to a GRU."""
    recipe = resolve("nt-xent-3s-nw-ucla", ["encoder.hidden=32", "encoder.name=bigru"])
    assert recipe.encoder == BiGRUSettings(hidden=32)
    assert recipe.encoder.dim == 64
    path = tmp_path / "mine.yaml"
    path.write_text("base: caca-joint-ntu60-xsub\nencoder: {name: bigru, layers: 1}\n")
    assert resolve(str(path)).encoder == BiGRUSettings(layers=1)
    assert resolve(str(path), ["encoder.name=st-gcn"]).encoder == STGCNSettings()
    path.write_text("base: caca-joint-ntu60-xsub\nencoder: {name: st-gcn, hidden: 8}\n")
    assert resolve(str(path)).encoder == dataclasses.replace(resolve("caca-joint-ntu60-xsub").encoder, hidden=8)
    with pytest.raises(ValueError, match=r"encoder 'bigru': encoder.hidden \(0\) must be in 1\.\.65536"):
        resolve(str(path), ["encoder.name=bigru", "encoder.hidden=0"])


@pytest.mark.parametrize("method", ["skeletonclr", "aimclr", "skeleton-byol", "vicreg"])
def test_every_method_takes_either_encoder_and_every_stream(method: str) -> None:
    layout = load_dataset("nw-ucla").format.layout
    streams = f"streams=[{', '.join(STREAMS.names())}]"
    recipe = resolve("nt-xent-3s-nw-ucla", ["encoder.name=bigru", "encoder.hidden=4", f"method.name={method}", streams])
    built = recipe.method.build(recipe.networks(layout))
    views = [make_streams(torch.randn(4, 3, 12, 20, 1), recipe.streams, layout) for _ in recipe.views(layout)]
    built(views)["loss"].backward()
    for encoder in built.encoders().values():
        assert isinstance(encoder, BiGRU)
        assert all(bool(p.grad.any()) for p in encoder.parameters() if p.requires_grad and p.grad is not None)
        assert sum(p.grad is not None for p in encoder.parameters()) == 2 + 2 * 8


def test_configurations_of_finished_runs_are_read() -> None:
    files = sorted((Path(__file__).parents[1] / "docs" / "results").glob("*/config.yaml"))
    assert files
    for file in files:
        recipe = Run(file.parent).config().recipe
        if isinstance(recipe.method, SelfDistillationSettings):
            assert recipe.method.decay == 0.97
        elif file.parent.name in recipe_names():
            # How features are read, and what is recommended, came to be chosen after the run.
            same = {"title": "", "recommended": None, "readout": Readout()}
            assert dataclasses.replace(recipe, **same) == dataclasses.replace(resolve(file.parent.name), **same)


def test_the_published_optimiser_has_one_group_with_decay_on_everything() -> None:
    recipe = resolve("caca-joint-ntu60-xsub")
    small = dataclasses.replace(recipe, encoder=dataclasses.replace(recipe.encoder, hidden=2, dim=4))
    method = small.method.build(small.networks(load_dataset("ntu60").format.layout))
    (group,) = recipe.optimiser.build(method).param_groups
    assert (group["lr"], group["momentum"], group["weight_decay"], group["nesterov"]) == (0.1, 0.9, 1e-4, False)
    assert len(group["params"]) == sum(parameter.requires_grad for parameter in method.parameters())


def test_published_initialisation_is_an_option() -> None:
    layout = load_dataset("ntu60").format.layout
    recipe = resolve("caca-joint-ntu60-xsub")
    for initialisation, deviation in (("published", 0.02), ("torch", 512**-0.5 * 9**-0.5 / 3**0.5)):
        chosen = dataclasses.replace(recipe.encoder, initialisation=initialisation)
        torch.manual_seed(0)
        encoder = dataclasses.replace(recipe, encoder=chosen).networks(layout).encoder("joint")
        weight = encoder.blocks[9].temporal.weight.detach()
        assert float(weight.std()) == pytest.approx(deviation, rel=0.02)


def test_overrides_reach_the_parts() -> None:
    recipe = resolve(
        "caca-joint-ntu60-xsub",
        ["epochs=10", "optimiser.rate=0.05", "augment.rotation=[0, 20, 0]", "streams=[joint, bone]"],
    )
    assert (recipe.epochs, recipe.optimiser.rate, recipe.streams) == (10, 0.05, ("joint", "bone"))
    assert recipe.augment.rotation == (0.0, 20.0, 0.0)
    assert recipe.optimiser.momentum == 0.9, "what is not named stays"


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("epochs", "is no setting: write key=value"),
        ("=3", "is no setting"),
        ("epochs=ten", "'epochs' is ten, should be a whole number"),
        ("epochs=0", r"epochs \(0\) must be at least 1"),
        ("epoch=3", r"unknown key 'epoch': did you mean epochs or method.cross_epoch\?"),
        ("optimiser.rte=3", r"optimiser: unknown key 'rte': did you mean rate\?"),
        ("epochs.x=3", "epochs has no parts to set"),
        ("encoder.dim=null", "encoder 'st-gcn': 'dim' is null, should be a whole number"),
        ("encoder.name=lstm", "unknown encoder 'lstm': there are bigru, st-gcn.*KINESTREAM_PLUGINS"),
        ("encoder.layers=2", "encoder 'st-gcn': unknown key 'layers': there are name, hidden"),
        ("encoder.pool=0", r"encoder.pool \(0\) must be in 1\.\.65536"),
        ("encoder.dropout=1", r"encoder.dropout \(1.0\) must be at least 0 and below 1"),
        ("streams=[joint, joint]", "none twice"),
        ("streams=[]", "at least one stream"),
        ("streams=[joints]", r"unknown stream 'joints': did you mean joint\?"),
        (
            "streams=[joint, distance]",
            "stream 'distance' is of pairs of joints, which the graph of encoder st-gcn does not have: leave it",
        ),
        ("augment.rotation=[1, 2]", r"'augment.rotation' is \[1, 2\], value 3 is missing"),
        ("augment.rotation=[1, 2, 3, 4]", r"'augment.rotation' is .*should have at most 3 items"),
        ("augment.rotation=3", r"'augment.rotation' is 3, should be a list"),
        ("seed=[", r"'seed=\[': the value is not YAML"),
        ("partner=1.5", r"partner \(1.5\) is a probability: it must be in \[0, 1\]"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(override: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        resolve("caca-joint-ntu60-xsub", [override])
    assert "\n" not in str(caught.value)


def test_streams_that_learn_from_each_other_are_several() -> None:
    with pytest.raises(ValueError, match=r"method.cross_epoch \(32\) .* set method.cross_epoch=null") as caught:
        resolve("crosclr-3s-nw-ucla", ["streams=[joint]"])
    assert "\n" not in str(caught.value)
    assert resolve("nt-xent-3s-nw-ucla", ["streams=[joint]"]).streams == ("joint",), "apart, one will do"


def test_a_recipe_file_of_the_user(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("title: mine\ndataset: ntu60\npreparation: tracked\nsplit: xsub\nepochs: 2\n")
    recipe = resolve(str(path), ["seed=4"])
    assert (recipe.title, recipe.seed, recipe.batch_size) == ("mine", 4, 128)
    path.write_text("title: mine\n")
    with pytest.raises(ValueError, match="'epochs' is missing"):
        resolve(str(path))
    path.write_text("- no mapping")
    with pytest.raises(ValueError, match="is not a mapping"):
        resolve(str(path))
    path.write_text("a: [")
    with pytest.raises(ValueError, match="is not YAML"):
        resolve(str(path))


@pytest.mark.parametrize("plain", [3, None, "x", []])
def test_what_is_no_mapping_is_no_recipe(plain: object) -> None:
    with pytest.raises(ValueError, match="here is not a mapping of keys to values"):
        Recipe.from_dict(plain, "here")


def test_a_recipe_holds_only_what_differs_from_its_base(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("base: caca-joint-ntu60-xview\nepochs: 2\nmethod: {decay: 0.9}\npublished: null\n")
    mine, base = resolve(str(path)), resolve("caca-joint-ntu60-xview")
    assert (mine.epochs, mine.method.decay, mine.published) == (2, 0.9, None)
    same = dataclasses.replace(mine, epochs=base.epochs, method=base.method, published=base.published)
    assert same == base, "a base of a base, and the other keys of a part, are kept"
    path.write_text("base: nobody\n")
    with pytest.raises(ValueError, match="unknown recipe 'nobody'"):
        resolve(str(path))
    for ring in (str(path), "[x]"):
        path.write_text(f"base: {ring}\n")
        with pytest.raises(ValueError, match="is not the name of another recipe, or goes round in a ring"):
            resolve(str(path))


def test_unknown_recipes_are_told_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"did you mean caca-joint-ntu60-xsub, .*kinestream recipes.*\.yaml"):
        resolve("caca-joint-ntu60")
    with pytest.raises(ValueError, match=r"no recipe file missing\.yaml"):
        resolve("missing.yaml")


@pytest.mark.parametrize("name", recipe_names())
def test_a_resolved_recipe_read_back_is_the_same(name: str) -> None:
    recipe = resolve(name)
    assert Recipe.from_dict(recipe.to_dict(), "again") == recipe


def test_a_recommendation_is_not_handed_down(tmp_path: Path) -> None:
    assert resolve("caca-3s-ntu60-xsub").recommended
    assert resolve("caca-3s-ntu60-xview").recommended is None
    own = tmp_path / "own.yaml"
    own.write_text("base: laptop-nw-ucla\nrecommended: my data\n")
    assert resolve(str(own)).recommended == "my data"


def test_the_laptop_recipe_is_the_same_for_every_data_set_but_for_names() -> None:
    first, second = (resolve(f"laptop-{name}").to_dict() for name in ("nw-ucla", "ntu60-xsub"))
    changed = {key for key in first if first[key] != second[key]}
    assert changed == {"title", "dataset", "split"}
    any_store = resolve("laptop").to_dict()
    changed = {key for key in first if first[key] != any_store[key]}
    assert changed == {"title", "dataset", "preparation", "split", "recommended", "epochs", "monitor"}


def test_methods_are_compared_at_equal_cost() -> None:
    """Passes of an encoder over all epochs; one forward counts 1, one with its gradient 3."""
    passes = {"skeleton-byol": 8, "caca": 8, "skeletonclr": 4, "crosclr": 4, "aimclr": 7, "nt-xent": 6, "vicreg": 6}
    passes |= {"tranclr": 4, "dense": 6}  # a level of TranCLR: one query, one key
    names = ("skeleton-byol-3s", "caca-3s", "skeletonclr-3s", "crosclr-3s", "3s-aimclr", "nt-xent-3s", "vicreg-3s")
    names += ("tranclr-3s", "dense-3s")
    recipes = [resolve(f"{name}-nw-ucla") for name in names]
    assert {recipe.method.name for recipe in recipes} == set(passes)
    levels = resolve("tranclr-3s-nw-ucla").to_dict()["method"]
    assert [levels[level] for level in ("intra", "inter", "cross")] == [0, 1, 0]
    for recipe in recipes:
        assert recipe.epochs * passes[recipe.method.name] == pytest.approx(24 * 8, rel=0.02)
        mirror = 0.0 if recipe.method.name == "dense" else 0.5
        assert recipe.augment == dataclasses.replace(recipes[0].augment, mirror=mirror)
        assert recipe.encoder == recipes[0].encoder
