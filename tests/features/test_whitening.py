import numpy as np
import pytest
import torch

from kinestream.features import whitening
from kinestream.features.whitening import mutual_neighbours, whiten


def rows(count: int, seed: int) -> torch.Tensor:
    """Rows that differ much in some directions and little in others, away from the origin."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 6, generator=generator) * torch.tensor([3.0, 2.0, 1.0, 0.5, 0.2, 0.1]) + 1


def naive(train: np.ndarray, test: np.ndarray, power: float) -> tuple[np.ndarray, np.ndarray]:
    """One row and one direction at a time, by the singular values."""
    train, test = ([row / np.sqrt((row**2).sum()) for row in part] for part in (train, test))
    mean = sum(train) / len(train)
    _, sizes, directions = np.linalg.svd(np.stack([row - mean for row in train]), full_matrices=False)
    made = []
    for part in (train, test):
        out = []
        for row in part:
            new = np.array(
                [
                    ((row - mean) * direction).sum() / (size / len(train) ** 0.5) ** power
                    for size, direction in zip(sizes, directions, strict=True)
                ]
            )
            out.append(new / np.sqrt((new**2).sum()))
        made.append(np.stack(out))
    return made[0], made[1]


@pytest.mark.parametrize("power", [0.25, 0.5, 1.0])
def test_components_are_divided_by_their_deviation_to_the_power(power: float, device: torch.device) -> None:
    train, test = rows(40, 0), rows(15, 1)
    made = [part.cpu() for part in whiten(train.to(device), test.to(device), power)]
    expected = naive(train.double().numpy(), test.double().numpy(), power)
    for found, one in (
        (made[0] @ made[0].T, expected[0] @ expected[0].T),
        (made[1] @ made[0].T, expected[1] @ expected[0].T),
    ):
        np.testing.assert_allclose(found, one, atol=1e-5)  # cosines: the signs of components are free


def test_only_the_training_clips_count() -> None:
    train, test = rows(40, 0), rows(15, 1)
    train_alone, one = whiten(train, test[:1], 0.5)
    train_too, many = whiten(train, test, 0.5)
    assert torch.equal(train_alone, train_too)
    torch.testing.assert_close(one, many[:1])


def test_the_length_of_a_feature_counts_for_nothing() -> None:
    train, test = rows(40, 0), rows(15, 1)
    lengths = torch.linspace(0.1, 50, 40)[:, None]
    (one, other), (train, test) = whiten(train * lengths, test * 7, 0.5), whiten(train, test, 0.5)
    torch.testing.assert_close(other @ one.T, test @ train.T, atol=1e-4, rtol=0)


def test_directions_that_no_training_clip_has_are_left_out() -> None:
    train, test = rows(40, 0), rows(15, 1)
    flat, other = (torch.cat((part, torch.zeros(len(part), 2)), dim=1) for part in (train, test))
    other[:, 6:] = 1e-3  # nothing that could be learnt from
    known = whiten(flat, other, 1.0)
    plain = whiten(train, test, 1.0)
    torch.testing.assert_close(known[1] @ known[0].T, plain[1] @ plain[0].T, atol=1e-3, rtol=0)
    few = whiten(rows(4, 0), test, 1.0)  # fewer clips than directions
    assert all(part.isfinite().all() for part in few)


def test_features_that_say_nothing_are_refused() -> None:
    broken = rows(4, 0)
    broken[2, 3] = float("nan")
    with pytest.raises(ValueError, match="the encoder has diverged"):
        whiten(rows(4, 1), broken, 0.5)
    with pytest.raises(ValueError, match="of the 5 training clips are all the same"):
        whiten(rows(1, 0).repeat(5, 1), rows(4, 1), 0.5)


@pytest.mark.parametrize("power", [0.0, -0.5, 1.5, float("nan")])
def test_another_power_is_refused(power: float) -> None:
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        whiten(rows(4, 0), rows(4, 1), power)


PAIRS = torch.tensor([[0, 2], [1, 4], [3, 7], [8, 9], [10, 11], [10, 12], [13, 5]])


def ledoit_wolf(halves: list[np.ndarray]) -> np.ndarray:
    """Ledoit and Wolf (2004), lemma 3.2 to 3.4, of rows whose mean is known to be 0, a row at a time."""
    count, size = len(halves), len(halves[0])
    sample = sum(np.outer(row, row) for row in halves) / count
    mean = np.trace(sample) / size
    spread = ((sample - mean * np.eye(size)) ** 2).sum()
    error = min(spread, sum(((np.outer(row, row) - sample) ** 2).sum() for row in halves) / count**2)
    return error / spread * mean * np.eye(size) + (1 - error / spread) * sample


def test_what_changes_between_pairs_is_divided_out(device: torch.device) -> None:
    train, test = rows(14, 0), rows(15, 1)
    made = [part.cpu() for part in whiten(train.to(device), test.to(device), 1.0, pairs=PAIRS.to(device))]
    units = [part.double().numpy() for part in (train, test)]
    units = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in units]
    halves = [(units[0][first] - units[0][second]) / np.sqrt(2) for first, second in PAIRS.tolist()]
    values, vectors = np.linalg.eigh(ledoit_wolf(halves))
    expected = [(part - units[0].mean(axis=0)) @ vectors / np.sqrt(values) for part in units]
    expected = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in expected]
    for found, one in (
        (made[0] @ made[0].T, expected[0] @ expected[0].T),
        (made[1] @ made[0].T, expected[1] @ expected[0].T),
    ):
        np.testing.assert_allclose(found, one, atol=1e-5)


def test_a_clip_is_told_by_what_pairs_agree_on() -> None:
    generator = torch.Generator().manual_seed(1)
    alike = torch.randn(60, 4, generator=generator).repeat_interleave(2, dim=0)  # what both of a pair show
    seen = torch.cat((alike, 0.5 * torch.randn(120, 4, generator=generator), torch.full((120, 1), 10.0)), dim=1)
    known, first, second = seen[:80], seen[80::2], seen[81::2]

    def found(gallery: torch.Tensor, queries: torch.Tensor) -> float:
        return float(((queries @ gallery.T).argmax(dim=1) == torch.arange(len(queries))).double().mean())

    by_pairs = [whiten(known, part, 1.0, pairs=torch.arange(80).reshape(40, 2))[1] for part in (first, second)]
    by_clips = [whiten(known, part, 1.0)[1] for part in (first, second)]
    assert found(*by_pairs) > 0.9
    assert found(*by_clips) < 0.5


def test_the_order_of_pairs_counts_for_nothing() -> None:
    train, test = rows(14, 0), rows(15, 1)
    one, other = (whiten(train, test, 0.5, pairs=pairs) for pairs in (PAIRS, PAIRS.flip(0).flip(1)))
    torch.testing.assert_close(one[1] @ one[0].T, other[1] @ other[0].T, atol=1e-4, rtol=0)


def test_pairs_that_tell_nothing_are_refused() -> None:
    for count in (0, 1):
        with pytest.raises(ValueError, match=f"cannot be whitened by {count} pairs of training clips"):
            whiten(rows(14, 0), rows(4, 1), 1.0, pairs=PAIRS[:count])
    with pytest.raises(ValueError, match="of 2 pairs of training clips are all the same"):
        whiten(rows(4, 0).repeat(2, 1), rows(4, 1), 1.0, pairs=torch.tensor([[0, 4], [1, 5]]))


@pytest.mark.parametrize("k", [1, 3, 50])
def test_neighbours_are_mutual_and_of_all_streams(
    k: int, monkeypatch: pytest.MonkeyPatch, device: torch.device
) -> None:
    features = {"joint": rows(40, 0), "bone": rows(40, 1)[:, :5] * 3}
    whitened = [naive(values.double().numpy(), values[:1].double().numpy(), 0.5)[0] for values in features.values()]
    similarity = sum(one @ one.T for one in whitened)
    nearest = [
        set(
            sorted(
                (other for other in range(40) if other != row),
                key=lambda other: -similarity[row, other],
            )[:k]
        )
        for row in range(40)
    ]
    expected = {
        (first, second)
        for first in range(40)
        for second in range(first + 1, 40)
        if second in nearest[first] and first in nearest[second]
    }
    for at_once in (1024, 7):
        monkeypatch.setattr(whitening, "_ROWS_AT_ONCE", at_once)
        found = mutual_neighbours({name: values.to(device) for name, values in features.items()}, k)
        assert {tuple(pair) for pair in found.tolist()} == expected
        assert len(found) == len(expected)
