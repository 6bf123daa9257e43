"""Fine-tuning and its bar: everything trains, from the weights of the run or from random ones."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from kinestream.evaluate.protocols.linear import check_weights
from kinestream.evaluate.protocols.outcome import Outcome
from kinestream.evaluate.protocols.subject import Subject
from kinestream.evaluate.protocols.training import Fusion, protocol_in_form, trained_outcomes
from kinestream.evaluate.write import publish
from kinestream.train.classify import TrainingSettings


def fine_tune(
    subject: Subject,
    settings: TrainingSettings,
    *,
    seeds: Sequence[int],
    fusion: Fusion = "together",
    weights: Mapping[str, float] | None = None,
) -> Sequence[Outcome]:
    """All labels of the training part, the encoders going on to learn."""
    check_weights(subject, weights)
    protocol = protocol_in_form("finetune", settings)
    outcomes = list(
        trained_outcomes(subject, "run", settings, seeds, protocol=protocol, fusion=fusion, weights=weights)
    )
    publish(subject, protocol, _told(settings, seeds, fusion, weights), outcomes)
    return outcomes


def train_supervised(
    subject: Subject,
    settings: TrainingSettings,
    *,
    seeds: Sequence[int],
    fusion: Fusion = "together",
    weights: Mapping[str, float] | None = None,
) -> Sequence[Outcome]:
    """The same networks from random weights with all labels: the bar that pre-training has to pass. `subject` is made
    with `pretrained=False`."""
    check_weights(subject, weights)
    protocol = protocol_in_form("supervised", settings)
    outcomes = list(
        trained_outcomes(subject, "supervised", settings, seeds, protocol=protocol, fusion=fusion, weights=weights)
    )
    publish(subject, protocol, _told(settings, seeds, fusion, weights), outcomes)
    return outcomes


def _told(
    settings: TrainingSettings, seeds: Sequence[int], fusion: Fusion, weights: Mapping[str, float] | None
) -> dict[str, object]:
    return {**asdict(settings), "seeds": list(seeds), "fusion": fusion, "fusion_weights": weights or "uniform"}
