import shutil
from pathlib import Path

import pytest
from tests.stores import write_small_run


@pytest.fixture(scope="module")
def small_run(small_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two streams."""
    return write_small_run(tmp_path_factory.mktemp("runs") / "run", small_store, "joint", "bone")


@pytest.fixture
def run(small_run: Path, tmp_path: Path) -> Path:
    """A copy, which a test may write into."""
    return Path(shutil.copytree(small_run, tmp_path / "run"))
