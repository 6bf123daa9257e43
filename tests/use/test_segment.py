"""Long recordings in pieces: groups, labels, and the same while it happens."""

import csv
import re
import shlex
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.stores import write_small_run
from torch import nn

import kinestream as ks
from kinestream.cli import main
from kinestream.models.encoder import Encoder
from kinestream.skeleton.layout import load_layout
from kinestream.skeleton.pose import standing
from kinestream.use.grouping import find_groups
from kinestream.use.model import Model
from kinestream.use.segment import embed_windows, frames_of, segment
from kinestream.use.segments import Segments, save_segments
from kinestream.use.stream import Stream

FPS = 20
STILL, WAVE, BOW = 0, 1, 2
ORDER = (STILL, WAVE, STILL, BOW, STILL, WAVE)
LENGTH = 40


class Poses(Encoder):
    """An encoder that needs no training: the mean height of each joint over the pelvis."""

    def __init__(self) -> None:
        super().__init__(20)
        self.unused = nn.Parameter(torch.zeros(1))  # features are computed in the type of the weights

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        height = x[:, 1, :, :, 0]
        return (height - height[..., :1]).mean(dim=1)


@pytest.fixture(scope="module")
def model(small_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Model:
    made = ks.load(write_small_run(tmp_path_factory.mktemp("runs") / "run", small_store))
    return Model("poses", {"joint": Poses()}, made.cards)


@pytest.fixture(scope="module")
def long_move() -> ks.Recording:
    """A body that stands, waves and bows for two seconds each."""
    layout = load_layout("kinect20")
    rng = np.random.default_rng(0)
    arms = [number for number, name in enumerate(layout.joints) if any(part in name for part in ("wrist", "hand"))]
    upper = [number for number, name in enumerate(layout.joints) if any(part in name for part in ("head", "shoulder"))]
    parts = []
    for what in ORDER:
        part = np.repeat(standing(layout)[None], LENGTH, axis=0)
        if what == WAVE:
            part[:, arms, 1] += 1.0 + 0.2 * np.sin(np.arange(LENGTH) * 0.9)[:, None]
        if what == BOW:
            part[:, upper, 1] *= 0.5
        parts.append(part + rng.normal(0, 0.01, part.shape))
    return ks.Recording(np.concatenate(parts), layout, fps=FPS, name="long")


@pytest.fixture(scope="module")
def parts(model: Model, long_move: ks.Recording) -> Segments:
    return model.segment(long_move, groups=3, window=0.5)


class Known:
    """A classifier that knows the nearest of some embeddings."""

    def __init__(self, centres: np.ndarray, names: list[str]) -> None:
        self.centres = centres
        self.classes_ = names

    def predict_proba(self, embeddings: np.ndarray) -> np.ndarray:
        distances = ((embeddings[:, None] - self.centres) ** 2).sum(axis=2)
        shares = np.exp(-40 * distances)
        return shares / shares.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def labels(model: Model, long_move: ks.Recording) -> Known:
    """Learnt from the middles of the first pieces of their kind."""
    windows = embed_windows(model, long_move, window=0.5)
    middles = [ORDER.index(what) * LENGTH + LENGTH // 2 for what in (STILL, WAVE, BOW)]
    places = [int(np.abs(windows.starts + 5 - middle).argmin()) for middle in middles]
    return Known(windows.rows[places], ["stand", "wave", "bow"])


def test_what_recurs_is_one_group_and_begins_where_it_begins(parts: Segments, long_move: ks.Recording) -> None:
    assert [row.group for row in parts] == [0, 1, 0, 2, 0, 1], "numbered as they come"
    bounds = np.array([row.start_frame for row in parts])
    assert np.abs(bounds - np.arange(0, 240, LENGTH)).max() <= 5, "half a window"
    assert (parts[0].start_frame, parts[-1].end_frame) == (0, 240)
    assert all(a.end_frame == b.start_frame for a, b in pairwise(parts))
    assert [row.start * FPS for row in parts] == pytest.approx(bounds.tolist())
    assert parts.frames.shape == (len(long_move),)
    assert parts.rate == FPS
    assert all(0 < row.certainty <= 1 for row in parts)


def test_the_number_of_groups_is_chosen_where_it_is_not_given(model: Model, long_move: ks.Recording) -> None:
    assert len(model.segment(long_move, window=0.5).groups) == 3


def test_centred_groups_are_told_apart_by_direction_from_the_mean() -> None:
    """Four movements about a mean, two of them strong in one half of their windows: by distance these are groups of
    their own, and the two weak movements one."""
    ways = np.concatenate((np.eye(6)[:2], -np.eye(6)[:2]))
    truth = np.arange(80) // 20
    strength = np.where(truth % 2, 0.5, np.where(np.arange(80) // 10 % 2, 1.0, 5.0))
    noise = np.random.default_rng(0).normal(0, 0.01, (80, 6))
    rows = strength[:, None] * ways[truth] + noise + 8

    def groups(rows: np.ndarray, centred: bool) -> np.ndarray:
        states = find_groups([rows], 4, switch=0.0, centred=centred).states
        return states.judge(rows)[0].argmin(axis=1)

    assert np.array_equal(groups(rows, True), truth), "numbered as they come"
    assert np.array_equal(groups(rows + 5, True), truth), "what all have in common does not count"
    assert not np.array_equal(groups(rows, False), truth)


def test_dear_changes_make_fewer_pieces(model: Model, long_move: ks.Recording) -> None:
    counts = [len(model.segment(long_move, groups=3, window=0.5, switch=switch)) for switch in (0.0, 0.25, 1000)]
    assert counts[0] >= counts[1] > counts[2] == 1


def test_names_and_merged_groups(parts: Segments) -> None:
    named = parts.named({0: "stand", 1: "wave"})
    assert [row.label for row in named] == ["stand", "wave", "stand", "", "stand", "wave"]
    assert [row.label for row in parts] == [""] * 6, "the one before is as it was"
    merged = named.merged([1, 2])
    assert [(row.group, row.label) for row in merged] == [
        (0, "stand"),
        (1, "wave"),
        (0, "stand"),
        (1, "wave"),
        (0, "stand"),
        (1, "wave"),
    ]
    assert named.merged([2, 0], "low")[0].label == "low"
    with pytest.raises(ValueError, match="no group 7: the groups are 0, 1, 2"):
        parts.named({7: "run"})
    with pytest.raises(ValueError, match="two groups or more"):
        parts.merged([1, 1])


def test_the_table_and_the_file_have_a_row_for_each_piece(parts: Segments, tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    table = parts.named({0: "stand, still"}).to_pandas()
    assert list(table["group"]) == [row.group for row in parts]
    path = parts.named({0: "stand, still"}).save(tmp_path / "segments.csv")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["start_frame"]) for row in rows] == [row.start_frame for row in parts]
    assert rows[0]["label"] == "stand, still"
    assert float(rows[1]["start"]) == pytest.approx(parts[1].start, abs=1e-3)
    both = save_segments([parts, parts], tmp_path / "both.csv")
    assert len(both.read_text().splitlines()) == 2 * len(parts) + 1


def test_several_recordings_share_their_groups(model: Model, long_move: ks.Recording, parts: Segments) -> None:
    whole, second = segment(model, [long_move, long_move.cut(slice(100, 240))], groups=3, window=0.5)
    assert np.array_equal(whole.frames[:240], parts.frames)
    assert (whole.frames[110:] == second.frames[10:]).mean() > 0.9


def test_groups_of_one_recording_are_found_in_another(model: Model, long_move: ks.Recording, parts: Segments) -> None:
    again = model.segment(long_move.cut(slice(120, 240)), using=parts.named({2: "bow"}))
    assert [row.label for row in again] == ["bow", "", ""]
    assert [row.group for row in again] == [2, 0, 1]
    merged = model.segment(long_move, using=parts.merged([1, 2]))
    assert [row.group for row in merged] == [0, 1, 0, 1, 0, 1]


def test_nobody_is_no_group(model: Model, long_move: ks.Recording) -> None:
    joints = long_move.joints.copy()
    joints[80:140] = 0
    found = model.segment(ks.Recording(joints, "kinect20", fps=FPS), groups=3, window=0.5)
    assert -1 in found.frames
    assert (found.frames[90:130] == -1).all()
    assert -1 not in found.groups
    with pytest.raises(ValueError, match="nobody is seen"):
        model.segment(ks.Recording(np.zeros((50, 20, 3)), "kinect20", fps=FPS, name="empty"), groups=2)


def test_labels_of_a_model(model: Model, long_move: ks.Recording, labels: Known) -> None:
    found = model.segment(long_move, labels=labels, window=0.5)
    assert [row.label for row in found.actions] == ["stand", "wave", "stand", "bow", "stand", "wave"]
    assert all(row.certainty > 0.4 for row in found.actions)
    assert found.names[3] == "background"


def test_what_is_no_label_is_background(model: Model, long_move: ks.Recording) -> None:
    class Unsure:
        classes_ = ("a", "b", "c")

        def predict_proba(self, embeddings: np.ndarray) -> np.ndarray:
            return np.full((len(embeddings), 3), 1 / 3)

    found = model.segment(long_move, labels=Unsure(), window=0.5)
    assert [(row.label, row.group) for row in found] == [("background", 3)]
    assert found.actions == ()
    assert found[0].certainty == pytest.approx(2 / 3)
    sure = model.segment(long_move, labels=Unsure(), window=0.5, threshold=0.2)
    assert [row.label for row in sure] == ["a"]


def test_a_class_called_background_is_the_background(model: Model, long_move: ks.Recording, labels: Known) -> None:
    told = Known(labels.centres, ["background", "wave", "bow"])
    found = model.segment(long_move, labels=told, window=0.5)
    assert [row.label for row in found.actions] == ["wave", "bow", "wave"]
    assert found.background == 0


def events(stream: Stream, length: int) -> np.ndarray:
    """The track that the events tell."""
    track = np.full(length, -9)
    for event in stream:
        if event.is_over:
            assert event.end_frame is not None
            track[event.start_frame : event.end_frame] = event.group
    return track


@pytest.mark.parametrize("known", ["groups", "labels"])
def test_with_all_the_time_in_the_world_the_stream_is_what_segment_gives(
    model: Model, long_move: ks.Recording, parts: Segments, labels: Known, known: str
) -> None:
    how = {"using": parts} if known == "groups" else {"labels": labels, "window": 0.5}
    whole = model.segment(long_move, **how)
    stream = model.stream(list(long_move.joints), fps=FPS, lag=1000, **how)
    assert np.array_equal(events(stream, 240), whole.frames)


def test_events_come_in_pairs_and_no_later_than_said(model: Model, long_move: ks.Recording, parts: Segments) -> None:
    stream = model.stream((frame[0] for frame in long_move.joints), fps=FPS, using=parts.named({0: "stand"}))
    told = list(stream)
    assert [event.is_over for event in told] == [False, True] * (len(told) // 2)
    for begun, over in zip(told[::2], told[1::2], strict=True):
        assert (begun.group, begun.start_frame) == (over.group, over.start_frame)
    assert told[0].label == "stand"
    begun = [event for event in told[2:] if not event.is_over]
    assert {event.frame - event.start_frame for event in begun} == {stream.latency_frames} == {4 + 10}
    assert stream.latency_seconds == stream.latency_frames / FPS
    coarse = model.stream(list(long_move.joints), fps=FPS, using=parts, hop=0.2, lag=0.4)
    late = [event.frame - event.start_frame for event in coarse if not event.is_over][1:]
    assert (coarse.window, coarse.hop, coarse.lag) == (10, 4, 2)
    assert max(late) == coarse.latency_frames == 6 + 8


def test_a_stream_never_looks_ahead(model: Model, long_move: ks.Recording, parts: Segments) -> None:
    """What has been told by some moment is the same whatever comes after it."""
    frames = list(long_move.joints[:160])
    for upto in (120,):
        changed = frames[:upto] + [frame * 0.3 for frame in frames[upto:]]
        one, other = (
            [event for event in model.stream(some, fps=FPS, using=parts) if event.frame < upto]
            for some in (frames, changed)
        )
        assert one == other
        assert one, "something was told"


def test_a_short_stream_and_an_empty_one(model: Model, long_move: ks.Recording, parts: Segments) -> None:
    short = list(model.stream(list(long_move.joints[:4]), fps=FPS, using=parts))
    assert [(event.start_frame, event.end_frame) for event in short] == [(0, None), (0, 4)]
    assert list(model.stream([], fps=FPS, using=parts)) == []


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (np.zeros((19, 3)), "frame 3 has shape"),
        (np.full((20, 3), np.inf), "frame 3 has shape"),
        (np.zeros((2, 20, 3)), "frame 3 has 2 people"),
        ("no", "frame 3: an array of numbers"),
    ],
)
def test_frames_that_do_not_fit(
    model: Model, long_move: ks.Recording, parts: Segments, frame: object, reason: str, unchecked: None
) -> None:
    frames = [*long_move.joints[:3], frame]
    with pytest.raises(ValueError, match=reason):
        list(model.stream(frames, fps=FPS, using=parts))  # type: ignore[arg-type]


def test_what_does_not_fit(model: Model, long_move: ks.Recording, parts: Segments, unchecked: None) -> None:
    class Wrong:
        classes_ = ("a", "b")

        def predict_proba(self, embeddings: np.ndarray) -> np.ndarray:
            return np.ones((len(embeddings), 3))

    cases = [
        ({"groups": 0}, "0 groups of"),
        ({"groups": 10_000}, "10000 groups of"),
        ({"groups": 2, "labels": Wrong()}, "exclude each other"),
        ({"labels": Wrong()}, "2 classes: probabilities"),
        ({"labels": object()}, "object predicts no probabilities"),
        ({"labels": Wrong(), "threshold": 1.0}, "a threshold of 1.0"),
        ({"window": 0.05}, "1 frames at 20"),
        ({"window": float("nan")}, "both must be above 0"),
        ({"window": 0.5, "hop": 2.0}, "leaves out frames"),
        ({"switch": -1.0}, "switch"),
    ]
    for how, reason in cases:
        with pytest.raises(ValueError, match=reason):
            model.segment(long_move, **how)
    with pytest.raises(ValueError, match="give fps="):
        model.segment(ks.Recording(long_move.joints, "kinect20"))
    with pytest.raises(ValueError, match="using=, what segment gave"):
        model.stream([], fps=FPS)
    with pytest.raises(ValueError, match="0 frames a second"):
        model.stream([], fps=0, using=parts)


def test_an_array_with_its_rate_is_enough(model: Model, long_move: ks.Recording, parts: Segments) -> None:
    found = model.segment(long_move.joints[:, 0], layout="kinect20", fps=FPS, groups=3, window=0.5)
    assert np.array_equal(found.frames, parts.frames)


def test_seconds_and_frames() -> None:
    assert frames_of(1.0, None, 30.0) == (30, 4)
    assert frames_of(0.1, None, 20.0) == (2, 1), "never less than a frame"


def test_the_page_runs(
    model: Model, small_store: Path, long_move: ks.Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/segment.md").read_text("utf-8")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    write_small_run(tmp_path / "runs" / "mine", small_store, "joint", "bone")
    np.save("session.npy", long_move.joints[:, 0])
    code = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
    scope: dict[str, object] = {}
    exec(compile(code, "segment.md", "exec"), scope)
    assert (tmp_path / "segments.csv").is_file()
    commands = re.findall(r"^    kinestream (segment .*?)(?<!\\)$", page, re.MULTILINE | re.DOTALL)
    assert len(commands) == 2
    for words in commands:
        assert main([*shlex.split(words.replace("\\\n", " ")), "--groups", "3"]) == 0
    with (tmp_path / "named.csv").open(newline="") as file:
        assert {row["label"] for row in csv.DictReader(file)} == {"walk", "sit"}
