"""The example plug-in installed by pip, and what it brings run by every command."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kinestream import plugins
from kinestream.cli import main
from kinestream.data.formats import FORMATS
from kinestream.evaluate import EVALUATIONS
from kinestream.methods import METHODS
from kinestream.models import ENCODERS
from kinestream.skeleton.layout import LAYOUTS

PACKAGE = Path(__file__).parent
THIN = (
    *("method.name=simsiam", "method.hidden=16", "method.embedding=8", "encoder.name=tiny-transformer"),
    *("encoder.dim=16", "encoder.heads=2", "streams=[joint,bone]", "frames=12", "batch_size=8", "epochs=2"),
    *("monitor.knn_every=0", "readout.whitening=0.0"),
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that pip has installed the package into."""
    folder = tmp_path_factory.mktemp("site")
    words = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", *words, str(PACKAGE)], check=True, capture_output=True)
    return folder


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an environment that has the package, for one test: the others know nothing of it."""
    monkeypatch.setattr(plugins, "_loaded", set())
    monkeypatch.setattr(plugins, "_declared", plugins._declared.__wrapped__)  # an earlier test may have looked
    for registry in (METHODS, ENCODERS, LAYOUTS, FORMATS, EVALUATIONS):
        registry.values()  # what is built in is registered on import, once for all tests
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    for module in [name for name in sys.modules if name.startswith("kinestream_example")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.syspath_prepend(str(site))


def test_the_command_line_finds_an_installed_plug_in(site: Path) -> None:
    path = os.pathsep.join([str(site), *filter(None, sys.path)])
    words = [sys.executable, "-m", "kinestream", "layouts"]
    done = subprocess.run(words, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True)
    assert "stick5" in done.stdout


def write_recordings(folder: Path) -> None:
    """24 recordings of two classes, which differ in the hand that waves."""
    rng = np.random.default_rng(0)
    stance = np.array([[0, 1, 0], [0, 1.4, 0], [0, 1.7, 0], [0.3, 1.2, 0], [-0.3, 1.2, 0]])
    folder.mkdir()
    for number in range(24):
        joints = stance + rng.normal(0, 0.01, (20, 5, 3))
        joints[:, 3 + number % 2, 1] += 0.3 * np.sin(np.linspace(0, 9, 20))
        lines = [" ".join(f"{value:.4f}" for value in frame.ravel()) for frame in joints]
        (folder / f"s{number // 4}_{('left', 'right')[number % 2]}_{number}.lines").write_text("\n".join(lines))


@pytest.mark.usefixtures("installed")
def test_every_command_takes_what_the_plug_in_brings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_recordings(tmp_path / "raw")
    (tmp_path / "waves.yaml").write_text(
        "format: lines\nnames: s{subject}_{label}_{repetition}\nclasses: [left, right]\n"
        "splits:\n  people: {field: subject, train: [0, 1, 2, 3]}\n"
    )

    def run(*words: str) -> str:
        assert main(words) == 0, f"{words}: {capsys.readouterr().err}"
        return capsys.readouterr().out

    assert "stick5" in run("layouts")
    run("prepare", "waves.yaml", "raw", "store", "--processes", "1")
    assert "stick5" in run("check", "store")
    run("show", "store", "s0_left_0")
    settings = [word for setting in THIN for word in ("--set", setting)]
    run("pretrain", "laptop", "--data", "store", "--out", "run", "--device", "cpu", *settings)
    run("pretrain", "laptop", "--data", "store", "--out", "run", "--device", "cpu", *settings, "--resume")
    assert "class-means" in run("evaluate", "class-means", "run", "--power", "3", "--device", "cpu")
    for words in (("knn", "run", "--k", "3"), ("linear", "run", "--epochs", "5"), ("cluster", "run")):
        run("evaluate", *words, "--device", "cpu")
    run("evaluate", "finetune", "run", "--epochs", "1", "--device", "cpu")
    run("features", "run", "--device", "cpu")
    for figure in ("embedding", "confusion", "curves"):
        run("plot", figure, "run", "--out", f"{figure}.png")
    run("report", "run", "--device", "cpu")
    assert (tmp_path / "run" / "report.html").is_file()
    assert list((tmp_path / "run").glob("evaluation-class-means-people*.json"))
