"""Training a run further than it was begun for."""

import dataclasses

from kinestream.progress import Notice
from kinestream.train.run_folder import Run, RunConfig


def further(run: Run, config: RunConfig, begun: RunConfig, epochs: int, notice: Notice) -> RunConfig:
    """The configuration of a run that goes on to so many epochs. Raises ValueError for fewer than are trained."""
    done = run.epochs_done
    if epochs < max(done, 1):
        raise ValueError(f"{run.path} has {done} epochs already: --epochs {epochs} is less")
    recipe = dataclasses.replace(config.recipe, epochs=epochs)
    notice(
        f"{run.path} goes on to {epochs} epochs instead of {begun.recipe.epochs}. Schedules follow the new length from "
        f"here on: the result is not quite that of {epochs} epochs from the start"
    )
    return dataclasses.replace(config, recipe=recipe)
