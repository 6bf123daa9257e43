"""The house has floors: a module imports only what lies below it."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "kinestream"

FLOORS = (
    {"owner", "words"},
    {"documents", "estimate", "failures", "files", "progress", "shipped", "tables"},
    {"lock", "plugins"},
    {"config", "console"},
    {"skeleton"},
    {"layouts"},
    {"data"},
    {"distributed"},
    {"augment"},
    {"models"},
    {"methods"},
    {"recipes"},
    {"features"},
    {"train"},
    {"evaluate"},
    {"use"},
    {"viz"},
    {"reproduction", "sweep"},
    {"arguments"},
    {"commands"},
    {"cli"},
)
MODULES = sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*.py") if path.name != "__main__.py")


def imported(path: Path) -> set[str]:
    """Names of the parts of kinestream that a file imports, at its top or inside."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((SOURCE / path).read_text("utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("kinestream.")}
    return found


def floor_of(part: str) -> int:
    found = [number for number, floor in enumerate(FLOORS) if part in floor]
    assert found, f"'{part}' has no floor yet: add it to FLOORS"
    return found[0]


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_go_down(path: Path) -> None:
    part = path.parts[0].removesuffix(".py")
    if part == "__init__":  # the public names, loaded when they are used
        return
    for other in imported(path):
        assert other == part or floor_of(other) < floor_of(part), (
            f"{path} imports {other}, which lies above or beside it"
        )


def test_only_the_data_floor_reads_raw_files_and_it_knows_no_torch() -> None:
    for path in MODULES:
        if path.parts[0] in ("data", "files.py", "config.py", "console.py", "plugins.py", "progress.py"):
            tree = ast.parse((SOURCE / path).read_text("utf-8"))
            modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
            modules |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
            assert not any(module.split(".")[0] in ("torch", "lightning_fabric") for module in modules), path
