"""Transfer: encoders that learnt on one data set, judged on another, also of another sensor."""

from collections.abc import Iterator
from dataclasses import asdict

from kinestream.evaluate import register
from kinestream.evaluate.linear_probe import probe_rows
from kinestream.evaluate.nearest import neighbour_rows
from kinestream.evaluate.result import Row
from kinestream.evaluate.session import Session
from kinestream.evaluate.settings import LinearSettings, TransferSettings, seed_range
from kinestream.evaluate.training import trained_rows, training_settings
from kinestream.skeleton.joint_maps import JointMap


@register("transfer")
def transfer(session: Session, settings: TransferSettings) -> Iterator[Row]:
    """1-NN and k-NN and the linear probe on frozen features, and fine-tuning where it is asked for."""
    source, info, made = session.source, session.store.info, session.joint_map
    training, seeds = training_settings(settings), seed_range(settings.seed, settings.seeds)
    linear = LinearSettings(epochs=settings.probe_epochs, seed=settings.seed)
    session.protocol = f"transfer-{info.dataset}"
    session.note(f"from {source.dataset or 'unknown data'} {source.split} to {info.dataset} {session.split}")
    session.settings = {
        "pretrained_on": {"dataset": source.dataset, "split": source.split},
        "joint_map": None if made is None else _plain(made),
        "linear": asdict(linear),
        "knn": {"k": settings.k, "temperature": 0.1},
        "readout": session.settings["readout"],
        "finetune": {**asdict(training), "seeds": list(seeds), "fusion": settings.fusion}
        if settings.finetune
        else None,
    }
    frozen: list[Row] = []
    for features in session.features():
        frozen += probe_rows(session, features, linear, variant="linear")
        frozen += neighbour_rows(session, features, settings.k, 0.1, variant="1-NN")
    if settings.finetune:  # last, for it takes longest
        yield from trained_rows(session, "run", settings, training, protocol="transfer", variant="fine-tuned")
    yield from frozen


def _plain(made: JointMap) -> dict[str, dict[str, list[str]]]:
    names = {
        joint: [made.source.joints[v] for v in part] for joint, part in zip(made.target.joints, made.parts, strict=True)
    }
    return {"joints": names, "filled": {joint: list(parts) for joint, parts in made.filled.items()}}
