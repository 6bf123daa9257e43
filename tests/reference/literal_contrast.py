"""The contrastive losses and mining rules as their formulas say them: numpy, loops, no cleverness."""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def unit(rows: Array) -> Array:
    return np.stack([row / math.sqrt(sum(x * x for x in row)) for row in rows])


def log_softmax(row: list[float]) -> list[float]:
    highest = max(row)
    normaliser = highest + math.log(sum(math.exp(value - highest) for value in row))
    return [value - normaliser for value in row]


def similarities(query: Array, key: Array, queue: Array) -> tuple[list[float], list[list[float]]]:
    own = [float(sum(query[i] * key[i])) for i in range(len(query))]
    return own, [[float(sum(query[i] * entry)) for entry in queue] for i in range(len(query))]


def largest(row: list[float], k: int) -> set[int]:
    return set(sorted(range(len(row)), key=lambda j: -row[j])[:k])


def info_nce(query: Array, key: Array, queue: Array, temperature: float) -> float:
    own, others = similarities(query, key, queue)
    total = 0.0
    for i in range(len(query)):
        total -= log_softmax([value / temperature for value in [own[i], *others[i]]])[0]
    return total / len(query)


def crosclr_pair(
    query_u: Array, key_u: Array, queue_u: Array, query_w: Array, key_w: Array, queue_w: Array, k: int, t: float
) -> float:
    """What stream u learns from stream w: mining by w's queue similarities, with context."""
    own_u, others_u = similarities(query_u, key_u, queue_u)
    _, others_w = similarities(query_w, key_w, queue_w)
    total = 0.0
    for i in range(len(query_u)):
        context = [a * b for a, b in zip(others_u[i], others_w[i], strict=True)]
        logs = log_softmax([value / t for value in [own_u[i], *others_u[i], *context]])
        mined = largest(others_w[i], k)
        mask = [1, *(int(j in mined) for j in range(len(queue_u)))] + [int(j in mined) for j in range(len(queue_u))]
        total -= sum(m * log for m, log in zip(mask, logs, strict=True)) / sum(mask)
    return total / len(query_u)


def aimclr(
    normal: Array, plain: Array, dropped: Array, key: Array, queue: Array, temperature: float, k: int
) -> tuple[float, float]:
    """InfoNCE (k = 0) or the loss with mined positives, and the mean of the two distribution losses."""
    found = [similarities(query, key, queue) for query in (normal, plain, dropped)]
    first, second = 0.0, 0.0
    for i in range(len(normal)):
        logs = [log_softmax([value / temperature for value in [own[i], *others[i]]]) for own, others in found]
        positives = {0}
        for _, others in found:
            positives |= {1 + j for j in largest(others[i], k)}
        first -= sum(logs[0][j] for j in positives) / len(positives)
        for other in logs[1:]:
            second -= sum(math.exp(p) * r for p, r in zip(logs[0], other, strict=True)) / 2
    return first / len(normal), second / len(normal)


def attention_drop(x: Array, threshold: float) -> Array:
    """x is (b, c, s, v)."""
    bodies, channels, frames, joints = x.shape
    attention = np.zeros_like(x)
    for b in range(bodies):
        for c in range(channels):
            squared = (x[b, c] - x[b, c].mean()) ** 2
            e = squared / (4 * (squared.sum() / (frames * joints - 1) + 1e-4)) + 0.5
            attention[b, c] = 1 / (1 + np.exp(-e))
    kept = np.zeros((bodies, joints))
    for b in range(bodies):
        for v in range(joints):
            kept[b, v] = attention[b, :, :, v].mean() < threshold
    y = x.copy()
    for b in range(bodies):
        for v in range(joints):
            y[b, :, :, v] *= kept[b, v] * kept.size / kept.sum()
    values = (attention < threshold).astype(float)
    return y * values * values.size / values.sum()


def nt_xent(z1: Array, z2: Array, temperature: float) -> float:
    z = unit(np.concatenate([z1, z2]))
    half, total = len(z1), 0.0
    for i in range(2 * half):
        partner = i + half if i < half else i - half
        logits = {j: float(sum(z[i] * z[j])) / temperature for j in range(2 * half) if j != i}
        total -= logits[partner] - math.log(sum(math.exp(value) for value in logits.values()))
    return total / (2 * half)


def vicreg(z1: Array, z2: Array, invariance: float, variance: float, covariance: float) -> float:
    batch, size = z1.shape
    agreement = sum((z1[i, j] - z2[i, j]) ** 2 for i in range(batch) for j in range(size)) / (batch * size)
    hinge, correlated = 0.0, 0.0
    for z in (z1, z2):
        mean = [sum(z[:, j]) / batch for j in range(size)]
        for j in range(size):
            var = sum((z[i, j] - mean[j]) ** 2 for i in range(batch)) / (batch - 1)
            hinge += max(0.0, 1 - math.sqrt(var + 1e-4)) / size / 2
            for other in range(size):
                if other != j:
                    cov = sum((z[i, j] - mean[j]) * (z[i, other] - mean[other]) for i in range(batch)) / (batch - 1)
                    correlated += cov**2 / size
    return float(invariance * agreement + variance * hinge + covariance * correlated)
