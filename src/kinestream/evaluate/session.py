"""What every evaluation begins with: encoders, a store and a split that go together, looked over for leaks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor, nn

from kinestream.data.clips import AnyClips, caution, clips_as
from kinestream.data.store import Store
from kinestream.distributed.launch import Device, device_named
from kinestream.evaluate.guard import Verdict, look_for_leaks
from kinestream.evaluate.result import How, Kind, Result, Row
from kinestream.evaluate.settings import Uses, changed_settings
from kinestream.evaluate.source import AnyRun, Source, open_source
from kinestream.features.extract import cached_features, calibrate_batch_norm, raw_coordinates
from kinestream.features.metrics import accuracy, calibration_error
from kinestream.features.neighbours import side_by_side
from kinestream.features.whitening import Whitening, fit_streams
from kinestream.features.whitening_file import load_whitening
from kinestream.models.encoder import Encoder
from kinestream.models.encoder_file import EncoderCard, read_card
from kinestream.models.readout import Readout
from kinestream.progress import Notice, Progress, silent, unheard
from kinestream.skeleton.joint_maps import JointMap, joint_map
from kinestream.train.known_store import store_of
from kinestream.train.run_folder import Run

_NAMES: Mapping[Kind, str] = {
    "untrained": "untrained encoder",
    "supervised": "supervised from random weights",
    "raw": "raw coordinates",
}


@dataclass(frozen=True, kw_only=True)
class Features:
    """Features of the training and the test clips by stream, `(n, d)` and `(q, d)`, and where they come from."""

    kind: Kind
    train: Mapping[str, Tensor]
    test: Mapping[str, Tensor]

    def choices(self) -> Iterator[tuple[tuple[str, ...], How]]:
        """Each stream alone and, where there are several, all together."""
        for stream in self.train:
            yield (stream,), "alone"
        if len(self.train) > 1:
            yield tuple(self.train), "together"

    def joined(self, streams: Sequence[str]) -> tuple[Float[Tensor, "n d"], Float[Tensor, "q d"]]:
        """Training and test features of one stream, or the unit features of several side by side."""
        if len(streams) == 1:
            return self.train[streams[0]], self.test[streams[0]]
        train, test = ({stream: part[stream] for stream in streams} for part in (self.train, self.test))
        return side_by_side(train), side_by_side(test)


@dataclass(kw_only=True, eq=False)
class Session:
    """An evaluation under way: what is evaluated on what, and what there is to tell."""

    source: Source
    store: Store
    split: str
    train: Int64[np.ndarray, " n"]
    """The training clips, as places in the store."""
    test: Int64[np.ndarray, " q"]
    readout: Readout
    joint_map: JointMap | None
    """From the joints of the store to those of the encoders, where they have another layout."""
    leak: str | None
    copies: Bool[np.ndarray, " q"]
    """Marks the test clips that are copies of a training clip."""
    baselines: bool
    """Whether an untrained encoder and raw coordinates are evaluated, too."""
    device: torch.device
    progress: Progress
    notice: Notice
    notes: list[str]
    protocol: str = ""
    """What the result is called; an evaluation may change it."""
    allow_leak: bool = False
    """Whether figures on test clips that were learnt from are wanted all the same."""
    judged: bool = True
    """Whether there are labelled test clips to judge by; else all recordings stand for both parts."""
    settings: dict[str, Any]
    """What is told of the settings with the result; an evaluation may add to it."""
    changed: tuple[str, ...] = ()
    """What differs from the usual settings, or that it is another store than the run's: results of others lie beside
    each other."""

    @property
    def streams(self) -> tuple[str, ...]:
        return self.source.streams

    @property
    def classes(self) -> int:
        return len(self.store.info.classes)

    @property
    def train_labels(self) -> Int[Tensor, " n"]:
        return torch.from_numpy(self.store.labels[self.train])

    @property
    def test_labels(self) -> Int[Tensor, " q"]:
        return torch.from_numpy(self.store.labels[self.test])

    @cached_property
    def clips(self) -> AnyClips:
        """All clips of the store, as the encoders take them."""
        layout = self.store.layout if self.joint_map is None else self.joint_map.target
        source = self.source
        return clips_as(self.store, source.frames, layout, source.seconds, source.preparation or None, partly=True)

    def note(self, text: str) -> None:
        """Something that the user must not miss: told now, and kept with the result."""
        self.notes.append(text)
        self.notice(text)

    def advance(self, what: str, unit: str) -> Callable[..., None]:
        """`advance(done, total, note="")` of some work."""
        return partial(self.progress, what, unit)

    def features(self) -> Iterator[Features]:
        """First those of the run, then those of an untrained encoder, then the raw coordinates of its streams, of the
        joints in any case; these one by one, for they are long."""
        yield self._divided("run", self.of_run())
        if self.baselines:
            yield self._divided("untrained", self.of_untrained())
            for stream in dict.fromkeys(("joint", *self.streams)):
                train, test = (
                    torch.from_numpy(raw_coordinates(self.clips, part, stream)) for part in (self.train, self.test)
                )
                yield Features(kind="raw", train={stream: train}, test={stream: test})

    def of_run(self) -> dict[str, Tensor]:
        """Features of all clips by stream, as the readout says but for the whitening; kept in the run."""
        return self._computed(self.encoders(), "features")

    def of_untrained(self) -> dict[str, Tensor]:
        """The same of an encoder that was not trained."""
        encoders = self.random_encoders(self.source.seed)
        for stream, encoder in encoders.items():
            calibrate_batch_norm(encoder, self.clips, self.train, stream)
        return self._computed(encoders, "features, untrained")

    def encoders(self) -> dict[str, Encoder]:
        """As learnt, in evaluation mode."""
        return {stream: encoder for stream, (encoder, _) in self.source.encoders().items()}

    def random_encoders(self, seed: int) -> dict[str, Encoder]:
        """The same networks, not trained."""
        return {stream: self.source.random_encoder(stream, self.clips.layout, seed) for stream in self.streams}

    def row(
        self,
        kind: Kind,
        streams: Sequence[str],
        how: How,
        ranking: Int[Tensor, "q classes"],
        extra: Mapping[str, Any] | None = None,
        *,
        logits: Float[Tensor, "q classes"] | None = None,
        variant: str = "",
        detail: Any = None,
    ) -> Row:
        """The row of a ranking of the classes for each test clip; `logits` where their softmax is a probability,
        `variant` where there are several rows of the same features."""
        if logits is not None and not bool(torch.isfinite(logits).all()):
            name = self.row_name(kind, streams, how, variant)
            raise ValueError(
                f"the scores of '{name}' are not finite: the training has diverged; lower its learning rate"
            )
        labels, unseen = self.test_labels, torch.from_numpy(~self.copies)
        mixed = bool(self.copies.any() and unseen.any())
        probabilities = None if logits is None else logits.double().softmax(dim=1)
        return Row(
            name=self.row_name(kind, streams, how, variant),
            kind=kind,
            how=how,
            streams=tuple(streams),
            accuracy=accuracy(ranking, labels),
            top1_without_copies=accuracy(ranking[unseen], labels[unseen]).top1 if mixed else None,
            extra=extra or {},
            ece=None if probabilities is None else calibration_error(probabilities, labels),
            hits=(ranking[:, 0] == labels).double().numpy(),
            predicted=ranking[:, 0].numpy(),
            confidence=None if probabilities is None else probabilities.max(dim=1).values.numpy(),
            detail=detail,
        )

    def row_name(self, kind: Kind, streams: Sequence[str], how: How, variant: str = "") -> str:
        """What a row is called in tables and files."""
        which = {"alone": streams[0], "together": "streams together", "fused": "scores fused"}[how]
        parts = (_NAMES.get(kind, self.source.name), "" if (kind, which) == ("raw", "joint") else which, variant)
        return ", ".join(filter(None, parts))

    def result(
        self, rows: Sequence[Row], columns: Mapping[str, str | Callable[[Row], str]], command: tuple[str, ...] = ()
    ) -> Result:
        return Result(
            protocol=self.protocol,
            split=self.split,
            settings=self.settings,
            changed=self.changed,
            rows=tuple(rows),
            notes=tuple(self.notes),
            leak=self.leak,
            copies=int(self.copies.sum()),
            train=self.train,
            test=self.test,
            store=self.store,
            source=self.source,
            columns=columns,
            command=command,
        )

    def check_weights(self, weights: Mapping[str, float] | None) -> None:
        """Raises ValueError unless the weights, if any, name just the streams."""
        if weights is not None and set(weights) != set(self.streams):
            raise ValueError(f"weights for {', '.join(weights)}, but the run's streams are {', '.join(self.streams)}")

    def _computed(self, encoders: Mapping[str, nn.Module], what: str) -> dict[str, Tensor]:
        looks = replace(self.readout, whitening=0.0)
        found = cached_features(
            self.source.folder.path / "features",
            encoders,
            self.clips,
            readout=self.readout,
            device=self.device,
            progress=self.advance(what if looks.is_plain else f"{what} ({looks})", "clips"),
            notice=self.notice,
        )
        return {stream: torch.from_numpy(values) for stream, values in found.items()}

    def _divided(self, kind: Kind, values: Mapping[str, Tensor]) -> Features:
        train, test = ({stream: rows[part] for stream, rows in values.items()} for part in (self.train, self.test))
        return self.reader(kind, train)(test)

    def reader(self, kind: Kind, train: Mapping[str, Tensor]) -> Callable[[Mapping[str, Tensor]], Features]:
        """What joins features of the training clips with those of others, whitened as the readout says."""
        if kind == "raw" or not self.readout.whitening:
            return lambda test: Features(kind=kind, train=train, test=test)
        whitening = self._whitening(kind, train)

        def whitened(part: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return {stream: whitening[stream](rows) for stream, rows in part.items()}

        of_train = whitened(train)
        return lambda test: Features(kind=kind, train=of_train, test=whitened(test))

    def _whitening(self, kind: Kind, train: Mapping[str, Tensor]) -> Mapping[str, Whitening]:
        """By the training clips of this store; of a run that was told partners, its own, by them."""
        readout = self.readout
        if readout.whitened_by == "partners" and kind == "run":
            kept = load_whitening(self.source.kept, self.encoders(), readout)
            if kept is None:
                raise ValueError(
                    f"{self.source.path} keeps no whitening by partners for reading it so ({readout}): it is made "
                    "when the training ends; take --whitened-by neighbours or clips"
                )
            return kept
        return fit_streams(train, readout.whitening, readout.whitened_by)


def open_session(
    run: AnyRun,
    store: Store | Path | str | None = None,
    *,
    split: str | None = None,
    uses: Uses = "features",
    baselines: bool = True,
    readout: Readout | Mapping[str, Any] | None = None,
    device: Device = "auto",
    allow_leak: bool = False,
    judged: bool = True,
    whole_videos: bool = False,
    learns: bool = True,
    progress: Progress = silent,
    notice: Notice = unheard,
) -> Session:
    """Opens a run (or an encoder file) on a store, by default on the one that it learnt from.

    Args:
        split: that of the pre-training if None.
        uses: what counts of the encoders; where that is only their form, what they learnt from is no leak.
        readout: of frozen encoders, or what differs from how they say themselves.
        judged: labelled training and test clips are needed; without it a store that has none is taken as a whole.
        whole_videos: take a store of videos, whose parts have labels; `train` and `test` are videos then.
        learns: test clips are named after training clips, so that classes must be in both parts.

    Raises ValueError when they do not go together, or when test clips are where they must not be.
    """
    place = device_named(device)  # before anything is read
    source = open_source(run)
    opened = store if isinstance(store, Store) else _opened(source, store)
    judged = judged or bool(opened.info.classes and opened.info.splits and not opened.continuous)
    if whole_videos:
        part_of = split or _usual_split(source, opened)
        train, test = _videos(opened, part_of)
    elif judged:
        _check_labels(opened)
        part_of = split or _usual_split(source, opened)
        train, test = _labelled(opened, part_of)
    else:
        part_of, train, test = "", np.arange(len(opened)), np.arange(len(opened))
    cards = {stream: read_card(file) for stream, file in source.files.items()}
    card = next(iter(cards.values()))
    mapped = None if card.layout == opened.layout else joint_map(opened.layout, card.layout, partly=card.partly)
    for one in cards.values():
        _check_preparation(one, opened)
    read_as = _readout(card, readout)
    pretrained = uses != "architecture"
    verdict = (
        look_for_leaks(opened, part_of, train, test, source if pretrained else None, allow=allow_leak)
        if judged
        else Verdict(copies=np.zeros(len(test), bool), leak=None, notes=())
    )
    session = Session(
        source=source,
        store=opened,
        split=part_of,
        train=train,
        test=test,
        readout=read_as,
        joint_map=mapped,
        leak=verdict.leak,
        copies=verdict.copies,
        baselines=baselines,
        device=place,
        progress=progress,
        notice=notice,
        notes=[],
        judged=judged,
        allow_leak=allow_leak,
        settings={"readout": asdict(read_as)} if uses == "features" else {},
        changed=(
            *(changed_settings(read_as, card.readout) if uses == "features" else ()),
            *_other_store(source, opened),
        ),
    )
    for text in verdict.notes:
        session.note(text)
    if mapped is not None:
        session.note(mapped.in_words())
    for text in _check_classes(opened, part_of, train, test, learns=learns) if judged and not whole_videos else ():
        session.note(text)
    for stream, one in cards.items() if pretrained else ():
        if one.epochs_done < one.epochs:
            session.note(f"stream {stream} is at epoch {one.epochs_done} of {one.epochs}: not finished")
    if (doubt := caution(opened, source.frames)) is not None:
        session.note(doubt)
    longest = max(one.encoder.dim for one in cards.values())
    if uses == "features" and not whole_videos and read_as.whitening and len(train) < 2 * longest:
        session.note(
            f"{len(train)} training clips tell little of how {longest} numbers vary: whitened features are doubtful, "
            "--whitening 0 leaves them as they are"
        )
    return session


def _opened(source: Source, store: Path | str | None) -> Store:
    if store is not None:
        return Store(Path(store))
    if source.config is None:
        raise ValueError(f"{source.path} is one encoder, which does not say where its data is: give a store, --data")
    return store_of(source.folder)


def _usual_split(source: Source, store: Store) -> str:
    splits, usual = store.info.splits, store.usual_splits
    if source.split in splits or (source.split and len(usual) > 1):
        return source.split
    if not splits:
        raise ValueError(
            f"{store.path} has no split into training and test clips: prepare it with --split, or give a store that has"
        )
    if len(usual) != 1:
        raise ValueError(f"say on which split, --split: {store.path} has {', '.join(splits)}")
    return usual[0]


def _check_labels(store: Store) -> None:
    if not store.info.classes:
        raise ValueError(
            f"{store.path} has no labels, which evaluations compare with: prepare its recordings with labels (the "
            ".yaml file of a data set, or ks.prepare(..., labels=...))"
        )


def _videos(store: Store, split: str) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " q"]]:
    """The training and the test videos. Raises ValueError for a store of single actions, or where one part is empty."""
    if not store.continuous:
        raise ValueError(
            f"{store.path} holds single actions, and this looks for them in whole videos: prepare it with --continuous"
        )
    train, test = (store.select(split, part) for part in ("train", "test"))
    for part, indices in (("training", train), ("test", test)):
        if not any(store.segments(index) for index in indices.tolist()):
            raise ValueError(f"{store.path} has no {part} video with a labelled action in split '{split}'")
    return train, test


def _labelled(store: Store, split: str) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " q"]]:
    """The training and the test clips that have a label. Raises ValueError where there are none."""
    labels = store.labels
    train, test = (store.select(split, part) for part in ("train", "test"))
    for part, indices in (("training", train), ("test", test)):
        if not (labels[indices] >= 0).any():
            raise ValueError(f"{store.path} has no {part} clips with a label in split '{split}'")
    return train[labels[train] >= 0], test[labels[test] >= 0]


def _check_classes(
    store: Store, split: str, train: Int64[np.ndarray, " n"], test: Int64[np.ndarray, " q"], *, learns: bool
) -> tuple[str, ...]:
    """What to know of the classes of the two parts. Raises ValueError where no accuracy could say anything."""
    names = store.info.classes
    taught, asked = (set(store.labels[part].tolist()) for part in (train, test))
    where = f"split '{split}' of {store.path}"
    if len(asked) < 2 and not learns:
        raise ValueError(
            f"all test clips in {where} are of one class, {names[min(asked)]}: there is nothing to tell apart"
        )
    if not learns:
        return ()
    if len(taught) < 2:
        raise ValueError(
            f"all training clips in {where} are of one class, {names[min(taught)]}, which every test clip would be "
            "taken for: evaluate on another split"
        )
    unknown = sorted(asked - taught)
    if len(unknown) == len(asked):
        raise ValueError(
            f"no test clip in {where} is of a class that training clips have, so that none could be recognised: "
            "evaluate on another split"
        )
    notes = []
    if unknown:
        count = int(np.isin(store.labels[test], unknown).sum())
        some = ", ".join(names[label] for label in unknown[:5]) + (", ..." if len(unknown) > 5 else "")
        notes.append(
            f"{count:,} of {len(test):,} test clips are of classes without a training clip ({some}): none of them can "
            "be recognised"
        )
    if len(asked) < 2:
        notes.append(f"all test clips are of one class, {names[min(asked)]}: the accuracy says nothing of the others")
    return tuple(notes)


def _other_store(source: Source, store: Store) -> tuple[str, ...]:
    config = source.config
    if config is None and (beside := Run(source.path.parent)).is_begun:  # an encoder in the folder of its run
        config = beside.config()
    return (
        ()
        if config is not None and config.store_fingerprint == store.fingerprint
        else (f"data={store.fingerprint[:8]}",)
    )


def _readout(card: EncoderCard, given: Readout | Mapping[str, Any] | None) -> Readout:
    if isinstance(given, Readout):
        return given
    changes = {key: value for key, value in (given or {}).items() if value is not None}
    readout = replace(card.readout, **changes)
    if "whitened_by" in changes and not readout.whitening:
        raise ValueError(f"--whitened-by {readout.whitened_by} has no effect without --whitening above 0: 1 is wholly")
    return readout


def _check_preparation(card: EncoderCard, store: Store) -> None:
    if not store.preparation.gives(card.preparation):
        raise ValueError(
            f"the encoder learnt from preparation '{card.preparation}', {store.path} was prepared "
            f"'{store.info.preparation}': prepare it as '{card.preparation}'"
        )
