import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from kinestream.features.metrics import fuse_scores
from kinestream.features.neighbours import knn_ranking, side_by_side


def test_fused_scores_are_the_weighted_sum() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = {name: torch.randn(4, 3, generator=generator) for name in ("joint", "motion", "bone")}
    weights = {"bone": 0.6, "motion": 0.4, "joint": 0.6}
    expected = 0.6 * scores["joint"] + 0.4 * scores["motion"] + 0.6 * scores["bone"]
    torch.testing.assert_close(fuse_scores(scores, weights), expected)
    torch.testing.assert_close(fuse_scores(scores), scores["joint"] + scores["motion"] + scores["bone"])


@pytest.mark.parametrize(
    "weights", [{"joint": 1.0}, {"joint": 1.0, "bone": 1.0, "motion": 1.0}, {"joints": 1.0, "bone": 1.0}]
)
def test_weights_name_just_the_streams(weights: dict[str, float]) -> None:
    scores = {"joint": torch.zeros(1, 2), "bone": torch.zeros(1, 2)}
    with pytest.raises(ValueError, match="but the streams are joint, bone: name each once"):
        fuse_scores(scores, weights)


@given(st.integers(0, 1000), st.floats(0.01, 100))
def test_the_cosine_side_by_side_is_the_mean_of_the_cosines_whatever_their_scale(seed: int, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    a = {"joint": torch.randn(5, 4, generator=generator), "bone": torch.randn(5, 7, generator=generator)}
    b = {name: torch.randn(3, rows.shape[1], generator=generator) for name, rows in a.items()}
    together = functional.cosine_similarity(side_by_side(a)[:, None], side_by_side(b)[None], dim=2)
    alone = [functional.cosine_similarity(a[name][:, None], b[name][None], dim=2) for name in a]
    torch.testing.assert_close(together, sum(alone) / 2, rtol=1e-4, atol=1e-5)
    scaled = {"joint": scale * a["joint"], "bone": a["bone"]}
    torch.testing.assert_close(side_by_side(scaled), side_by_side(a), rtol=1e-4, atol=1e-5)


def test_neighbours_of_two_streams_settle_what_each_alone_gets_wrong() -> None:
    """Two classes in a plane each: each stream mistakes one query, both together none."""
    bank = {"joint": torch.tensor([[1.0, 0.0], [0.0, 1.0]]), "bone": torch.tensor([[1.0, 0.0], [0.0, 1.0]])}
    query = {"joint": torch.tensor([[0.7, 0.71], [0.1, 1.0]]), "bone": torch.tensor([[1.0, 0.1], [0.71, 0.7]])}
    labels = torch.tensor([0, 1])

    def nearest(train: torch.Tensor, test: torch.Tensor) -> list[int]:
        return knn_ranking(train, labels, test, classes=2, k=1)[:, 0].tolist()

    assert nearest(bank["joint"], query["joint"]) == [1, 1]
    assert nearest(bank["bone"], query["bone"]) == [0, 0]
    assert nearest(side_by_side(bank), side_by_side(query)) == [0, 1]
