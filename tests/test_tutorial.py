"""The tutorial is walked, in its order, from a folder that holds only the two data sets: a few real recordings of both
where they are at hand, else made-up ones in the same form."""

import csv
import re
import shlex
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from kinestream.cli import main
from kinestream.data.synthetic import generate_nw_ucla
from kinestream.features.whitening_file import load_whitening, save_whitening
from kinestream.models.encoder_file import load_encoder, read_card, save_encoder
from kinestream.shipped import shipped_folder
from kinestream.skeleton.layout import load_layout
from kinestream.skeleton.pose import standing
from kinestream.train.run_folder import Run

PAGE = Path(__file__).parents[1] / "docs" / "tutorial" / "from-files-to-labels.md"
QUICKER_STREAMS = ("displacement",)
QUICKER = ["--epochs=1", "--set=monitor.knn_every=0", f"--set=streams=[{QUICKER_STREAMS[0]}]"]
EXERCISES, REPETITIONS, PEOPLE = (1, 4, 7, 9), (1, 3, 5, 6), (1, 2, 3, 10)


def write_quicker_encoder(folder: Path) -> None:
    """One of the seven streams of the encoder of the package, as a run of its name in the folder that one works in,
    which goes before it: all seven take minutes to export."""
    whole = shipped_folder("anybody")
    assert whole is not None
    run = Run(whole)
    cards = {stream: read_card(run.encoder(stream)) for stream in run.streams()}
    encoders = {stream: load_encoder(run.encoder(stream))[0] for stream in cards}
    readout = next(iter(cards.values())).readout
    whitening = load_whitening(whole, encoders, readout)
    assert whitening is not None
    folder.mkdir()
    shutil.copy(whole / "config.yaml", folder)
    for stream in QUICKER_STREAMS:
        save_encoder(Run(folder).encoder(stream), encoders[stream], cards[stream])
    few = {stream: encoders[stream] for stream in QUICKER_STREAMS}
    save_whitening(folder, {stream: whitening[stream] for stream in few}, few, readout)


def write_nw_ucla(folder: Path, data: Path | None) -> None:
    if data is None:
        generate_nw_ucla(folder, 240, 0, frames=(20, 30))
        return
    folder.mkdir()
    for file in sorted((data / "nw-ucla" / "all_sqe").glob("a0[2568]_s??_e0[0-3]_v0[12].json")):
        (folder / file.name).symlink_to(file)


def write_ui_prmd(file: Path, data: Path | None) -> None:
    """Some of it, in the form of the whole."""
    recordings = _made_up() if data is None else _some_of(data / "ui-prmd" / "ui_prmd_kinect.npz")
    np.savez(
        file,
        joints_mm=np.concatenate(list(recordings.values())),
        offset=np.cumsum([0, *map(len, recordings.values())]),
        name=np.array(list(recordings)),
        subject=np.array([int(name[5:7]) for name in recordings]),
    )


def _wanted() -> list[str]:
    return [f"m{m:02}_s{s:02}_e{e:02}_correct" for m in EXERCISES for s in PEOPLE for e in REPETITIONS]


def _some_of(file: Path) -> dict[str, np.ndarray]:
    with np.load(file) as values:
        joints, offset, names = values["joints_mm"], values["offset"], values["name"].tolist()
    places = {name: slice(*offset[number : number + 2]) for number, name in enumerate(names)}
    return {name: joints[places[name]] for name in _wanted()}


def _made_up() -> dict[str, np.ndarray]:
    """Each exercise moves another joint, or another way."""
    layout, rng, made = load_layout("uiprmd22"), np.random.default_rng(0), {}
    for name in _wanted():
        exercise = int(name[1:3])
        joints = np.tile(standing(layout), (50, 1, 1)) * rng.uniform(0.95, 1.05)
        wrist = layout.joints.index(("left_wrist", "right_wrist")[exercise % 2])
        joints[:, wrist, exercise % 3] += 0.2 * np.sin(np.linspace(0, np.pi, 50))
        made[name] = np.round(1000 * joints + rng.normal(0, 3, joints.shape)).astype(np.int16)
    return made


def table(path: str) -> list[dict[str, str]]:
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_stranger_walks_it(
    data_if_any: Path | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for needed in ("pyarrow", "matplotlib", "onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(needed)
    monkeypatch.chdir(tmp_path)
    write_quicker_encoder(Path("anybody"))
    write_nw_ucla(Path("all_sqe"), data_if_any)
    write_ui_prmd(Path("ui_prmd_kinect.npz"), data_if_any)
    text = PAGE.read_text("utf-8")
    known: dict[str, object] = {}
    used = []
    for words, program in re.findall(r"^    kinestream ([^\n]*)$|```python\n(.*?)```", text, re.MULTILINE | re.DOTALL):
        if program:
            exec(compile(program, PAGE.name, "exec"), known)
            continue
        used.append(words.split()[0])
        more = QUICKER if words.startswith("pretrain") else []
        assert main([*shlex.split(words), *more]) == 0, capsys.readouterr().err
    eight = {"embed", "search", "explore", "suggest", "fit", "predict", "segment", "export"}
    assert eight <= set(used)
    assert {f"ks.{name}" for name in ("embed", "explore", "suggest", "Classifier")} <= set(re.findall(r"ks\.\w+", text))

    predicted = table("predictions.csv")
    assert len(predicted) == len(EXERCISES) * len(REPETITIONS)
    by_exercise = [Counter(row["label"] for row in predicted[n : n + 4]).most_common(1)[0][0] for n in range(0, 16, 4)]
    wanted = ["deep squat", "side lunge", "shoulder abduction", "shoulder rotation"]
    assert sum(map(str.__eq__, by_exercise, wanted)) >= 3, "a new person's exercises are told, most of them"
    assert {row["label"] for row in table("segments.csv")} <= {*wanted, "background"}
    assert len({row["group"] for row in table("groups.csv")}) > 2
    for file in ("explore.html", "actions.html", "suggest.png", "groups.png", "exercises.onnx"):
        assert Path(file).stat().st_size > 10_000, file
