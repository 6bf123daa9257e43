"""Every way in which test clips can have been learnt from is found before anything is computed."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from tests.stores import write_small_run, write_small_store

from kinestream.cli import main
from kinestream.data.datasets import load_dataset
from kinestream.data.leaks import read_recordings, same_by_rule, same_content, write_recordings
from kinestream.data.preparation import PREPARATIONS
from kinestream.data.recording import Source
from kinestream.data.store import Store, StoreWriter

NTU: dict[str, object] = {"dataset": "ntu60", "preparation": "published", "split": "xsub"}


def write_ntu_store(path: Path, dataset_name: str = "ntu60", seed: int = 0, copied: bool = False) -> Path:
    """24 recordings of 8 subjects (1, 2, 4, 5 train in xsub) and 3 cameras, in setups 1 and 18, of actions 1, 2 and,
    in NTU-120, 61; with `copied` the first test clip of xsub is the first training clip."""
    path.mkdir()
    dataset, rng = load_dataset(dataset_name), np.random.default_rng(seed)
    first: np.ndarray | None = None
    with StoreWriter(path, dataset.format.layout, dataset.most_bodies) as writer:
        for number in range(24):
            subject, camera = (1, 2, 3, 4, 5, 6, 7, 10)[number % 8], number // 8 + 1
            action = number % 2 + 1 if number < 20 or dataset_name == "ntu60" else 61
            setup = 1 if action < 60 else 18
            name = f"S{setup:03}C{camera:03}P{subject:03}R001A{action:03}"
            joints = rng.normal(0, 0.4, (12, 2, 25, 3)).astype(np.float32)
            first = joints if first is None else first
            joints = first if copied and number == 2 else joints
            path_of = Path(f"{name}.skeleton")
            source = Source(
                path=path_of, name=name, action=action, subject=subject, camera=camera, setup=setup, repetition=1
            )
            writer.add(source, joints)
        writer.finish(dataset, PREPARATIONS["published"], excluded=0, rejected=0)
    return path


@pytest.fixture(scope="module")
def ntu_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ntu_store(tmp_path_factory.mktemp("ntu") / "store")


def evaluate(run: Path, store: Path, *more: str) -> int:
    return main(["evaluate", "knn", str(run), "--data", str(store), "--k", "3", "--bare", *more])


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr().err.strip().splitlines()
    assert "--allow-leak" in said[-1]
    assert "Traceback" not in "".join(said)
    return said[-1]


def test_a_run_on_its_own_split_is_clean(ntu_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_small_run(tmp_path / "run", ntu_store, **NTU)
    assert evaluate(run, ntu_store) == 0
    assert "leak" not in capsys.readouterr().err.lower()
    assert json.loads(next(run.glob("evaluation-knn-xsub*.json")).read_text())["leak"] is None


def test_pretrained_on_one_split_and_evaluated_on_another(
    ntu_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """xview trains on cameras 2 and 3: 8 of the 12 xsub test clips."""
    run = write_small_run(tmp_path / "run", ntu_store, **{**NTU, "split": "xview"})
    assert evaluate(run, ntu_store, "--split", "xsub") == 1
    message = refused(capsys)
    assert "was pre-trained on 8 of 12 of the test clips, by name" in message
    assert "S001C002P003R001A001" in message
    assert not list(run.glob("evaluation*")), "nothing is written"


def test_without_a_list_the_rule_of_the_split_tells(
    ntu_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_small_run(tmp_path / "run", ntu_store, listed=False, **{**NTU, "split": "xview"})
    assert evaluate(run, ntu_store, "--split", "xsub") == 1
    assert "was pre-trained on ntu60 xview, whose training part has 8 of 12 of the test clips" in refused(capsys)
    assert evaluate(run, ntu_store, "--split", "xview") == 0
    assert "keeps no list of the recordings that it learnt from" in capsys.readouterr().err


@pytest.mark.parametrize("listed", [True, False])
def test_ntu60_lies_inside_ntu120(
    listed: bool, ntu_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Setup 1 is odd, so xset trains on none of it; xsub of both data sets is the same for these subjects."""
    larger = write_ntu_store(tmp_path / "larger", "ntu120", seed=1)
    run = write_small_run(tmp_path / "run", larger, listed=listed, **{**NTU, "dataset": "ntu120"})
    assert evaluate(run, ntu_store, "--split", "xsub") == 0
    assert evaluate(run, ntu_store, "--split", "xview") == 1
    message = refused(capsys)
    assert "4 of 8" in message
    assert "S001C001P001R001A001" in message


def test_the_rule_knows_which_part_of_ntu120_is_ntu60(ntu_store: Path, tmp_path: Path) -> None:
    larger = Store(write_ntu_store(tmp_path / "larger", "ntu120"))
    everything = np.arange(24)
    seen = same_by_rule(larger, everything, "ntu60", "xsub")
    assert seen is not None
    expected = (np.isin(larger.table.subject, [1, 2, 4, 5])) & (larger.table.label < 60)
    np.testing.assert_array_equal(seen, expected)
    assert not same_by_rule(Store(ntu_store), everything, "nw-ucla", "xview").any()  # type: ignore[union-attr]
    assert same_by_rule(Store(ntu_store), everything, "pku1", "xsub") is not None, "nothing shared"
    assert same_by_rule(Store(ntu_store), everything, "imported", "given") is None, "cannot be told"


def test_another_store_with_the_same_recordings_under_other_names(
    ntu_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Test clips of the one are, renamed, training clips of the other."""
    renamed = tmp_path / "renamed"
    renamed.mkdir()
    store, dataset = Store(ntu_store), load_dataset("ntu60")
    with StoreWriter(renamed, store.layout, 2) as writer:
        for index in range(24):
            name = f"S002C001P001R{index + 1:03}A001"
            source = Source(
                path=Path(name),
                name=name,
                action=1,
                subject=1 if index % 8 != 7 else 3,
                camera=1,
                setup=2,
                repetition=1,
            )
            writer.add(source, store.joints(index))
        writer.finish(dataset, PREPARATIONS["published"], excluded=0, rejected=0)
    run = write_small_run(tmp_path / "run", renamed, **NTU)
    assert evaluate(run, ntu_store) == 1
    assert "was pre-trained on 9 of 12 of the test clips, by content, under other names" in refused(capsys)


def test_a_copy_between_the_parts_that_the_data_set_is_not_known_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = write_ntu_store(tmp_path / "store", copied=True)
    run = write_small_run(tmp_path / "run", store, **NTU)
    assert evaluate(run, store) == 1
    message = refused(capsys)
    assert (
        "1 of 12 test clips of split 'xsub' are copies of a training clip, to the bit (S001C001P003R001A001)" in message
    )


def test_known_copies_are_said_and_no_more_but_only_as_many_as_are_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = write_small_store(tmp_path / "store", copied=5)
    run = write_small_run(tmp_path / "run", store)
    assert evaluate(run, store) == 0
    assert "5 of the 13 test clips of split 'xview' are copies of a training clip" in capsys.readouterr().err
    monkeypatch.setattr("kinestream.evaluate.guard.known_copies", lambda dataset, split: 4)
    assert evaluate(run, store) == 1
    assert "where 4 are known" in refused(capsys)


def test_nw_ucla_is_known_for_its_copies_and_no_other_data_set_is() -> None:
    known = {name: dict(load_dataset(name).known_copies) for name in ("nw-ucla", "ntu60", "ntu120", "pku1", "pku2")}
    assert known == {"nw-ucla": {"xview": 95}, "ntu60": {}, "ntu120": {}, "pku1": {}, "pku2": {}}


def test_an_allowed_leak_marks_table_json_csv_and_log(
    ntu_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_small_run(tmp_path / "run", ntu_store, **{**NTU, "split": "xview"})
    assert evaluate(run, ntu_store, "--split", "xsub", "--allow-leak") == 0
    said = capsys.readouterr()
    assert "LEAK ALLOWED" in said.out
    assert "LEAK, allowed and marked" in said.err
    sentence = json.loads(next(run.glob("evaluation-knn-xsub*.json")).read_text())["leak"]
    assert "was pre-trained on 8 of 12 of the test clips" in sentence
    with (run / "results.csv").open(newline="") as file:
        assert {row["leak"] for row in csv.DictReader(file)} == {sentence}
    assert json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])["leak"] == sentence


@pytest.mark.parametrize("protocol", ["linear", "finetune", "semi", "retrieval", "cluster", "probe-grid", "transfer"])
def test_every_protocol_on_learnt_weights_is_guarded(
    protocol: str, ntu_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_small_run(tmp_path / "run", ntu_store, **{**NTU, "split": "xview"})
    assert main(["evaluate", protocol, str(run), "--data", str(ntu_store), "--split", "xsub"]) == 1
    assert "was pre-trained on 8 of 12" in refused(capsys)


def test_an_encoder_file_in_a_run_is_guarded_by_the_list_of_the_run(
    ntu_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_small_run(tmp_path / "run", ntu_store, **{**NTU, "split": "xview"})
    assert evaluate(run / "encoder-joint.safetensors", ntu_store, "--split", "xsub") == 1
    assert "8 of 12" in refused(capsys)
    (run / "pretrained-on.csv").unlink()
    assert evaluate(run / "encoder-joint.safetensors", ntu_store, "--split", "xsub") == 1
    assert "was pre-trained on ntu60 xview, whose training part has 8 of 12" in refused(capsys)


def test_the_list_of_recordings_comes_back_and_says_so_when_it_was_edited(small_store: Path, tmp_path: Path) -> None:
    store = Store(small_store)
    chosen = store.select("xview", "train")
    write_recordings(tmp_path / "list.csv", (store, chosen))
    listed = read_recordings(tmp_path / "list.csv")
    assert listed.names == {store.table.name[index] for index in chosen}
    assert len(listed.contents) == len(chosen)
    everything = np.arange(len(store))
    np.testing.assert_array_equal(same_content(store, everything, listed), np.isin(everything, chosen))
    (tmp_path / "list.csv").write_text("name\na\n")
    with pytest.raises(ValueError, match="was edited or damaged"):
        read_recordings(tmp_path / "list.csv")


def test_names_that_an_import_made_up_mean_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two npz files number their clips alike; equal numbers are no equal recordings."""
    stores = []
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        arrays = {
            f"{kind}_{part}": value
            for part in ("train", "test")
            for kind, value in (("x", rng.normal(0, 0.4, (6, 12, 150))), ("y", np.arange(6) % 2))
        }
        np.savez(tmp_path / f"{seed}.npz", **arrays)
        stores.append(tmp_path / f"store-{seed}")
        words = ["prepare", "ntu60", str(tmp_path / f"{seed}.npz"), str(stores[-1]), "--split", "xsub"]
        assert main(words) == 0
    assert Store(stores[0]).table.name == Store(stores[1]).table.name
    changed = {**NTU, "preparation": "imported"}
    run = write_small_run(tmp_path / "run", stores[0], **changed)
    capsys.readouterr()
    assert evaluate(run, stores[1]) == 0
