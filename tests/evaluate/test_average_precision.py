"""The mean average precision of PKU-MMD against a literal account of its rule, and against cases worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.evaluate.average_precision import Action, average_precision, mean_average_precision

VIDEOS = ("a", "b")


def made(seed: int) -> tuple[list[Action], list[Action]]:
    """Detections near and far from what is true, some doubled, some without a true one."""
    rng = np.random.default_rng(seed)

    def some(count: int) -> list[Action]:
        starts = rng.integers(0, 60, count)
        return [
            Action(
                video=VIDEOS[int(rng.integers(2))],
                label=int(rng.integers(3)),
                start=int(start),
                end=int(start + rng.integers(2, 20)),
                confidence=float(rng.random()),
            )
            for start in starts
        ]

    truth = some(int(rng.integers(1, 12)))
    near = [
        Action(
            video=action.video,
            label=action.label,
            start=action.start + int(rng.integers(-2, 3)),
            end=action.end + int(rng.integers(1, 4)),
            confidence=float(rng.random()),
        )
        for action in truth
        for _ in range(int(rng.integers(0, 3)))
    ]
    return near + some(int(rng.integers(0, 6))), truth


def naive_ap(found: list[Action], truth: list[Action], threshold: float) -> float:
    """Frames as sets, and precision and recall from nothing for each number of detections that are left."""

    def overlap(x: Action, y: Action) -> float:
        a, b = set(range(x.start, x.end)), set(range(y.start, y.end))
        return len(a & b) / len(a | b) if (x.video, x.label) == (y.video, y.label) else 0.0

    kept = sorted(found, key=lambda action: action.confidence)
    partner = {}
    for number, action in enumerate(kept):
        best = max((overlap(action, other) for other in truth), default=0.0)
        if best >= threshold:
            partner[number] = max(place for place, other in enumerate(truth) if overlap(action, other) == best)
    curve = []
    for dropped in [0, *(number + 1 for number in sorted(partner))]:
        hit = {partner[number] for number in range(dropped, len(kept)) if number in partner}
        left = len(kept) - dropped
        curve.append((len(hit) / len(truth), len(hit) / left if left else 0.0))
    return sum(
        max(precision for _, precision in curve[: place + 1]) * (curve[place - 1][0] - curve[place][0])
        for place in range(1, len(curve))
    )


@given(st.integers(0, 100_000), st.sampled_from([0.1, 0.3, 0.5, 0.7]))
def test_the_area_is_that_of_the_curve(seed: int, threshold: float) -> None:
    found, truth = made(seed)
    assert average_precision(found, truth, threshold) == pytest.approx(naive_ap(found, truth, threshold))


@given(st.integers(0, 100_000))
def test_means_over_actions_and_videos(seed: int) -> None:
    found, truth = made(seed)
    result = mean_average_precision(found, truth, 0.5)
    labels, videos = {action.label for action in truth}, {action.video for action in truth}
    by_action = [
        naive_ap([x for x in found if x.label == label], [x for x in truth if x.label == label], 0.5)
        for label in labels
    ]
    by_video = [
        naive_ap([x for x in found if x.video == video], [x for x in truth if x.video == video], 0.5)
        for video in videos
    ]
    assert result.over_actions == pytest.approx(100 * np.mean(by_action))
    assert result.over_videos == pytest.approx(100 * np.mean(by_video))


def action(start: int, end: int, confidence: float = 1.0, label: int = 0) -> Action:
    return Action(video="a", label=label, start=start, end=end, confidence=confidence)


TRUE = [action(0, 10), action(20, 30), action(40, 50), action(60, 70)]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (TRUE, 1.0),  # all of it
        ([], 0.0),
        (TRUE[:1], 0.25),  # one of four, nothing wrong
        ([action(0, 10, 0.9), action(100, 110, 0.8)], 0.125),  # a wrong one that is less sure counts all the same
        ([action(0, 10, 0.9), action(20, 30, 0.7), action(100, 110, 0.8)], 1 / 3),
        ([action(0, 10, 0.8), action(100, 110, 0.9)], 0.125),  # and the surer one halves the precision
        ([action(0, 10, 0.9), action(1, 11, 0.8)], 0.25),  # found twice: counted once, the better one decides
        ([action(0, 10, 0.9, label=1)], 0.0),
        ([action(0, 21, 0.9)], 0.0),  # over two, with neither half
    ],
)
def test_cases_by_hand(found: list[Action], expected: float) -> None:
    assert average_precision(found, TRUE, 0.5) == pytest.approx(expected)


def test_a_lower_threshold_never_finds_less() -> None:
    for seed in range(30):
        found, truth = made(seed)
        once = [next((x for x in found if x.video == y.video and x.label == y.label), y) for y in truth]
        scores = [average_precision(once[:1], truth[:1], threshold) for threshold in (0.1, 0.3, 0.5, 0.7)]
        assert scores == sorted(scores, reverse=True)


def test_what_is_no_detection() -> None:
    with pytest.raises(ValueError, match="frames 5 to 5"):
        average_precision([action(5, 5)], TRUE, 0.5)
    with pytest.raises(ValueError, match="confidence nan"):
        average_precision([action(5, 6, float("nan"))], TRUE, 0.5)
    with pytest.raises(ValueError, match="a tIoU of 0"):
        average_precision(TRUE, TRUE, 0.0)
    with pytest.raises(ValueError, match="no true actions"):
        mean_average_precision(TRUE, [], 0.5)
