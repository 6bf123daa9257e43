"""Files of every kind, damaged at random or made to do harm: only declared errors, in one line, at no cost."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmarks import mutations
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.attacks import ATTACKS

EXAMPLES = int(os.environ.get("KINESTREAM_MUTATIONS", "12"))
"""Of each kind; more find more."""
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    mutations.whole_files(folder)
    return folder


@pytest.mark.parametrize("kind", mutations.KINDS)
def test_whole_files_are_accepted(kind: str, whole: Path) -> None:
    mutations.KINDS[kind].read(whole)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("kind", mutations.KINDS)
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1))
def test_damaged_ones_are_refused_or_harmless(kind: str, whole: Path, seed: int) -> None:
    end = mutations.attempt(mutations.KINDS[kind], whole, np.random.default_rng(seed))
    assert end in ("accepted", "refused"), end


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_are_refused_in_one_line(name: str, whole: Path) -> None:
    read, said = ATTACKS[name]
    with pytest.raises((ValueError, OSError)) as refusal:
        read(whole)
    assert said in str(refusal.value)
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 1000


def test_attacks_cost_neither_memory_nor_time() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.attacks"], capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "[]", "what was accepted, or ended otherwise"
