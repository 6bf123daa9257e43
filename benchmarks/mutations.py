"""Damaged and malicious files of every kind that is read: how many of them end in anything but a declared error.

`python -m benchmarks mutations --count N` makes N of them. A declared error is a ValueError or OSError of one printable
line; what is accepted must pass the checks of its kind (finite numbers, names that are no paths, ranges).
"""

import argparse
import csv
import hashlib
import io
import json
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

import kinestream as ks
from kinestream.data.datasets import load_dataset
from kinestream.data.formats.safe_pickle import load_pickle
from kinestream.data.leaks import read_recordings, write_recordings
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.recording import Source
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
_WORDS = (
    *(b"nan", b"inf", b"-", b"1e400", b"9" * 30, b"\x00", b"\xff\xfe", b"\n", b"{", b"}", b"", b" ", b"\t", b",", b"0"),
    *(b'"', b"[", b"]", b"=cmd|' /C calc'!A0", b"../../escaped", b"\x1b[31m", b"[/red]", b"&a [*a]", b"!!timestamp x"),
    *(b"!!int ''", b"[" * 400, b"-1", b"2147483648", b"null", b"true", b"'", b"x" * 200_000, b"\xe2\x80\xae"),
)
_VALUES: tuple[Any, ...] = (
    *(None, 0, -1, 1.5, 10**9, 10**30, float("nan"), float("inf"), "", "x", "../../escaped", "=1+1", "[/red]"),
    *("\x1b[31m", True, [], {}, [None], [[]], {"a": 1}, "9" * 50, [0] * 1000, "\u202e", "y" * 5000),
)


@dataclass(frozen=True)
class Kind:
    """A kind of file: one that is whole, and what reads it."""

    file: str
    """Its name in the folder that `whole_files` fills."""
    read: Callable[[Path], object]
    """Takes that folder; raises a declared error, or AssertionError where it accepts what it must not."""
    form: str = "bytes"
    """How it can be taken apart: json, lines (a JSON object each), yaml, csv, or not."""


def main(words: Sequence[str]) -> int:
    """Prints the counts as JSON; the exit status is 1 where something was beyond the declared errors."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks mutations", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="how many, over all kinds")
    parser.add_argument("--seed", type=int, default=0, help="of the damage")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--kind", choices=sorted(KINDS), action="append", help="a kind; may be given several times")
    asked = parser.parse_args(words)
    done = measure(asked.count, seed=asked.seed, seconds=asked.seconds, kinds=asked.kind)
    print(json.dumps(done, indent=1))
    return 1 if done["beyond_the_declared_errors"] else 0


def measure(
    count: int, *, seed: int = 0, seconds: float = float("inf"), kinds: Sequence[str] | None = None
) -> dict[str, Any]:
    """Counts over these kinds, or all."""
    warnings.simplefilter("ignore")
    ends, beyond, slowest = Counter[str](), Counter[str](), 0.0
    names = list(kinds or KINDS)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kinestream-mutations-") as place:
        folder = Path(place)
        whole_files(folder)
        for number in range(count):
            if time.monotonic() - begun > seconds:
                break
            name = names[number % len(names)]
            before = time.process_time()
            end = attempt(KINDS[name], folder, np.random.default_rng([seed, number]))
            slowest = max(slowest, time.process_time() - before)
            ends[end.partition(":")[0]] += 1
            if end.startswith("beyond"):
                beyond[f"{name}, {end}"] += 1
                print(f"mutation {number} (seed {seed}), {name}: {end}", file=sys.stderr, flush=True)
    return {
        "mutations": sum(ends.values()),
        "kinds": len(names),
        "accepted": ends["accepted"],
        "refused": ends["refused"],
        "beyond_the_declared_errors": ends["beyond"],
        "which": dict(beyond.most_common(20)),
        "slowest_cpu_seconds": round(slowest, 2),
    }


def attempt(kind: Kind, folder: Path, rng: np.random.Generator) -> str:
    """Damages one file, reads it, and puts it back: `accepted`, `refused`, or `beyond:` and what was wrong."""
    path = folder / kind.file
    whole, table = path.read_bytes(), folder / "store" / "store.json"
    signed = table.read_bytes()
    try:
        path.write_bytes(mutated(whole, kind.form, rng))
        if kind.file == "store/recordings.csv" and rng.random() < 0.8:
            _sign(table, path)
        kind.read(folder)
        return "accepted"
    except (ValueError, OSError) as error:
        said = str(error)
        fits = 0 < len(said) < 3000 and said.isprintable()
        return "refused" if fits else f"beyond: a message of {len(said)} characters, {ascii(said)[:200]}"
    except Exception as error:  # noqa: BLE001  that is what is looked for
        return f"beyond: {type(error).__name__} {ascii(str(error))[:200]}"
    finally:
        path.write_bytes(whole)
        table.write_bytes(signed)


def mutated(content: bytes, form: str, rng: np.random.Generator) -> bytes:
    """One damaged version: of the values in it, where they can be taken apart, or of its bytes."""
    if form != "bytes" and rng.random() < 0.6:
        return _FORMS[form](content, rng)
    return _bytes(content, rng)


def _bytes(content: bytes, rng: np.random.Generator) -> bytes:
    made = bytearray(content)
    way, at = int(rng.integers(6)), int(len(made) * rng.random() ** 2)  # headers stand early
    if way == 0:
        del made[at:]
    elif way == 1:
        for place in rng.integers(0, len(made), int(rng.integers(1, 4))).tolist():
            made[place] ^= 1 << int(rng.integers(8))
    elif way == 2:
        made[at : at + int(rng.integers(0, 12))] = _WORDS[int(rng.integers(len(_WORDS)))]
    elif way == 3:
        made[at : at + int(rng.integers(1, 8))] = rng.bytes(int(rng.integers(1, 8)))
    else:
        lines = bytes(made).split(b"\n")
        one, other = (int(place) for place in rng.integers(len(lines), size=2))
        if way == 4:
            lines[one], lines[other] = lines[other], lines[one]
        else:
            lines[one : one + 1] = lines[other : other + 1] * int(rng.integers(0, 3))
        made = bytearray(b"\n".join(lines))
    return bytes(made)


def _value(rng: np.random.Generator) -> Any:
    return _VALUES[int(rng.integers(len(_VALUES)))]


def _changed(plain: Any, rng: np.random.Generator) -> Any:
    """With another value, without one, or with one more, somewhere in it."""
    keys = list(plain) if isinstance(plain, dict) else list(range(len(plain))) if isinstance(plain, list) else []
    if not keys or rng.random() < 0.1:
        return _value(rng)
    key = keys[int(rng.integers(len(keys)))]
    made = plain.copy()
    if rng.random() < 0.15:
        del made[key]
    elif rng.random() < 0.1 and isinstance(made, dict):
        made[str(_value(rng))[:20]] = _value(rng)
    else:
        made[key] = _changed(made[key], rng)
    return made


def _json(content: bytes, rng: np.random.Generator) -> bytes:
    return json.dumps(_changed(json.loads(content), rng)).encode()


def _json_lines(content: bytes, rng: np.random.Generator) -> bytes:
    lines = content.splitlines()
    place = int(rng.integers(len(lines)))
    lines[place] = _json(lines[place], rng)
    return b"\n".join(lines) + b"\n"


def _yaml(content: bytes, rng: np.random.Generator) -> bytes:
    return yaml.safe_dump(_changed(yaml.safe_load(content), rng), allow_unicode=True).encode("utf-8", "replace")


def _csv(content: bytes, rng: np.random.Generator) -> bytes:
    rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
    row = rows[int(rng.integers(len(rows)))]
    if rng.random() < 0.1:
        rows.append(row)
    else:
        row[int(rng.integers(len(row)))] = str(_value(rng))
    made = io.StringIO(newline="")
    csv.writer(made, lineterminator="\n").writerows(rows)
    return made.getvalue().encode("utf-8", "replace")


_FORMS: Mapping[str, Callable[[bytes, np.random.Generator], bytes]] = {
    "json": _json,
    "lines": _json_lines,
    "yaml": _yaml,
    "csv": _csv,
}


def _sign(info: Path, table: Path) -> None:
    """Gives a store the checksum of its table, so that what lies behind the checksum is reached."""
    plain = json.loads(info.read_bytes())
    plain["table_sha256"] = hashlib.sha256(table.read_bytes()).hexdigest()
    info.write_text(json.dumps(plain))


# --- what is whole ----------------------------------------------------------------------------------------------------


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
    (folder / "arrays.pkl").write_bytes(_pickle({"split": {"train": ["a"]}, "annotations": [{"keypoint": joints[:2]}]}))


def _pickle(value: object) -> bytes:
    import pickle

    return pickle.dumps(value)


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


def _network() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    return network, torch.optim.AdamW(network.parameters(), lr=0.1)


def _write_checkpoint(path: Path) -> None:
    network, optimizer = _network()
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
    network, optimizer = _network()
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
    "pickle": Kind("arrays.pkl", lambda folder: load_pickle(folder / "arrays.pkl")),
}
"""By what they are called."""
