"""A trained encoder in use: recordings in, embeddings out.

n recordings, t frames, m bodies, v joints, c coordinates, d numbers of an embedding.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32

from kinestream.data.clips import FixedClips, clips_as
from kinestream.data.held import HeldClips
from kinestream.data.recording import Recording, as_recordings
from kinestream.data.store import Store
from kinestream.distributed.launch import Device, device_named
from kinestream.evaluate.source import AnyRun, open_source
from kinestream.features.extract import compute_features
from kinestream.features.neighbours import side_by_side
from kinestream.models.encoder import Encoder
from kinestream.models.encoder_file import EncoderCard
from kinestream.progress import Progress, silent
from kinestream.skeleton.layout import SkeletonLayout
from kinestream.use.segment import SWITCH, WINDOW, segment
from kinestream.use.segments import Segments
from kinestream.use.states import Labeller
from kinestream.use.stream import Stream

Moves = Store | Recording | Sequence[Recording] | np.ndarray | Sequence[np.ndarray]
"""One recording or several, or all of a store; an array `(t, v, c)` or `(t, m, v, c)` is one recording."""


@dataclass(frozen=True)
class Hits:
    """What a search found, the nearest first.

    `distances` are cosine distances: 0 for the same direction, 1 for unrelated ones, 2 for opposite ones.
    """

    names: tuple[str, ...]
    indices: tuple[int, ...]
    """Where each stands in what was searched."""
    distances: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.names)

    def __str__(self) -> str:
        rows = zip(self.names, self.distances, strict=True)
        return "\n".join(f"{rank:>3}  {distance:.3f}  {name}" for rank, (name, distance) in enumerate(rows, start=1))


class Model:
    """The encoders of a run, one for each of its streams, as one function from recordings to vectors.

    Example:
        >>> model = load("runs/mine")  # doctest: +SKIP
        >>> model.embed(recordings).shape  # doctest: +SKIP
        (12, 1792)
    """

    def __init__(self, name: str, encoders: Mapping[str, Encoder], cards: Mapping[str, EncoderCard]) -> None:
        """Raises ValueError for encoders that do not take the same clips."""
        self.name = name
        self.encoders = dict(encoders)
        self.cards = dict(cards)
        forms = {(card.layout, card.frames, card.preparation) for card in cards.values()}
        if len(forms) != 1:
            raise ValueError(f"the encoders of {name} take different clips: load the encoder of one stream alone")

    def __repr__(self) -> str:
        card = self._card
        return (
            f"Model({self.name!r}: {' + '.join(self.encoders)}, layout {card.layout.name}, {card.frames} frames, "
            f"preparation {card.preparation}, embeddings of {self.dim})"
        )

    @property
    def streams(self) -> tuple[str, ...]:
        return tuple(self.encoders)

    @property
    def layout(self) -> SkeletonLayout:
        """The joints that the encoders take; recordings of other layouts are mapped to it."""
        return self._card.layout

    @property
    def dim(self) -> int:
        """Length of an embedding: the features of all streams side by side."""
        return sum(encoder.dim for encoder in self.encoders.values())

    def embed(
        self,
        moves: Moves,
        *,
        layout: str | Path | SkeletonLayout | None = None,
        device: Device = "auto",
        progress: Progress = silent,
    ) -> Float32[np.ndarray, "n d"]:
        """A unit vector for each recording, in their order; similar movements have a large inner product.

        Each recording is prepared as those that the encoders learnt from, its joints are mapped to their layout, and it
        is resized to a clip of their length. The unit features of all streams stand side by side. Features are not
        whitened: that needs the clips of the training.

        Args:
            layout: of arrays; recordings know their own.
            device: "auto" takes a GPU where there is one.

        Raises:
            ValueError: a recording cannot be prepared, or has not the joints that the encoders need.
        """
        clips = self._clips(moves, layout)
        features = compute_features(
            self.encoders,
            clips,
            readout=self._card.readout,
            device=device_named(device),
            progress=lambda done, total: progress("embed", "recordings", done, total),
        )
        joined = side_by_side({stream: torch.from_numpy(rows) for stream, rows in features.items()})
        return (joined / len(self.encoders) ** 0.5).numpy()

    def transform(self, moves: Moves) -> Float32[np.ndarray, "n d"]:
        """`embed`, under the name that scikit-learn's pipelines call."""
        return self.embed(moves)

    def search(self, query: Moves, among: Moves, *, k: int = 5, device: Device = "auto") -> Hits:
        """The `k` recordings of `among` that are most similar to the first of `query`, by the cosine of embeddings.

        The query itself is among the hits where it is one of them. Raises ValueError for a `k` that is not in 1 .. n.

        Example:
            >>> model = load("runs/mine")  # doctest: +SKIP
            >>> print(model.search(moves[0], moves, k=3))  # doctest: +SKIP
              1  0.000  wave-1
              2  0.041  wave-7
              3  0.055  clap-2
        """
        rows = self.embed(among, device=device)
        if not 1 <= k <= len(rows):
            raise ValueError(f"k ({k}) must be in 1..{len(rows)}, the number of recordings to search")
        cosines = rows @ self.embed(query, device=device)[0]
        nearest = np.argsort(-cosines, kind="stable")[:k]
        names = _names(among, len(rows))
        return Hits(
            names=tuple(names[index] for index in nearest.tolist()),
            indices=tuple(nearest.tolist()),
            distances=tuple(float(1 - cosine) for cosine in cosines[nearest]),
        )

    def segment(
        self,
        move: Recording | np.ndarray,
        *,
        groups: int | None = None,
        labels: Labeller | None = None,
        using: Segments | None = None,
        window: float | int = WINDOW,
        hop: float | int | None = None,
        switch: float | int = SWITCH,
        threshold: float = 0.5,
        fps: float | int | None = None,
        layout: str | Path | SkeletonLayout | None = None,
        seed: int = 0,
        device: Device = "auto",
        progress: Progress = silent,
    ) -> Segments:
        """A long recording in pieces: recurring groups, found without labels, or the labels of a classifier.

        Args:
            move: one recording, or an array with `layout=` and `fps=`. `use.segment.segment` takes several, whose
                groups are then the same.
            groups: how many; a number is chosen (see `find_groups`) if neither this nor one of the next two is given.
            labels: a fitted classifier, with `classes_` and `predict_proba(embeddings)`; `threshold` is the probability
                below which a frame is background, where no class is called so.
            using: what `segment` gave for another recording, whose groups are taken.
            window: seconds, as is `hop`, an eighth of a window if not given.
            switch: what a change costs; more for longer pieces, 0 for windows one by one.

        Raises ValueError for a recording without a rate, in which nobody is seen, or what does not fit.

        Example:
            >>> model = load("runs/mine")  # doctest: +SKIP
            >>> print(model.segment(long_move, groups=3))  # doctest: +SKIP
                0.00 to     4.27 s  group 0                  0.31
                4.27 to     9.60 s  group 1                  0.24
        """
        (found,) = segment(
            self,
            move,
            groups=groups,
            labels=labels,
            using=using,
            window=window,
            hop=hop,
            switch=switch,
            threshold=threshold,
            fps=fps,
            layout=layout,
            seed=seed,
            device=device,
            progress=progress,
        )
        return found

    def stream(
        self,
        frames: Iterable[np.ndarray],
        *,
        fps: float | int,
        using: Segments | None = None,
        labels: Labeller | None = None,
        window: float | int | None = None,
        hop: float | int | None = None,
        lag: float | int | None = None,
        switch: float | int = SWITCH,
        threshold: float = 0.5,
        layout: str | Path | SkeletonLayout | None = None,
        device: Device = "auto",
    ) -> Stream:
        """Events of frames `(v, 3)` or `(m, v, 3)` that come one at a time: where a piece begins, and where it ended.

        Args:
            using: what `segment` gave for an earlier recording, whose groups are looked for; or
            labels: a fitted classifier.
            lag: seconds that a decision waits for what follows; a window if not given. `latency_seconds` of the stream
                says how late an event is at most.

        Example:
            >>> for event in model.stream(camera, fps=30, using=parts):  # doctest: +SKIP
            ...     print(event.label, event.start, event.end)
        """
        return Stream(
            self,
            frames,
            fps=fps,
            using=using,
            labels=labels,
            window=window,
            hop=hop,
            lag=lag,
            switch=switch,
            threshold=threshold,
            layout=layout,
            device=device,
        )

    @property
    def _card(self) -> EncoderCard:
        """What the encoders have in common."""
        return next(iter(self.cards.values()))

    def _clips(self, moves: Moves, layout: str | Path | SkeletonLayout | None) -> FixedClips:
        card = self._card
        if isinstance(moves, Store):
            if not moves.preparation.gives(card.preparation):
                raise ValueError(
                    f"{self.name} learnt from preparation '{card.preparation}', {moves.path} was prepared "
                    f"'{moves.info.preparation}': prepare it as '{card.preparation}'"
                )
            return clips_as(moves, card.frames, card.layout)
        return HeldClips(
            as_recordings(moves, layout), frames=card.frames, layout=card.layout, preparation=card.preparation
        )


def load(run: AnyRun) -> Model:
    """The model of a run, of its folder, or of one encoder file (`.safetensors` with its card beside it).

    Raises ValueError where there is no encoder, or a file is damaged. Nothing in the files is executed.

    Example:
        >>> load("runs/mine").embed(recordings)  # doctest: +SKIP
    """
    source = open_source(run)
    loaded = source.encoders()
    return Model(
        source.name,
        {stream: encoder for stream, (encoder, _) in loaded.items()},
        {stream: card for stream, (_, card) in loaded.items()},
    )


def _names(moves: Moves, count: int) -> Sequence[str]:
    if isinstance(moves, Store):
        return moves.table.name
    some = [moves] if isinstance(moves, Recording) else moves
    if isinstance(some, np.ndarray):
        return ["0"]
    return [one.name if isinstance(one, Recording) and one.name else str(number) for number, one in enumerate(some)]
