"""Transfer: encoders that learnt on one data set, judged on another, also of another sensor."""

from collections.abc import Sequence
from dataclasses import asdict

from kinestream.evaluate.linear import ProbeSettings
from kinestream.evaluate.protocols.knn import neighbours_of_parts
from kinestream.evaluate.protocols.linear import probe_parts
from kinestream.evaluate.protocols.outcome import Outcome
from kinestream.evaluate.protocols.subject import Subject
from kinestream.evaluate.protocols.training import Fusion, trained_outcomes
from kinestream.evaluate.write import publish
from kinestream.skeleton.joint_maps import JointMap
from kinestream.train.classify import TrainingSettings


def transfer(
    subject: Subject,
    probe: ProbeSettings,
    *,
    k: int,
    training: TrainingSettings | None,
    seeds: Sequence[int],
    fusion: Fusion = "together",
) -> Sequence[Outcome]:
    """1-NN and k-NN and the linear probe on frozen features, and fine-tuning where `training` is given. `subject` is
    made with `other_layout=True`; the results are those of protocol `transfer-<data set>`."""
    _show(subject)
    frozen: list[Outcome] = []
    tuned: list[Outcome] = []
    for parts in subject.parts():
        frozen += probe_parts(subject, parts, probe, variant="linear")
        frozen += neighbours_of_parts(subject, parts, k, 0.1, variant="1-NN")
    if training is not None:  # last, for it takes longest
        tuned += trained_outcomes(
            subject, "run", training, seeds, protocol="transfer", fusion=fusion, variant="fine-tuned"
        )
    outcomes = [*tuned, *frozen]
    told = {
        "pretrained_on": {"dataset": subject.source.dataset, "split": subject.source.split},
        "joint_map": None if subject.joint_map is None else _plain(subject.joint_map),
        "linear": asdict(probe),
        "knn": {"k": k, "temperature": 0.1},
        **subject.told_readout,
        "finetune": None if training is None else {**asdict(training), "seeds": list(seeds), "fusion": fusion},
    }
    publish(subject, f"transfer-{subject.store.info.dataset}", told, outcomes)
    return outcomes


def _show(subject: Subject) -> None:
    """Where the encoders come from, where they go, and how the joints are made."""
    source, info = subject.source, subject.store.info
    subject.screen.say(f"from {source.dataset or 'unknown data'} {source.split} to {info.dataset} {subject.split}")
    made = subject.joint_map
    if made is None:
        subject.screen.say(f"both have layout {info.layout.name}: joints stay as they are")
        return
    subject.screen.table(
        f"joints: {made.source.name} (the store) to {made.target.name} (the encoder)",
        ("joint of the encoder", "made of"),
        [(joint, " + ".join(parts) or "-") for joint, parts in _plain(made)["joints"].items()],
    )
    if made.filled:
        subject.screen.say(
            "without a joint of their own in the store, filled as the table says: " + ", ".join(made.filled)
        )
    if made.unused:
        subject.screen.say(f"in the store, but unknown to the encoder: {', '.join(made.unused)}")


def _plain(made: JointMap) -> dict[str, dict[str, list[str]]]:
    names = {
        joint: [made.source.joints[v] for v in part] for joint, part in zip(made.target.joints, made.parts, strict=True)
    }
    return {"joints": names, "filled": {joint: list(parts) for joint, parts in made.filled.items()}}
