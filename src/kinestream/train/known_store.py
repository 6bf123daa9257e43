"""The store that a run learnt from, found again."""

from pathlib import Path

from kinestream.data.store import Store
from kinestream.train.run_folder import Run

_LEVELS_UP = 4


def store_of(run: Run) -> Store:
    """Where the run says that it is, or, for a run that was moved together with its data, there as seen from a folder
    above the run; the content tells whether it is the same.

    Raises ValueError where the folder is no run, or the store is not there any more.
    """
    config = run.config()
    data = Path(config.data)
    above = () if data.is_absolute() else tuple(run.path.absolute().parents)[:_LEVELS_UP]
    other = None
    for place in (data, *(folder / data for folder in above)):
        if not (place / "store.json").is_file():
            continue
        if (found := Store(place)).fingerprint == config.store_fingerprint:
            return found
        other = other or place
    if other is not None:
        raise ValueError(f"{other} is not what {run.path} learnt from any more: say with --data which store is meant")
    raise ValueError(f"{run.path} learnt from {data}, which is not there any more: say with --data where it is now")
