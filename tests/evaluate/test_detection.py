"""Detection in generated PKU-MMD videos, from files to figures."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from tests.stores import write_small_run

import kinestream as ks
from kinestream.cli import main
from kinestream.data.leaks import write_recordings
from kinestream.data.recording import Segment
from kinestream.data.store import Store
from kinestream.data.synthetic import generate_pku
from kinestream.evaluate.average_precision import THRESHOLDS
from kinestream.evaluate.videos import actions_in, window_labels
from kinestream.features.windows import window_starts

CLIPS = 60


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pku")
    generate_pku(folder / "raw", CLIPS, 0, phase=2, frames=(30, 40), classes=3)
    assert main(["prepare", "pku2", str(folder / "raw"), str(folder / "store"), "--continuous"]) == 0
    return folder / "store"


@pytest.fixture
def run(videos: Path, tmp_path: Path) -> Path:
    return write_small_run(
        tmp_path / "run", videos, "joint", "bone", dataset="pku2", preparation="published", split="xsub"
    )


def test_the_whole_protocol(run: Path, videos: Path) -> None:
    words = ["--window", "16", "--hop", "8", "--components", "32"]
    assert (
        main(["evaluate", "detection", str(run), "--data", str(videos), "--split", "xview", "--allow-leak", *words])
        == 0
    )
    found = json.loads((next(run.glob("evaluation-detection-xview-*.json"))).read_text())
    rows = found["results"]
    assert [row["features"] for row in rows.values()] == ["run", "untrained", "raw", "raw"]
    for row in rows.values():
        over = [row[f"map_actions_{threshold}"] for threshold in THRESHOLDS]
        assert over == sorted(over, reverse=True), "a lower threshold never finds less here"
        assert row["top1"] == pytest.approx(row["map_videos_0.5"])
        assert row["mean_class"] == pytest.approx(row["map_actions_0.5"], abs=1e-3)
        assert row["top1_low"] <= row["top1"] <= row["top1_high"]
    best = max(row["map_actions_0.3"] for row in rows.values())
    assert best > 15, "three classes of movement can be told apart"
    with next(run.glob("predictions-detection-xview-*.csv")).open(newline="") as file:
        predictions = list(csv.DictReader(file))
    store = Store(videos)
    lengths = dict(zip(store.table.name, store.table.length.tolist(), strict=True))
    assert predictions
    for row in predictions:
        assert 0 <= int(row["start"]) < int(row["end"]) <= lengths[row["file"]]
        assert row["label"] in store.info.classes


def test_the_figures_are_those_of_the_predictions(run: Path, videos: Path) -> None:
    """Read back from the file, and measured anew."""
    from kinestream.evaluate.average_precision import Action, mean_average_precision

    result = ks.evaluate.detection(
        run, str(videos), split="xview", allow_leak=True, baselines=False, window=16, components=16, device="cpu"
    )
    store = Store(videos)
    classes = {name: number for number, name in enumerate(store.info.classes)}
    _, *rows = result.headline.predictions or ()
    found = [
        Action(video=str(video), label=classes[str(label)], start=int(start), end=int(end), confidence=float(sure))
        for video, label, start, end, sure in rows
    ]
    truth = [
        Action(video=store.table.name[index], label=part.label, start=part.start, end=part.end)
        for index in store.select("xview", "test").tolist()
        for part in store.segments(index)
    ]
    again = mean_average_precision(found, truth, 0.5)
    assert result.top1 == pytest.approx(again.over_videos)
    assert result.headline.extra["map_actions_0.5"] == pytest.approx(again.over_actions)
    assert "videos" in str(result)


def test_a_run_that_has_learnt_from_parts_of_the_test_videos_is_refused(run: Path, videos: Path) -> None:
    store = Store(videos)
    (run / "pretrained-on.csv").unlink()
    write_recordings(run / "pretrained-on.csv", (store, store.select("xview", "train")))
    text = (run / "pretrained-on.csv").read_text()
    video = store.table.name[store.select("xview", "test")[0]]
    (run / "pretrained-on.csv").write_text(text + f"{video}-003,40,1,00\n")
    with pytest.raises(ValueError, match=f"pre-trained on 1 of .* by name .*{video}"):
        ks.evaluate.detection(run, str(videos), split="xview", window=16)


def test_what_it_cannot_look_at(run: Path, videos: Path, small_store: Path, tmp_path: Path) -> None:
    other = write_small_run(tmp_path / "other", small_store)
    with pytest.raises(ValueError, match="holds single actions"):
        ks.evaluate.detection(other, str(small_store), split="xview")
    with pytest.raises(ValueError, match="--hop 0"):
        ks.evaluate.detection(run, str(videos), split="xview", hop=0)
    with pytest.raises(ValueError, match="no split 'best'"):
        ks.evaluate.detection(run, str(videos), split="best")


def test_labels_of_windows_are_those_of_their_middles() -> None:
    segments = (Segment(label=2, start=5, end=9), Segment(label=0, start=9, end=11))
    starts = window_starts(20, 4, 1)
    labels = window_labels(segments, starts, 4, 7)
    assert labels.tolist() == [7] * 3 + [2] * 4 + [0] * 2 + [7] * 8


def test_actions_are_the_pieces_of_the_likeliest_path() -> None:
    told = np.full((20, 3), 0.05)
    told[:, 2] = 0.9  # the background
    told[4:10] = (0.8, 0.1, 0.1)
    told[7] = (0.2, 0.5, 0.3)  # a slip
    told[15:18] = (0.1, 0.7, 0.2)
    usable = np.ones(20, bool)
    usable[19] = False
    (first, second) = actions_in(told, usable, np.arange(20) * 2, 2, 40, switch=1.0, video="v")
    assert (first.label, first.start, first.end) == (0, 8, 20)
    assert (second.label, second.start, second.end) == (1, 30, 36)
    assert first.confidence == pytest.approx((5 * 0.8 + 0.2) / 6)
    assert [one.label for one in actions_in(told, usable, np.arange(20) * 2, 2, 40, switch=0.0, video="v")] == [
        0,
        1,
        0,
        1,
    ]
