"""What the README tells a user to type is run, in its order, in a folder that holds only what it names."""

import gzip
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from kinestream.cli import COMMANDS, main
from kinestream.data.datasets import dataset_names, load_dataset
from kinestream.data.formats import ntu
from kinestream.data.synthetic import generate_ntu
from kinestream.skeleton.layout import load_layout
from kinestream.skeleton.pose import standing

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

# The published recipe takes days on a processor: here it runs on thinner networks, once over few clips.
SHRUNK = [
    f"--set={setting}"
    for setting in (
        *("epochs=1", "batch_size=8", "frames=12", "encoder.hidden=2", "encoder.dim=8"),
        *("method.hidden=8", "method.embedding=4"),
    )
]


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
    Path("recordings").mkdir()
    for number in range(3):
        joints = standing(load_layout("mediapipe33")) + np.random.default_rng(number).normal(0, 0.01, (20, 33, 3))
        np.save(f"recordings/move-{number}.npy", joints)
    words = commands(ROOT / "README.md")
    assert len(words) >= 8
    for one in words:
        if one[0] == "evaluate" and one[1] == "knn":
            one += ["--k", "3"]
        if one[0] == "evaluate" and one[1] in ("finetune", "semi", "supervised", "probe-grid"):
            one += ["--epochs", "1"]
        more = SHRUNK if one[0] in ("pretrain", "reproduce") else []
        if one[0] == "reproduce":
            more = [*more, "--set=method.cross_epoch=0", "--bare"]
        assert main([*one, *more]) == 0, one
    assert Path("runs/caca-joint/evaluation-linear-xsub.json").is_file()
    assert Path("runs/caca-joint/evaluation-knn-xsub.json").is_file()


def test_the_clip_that_the_readme_draws_is_among_those_it_generates() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    generate = re.search(r"`kinestream (generate ntu60 (\S+) --clips (\d+))`", text)
    assert generate is not None
    assert f"prepare ntu60 {generate[2]} " in text, "what is generated is what is prepared"
    assert _shown([" ".join(words) for words in commands(ROOT / "README.md")]) in _generated(int(generate[3]))


def test_the_clip_that_the_readme_draws_is_a_real_one_too(real_data: Path) -> None:
    shown = next(words[2] for words in commands(ROOT / "README.md") if words[0] == "show")
    with gzip.open(real_data / "ntu" / "ntu60_clip_names.txt.gz", "rt", encoding="utf-8") as names:
        assert shown in {line.strip().removesuffix(ntu.SUFFIX) for line in names}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_links_of_every_page_exist(page: Path) -> None:
    for words in commands(page):
        words = words[2:] if words[0] == "--plugin" else words
        name = " ".join(words[:2]) if " ".join(words[:2]) in COMMANDS else words[0]
        assert name in (*COMMANDS, "evaluate"), f"{page.name}: kinestream {name}"
    prose = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", prose):
        file = page.parent / target if target else page
        assert file.exists(), f"{page.name} points to {target}"
        assert not anchor or anchor in anchors(file), f"{page.name} points to {target}#{anchor}"


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in links."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_page_on_data_prepares_every_data_set_with_its_lists() -> None:
    page = ROOT / "docs" / "data.md"
    prepared = [words[1] for words in commands(page) if words[0] == "prepare"]
    assert set(prepared) == set(dataset_names())
    assert "ntu120" in (ROOT / "README.md").read_text("utf-8")
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
    [("own-method.md", "simsiam.py"), ("own-encoder.md", "transformer.py")],
    ids=lambda name: str(name),
)
def test_the_pages_on_plug_ins_show_the_files_that_the_tests_run(page: str, file: str) -> None:
    shown = (ROOT / "docs" / "how-to" / page).read_text("utf-8")
    assert (ROOT / "tests" / "plugin" / "kinestream_example" / file).read_text("utf-8").strip() in shown
