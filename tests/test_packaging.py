"""The wheel and the source archive are built without a network, checked as an index would, and used as installed."""

import email
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from pathlib import Path

import pytest
import yaml
from tests.test_readme import recordings_of_two_movements

from kinestream.methods import METHODS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))


def run(*words: str, **more: str) -> str:
    done = subprocess.run(words, cwd=ROOT, env={**os.environ, **more}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "--directory", str(folder))
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        return email.message_from_bytes(archive.read(f"kinestream-{PROJECT['version']}.dist-info/METADATA"))


def test_an_index_would_take_both(built: Path) -> None:
    told = run(sys.executable, "-m", "twine", "--no-color", "check", "--strict", *map(str, sorted(built.iterdir())))
    assert told.count("PASSED") == 2


def test_the_wheel_holds_the_whole_package_and_nothing_else(wheel: Path) -> None:
    source = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src" / "kinestream").rglob("*")}
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert inside == {name for name in source if (ROOT / "src" / name).is_file() and "__pycache__" not in name}


def test_the_source_archive_holds_what_builds_and_tests_it(built: Path) -> None:
    (file,) = built.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {"pyproject.toml", "README.md", "LICENSE", "CITATION.cff", "Makefile", "requirements.lock", "mkdocs.yml"}
    assert needed <= names
    assert {"tests/test_packaging.py", "docs/index.md", "benchmarks/__main__.py"} <= names


def test_code_and_weights_have_a_licence(wheel: Path, metadata: Message) -> None:
    assert metadata["License-Expression"] == "MIT"
    named = metadata.get_all("License-File")
    assert named == ["LICENSE", "src/kinestream/shipped/LICENSE"]
    with zipfile.ZipFile(wheel) as archive:
        texts = [archive.read(f"kinestream-{PROJECT['version']}.dist-info/licenses/{name}").decode() for name in named]
        assert archive.read("kinestream/shipped/LICENSE").decode() == texts[1]
    assert texts[1].endswith(texts[0])
    assert texts[1].startswith("The encoders in this folder")


def test_the_version_stands_in_one_place_and_others_agree(metadata: Message) -> None:
    assert metadata["Version"] == PROJECT["version"] == str(CITATION["version"])
    newest = re.search(r"^## \[(.*?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), flags=re.MULTILINE)
    assert newest is not None
    assert newest[1] == PROJECT["version"]


def test_every_method_has_its_paper_in_the_citation() -> None:
    notes = " ".join(entry["notes"] for entry in CITATION["references"]).lower().replace("-", "")
    said = {"caca": "3scaca", "crosclr": "crossclr", "dense": "dense decorrelation"}
    methods = [name for name in METHODS.names() if METHODS.get(name).__module__.startswith("kinestream.")]
    assert len(methods) >= 9
    assert [name for name in methods if said.get(name, name).replace("-", "") not in notes] == []
    assert all(entry["title"] and entry["authors"] and entry["year"] for entry in CITATION["references"])


def test_the_installed_wheel_runs_the_first_example(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recordings_of_two_movements(Path("recordings"))
    installed = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index", "--no-deps"]
    run(*pip, "--no-compile", "--target", str(installed), str(wheel))
    example = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), flags=re.DOTALL)
    assert example is not None
    program = f"import os; os.chdir({str(tmp_path)!r})\n{example[1]}print(ks.__file__, z.shape)\n"
    told = run(sys.executable, "-c", program, PYTHONPATH=str(installed)).splitlines()
    assert told[-1] == f"{installed / 'kinestream' / '__init__.py'} (12, 1792)"
    assert "0.000  move-0" in told[0]
    said = run(sys.executable, str(installed / "bin" / "kinestream"), "--version", PYTHONPATH=str(installed))
    assert said == f"kinestream {PROJECT['version']}\n"
