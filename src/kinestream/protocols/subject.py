"""What every protocol begins with: encoders, a store and a split that go together, looked over for leaks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from kinestream.data.clips import AnyClips, caution, clips_as
from kinestream.data.store import Store
from kinestream.evaluate.certainty import calibration_error
from kinestream.evaluate.features import Features, cached_features, calibrate_batch_norm, raw_coordinates
from kinestream.evaluate.metrics import accuracy
from kinestream.evaluate.whitening import mutual_neighbours, whiten_streams
from kinestream.joint_maps import JointMap, joint_map
from kinestream.models.encoder import Encoder
from kinestream.models.encoder_file import EncoderCard, read_card
from kinestream.protocols.guard import look_for_leaks
from kinestream.protocols.outcome import How, Kind, Outcome
from kinestream.protocols.source import open_source
from kinestream.readout import WhitenedBy
from kinestream.screen import Screen

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Features of the training and the test clips by stream, `(n, d)` and `(q, d)`, and where they come from."""

    kind: Kind
    train: Mapping[str, Tensor]
    test: Mapping[str, Tensor]


class Subject:
    """The encoders of a run or a file, a store and a split. Raises ValueError when they do not go together, or when
    test clips are where they must not be."""

    def __init__(
        self,
        path: Path,
        data: Path,
        split: str | None,
        device: Device,
        *,
        references: bool = True,
        allow_leak: bool = False,
        pretrained: bool = True,
        other_layout: bool = False,
        turns: int | None = None,
        whitening: float | None = None,
        whitened_by: WhitenedBy | None = None,
        command: Sequence[str] = (),
    ) -> None:
        """
        Args:
            split: that of the pre-training if None.
            references: evaluate an untrained encoder and raw coordinates, too.
            allow_leak: go on where test clips were learnt from; the results are marked.
            pretrained: the weights of the encoders count; without them only their form does.
            other_layout: take a store of another layout, through the declared joint map.
            turns: of the readout; those of the encoders if None. So for the whitening.
            command: the words that make the results again, to be written down with them.
        """
        self.source = open_source(path)
        self.store = Store(data)
        self._labels = self.store.labels
        self.split = split or self._usual_split()
        self.screen = Screen()
        self.references = references
        self.command = tuple(command)
        cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())
        self.device = torch.device("cuda" if cuda else "cpu")
        self.train = self.store.select(self.split, "train")
        self.test = self.store.select(self.split, "test")
        for part, indices in (("training", self.train), ("test", self.test)):
            if not len(indices):
                raise ValueError(f"{data} has no {part} clips in split '{self.split}'")
        self.cards = {stream: read_card(file) for stream, file in self.source.files.items()}
        self.joint_map = self._map_joints(other_layout)
        asked: dict[str, Any] = {"turns": turns, "whitening": whitening, "whitened_by": whitened_by}
        self.readout = replace(self._card.readout, **{key: value for key, value in asked.items() if value is not None})
        if whitened_by is not None and not self.readout.whitening:
            raise ValueError(f"--whitened-by {whitened_by} has no effect without --whitening above 0: 1 is wholly")
        for card in self.cards.values():
            self._check_preparation(card)
        seen = self.source if pretrained else None
        verdict = look_for_leaks(self.store, self.split, self.train, self.test, seen, self.screen, allow=allow_leak)
        self.leak = verdict.leak
        self.copies = torch.from_numpy(verdict.copies)
        if pretrained:
            for stream, card in self.cards.items():
                if card.epochs_done < card.epochs:
                    self.screen.warn(f"stream {stream} is at epoch {card.epochs_done} of {card.epochs}: not finished")
        self._clips: AnyClips | None = None

    @property
    def streams(self) -> tuple[str, ...]:
        return self.source.streams

    @property
    def _card(self) -> EncoderCard:
        """Of the first stream: what the encoders of a run have in common."""
        return next(iter(self.cards.values()))

    @property
    def told_readout(self) -> dict[str, Any]:
        """The readout among the settings of a protocol that judges frozen features."""
        return {"readout": asdict(self.readout)}

    @property
    def train_labels(self) -> Int[Tensor, " n"]:
        return torch.from_numpy(self._labels[self.train])

    @property
    def test_labels(self) -> Int[Tensor, " q"]:
        return torch.from_numpy(self._labels[self.test])

    @property
    def classes(self) -> int:
        return len(self.store.info.classes)

    @property
    def clips(self) -> AnyClips:
        """All clips of the store, as the encoders take them."""
        if self._clips is None:
            if (warning := caution(self.store, self.source.frames)) is not None:
                self.screen.warn(warning)
            self._clips = clips_as(self.store, self.source.frames, self._card.layout)
        return self._clips

    def parts(self) -> Iterator[Parts]:
        """First those of the run, then those of an untrained encoder, then the raw coordinates of its streams, of the
        joints in any case; these one by one, for they are long."""
        self._check_readout()
        yield self._parts_of("run", self._features(self.encoders(), "features"))
        if self.references:
            yield self._parts_of("untrained", self._features(self._untrained_encoders(), "features, untrained"))
            for stream in dict.fromkeys(("joint", *self.streams)):
                train, test = (
                    torch.from_numpy(raw_coordinates(self.clips, part, stream)) for part in (self.train, self.test)
                )
                yield Parts(kind="raw", train={stream: train}, test={stream: test})

    def keep_features(self) -> None:
        """Computes what `parts` takes from encoders and leaves it where that finds it, by all processes together."""
        self._features(self.encoders(), "features")
        if self.references:
            self._features(self._untrained_encoders(), "features, untrained")
        self.screen.say(f"features: {self.source.folder.path / 'features'}")

    def encoders(self) -> dict[str, Encoder]:
        """As learnt, in evaluation mode."""
        return {stream: encoder.to(self.device) for stream, (encoder, _) in self.source.encoders().items()}

    def random_encoders(self, seed: int) -> dict[str, Encoder]:
        """The same networks, not trained."""
        return {stream: self.source.random_encoder(stream, self.clips.layout, seed) for stream in self.streams}

    def _features(self, encoders: Mapping[str, nn.Module], what: str) -> Mapping[str, Features]:
        """Of all clips, as the readout says, but for the whitening."""
        looks = replace(self.readout, whitening=0.0)
        seen = what if looks.is_plain else f"{what} ({looks})"
        with self.screen.progress(seen, "clips") as advance:
            return cached_features(
                self.source.folder.path / "features",
                encoders,
                self.clips,
                readout=self.readout,
                device=self.device,
                progress=advance,
            )

    def _check_readout(self) -> None:
        """Before anything is computed."""
        longest = max(card.dim for card in self.cards.values())
        if self.readout.whitening and len(self.train) < 2 * longest:
            self.screen.warn(
                f"{len(self.train)} training clips tell little of how {longest} numbers vary: whitened features are "
                "doubtful, --whitening 0 leaves them as they are"
            )

    def _parts_of(self, kind: Kind, values: Mapping[str, Features]) -> Parts:
        rows = {stream: torch.from_numpy(features) for stream, features in values.items()}
        train, test = (
            {stream: features[part] for stream, features in rows.items()} for part in (self.train, self.test)
        )
        if self.readout.whitening:
            train, test = whiten_streams(train, test, self.readout.whitening, pairs=self._pairs(train))
        return Parts(kind=kind, train=train, test=test)

    def _pairs(self, train: Mapping[str, Tensor]) -> Int[Tensor, "m 2"] | None:
        """Of training clips, by whose differences features are whitened; None where it is by all clips."""
        return mutual_neighbours(train) if self.readout.whitened_by == "neighbours" else None

    def _untrained_encoders(self) -> dict[str, Encoder]:
        encoders = self.random_encoders(self.source.seed)
        for stream, encoder in encoders.items():
            calibrate_batch_norm(encoder, self.clips, self.train, stream)
            encoder.to(self.device)
        return encoders

    def reached(
        self,
        kind: Kind,
        how: How,
        streams: Sequence[str],
        ranking: Int[Tensor, "q classes"],
        extra: Mapping[str, Any],
        *,
        logits: Float[Tensor, "q classes"] | None = None,
        variant: str = "",
    ) -> Outcome:
        """The outcome of a ranking of the classes for each test clip; `logits` where their softmax is a probability."""
        unseen = ~self.copies
        mixed = bool(self.copies.any() and unseen.any())
        labels = self.test_labels
        probabilities = None if logits is None else logits.double().softmax(dim=1)
        return Outcome(
            kind=kind,
            how=how,
            streams=tuple(streams),
            accuracy=accuracy(ranking, labels),
            unseen_top1=accuracy(ranking[unseen], labels[unseen]).top1 if mixed else None,
            extra=extra,
            ece=None if probabilities is None else calibration_error(probabilities, labels),
            hits=(ranking[:, 0] == labels).double(),
            predicted=ranking[:, 0],
            confidence=None if probabilities is None else probabilities.max(dim=1).values,
            variant=variant,
        )

    def for_each_choice(self, parts: Parts, judge: Callable[[Sequence[str], How], Outcome]) -> Iterator[Outcome]:
        """`judge` of each stream alone and, where there are several, of all together."""
        for stream in parts.train:
            yield judge([stream], "alone")
        if len(parts.train) > 1:
            yield judge(list(parts.train), "together")

    def _usual_split(self) -> str:
        splits = self.store.info.splits
        # One that serves to choose settings is not meant where nobody names it.
        usual = [name for name, split in splits.items() if split.published is not None] or list(splits)
        if self.source.split in splits or (self.source.split and len(usual) != 1):
            return self.source.split
        if len(usual) != 1:
            raise ValueError(f"say on which split, --split: {self.store.path} has {', '.join(splits)}")
        return usual[0]

    def _map_joints(self, other_layout: bool) -> JointMap | None:
        card = self._card
        if card.layout == self.store.layout:
            return None
        if not other_layout:
            raise ValueError(
                f"the encoder is for layout {card.layout.name}, {self.store.path} has {self.store.layout.name}: "
                "'kinestream evaluate transfer' maps joints where a map is declared"
            )
        return joint_map(self.store.layout, card.layout)

    def _check_preparation(self, card: EncoderCard) -> None:
        if not self.store.preparation.gives(card.preparation):
            raise ValueError(
                f"the encoder learnt from preparation '{card.preparation}', {self.store.path} was prepared "
                f"'{self.store.info.preparation}': prepare it as '{card.preparation}'"
            )
