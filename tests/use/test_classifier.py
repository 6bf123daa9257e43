"""A classifier from few labels: scikit-learn's form, accuracy on other people, what is kept, and what to label next."""

import csv
import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator
from tests.use.conftest import KINECT, movement

import kinestream as ks
from kinestream.features.metrics import bootstrap_interval, wilson_interval
from kinestream.use.archive import Embeddings
from kinestream.use.classifier import Classifier
from kinestream.use.familiar import threshold_of
from kinestream.use.folds import folds_of, together
from kinestream.use.label_table import match_labels, read_labels
from kinestream.use.logistic import fit_logistic, fit_temperature
from kinestream.use.model import Model
from kinestream.use.suggest import representative


def labelled(count: int = 24, people: int = 4) -> list[ks.Recording]:
    """Bodies whose left arm goes up fast, or which bend, by turns; each of people who stand a little differently."""
    made = []
    for number in range(count):
        joints = movement(number % people, 40)
        rng = np.random.default_rng(number)
        if number % 2:
            joints[:, 0, :12, 0] += 0.5 * np.sin(np.linspace(0, 6, 40))[:, None]
        made.append(
            ks.Recording(
                joints + rng.normal(0, 0.01, joints.shape),
                KINECT,
                fps=10,
                name=f"move-{number:02}",
                subject=number // 2 % people,
                label=("arm", "bend")[number % 2],
            )
        )
    return made


@pytest.fixture(scope="module")
def moves() -> list[ks.Recording]:
    return labelled()


@pytest.fixture(scope="module")
def archive(model: Model, moves: list[ks.Recording], tmp_path_factory: pytest.TempPathFactory) -> Embeddings:
    """Of files, by an encoder in a run."""
    folder = tmp_path_factory.mktemp("archive")
    (folder / "files").mkdir()
    for one in moves:
        np.save(folder / "files" / f"{one.name}.npy", one.joints)
    return ks.embed(folder / "files", model, folder / "moves.npz", layout="kinect20", fps=10)


def blobs(rng: np.random.Generator, each: int = 12, classes: int = 3, d: int = 8) -> tuple[np.ndarray, np.ndarray]:
    codes = np.repeat(np.arange(classes), each)
    return np.eye(classes, d)[codes] + rng.normal(0, 0.15, (len(codes), d)), codes


# --- scikit-learn -----------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
def test_it_is_a_classifier_of_scikit_learn(unchecked: None) -> None:
    check_estimator(Classifier())


def test_recordings_in_a_pipeline_and_in_cross_validation(model: Model, moves: list[ks.Recording]) -> None:
    labels = [one.label for one in moves]
    people = [one.subject for one in moves]
    classifier = Classifier(model, device="cpu").fit(moves, labels)
    assert classifier.classes_.tolist() == ["arm", "bend"]
    assert classifier.score(moves, labels) > 0.9
    told = classifier.predict_proba(moves)
    assert told.shape == (24, 2)
    assert np.allclose(told.sum(axis=1), 1)
    assert clone(classifier).get_params()["model"].fingerprint == model.fingerprint
    pipe = make_pipeline(model, Classifier()).fit(moves, labels)
    assert np.array_equal(pipe.predict(moves), classifier.predict(moves))
    scores = cross_val_score(Classifier(model), moves, labels, groups=people, cv=GroupKFold(4))
    assert len(scores) == 4
    assert scores.mean() > 0.7
    assert np.array_equal(classifier.predict(model.embed(moves)), classifier.predict(moves)), "embeddings are taken too"


def test_labels_and_people_are_those_of_the_recordings(model: Model, moves: list[ks.Recording]) -> None:
    report = Classifier(model, device="cpu").fit(moves).report
    assert (report.held_out, report.groups, report.folds) == ("people", 4, 4)
    assert report.notes == ()
    assert [one.kind for one in report.features] == ["learnt", "untrained", "raw"]
    assert report.accuracy is not None
    assert report.accuracy > 80
    assert report.interval is not None
    assert report.interval[0] < report.accuracy <= report.interval[1]
    assert sum(map(sum, report.confusion)) == 24
    assert [one.labels for one in report.curve] == [1, 2, 5, 10, None]
    assert report.curve[-1].accuracy == report.accuracy
    text = " ".join(str(report).split())
    for word in ("untrained encoder", "raw ", "labels a class", "people held out in turn (4 in 4 folds)"):
        assert word in text
    assert json.loads(json.dumps(report.to_dict()))["held_out"] == "people"
    page = report._repr_html_()
    assert page.count("<table>") == 2 + bool(report._confused())
    assert "untrained encoder</td>" in page


# --- the parts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(30, 8), (10, 40)])
def test_the_regression_is_that_of_scikit_learn_in_fewer_directions_too(
    rng: np.random.Generator, shape: tuple[int, int]
) -> None:
    rows = rng.normal(size=shape)
    codes = np.arange(len(rows)) % 3
    (layer,) = fit_logistic(rows, codes, 3, [1.0])
    centred = rows - rows.mean(axis=0)
    scale = np.sqrt((centred**2).sum(axis=1).mean())
    literal = LogisticRegression(C=1.0, max_iter=1000, tol=1e-8).fit(centred / scale, codes)
    assert np.allclose(layer.probabilities(rows), literal.predict_proba(centred / scale), atol=0.01)
    (two,) = fit_logistic(rows, codes % 2, 2, [1.0])
    literal.fit(centred / scale, codes % 2)
    assert np.allclose(two.probabilities(rows), literal.predict_proba(centred / scale), atol=0.01)


def test_a_class_that_is_not_there_has_no_probability(rng: np.random.Generator) -> None:
    rows, codes = blobs(rng)
    (layer,) = fit_logistic(rows[codes != 1], codes[codes != 1], 3, [10.0])
    assert not layer.probabilities(rows)[:, 1].any()


def test_temperature_puts_confidence_right(rng: np.random.Generator) -> None:
    logits = rng.normal(0, 2, (4000, 3))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(3, p=row) for row in shares])
    assert fit_temperature(logits, labels) == pytest.approx(1, abs=0.1)
    assert fit_temperature(5 * logits, labels) == pytest.approx(5, rel=0.1)
    assert 0.4 < fit_temperature(np.array([[3.0, 0.0]]), np.array([0])) < 1, "one row says little"


def test_what_is_held_out_together() -> None:
    codes = np.arange(12) % 2
    who = together(12, ["a"] * 4 + ["b"] * 4 + ["c"] * 4)
    folds = folds_of(codes, who, 5, 0)
    assert sorted(len(fold) for fold in folds) == [4, 4, 4]
    assert all(len({int(who.groups[place]) for place in fold}) == 1 for fold in folds)
    assert folds_of(codes, together(12, ["a"] * 12), 5, 0) == []
    with pytest.raises(ValueError, match="3 groups for 12 rows"):
        together(12, "abc")
    alone = together(12)
    assert "perhaps of the same people" in alone.note
    assert sorted(np.concatenate(folds_of(codes, alone, 3, 0)).tolist()) == list(range(12))


def test_windows_of_a_recording_are_held_out_together(model: Model, moves: list[ks.Recording]) -> None:
    rows = model.embedded(moves, windows="2s").rows
    assert together(len(rows), rows=rows).what == "people"
    nameless = [ks.Recording(one.joints, KINECT, fps=10, name=one.name) for one in moves]
    who = together(len(rows), rows=model.embedded(nameless, windows="2s").rows)
    assert (who.what, who.count) == ("recordings", len(moves))
    assert "the person of 72 of 72 rows is not known" in who.note


def test_the_threshold_is_exceeded_as_often_as_said(rng: np.random.Generator) -> None:
    away = rng.exponential(size=(2000, 39))
    exceeded = [new > threshold_of(row, 0.05)[0] for row, new in zip(away, rng.exponential(size=2000), strict=True)]
    assert np.mean(exceeded) == pytest.approx(0.05, abs=0.015)
    threshold, note = threshold_of(np.arange(9.0), 0.05)
    assert threshold == 8
    assert "9 held-out rows are too few" in note
    assert "about 10 % of further ones" in note


def test_known_is_what_is_like_a_label(rng: np.random.Generator) -> None:
    rows, codes = blobs(rng, each=40)
    classifier = Classifier(folds=3, strengths=[10.0]).fit(rows, codes)
    assert classifier.known(rows).mean() > 0.9
    stranger = np.eye(8)[[6, 7]]
    assert not classifier.known(stranger).any()
    assert classifier.report.false_alarms == pytest.approx(5, abs=4)


def test_intervals() -> None:
    hits = np.repeat([1.0, 0.0, 1.0, 1.0], 25)
    alone, people = bootstrap_interval(hits), bootstrap_interval(hits, groups=np.repeat(np.arange(4), 25))
    assert people[1] - people[0] > 2 * (alone[1] - alone[0]), "four people tell less than a hundred"
    for right, count in ((0, 5), (5, 5), (30, 40)):
        low, high = wilson_interval(right, count)
        share, z = right / count, 1.959963984540054
        for end in (low / 100, high / 100):  # the ends solve |share - p| = z * sqrt(p (1 - p) / n)
            assert abs(share - end) == pytest.approx(z * (end * (1 - end) / count) ** 0.5, abs=1e-9)
    with pytest.raises(ValueError, match="nothing"):
        wilson_interval(0, 0)


# --- what is wrong, or has its limits ---------------------------------------------------------------------------------


def test_limits_are_stated(rng: np.random.Generator, model: Model, moves: list[ks.Recording]) -> None:
    rows, codes = blobs(rng)
    with pytest.raises(ValueError, match=r"12 labels have one class \('0'\): two or more"):
        Classifier().fit(rows[:12], codes[:12])
    once = Classifier().fit(rows[::12], codes[::12])
    assert once.predict(rows[::12]).tolist() == [0, 1, 2]
    assert once.threshold_ is None
    assert once.report.accuracy is None
    assert "one row of each class: nothing can be held out" in str(once.report)
    single = Classifier().fit(rows[:25], codes[:25])
    assert any("one example only of 2" in note for note in single.notes_)
    alone = [one for one in moves if one.subject == 1]
    person = Classifier(model).fit(alone)
    assert any("perhaps of the same people: one person only" in note for note in person.notes_)
    one = Classifier().fit(rows, codes, groups=["me"] * len(rows))
    assert any("one of the groups only" in note for note in one.notes_)
    with pytest.raises(ValueError, match="all 4 embeddings are the same"):
        Classifier().fit(np.ones((4, 3)), [0, 1, 0, 1])
    with pytest.raises(ValueError, match="recordings need an encoder"):
        Classifier().fit(moves)
    with pytest.raises(ValueError, match="no recording has a label"):
        Classifier(model).fit([ks.Recording(one.joints, KINECT) for one in moves])
    with pytest.raises(ValueError, match="folds"):
        Classifier(folds=1).fit(rows, codes)


def test_an_archive_of_another_encoder_is_refused(model: Model, moves: list[ks.Recording]) -> None:
    plain = Model(model.name, model.encoders, model.cards, whitened=False, device="cpu")
    other = plain.embedded(moves)
    with pytest.raises(ValueError, match="another encoder"):
        Classifier(model).fit(other)
    classifier = Classifier().fit(model.embedded(moves))
    with pytest.raises(ValueError, match="another encoder"):
        classifier.predict(other)


# --- labels -----------------------------------------------------------------------------------------------------------


def table(path: Path, *rows: tuple[object, ...]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_labels_belong_to_rows_by_name_file_and_stretch(
    model: Model, tmp_path: Path, moves: list[ks.Recording]
) -> None:
    windows = model.embedded(moves[:3], windows="1s")
    path = table(
        tmp_path / "labels.csv",
        ("name", "label", "start", "end"),
        ("move-00", "up", "", ""),
        ("move-01", "slow", 0, 1.4),
        ("move-01", "quick", 1.4, 4),
        ("move-77", "up", "", ""),
        ("move-02", "", "", ""),
    )
    found = match_labels(windows, read_labels(path), path)
    named = dict(zip(found.places.tolist(), found.labels, strict=True))
    for place in range(len(windows)):
        name, start, end = windows.rows.name[place], windows.rows.start[place], windows.rows.end[place]
        wanted = {"move-00": "up", "move-02": None}.get(name, "slow" if (start + end) / 2 < 1.4 else "quick")
        assert named.get(place) == wanted
    assert found.notes == ["1 label belongs to nothing in the archive: 'move-77' (line 5)"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("name", "gesture"), ("a", "b")], "names the columns name, gesture: 'label' is needed"),
        ([("name", "label"), ("move-00", "")], "has no label"),
        ([("name", "label"), ("move-00",)], "line 2: 1 cells, where the first line names 2 columns"),
        ([("name", "label"), ("", "up")], "no name and no file"),
        ([("name", "label", "start", "end"), ("move-00", "up", 3, 2)], "ends before it begins"),
        ([("name", "label", "start"), ("move-00", "up", "x")], "start 'x' is no number"),
        ([("name", "label"), ("nobody", "up")], "none of the 1 labels"),
        ([("name", "label"), ("move-00", "up"), ("move-00", "down")], "'up' in line 2 and 'down' in line 3"),
    ],
)
def test_tables_that_are_no_labels(
    archive: Embeddings, tmp_path: Path, rows: list[tuple[object, ...]], message: str
) -> None:
    path = table(tmp_path / "labels.csv", *rows)
    with pytest.raises(ValueError, match=message):
        match_labels(archive, read_labels(path), path)


# --- what to label ----------------------------------------------------------------------------------------------------


def test_the_first_ones_stand_best_for_all(rng: np.random.Generator) -> None:
    rows = rng.normal(size=(14, 4))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = rows @ rows.T
    found = list(representative(rows))
    assert sorted(found) == list(range(14))
    chosen: list[int] = []
    for place in found:  # a literal greedy
        gains = [cosines[:, [*chosen, other]].max(axis=1).sum() for other in range(14)]
        assert gains[place] == pytest.approx(max(gains))
        chosen.append(place)
    best = max(cosines[:, list(pair)].max(axis=1).sum() for pair in combinations(range(14), 2))
    assert cosines[:, found[:2]].max(axis=1).sum() > (1 - 1 / np.e) * best


def test_suggestions_never_overlap_and_leave_out_what_is_labelled(model: Model, moves: list[ks.Recording]) -> None:
    windows = model.embedded(moves[:6], windows="1s", hop="0.25s")
    found = ks.suggest(windows, 8)
    taken: dict[str, list[tuple[float, float]]] = {}
    for name, start, end in zip(found.rows.name, found.rows.start, found.rows.end, strict=True):
        assert all(end <= other or start >= last for other, last in taken.get(name, []))
        taken.setdefault(name, []).append((start, end))
    assert len(found) == 8
    marked = windows.rows.name == "move-00"
    more = ks.suggest(windows, 50, labels=marked)
    assert "move-00" not in more.rows.name
    assert any("not 50" in note for note in more.notes)
    classifier = Classifier(model).fit(moves)
    unsure = ks.suggest(model.embedded(moves), 6, model=classifier)
    assert unsure.why == ("covers",) * 3 + ("unsure",) * 3
    told = np.sort(classifier.predict_proba(moves), axis=1)
    margins = told[:, -1] - told[:, -2]
    rest = [place for place in np.argsort(margins, kind="stable").tolist() if place not in unsure.indices[:3]]
    assert list(unsure.indices[3:]) == rest[:3]
    assert ks.suggest(model.embedded(moves), 6, model=classifier, unsure=1 / 3).why == ("covers",) * 4 + ("unsure",) * 2
    young = Classifier(model).fit(moves[:5])
    early = ks.suggest(model.embedded(moves), 6, model=young)
    assert early.why == ("covers",) * 6
    assert any("fewer than 3 labels a class" in note for note in early.notes)
    assert ks.suggest(model.embedded(moves), 2, model=young, unsure=1.0).why == ("unsure",) * 2
    with pytest.raises(ValueError, match=r"unsure \(0\.5\) must be a share from 0 to 1, and needs a classifier"):
        ks.suggest(windows, 2, unsure=0.5)
    with pytest.raises(ValueError, match="1 or more"):
        ks.suggest(windows, 0)
    with pytest.raises(ValueError, match="nothing is left"):
        ks.suggest(windows, 1, labels=np.ones(len(windows), dtype=bool))
