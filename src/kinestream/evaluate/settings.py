"""What the built-in evaluations may be told. The docstrings are the help of `kinestream evaluate NAME`; nothing
heavy is imported here, so that help is quick."""

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, Literal

from kinestream.words import shown

Uses = Literal["features", "weights", "architecture"]
"""What an evaluation takes of the encoders: features of frozen ones, the weights to train on, or only their form."""
Fusion = Literal["together", "fused", "both"]
"""Of several streams: one classifier on all, logits summed; or one for each, and their scores summed; or both."""
_MOST_LETTERS = 100
"""Of settings in the name of a file."""


@dataclass(frozen=True, kw_only=True)
class LinearSettings:
    """Accuracy of a linear layer trained on the frozen encoder of a run, the published protocol, beside an untrained
    encoder and raw coordinates. Of several streams: each alone, all trained together (logits summed, as published), and
    the scores of the single ones fused. Features are computed once and kept in the run.

    Examples:
      kinestream evaluate linear runs/caca-joint --data ntu60/
      kinestream evaluate linear runs/caca-joint --data ntu60/ --epochs 50 --learning-rate 1
      kinestream evaluate linear runs/caca-3s --data ntu60/ --weights joint=0.6,motion=0.4,bone=0.6
    """

    epochs: int = 100
    """Passes over the features."""
    learning_rate: float = 3.0
    """Learning rate of SGD with momentum 0.9; a tenth of it after four fifths of the epochs."""
    batch_size: int = 128
    """Features a step."""
    weights: str | None = None
    """Weights of the streams when scores are fused, as in joint=0.6,motion=0.4,bone=0.6; equal if not given."""
    seed: int = 0
    """Random seed of the layer's weights and of the order."""


@dataclass(frozen=True, kw_only=True)
class KNNSettings:
    """Accuracy of nearest neighbours by the frozen features of a run (cosine similarity): 1-NN, and k-NN with votes
    weighted exp(cos / temperature), beside an untrained encoder and raw coordinates. Several streams count alone and
    together, by their unit features side by side.

    Examples:
      kinestream evaluate knn runs/caca-joint --data ntu60/
      kinestream evaluate knn runs/caca-joint --data ntu60/ --k 50 --temperature 0.07
    """

    k: int = 20
    """Neighbours that vote, beside the 1-NN."""
    temperature: float = 0.1
    """Temperature of the votes' weights."""


@dataclass(frozen=True, kw_only=True)
class ProbeGridSettings:
    """Accuracy of a linear probe whose learning rate and weight decay are chosen on held-out clips of the training
    part, never on the test clips: all of them are trained at once on the kept features.

    Examples:
      kinestream evaluate probe-grid runs/caca-joint --data ntu60/
      kinestream evaluate probe-grid runs/caca-joint --data ntu60/ --learning-rate 0.3 --learning-rate 3
    """

    learning_rate: tuple[float, ...] = ()
    """Learning rate to try; may be given several times. 0.1, 0.3, 1, 3, 10, 30 if not given."""
    weight_decay: tuple[float, ...] = ()
    """Weight decay to try; may be given several times. 0, 1e-5, 1e-4, 1e-3 if not given."""
    held_out: float = 20.0
    """Percent of the training clips of each class to choose by."""
    epochs: int = 100
    """Passes over the features."""
    batch_size: int = 128
    """Features a step."""
    seed: int = 0
    """Random seed of what is held out, of the layer's weights and of the order."""


@dataclass(frozen=True, kw_only=True)
class RetrievalSettings:
    """Search by example: for each test clip the training clips ranked by the cosine of frozen features. 1-NN, precision
    at k, mean average precision, and a sheet of queries with what they found (needs the extra kinestream[viz]).

    Examples:
      kinestream evaluate retrieval runs/caca-joint --data ntu60/
      kinestream evaluate retrieval runs/caca-joint --data ntu60/ --k 5 --k 20 --queries 10 --bare
      kinestream evaluate retrieval runs/tranclr --data nw-ucla/ --other-people
    """

    is_search: ClassVar[bool] = True
    k: tuple[int, ...] = ()
    """How many of the nearest precision is taken of; may be given several times. 5 and 10 if not given."""
    other_people: bool = False
    """Leave out, for each query, the clips of the same person: what is found is alike in what is done, not in who does
    it."""


@dataclass(frozen=True, kw_only=True)
class ClusterSettings:
    """Clusters that k-means finds in the frozen features of the test clips, against their classes: accuracy after the
    best one-to-one matching, normalised mutual information, adjusted Rand index.

    Examples:
      kinestream evaluate cluster runs/caca-joint --data ntu60/
      kinestream evaluate cluster runs/caca-joint --data ntu60/ --seeds 5 --bare
    """

    learns: ClassVar[bool] = False
    seeds: int = 1
    """How many clusterings, with the seeds from --seed on; the figures are means."""
    seed: int = 0
    """Random seed of the first clustering."""


@dataclass(frozen=True, kw_only=True)
class FineTuneSettings:
    """Accuracy after fine-tuning the encoder of a run, or of all its streams, with all labels of the training part.
    Stopped, the same command goes on; what is trained is not trained again.

    Examples:
      kinestream evaluate finetune runs/caca-joint --data ntu60/
      kinestream evaluate finetune runs/caca-joint --data ntu60/ --form published
      kinestream evaluate finetune runs/caca-3s --data ntu60/ --fusion fused --weights joint=0.6,motion=0.4,bone=0.6
      kinestream evaluate finetune runs/caca-joint --data ntu60/ --seeds 3 --learning-rate 0.0005 --layer-decay 0.6
    """

    uses: ClassVar[Uses] = "weights"
    in_name: ClassVar[tuple[str, ...]] = ("form",)
    """Settings that the name of the result tells already."""

    form: Literal["usual", "published"] = "usual"
    """usual: encoder in training mode, AdamW, a rate for each layer; published: encoder in evaluation mode, SGD."""
    epochs: int = 50
    """Passes over the labelled clips."""
    batch_size: int | None = None
    """Clips a step; if not given that of the form, as for the options from here to --augment."""
    optimiser: Literal["adamw", "sgd"] | None = None
    """Which optimiser."""
    learning_rate: float | None = None
    """Learning rate of the linear layers."""
    layer_decay: float | None = None
    """Factor on the learning rate for each layer further down; 1 for one rate."""
    weight_decay: float | None = None
    """Weight decay on every parameter."""
    augment: Literal["none", "published", "recipe"] | None = None
    """Of the training clips: none, crop and shear as published, or as in the run's recipe."""
    fusion: Fusion = "together"
    """Of several streams: one classifier on all (logits summed), or one for each and their scores summed, or both."""
    weights: str | None = None
    """Weights of the streams when scores are fused, as in joint=0.6,motion=0.4,bone=0.6; equal if not given."""
    seeds: int = 1
    """How many trainings, with the seeds from --seed on; the figures are means."""
    seed: int = 0
    """Random seed of the first training."""


@dataclass(frozen=True, kw_only=True)
class SemiSettings(FineTuneSettings):
    """Accuracy after fine-tuning with few labels: a share of those of each class, drawn with a seed and written into
    the run (subsets/). Smaller shares lie within larger ones of the same seed. With several seeds, each draws anew.

    Examples:
      kinestream evaluate semi runs/caca-joint --data ntu60/ --percent 1 --percent 10
      kinestream evaluate semi runs/caca-joint --data ntu60/ --percent 5 --seeds 5 --form published
    """

    percent: tuple[float, ...] = ()
    """Percent of the labels of each class; may be given several times. 1 and 10 if not given."""


@dataclass(frozen=True, kw_only=True)
class SupervisedSettings(FineTuneSettings):
    """Accuracy of the same encoder trained from random weights with all labels: the bar that pre-training has to pass.
    The run gives the form of the encoder and the augmentation; its weights are not used.

    Examples:
      kinestream evaluate supervised runs/caca-joint --data ntu60/ --epochs 80
      kinestream evaluate supervised runs/caca-joint --data ntu60/ --seeds 3
    """

    uses: ClassVar[Uses] = "architecture"


@dataclass(frozen=True, kw_only=True)
class TransferSettings(FineTuneSettings):
    """Accuracy of encoders that learnt on one data set on another: linear probe and nearest neighbours on frozen
    features, and fine-tuning if asked for. The layouts may differ where joints can be mapped; the notes say how. The
    store must have the preparation that the encoders learnt from.

    Examples:
      kinestream evaluate transfer runs/caca-joint-ntu60 --data pku2/ --split xsub
      kinestream evaluate transfer runs/caca-joint-ntu60 --data nw-ucla-published/ --split xview --finetune --seeds 3
    """

    uses: ClassVar[Uses] = "features"
    in_name: ClassVar[tuple[str, ...]] = ()

    finetune: bool = False
    """Fine-tune, too; the options from --form to --seed are for that."""
    k: int = 20
    """Neighbours that vote, beside the 1-NN."""
    probe_epochs: int = 100
    """Passes over the features for the linear probe."""


@dataclass(frozen=True, kw_only=True)
class DetectionSettings:
    """Actions detected in whole videos, the PKU-MMD protocol: mean average precision over actions and over videos at
    tIoU 0.1 to 0.7. A linear layer on frozen features of sliding windows, trained with the labels of the training
    videos and background for what has none; the labels of a video are the likeliest path on which every change costs.
    The store is one that was prepared with --continuous.

    Examples:
      kinestream evaluate detection runs/caca-joint-pku1 --data pku1-whole/ --split xsub
      kinestream evaluate detection runs/caca-joint-pku1 --data pku1-whole/ --window 60 --hop 10 --bare
    """

    whole_videos: ClassVar[bool] = True

    window: int = 48
    """Frames of a window; videos of PKU-MMD have 30 a second."""
    hop: int = 8
    """Frames from one window to the next."""
    switch: float = 0.5
    """Cost of a change of label: that of one unit of log-probability over so many window lengths."""
    most_windows: int = 40_000
    """Windows of the training videos that the layer is trained on; of more, some are drawn."""
    components: int = 256
    """Principal components of the features that the layer sees, whitened; found in those windows."""
    seed: int = 0
    """Random seed."""

    def __post_init__(self) -> None:
        for name in ("window", "hop", "most_windows", "components"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name.replace('_', '-')} {getattr(self, name)}: 1 or more is needed")
        if not 0 <= self.switch < math.inf:
            raise ValueError(f"--switch {self.switch}: 0 or more is needed")


@dataclass(frozen=True, kw_only=True)
class OneShotSettings:
    """Recognition from one example of each class, or a few, by cosine similarity to the mean of the examples. Episodes
    draw classes, examples and queries among the test clips; the figures are means over episodes, with their interval.
    With --exemplars ntu120 it is the one-shot protocol of NTU RGB+D 120: the 20 official exemplars, and all other clips
    of their classes as queries; the encoder must not have learnt from those.

    Examples:
      kinestream evaluate one-shot runs/tranclr --data nw-ucla/
      kinestream evaluate one-shot runs/tranclr --data ntu60/ --ways 20 --shots 5
      kinestream evaluate one-shot runs/tranclr --data ntu120/ --exemplars ntu120
    """

    learns: ClassVar[bool] = False

    ways: int = 5
    """Classes of an episode."""
    shots: int = 1
    """Examples of each class."""
    queries: int = 15
    """Clips of each class that are recognised; fewer where a class has no more."""
    episodes: int = 600
    """How many are drawn."""
    seed: int = 0
    """Random seed of the draws."""
    exemplars: Literal["drawn", "ntu120"] = "drawn"
    """Draw episodes by the options above, or take the official exemplars, for which those mean nothing."""

    def __post_init__(self) -> None:
        for name, least in (("ways", 2), ("shots", 1), ("queries", 1), ("episodes", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"--{name} {getattr(self, name)}: {least} or more is needed")


@dataclass(frozen=True, kw_only=True)
class RobustnessSettings:
    """Accuracy of the nearest neighbour where the test clips are worse than the training clips: joints or limbs that
    are not seen, frames that are lost, noise, another viewpoint, a lower frame rate. For each a curve over four
    strengths; the accuracy of a row is its mean.

    Examples:
      kinestream evaluate robustness runs/tranclr --data nw-ucla/
      kinestream evaluate robustness runs/tranclr --data nw-ucla/ --corruption noise --corruption limbs --bare
    """

    corruption: tuple[str, ...] = ()
    """joints, limbs, frames, noise, rotation or rate; may be given several times. All if not given."""
    seed: int = 0
    """Random seed of what is hidden, lost and added."""


@dataclass(frozen=True, kw_only=True)
class CorrectnessSettings:
    """Whether a movement was done correctly, judged by how far a test clip is from correct training clips of the same
    movement (cosine to the nearest ones): the area under the ROC curve for each movement. Incorrect performances are
    classes of their own, called after those of the correct ones.

    Examples:
      kinestream evaluate correctness runs/tranclr --data ui-prmd/ --split unseen-people
      kinestream evaluate correctness runs/tranclr --data exercises/ --incorrect "{} (wrong)" --k 3
    """

    learns: ClassVar[bool] = False

    incorrect: str = "{} incorrect"
    """How the class of incorrect performances is called, {} standing for the class of the correct ones."""
    k: int = 5
    """Nearest clips whose mean similarity counts; fewer where there are no more."""

    def __post_init__(self) -> None:
        if self.incorrect.count("{}") != 1 or self.incorrect == "{}":
            raise ValueError(f"--incorrect '{shown(self.incorrect)}': it needs {{}} once, and more than that")
        if self.k < 1:
            raise ValueError(f"--k {self.k}: 1 or more is needed")


BUILTIN: Mapping[str, tuple[type[object], str, str]] = {
    "linear": (LinearSettings, "linear_probe", "accuracy of a linear layer on the frozen encoder"),
    "knn": (KNNSettings, "nearest", "accuracy of nearest neighbours of the frozen encoder"),
    "probe-grid": (ProbeGridSettings, "grid", "a linear layer, its rate and decay chosen on held-out training clips"),
    "retrieval": (RetrievalSettings, "search", "search by example: precision at k, mAP, a sheet of what was found"),
    "cluster": (ClusterSettings, "clusters", "clusters of the features against the classes"),
    "one-shot": (OneShotSettings, "examples", "recognition from one example of each class, or a few"),
    "robustness": (RobustnessSettings, "curves", "test clips with lost joints or frames, noise, another rate"),
    "correctness": (CorrectnessSettings, "movements", "whether movements were done correctly: AUC for each"),
    "finetune": (FineTuneSettings, "training", "accuracy after fine-tuning with all labels"),
    "semi": (SemiSettings, "few_labels", "accuracy after fine-tuning with few labels"),
    "supervised": (SupervisedSettings, "training", "the same encoder from random weights with all labels"),
    "detection": (DetectionSettings, "videos", "actions in whole videos: mAP over actions and over videos (PKU-MMD)"),
    "transfer": (TransferSettings, "other_data", "encoders of one data set on another, also of another sensor"),
}
"""Settings of each built-in evaluation, the module below `kinestream.evaluate` that registers it, and what it is."""


def changed_settings(settings: Any, usual: Any = None) -> tuple[str, ...]:
    """What of settings differs from the usual ones, the defaults if None, as words; but for what the name of the result
    tells already.

    Example:
        >>> changed_settings(KNNSettings(k=50))
        ('k=50',)
    """
    kind = type(settings)
    found = []
    for entry in fields(kind):
        value = getattr(settings, entry.name)
        default = entry.default if usual is None else getattr(usual, entry.name)
        if default is MISSING and entry.default_factory is not MISSING:
            default = entry.default_factory()
        if value != default and entry.name not in getattr(kind, "in_name", ()):
            found.append(f"{entry.name}={_in_words(value)}")
    return tuple(found)


def in_file_name(changed: Sequence[str]) -> tuple[str, ...]:
    """These words as a part of the name of a file: one, or none where nothing is changed.

    Example:
        >>> in_file_name(("k=50", "temperature=0.07"))
        ('k=50-temperature=0.07',)
    """
    words = "-".join(changed)
    safe = re.sub(r"[^A-Za-z0-9.=+_-]", "_", words)
    if safe != words or len(safe) > _MOST_LETTERS:
        safe = f"{safe[:_MOST_LETTERS]}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"
    return (safe,) if words else ()


def _in_words(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if isinstance(value, Mapping):
        return ",".join(f"{key}={_in_words(one)}" for key, one in value.items())
    return "+".join(map(_in_words, value)) if isinstance(value, tuple | list) else str(value)


def parse_weights(weights: str | Mapping[str, float] | None) -> dict[str, float] | None:
    """Weights of streams from the words of a command line. Raises ValueError for words of another form.

    Example:
        >>> parse_weights("joint=0.6,bone=0.4")
        {'joint': 0.6, 'bone': 0.4}
    """
    if weights is None or isinstance(weights, Mapping):
        return None if weights is None else dict(weights)
    found: dict[str, float] = {}
    for entry in weights.split(","):
        stream, equals, number = entry.strip().partition("=")
        try:
            weight = float(number)
        except ValueError:
            weight = math.nan
        if not equals or stream in found or not math.isfinite(weight):
            raise ValueError(f"--weights '{weights}': write them as joint=0.6,motion=0.4,bone=0.6")
        found[stream] = weight
    return found


def seed_range(first: int, count: int) -> range:
    """Raises ValueError for less than one.

    Example:
        >>> list(seed_range(3, 2))
        [3, 4]
    """
    if count < 1:
        raise ValueError(f"--seeds {count}: at least one training is needed")
    return range(first, first + count)
