"""Clips of fixed length, made once from a store and kept beside it, memory-mapped."""

import contextlib
import errno
import os
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int64

from kinestream.data.kept import Kept, NotKeptError, keep
from kinestream.data.preparation import Preparation, preparation_of, timed
from kinestream.data.recording import RecordingError
from kinestream.data.store import Store, StoreError
from kinestream.skeleton.joint_maps import JointMap, joint_map
from kinestream.skeleton.layout import SkeletonLayout


@runtime_checkable
class FixedClips(Protocol):
    """Clips of one length with the joints of `layout`."""

    @property
    def frames(self) -> int: ...
    @property
    def rate(self) -> float | None:
        """Frames a second of all clips; None where each is a whole recording, however long."""
        ...

    @property
    def layout(self) -> SkeletonLayout: ...
    def __len__(self) -> int: ...
    def batch(self, indices: Int64[np.ndarray, " n"]) -> Float32[np.ndarray, "n t m v c"]: ...


@runtime_checkable
class AnyClips(FixedClips, Protocol):
    """One for each recording of a store, in its order."""

    store: Store


class Clips:
    """All recordings of a store as clips of `frames` frames, in the order of its table; of `seconds` from the middle of
    each, if given, else of all of it. `preparation`: whose clips they are, where not the store's own; it keeps the same
    of recordings.

    The first use makes them and writes `clips-<frames>-<fingerprint>.npy` into the store, or into the user's cache
    folder `~/.cache/kinestream` when the store cannot be written; later uses map that file, in which each clip has a
    checksum. 100 000 NTU clips of 50 frames take 3 GB of disk and no memory.
    """

    def __init__(
        self, store: Store, frames: int, seconds: float | int | None = None, preparation: str | None = None
    ) -> None:
        if frames < 2:
            raise ValueError(f"a clip needs at least 2 frames, not {frames}")
        self.store = store
        self.frames = frames
        self.rate = None if seconds is None else frames / seconds
        self._seconds = seconds
        self._made_by = _made_by(store, preparation)
        self._file, self._kept = _open_or_make(store, frames, seconds, self._made_by)

    def __len__(self) -> int:
        return len(self.store)

    @property
    def layout(self) -> SkeletonLayout:
        return self.store.layout

    def batch(self, indices: Int64[np.ndarray, " n"]) -> Float32[np.ndarray, "n t m v c"]:
        """The clips of these recordings, copied out of the file. One that is not as it was written is made again, and
        the file is removed, so that the next process makes all of them."""
        clips: Float32[np.ndarray, "n t m v c"] = self._kept.array[indices]
        whole = self._kept.are_whole(indices, clips)
        if not whole.all():
            with contextlib.suppress(OSError):
                self._file.unlink(missing_ok=True)
            for place in np.flatnonzero(~whole).tolist():
                clips[place] = _clip(self.store, int(indices[place]), self.frames, self._seconds, self._made_by)
        return clips


class MappedClips:
    """Clips of a store with the joints of another layout, as `joint_map` makes them."""

    def __init__(self, clips: Clips, joint_map: JointMap) -> None:
        if clips.layout != joint_map.source:
            raise ValueError(f"the clips have layout {clips.layout.name}, the map takes {joint_map.source.name}")
        self.store = clips.store
        self.frames = clips.frames
        self.rate = clips.rate
        self._clips = clips
        self._map = joint_map

    def __len__(self) -> int:
        return len(self._clips)

    @property
    def layout(self) -> SkeletonLayout:
        return self._map.target

    def batch(self, indices: Int64[np.ndarray, " n"]) -> Float32[np.ndarray, "n t m v c"]:
        return self._map(self._clips.batch(indices))


def clips_as(
    store: Store,
    frames: int,
    layout: SkeletonLayout,
    seconds: float | int | None = None,
    preparation: str | None = None,
    *,
    partly: bool = False,
) -> AnyClips:
    """The clips of a store with the joints of `layout`, see `Clips`; with `partly` of a part of a body, too.

    Raises ValueError where some cannot be made.
    """
    clips = Clips(store, frames, seconds, preparation)
    return clips if store.layout == layout else MappedClips(clips, joint_map(store.layout, layout, partly=partly))


def caution(store: Store, frames: int) -> str | None:
    """What to tell the user about clips of this length, or None: clips that were made elsewhere are those of their
    preparation only at the length that they were made with."""
    lengths = np.unique(store.table.length)
    if store.preparation.like is None or lengths.tolist() == [frames]:
        return None
    return (
        f"{store.path} holds clips of {', '.join(map(str, lengths[:3]))} frames that were made elsewhere: those of "
        f"{frames} frames are resized from them and differ from what '{store.preparation.like}' makes of the recordings"
    )


def _made_by(store: Store, wanted: str | None) -> Preparation:
    """That of the store, or another one that keeps the same. Raises StoreError for one that does not."""
    own = store.preparation
    if wanted is None or wanted in (own.name, own.like):
        return own
    if not own.cleans_as(wanted):
        raise StoreError(f"{store.path} was prepared '{own.name}', which gives no clips of '{wanted}'")
    return preparation_of(wanted)


def _open_or_make(store: Store, frames: int, seconds: float | int | None, made_by: Preparation) -> tuple[Path, Kept]:
    # The fingerprint in the name: clips of a store that was since made anew are never taken for its own.
    length = f"{frames}" if seconds is None else f"{frames}-{seconds:g}s"
    how = "" if made_by == store.preparation else f"-{made_by.name}"
    name = f"clips-{length}{how}-{store.fingerprint[:12]}.npy"
    folders = (store.path, cache_folder())
    for folder in folders:
        if (clips := _open(folder / name, store, frames)) is not None:
            return folder / name, clips
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            every = (_clip(store, index, frames, seconds, made_by) for index in range(len(store)))
            keep(folder / name, _shape(store, frames), every)
        except PermissionError:
            continue
        except OSError as error:
            if error.errno != errno.EROFS:
                raise
            continue
        if (clips := _open(folder / name, store, frames)) is not None:
            return folder / name, clips
    raise StoreError(f"no place for the clips of {store.path}: neither the store nor {folders[1]} can be written")


def cache_folder() -> Path:
    """Of the user."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kinestream"


def _open(path: Path, store: Store, frames: int) -> Kept | None:
    """The clips in a file, or None when it is not there or not what was asked for."""
    try:
        clips = Kept(path)
    except NotKeptError:
        return None
    return clips if clips.array.shape == _shape(store, frames) else None


def _clip(
    store: Store, index: int, frames: int, seconds: float | int | None, made_by: Preparation
) -> Float32[np.ndarray, "t m v c"]:
    try:
        joints = timed(store.joints(index), seconds, store.rate(index))
    except RecordingError as error:
        raise StoreError(f"{store.path}: recording {store.table.name[index]}: {error}") from None
    return np.asarray(made_by.clip(joints, frames, store.layout), dtype=np.float32)


def _shape(store: Store, frames: int) -> tuple[int, ...]:
    return (len(store), frames, store.info.most_bodies, len(store.layout.joints), 3)
