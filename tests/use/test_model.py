"""A model in use: whitened as its card says, in scikit-learn, over windows and other layouts."""

import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks
from tests.stores import write_small_run, write_small_store
from tests.use.conftest import movement

import kinestream as ks
from kinestream.evaluate.session import open_session
from kinestream.features.whitening_file import FILE
from kinestream.train.pretrain import pretrain
from kinestream.use.model import Model

WHITENED = 1e-3
"""Features of encoders that were not trained hardly differ: whitening makes much of the last digit."""


@pytest.mark.parametrize(
    "readout",
    [
        {},
        {"whitening": 1.0, "whitened_by": "clips"},
        {"turns": 2, "whitening": 0.5, "whitened_by": "neighbours"},
    ],
    ids=["as they are", "clips", "neighbours"],
)
def test_embeddings_are_the_features_that_evaluations_see(
    tmp_path: Path, small_store: Path, readout: dict[str, Any]
) -> None:
    run = write_small_run(tmp_path / "run", small_store, "joint", "bone", readout=readout)
    session = open_session(run, small_store, device="cpu")
    features = next(session.features())
    _, test = features.joined(session.streams)
    rows = ks.load(run, device="cpu").embed(ks.open_store(small_store))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(rows[session.test], (test / 2**0.5).numpy(), atol=1e-6)


def test_the_whitening_stays_with_the_run(tmp_path: Path, small_store: Path) -> None:
    store = shutil.copytree(small_store, tmp_path / "store")
    run = write_small_run(tmp_path / "run", store, readout={"whitening": 0.5})
    before = ks.load(run, device="cpu")
    rows = before.embed(ks.open_store(small_store))
    shutil.rmtree(store)
    again = ks.load(run, device="cpu")
    np.testing.assert_array_equal(again.embed(ks.open_store(small_store)), rows)
    assert again.fingerprint == before.fingerprint
    (run / FILE).unlink()
    with pytest.raises(
        ValueError, match=r"read whitened by its training clips, and their store .* is not there"
    ) as told:
        ks.load(run, device="cpu").embed(ks.open_store(small_store))
    assert "\n" not in str(told.value)
    plain = ks.load(run, whitened=False, device="cpu")
    assert plain.fingerprint != before.fingerprint
    assert np.abs(plain.embed(ks.open_store(small_store)) - rows).max() > 0.01
    write_small_store(store, seed=5)
    with pytest.raises(ValueError, match="has other recordings since"):
        ks.load(run, device="cpu").embed(ks.open_store(small_store))


def test_a_training_keeps_its_whitening(tmp_path: Path, small_store: Path, small_recipe: Any) -> None:
    import dataclasses

    recipe = dataclasses.replace(
        small_recipe, epochs=1, readout=dataclasses.replace(small_recipe.readout, whitening=0.5)
    )
    run = pretrain(small_store, recipe, out=tmp_path / "run", name="small", device="cpu")
    kept = (run.path / FILE).read_bytes()
    made = ks.load(run, device="cpu")
    assert set(made.whitening) == set(made.streams)
    assert (run.path / FILE).read_bytes() == kept, "it is taken, not made again"
    assert made.bodies == 1, "as the store that it learnt from"


def test_a_whitening_of_other_weights_or_of_another_shape_is_not_taken(tmp_path: Path, small_store: Path) -> None:
    run = write_small_run(tmp_path / "run", small_store, readout={"whitening": 0.5})
    ks.load(run, device="cpu").whitening  # noqa: B018
    kept = (run / FILE).read_bytes()
    encoder = run / "encoder-joint.safetensors"
    from safetensors.torch import load_file, save_file

    weights = load_file(encoder)
    save_file(
        {name: value * 1.5 if value.dtype.is_floating_point else value for name, value in weights.items()}, encoder
    )
    other = ks.load(run, device="cpu")
    assert torch.isfinite(other.whitening["joint"].directions).all()
    assert (run / FILE).read_bytes() != kept
    (run / FILE).write_bytes(kept[:100])
    with pytest.raises(ValueError, match=f"{FILE} is damaged"):
        ks.load(run, device="cpu").embed(ks.open_store(small_store))


def test_an_encoder_file_alone_is_whitened_by_what_lies_beside_it(tmp_path: Path, small_store: Path) -> None:
    run = write_small_run(tmp_path / "run", small_store, readout={"whitening": 0.5})
    rows = ks.load(run / "encoder-joint.safetensors", device="cpu").embed(ks.open_store(small_store))
    away = tmp_path / "away"
    away.mkdir()
    for name in ("encoder-joint.safetensors", "encoder-joint.json"):
        shutil.copy(run / name, away / name)
    with pytest.raises(ValueError, match="no whitening lies beside it"):
        ks.load(away / "encoder-joint.safetensors", device="cpu").embed(ks.open_store(small_store))
    shutil.copytree(run / "encoder-joint", away / "encoder-joint")
    again = ks.load(away / "encoder-joint.safetensors", device="cpu").embed(ks.open_store(small_store))
    np.testing.assert_array_equal(again, rows)


def test_one_recording_lists_and_arrays(model: Model, moves: list[ks.Recording]) -> None:
    rows = model.embed(moves)
    assert rows.shape == (12, model.dim)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(model.embed(moves[3]), rows[3:4], atol=WHITENED)
    np.testing.assert_allclose(model.embed([one.joints for one in moves], layout="kinect20"), rows, atol=WHITENED)
    np.testing.assert_allclose(model.embed(moves[3].joints[:, 0], layout="kinect20"), rows[3:4], atol=WHITENED)
    with pytest.raises(ValueError, match="has no layout"):
        model.embed(moves[3].joints)


def test_windows_are_the_embeddings_of_what_was_cut(model: Model, moves: list[ks.Recording]) -> None:
    found = model.embedded(moves, windows="2s", hop="1s")
    assert len(found) == len(model.embed(moves, windows="2s", hop="1s"))
    rows = found.rows
    assert set(rows.person.tolist()) == {1, 2}
    for place in (0, 5, len(found) - 1):
        one = next(move for move in moves if move.name == rows.name[place])
        person = int(rows.person[place])
        part = one.cut(slice(round(rows.start[place] * 10), round(rows.end[place] * 10)))
        alone = ks.Recording(part.joints[:, [person - 1]], one.layout, fps=10)
        np.testing.assert_allclose(model.embed(alone)[0], found.vectors[place], atol=WHITENED)
    assert rows.subject[0] == "0"


def test_windows_of_a_store_are_placed_anew(model: Model, small_store: Path) -> None:
    store = ks.open_store(small_store)
    found = model.embedded(store, windows="8f", hop="8f")
    recordings = list(store.recordings())
    part = recordings[0].cut(slice(8, 16))
    place = int(np.flatnonzero((found.rows.name == recordings[0].name) & (found.rows.start == 8))[0])
    again = model.embedded([part], people="each").vectors[0]
    if model.bodies == recordings[0].joints.shape[1]:
        np.testing.assert_allclose(found.vectors[place], again, atol=WHITENED)
    assert len(found) > len(store)


def test_another_layout_is_mapped_and_said_or_refused(model: Model) -> None:
    said: list[str] = []
    body = np.random.default_rng(0).normal(0, 0.4, (20, 25, 3))
    assert model.embed(body, layout="ntu25", notice=said.append).shape == (1, model.dim)
    assert said[0].startswith("joints of ntu25 are mapped to kinect20, the encoder's")
    assert "not used: " in said[0]
    own = ks.Layout.from_dict(
        {
            "name": "stick",
            "joints": ["a", "b", "c"],
            "parents": [0, 0, 1],
            "pairs": [],
            "heading": [0, 1],
            "pelvis": [0],
        }
    )
    with pytest.raises(ValueError, match=r"no joint map from layout stick to kinect20: .* cannot be made"):
        model.embed(body[:, :3], layout=own)


def test_a_store_of_another_preparation_is_refused(model: Model, tmp_path: Path) -> None:
    store = ks.prepare([movement(0), movement(1)], tmp_path / "s", layout="kinect20", preparation="published")
    for windows in (None, "10f"):
        with pytest.raises(ValueError, match=r"learnt from preparation 'tracked', .* prepared 'published'"):
            model.embed(store, windows=windows)


def test_in_scikit_learn(model: Model, moves: list[ks.Recording]) -> None:
    labels = [int(one.label or 0) for one in moves]
    copy = clone(model)
    assert copy is not model
    assert copy.get_params() == model.get_params() == {"arrays": None, "device": "cpu"}
    assert copy.fit(moves, labels) is copy
    np.testing.assert_array_equal(copy.fit_transform(moves), model.transform(moves))
    pipeline = make_pipeline(model, LogisticRegression())
    scores = cross_val_score(pipeline, moves, labels, cv=3)
    assert scores.shape == (3,)
    assert np.isfinite(scores).all()
    assert pipeline.fit(moves, labels).predict(moves).shape == (12,)
    assert pipeline.set_params(model__arrays="kinect20").predict([one.joints for one in moves]).shape == (12,)
    with pytest.raises(ValueError, match="Invalid parameter 'streams'"):
        copy.set_params(streams=3)
    again = pickle.loads(pickle.dumps(model))  # noqa: S301  as joblib sends it to other processes
    np.testing.assert_array_equal(again.transform(moves), model.transform(moves))


@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_estimator_repr,
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_set_params,
        estimator_checks.check_mixin_order,
        estimator_checks.check_valid_tag_types,
    ],
    ids=lambda check: check.__name__,
)
def test_what_scikit_learn_checks_of_estimators_whose_samples_are_no_rows(
    check: Callable[[str, Model], None], model: Model
) -> None:
    check("Model", clone(model))


def test_tables_and_notebooks(model: Model, moves: list[ks.Recording]) -> None:
    pytest.importorskip("pandas")
    table = clone(model).set_output(transform="pandas").transform(moves)
    assert table.shape == (12, model.dim)
    assert list(table.columns[:2]) == ["v0", "v1"]
    archive = model.embedded([replace(moves[0], name="<b>"), *moves[1:]])
    hits, parts = archive.search(0, k=2), model.segment(moves[0], groups=2)
    for page, words in (
        (archive._repr_html_(), ("12 rows of", "<td>&lt;b&gt;</td>", "<th>subject</th>")),
        (hits._repr_html_(), ("most like &lt;b&gt;", f"<td>{hits.names[0]}</td>")),
        (parts._repr_html_(), (f"{len(parts)} pieces", "<th>certainty</th>")),
        (ks.suggest(archive, 3)._repr_html_(), ("3 suggestions", "<td>covers</td>")),
    ):
        assert "<b>" not in page
        assert all(word in page for word in words), (words, page)


def test_search_among_recordings_and_in_an_archive_is_one(model: Model, moves: list[ks.Recording]) -> None:
    hits = model.search(moves[3], moves, k=3)
    assert hits.names[0] == "move-03"
    assert hits.distances[0] == pytest.approx(0, abs=1e-5)
    assert str(hits).splitlines()[0] == "  1  0.000  move-03" or str(hits).startswith("  1  -0.000")
    rows = model.embed(moves)
    order = np.argsort(-(rows @ rows[3]), kind="stable")[:3]
    assert hits.indices == tuple(order.tolist())
    archive = model.embedded(moves)
    assert archive.search("move-03", k=2).names == hits.names[1:]
    assert archive.search(3, k=2).names == hits.names[1:]
    with pytest.raises(ValueError, match=r"k \(13\) must be in 1..12"):
        model.search(moves[0], moves, k=13)


def test_real_recordings_are_embedded_as_their_store(model: Model, real_data: Path, tmp_path: Path, run: Path) -> None:
    raw = sorted((real_data / "nw-ucla" / "all_sqe").glob("a0[25]_s0[1-3]_e01_v0[12].json"))[:8]
    read = ks.read(raw)
    store = ks.prepare(read, tmp_path / "store", preparation="tracked")
    assert store.info.most_bodies == 1
    copied = shutil.copytree(run, tmp_path / "run")
    for card in copied.glob("encoder-*.json"):
        plain = json.loads(card.read_text())
        card.write_text(json.dumps({**plain, "bodies": 1}))
    one_body = ks.load(copied, device="cpu")
    np.testing.assert_allclose(one_body.embed(read), one_body.embed(store), atol=WHITENED)
    found = one_body.embedded(read, windows="16f")
    assert len(found) >= len(read)
    assert np.isfinite(found.vectors).all()
