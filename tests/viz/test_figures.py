"""The figures of a run: the same bytes each time, legible, and do they show what is there?"""

import io
from collections.abc import Callable
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest

image = pytest.importorskip("PIL.Image")
pytest.importorskip("matplotlib")

from matplotlib.figure import Figure  # noqa: E402
from matplotlib.text import Text  # noqa: E402

from kinestream.evaluate.run_results import SavedRow  # noqa: E402
from kinestream.skeleton.streams import STREAMS  # noqa: E402
from kinestream.viz.agreement import draw_agreement  # noqa: E402
from kinestream.viz.comparison import ComparedRun, draw_comparison  # noqa: E402
from kinestream.viz.confusion import confusion_matrix, draw_confusion, worst_pairs  # noqa: E402
from kinestream.viz.curves import draw_curves  # noqa: E402
from kinestream.viz.embedding import Panel, draw_embedding  # noqa: E402
from kinestream.viz.palette import CLASS_COLOURS, CLASS_COLOURS_ON_DARK, DARK_PAPER, class_symbol  # noqa: E402
from kinestream.viz.per_class import draw_classes  # noqa: E402
from kinestream.viz.projection import pca, sample, tsne  # noqa: E402
from kinestream.viz.style import encoded, save, theme  # noqa: E402

NAMES = [f"a class with quite a long name {number}" for number in range(60)]


def log(epochs: int = 12, change: int = 8) -> list[dict[str, float]]:
    """Lines of a three-stream run with two stages."""
    lines = []
    for epoch in range(1, epochs + 1):
        line: dict[str, float] = {"epoch": epoch, "loss": -3.0 + (240 if epoch > change else 0)}
        for number, stream in enumerate(("joint", "motion", "bone")):
            line |= {f"loss/{stream}": -1.0 - epoch / 9 + number / 5, f"spread/{stream}": 0.5 + number / 9}
            line[f"spread/{stream}/predictions"] = 0.9 - number / 9
            if epoch % 4 == 0:
                line |= {f"knn/{stream}": 60.0 + epoch + number, "knn/together": 70.0 + epoch}
            if epoch > change:
                line |= {f"agreement/{stream}": 80.0 - number, f"outvoted/{stream}": 0.3 + number / 9}
        if epoch > change:
            line |= {"positives/beyond": 0.5, "by_labels/right": 0.4, "by_labels/chance": 0.1}
        lines.append(line)
    return lines


def embedding(classes: int = 12, panels: int = 2) -> Figure:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, 2)).astype(np.float32)
    both = [
        Panel(title="untrained encoder\n1-NN 50.0 %", points=points),
        Panel(title="after\n1-NN", points=points * np.float32([3, 1])),
    ]
    return draw_embedding(both[:panels], np.arange(200) % classes, NAMES)


def confusion(classes: int = 12) -> Figure:
    rng = np.random.default_rng(0)
    labels = np.arange(300) % classes
    guessed = np.where(rng.random(300) < 0.3, rng.integers(0, classes, 300), labels)
    return draw_confusion(confusion_matrix(labels, guessed, classes), NAMES)


def classes(number: int = 60) -> Figure:
    own = {name: 100.0 - 90 * i / number for i, name in enumerate(NAMES[:number])}
    return draw_classes(own, {name: share / 2 for name, share in own.items()})


def comparison() -> Figure:
    reached = SavedRow(
        name="run",
        kind="run",
        how="alone",
        streams=("joint",),
        top1=80.0,
        low=75.0,
        high=84.0,
        top5=None,
        mean_class=None,
        without_copies=None,
        per_class={},
    )
    runs = [
        ComparedRun(name=f"run {n}", settings={}, epochs=log(), reached={"linear xview": reached}) for n in range(3)
    ]
    return draw_comparison(runs)


FIGURES: dict[str, Callable[[], Figure]] = {
    "embedding": embedding,
    "embedding of 2 classes": lambda: embedding(2),
    "confusion": confusion,
    "confusion of 60 classes": lambda: confusion(60),
    "confusion without a mistake": lambda: draw_confusion(np.eye(3, dtype=np.int64), NAMES),
    "curves": lambda: draw_curves(log(), stage_change=8),
    "curves of one epoch": lambda: draw_curves(log(1)),
    "agreement": lambda: draw_agreement(log()),
    "agreement of one epoch": lambda: draw_agreement(log(9)),
    "curves of a stage 2 of one epoch": lambda: draw_curves(log(9), stage_change=8),
    "embedding without the untrained encoder": lambda: embedding(panels=1),
    "classes": classes,
    "comparison": comparison,
}


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_cut_off_and_no_letter_is_tiny(name: str) -> None:
    with theme():
        figure = FIGURES[name]()
        figure.draw_without_rendering()
        inked, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
        assert min(inked.x0, inked.y0) >= -0.01
        assert inked.x1 <= width + 0.01
        assert inked.y1 <= height + 0.01
        assert all(text.get_fontsize() >= 4.5 for text in figure.findobj(Text) if isinstance(text, Text))


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        *((name, ".svg") for name in ("embedding", "confusion", "curves", "agreement", "classes", "comparison")),
        *((name, suffix) for name in ("confusion", "curves") for suffix in (".png", ".pdf")),
    ],
)
def test_a_figure_is_the_same_bytes_each_time(name: str, suffix: str, tmp_path: Path) -> None:
    for number in range(2):
        with theme():
            save(FIGURES[name](), tmp_path / f"{number}{suffix}")
    first, second = ((tmp_path / f"{number}{suffix}").read_bytes() for number in range(2))
    assert first == second
    assert len(first) > 3000


def test_a_figure_is_one_column_wide_and_dark_on_demand() -> None:
    for dark, corner in ((False, (255, 255, 255)), (True, tuple(bytes.fromhex(DARK_PAPER[1:])))):
        with theme(dark=dark):
            picture = image.open(io.BytesIO(encoded(FIGURES["curves"](), "png", dpi=200))).convert("RGB")
        assert picture.width == 690
        assert picture.getpixel((2, 2)) == corner


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with theme(), pytest.raises(ValueError, match=r"'\.jpg' is not one of \.png, \.svg, \.pdf"):
        save(FIGURES["curves"](), tmp_path / "x.jpg")
    assert not list(tmp_path.iterdir())


def test_a_log_without_stage_2_has_no_agreement_and_an_empty_one_no_curves() -> None:
    with theme():
        with pytest.raises(ValueError, match=r"whose method\.cross_epoch is set"):
            draw_agreement(log(5))
        with pytest.raises(ValueError, match="no epoch is finished"):
            draw_curves([])
        with pytest.raises(ValueError, match="no class has an accuracy"):
            draw_classes({"x": None}, {})


def headings(figure: Figure) -> list[str]:
    return [title for axes in figure.axes if (title := axes.get_title(loc="left"))]


def test_every_kind_of_term_has_a_panel() -> None:
    with theme():
        titles = headings(draw_curves(log(), stage_change=8))
        plain = headings(draw_curves([{"epoch": 1, "loss": 2.0, "loss/joint": 2.0}]))
    assert [title.split()[0] for title in titles] == ["loss,", "loss", "agreement", "online", "spread", "spread"]
    assert plain == ["loss of each stream"], "a sum of one term is no other curve"


def test_losses_of_each_stage_have_their_own_scale() -> None:
    with theme():
        first, second, *_ = draw_curves(log(), stage_change=8).axes
    assert first.get_ylim()[1] < 0 < 200 < second.get_ylim()[0], "one axis would show two flat lines"
    assert first.get_xlim()[1] == second.get_xlim()[0] == 8.5
    assert [len(axes.get_lines()[0].get_xdata()) for axes in (first, second)] == [8, 4]


def test_the_points_of_an_embedding_fill_their_panels() -> None:
    with theme():
        for axes in embedding().axes:
            seen = np.concatenate([np.asarray(part.get_offsets()) for part in axes.collections])
            shares = np.ptp(seen, axis=0) / np.abs([np.diff(axes.get_xlim())[0], np.diff(axes.get_ylim())[0]])
            assert (shares > 0.9).all()


def test_one_epoch_of_agreement_is_bars_with_their_numbers() -> None:
    with theme():
        figure = draw_agreement(log(9))
    assert [len(axes.patches) for axes in figure.axes] == [2, 2, 3]
    assert [text.get_text() for text in figure.axes[1].texts] == ["80", "10"]


def test_a_confusion_matrix_names_its_axes_and_its_scale() -> None:
    with theme():
        figure = confusion()
    names = {text.get_text() for text in figure.findobj(Text) if isinstance(text, Text)}
    assert {"true class", "taken for", "share of the true class, %"} <= names


def test_no_figure_has_a_title_of_its_own() -> None:
    with theme():
        for draw in FIGURES.values():
            assert not (figure := draw()).get_suptitle(), figure


def test_of_many_classes_the_best_and_worst_are_shown() -> None:
    with theme():
        names = [label.get_text() for label in classes(60).axes[0].get_yticklabels()]
    assert len(names) == 41
    assert names[20] == "(20 between)"


def test_confusion_against_counting_by_hand() -> None:
    rng = np.random.default_rng(1)
    labels, guessed = rng.integers(0, 5, 200), rng.integers(0, 5, 200)
    matrix = confusion_matrix(labels, guessed, 5)
    for a in range(5):
        for b in range(5):
            assert matrix[a, b] == sum(1 for x, y in zip(labels, guessed, strict=True) if (x, y) == (a, b))
    pairs = worst_pairs(matrix, 20)
    shares = [pair.clips / pair.of for pair in pairs]
    assert shares == sorted(shares, reverse=True)
    assert all(pair.label != pair.predicted for pair in pairs)


def test_class_symbols_are_told_apart() -> None:
    symbols = [class_symbol(number) for number in range(120)]
    assert len(set(symbols)) == 120
    assert all(a.colour != b.colour and a.shape != b.shape for a, b in pairwise(symbols))


# Machado, Oliveira, Fernandes 2009: linear sRGB as seen without one of the three cones.
EYES = {
    "all cones": np.eye(3),
    "no red": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "no green": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
    ),
    "no blue": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]]
    ),
}


def linear(colours: tuple[str, ...]) -> np.ndarray:
    values = np.array([list(bytes.fromhex(colour[1:])) for colour in colours]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = rgb @ to_xyz.T / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(np.clip(xyz, 0, None)), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


@pytest.mark.parametrize("count", [4, 6, 10])
def test_the_legend_of_curves_has_room_for_every_stream(count: int) -> None:
    names = (*STREAMS.names()[:count], "together")
    lines = [{"epoch": number, "loss": 6.0} | {f"knn/{name}": 50.0 for name in names} for number in (1, 2)]
    with theme():
        figure = draw_curves(lines)
        figure.draw_without_rendering()
        (legend,) = figure.legends
        box = legend.get_window_extent()
    assert [text.get_text() for text in legend.get_texts()] == list(names)
    assert box.x0 >= figure.bbox.x0
    assert box.x1 <= figure.bbox.x1


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize(
    ("colours", "paper", "contrast"), [(CLASS_COLOURS, "#ffffff", 2.3), (CLASS_COLOURS_ON_DARK, DARK_PAPER, 3.2)]
)
def test_colours_are_apart_for_colour_blind_eyes(
    eyes: str, colours: tuple[str, ...], paper: str, contrast: float
) -> None:
    seen = lab(np.clip(linear(colours) @ EYES[eyes].T, 0, 1))
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) >= 25
    weights = np.array([0.2126, 0.7152, 0.0722])
    ground = float(linear((paper,))[0] @ weights)
    for light in linear(colours) @ weights:
        assert (max(light, ground) + 0.05) / (min(light, ground) + 0.05) >= contrast - 0.05


def clusters(count: int = 120) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 3
    return (rng.normal(size=(3, 8))[labels] + rng.normal(0, 0.1, (count, 8))).astype(np.float32), labels


def test_tsne_keeps_clusters_is_repeatable_and_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    features, labels = clusters()
    plane = tsne(features)
    assert np.array_equal(plane, tsne(features))
    assert not capsys.readouterr().out
    middles = np.stack([plane[labels == label].mean(axis=0) for label in range(3)])
    nearest = np.linalg.norm(plane[:, None] - middles, axis=2).argmin(axis=1)
    assert (nearest == labels).mean() > 0.95


@pytest.mark.parametrize("count", [1, 2, 3, 5, 13])
def test_few_points_are_laid_out(count: int) -> None:
    features, _ = clusters(count)
    for plane in (pca(features), tsne(features), tsne(np.ones_like(features))):
        assert plane.shape == (count, 2)
        assert np.isfinite(plane).all()


def test_pca_against_the_singular_value_decomposition() -> None:
    features, _ = clusters()
    rows = features / np.linalg.norm(features, axis=1, keepdims=True)
    rows = rows - rows.mean(axis=0)
    _, sizes, _ = np.linalg.svd(rows, full_matrices=False)
    np.testing.assert_allclose(np.linalg.norm(pca(features), axis=0), sizes[:2], rtol=1e-4)


def test_a_sample_is_drawn_by_its_seed() -> None:
    assert sample(10, 20).tolist() == list(range(10))
    drawn = sample(1000, 50)
    assert drawn.tolist() == sorted(set(drawn.tolist()))
    assert np.array_equal(drawn, sample(1000, 50))
    assert not np.array_equal(drawn, sample(1000, 50, seed=1))
