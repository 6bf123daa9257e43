"""Training as a whole: it learns, it resumes exactly, it says what is wrong."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tests.runs import same_run, stopped_is_the_same, train, without_times
from tests.stores import SMALL, write_pairs, write_small_store

from kinestream.cli import main
from kinestream.data.leaks import read_recordings, same_content
from kinestream.data.partners import pairs_of_equal
from kinestream.data.store import Store
from kinestream.models.bigru import BiGRUSettings
from kinestream.models.encoder import EncoderSettings
from kinestream.models.encoder_file import load_encoder
from kinestream.models.kernels import rounding, temporal
from kinestream.models.stgcn import STGCNSettings
from kinestream.recipes import Recipe
from kinestream.train.pretrain import pretrain
from kinestream.train.run_folder import Run, read_metrics
from kinestream.train.summary import gains, summarise


def write_recipe(recipe: Recipe, path: Path) -> Path:
    path.write_text(yaml.safe_dump(recipe.to_dict()))
    return path


def command(recipe: Path, store: Path, out: Path, *more: str) -> list[str]:
    # A process of its own that is slowed down a little in each step, so that a signal finds it at work.
    return [sys.executable, "-c", SLOWED, "pretrain", str(recipe), "--data", str(store), "--out", str(out), *more]


SLOWED = """
import sys, time
from kinestream.cli import main
from kinestream.data.store import Store
from kinestream.methods.self_distillation import SelfDistillation
after_step = SelfDistillation.after_step
def slow(self, progress):
    time.sleep(0.02)
    after_step(self, progress)
SelfDistillation.after_step = slow
sys.exit(main())
"""


@pytest.fixture(scope="module")
def trained_once(small_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "whole"
    train(Recipe.from_dict(SMALL, "test"), small_store, out)
    return out


@pytest.fixture
def whole(trained_once: Path, tmp_path: Path) -> Path:
    """The uninterrupted run of `small_recipe`; a copy, which a test may spoil."""
    return Path(shutil.copytree(trained_once, tmp_path / "whole"))


def test_a_run_leaves_what_it_promises(whole: Path, small_recipe: Recipe) -> None:
    assert {path.name for path in whole.iterdir()} == {
        "config.yaml",
        "environment.txt",
        "pretrained-on.csv",
        "metrics.jsonl",
        "last.ckpt",
        "encoder-joint.safetensors",
        "encoder-joint.json",
    }
    assert Run(whole).config().recipe == small_recipe
    lines = read_metrics(whole / "metrics.jsonl")
    assert [line["kind"] for line in lines] == (["step"] * 3 + ["epoch"]) * 3
    assert [line["step"] for line in lines if line["kind"] == "step"] == list(range(1, 10))
    for epoch in range(3):
        steps = [line for line in lines if line["kind"] == "step" and line["epoch"] == epoch + 1]
        summary = next(line for line in lines if line["kind"] == "epoch" and line["epoch"] == epoch + 1)
        assert summary["loss"] == pytest.approx(sum(line["loss"] for line in steps) / 3)
        assert 0 < summary["spread/joint"] < 1.2
    _, card = load_encoder(whole / "encoder-joint.safetensors")
    assert (card.epochs_done, card.epochs, card.dataset, card.preparation) == (3, 3, "nw-ucla", "tracked")


def test_the_same_seed_gives_the_same_run_and_another_another(
    whole: Path, small_recipe: Recipe, small_store: Path, tmp_path: Path
) -> None:
    torch.manual_seed(99)  # what was drawn before must not matter
    train(small_recipe, small_store, tmp_path / "again")
    same_run(whole, tmp_path / "again")
    train(dataclasses.replace(small_recipe, seed=1), small_store, tmp_path / "other")
    assert read_metrics(tmp_path / "other" / "metrics.jsonl")[0] != read_metrics(whole / "metrics.jsonl")[0]


@pytest.mark.parametrize(("kill_at", "how"), [(2, signal.SIGKILL), (5, signal.SIGKILL), (4, signal.SIGTERM)])
def test_a_killed_run_resumes_bit_for_bit(
    whole: Path, small_recipe: Recipe, small_store: Path, tmp_path: Path, kill_at: int, how: signal.Signals
) -> None:
    """Real processes, killed at a step; the resumed run equals the one that was left alone."""
    recipe, out = write_recipe(small_recipe, tmp_path / "small.yaml"), tmp_path / "killed"
    process = subprocess.Popen(command(recipe, small_store, out), stderr=subprocess.PIPE)
    log = out / "metrics.jsonl"
    # The log is written at the end of an epoch here (3 steps): wait for the epoch before, then a little.
    wanted = 4 * ((kill_at - 1) // 3)
    while process.poll() is None and (not out.exists() or log.exists() < 1 or log.read_bytes().count(b"\n") < wanted):
        time.sleep(0.005)
    time.sleep(0.02 * (kill_at % 3))
    process.send_signal(how)
    _, errors = process.communicate()
    assert process.returncode != 0, errors
    assert not list(out.glob(".*.part*")) or how == signal.SIGKILL
    assert main([*command(recipe, small_store, out, "--resume")[3:]]) == 0
    same_run(whole, out)


def test_ctrl_c_saves_and_says_how_to_go_on(
    whole: Path, small_recipe: Recipe, small_store: Path, tmp_path: Path
) -> None:
    recipe, out = write_recipe(small_recipe, tmp_path / "small.yaml"), tmp_path / "stopped"
    process = subprocess.Popen(
        command(recipe, small_store, out), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while process.poll() is None and not (out / "last.ckpt").exists():
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate()
    assert process.returncode == 130
    assert "stopped and saved; go on with the same command and --resume" in words
    position = torch.load(out / "last.ckpt", weights_only=True)["position"]
    assert (position["epoch"], position["step"]) > (0, 0)
    train(small_recipe, small_store, out, resume=True)
    same_run(whole, out)


def test_a_run_within_an_epoch_resumes_bit_for_bit(
    whole: Path, small_recipe: Recipe, small_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after every single step: nine sessions make the run of one."""
    from kinestream.methods.self_distillation import SelfDistillation

    after_step = SelfDistillation.after_step

    def stop_here(self: SelfDistillation, progress: Any) -> None:
        after_step(self, progress)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(SelfDistillation, "after_step", stop_here)
    sessions = 0
    while True:
        try:
            train(small_recipe, small_store, tmp_path / "stepwise", resume=True)
        except KeyboardInterrupt:
            sessions += 1
            assert sessions < 20
        else:
            break
    assert sessions == 8
    same_run(whole, tmp_path / "stepwise")


@pytest.mark.parametrize(
    ("moving", "encoder"),
    [(False, STGCNSettings(hidden=4, dim=8, initialisation="torch")), (True, BiGRUSettings(hidden=4, dropout=0.3))],
    ids=["frozen target, as published", "moving target, recurrent encoders"],
)
def test_resuming_across_the_change_of_stages_is_exact(
    moving: bool,
    encoder: EncoderSettings,
    small_recipe: Recipe,
    small_store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """3s-CACA with stage 2 from the second epoch on, stopped once in each epoch."""
    from kinestream.methods.self_distillation import SelfDistillation

    recipe = dataclasses.replace(
        small_recipe,
        streams=("joint", "motion", "bone"),
        encoder=encoder,
        method=dataclasses.replace(small_recipe.method, cross_epoch=1, cross_moving_target=moving),
    )
    train(recipe, small_store, tmp_path / "whole")
    lines = [line for line in read_metrics(tmp_path / "whole" / "metrics.jsonl") if line["kind"] == "epoch"]
    assert ["agreement/bone" in line for line in lines] == [False, True, True]
    assert lines[1]["loss"] == pytest.approx(
        sum(value for name, value in lines[1].items() if name.startswith(("loss/", "agreement/")))
    )
    stopped_is_the_same(SelfDistillation, recipe, small_store, tmp_path / "whole", tmp_path / "stopped", monkeypatch)


def test_a_finished_run_is_left_alone(whole: Path, small_recipe: Recipe, small_store: Path) -> None:
    before = {path: path.read_bytes() for path in whole.iterdir()}
    train(small_recipe, small_store, whole, resume=True)
    assert {path: path.read_bytes() for path in whole.iterdir()} == before


def test_an_existing_run_is_refused_without_resume(whole: Path, small_recipe: Recipe, small_store: Path) -> None:
    with pytest.raises(ValueError, match="exists already: go on with --resume, or choose another --out"):
        train(small_recipe, small_store, whole)


def test_resuming_with_other_settings_is_refused(whole: Path, small_recipe: Recipe, small_store: Path) -> None:
    with pytest.raises(ValueError, match="epochs was 3, now 5"):
        train(dataclasses.replace(small_recipe, epochs=5), small_store, whole, resume=True)


def test_a_damaged_checkpoint_is_refused(small_recipe: Recipe, small_store: Path, whole: Path) -> None:
    (whole / "last.ckpt").write_bytes((whole / "last.ckpt").read_bytes()[:1000])
    with pytest.raises(ValueError, match="is no checkpoint of this run"):
        train(small_recipe, small_store, whole, resume=True)


def test_a_checkpoint_cannot_run_code(small_recipe: Recipe, small_store: Path, whole: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "evil",))

    torch.save({"schema": 1, "method": Evil()}, whole / "last.ckpt")
    with pytest.raises(ValueError, match="is no checkpoint of this run"):
        train(small_recipe, small_store, whole, resume=True)
    assert not (tmp_path / "evil").exists()


def test_a_store_that_the_recipe_is_not_for_is_refused(small_recipe: Recipe, small_store: Path, tmp_path: Path) -> None:
    for change, words in (
        ({"dataset": "ntu60"}, "written for ntu60, .* holds nw-ucla"),
        ({"preparation": "published"}, "written for preparation 'published'"),
        ({"split": "xsub"}, "has no split 'xsub': choose from xview"),
        ({"batch_size": 64}, "less than one batch of 64"),
    ):
        with pytest.raises(ValueError, match=words):
            train(dataclasses.replace(small_recipe, **change), small_store, tmp_path / "refused")  # type: ignore[arg-type]


def test_views_of_partners_are_learnt_from(small_recipe: Recipe, small_store: Path, tmp_path: Path) -> None:
    of_others = dataclasses.replace(small_recipe, partner=1.0)
    train(small_recipe, small_store, tmp_path / "one")
    train(of_others, small_store, tmp_path / "others")
    losses = [
        [line["loss"] for line in read_metrics(tmp_path / run / "metrics.jsonl") if line["kind"] == "step"]
        for run in ("one", "others")
    ]
    assert losses[0] != losses[1]
    assert Run(tmp_path / "others").config().recipe.partner == 1.0
    alone = dataclasses.replace(of_others, split="xview-tune")
    with pytest.raises(ValueError, match=r"no two recordings to learn from show one performance; .* --set partner=0"):
        train(alone, small_store, tmp_path / "refused")
    assert not (tmp_path / "refused").exists()


def test_pairs_of_a_file_are_learnt_from(small_recipe: Recipe, small_store: Path, tmp_path: Path) -> None:
    """The performances of the store, written to a file, teach what the store teaches; others teach something else."""
    store = Store(small_store)
    clips = store.select("xview", "train")
    names = [store.table.name[index] for index in clips]
    write_pairs(
        tmp_path / "same.csv", ((names[a], names[b]) for a, b in pairs_of_equal(store.performances[clips]).tolist())
    )
    write_pairs(tmp_path / "others.csv", [(names[0], names[7]), (names[0], names[9]), (names[3], names[2])])
    recipe = dataclasses.replace(small_recipe, partner=1.0, epochs=1)
    train(recipe, small_store, tmp_path / "store")
    train(recipe, small_store, tmp_path / "same", pairs=tmp_path / "same.csv")
    told = train(recipe, small_store, tmp_path / "others", pairs=tmp_path / "others.csv")
    assert told[0].endswith("others.csv: 3 pairs; 5 of 27 recordings have a partner")
    same_run(tmp_path / "store", tmp_path / "same")
    with pytest.raises(AssertionError):
        same_run(tmp_path / "store", tmp_path / "others")
    assert (tmp_path / "others" / "pairs.csv").read_bytes() == (tmp_path / "others.csv").read_bytes()
    assert not (tmp_path / "store" / "pairs.csv").exists()


def test_a_run_goes_on_with_the_pairs_it_was_begun_with(
    small_recipe: Recipe, small_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before its first step, stopped in an epoch, each time gone on with another copy of the same pairs."""
    from kinestream.methods.self_distillation import SelfDistillation

    store = Store(small_store)
    names = [store.table.name[index] for index in store.select("xview", "train")]
    file, moved = tmp_path / "pairs.csv", tmp_path / "moved.csv"
    for one in (file, moved):
        write_pairs(one, [(first, second) for first in names[:12] for second in names[12:]])
    recipe = dataclasses.replace(small_recipe, partner=0.8)
    train(recipe, small_store, tmp_path / "whole", pairs=file)

    after_step = SelfDistillation.after_step

    def die(*_: Any, **__: Any) -> None:
        raise RuntimeError("killed")

    def stop_in_the_middle(self: SelfDistillation, progress: Any) -> None:
        after_step(self, progress)
        if progress.step == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr("kinestream.train.pretrain.fit", die)
        with pytest.raises(RuntimeError, match="killed"):
            train(recipe, small_store, tmp_path / "run", pairs=file)
    assert not (tmp_path / "run" / "last.ckpt").exists()
    with monkeypatch.context() as patch:
        patch.setattr(SelfDistillation, "after_step", stop_in_the_middle)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, small_store, tmp_path / "run", pairs=moved, resume=True)
    train(recipe, small_store, tmp_path / "run", pairs=tmp_path / "run" / "pairs.csv", resume=True)
    same_run(tmp_path / "whole", tmp_path / "run")

    write_pairs(file, [(names[0], names[8])])
    for pairs in (file, None):
        with pytest.raises(ValueError, match=r"other pairs .*: resume as it was begun, --pairs .*run/pairs\.csv$"):
            train(recipe, small_store, tmp_path / "run", pairs=pairs, resume=True)
    file.unlink()
    with pytest.raises(ValueError, match=r"no file of pairs .*: the run keeps its own, --pairs .*run/pairs\.csv$"):
        train(recipe, small_store, tmp_path / "run", pairs=file, resume=True)
    train(recipe, small_store, tmp_path / "without")
    with pytest.raises(ValueError, match=r"other pairs of recordings: resume as it was begun, without --pairs"):
        train(recipe, small_store, tmp_path / "without", pairs=moved, resume=True)


def test_pairs_that_would_count_for_nothing_are_refused(
    small_recipe: Recipe, small_store: Path, tmp_path: Path
) -> None:
    recipe = dataclasses.replace(small_recipe, partner=0.5)
    file = tmp_path / "pairs.csv"
    with pytest.raises(ValueError, match=r"no file of pairs .*pairs\.csv"):
        train(recipe, small_store, tmp_path / "refused", pairs=file)
    write_pairs(file, [])
    with pytest.raises(ValueError, match=r"has no effect while the recipe's setting partner is 0: --set partner=0\.5"):
        train(small_recipe, small_store, tmp_path / "refused", pairs=file)
    with pytest.raises(ValueError, match=r"pairs no two of the 27"):
        train(recipe, small_store, tmp_path / "refused", pairs=file)
    assert not (tmp_path / "refused").exists()


@pytest.mark.parametrize("option", ["tf32", "compiled"])
def test_what_only_cuda_has_is_refused_elsewhere(
    small_recipe: Recipe, small_store: Path, tmp_path: Path, option: str
) -> None:
    with pytest.raises(ValueError, match="for CUDA, this would train on cpu: leave them out"):
        train(small_recipe, small_store, tmp_path / "refused", **{option: True})
    assert not (tmp_path / "refused").exists()


def test_rounded_spectra_are_trained_with_and_refused_of_encoders_without(
    small_recipe: Recipe, small_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounding, "rounding_is_fast", lambda: True)
    seen: list[bool] = []
    spectra_rounded = rounding.spectra_rounded
    monkeypatch.setattr(temporal, "spectra_rounded", lambda: seen.append(spectra_rounded()) or seen[-1])
    wide = dataclasses.replace(small_recipe, encoder=STGCNSettings(hidden=4, dim=64, initialisation="torch"), epochs=1)
    pretrain(small_store, wide, out=tmp_path / "run", precision="spectral-bf16", device="cpu")
    assert any(seen)
    assert Run(tmp_path / "run").config().precision == "spectral-bf16"
    with pytest.raises(ValueError, match="changes nothing of encoder 'bigru'"):
        pretrain(small_store, small_recipe, out=tmp_path / "other", precision="spectral-bf16", device="cpu")


def test_divergence_is_named(small_recipe: Recipe, small_store: Path, tmp_path: Path) -> None:
    wild = dataclasses.replace(small_recipe.optimiser, rate=1e30)
    with pytest.raises(ValueError, match=r"the loss is nan at step 2 .* lower optimiser.rate"):
        train(dataclasses.replace(small_recipe, optimiser=wild), small_store, tmp_path / "wild")


def test_collapse_is_said_loudly_with_what_to_change(small_recipe: Recipe, small_store: Path, tmp_path: Path) -> None:
    watched = dataclasses.replace(small_recipe.monitor, collapse_spread=1.5)
    (told,) = train(dataclasses.replace(small_recipe, monitor=watched), small_store, tmp_path / "flat")
    assert told.startswith("epoch 1: the features of stream joint have collapsed: spread 0.")
    assert "method.target=whitened, AdamW with a cosine schedule (optimiser.name=adamw" in told
    assert summarise(Run(tmp_path / "flat")).collapsed == {"joint": 1}


def test_the_monitor_changes_nothing_but_the_log(
    whole: Path, small_recipe: Recipe, small_store: Path, tmp_path: Path
) -> None:
    watching = dataclasses.replace(small_recipe.monitor, knn_every=2)
    train(dataclasses.replace(small_recipe, monitor=watching), small_store, tmp_path / "watched")
    lines = [json.loads(line) for line in (tmp_path / "watched" / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines if "knn/joint" in line] == [2, 3], "every second, and the last"
    stripped = [{key: value for key, value in line.items() if key != "knn/joint"} for line in lines]
    assert without_times(stripped) == without_times(read_metrics(whole / "metrics.jsonl"))


def test_stage_2_is_watched_and_the_neighbours_of_both_stages_shown(
    small_recipe: Recipe, small_store: Path, tmp_path: Path
) -> None:
    recipe = dataclasses.replace(
        small_recipe,
        streams=("joint", "motion", "bone"),
        method=dataclasses.replace(small_recipe.method, cross_epoch=1),
        monitor=dataclasses.replace(small_recipe.monitor, knn_every=10),
    )
    train(recipe, small_store, tmp_path / "three")
    lines = read_metrics(tmp_path / "three" / "metrics.jsonl")
    first, *later = [line for line in lines if line["kind"] == "epoch"]
    assert not any(name.startswith(("by_labels/", "positives/", "agreement/")) for name in first)
    labels = Store(small_store).table.label
    for line in later:
        assert 0 <= line["by_labels/right"] <= line["positives/beyond"]
        assert line["by_labels/chance"] == pytest.approx(0.5, abs=0.2), "two classes"
    voted = [line for line in later if line["positives/beyond"] > 0]
    assert voted
    for line in voted:
        assert line["by_labels/purity"] == pytest.approx(line["by_labels/right"] / line["positives/beyond"])
    assert set(labels) == {0, 1}
    assert [line["epoch"] for line in lines if "knn/together" in line] == [1, 3], "the ends of the stages"
    summary = summarise(Run(tmp_path / "three"))
    assert [row[0] for row in summary.neighbours] == ["1 (stage 1)", "3 (stage 2)"]
    assert summary.columns == ("after epoch", "joint", "motion", "bone", "together")
    one, three = (line for line in lines if "knn/together" in line)
    told = summary.gains
    assert len(told) == 3
    for stage, line, words in ((1, one, told[0]), (2, three, told[1])):
        best = max(line[f"knn/{stream}"] for stream in recipe.streams)
        assert words.startswith(f"1-NN after stage {stage} (epoch {line['epoch']}): best single stream ")
        assert f" {best:.2f} %, 3 streams together {line['knn/together']:.2f} % (" in words
    assert f"together: {three['knn/together'] - one['knn/together']:+.2f}; stage 2 is also 2 further epochs" in told[2]


def test_gains_are_told_only_of_several_streams_in_two_stages() -> None:
    line = {"knn/joint": 50.0, "knn/bone": 60.0, "knn/together": 70.0}
    ended = [{"epoch": 2, **line}, {"epoch": 3, "loss": 1.0}, {"epoch": 4, **line, "knn/together": 65.0}]
    streams = ("joint", "bone")
    assert list(gains(ended, streams, 2)) == [
        "1-NN after stage 1 (epoch 2): best single stream bone 60.00 %, 2 streams together 70.00 % (+10.00)",
        "1-NN after stage 2 (epoch 4): best single stream bone 60.00 %, 2 streams together 65.00 % (+5.00)",
        "1-NN, stage 2 against stage 1, together: -5.00; stage 2 is also 2 further epochs, so this is not what its "
        "objective brings alone",
    ]
    for epochs, of, change in (
        (ended, streams, None),
        (ended, ("joint",), 2),
        (ended, streams, 0),
        (ended, streams, 4),
        ([], streams, 2),
    ):
        assert not list(gains(epochs, of, change))


def test_several_streams_train_together(small_recipe: Recipe, small_store: Path, tmp_path: Path) -> None:
    three = dataclasses.replace(small_recipe, streams=("joint", "motion", "bone"), epochs=1)
    train(three, small_store, tmp_path / "three")
    line = read_metrics(tmp_path / "three" / "metrics.jsonl")[-1]
    assert line["loss"] == pytest.approx(line["loss/joint"] + line["loss/motion"] + line["loss/bone"])
    assert Run(tmp_path / "three").streams() == ("joint", "motion", "bone")


def test_further_stores_are_learnt_from_and_kept_in_mind(
    whole: Path, small_recipe: Recipe, small_store: Path, tmp_path: Path
) -> None:
    other = write_small_store(tmp_path / "other", seed=1)
    once = dataclasses.replace(small_recipe, epochs=1)
    train(once, small_store, tmp_path / "more", also=[other])
    run = Run(tmp_path / "more")
    assert [line["kind"] for line in read_metrics(run.metrics)] == ["step"] * 6 + ["epoch"], "54 clips, batches of 8"
    listed = read_recordings(run.recordings)
    for path in (small_store, other):
        store = Store(path)
        assert same_content(store, store.select("xview", "train"), listed).all()
    assert [Store(Path(one.data)).fingerprint for one in run.config().also] == [Store(other).fingerprint]
    with pytest.raises(ValueError, match=r"begun with other further stores \(--also .*other\): resume with those"):
        train(once, small_store, tmp_path / "more", resume=True)
    with pytest.raises(ValueError, match=r"begun with other further stores \(without --also\)"):
        train(small_recipe, small_store, whole, resume=True, also=[other])
