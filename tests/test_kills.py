"""Commands that write, killed at moments drawn by lot: a few of them here, many by `python -m benchmarks kills`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.skipif(not hasattr(sys, "addaudithook") or sys.platform != "linux", reason="forks and looks at processes")
def test_what_is_killed_is_whole_or_absent_and_the_next_call_goes_through() -> None:
    names = ("generate", "pretrain", "evaluate")
    words = ["-m", "benchmarks", "kills", "--count", "3", "--seed", "1"]
    done = subprocess.run(
        [sys.executable, *words, *(word for name in names for word in ("--only", name))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert found["kills"] == 3
    assert found["by_command"] == dict.fromkeys(names, 1)
    assert all(count > 3 for count in found["operations_on_files"].values())
