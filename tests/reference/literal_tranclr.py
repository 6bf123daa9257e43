"""TranCLR's mixing, targets and losses as their formulas say them: numpy, loops, no cleverness."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tests.reference.literal_contrast import log_softmax, unit

Array = NDArray[np.float64]


def everywhere(first: Array, second: Array, share: float) -> Array:
    """One clip `(c, t, v, m)` of two."""
    mixed = np.zeros_like(first)
    for place in np.ndindex(first.shape):
        mixed[place] = share * first[place] + (1 - share) * second[place]
    return mixed


def put_in(
    first: Array, second: Array, joints: Sequence[int], start: int, length: int, cut_from: float, cut: float
) -> tuple[Array, float]:
    """A stretch of some joints of the first clip in the second, and the share of it that is replaced."""
    mixed, frames, replaced = second.copy(), first.shape[1], 0
    for t in range(start, start + length):
        # The centre of frame t of the window, as a place in the stretch and so in the first clip.
        at = cut_from + (t - start + 0.5) * cut / length - 0.5
        at = min(max(at, 0.0), frames - 1.0)
        before = math.floor(at)
        after = min(before + 1, frames - 1)
        for v in joints:
            mixed[:, t, v] = (1 - (at - before)) * first[:, before, v] + (at - before) * first[:, after, v]
            replaced += 1
    return mixed, replaced / (frames * first.shape[2])


def soft_alignment(
    query: Array,
    target: Array,
    bank: Array,
    nearest: int,
    t_target: float,
    t_query: float,
    centred: bool = False,
    contrast: float = 0.0,
) -> float:
    """`KL(softmax(p_k / t_target) || softmax(p_q / t_query))` over the entries most similar to the target, and the
    weighted cross entropy of finding the target among all entries, which are not centred for that."""
    total = 0.0
    for q, k in zip(query, target, strict=True):
        total -= contrast * log_softmax([float(sum(q * other)) / t_query for other in (k, *bank)])[0]
    if centred:
        centre = sum(bank) / len(bank)
        query, target, bank = (unit(np.stack([row - centre for row in rows])) for rows in (query, target, bank))
    for q, k in zip(query, target, strict=True):
        similar = [float(sum(k * entry)) for entry in bank]
        chosen = sorted(range(len(bank)), key=lambda j: -similar[j])[:nearest]
        log_p = log_softmax([similar[j] / t_target for j in chosen])
        log_q = log_softmax([float(sum(q * bank[j])) / t_query for j in chosen])
        total += sum(math.exp(p) * (p - r) for p, r in zip(log_p, log_q, strict=True))
    return total / len(query)


def mixed_keys(first: Array, second: Array, shares: Sequence[float]) -> Array:
    rows = [share * a + (1 - share) * b for a, b, share in zip(first, second, shares, strict=True)]
    return unit(np.stack(rows))


def common_share(first: float, second: float) -> float:
    k_h = min(first, second) + min(1 - first, 1 - second)
    k_c = min(first, 1 - second) + min(1 - first, second)
    return k_h / (k_h + k_c)


def levels(
    keys: dict[str, Array],
    queries: dict[str, Array],
    shares: dict[str, Sequence[float]],
    bank: Array,
    nearest: int,
    t_target: float,
    t_query: float,
) -> dict[str, float]:
    """The three losses: `keys` of x1, x2, A2, `queries` of A and A1, `shares` of A, A1 and A2, a row for each clip."""
    batch = len(keys["x1"])
    other = [batch - 1 - i for i in range(batch)]
    targets = {
        "intra": mixed_keys(keys["x1"], keys["x2"], shares["A"]),
        "inter": mixed_keys(keys["x2"], keys["x2"][other], shares["A1"]),
        "cross": mixed_keys(
            keys["A2"],
            keys["A2"][other],
            [common_share(a, b) for a, b in zip(shares["A1"], shares["A2"], strict=True)],
        ),
    }
    of = {"intra": "A", "inter": "A1", "cross": "A1"}
    return {
        level: soft_alignment(queries[of[level]], target, bank, nearest, t_target, t_query)
        for level, target in targets.items()
    }


def mixture_nce(query: Array, first: Array, second: Array, shares: Array, queue: Array, temperature: float) -> float:
    total = 0.0
    for i, q in enumerate(query):
        logits = [float(sum(q * key)) / temperature for key in (first[i], second[i], *queue)]
        logs = log_softmax(logits)
        total -= shares[i] * logs[0] + (1 - shares[i]) * logs[1]
    return float(total / len(query))


def mixture_in_batch(mixture: Array, z: Array, shares: Array, temperature: float) -> float:
    mixture, z, total = unit(mixture), unit(z), 0.0
    for i in range(len(z)):
        logs = log_softmax([float(sum(mixture[i] * other)) / temperature for other in z])
        total -= shares[i] * logs[i] + (1 - shares[i]) * logs[len(z) - 1 - i]
    return float(total / len(z))
