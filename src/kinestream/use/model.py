"""A trained encoder in use: recordings in, embeddings out.

n rows, t frames, m bodies, v joints, c coordinates, d numbers of an embedding.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float32
from sklearn.base import BaseEstimator, TransformerMixin

from kinestream.data.clips import FixedClips, clips_as
from kinestream.data.recording import Recording, as_recordings
from kinestream.data.store import Store
from kinestream.distributed.launch import Device, device_named
from kinestream.evaluate.source import AnyRun, Source, open_source
from kinestream.features.extract import compute_features
from kinestream.features.neighbours import side_by_side
from kinestream.features.whitening import Whitening
from kinestream.features.whitening_file import hash_of
from kinestream.models.encoder import Encoder
from kinestream.models.encoder_file import EncoderCard
from kinestream.progress import Notice, Progress, silent, unheard
from kinestream.skeleton.layout import SkeletonLayout
from kinestream.use.archive import Embeddings
from kinestream.use.encode import Given, Unusable, encode
from kinestream.use.made_by import MadeBy, Reading
from kinestream.use.pieces import Cutting, Length, People, Tally
from kinestream.use.rows import Rows
from kinestream.use.search import Hits, NotSame
from kinestream.use.segment import SWITCH, WINDOW, segment
from kinestream.use.segments import Segments
from kinestream.use.states import Labeller
from kinestream.use.stream import Stream
from kinestream.use.vectors import Held
from kinestream.use.whitened import whitening_of

if TYPE_CHECKING:
    from kinestream.use.export.graph import LinearHead
    from kinestream.use.export.writing import Exported

Moves = Store | Recording | Sequence[Recording] | np.ndarray | Sequence[np.ndarray]
"""One recording or several, or all of a store; an array `(t, v, c)` or `(t, m, v, c)` is one recording."""


class Model(TransformerMixin, BaseEstimator):
    """The encoders of a run, one for each of its streams, as one function from recordings to vectors.

    It is a transformer of scikit-learn: its samples are the recordings of a list, and `fit` changes nothing.

    Args:
        source: where the encoders come from; its training clips are what features are whitened by.
        whitened: False leaves features as they are, whatever the card says.
        whitening: of each stream, where it need not be looked for at the source.
        arrays: layout of the arrays that `transform` is given; recordings know their own.
        device: that `transform` computes on; "auto" takes a GPU where there is one.

    Example:
        >>> model = load("runs/mine")  # doctest: +SKIP
        >>> model.embed(recordings).shape  # doctest: +SKIP
        (12, 1792)
    """

    def __init__(
        self,
        name: str,
        encoders: Mapping[str, Encoder],
        cards: Mapping[str, EncoderCard],
        *,
        source: Source | None = None,
        whitened: bool = True,
        whitening: Mapping[str, Whitening] | None = None,
        arrays: str | Path | SkeletonLayout | None = None,
        device: Device = "auto",
    ) -> None:
        """Raises ValueError for encoders that do not take the same clips."""
        self.name = name
        self.encoders = dict(encoders)
        self.cards = dict(cards)
        self.source = source
        self.whitened = whitened
        self.arrays = arrays
        self.device = device
        if whitening is not None:
            self.whitening = whitening
        forms = {(card.layout, card.frames, card.seconds, card.preparation, card.bodies) for card in cards.values()}
        if len(forms) != 1:
            raise ValueError(f"the encoders of {name} take different clips: load the encoder of one stream alone")

    def __repr__(self) -> str:  # type: ignore[override]
        card = self.card
        return (
            f"Model({self.name!r}: {' + '.join(self.encoders)}, layout {card.layout.name}, {card.frames} frames, "
            f"preparation {card.preparation}, embeddings of {self.dim})"
        )

    @property
    def card(self) -> EncoderCard:
        """What the encoders have in common."""
        return next(iter(self.cards.values()))

    @property
    def streams(self) -> tuple[str, ...]:
        return tuple(self.encoders)

    @property
    def layout(self) -> SkeletonLayout:
        """The joints that the encoders take; recordings of other layouts are mapped to it."""
        return self.card.layout

    @property
    def frames(self) -> int:
        """Length of a clip; recordings and windows are resized to it."""
        return self.card.frames

    @property
    def rate(self) -> float | None:
        """Frames a second of a clip; None where a clip is a whole recording or window, however long."""
        return None if self.card.seconds is None else self.frames / self.card.seconds

    @property
    def bodies(self) -> int:
        """Of a clip."""
        return self.card.bodies

    @property
    def preparation(self) -> str:
        return self.card.preparation

    @property
    def dim(self) -> int:
        """Length of an embedding: the features of all streams side by side."""
        return sum(encoder.dim for encoder in self.encoders.values())

    @cached_property
    def whitening(self) -> Mapping[str, Whitening]:
        """What the features of each stream are whitened by, as the card says; nothing where they are left as they are.

        Raises ValueError where it has to be made and the store of the training is not there.
        """
        if self.source is None or not self.whitened:
            return {}
        return whitening_of(self.source, self.encoders, self.card, device=device_named(self.device))

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the weights, of how they are read and of the whitening: embeddings of equal ones can be compared."""
        return hash_of(self.encoders, self.card.readout, self.whitening)

    def embed(
        self,
        moves: Moves,
        *,
        windows: Length | None = None,
        hop: Length | None = None,
        people: People | None = None,
        layout: str | Path | SkeletonLayout | None = None,
        device: Device | None = None,
        progress: Progress = silent,
        notice: Notice = unheard,
    ) -> Float32[np.ndarray, "n d"]:
        """A unit vector for each recording, in their order; similar movements have a large inner product.

        Each recording is prepared as those that the encoders learnt from, its joints are mapped to their layout, and it
        is resized to a clip of their length. Features are whitened as the card of the encoder says; the unit features
        of all streams stand side by side. `embedded` says which row is what.

        Args:
            windows: a row for each stretch of so many seconds (2, "2s") or frames ("60f"), instead of the whole.
            hop: from the start of a window to that of the next; half a window if None.
            people: "together" for all in one row, as in whole recordings; "each" for a row of each, as in windows.
            layout: of arrays; recordings know their own.
            device: that of the model if None.
            notice: told how joints are mapped, and what has no row.

        Raises:
            ValueError: a recording cannot be prepared, or has not the joints that the encoders need, or windows are
                given in seconds and no frame rate is known.
        """
        cutting = Cutting.of(windows, hop, people)
        if isinstance(moves, Store) and cutting.is_plain:
            return self.vectors(self._clips(moves), device=device_named(device or self.device), progress=progress)
        return self.embedded(
            moves, windows=windows, hop=hop, people=people, layout=layout, device=device, notice=notice
        ).vectors

    def embedded(
        self,
        moves: Moves,
        *,
        windows: Length | None = None,
        hop: Length | None = None,
        people: People | None = None,
        layout: str | Path | SkeletonLayout | None = None,
        device: Device | None = None,
        notice: Notice = unheard,
    ) -> Embeddings:
        """As `embed`, with a table of what each row is: an archive in memory. To embed more than fits there, see
        `kinestream.embed`."""
        cutting, tally = Cutting.of(windows, hop, people), Tally()
        tables: list[Rows] = []
        vectors = [np.empty((0, self.dim), np.float32)]
        for one in encode(self, self._given(moves, layout), cutting, tally, device=device_named(device or self.device)):
            if isinstance(one, Unusable):
                raise ValueError(f"recording {one.name}: {one.reason}")
            tables.append(one[0])
            vectors.append(one[1])
        for text in tally.notes(cutting):
            notice(text)
        made_by = self.made_by(cutting, Reading(layout=_name_of(layout)))
        return Embeddings(made_by, Rows.joined(tables), Held(np.concatenate(vectors)))

    def vectors(
        self, clips: FixedClips, *, device: torch.device | None = None, progress: Progress = silent
    ) -> Float32[np.ndarray, "n d"]:
        """The embeddings of clips that are made already."""
        self.whitening  # before the work: it may have to be made  # noqa: B018
        features = compute_features(
            self.encoders,
            clips,
            readout=self.card.readout,
            device=device,
            progress=lambda done, total: progress("embed", "recordings", done, total),
        )
        return self.joined(features)

    def joined(self, features: Mapping[str, Float32[np.ndarray, "n _"]]) -> Float32[np.ndarray, "n d"]:
        """Embeddings out of the features of each stream: whitened, as unit vectors, side by side."""
        rows = {stream: torch.from_numpy(values) for stream, values in features.items()}
        rows = {
            stream: self.whitening[stream](one) if stream in self.whitening else one for stream, one in rows.items()
        }
        return (side_by_side(rows) / len(rows) ** 0.5).numpy()

    def search(
        self,
        query: Moves,
        among: "Moves | Embeddings",
        *,
        k: int = 5,
        not_same: NotSame | None = None,
        device: Device | None = None,
    ) -> Hits:
        """The `k` recordings of `among` that are most similar to the first of `query`, by the cosine of embeddings; see
        `Embeddings.search`, which it calls.

        The query itself is among the hits where it is one of them. Raises ValueError for a `k` that is not in 1 .. n.

        Example:
            >>> model = load("runs/mine")  # doctest: +SKIP
            >>> print(model.search(moves[0], moves, k=3))  # doctest: +SKIP
              1  0.000  wave-1
              2  0.041  wave-7
              3  0.055  clap-2
        """
        archive = among if isinstance(among, Embeddings) else self.embedded(among, device=device)
        if isinstance(query, Store):
            query = list(query.recordings(np.array([0])))
        first = as_recordings(query, self.arrays)[:1]
        return archive.search(first[0], k=k, model=self, not_same=not_same, itself=True)

    def made_by(self, cutting: Cutting, reading: Reading) -> MadeBy:
        """What an archive keeps of this encoder."""
        return MadeBy(
            encoder=self.fingerprint,
            encoder_name=self.name,
            encoder_path=self._where,
            dim=self.dim,
            streams=self.streams,
            layout=self.layout.name,
            frames=self.frames,
            preparation=self.preparation,
            readout=str(self.card.readout if self.whitened else "whole, not whitened"),
            windows=None if cutting.windows is None else str(cutting.windows),
            hop=None if cutting.hop is None else str(cutting.hop),
            people=cutting.people,
            reading=reading,
        )

    @property
    def _where(self) -> str:
        """The name of one that comes with the package, else the path."""
        if self.source is None:
            return ""
        return str(self.source.path if self.source.shipped else self.source.path.absolute())

    def export(
        self,
        out: str | Path,
        *,
        layout: str | Path | SkeletonLayout | None = None,
        prepared: bool = False,
        people: int = 2,
        whitening: Mapping[str, Whitening] | None = None,
        head: "LinearHead | None" = None,
        progress: Progress = silent,
    ) -> "Exported":
        """Writes the model as `.onnx` or `.pt2`: joints in, embeddings out. See
        `kinestream.use.export.writing.export_model` for the arguments and what is raised."""
        from kinestream.use.export.writing import export_model

        return export_model(
            self,
            out,
            layout=layout,
            prepared=prepared,
            people=people,
            whitening=whitening,
            head=head,
            progress=progress,
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

    # --- scikit-learn -------------------------------------------------------------------------------------------------

    def fit(self, moves: Any, y: Any = None) -> "Model":
        """Nothing is learnt: the encoders are."""
        return self

    def transform(self, moves: Moves) -> Float32[np.ndarray, "n d"]:
        """`embed`, under the name that scikit-learn's pipelines call."""
        return self.embed(moves, layout=self.arrays)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """What may be chosen: the layout of arrays, and the device."""
        return {"arrays": self.arrays, "device": self.device}

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        return np.array([f"v{number}" for number in range(self.dim)], dtype=object)

    def __sklearn_clone__(self) -> "Model":
        """Shares the encoders: copies of them would be the same."""
        made = Model(
            self.name, self.encoders, self.cards, source=self.source, whitened=self.whitened, **self.get_params()
        )
        for known in ("whitening", "fingerprint"):
            if known in vars(self):
                vars(made)[known] = vars(self)[known]
        return made

    def __sklearn_is_fitted__(self) -> bool:
        return True

    # --- what it is given ---------------------------------------------------------------------------------------------

    def _given(self, moves: Moves, layout: str | Path | SkeletonLayout | None) -> list[Given]:
        if isinstance(moves, Store):
            return [Given(recording=one, cleaned=moves.info.preparation) for one in moves.recordings()]
        found = as_recordings(moves, self.arrays if layout is None else layout)
        return [Given(recording=one, name=one.name or str(number)) for number, one in enumerate(found)]

    def _clips(self, store: Store) -> FixedClips:
        if not store.preparation.gives(self.preparation):
            raise ValueError(
                f"{self.name} learnt from preparation '{self.preparation}', {store.path} was prepared "
                f"'{store.info.preparation}': prepare it as '{self.preparation}'"
            )
        return clips_as(store, self.frames, self.layout, self.card.seconds, self.preparation, partly=self.card.partly)


def load(run: AnyRun, *, whitened: bool = True, device: Device = "auto") -> Model:
    """The model of a run, of its folder, of one encoder file (`.safetensors` with its card beside it), or of an encoder
    that comes with the package, by its name.

    `whitened` False leaves features as they are where the card says that they are whitened. Raises ValueError where
    there is no encoder, or a file is damaged. Nothing in the files is executed.

    Example:
        >>> model = load("anybody")
        >>> model.layout.name, model.dim
        ('body16', 1792)
    """
    source = open_source(run)
    loaded = source.encoders()
    return Model(
        source.name,
        {stream: encoder for stream, (encoder, _) in loaded.items()},
        {stream: card for stream, (_, card) in loaded.items()},
        source=source,
        whitened=whitened,
        device=device,
    )


def _name_of(layout: str | Path | SkeletonLayout | None) -> str | None:
    return layout.name if isinstance(layout, SkeletonLayout) else None if layout is None else str(layout)
