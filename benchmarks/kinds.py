"""Kinds of files that kinestream reads: one whole small file of each, and what reads it and looks at the result."""

import contextlib
import json
import pickle
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

import kinestream as ks
from benchmarks import raw_files
from kinestream.data.clips import Clips
from kinestream.data.datasets import load_dataset
from kinestream.data.formats import open_collection
from kinestream.data.formats.incoming import Asked
from kinestream.data.formats.safe_pickle import load_pickle
from kinestream.data.kept import NotKeptError, keep, kept
from kinestream.data.leaks import read_recordings, write_recordings
from kinestream.data.listing import listed
from kinestream.data.partners import parse_pairs
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.recording import RecordingError, Source
from kinestream.data.rejected import Rejected, read_rejected, write_rejected
from kinestream.data.store import Store, StoreWriter
from kinestream.evaluate.run_results import read_evaluations, read_predictions
from kinestream.features.whitening import Whitening
from kinestream.features.whitening_file import load_whitening, save_whitening
from kinestream.files import write_json
from kinestream.models.encoder_file import load_encoder, save_encoder
from kinestream.models.published_weights import read_state
from kinestream.recipes import Recipe, resolve
from kinestream.skeleton.layout import load_layout
from kinestream.train.checkpoint import Position, load_checkpoint
from kinestream.train.run_folder import Run, RunConfig
from kinestream.train.summary import summarise
from kinestream.use.archive_files import read_archive, write_archive
from kinestream.use.label_table import read_labels
from kinestream.use.made_by import MadeBy
from kinestream.use.rows import COLUMNS, Rows
from kinestream.use.vectors import Held
from kinestream.viz.run_figures import epochs_of

_FRAMES = 5
"""Of the clips that are kept."""
RECIPE: dict[str, Any] = {
    "title": "small",
    "dataset": "nw-ucla",
    "preparation": "tracked",
    "split": "xview",
    "epochs": 3,
    "batch_size": 8,
    "frames": 10,
    "encoder": {"name": "bigru", "hidden": 4, "layers": 1},
    "method": {"name": "caca", "hidden": 16, "embedding": 8},
    "optimiser": {"name": "adamw", "rate": 0.05},
}


@dataclass(frozen=True)
class Kind:
    """A kind of file: one that is whole, and what reads it."""

    file: str
    """Its name in the folder that `whole_files` fills."""
    read: Callable[[Path], object]
    """Takes that folder; raises a declared error, or AssertionError where it accepts what it must not."""
    form: str = "bytes"
    """How it can be taken apart: json, lines (a JSON object each), yaml, csv, or not."""


def whole_files(folder: Path) -> None:
    """One of each kind."""
    store = _write_store(folder / "store")
    recipe, run = Recipe.from_dict(RECIPE, "it"), Run(folder / "run")
    run.create(RunConfig(recipe_name="small", recipe=recipe, data="store", store_fingerprint=store.fingerprint))
    write_recordings(run.recordings, (store, store.select("xview", "train")))
    torch.manual_seed(0)
    encoder = recipe.networks(store.layout).encoder("joint")
    save_encoder(run.encoder("joint"), encoder, recipe.card("small", "joint", store.layout, 3))
    whitening = Whitening(torch.zeros(8, dtype=torch.float64), torch.eye(8, dtype=torch.float64))
    save_whitening(run.path, {"joint": whitening}, {"joint": encoder}, recipe.readout)
    _write_log(run)
    _write_results(run.path)
    _write_checkpoint(folder / "last.ckpt")
    torch.save({"state_dict": encoder.state_dict()}, folder / "released.pt")
    _write_archives(folder)
    (folder / "recipe.yaml").write_text(yaml.safe_dump(RECIPE, sort_keys=False))
    layouts = Path(ks.__file__).parent / "skeleton" / "layouts"
    shutil.copy(layouts / "kinect20.yaml", folder / "layout.yaml")
    shutil.copy(Path(ks.__file__).parent / "data" / "datasets" / "nw-ucla.yaml", folder / "dataset.yaml")
    (folder / "labels.csv").write_text("name,start,end,label\nwalk,0,1,wave\nrun,,,sit down\n")
    joints = store.joints(0)[:, 0]
    np.savez_compressed(folder / "moves.npz", joints=joints, name=np.array(["walk"]), label=np.array(["wave"]), fps=30)
    np.save(folder / "moves.npy", joints)
    ks.write([ks.Recording(joints[:4], "kinect20", fps=30, name="walk", label="wave")], folder / "moves.csv", "csv")
    one, other = (ks.Recording(joints, "kinect20", fps=30, name=name, label=name) for name in ("walk", "run"))
    ks.write([one, other], folder / "ctr-gcn.npz", "ctr-gcn")
    ks.write([one, other], folder / "pyskl.pkl", "pyskl")
    _write_classifier(folder)
    keep(folder / "kept.npy", (6, 5), _kept_rows())
    Clips(store, _FRAMES)
    shutil.copy(_clips_of(store), folder / "clips.npy")
    (folder / "pairs.csv").write_text("recording,partner\na01_s01_e00_v01,a01_s01_e01_v02\n")
    (folder / "recordings.csv").write_text(
        "file,label,subject,start,end\nwalk,wave,ann,0,1:02.5\nrun.bvh,sit,ben,2,60f\n"
    )
    (folder / "settings.txt").write_text("epochs=3\nframes=20\noptimiser.rate=0.05\nencoder.hidden=8\n")
    raw_files.write_all(folder / "raw")
    (folder / "arrays.pkl").write_bytes(
        pickle.dumps({"split": {"train": ["a"]}, "annotations": [{"keypoint": joints[:2]}]})
    )


def _write_classifier(folder: Path) -> None:
    model = ks.load(folder / "run", device="cpu")
    rows = np.random.default_rng(0).normal(size=(24, model.dim)) + np.repeat(np.eye(2, model.dim), 12, axis=0) * 4
    made = ks.Classifier(model, folds=2).fit(rows, ["wave"] * 12 + ["sit down"] * 12)
    assert made.report.folds
    made.save(folder / "a.model")


def _kept_rows() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)


def _clips_of(store: Store) -> Path:
    return store.path / f"clips-{_FRAMES}-{store.fingerprint[:12]}.npy"


def _write_store(path: Path) -> Store:
    path.mkdir()
    dataset, rng = load_dataset("nw-ucla"), np.random.default_rng(0)
    with StoreWriter(path, dataset.format.layout or load_layout("kinect20"), dataset.most_bodies) as writer:
        for number in range(12):
            joints = rng.normal(0, 0.12, (12, 1, 20, 3)).astype(np.float32)
            name = f"a01_s01_e{number:02}_v{number % 3 + 1:02}"
            source = Source(
                path=Path(name),
                name=name,
                action=number % 2 + 1,
                subject=1,
                camera=number % 3 + 1,
                setup=1,
                repetition=0,
            )
            writer.add(source, joints, fps=30)
        writer.finish(dataset, PREPARATIONS["tracked"], excluded=0, rejected=1)
    write_rejected(path, [Rejected(path=Path("a.json"), reason="cut", line=3)])
    return Store(path)


def _write_log(run: Run) -> None:
    lines = [
        {
            "kind": "epoch",
            "epoch": n,
            "rate": 0.1,
            "loss": 1.0 / n,
            "spread/joint": 0.5,
            "knn/joint": 50.0,
            "seconds": 1,
        }
        for n in (1, 2, 3)
    ]
    lines.append({"kind": "evaluation", "protocol": "knn", "top1": 50.0})
    run.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _write_results(run: Path) -> None:
    row = {"features": "run", "how": "alone", "streams": ["joint"], "top1": 50.0, "top1_low": 40.0, "top1_high": 60.0}
    result = {"protocol": "knn", "split": "xview", "train_clips": 8, "test_clips": 4, "command": ["evaluate", "knn"]}
    write_json(run / "evaluation-knn-xview.json", {**result, "results": {"small": {**row, "per_class": {"a": 50.0}}}})
    text = "file,label,predicted,confidence\na01,wave,wave,0.9\na02,sit,wave,\n"
    (run / "predictions-knn-xview.csv").write_text(text)


def small_network() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    return network, torch.optim.AdamW(network.parameters(), lr=0.1)


def _write_checkpoint(path: Path) -> None:
    network, optimizer = small_network()
    network(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    position = {"epoch": 1, "step": 2, "sums": {"loss": 1.0}, "log_bytes": 10, "seconds": 1.0}
    state = {"schema": 1, "method": network.state_dict(), "optimizer": optimizer.state_dict(), "position": position}
    torch.save(state, path)


def _write_archives(folder: Path) -> None:
    made_by = MadeBy(
        encoder="0" * 64,
        encoder_name="small",
        encoder_path="",
        dim=3,
        streams=("joint",),
        layout="kinect20",
        frames=10,
        preparation="tracked",
        readout="whole",
        windows=None,
        hop=None,
        people="together",
    )
    columns: dict[str, list[Any]] = {name: ["walk", "run"] for name in COLUMNS}
    columns |= {"person": [0, 1], "start": [0.0, 0.0], "end": [1.0, 2.0], "fps": [30.0, 30.0]}
    for suffix in ("npz", "csv", "parquet"):
        parts = [(Rows.of(columns), Held(np.eye(2, 3, dtype=np.float32)))]
        write_archive(folder / f"archive.{suffix}", made_by, parts)


# --- what reads them --------------------------------------------------------------------------------------------------


def _plain(*names: object) -> None:
    """Of what may become a path."""
    for name in names:
        parts = str(name).replace("\\", "/").split("/")
        assert ".." not in parts, f"the name {str(name)[:40]!r} leads out of a folder"
    _fit_to_show(*names)


def _fit_to_show(*names: object) -> None:
    """Of labels, too, which are only ever shown and written in tables."""
    for name in names:
        text = str(name)
        assert "\x1b" not in text, "a terminal would obey the name"
        assert not text.startswith("="), f"{text[:40]!r} is a formula"


def _read_store(folder: Path) -> None:
    store = Store(folder / "store")
    for one in store.recordings():
        assert np.isfinite(one.joints).all()
        _plain(one.name)
        _fit_to_show(one.label)
    _plain(*store.info.splits, *store.table.file)
    _fit_to_show(*store.info.classes)
    for split in store.info.splits:
        store.select(split, "train")
    repr(store)


def _read_run(folder: Path) -> None:
    run = Run(folder / "run")
    config = run.config()
    assert np.isfinite(config.recipe.optimiser.rate)
    _fit_to_show(config.recipe_name)
    repr(run)
    config.recipe.networks(load_layout("kinect20"))


def _read_log(folder: Path) -> None:
    run = Run(folder / "run")
    assert all(isinstance(line, dict) for line in epochs_of(run))
    assert run.epochs_done >= 0
    summarise(run)


def _read_encoder(folder: Path) -> None:
    encoder, card = load_encoder(folder / "run" / "encoder-joint.safetensors")
    assert all(bool(torch.isfinite(value).all()) for value in encoder.state_dict().values())
    assert sum(value.numel() for value in encoder.state_dict().values()) < 10_000
    _plain(card.stream, card.split)
    _fit_to_show(card.recipe)


def _read_whitening(folder: Path) -> None:
    encoder, card = load_encoder(folder / "run" / "encoder-joint.safetensors")
    found = load_whitening(folder / "run", {"joint": encoder}, card.readout)
    assert found is None or bool(torch.isfinite(found["joint"].directions).all())


def _read_checkpoint(folder: Path) -> None:
    network, optimizer = small_network()
    position = load_checkpoint(folder / "last.ckpt", network, optimizer)
    assert isinstance(position, Position)
    assert min(position.epoch, position.step, position.log_bytes) >= 0
    assert all(bool(torch.isfinite(value).all()) for value in network.state_dict().values())
    network(torch.ones(2, 3)).sum().backward()
    optimizer.step()


def _read_evaluations(folder: Path) -> None:
    for result in read_evaluations(folder / "run"):
        _plain(result.protocol, result.split)
        for row in result.rows:
            assert 0 <= row.top1 <= 100
            _fit_to_show(row.name)


def _read_predictions(folder: Path) -> None:
    for rows in read_predictions(folder / "run", "xview").values():
        _plain(*(row.file for row in rows))
        _fit_to_show(*(row.predicted for row in rows))


def _read_moves(name: str) -> Callable[[Path], object]:
    def read(folder: Path) -> None:
        for one in ks.read(folder / name, layout="kinect20", up="y", trust=True):
            assert not np.isinf(one.joints).any()
            assert one.fps is None or 0 < one.fps < 100_000
            _plain(one.name)
        _fit_to_show(one.label)

    return read


def _read_archive(name: str) -> Callable[[Path], object]:
    def read(folder: Path) -> None:
        _, rows, vectors = read_archive(folder / name)
        vectors.read(0, vectors.shape[0])
        _plain(*rows.name)
        _fit_to_show(*rows.label)

    return read


def _read_kept(folder: Path) -> None:
    try:
        found = kept(folder / "kept.npy", 6)
    except NotKeptError as error:
        raise ValueError(f"computed again: {error}") from None
    assert np.array_equal(found, _kept_rows()), "other rows than were kept"


def _read_clips(folder: Path) -> None:
    store = Store(folder / "store")
    shutil.copy(folder / "clips.npy", _clips_of(store))
    made = Clips(store, _FRAMES).batch(np.arange(len(store)))
    whole = [store.preparation.clip(store.joints(index), _FRAMES, store.layout) for index in range(len(store))]
    assert np.array_equal(made, np.stack(whole)), "other clips than were kept"


def _read_classifier(folder: Path) -> None:
    from kinestream.use.classifier_files import load_classifier

    made = load_classifier(folder / "a.model", device="cpu")
    assert np.isfinite(made.layer_.weights).all()
    _fit_to_show(*made.classes_, *made.notes_)
    probabilities = made.predict_proba(np.eye(2, made.n_features_in_, dtype=np.float32))
    assert np.isfinite(probabilities).all()
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-3)


def _read_pairs(folder: Path) -> None:
    store = Store(folder / "store")
    pairs = parse_pairs((folder / "pairs.csv").read_bytes(), "pairs.csv", [(store, np.arange(len(store)))], None)
    assert ((pairs >= 0) & (pairs < len(store))).all()


def _read_listing(folder: Path) -> None:
    files = {Path(f"/data/{name}"): Path(name) for name in ("walk.bvh", "run.bvh")}
    for entries in listed(folder / "recordings.csv", files).entries.values():
        for entry in entries:
            assert entry.start is None or 0 <= entry.start.value < 1e12


def _read_settings(folder: Path) -> None:
    """As of a command line: `--set` once for each line."""
    lines = (folder / "settings.txt").read_bytes().decode("utf-8", "replace").split("\n")
    made = resolve("laptop", [line for line in lines if line.strip()])
    _check_numbers(made.to_dict())


def _check_numbers(plain: Any) -> None:
    if isinstance(plain, dict | list):
        for part in plain.values() if isinstance(plain, dict) else plain:
            _check_numbers(part)
    elif isinstance(plain, int | float):
        assert abs(plain) < 1e16 or isinstance(plain, int), f"the number {plain}"


def _read_collection(name: str) -> Callable[[Path], object]:
    """Many recordings in a file."""

    def read(folder: Path) -> None:
        found = open_collection(folder / name, Asked(layout=load_layout("kinect20")))
        _plain(*(name for name, _ in found.names or ()), *found.splits)
        _fit_to_show(*found.class_names)
        for row in found.rows():
            _plain(row.name)
            with contextlib.suppress(RecordingError):
                assert np.isfinite(found.recording(row).joints).any()

    return read


def _in_raw(name: str) -> Callable[[Path], object]:
    read = raw_files.reading(name)
    return lambda folder: read(folder / "raw")


KINDS: Mapping[str, Kind] = {
    "store.json": Kind("store/store.json", _read_store, "json"),
    "recordings.csv": Kind("store/recordings.csv", _read_store, "csv"),
    "joints.npy": Kind("store/joints.npy", _read_store),
    "rejected.csv": Kind("store/rejected.csv", lambda folder: read_rejected(folder / "store"), "csv"),
    "config.yaml": Kind("run/config.yaml", _read_run, "yaml"),
    "metrics.jsonl": Kind("run/metrics.jsonl", _read_log, "lines"),
    "pretrained-on.csv": Kind(
        "run/pretrained-on.csv", lambda folder: read_recordings(folder / "run" / "pretrained-on.csv"), "csv"
    ),
    "card": Kind("run/encoder-joint.json", _read_encoder, "json"),
    "encoder": Kind("run/encoder-joint.safetensors", _read_encoder),
    "whitening": Kind("run/whitening.safetensors", _read_whitening),
    "checkpoint": Kind("last.ckpt", _read_checkpoint),
    "evaluation": Kind("run/evaluation-knn-xview.json", _read_evaluations, "json"),
    "predictions": Kind("run/predictions-knn-xview.csv", _read_predictions, "csv"),
    "released weights": Kind("released.pt", lambda folder: read_state(folder / "released.pt")),
    "archive.npz": Kind("archive.npz", _read_archive("archive.npz")),
    "archive.csv": Kind("archive.csv", _read_archive("archive.csv"), "csv"),
    "archive.parquet": Kind("archive.parquet", _read_archive("archive.parquet")),
    "recipe": Kind("recipe.yaml", lambda folder: resolve(str(folder / "recipe.yaml")), "yaml"),
    "layout": Kind("layout.yaml", lambda folder: load_layout(folder / "layout.yaml"), "yaml"),
    "data set": Kind("dataset.yaml", lambda folder: load_dataset(folder / "dataset.yaml"), "yaml"),
    "labels": Kind("labels.csv", lambda folder: read_labels(folder / "labels.csv"), "csv"),
    "moves.npz": Kind("moves.npz", _read_moves("moves.npz")),
    "moves.npy": Kind("moves.npy", _read_moves("moves.npy")),
    "moves.csv": Kind("moves.csv", _read_moves("moves.csv")),
    "pairs": Kind("pairs.csv", _read_pairs, "csv"),
    "recordings": Kind("recordings.csv", _read_listing, "csv"),
    "settings": Kind("settings.txt", _read_settings),
    "kept features": Kind("kept.npy", _read_kept),
    "kept clips": Kind("clips.npy", _read_clips),
    "classifier": Kind("a.model/classifier.json", _read_classifier, "json"),
    "weights of a classifier": Kind("a.model/classifier.safetensors", _read_classifier),
    "report of a classifier": Kind("a.model/report.json", _read_classifier, "json"),
    "encoder of a classifier": Kind("a.model/encoder-joint.json", _read_classifier, "json"),
    "ctr-gcn": Kind("ctr-gcn.npz", _read_collection("ctr-gcn.npz")),
    "pyskl": Kind("pyskl.pkl", _read_collection("pyskl.pkl")),
    **{name: Kind(f"raw/{raw.file}", _in_raw(name), raw.form) for name, raw in raw_files.FILES.items()},
    "pickle": Kind("arrays.pkl", lambda folder: load_pickle(folder / "arrays.pkl")),
}
"""By what they are called."""
