"""Whether a run that is resumed is the one that was begun."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kinestream.models.readout import Readout
from kinestream.train.run_folder import Run, RunConfig


def check_same(found: RunConfig, asked: RunConfig, run: Run) -> None:
    """Raises ValueError, saying what differs, for another store, other pairs or other settings."""
    out = run.path
    if found.store_fingerprint != asked.store_fingerprint:
        raise ValueError(f"{out} was begun on another store ({found.data}) than {asked.data}: they differ in content")
    if [one.store_fingerprint for one in found.also] != [one.store_fingerprint for one in asked.also]:
        before = " ".join(f"--also {one.data}" for one in found.also) or "without --also"
        raise ValueError(f"{out} was begun with other further stores ({before}): resume with those, as they were")
    if (found.pairs and found.pairs.sha256) != (asked.pairs and asked.pairs.sha256):
        before = f"--pairs {run.pairs}" if found.pairs else "without --pairs"
        raise ValueError(f"{out} was begun with other pairs of recordings: resume as it was begun, {before}")
    if (found.start and found.start.sha256) != (asked.start and asked.start.sha256):
        before = f"--from {found.start.encoder}" if found.start else "without --from"
        raise ValueError(f"{out} was begun from other weights: resume as it was begun, {before}")
    # What the literature reports, what a recipe is recommended for and how features are read are no settings of a run.
    no_settings: dict[str, Any] = {"published": None, "recommended": None, "readout": Readout()}
    begun, now = (replace(config.recipe, **no_settings) for config in (found, asked))
    if begun != now:
        changed = ", ".join(_differences(begun.to_dict(), now.to_dict()))
        only_epochs = begun == replace(now, epochs=begun.epochs)
        other = f"to train further, --epochs {now.epochs}" if only_epochs else "or begin a new run"
        raise ValueError(f"{out} was begun with other settings ({changed}): resume with those, {other}")


def _differences(found: Mapping[str, Any], asked: Mapping[str, Any], path: str = "") -> list[str]:
    lines = []
    for key in {**found, **asked}:
        if isinstance(found.get(key), dict) and isinstance(asked.get(key), dict):
            lines += _differences(found[key], asked[key], f"{path}{key}.")
        elif found.get(key) != asked.get(key):
            lines.append(f"{path}{key} was {found.get(key)}, now {asked.get(key)}")
    return lines
