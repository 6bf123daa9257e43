"""A log holds what an evaluation adds, whatever happened to it before, and a training goes on beside it."""

import json
from pathlib import Path

from kinestream.train.run_folder import MetricsLog, append_line, read_metrics


def test_a_line_is_added_to_a_log_to_a_torn_one_and_to_none(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    append_line(path, {"kind": "evaluation", "top1": 1.0})
    assert read_metrics(path) == [{"kind": "evaluation", "top1": 1.0}]
    path.write_bytes(path.read_bytes() + b'{"kind": "st')
    append_line(path, {"kind": "evaluation", "top1": 2.0})
    assert [line["top1"] for line in read_metrics(path)] == [1.0, 2.0]


def test_a_training_that_goes_on_cuts_only_what_came_after_its_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path)
    log.append({"kind": "epoch", "epoch": 1})
    size = log.size
    append_line(path, {"kind": "evaluation", "top1": 3.0})
    log.append({"kind": "step", "step": 5})
    log.close()
    assert [line["kind"] for line in read_metrics(path)] == ["epoch", "evaluation", "step"]
    again = MetricsLog(path, keep=size)
    again.append({"kind": "step", "step": 4})
    again.close()
    assert [json.dumps(line) for line in read_metrics(path)] == [
        '{"kind": "epoch", "epoch": 1}',
        '{"kind": "step", "step": 4}',
    ]
