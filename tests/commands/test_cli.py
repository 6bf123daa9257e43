"""The commands as a user meets them."""

import dataclasses
import json
import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import yaml
from docstring_parser import parse_from_object
from tests.stores import write_small_store

from kinestream.arguments import typed_words
from kinestream.cli import COMMANDS, command_module, main
from kinestream.commands import pretrain
from kinestream.data.check import copies
from kinestream.data.store import Store
from kinestream.recipes import Recipe, recipe_names


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kinestream", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_the_overview_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    words = capsys.readouterr().out
    assert all(name in words for name in COMMANDS)
    assert main([]) == 2


def test_a_group_has_an_overview_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--help"]) == 0
    words = capsys.readouterr().out
    assert "evaluate linear" in words
    assert "pretrain  " not in words


@pytest.mark.parametrize("words", [["prepaer"], ["evaluate", "linaer"], ["--verbose"]])
def test_an_unknown_command_is_named(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    said = capsys.readouterr().err
    assert f"unknown command '{words[-1]}'" in said
    assert words == ["--verbose"] or "did you mean" in said


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("kinestream 0.")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_every_field_and_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*name.split(), "--help"]) == 0
    words = capsys.readouterr().out
    assert f"  kinestream {name} " in words or f"  kinestream {name}\n" in words, "an example"
    config = command_module(name).Config
    plain = re.sub(r"[\s│]", "", words)
    kinds = config.__mro__[-2::-1]
    texts = {text.arg_name: text.description for kind in kinds for text in parse_from_object(kind).params}
    for field in dataclasses.fields(config):
        called = field.metadata.get("called") or field.name.replace("_", "-")
        assert any(f"--{form}" in plain for form in (called, f"no-{called}")) or field.name.upper() in plain
        assert re.sub(r"\s", "", texts[field.name] or "not explained") in plain


def test_help_of_every_command_answers_without_torch() -> None:
    """What makes --help quick: the heavy packages are not imported."""
    code = """
import sys
from kinestream.cli import COMMANDS, main
for name in COMMANDS:
    assert main([*name.split(), "--help"]) == 0
heavy = {"torch", "lightning_fabric", "matplotlib", "sklearn", "jsonargparse"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["prepare", "ntu61", "raw", "out"], "unknown data set 'ntu61': did you mean ntu60"),
        (["prepare", "ntu60", "missing", "out"], "missing is no folder"),
        (["check", "missing"], "no store at missing"),
        (["show", "missing", "clip"], "no store at missing"),
        (["recipes", "--name", "x"], "unknown recipe 'x'"),
        (["pretrain", "x", "--data", "d", "--out", "o"], "unknown recipe 'x'"),
        (["pretrain", "nw-ucla", "--data", "missing", "--out", "o"], "no store at missing"),
        (["evaluate", "knn", "missing", "--data", "d"], "missing is no run folder"),
        (["evaluate", "linear", "missing", "--data", "d"], "missing is no run folder"),
    ],
)
def test_a_users_mistake_is_one_line_and_status_1(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1, said
    assert message in said[0]
    assert not list(tmp_path.iterdir()), "nothing is left behind"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["prepare", "ntu60"], "1 words: give RECORDINGS STORE, or DATASET RAW STORE"),
        (["pretrain", "nw-ucla", "--data", "d"], "missing: --out PATH"),
        (["show", "s", "c", "--frames", "x"], "error parsing --frames: invalid literal for int"),
        (["generate", "y", "o"], "invalid choice 'y' for argument 'dataset'. Expected one of ('ntu60', "),
        (["compare", "a", "b", "--darc"], "unrecognized options: --darc; perhaps you meant: --dark"),
        (["compare", "a", "b", "--no-dark"], "unrecognized options: --no-dark"),
        (["compare", "a", "--out"], "missing value for argument '--out'"),
        (["completion", "csh"], "no script for 'csh': bash, zsh or fish"),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"kinestream {words[0]}: {message}")


def test_words_become_a_config_and_are_kept_as_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(pretrain, "run", lambda config: seen.append((config, typed_words())))
    words = ["pretrain", "r", "--out", "o", "--set", "epochs=1", "--set=x=-2", "--resume", "--data", "d"]
    words += ["--device", "cpu", "--also", "a", "--devices", "3"]
    assert main(words) == 0
    assert seen == [
        (
            pretrain.Config(
                recipe="r",
                data=Path("d"),
                out=Path("o"),
                set=("epochs=1", "x=-2"),
                also=(Path("a"),),
                resume=True,
                device="cpu",
                devices=3,
            ),
            tuple(words),
        )
    ]


def test_a_plug_in_is_loaded_before_the_command(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("print('here I am')")
    told = run("--plugin", str(tmp_path / "mine.py"), "--version").stdout
    assert told == f"here I am\nkinestream {version('kinestream')}\n"
    done = run("--plugin", str(tmp_path / "missing.py"), "recipes")
    assert done.returncode == 1
    assert "cannot be loaded" in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_and_options(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(word in script for word in ("pretrain", "probe-grid", "allow-leak", "tsne"))


def test_a_traceback_only_for_those_who_ask(tmp_path: Path) -> None:
    assert "Traceback" not in run("check", str(tmp_path / "x")).stderr
    assert "Traceback" in run("check", str(tmp_path / "x"), KINESTREAM_TRACEBACK="1").stderr


def test_recipes_lists_every_name_and_prints_one_as_yaml(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes"]) == 0
    words = capsys.readouterr().out
    assert all(name in words for name in recipe_names())
    assert "78.57 [" in words
    assert "three streams together" in words
    marked = {line.split(": ")[1] for line in words.splitlines() if line.startswith("recommended for ")}
    assert marked == {"laptop", "caca-3s-ntu60-xsub"}, "one for small data, one for NTU"
    assert main(["recipes", "--name", "nw-ucla"]) == 0
    plain = yaml.safe_load(capsys.readouterr().out)
    assert Recipe.from_dict(plain, "printed").dataset == "nw-ucla"


def test_check_shows_counts_and_fails_for_a_damaged_store(
    small_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(small_store)]) == 0
    words = capsys.readouterr().out
    assert "is whole: 40 recordings" in words
    assert "1,020" in words, "the published count stands beside"
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for file in small_store.iterdir():
        (damaged / file.name).write_bytes(file.read_bytes())
    content = bytearray((damaged / "joints.npy").read_bytes())
    content[-1] ^= 1
    (damaged / "joints.npy").write_bytes(content)
    assert main(["check", str(damaged)]) == 1
    said = capsys.readouterr()
    assert "is not as it was written (checksum)" in said.err
    assert "is whole" not in said.out


def test_show_draws_strip_and_animation(small_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = Store(small_store).table.name[0]
    for out in (tmp_path / "a.png", tmp_path / "a.gif"):
        assert main(["show", str(small_store), name, "--out", str(out)]) == 0
        assert out.stat().st_size > 1000
    assert main(["show", str(small_store), "nobody", "--out", str(tmp_path / "b.png")]) == 1
    assert "has no recording 'nobody': names there are like a01_s01_e00_v01" in capsys.readouterr().err


@pytest.fixture(scope="module")
def finished(small_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    recipe = {
        "title": "small",
        "dataset": "nw-ucla",
        "preparation": "tracked",
        "split": "xview",
        "streams": ["joint", "bone"],
        "epochs": 4,
        "batch_size": 8,
        "frames": 10,
        "encoder": {"name": "bigru", "hidden": 4},
        "method": {"name": "skeleton-byol", "hidden": 16, "embedding": 8, "target": "whitened"},
        "optimiser": {"name": "adamw", "rate": 0.003},
    }
    (folder / "small.yaml").write_text(yaml.safe_dump(recipe))
    out = folder / "run"
    assert main(["pretrain", str(folder / "small.yaml"), "--data", str(small_store), "--out", str(out)]) == 0
    return out


@pytest.mark.parametrize(
    ("protocol", "more"), [("knn", ["--k", "5"]), ("linear", ["--epochs", "5", "--learning-rate", "0.5"])]
)
def test_evaluations_stand_beside_untrained_and_raw(
    protocol: str, more: list[str], finished: Path, small_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", protocol, str(finished), "--data", str(small_store), *more]) == 0
    words = capsys.readouterr().out
    for features in ("small, joint", "small, bone", "untrained encoder, joint", "raw coordinates"):
        assert features in words
    changed = "-".join(f"{key[2:].replace('-', '_')}={value}" for key, value in zip(more[::2], more[1::2], strict=True))
    written = json.loads((finished / f"evaluation-{protocol}-xview-{changed}.json").read_text())
    assert (written["train_clips"], written["test_clips"]) == (27, 13)
    hows = ["joint", "bone", "streams together", *(["scores fused"] if protocol == "linear" else [])]
    names = [f"{source}, {how}" for source in ("small", "untrained encoder") for how in hows]
    assert list(written["results"]) == [*names, "raw coordinates", "raw coordinates, bone"]
    own = written["results"]["small, joint"]
    shares = {name: share for name, share in own["per_class"].items() if share is not None}
    assert len(shares) == 2, "two classes have test clips"
    assert np.mean(list(shares.values())) == pytest.approx(own["mean_class"], abs=0.01)
    if protocol == "linear":
        assert own["best_top1_chosen_on_test"] >= own["top1"]


def test_bare_evaluations_leave_the_references_out(finished: Path, small_store: Path) -> None:
    words = ["evaluate", "linear", str(finished), "--data", str(small_store), "--bare", "--epochs", "2"]
    assert main([*words, "--weights", "bone=0.4,joint=0.6"]) == 0
    (file,) = finished.glob("evaluation-linear-xview-epochs=2-weights=*.json")
    written = json.loads(file.read_text())
    assert {result["features"] for result in written["results"].values()} == {"run"}
    assert written["settings"]["weights"] == {"bone": 0.4, "joint": 0.6}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("joint=0.6", "weights for joint, but the run's streams are joint, bone"),
        ("joint=0.6,bone", "write them as joint=0.6,motion=0.4,bone=0.6"),
        ("joint=0.6,bone=x", "write them as"),
        ("joint=0.6,joint=1", "write them as"),
        ("joint=0.6,bone=nan", "write them as"),
    ],
)
def test_wrong_weights_are_refused(
    weights: str, message: str, finished: Path, small_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "linear", str(finished), "--data", str(small_store), "--weights", weights]) == 1
    assert message in capsys.readouterr().err


def test_copies_of_training_clips_among_the_test_clips_are_said_and_counted_apart(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_small_store(tmp_path / "store", copied=5)
    store = Store(path)
    train, test = store.select("xview", "train"), store.select("xview", "test")
    marked = copies(store, test, train)
    np.testing.assert_array_equal(marked, [True] * 5 + [False] * 8)
    assert not copies(store, train, train).any(), "a recording is no copy of itself"

    assert main(["evaluate", "knn", str(finished), "--data", str(path), "--k", "1"]) == 0
    said = capsys.readouterr()
    assert "5 of the 13 test clips of split 'xview' are copies of a training clip" in " ".join(said.err.split())
    assert "without copies" in " ".join(said.out.split())
    written = json.loads((next(finished.glob("evaluation-knn-xview-k=1-data=*.json"))).read_text())
    assert written["test_clips_that_are_copies"] == 5
    raw = np.stack([store.preparation.clip(store.joints(i), 10, store.layout).ravel() for i in range(len(store))])
    unit = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    nearest = train[(unit[test] @ unit[train].T).argmax(axis=1)]
    right = store.table.label[nearest] == store.table.label[test]
    found = written["results"]["raw coordinates"]
    assert found["top1"] == pytest.approx(100 * right.mean())
    assert found["top1_without_copies"] == pytest.approx(100 * right[~marked].mean())


def test_an_evaluation_refuses_what_does_not_fit(
    finished: Path, small_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "knn", str(finished), "--data", str(small_store), "--split", "xsub"]) == 1
    assert "has no split 'xsub'" in capsys.readouterr().err
    assert main(["evaluate", "knn", str(finished), "--data", str(small_store), "--k", "28"]) == 1
    assert "k (28) must be in 1..27" in capsys.readouterr().err
    other = tmp_path / "published"
    other.mkdir()
    for file in small_store.glob("[jrs]*"):
        (other / file.name).write_bytes(file.read_bytes())
    info = json.loads((other / "store.json").read_text())
    (other / "store.json").write_text(json.dumps({**info, "preparation": "published"}))
    assert main(["evaluate", "knn", str(finished), "--data", str(other)]) == 1
    assert "the encoder learnt from preparation 'tracked'" in capsys.readouterr().err


def test_reproduce_reports_every_seed_beside_the_published_figure(
    finished: Path, small_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = yaml.safe_load((finished.parent / "small.yaml").read_text())
    recipe["published"] = {"accuracy": 60.0, "what": "a figure made up for this test", "streams": ["joint", "bone"]}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(recipe))
    words = ["reproduce", str(tmp_path / "small.yaml"), "--data", str(small_store), "--out", str(tmp_path / "r")]
    words += ["--seeds", "2", "--bare", "--set", "epochs=1"]
    assert main(words) == 0
    text = (tmp_path / "r" / "reproduction.md").read_text()
    assert text.startswith("# small (with epochs=1)\n"), "what was set besides the recipe"
    assert "--set epochs=1" in text, "how to make it again"
    report = json.loads((tmp_path / "r" / "reproduction.json").read_text())
    assert report["seeds"] == [0, 1]
    for figure in report["figures"]:
        protocol = {"linear": "linear", "knn": "knn"}[figure["protocol"]]
        for seed, value in enumerate(figure["values"]):
            (file,) = (tmp_path / "r" / f"seed-{seed}").glob(f"evaluation-{protocol}-xview*.json")
            assert json.loads(file.read_text())["results"][figure["features"]]["top1"] == value
        assert figure["mean"] == pytest.approx(np.mean(figure["values"]))
        assert figure["deviation"] == pytest.approx(np.std(figure["values"], ddof=1))
    (main_figure,) = [f for f in report["figures"] if f["is_headline"] and f["protocol"] == "linear"]
    assert main_figure["features"] == "small, streams together"
    (line,) = [line for line in text.splitlines() if "60.00 |" in line]
    assert line.startswith("| linear | small, streams together |")
    assert line.endswith(f"| 60.00 | {main_figure['mean'] - 60:+.2f} |")

    checkpoint = tmp_path / "r" / "seed-0" / "last.ckpt"
    before = checkpoint.stat().st_mtime_ns
    recipe["published"]["fusion"] = {"joint": 0.7, "bone": 0.3}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(recipe))
    one_seed = ["1" if word == "2" else word for word in words]
    assert main(one_seed) == 0, "the same command again, another published figure beside it"
    assert checkpoint.stat().st_mtime_ns == before, "what is trained is not trained again"
    text = (tmp_path / "r" / "reproduction.md").read_text()
    (line,) = [line for line in text.splitlines() if "60.00 |" in line]
    assert line.startswith("| linear | small, scores fused |"), "a figure of fused scores is for fused scores"
    assert "Scores are fused as published: joint 0.7, bone 0.3." in text
    written = json.loads(next((tmp_path / "r" / "seed-0").glob("evaluation-linear-xview-weights=*.json")).read_text())
    assert written["settings"]["weights"] == {"joint": 0.7, "bone": 0.3}
    assert "--weights joint=0.7,bone=0.3" in (tmp_path / "r" / "seed-0" / "report.html").read_text()
    capsys.readouterr()
    assert main([*words, "--set", "epochs=2"]) == 1
    assert "was begun with other settings (epochs was 1, now 2)" in capsys.readouterr().err
    assert main([*words, "--seeds", "0"]) == 1
    assert "at least one run is needed" in capsys.readouterr().err


def test_the_first_look_that_the_overview_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """generate, prepare, pretrain, evaluate as printed, but smaller: as real processes, with a log instead of a
    terminal."""
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out.partition("A first look")[2].splitlines()
    lines = [shlex.split(line)[1:] for line in printed if line.startswith("  kinestream ")]
    assert [words[0] for words in lines] == ["generate", "prepare", "pretrain", "evaluate"]
    smaller = {
        "generate": ["--clips", "144"],
        "pretrain": ["--set", "epochs=1", "--set", "encoder.hidden=4", "--set", "encoder.dim=16"],
        "evaluate": ["--k", "3"],
    }
    for words in lines:
        within = [str(tmp_path / word) if "/" in word else word for word in words]
        done = run(*within, *smaller.get(words[0], []))
        assert done.returncode == 0, done.stderr
        assert "\x1b" not in done.stdout + done.stderr, "no escape codes in a log"
        assert str(tmp_path) in done.stdout, "it says where its output lies"
    checked = run("check", str(tmp_path / "store"))
    assert checked.returncode == 0, checked.stderr
    assert "is whole: 144 recordings" in checked.stdout
