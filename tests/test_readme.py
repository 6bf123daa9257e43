"""What the README tells a user to type is run, in its order, in a folder that holds only what it names."""

import dataclasses
import functools
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kinestream as ks
from kinestream.cli import COMMANDS, command_module, main
from kinestream.data.datasets import dataset_names, load_dataset
from kinestream.data.synthetic import generate_ntu
from kinestream.skeleton.layout import load_layout
from kinestream.skeleton.pose import standing

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands(page: Path) -> list[list[str]]:
    """The `kinestream ...` lines of indented blocks, without their comments."""
    lines = page.read_text("utf-8").replace("\\\n", " ").splitlines()
    found = [line.strip() for line in lines if re.match(r" {4,}kinestream ", line)]
    return [shlex.split(line, comments=True)[1:] for line in found]


def test_the_readme_begins_with_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert (
        text.index("make demo") < text.index("make test") < text.index("## Results") < text.index("kinestream prepare")
    )


def test_every_command_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generate_ntu(tmp_path / "nturgb+d_skeletons", 48, 0, frames=(12, 20), classes=8)
    monkeypatch.chdir(tmp_path)
    recordings_of_two_movements(Path("recordings"))
    words = commands(ROOT / "README.md")
    assert len(words) >= 8
    for one in words:
        assert main([*one, *(["--k", "3"] if one[:2] == ["evaluate", "knn"] else [])]) == 0, one
    assert Path("anybody/results.csv").is_file()
    assert Path("explore.html").is_file()
    assert ks.load("gestures.model").classes_.tolist() == ["still", "waves"]


def test_the_python_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    recordings_of_two_movements(Path("recordings"))
    block = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), flags=re.DOTALL)
    assert block is not None
    told: dict[str, Any] = {}
    exec(block[1], told)
    assert told["z"].shape == (12, 1792)
    np.testing.assert_allclose(np.linalg.norm(told["z"], axis=1), 1, rtol=1e-5)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "0.000  move-0" in lines[0]


def recordings_of_two_movements(folder: Path) -> None:
    """Twelve people of MediaPipe's joints, half of whom move an arm, and what each does."""
    folder.mkdir()
    layout = load_layout("mediapipe33")
    arm = [v for v, name in enumerate(layout.joints) if name.startswith("right_") and "wrist" in name]
    lines = ["name,label"]
    for number in range(12):
        rng = np.random.default_rng(number)
        joints = standing(layout) + rng.normal(0, 0.005, (30, 33, 3))
        if number % 2:
            joints[:, arm, 1] += 0.4 * np.abs(np.sin(np.linspace(0, 6, 30)))[:, None]
        np.save(folder / f"move-{number}.npy", joints)
        lines.append(f"move-{number},{'waves' if number % 2 else 'still'}")
    Path("labels.csv").write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_links_of_every_page_exist(page: Path) -> None:
    for words in commands(page):
        plugged = words[0] == "--plugin"
        words = words[2:] if plugged else words
        name = " ".join(words[:2]) if " ".join(words[:2]) in COMMANDS else words[0]
        assert name in (*COMMANDS, "evaluate", "completion"), f"{page.name}: kinestream {name}"
        given = {word.partition("=")[0] for word in words if word.startswith("--")}
        unknown = set() if plugged or name == "completion" else given - options(name)
        assert not unknown, f"{page.name}: kinestream {name} {unknown}"
    prose = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", prose):
        file = page.parent / target if target else page
        assert file.exists(), f"{page.name} points to {target}"
        assert not anchor or anchor in anchors(file), f"{page.name} points to {target}#{anchor}"


@functools.cache
def options(command: str) -> set[str]:
    """What a command takes, as it is typed."""
    known = {"--help"}
    for field in dataclasses.fields(command_module(command).Config):
        word = (field.metadata.get("called") or field.name).replace("_", "-")
        known |= {f"--{word}", *([f"--no-{word}"] if field.default is True else [])}
    return known


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in links."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_page_on_data_prepares_every_data_set_with_its_lists() -> None:
    page = ROOT / "docs" / "data.md"
    prepared = [words[1] for words in commands(page) if words[0] == "prepare"]
    assert set(prepared) == set(dataset_names())
    text = page.read_text("utf-8")
    for dataset in map(load_dataset, dataset_names()):
        assert dataset.home in text
        lists = [split.lists for split in dataset.splits.values() if split.lists]
        for names in [*lists, *([(dataset.missing_list,)] if dataset.missing_list else [])]:
            assert any(name in text for name in names), f"{dataset.name}: {names}"


def test_every_demo_line_of_the_makefile_is_a_command() -> None:
    lines = re.findall(r"^\t\$\(KINESTREAM\) (.*)$", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE)
    assert lines
    for line in lines:
        assert any(line.startswith(f"{name} ") for name in COMMANDS), line


@pytest.mark.parametrize(
    ("page", "file"),
    [("own-method.md", "simsiam.py"), ("own-encoder.md", "transformer.py"), ("own-evaluation.md", "class_means.py")],
    ids=lambda name: str(name),
)
def test_the_pages_on_plug_ins_show_the_files_that_the_tests_run(page: str, file: str) -> None:
    shown = (ROOT / "docs" / "how-to" / page).read_text("utf-8")
    assert (ROOT / "tests" / "plugin" / "kinestream_example" / file).read_text("utf-8").strip() in shown
