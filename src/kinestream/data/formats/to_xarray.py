"""Data sets of the `movement` package, a netCDF file for each recording.

    position     (time, space, keypoints, individuals), metres, y up; NaN where a joint was not seen or nobody is there
    confidence   (time, keypoints, individuals), NaN where it is not known

Time is in seconds, or in frames where the rate is not known. What else is known of a recording stands in attributes.
"""

import importlib.util
import json
import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from kinestream.data.formats.incoming import ExchangeError
from kinestream.data.formats.outgoing import Content, Outgoing
from kinestream.files import new_folder, replacing
from kinestream.skeleton.layout import SkeletonLayout

SUFFIX = ".nc"
_NO_FILE_NAME = re.compile(r'[<>:"/\\|?*\x00-\x1f]|^\.+|[. ]+$')
_LONGEST_NAME = 200


def write_xarray(outgoing: Outgoing, path: Path) -> None:
    """Writes a folder with a file for each recording, or one file `.nc` of a single one."""
    _needed()
    if path.suffix.lower() == SUFFIX:
        if len(outgoing) != 1:
            raise ExchangeError(f"{path} is one file for {len(outgoing)} recordings: give the name of a folder")
        with replacing(path) as part:
            _write(next(iter(outgoing.contents())), outgoing, part)
        return
    names = _file_names([row.name for row in outgoing.rows])
    with new_folder(path) as folder:
        for content, name in zip(outgoing.contents(), names, strict=True):
            _write(content, outgoing, folder / f"{name}{SUFFIX}")


def _needed() -> None:
    if any(importlib.util.find_spec(package) is None for package in ("xarray", "h5netcdf")):
        raise ExchangeError('netCDF files need xarray and h5netcdf: pip install "kinestream[formats]"')


def _write(content: Content, outgoing: Outgoing, path: Path) -> None:
    import xarray as xr

    facts, layout = content.facts, outgoing.layout
    coordinates = 2 if outgoing.planar else 3
    there = np.asarray(content.joints.any(axis=(2, 3)))
    position = np.where(there[..., None, None], content.joints, np.float32(np.nan))[..., :coordinates]
    scores = np.full(position.shape[:3], np.nan, np.float32) if content.confidence is None else content.confidence
    time = np.arange(facts.frames) / (facts.fps or 1.0)
    made = xr.Dataset(
        {
            "position": (("time", "space", "keypoints", "individuals"), position.transpose(0, 3, 2, 1)),
            "confidence": (("time", "keypoints", "individuals"), scores.transpose(0, 2, 1)),
        },
        coords={
            "time": time,
            "space": list("xyz"[:coordinates]),
            "keypoints": list(layout.joints),
            "individuals": [f"person_{number + 1}" for number in range(facts.bodies)],
        },
        attrs=_attributes(content, layout),
    )
    made.to_netcdf(path, engine="h5netcdf")


def _attributes(content: Content, layout: SkeletonLayout) -> dict[str, Any]:
    facts = content.facts
    texts = {key: getattr(facts, key) for key in ("label", "subject", "camera", "session")}
    return {
        "ds_type": "poses",
        "source_software": f"kinestream {version('kinestream')}",
        "time_unit": "frames" if facts.fps is None else "seconds",
        "units": "m",
        "up": "y",
        "name": facts.name,
        "layout": json.dumps(layout.to_dict(), ensure_ascii=False),
        **({} if facts.fps is None else {"fps": facts.fps}),
        **{key: str(value) for key, value in texts.items() if value is not None},
    }


def _file_names(names: Sequence[str]) -> list[str]:
    """Names that every file system takes, each once."""
    made: list[str] = []
    taken: set[str] = set()
    for name in names:
        plain = base = _NO_FILE_NAME.sub("_", name)[:_LONGEST_NAME] or "_"
        number = 2
        while plain.lower() in taken:
            plain, number = f"{base}-{number}", number + 1
        taken.add(plain.lower())
        made.append(plain)
    return made
