"""What the columns of a table are, by their names: which joint and axis, or the time, the frame, the person."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from kinestream.data.recording import RecordingError
from kinestream.words import shown

_POSITION = r"(?:positions?|pos|locations?|loc|coordinates?|coords?)"
_SURE = r"(?:confidence|conf|scores?|visibility|vis|likelihood|probability|prob|presence)"
_GAP = r"[ _.:\-/|]"
_AXIS = rf"(?P<axis>[xyz]|{_SURE}|[vc])"
_FAMILIES = tuple(
    re.compile(pattern, re.IGNORECASE if fold else 0)
    for pattern, fold in (
        # {joint}_{axis}, {joint} (x), {joint}.pos.x, {joint}_x_pos
        (rf"(?P<joint>.+?){_GAP}+(?:{_POSITION}{_GAP}*)?[(\[]?{_AXIS}[)\]]?(?:{_GAP}+{_POSITION})?", True),
        # {axis}_{joint}, pos_x_{joint}
        (rf"(?:{_POSITION}{_GAP}*)?{_AXIS}{_GAP}+(?P<joint>.+)", True),
        # x1, X[1], score1
        (rf"{_AXIS}[(\[]?(?P<joint>\d+)[)\]]?", True),
        # {joint}{axis}
        (rf"(?P<joint>.+?)(?:{_POSITION})?(?P<axis>[xyz]|{_SURE})", True),
        # xNose
        (r"(?P<axis>[xyzXYZ])(?P<joint>[A-Z].*)", False),
    )
)
_UNIT = re.compile(
    r"(?P<name>.*?)\s*[(\[]\s*(?P<unit>mm|cm|m|in|px|pixels?|inch(?:es)?|(?:milli|centi)?met(?:er|re)s?)\s*[)\]]"
    r"|(?P<named>.*[_ .]?[xyz])_(?P<short>mm|cm|m|px)",
    re.IGNORECASE,
)
_UNIT_WORDS = {"pixel": "px", "inch": "in", "inche": "in"}
_NO_POSITION = re.compile(
    r"(?:^|[ _.:\-/|]|(?<=[a-z])(?=[A-Z]))(?i:rot|rotations?|quat|quaternions?|q|orientations?|angles?|angular|euler|"
    r"vel|velocity|speed|acc|accel|acceleration|gyro|mag|force|moment|torque|normal|direction|dir|std|var|error|"
    r"residual|bbox|box)$"
)
"""Ends of names of what is no position."""
_NUMBERED = re.compile(
    r"(?:(?:joint|keypoint|kp|landmark|lm|point|marker|node|bone|j|p)[ _.\-]?)?(\d{1,4})", re.IGNORECASE
)
_PERSON = re.compile(
    r"(?P<person>(?:person|body|skeleton|subject|player|actor|human|track|id|p)[ _.\-]?\d+|[^:]+(?=:))"
    r"[ _.:\-]+(?P<joint>.+)",
    re.IGNORECASE,
)
_MOST_PEOPLE = 100
_ROLES = {
    "frame": "frame frames frame_id frame_idx frame_index frame_number frame_num frame_no",
    "time": "time times timestamp timestamps t time_s time_ms time_us time_ns seconds",
    "person": "person person_id person_index pid track track_id id individual individuals body body_id skeleton "
    "skeleton_id player player_id subject_id",
    "joint": "joint joints joint_name joint_id joint_index keypoint keypoints keypoint_name keypoint_id kp kp_id "
    "landmark landmark_name landmark_id landmark_index marker marker_name marker_id bodypart bodyparts body_part part "
    "node node_name point point_name",
    "recording": "recording recording_id recording_name clip clip_id sequence sequence_id",
    "fps": "fps frame_rate framerate",
}
_ROLE_OF = {name: role for role, names in _ROLES.items() for name in names.split()}
_TIME_UNITS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


@dataclass(frozen=True, kw_only=True)
class Joints:
    """Where the coordinates of the joints stand: column numbers, by person, joint and axis."""

    people: tuple[str, ...]
    names: tuple[str, ...]
    """Of the joints; empty where they have numbers."""
    columns: tuple[tuple[tuple[int, ...], ...], ...]
    confidence: tuple[tuple[int, ...], ...]
    """By person and joint, -1 where there is none; empty where there is none at all."""
    units: str | None
    incomplete: tuple[str, ...]
    """Joints that lack an axis that others have."""

    @property
    def used(self) -> frozenset[int]:
        found = {column for person in self.columns for joint in person for column in joint}
        return frozenset(found | {column for person in self.confidence for column in person if column >= 0})


def plain(name: str) -> str:
    """In lower case, with one `_` between words, without unit."""
    return re.sub(r"[\s_.\-#]+", "_", without_unit(name)[0].strip().lower()).strip("_")


def role_of(name: str) -> str | None:
    """What a column is that is no coordinate: `frame`, `time`, `person`, `joint`, `recording` or `fps`."""
    return _ROLE_OF.get(plain(name)) or ("time" if _time_words(name) else None)


def seconds_of(name: str) -> float | None:
    """How many seconds one unit of a column of times is, where its name says so.

    Example:
        >>> seconds_of("Time (ms)"), seconds_of("timestamp_us"), seconds_of("time")
        (0.001, 1e-06, None)
    """
    words = _time_words(name)
    if words:
        return _TIME_UNITS[words]
    return 1.0 if plain(name) == "seconds" else None


def _time_words(name: str) -> str:
    found = re.fullmatch(r"\s*time(?:stamp)?s?[\s_.\-]*[(\[]?\s*(s|sec|seconds|ms|us|µs|ns)\s*[)\]]?\s*", name.lower())
    return found.group(1) if found else ""


def without_unit(name: str) -> tuple[str, str | None]:
    """A name and the unit that stands behind it.

    Example:
        >>> without_unit("Hip X (mm)"), without_unit("hip_x_cm"), without_unit("arm_m")
        (('Hip X', 'mm'), ('hip_x', 'cm'), ('arm_m', None))
    """
    found = _UNIT.fullmatch(name.strip())
    if found is None:
        return name.strip(), None
    unit = (found["unit"] or found["short"]).lower().removesuffix("s")
    unit = re.sub(r"^(milli|centi)?met(?:er|re)$", lambda word: {"milli": "mm", "centi": "cm"}.get(word[1], "m"), unit)
    return (found["name"] if found["unit"] else found["named"]), _UNIT_WORDS.get(unit, unit)


def find_joints(names: Sequence[str], pattern: str = "") -> Joints | None:
    """The joints that columns of these names hold; None where there are none.

    `pattern`, as in `{joint}.{axis}`, says how they are called; else it is the form that most joints have. Raises
    RecordingError for a pattern that is none, for a column that stands twice, and for two units.

    Example:
        >>> found = find_joints(["time", "hip_x", "hip_y", "head_x", "head_y"])
        >>> found.names, found.columns
        (('hip', 'head'), (((1, 2), (3, 4)),))
    """
    bare = [without_unit(name) for name in names]
    families = (_own(pattern),) if pattern else _FAMILIES
    found = [_by_joint([name for name, _ in bare], family) for family in families]
    best = max(found, key=_complete)
    if not _complete(best):
        return None
    best = {joint: axes for joint, axes in best.items() if "x" in axes and "y" in axes}
    deep = {joint for joint, axes in best.items() if "z" in axes}
    axes = "xyz" if deep else "xy"
    kept = {joint: own for joint, own in best.items() if not deep or joint in deep}
    for joint, own in kept.items():
        for axis, columns in own.items():
            if len(columns) > 1:
                raise RecordingError(f"{axis} of '{shown(joint, 30)}' stands in {len(columns)} columns: keep one")
    units = {unit for own in kept.values() for axis in axes if (unit := bare[own[axis][0]][1])}
    if len(units) > 1:
        raise RecordingError(f"columns in {' and in '.join(sorted(units))}: give all in one unit")
    people, joints = _people(list(kept))
    numbered = _in_order(joints)
    order = numbered if numbered is not None else joints
    places = [[kept[_name_of(person, joint, kept)] for joint in order] for person in people]
    sure = [[own.get("sure", [-1])[0] for own in person] for person in places]
    return Joints(
        people=people,
        names=() if numbered is not None else tuple(map(_tidy, joints)),
        columns=tuple(tuple(tuple(own[axis][0] for axis in axes) for own in person) for person in places),
        confidence=tuple(map(tuple, sure)) if any(one >= 0 for person in sure for one in person) else (),
        units=next(iter(units), None),
        incomplete=tuple(joint for joint in best if joint not in kept),
    )


@cache
def _own(pattern: str) -> "re.Pattern[str]":
    if pattern.count("{joint}") != 1 or pattern.count("{axis}") != 1:
        raise RecordingError(
            f"the pattern of the columns, '{shown(pattern)}', needs {{joint}} and {{axis}} once each, as in "
            "{joint}_{axis}"
        )
    text = re.escape(pattern).replace(r"\{joint\}", "(?P<joint>.+?)").replace(r"\{axis\}", _AXIS)
    return re.compile(text, re.IGNORECASE)


def _by_joint(names: Sequence[str], family: "re.Pattern[str]") -> dict[str, dict[str, list[int]]]:
    """Columns by joint and axis (x, y, z or `sure`), of the names that a pattern fits."""
    found: dict[str, dict[str, list[int]]] = {}
    for column, name in enumerate(names):
        match = family.fullmatch(name)
        joint = "" if match is None else match["joint"].strip(" _.:-/|")
        if match is None or not joint or _NO_POSITION.search(joint):
            continue
        axis = match["axis"].lower()
        found.setdefault(joint, {}).setdefault(axis if axis in "xyz" else "sure", []).append(column)
    return found


def _complete(found: Mapping[str, Mapping[str, object]]) -> int:
    return sum("x" in axes and "y" in axes for axes in found.values())


def _people(joints: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """Whose joints they are where all names begin with a person's, and the names without that."""
    found = [_PERSON.fullmatch(joint) for joint in joints]
    if not all(found):
        return ("",), joints
    by_person: dict[str, list[str]] = {}
    for match in found:
        assert match is not None
        by_person.setdefault(match["person"], []).append(match["joint"])
    first = next(iter(by_person.values()))
    alike = all(sorted(own) == sorted(first) for own in by_person.values())
    # `p1`, `p2` ... of one joint each are points, not people.
    if not alike or len(first) < 2 or len(by_person) > _MOST_PEOPLE:
        return ("",), joints
    return tuple(by_person), first


def _name_of(person: str, joint: str, known: Iterable[str]) -> str:
    if not person:
        return joint
    return next(
        name for name in known if name.startswith(person) and name.endswith(joint) and _is_of(name, person, joint)
    )


def _is_of(name: str, person: str, joint: str) -> bool:
    match = _PERSON.fullmatch(name)
    return match is not None and (match["person"], match["joint"]) == (person, joint)


def _in_order(joints: Sequence[str]) -> list[str] | None:
    """Joints that are called by numbers, in the order of those. Raises RecordingError where one is missing."""
    found = [_NUMBERED.fullmatch(joint) for joint in joints]
    if not all(found):
        return None
    numbers = {int(match[1]): joint for match, joint in zip(found, joints, strict=True) if match is not None}
    lacking = [number for number in range(min(numbers), max(numbers)) if number not in numbers]
    if len(numbers) != len(joints) or lacking or min(numbers) > 1:
        what = f"{lacking[0]} lacks" if lacking else "the first lacks" if min(numbers) > 1 else "one stands twice"
        raise RecordingError(f"joints are numbered {min(numbers)} to {max(numbers)}, and {what}")
    return [numbers[number] for number in sorted(numbers)]


def _tidy(joint: str) -> str:
    """Without `Position` at the end, as in `HipPositionX`."""
    return re.sub(rf"[ _.:\-]*{_POSITION}$", "", joint, flags=re.IGNORECASE) or joint


def counted(names: Sequence[str]) -> Counter[str]:
    """The roles of columns."""
    return Counter(role for name in names if (role := role_of(name)))
