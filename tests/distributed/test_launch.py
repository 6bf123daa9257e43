"""Several processes of one command: who speaks, and how it ends. Commands that need no torch."""

from pathlib import Path

import pytest

from kinestream.distributed.launch import check_shares, is_worker, supervise


def test_only_the_first_process_speaks(capfd: pytest.CaptureFixture[str]) -> None:
    assert supervise(["--version"], 2) == 0
    assert capfd.readouterr().out.count("kinestream ") == 1


def test_what_all_refuse_is_said_once(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["pretrain", "no-recipe", "--data", str(tmp_path), "--out", str(tmp_path / "run"), "--devices", "2"]
    assert supervise(words, 2) == 1
    assert capfd.readouterr().err.count("no-recipe") == 1


def test_torchrun_and_slurm_start_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOCAL_WORLD_SIZE", "SLURM_NTASKS", "SLURM_JOB_NAME"):
        monkeypatch.delenv(name, raising=False)
    assert not is_worker()
    monkeypatch.setenv("SLURM_NTASKS", "16")
    assert is_worker()
    monkeypatch.setenv("SLURM_JOB_NAME", "interactive")
    assert not is_worker()
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert is_worker()


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    check_shares(12, 3)
    with pytest.raises(ValueError, match="5 processes cannot share a batch of 12 clips equally"):
        check_shares(12, 5)
