"""Mean average precision of detected actions as the authors of PKU-MMD compute it (Liu et al. 2017).

A detection is matched with the true action of its class and video with which its temporal intersection over union
(tIoU) is greatest, if that is at least a threshold; several may be matched with one. Detections are taken away from
the least confident on. Precision and recall of those that are left, a true action counted once, are taken of all, and
after each matched one that goes. The average precision is the area under that curve, its precision made to rise with
falling recall.

So an unmatched detection that is less sure than every matched one still counts: the area is smaller than the usual
interpolated one, and comparable with the published figures.

NOTE: one published version of that program takes the class numbers for the first frames when it computes
the overlap; here it is what the paper defines.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

Key = TypeVar("Key", int, str)

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


@dataclass(frozen=True, kw_only=True)
class Action:
    """An action in a video, true or detected: frames `start` to `end`, `end` not included."""

    video: str
    label: int
    start: int
    end: int
    confidence: float = 1.0
    """Of a detection; any numbers that put detections in order."""


@dataclass(frozen=True, kw_only=True)
class MeanPrecision:
    """In percent, at one threshold."""

    over_actions: float
    over_videos: float
    by_action: dict[int, float]
    by_video: dict[str, float]


def mean_average_precision(found: Sequence[Action], truth: Sequence[Action], threshold: float) -> MeanPrecision:
    """The average precision of each class over all videos, of each video over all classes, and the means of both.

    Means are over the classes and videos that have true actions. NOTE: the authors' mean is over all 51 classes, which
    is the same where each occurs, as in their test parts.

    Raises ValueError for a threshold outside (0, 1], a detection that ends before it begins or whose confidence is no
    number, or where there is no true action.

    Example:
        >>> truth = [Action(video="a", label=3, start=0, end=100), Action(video="a", label=4, start=150, end=200)]
        >>> found = [Action(video="a", label=3, start=10, end=90, confidence=0.9)]
        >>> made = mean_average_precision(found, truth, 0.5)
        >>> made.over_actions, made.by_video
        (50.0, {'a': 50.0})
    """
    if not truth:
        raise ValueError("no true actions: there is nothing to detect")
    found_by_label, found_by_video = _grouped(found, _label_of), _grouped(found, _video_of)
    by_action = {
        label: 100 * average_precision(found_by_label.get(label, ()), some, threshold)
        for label, some in sorted(_grouped(truth, _label_of).items())
    }
    by_video = {
        video: 100 * average_precision(found_by_video.get(video, ()), some, threshold)
        for video, some in sorted(_grouped(truth, _video_of).items())
    }
    return MeanPrecision(
        over_actions=float(np.mean(list(by_action.values()))),
        over_videos=float(np.mean(list(by_video.values()))),
        by_action=by_action,
        by_video=by_video,
    )


def average_precision(found: Sequence[Action], truth: Sequence[Action], threshold: float) -> float:
    """From 0 to 1; see the head of this module. 0 where there is nothing true or nothing was found."""
    if not 0 < threshold <= 1:
        raise ValueError(f"a tIoU of {threshold}: it must be above 0 and at most 1")
    _check(found)
    ordered = sorted(found, key=lambda action: action.confidence)
    matched = _match(ordered, truth, threshold)
    if not ordered or not truth:
        return 0.0
    left = np.bincount([place for place in matched if place >= 0], minlength=len(truth))
    right = int((left > 0).sum())
    precision, recall = right / len(ordered), right / len(truth)
    area = 0.0
    for number, place in enumerate(matched, start=1):
        if place < 0:
            continue
        left[place] -= 1
        right -= int(left[place] == 0)
        rest = len(ordered) - number
        precision = max(precision, right / rest if rest else 0.0)
        area += precision * (recall - right / len(truth))
        recall = right / len(truth)
    return area


def _match(found: Sequence[Action], truth: Sequence[Action], threshold: float) -> list[int]:
    """For each detection the place of the true action that it is matched with, or -1."""
    candidates: dict[tuple[str, int], list[int]] = defaultdict(list)
    for place, action in enumerate(truth):
        candidates[action.video, action.label].append(place)
    matched = []
    for action in found:
        overlaps = [(_overlap(action, truth[place]), place) for place in candidates[action.video, action.label]]
        best, place = max(overlaps, default=(0.0, -1))
        matched.append(place if best >= threshold else -1)
    return matched


def _overlap(a: Action, b: Action) -> float:
    shared = min(a.end, b.end) - max(a.start, b.start)
    return max(0.0, shared / (max(a.end, b.end) - min(a.start, b.start)))


def _grouped(actions: Sequence[Action], key: Callable[[Action], Key]) -> dict[Key, list[Action]]:
    groups: dict[Key, list[Action]] = defaultdict(list)
    for action in actions:
        groups[key(action)].append(action)
    return groups


def _label_of(action: Action) -> int:
    return action.label


def _video_of(action: Action) -> str:
    return action.video


def _check(found: Sequence[Action]) -> None:
    for action in found:
        if not action.start < action.end or not np.isfinite(action.confidence):
            raise ValueError(
                f"a detection in {action.video}, frames {action.start} to {action.end}, confidence "
                f"{action.confidence}: it must end after it begins, and its confidence be a number"
            )
