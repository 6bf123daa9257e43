"""`python -m benchmarks.plausibility DATA`: how often real recordings are taken for no body, and how often made-up
errors are caught, as JSON. DATA is the folder with `ntu`, `nw-ucla`, `ui-prmd`, `pku-mmd` and `cmu-mocap`; those that
are not there are left out.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from kinestream.data.formats import file_format, ntu, nw_ucla, pku_mmd
from kinestream.data.plausibility import Plausibility, examine
from kinestream.data.recording import Found, Source
from kinestream.skeleton.joint_maps import joint_map
from kinestream.skeleton.layout import SkeletonLayout, load_layout

Joints = Float[np.ndarray, "t m v c"]
PART = 150
"""Frames of the pieces that the one long video is cut into."""
ERRORS_IN = 250
"""Recordings of a data set that each error is made in, evenly over it."""


@dataclass(frozen=True, kw_only=True)
class Real:
    """A recording in metres with y up."""

    name: str
    joints: Joints
    layout: SkeletonLayout


def measure(data: Path) -> dict[str, Any]:
    """False alarms on each data set, and for each error the share that is caught."""
    found: dict[str, Any] = {"data": {}, "errors": {}}
    for name, read in DATA.items():
        real = list(read(data, 1))
        if not real:
            continue
        told = [(one.name, examine(one.joints, one.layout)) for one in real]
        alarms = {key: result.problems for key, result in told if result.problems}
        found["data"][name] = {
            "recordings": len(real),
            "alarms": len(alarms),
            "examples": dict(list(alarms.items())[:10]),
            "numbers": _numbers([result for _, result in told]),
        }
        some = [real[row] for row in np.unique(np.linspace(0, len(real) - 1, ERRORS_IN).astype(int)).tolist()]
        for error, make in ERRORS.items():
            rng = np.random.default_rng(0)
            made = [wrong for one in some if (wrong := make(one, rng)) is not None]
            caught = sum(not examine(one.joints, one.layout).plausible for one in made)
            if made:
                found["errors"].setdefault(error, {})[name] = {"made": len(made), "caught": caught}
    return found


def _numbers(results: list[Plausibility]) -> dict[str, list[float]]:
    """Least, 1st percentile, median, 99th percentile and most of each."""
    told = {}
    for key in ("height", "up_share", "up_cosine", "swing", "unevenness", "order", "facing"):
        values = [value for result in results if (value := getattr(result, key)) is not None]
        told[key] = [round(float(value), 3) for value in np.percentile(values, (0, 1, 50, 99, 100))] if values else []
        told[key + "_unknown"] = [len(results) - len(values)]
    return told


# --- real recordings ------------------------------------------------------------------------------------------------


def _ntu(data: Path, step: int) -> Iterator[Real]:
    for path in sorted(data.glob("ntu/*/*.skeleton"))[::step]:
        yield Real(name=path.stem, joints=ntu.read(ntu.parse_name(path)).joints, layout=ntu.LAYOUT)


def _nw_ucla(data: Path, step: int) -> Iterator[Real]:
    for path in sorted(data.glob("nw-ucla/*/*.json"))[::step]:
        yield Real(name=path.stem, joints=nw_ucla.read(nw_ucla.parse_name(path)).joints, layout=nw_ucla.LAYOUT)


def _pku(data: Path, step: int) -> Iterator[Real]:
    for path in sorted(data.glob("pku-mmd/skeleton/*.txt")):
        joints = pku_mmd.parse(path.read_bytes()).joints
        for first in range(0, len(joints), PART * step):
            yield Real(name=f"{path.stem}-{first}", joints=joints[first : first + PART], layout=pku_mmd.LAYOUT)


def _ui_prmd(data: Path, step: int) -> Iterator[Real]:
    path, layout = data / "ui-prmd/ui_prmd_kinect.npz", load_layout("uiprmd22")
    if not path.is_file():
        return
    with np.load(path) as values:
        joints, ends, names = values["joints_mm"], values["offset"].tolist(), values["name"].tolist()
    for row in range(0, len(names), step):
        part = joints[ends[row] : ends[row + 1], None] / 1000.0
        yield Real(name=names[row], joints=part, layout=layout)


def _cmu(data: Path, step: int) -> Iterator[Real]:
    for path in sorted(data.glob("cmu-mocap/*/*.amc"))[::step]:
        found = file_format("amc").read(Source(path=path, name=path.stem))
        assert isinstance(found, Found)
        assert found.layout is not None
        metres = {"m": 1.0, "in": 0.0254}[found.units or "m"]
        yield Real(name=path.stem, joints=metres * found.joints, layout=found.layout)


DATA: Mapping[str, Callable[[Path, int], Iterator[Real]]] = {
    "ntu": _ntu,
    "nw-ucla": _nw_ucla,
    "pku-mmd": _pku,
    "ui-prmd": _ui_prmd,
    "cmu": _cmu,
}
"""Readers of every so many-th recording."""

# --- made-up errors -------------------------------------------------------------------------------------------------

Error = Callable[[Real, np.random.Generator], Real | None]


def _with(change: Callable[[Joints], Joints]) -> Error:
    return lambda real, rng: Real(name=real.name, joints=change(real.joints), layout=real.layout)


def _exchanged(real: Real, rng: np.random.Generator) -> Real:
    return Real(name=real.name, joints=real.joints[:, :, list(real.layout.mirrored)], layout=real.layout)


def _shuffled(real: Real, rng: np.random.Generator) -> Real:
    order = rng.permutation(len(real.layout.joints))
    return Real(name=real.name, joints=real.joints[:, :, order], layout=real.layout)


def _misread(true: str, taken_for: str) -> Error:
    """Joints of one layout under the names of another."""

    def make(real: Real, rng: np.random.Generator) -> Real | None:
        joints = _as_layout(real, load_layout(true))
        return Real(name=real.name, joints=joints, layout=load_layout(taken_for))

    return make


def _halved(real: Real, rng: np.random.Generator) -> Real | None:
    """34 joints, those of the ZED camera's body model, as two people of 17."""
    body = _as_layout(real, load_layout("azure32"))
    names = load_layout("azure32").joints
    order = " ".join(
        (
            "pelvis spine_navel spine_chest neck",
            "left_clavicle left_shoulder left_elbow left_wrist left_hand left_hand_tip left_thumb",
            "right_clavicle right_shoulder right_elbow right_wrist right_hand right_hand_tip right_thumb",
            "left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle right_foot",
            "head nose left_eye left_ear right_eye right_ear left_ankle right_ankle",
        )
    ).split()
    every = body[:, 0, [names.index(name) for name in order]]
    return Real(name=real.name, joints=every.reshape(len(every), 2, 17, 3), layout=load_layout("coco17"))


def _as_layout(real: Real, target: SkeletonLayout) -> Joints:
    """The first body with the joints of another layout; those of a face that the sensor did not see stand round the
    head."""
    body = real.joints[:, :1]
    canonical = real.layout.canonical
    face = {name: place for name, place in FACE.items() if name in target.canonical and name not in canonical}
    plain = [name for name in target.canonical if name not in face and not name.endswith("small_toe")]
    stand_in = SkeletonLayout(
        name="without a face", joints=tuple(plain), parents=(0,) * len(plain), pairs=(), heading=(0, 1), pelvis=(0,)
    )
    parts = dict(zip(plain, joint_map(real.layout, stand_in).parts, strict=True))
    joint = {name: body[:, :, list(part)].mean(axis=2) for name, part in parts.items()}
    joint |= {f"{side}_small_toe": joint.get(f"{side}_foot") for side in ("left", "right")}
    head, neck = (body[:, :, canonical.index(name)] for name in ("head", "neck"))
    left, right = (body[:, :, canonical.index(f"{side}_shoulder")] for side in ("left", "right"))
    up, aside = _unit(head - neck), _unit(right - left)
    ahead = np.cross(up, aside)
    for name, (x, y, z) in face.items():
        joint[name] = head + x * aside + y * up + z * ahead
    return np.stack([joint[name] for name in target.canonical], axis=2)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9))


FACE = {
    "head_top": (0.0, 0.12, 0.0),
    "nose": (0.0, 0.0, 0.1),
    "left_eye": (-0.03, 0.03, 0.08),
    "right_eye": (0.03, 0.03, 0.08),
    "left_ear": (-0.07, 0.0, 0.0),
    "right_ear": (0.07, 0.0, 0.0),
}
"""Metres to the right of the head, above and before it."""
ERRORS: Mapping[str, Error] = {
    "cm as m": _with(lambda joints: joints * 100),
    "mm as m": _with(lambda joints: joints * 1000),
    "m as mm": _with(lambda joints: joints / 1000),
    "z up as y up": _with(lambda joints: np.stack((joints[..., 0], -joints[..., 2], joints[..., 1]), axis=-1)),
    "upside down": _with(lambda joints: joints * [1, -1, -1]),
    "mirrored": _with(lambda joints: joints * [-1, 1, 1]),
    "left and right exchanged": _exchanged,
    "joints shuffled": _shuffled,
    "Human3.6M as coco17": _misread("h36m17", "coco17"),
    "coco17 as Human3.6M": _misread("coco17", "h36m17"),
    "BODY_25 as ntu25": _misread("body25", "ntu25"),
    "34 joints as two people of 17": _halved,
}


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1])), indent=1))
