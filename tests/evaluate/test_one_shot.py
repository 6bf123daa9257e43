"""Recognition from few examples, against loops, and the official protocol on a store with its names."""

import gzip
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.stores import write_small_run

from kinestream import evaluate
from kinestream.cli import main
from kinestream.data.datasets import load_dataset
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.recording import Source
from kinestream.data.store import Store, StoreWriter
from kinestream.evaluate.examples import NTU120_EXEMPLARS, draw_episode, nearest_mean
from kinestream.evaluate.session import open_session
from kinestream.evaluate.settings import OneShotSettings


def unit(row: list[float]) -> list[float]:
    length = math.sqrt(sum(x * x for x in row))
    return [x / length for x in row]


@given(seed=st.integers(0, 200), ways=st.integers(2, 4), shots=st.integers(1, 3))
def test_nearest_mean(seed: int, ways: int, shots: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    examples = torch.randn(ways, shots, 3, generator=generator, dtype=torch.float64)
    queries = torch.randn(5, 3, generator=generator, dtype=torch.float64)
    found = nearest_mean(examples, queries)
    for i, query in enumerate(queries.tolist()):
        for j, of_class in enumerate(examples.tolist()):
            rows = [unit(row) for row in of_class]
            mean = unit([sum(column) / shots for column in zip(*rows, strict=True)])
            assert found[i, j].item() == pytest.approx(sum(a * b for a, b in zip(unit(query), mean, strict=True)))


@given(seed=st.integers(0, 50), number=st.integers(0, 50), shots=st.integers(1, 3), queries=st.integers(1, 9))
def test_episodes_are_of_different_clips_of_the_classes_that_they_say(
    seed: int, number: int, shots: int, queries: int
) -> None:
    labels = np.repeat([4, 1, 7, 9], [8, 5, 4, 2])
    ways = 3
    episode = draw_episode(labels, ways=ways, shots=shots, queries=queries, seed=seed, number=number)
    assert episode.examples.shape == (ways, shots)
    used = [*episode.examples.ravel().tolist(), *episode.queries.tolist()]
    assert len(set(used)) == len(used)
    for label, places in zip(episode.classes, episode.examples, strict=True):
        assert set(labels[places]) == {label}
    assert np.array_equal(labels[episode.queries], episode.classes[episode.answers])
    for place, label in enumerate(episode.classes):
        most = int((labels == label).sum()) - shots
        assert int((episode.answers == place).sum()) == min(queries, most) > 0
    again = draw_episode(labels, ways=ways, shots=shots, queries=queries, seed=seed, number=number)
    assert np.array_equal(again.queries, episode.queries)


def test_classes_that_are_too_small_are_not_drawn() -> None:
    labels = np.repeat([0, 1, 2], [5, 5, 2])
    drawn = [draw_episode(labels, ways=2, shots=2, queries=2, seed=0, number=n).classes.tolist() for n in range(20)]
    assert all(classes == [0, 1] for classes in drawn)
    with pytest.raises(ValueError, match="3 classes of more than 2 test clips are needed, there are 2: set --ways or"):
        draw_episode(labels, ways=3, shots=2, queries=2, seed=0, number=0)


def test_figures_are_means_over_episodes(run: Path, small_store: Path) -> None:
    options = {"ways": 2, "queries": 3, "episodes": 30}
    result = evaluate.one_shot(run, small_store, **options)
    own = result.headline
    assert len(own.hits) == own.extra["episodes"] == 30
    assert own.top1 == pytest.approx(100 * own.hits.mean())
    assert own.interval[0] <= own.top1 <= own.interval[1]
    assert own.accuracy.per_class.nanmean().item() == pytest.approx(own.top1, abs=1e-3), "as many queries of either"
    assert {row.kind for row in result.rows} == {"run", "untrained", "raw"}
    again = evaluate.one_shot(run, small_store, **options)
    assert np.array_equal(again.headline.hits, own.hits)
    assert not np.array_equal(evaluate.one_shot(run, small_store, **options, seed=1).headline.hits, own.hits)
    _, predictions, _ = result.save()
    assert len(predictions.read_text().splitlines()) == 31


def test_one_episode_by_hand(run: Path, small_store: Path) -> None:
    row = evaluate.one_shot(run, small_store, ways=2, queries=3, episodes=1, baselines=False).rows[0]
    session = open_session(run, small_store)
    labels = session.test_labels.numpy()
    episode = draw_episode(labels, ways=2, shots=1, queries=3, seed=0, number=0)
    features = next(iter(session.features())).test["joint"].tolist()
    right = []
    for query, answer in zip(episode.queries, episode.answers, strict=True):
        cosines = [
            sum(a * b for a, b in zip(unit(features[query]), unit(features[example[0]]), strict=True))
            for example in episode.examples
        ]
        right.append(int(np.argmax(cosines)) == answer)
    assert row.streams == ("joint",)
    assert row.top1 == pytest.approx(100 * np.mean(right))


def test_the_command_says_and_writes_it(run: Path, small_store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", "one-shot", str(run), "--data", str(small_store), "--ways", "2", "--episodes", "9", "--bare"]
    assert main(words) == 0
    assert "episodes" in capsys.readouterr().out
    found = json.loads(next(run.glob("evaluation-one-shot-xview*.json")).read_text())
    assert found["results"]["small, streams together"]["episodes"] == 9
    assert found["settings"]["ways"] == 2


def test_settings_that_cannot_be_are_refused() -> None:
    for wrong, words in (({"ways": 1}, "--ways 1: 2 or more"), ({"shots": 0}, "--shots 0: 1 or more")):
        with pytest.raises(ValueError, match=words):
            OneShotSettings(**wrong)


# --- the official exemplars -------------------------------------------------------------------------------------------


def test_the_official_exemplars() -> None:
    assert len(NTU120_EXEMPLARS) == 20
    assert NTU120_EXEMPLARS[:2] == ("S001C003P008R001A001", "S001C003P008R001A007")
    assert NTU120_EXEMPLARS[9:11] == ("S001C003P008R001A055", "S018C003P008R001A061")
    assert NTU120_EXEMPLARS[-1] == "S018C003P008R001A115"


def test_the_official_exemplars_are_among_the_clips_that_there_are(real_data: Path) -> None:
    names = gzip.decompress((real_data / "ntu" / "ntu120_clip_names.txt.gz").read_bytes()).decode().split()
    assert set(NTU120_EXEMPLARS) <= set(names)
    novel = {name[-4:] for name in NTU120_EXEMPLARS}
    assert sum(name[-4:] in novel for name in names) == 18_924 + 20


def write_ntu120(path: Path, *, exemplars: int = 20) -> Path:
    """Two performances of each novel class beside the exemplars, each class with its own posture, and some others."""
    path.mkdir()
    dataset, rng = load_dataset("ntu120"), np.random.default_rng(0)
    names = list(NTU120_EXEMPLARS[:exemplars])
    names += [f"S002C001P{person:03}R001A{action:03}" for action in range(1, 121, 6) for person in (3, 8)]
    names += [f"S002C001P{person:03}R001A{action:03}" for action in (2, 3) for person in (1, 3, 8)]
    postures = rng.normal(0, 0.4, (121, 1, 1, 25, 3))
    with StoreWriter(path, dataset.format.layout, 1) as writer:
        for name in sorted(names):
            source = dataset.parse_name(Path(f"{name}.skeleton"))
            assert isinstance(source, Source)
            joints = postures[source.action] + rng.normal(0, 0.05, (20, 1, 25, 3))
            writer.add(source, joints.astype(np.float32))
        writer.finish(dataset, PREPARATIONS["tracked"], excluded=0, rejected=0)
    return path


def test_the_protocol_of_ntu120(tmp_path: Path) -> None:
    store = write_ntu120(tmp_path / "store")
    run = write_small_run(tmp_path / "run", store, dataset="ntu120", split="xsub")
    with pytest.raises(ValueError, match=r"was pre-trained on .* of the test clips, by name"):
        evaluate.one_shot(run, store, split="xsub", exemplars="ntu120")
    result = evaluate.one_shot(run, store, split="xsub", exemplars="ntu120", allow_leak=True)
    assert result.leak is not None
    assert (len(result.train), len(result.test)) == (20, 40)
    opened = Store(store)
    assert {opened.table.name[place] for place in result.train.tolist()} == set(NTU120_EXEMPLARS)
    raw = next(row for row in result.rows if row.kind == "raw")
    assert raw.top1 == 100, "postures tell the classes"
    assert {int(label) % 6 for label in result.headline.predicted} == {0}, "novel classes alone are answers"
    assert len(result.headline.hits) == 40
    result.save()


def test_a_store_without_the_exemplars_is_refused(tmp_path: Path, run: Path, small_store: Path) -> None:
    with pytest.raises(ValueError, match="has no recording S001C003P008R001A001, one of the 20 exemplars"):
        evaluate.one_shot(run, small_store, exemplars="ntu120")
