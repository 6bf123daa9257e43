"""Poses of the `movement` package: netCDF files of xarray, with `position` and `confidence`.

https://movement.neuroinformatics.dev, "The movement datasets". The order and the number of the names of dimensions
changed between its versions; both are understood.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kinestream.data.formats import FORMATS, Format, hdf5
from kinestream.data.formats.sightings import MOST_NUMBERS, rate, scored
from kinestream.data.recording import Found, RecordingError, Source
from kinestream.skeleton.layout import UNITS, UP, SkeletonLayout
from kinestream.words import shown

_AXES = (("time",), ("individuals", "individual"), ("keypoints", "keypoint"), ("space",))
_CLASSIC = (b"CDF\x01", b"CDF\x02", b"CDF\x05")
_FACTS = ("units", "up", "name", "label", "subject", "camera", "session")
_SPACES = (("x", "y"), ("x", "y", "z"))


def read(source: Source) -> Found:
    """Raises RecordingError."""
    path = source.path
    if path.stat().st_size > 16 * MOST_NUMBERS:
        raise RecordingError(f"{path.stat().st_size:,} bytes: too large for one recording")
    try:
        import xarray
    except ImportError:
        raise RecordingError('netCDF files need xarray: pip install "kinestream[formats]"') from None
    if _is_classic(path):
        return _read(xarray, path, "scipy")
    with hdf5.opened(path) as file:
        _check(file)
    return _read(xarray, path, "h5netcdf")


def recognises(path: Path) -> bool:
    """Whether it has positions in a space."""
    try:
        if _is_classic(path):
            with path.open("rb") as raw:
                head = raw.read(2**16)
            return b"position" in head and b"space" in head
        if not hdf5.is_hdf5(path):
            return False
        with hdf5.opened(path) as file:
            return "position" in file and "space" in file
    except RecordingError:  # without h5py
        return True
    except OSError:
        return False


def _is_classic(path: Path) -> bool:
    with path.open("rb") as raw:
        return raw.read(4) in _CLASSIC


def _check(file: Any) -> None:
    """That nothing lies in another file, and all sizes are those of a recording."""
    if len(file) > 1000:
        raise RecordingError(f"{len(file):,} data sets in it: no file of poses has as many")
    for name in file:
        hdf5.dataset(file, name)


def _read(xarray: Any, path: Path, engine: str) -> Found:
    try:
        with xarray.open_dataset(path, engine=engine, decode_times=False, decode_timedelta=False, cache=False) as data:
            return _found(data)
    except RecordingError:
        raise
    except (ImportError, ModuleNotFoundError):
        raise RecordingError('netCDF files need h5netcdf: pip install "kinestream[formats]"') from None
    except Exception as error:  # noqa: BLE001  whatever the libraries below raise for a damaged file
        raise RecordingError(f"netCDF that cannot be read ({shown(str(error) or type(error).__name__, 100)})") from None


def _found(data: Any) -> Found:
    if "position" not in data:
        raise RecordingError("no variable 'position'")
    position = data["position"]
    dims = [next((name for name in names if name in position.dims), None) for names in _AXES]
    if dims[2] is None:
        raise RecordingError("'position' has no key points: bounding boxes are no bodies")
    if None in dims[:1] or dims[3] is None or len(position.dims) != 3 + (dims[1] is not None):
        raise RecordingError(
            f"'position' has the axes {shown(str(position.dims))}: time, space, keypoints, individuals belong"
        )
    if position.size * 2 > MOST_NUMBERS or position.dtype.kind not in "fiu":
        raise RecordingError(f"'position' {position.shape} of {position.dtype}: too large, or no numbers")
    known = [dim for dim in dims if dim is not None]
    joints = np.asarray(position.transpose(*known).values, dtype=np.float64)
    joints = joints if dims[1] is not None else joints[:, None]
    if 0 in joints.shape:
        raise RecordingError("no frames" if not len(joints) else "no body")
    if joints.shape[3] not in (2, 3):
        raise RecordingError(f"{joints.shape[3]} coordinates, where 2 or 3 belong")
    space = _words(data, "space")
    if space and space != _SPACES[joints.shape[3] - 2]:
        raise RecordingError(f"the coordinates {shown(str(space))} where x, y and perhaps z belong")
    scores = np.full(joints.shape[:3], np.nan)
    if "confidence" in data:
        confidence = data["confidence"]
        if set(confidence.dims) != set(known[:-1]) or confidence.dtype.kind not in "fiu":
            raise RecordingError(
                f"'confidence' has the axes {shown(str(confidence.dims))} and type {confidence.dtype}: numbers with "
                "the axes of 'position' but space belong there"
            )
        scores = np.asarray(confidence.transpose(*known[:-1]).values, dtype=np.float64).reshape(scores.shape)
    joints, certain, notes = scored(np.concatenate((joints, scores[..., None]), axis=3), flags=False)
    if not np.isfinite(joints).any():
        raise RecordingError(f"no body in any of its {len(joints)} frames")
    points = _words(data, dims[2])
    if len(set(points)) != len(points):
        raise RecordingError(
            f"two key points are called '{shown(next(one for one in points if points.count(one) > 1))}'"
        )
    fps, more = _rate(data)
    ours = _ours(data.attrs, points)
    people = _words(data, dims[1]) if dims[1] else ()
    if len(people) > 1 and not ours:
        more = (*more, f"individuals, in their order: {shown(', '.join(people), 200)}")
    flat = joints.shape[3] == 2
    told: dict[str, Any] = {"points": points, "units": "px" if flat else None, "up": "-y" if flat else None}
    return Found(joints=joints, confidence=certain, fps=fps, notes=(*notes, *more), **(told | ours))


def _ours(attributes: Mapping[str, Any], points: tuple[str, ...]) -> dict[str, Any]:
    """What a file says besides that we wrote (see `to_xarray`); nothing for files of others. Raises RecordingError."""
    if not str(attributes.get("source_software", "")).startswith("kinestream"):
        return {}
    told: dict[str, Any] = {key: str(attributes[key]) for key in _FACTS if key in attributes}
    units, up = told.get("units", "m"), told.get("up", "y")
    if units not in UNITS or up not in UP:
        raise RecordingError(f"its units '{shown(units)}' or its up axis '{shown(up)}' are unknown")
    try:
        plain = json.loads(str(attributes.get("layout", "")))
        if not isinstance(plain, dict):
            raise ValueError("it is no mapping of names")
        layout = SkeletonLayout.from_dict(plain)
    except (ValueError, RecursionError) as error:
        raise RecordingError(f"its layout cannot be read ({shown(str(error), 100)})") from None
    if layout.joints != points:
        raise RecordingError(f"its layout {shown(layout.name)} has other joints than its key points")
    return {**told, "layout": layout, "points": ()}


def _words(data: Any, dim: str) -> tuple[str, ...]:
    """The names along a dimension; none where it has only numbers."""
    if dim not in data.coords or data[dim].dtype.kind not in "OUS" or data[dim].size > 100_000:
        return ()
    return tuple(hdf5.text(value) for value in data[dim].values.tolist())


def _rate(data: Any) -> tuple[float | None, tuple[str, ...]]:
    """As it says, else by its times in seconds."""
    said = data.attrs.get("fps")
    if isinstance(said, int | float | np.number) and not isinstance(said, bool) and 0 < said < 100_000:
        return float(said), ()
    if data.attrs.get("time_unit") == "seconds" and "time" in data.coords and data["time"].dtype.kind in "fiu":
        times = np.asarray(data["time"].values, dtype=np.float64)
        if not np.isnan(times).any():
            return rate(times, np.arange(len(times)))
    return None, ()


FORMATS.add(
    "movement",
    Format(
        suffixes=(".nc",),
        read=read,
        looks_like="poses of the movement package (netCDF)",
        recognises=recognises,
        files_a_task=2,
    ),
)
