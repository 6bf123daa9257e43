"""The linear probe at the rate and decay that held-out training clips choose."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from kinestream.evaluate.probe_grid import GridSettings, choose_probe, grid_scores, train_grid
from kinestream.evaluate.protocols.linear import chosen
from kinestream.evaluate.protocols.outcome import How, Outcome
from kinestream.evaluate.protocols.subject import Parts, Subject
from kinestream.evaluate.write import publish
from kinestream.features.metrics import ranked


def probe_grid(subject: Subject, settings: GridSettings) -> Sequence[Outcome]:
    """Each stream alone and all together, every kind of features at the rate and decay that suit it. The test clips
    are used once, after the choice."""
    outcomes = [outcome for parts in subject.parts() for outcome in _grid_of_parts(subject, parts, settings)]
    columns = {
        "rate": [f"{outcome.extra['rate']:g}" for outcome in outcomes],
        "decay": [f"{outcome.extra['decay']:g}" for outcome in outcomes],
        "held out %": [f"{outcome.extra['held_out_top1']:.2f}" for outcome in outcomes],
    }
    publish(subject, "probe-grid", {**asdict(settings), **subject.told_readout}, outcomes, columns)
    return outcomes


def _grid_of_parts(subject: Subject, parts: Parts, settings: GridSettings) -> Iterator[Outcome]:
    def judge(streams: Sequence[str], how: How) -> Outcome:
        train, test = chosen(parts, streams)
        labels = subject.train_labels
        what = f"{parts.kind}, {' + '.join(streams)}"
        with subject.screen.progress(f"grid of {len(settings.points)}, {what}", "epochs") as advance:
            choice = choose_probe(train, labels, classes=subject.classes, settings=settings, progress=advance)
        point = (choice.rate, choice.decay)
        with subject.screen.progress(f"chosen probe, {what}", "epochs") as advance:
            probe = train_grid(train, labels, [point], classes=subject.classes, settings=settings, progress=advance)
        logits = grid_scores(probe, test)[0]
        extra = {
            "rate": choice.rate,
            "decay": choice.decay,
            "held_out_top1": choice.held_out_top1[point],
            "grid": [
                {"rate": rate, "decay": decay, "held_out_top1": share}
                for (rate, decay), share in choice.held_out_top1.items()
            ],
        }
        return subject.reached(parts.kind, how, streams, ranked(logits), extra, logits=logits)

    yield from subject.for_each_choice(parts, judge)
