"""Shapes are checked at run time in the tests of parts; real recordings and golden values are looked for beside the
project."""

import os
from collections.abc import Iterator
from pathlib import Path

# Before torch is imported, here and in the processes that tests start: their networks are so small that threads would
# only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

# Before anything of kinestream is imported: from here on every annotated shape is checked when a function is called.
# Only in packages that have shapes: a check costs more than what many small functions of the others do.
_SHAPED = ("augment", "data", "distributed", "evaluate", "features", "methods", "models", "skeleton", "train", "use")
install_import_hook([f"kinestream.{package}" for package in _SHAPED], "beartype.beartype")

from tests.stores import SMALL, write_small_store  # noqa: E402

from kinestream.distributed.devices import set_tf32  # noqa: E402
from kinestream.recipes import Recipe  # noqa: E402

# No deadlines: machines are noisy, and a slow example is no failure. The same examples every time, so that a red run is
# about the change; KINESTREAM_SEARCH=1 draws new ones.
settings.register_profile(
    "kinestream",
    max_examples=30,
    deadline=None,
    derandomize="KINESTREAM_SEARCH" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("kinestream")

_SHARED = Path(__file__).parents[2] / "shared"


def _folder(variable: str, default: Path) -> Path:
    path = Path(os.environ.get(variable, default))
    if not path.is_dir():
        pytest.skip(f"needs {path} (or {variable}), which is not part of the repository")
    return path


_LONG = ("tests/test_tutorial.py", "tests/use/test_export.py", "tests/test_kills.py", "tests/train/", "tests/commands/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests begin first, or one process would end minutes after the others."""
    items.sort(key=lambda item: next((n for n, long in enumerate(_LONG) if item.nodeid.startswith(long)), len(_LONG)))


_WHOLE = ("tests/commands/", "tests/plugin/", "tests/viz/", "tests/test_")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests of whole commands, from files to files, run what users have; shapes are checked in those of the parts."""
    jaxtyping.config.update("jaxtyping_disable", item.nodeid.startswith(_WHOLE))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", choices=("cpu", "cuda"), default="cpu", help="where the tests of numerics compute")


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> torch.device:
    """Given by `--device`. A test that takes it computes there and compares with a reference of the processor: loops in
    Python or numpy, double precision, or the numbers of the published code. So `pytest --device cuda` says of a GPU:

    - methods: the steps of all (`train/test_no_waiting.py`, which torch watches there), the published numbers of one
      and of three streams (`golden/`), losses, whitened targets, agreement and mining (`methods/`);
    - encoders: features, gradients and statistics (`models/test_on_device.py`), and their kernels (`models/kernels/`);
    - streams (`skeleton/`), features, kNN and whitening (`features/`);
    - what is done with a model: `embed`, classifiers, segments (the fixture `model` of `use/`).

    All other tests compute on the processor whatever is given. Products are of full single precision, as in commands.
    Where there is no GPU, asking for one is an error: a run would say nothing.
    """
    name: str = request.config.getoption("--device")
    if name == "cuda" and not torch.cuda.is_available():
        pytest.fail("torch finds no CUDA device here: leave --device out")
    set_tf32(allowed=False)
    return torch.device(name)


@pytest.fixture(scope="session")
def data_if_any() -> Path | None:
    """Real recordings as in `real_data`, or None: for tests that have something to say without them, too."""
    path = Path(os.environ.get("KINESTREAM_DATA", _SHARED / "data"))
    return path if path.is_dir() else None


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Real recordings: `ntu`, `nw-ucla`, `pku-mmd`. The test is skipped where they are absent."""
    return _folder("KINESTREAM_DATA", _SHARED / "data")


@pytest.fixture(scope="session")
def golden() -> Path:
    """Numbers computed once with the published code. The test is skipped where they are absent."""
    return _folder("KINESTREAM_GOLDEN", _SHARED / "golden")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def unchecked() -> Iterator[None]:
    """As users have it: no check of types at run time that would refuse what the code itself lets pass."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def small_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See `write_small_store`."""
    return write_small_store(tmp_path_factory.mktemp("data") / "store")


@pytest.fixture
def small_recipe() -> Recipe:
    return Recipe.from_dict(SMALL, "test")
