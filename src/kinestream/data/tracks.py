"""Which bodies of a recording are one person: tracking numbers that end, begin anew, or stand for one body twice.

Lengths are measured in body sizes (the diagonal of the box round a body, about 2 m for an adult who stands), so that
metres, millimetres and pixels are treated alike. Shapes: t frame, m place in the frame, v joint, c coordinate.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

FRAME_RATE = 30.0
"""Frames a second where nobody says how many."""
LONGEST_ABSENCE = 1.0
"""Seconds after which a person who comes back is a new one."""
LONGEST_OVERLAP = 0.2
"""Seconds for which an ending number and the one that takes over may both be there, though not quite at one place."""
SAME_PLACE = 0.06
"""Two bodies at once are one when their joints lie closer than this on average, in body sizes ..."""
SAME_PLACE_SHARE = 0.9
"""... in at least this share of the frames in which both are there."""
_LEAST_SHARED = 3
_ENDS = 3
"""Frames at the end of a track whose median tells where it ends: the last one is often out of shape."""
_SAMPLES = 30
_AT_ONCE = 100_000
"""Joints compared at a time: more would take much memory and no less time."""

Joints = Float[np.ndarray, "t m v c"]
Numbers = Int[np.ndarray, "t m"]


class Places(NamedTuple):
    """Where a tracking number is: its frames, ascending, and its place in each."""

    number: int
    frames: Int[np.ndarray, " seen"]
    slots: Int[np.ndarray, " seen"]


def places(bodies: Numbers) -> list[Places]:
    """The tracking numbers (above 0) in the order in which they come; of one twice in a frame the first place stands.

    Example:
        >>> found = places(np.array([[7, 0], [3, 7], [3, 3]]))
        >>> [(one.number, one.frames.tolist(), one.slots.tolist()) for one in found]
        [(7, [0, 1], [0, 1]), (3, [1, 2], [0, 0])]
    """
    frames, slots = np.nonzero(bodies > 0)
    numbers = bodies[frames, slots]
    if not len(numbers):
        return []
    if (numbers == numbers[0]).all():
        groups = [np.arange(len(numbers))]
    else:
        order = np.argsort(numbers, kind="stable")
        groups = np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)
    found = []
    for rows in sorted(groups, key=lambda rows: rows[0]):
        first = rows[np.diff(frames[rows], prepend=-1) > 0]
        found.append(Places(int(numbers[first[0]]), frames[first], slots[first]))
    return found


def join_tracks(joints: Joints, bodies: Numbers, fps: int | float | None = None) -> Numbers:
    """The tracking numbers with one number for each person, that which comes first.

    Two numbers are one person where both are at the same place for as long as both are there; and where one ends and
    the other begins, up to a second later, no further away and in no other pose than a person can reach by then. Where
    several could follow one, or one several, the assignment of the least total cost is taken. Of two bodies in a frame
    that turn out to be one, that of the longer track stands and the other has number 0. Numbers that are persons
    already come back as they are, the same array.

    Args:
        joints: NaN where a joint was not seen.
        bodies: tracking numbers, 0 where there is no body.
        fps: 30 where it is not known.
    """
    if not len(bodies) or bodies.max() <= 0 or _is_single(bodies):
        return bodies
    there = (bodies > 0) & np.nan_to_num(joints).any(axis=(2, 3))
    tracks = places(np.where(there, bodies, 0))
    if len(tracks) < 2:
        return bodies
    size = body_size(joints, there)
    doubles = _groups(len(tracks), _doubles(joints, tracks, bodies.shape, size))
    spans = [[tracks[row] for row in rows] for rows in doubles]
    links = _links(spans, joints, float(fps or FRAME_RATE), size)
    people = [[row for group in groups for row in doubles[group]] for groups in _groups(len(doubles), links)]
    joined = [rows for rows in people if len(rows) > 1]
    return _renumbered(bodies, tracks, joined) if joined else bodies


def track_by_place(joints: Joints, fps: int | float | None = None) -> Numbers:
    """Tracking numbers from 1 for bodies that stand in any order in each frame, as pose estimators list them; 0 where
    there is none.

    Frame by frame, bodies are assigned to the people seen within the last second so that the joints move the least in
    all; one too far from everybody is a new person. With a single place it is one person.
    """
    there = np.nan_to_num(joints).any(axis=(2, 3))
    if joints.shape[1] == 1:
        return there.astype(np.int64)
    numbers = np.zeros(there.shape, dtype=np.int64)
    size, rate = body_size(joints, there), float(fps or FRAME_RATE)
    calm = _calm(joints, there, size, rate)
    known = np.zeros((0, *joints.shape[2:]), dtype=joints.dtype)
    last, own = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    people, passed = 0, None
    for frame in np.flatnonzero(there.any(axis=1)).tolist():
        slots = np.flatnonzero(there[frame])
        if calm[frame] and len(own) == len(slots):  # nobody is remembered who is not there
            numbers[frame], passed = numbers[frame - 1], frame
            continue
        if passed is not None:  # where everybody was then
            rows = np.searchsorted(own, numbers[passed][there[passed]])
            known[rows], last[rows], passed = joints[passed, there[passed]], passed, None
        recent = (frame - last) <= LONGEST_ABSENCE * rate
        known, last, own = known[recent], last[recent], own[recent]
        seen = joints[frame, slots]
        cost = np.ones((len(slots), len(own)))
        if len(own):
            cost = _step_cost(known[None], seen[:, None], (frame - last) / rate, size)
        rows, columns = assign(cost)
        numbers[frame, slots[rows]] = own[columns]
        known[columns], last[columns] = seen[rows], frame
        new = np.setdiff1d(np.arange(len(slots)), rows)
        fresh = people + 1 + np.arange(len(new))
        numbers[frame, slots[new]] = fresh
        known, last = np.concatenate((known, seen[new])), np.concatenate((last, np.full(len(new), frame)))
        own = np.concatenate((own, fresh))
        people += len(new)
    return numbers


def _calm(joints: Joints, there: Bool[np.ndarray, "t m"], size: float, rate: float) -> Bool[np.ndarray, " t"]:
    """Frames in which the same places are taken as in the one before, and each is nearest to itself: nothing is left to
    be assigned."""
    calm = np.zeros(len(joints), dtype=np.bool_)
    calm[1:] = (there[1:] == there[:-1]).all(axis=1) & there[1:].any(axis=1)
    many = joints.shape[1]
    at_once = max(1, _AT_ONCE // (many**2 * joints.shape[2]))
    for start in range(1, len(joints), at_once):
        frames = start + np.flatnonzero(calm[start : start + at_once])
        before, after = joints[frames - 1][:, None], joints[frames][:, :, None]
        cost = _step_cost(before, after, np.array(1 / rate), size)
        cost = np.where(there[frames][:, :, None] & there[frames][:, None], cost, 1.0)
        own = np.diagonal(cost, axis1=1, axis2=2)
        nearest = (own < 1) & (own <= cost.min(axis=1)) & (own <= cost.min(axis=2))
        calm[frames] = (nearest | ~there[frames]).all(axis=1)
    return calm


def _step_cost(
    before: Float[np.ndarray, "*n v c"], after: Float[np.ndarray, "*m v c"], seconds: np.ndarray, size: float
) -> Float[np.ndarray, "*k"]:
    """How far apart two poses are, as a share of what a body can do in that time; 1 where it is out of reach."""
    limit = size * (0.15 + 0.8 * np.asarray(seconds))
    return np.minimum(_mean_distance(after - before) / limit, 1.0)


def link_cost(before: Float[np.ndarray, "v c"], after: Float[np.ndarray, "v c"], seconds: float, size: float) -> float:
    """How hard it is to take the end of one track and the beginning of another for one person, from 0 to 1; 1 where the
    way or the change of pose is out of reach in that time."""
    moved = after - before
    common = ~np.isnan(moved).any(axis=-1)
    if not common.any():
        return 1.0
    way = moved[common].mean(axis=0)
    pose = float(np.linalg.norm(moved[common] - way, axis=-1).mean())
    travel = float(np.linalg.norm(way)) / (size * (0.1 + 0.8 * seconds))
    change = pose / (size * (0.1 + 0.2 * seconds))
    return 1.0 if max(travel, change) >= 1 else (travel + change) / 2


def assign(cost: Float[np.ndarray, "rows columns"]) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of the least total cost; those that cost 1 or more stay apart, which costs 1."""
    from scipy.optimize import linear_sum_assignment  # slow to import, and most recordings are of one body

    rows, columns = linear_sum_assignment(np.minimum(cost, 1.0))
    near = cost[rows, columns] < 1
    return rows[near], columns[near]


def body_size(joints: Joints, there: Bool[np.ndarray, "t m"]) -> float:
    """Median diagonal of the box round a body; 1 where there is none of any size."""
    frames, slots = np.nonzero(there)
    some = np.unique(np.linspace(0, len(frames) - 1, _SAMPLES).astype(np.intp)) if len(frames) else np.zeros(0, np.intp)
    bodies = joints[frames[some], slots[some]]
    unseen = np.isnan(bodies)
    if unseen.any():
        extent = np.where(unseen, -np.inf, bodies).max(axis=1) - np.where(unseen, np.inf, bodies).min(axis=1)
    else:
        extent = np.ptp(bodies, axis=1)
    diagonals = np.linalg.norm(extent, axis=-1)
    diagonals = diagonals[diagonals > 0]
    return float(np.median(diagonals)) if len(diagonals) else 1.0


def _is_single(bodies: Numbers) -> bool:
    return bool(((bodies == bodies.max()) | (bodies <= 0)).all() and ((bodies > 0).sum(axis=1) <= 1).all())


def _mean_distance(moved: Float[np.ndarray, "*n v c"]) -> Float[np.ndarray, "*n"]:
    """Over the joints that are seen in both; infinite where there are none."""
    distance = np.linalg.norm(moved, axis=-1)
    common = ~np.isnan(distance)
    count = common.sum(axis=-1)
    return np.where(count > 0, np.where(common, distance, 0).sum(axis=-1) / np.maximum(count, 1), np.inf)


def _doubles(joints: Joints, tracks: list[Places], shape: tuple[int, int], size: float) -> list[tuple[int, int]]:
    """Pairs of tracks that are at one place whenever both are there."""
    rows = np.full(shape, -1)
    for row, track in enumerate(tracks):
        rows[track.frames, track.slots] = row
    count = len(tracks)
    keys, nearby = [], []
    for left in range(shape[1]):
        for right in range(left + 1, shape[1]):
            frames = np.flatnonzero((rows[:, left] >= 0) & (rows[:, right] >= 0) & (rows[:, left] != rows[:, right]))
            pair = rows[frames, left], rows[frames, right]
            keys.append(np.minimum(*pair) * count + np.maximum(*pair))
            nearby.append(_mean_distance(joints[frames, left] - joints[frames, right]) < SAME_PLACE * size)
    if not any(near.any() for near in nearby):
        return []
    found, which = np.unique(np.concatenate(keys), return_inverse=True)
    both, near = np.bincount(which), np.bincount(which, weights=np.concatenate(nearby))
    same = found[(both >= _LEAST_SHARED) & (near >= SAME_PLACE_SHARE * both)]
    return [(key // count, key % count) for key in same.tolist()]


def _links(spans: list[list[Places]], joints: Joints, rate: float, size: float) -> list[tuple[int, int]]:
    """Which span, the tracks of one body, goes on in which. Spans far from each other in time never meet in one table
    of costs."""
    begins = np.array([min(int(track.frames[0]) for track in span) for span in spans])
    ends = np.array([max(int(track.frames[-1]) for track in span) for span in spans])
    order = np.argsort(begins, kind="stable")
    earliest = np.searchsorted(begins[order], ends - LONGEST_OVERLAP * rate)
    latest = np.searchsorted(begins[order], ends + LONGEST_ABSENCE * rate, side="right")
    costs: dict[tuple[int, int], float] = {}
    for one, (start, stop) in enumerate(zip(earliest.tolist(), latest.tolist(), strict=True)):
        following = order[start:stop]
        following = following[(begins[following] > begins[one]) & (ends[following] > ends[one])]
        for other in following.tolist():
            seconds = max(0, int(begins[other] - ends[one])) / rate
            cost = link_cost(_last_pose(spans[one], joints), _first_pose(spans[other], joints), seconds, size)
            if cost < 1:
                costs[one, other] = cost
    return [link for table in _tables(costs, len(spans)) for link in _cheapest(table, costs)]


def _first_pose(span: list[Places], joints: Joints) -> Float[np.ndarray, "v c"]:
    track = min(span, key=lambda track: int(track.frames[0]))
    return _typical(joints[track.frames[:_ENDS], track.slots[:_ENDS]])


def _last_pose(span: list[Places], joints: Joints) -> Float[np.ndarray, "v c"]:
    track = max(span, key=lambda track: int(track.frames[-1]))
    return _typical(joints[track.frames[-_ENDS:], track.slots[-_ENDS:]])


def _typical(poses: Float[np.ndarray, "n v c"]) -> Float[np.ndarray, "v c"]:
    """Median over the frames in which a joint is seen."""
    typical = np.full(poses.shape[1:], np.nan, dtype=poses.dtype)
    seen = ~np.isnan(poses).all(axis=(0, 2))
    typical[seen] = np.nanmedian(poses[:, seen], axis=0)
    return typical


def _tables(costs: dict[tuple[int, int], float], count: int) -> Iterator[list[tuple[int, int]]]:
    """The possible links, in groups that share neither an end nor a beginning."""
    if not costs:
        return
    pairs = list(costs)
    tables: dict[int, list[tuple[int, int]]] = {}
    labels = _components([(one, count + other) for one, other in pairs], 2 * count)
    for pair in pairs:
        tables.setdefault(int(labels[pair[0]]), []).append(pair)
    yield from tables.values()


def _cheapest(pairs: list[tuple[int, int]], costs: dict[tuple[int, int], float]) -> Iterator[tuple[int, int]]:
    ends, begins = (sorted({pair[side] for pair in pairs}) for side in (0, 1))
    table = np.ones((len(ends), len(begins)))
    for one, other in pairs:
        table[ends.index(one), begins.index(other)] = costs[one, other]
    for row, column in zip(*assign(table), strict=True):
        yield ends[int(row)], begins[int(column)]


def _components(pairs: list[tuple[int, int]], count: int) -> Int[np.ndarray, " n"]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1])


def _groups(count: int, pairs: list[tuple[int, int]]) -> list[list[int]]:
    """What hangs together, in order."""
    if not pairs:
        return [[row] for row in range(count)]
    groups: dict[int, list[int]] = {}
    for row, label in enumerate(_components(pairs, count).tolist()):
        groups.setdefault(label, []).append(row)
    return list(groups.values())


def _renumbered(bodies: Numbers, tracks: list[Places], joined: list[list[int]]) -> Numbers:
    numbers = bodies.copy()
    for rows in joined:
        person = tracks[min(rows)].number
        for row in rows:
            numbers[bodies == tracks[row].number] = 0
        taken = np.zeros(len(bodies), dtype=np.bool_)
        for row in sorted(rows, key=lambda row: (-len(tracks[row].frames), row)):
            free = ~taken[tracks[row].frames]
            numbers[tracks[row].frames[free], tracks[row].slots[free]] = person
            taken[tracks[row].frames] = True
    return numbers
