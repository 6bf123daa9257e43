"""fit, predict, suggest and segment by a classifier, as commands; and what a saved classifier is."""

import csv
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.use.conftest import KINECT, movement

import kinestream as ks
from kinestream.cli import main
from kinestream.use.classifier import Classifier

PARTS = ("classifier.safetensors", "encoder-joint.safetensors", "encoder-bone.json", "whitening.safetensors")


@pytest.fixture(scope="module")
def place(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of two people who raise an arm or bend, an archive of them, and labels."""
    folder = tmp_path_factory.mktemp("commands")
    (folder / "files").mkdir()
    for number in range(12):
        joints = movement(number, 40)
        if number % 2:
            joints[:, 0, :12, 0] += 0.5 * np.sin(np.linspace(0, 6, 40))[:, None]
        np.save(folder / "files" / f"m{number:02}.npy", joints)
    ks.embed(
        folder / "files",
        run,
        folder / "moves.npz",
        layout="kinect20",
        fps=10,
        units="m",
        up="y",
        trust=True,
        device="cpu",
    )
    write_table(
        folder / "labels.csv",
        ("name", "label"),
        *((f"m{number:02}", ("arm", "bend")[number % 2]) for number in range(10)),
        ("nobody", "arm"),
    )
    assert (
        main(["fit", str(folder / "moves.npz"), "--labels", str(folder / "labels.csv"), *out(folder / "a.model")]) == 0
    )
    return folder


MADE_UP = ("--units", "m", "--up", "y", "--trust")


def out(path: Path) -> list[str]:
    return ["--out", str(path), "--device", "cpu"]


def write_table(path: Path, *rows: tuple[object, ...]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_from_files_to_predictions(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fit", str(place / "moves.npz"), "--labels", str(place / "labels.csv"), "--report", str(place / "r.json")]
    assert main([*words, *out(place / "a.model"), "--replace"]) == 0
    said = capsys.readouterr()
    assert "1 label belongs to nothing in the archive: 'nobody' (line 12)" in said.err
    assert "untrained encoder" in said.out
    assert "perhaps of the same people: the person of 10 of 10 rows is not known" in " ".join(said.out.split())
    report = json.loads((place / "r.json").read_text())
    assert [one["kind"] for one in report["features"]] == ["learnt", "untrained", "raw"]
    layout = ["--layout", "kinect20", "--fps", "10", *MADE_UP]
    model, files = str(place / "a.model"), str(place / "files")
    assert main(["predict", model, files, *layout, *out(place / "p.csv")]) == 0
    assert main(["predict", model, str(place / "moves.npz"), *out(place / "q.csv")]) == 0
    told, again = read_table(place / "p.csv"), read_table(place / "q.csv")
    assert told == again
    assert list(told[0]) == ["name", "file", "person", "start", "end", "label", "probability", "known"]
    assert [row["label"] for row in told] == ["arm", "bend"] * 6
    assert len({row["name"] for row in told}) == 12
    assert all(0.5 <= float(row["probability"]) <= 1 and row["end"] == "4.0" for row in told)
    words = ["predict", model, files, *layout, "--windows", "2s", *out(place / "w.csv")]
    assert main(words) == 0
    assert [(row["start"], row["end"]) for row in read_table(place / "w.csv")][:3] == [
        ("0.0", "2.0"),
        ("1.0", "3.0"),
        ("2.0", "4.0"),
    ]


def test_suggestions_are_filled_in_and_fitted(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    words = ["suggest", str(place / "moves.npz"), "--count", "6", "--out", str(place / "s.csv")]
    assert main([*words, "--sheet", str(place / "s.png")]) == 0
    rows = read_table(place / "s.csv")
    assert len({row["name"] for row in rows}) == 6
    assert (place / "s.png").stat().st_size > 10_000
    for row in rows:
        row["label"] = ("arm", "bend")[int(row["name"][1:]) % 2]
    write_table(place / "filled.csv", tuple(rows[0]), *(tuple(row.values()) for row in rows))
    words = ["fit", str(place / "moves.npz"), "--labels", str(place / "filled.csv"), "--no-baselines"]
    assert main([*words, *out(place / "b.model")]) == 0
    more = ["suggest", str(place / "moves.npz"), "--count", "4", "--labels", str(place / "filled.csv")]
    assert main([*more, "--model", str(place / "b.model"), "--out", str(place / "t.csv")]) == 0
    told = read_table(place / "t.csv")
    assert [row["why"] for row in told] == ["covers", "covers", "unsure", "unsure"]
    assert not {row["name"] for row in told} & {row["name"] for row in rows}


def test_long_recordings_by_its_labels(place: Path) -> None:
    arm, bend = (np.load(place / "files" / f"m{number:02}.npy") for number in (0, 1))
    np.save(place / "long.npy", np.concatenate((arm, arm, bend, bend)))
    words = ["segment", str(place / "long.npy"), "--layout", "kinect20", "--fps", "10", "--threshold", "0.01"]
    words += MADE_UP
    assert main([*words, "--model", str(place / "a.model"), *out(place / "seg.csv"), "--window", "4"]) == 0
    rows = read_table(place / "seg.csv")
    assert rows[0]["label"] == "arm"
    assert rows[-1]["label"] == "bend"


def test_a_saved_classifier_is_the_same(place: Path, tmp_path: Path) -> None:
    archive = ks.open_embeddings(place / "moves.npz")
    loaded = ks.load(place / "a.model", device="cpu")
    assert isinstance(loaded, Classifier)
    loaded.save(tmp_path / "again")
    twice = ks.load(tmp_path / "again", device="cpu")
    assert np.array_equal(loaded.predict_proba(archive), twice.predict_proba(archive))
    assert np.array_equal(loaded.known(archive), twice.known(archive))
    assert (twice.threshold_, twice.temperature_, twice.notes_) == (
        loaded.threshold_,
        loaded.temperature_,
        loaded.notes_,
    )
    assert str(twice.report) == str(loaded.report)
    moves = [ks.Recording(np.load(place / "files" / "m03.npy"), KINECT, fps=10)]
    assert np.allclose(twice.predict_proba(moves), loaded.predict_proba(archive)[3:4], atol=1e-5)
    numbers = Classifier(loaded.model).fit(archive.vectors, np.arange(12) % 2)
    numbers.save(tmp_path / "numbers")
    assert ks.load(tmp_path / "numbers").classes_.tolist() == [0, 1]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    with pytest.raises(ValueError, match="cannot be saved"):
        Classifier(loaded.model).fit(archive.vectors, np.arange(12) % 2 == 0).save(tmp_path / "truth")
    with pytest.raises(ValueError, match="knows no encoder"):
        Classifier().fit(archive, ["a", "b"] * 6).save(tmp_path / "none")
    assert not (tmp_path / "truth").exists()


@pytest.mark.parametrize("part", PARTS)
def test_damaged_parts_are_named(place: Path, tmp_path: Path, part: str) -> None:
    shutil.copytree(place / "a.model", tmp_path / "m")
    content = bytearray((tmp_path / "m" / part).read_bytes())
    content[len(content) // 2] ^= 255
    (tmp_path / "m" / part).write_bytes(content)
    with pytest.raises(ValueError, match=f"{part} is damaged"):
        ks.load(tmp_path / "m")
    (tmp_path / "m" / part).unlink()
    with pytest.raises(ValueError, match=f"its part {part} is missing"):
        ks.load(tmp_path / "m")


def test_weights_that_would_overflow_are_refused_though_their_checksum_fits(place: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    shutil.copytree(place / "a.model", tmp_path / "m")
    part, info = tmp_path / "m" / "classifier.safetensors", tmp_path / "m" / "classifier.json"
    tensors = load_file(part)
    tensors["weights"][0, 0] = 1e306
    save_file(tensors, part)
    told = json.loads(info.read_text())
    told["files"]["classifier.safetensors"] = hashlib.sha256(part.read_bytes()).hexdigest()
    info.write_text(json.dumps(told))
    with pytest.raises(ValueError, match=r"weights are as large as 1e\+306: save the classifier again"):
        ks.load(tmp_path / "m")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("schema", 99, "schema 99, this kinestream reads 1"),
        ("classes", ["arm"], "1 classes, two or more"),
        ("classes", ["arm", "arm"], "none twice"),
        ("classes", ["a", "b", "c"], "for 3 classes"),
        ("temperature", -1.0, "temperature -1.0"),
        ("temperature", 1e-300, "temperature 1e-300"),
        ("threshold", "far", "threshold"),
        ("files", {"../labels.csv": "0"}, "damaged|missing"),
        ("made_by", None, "no archive of embeddings"),
        ("streams", ["joint", "../../x"], "x"),
    ],
)
def test_a_description_that_is_wrong(place: Path, tmp_path: Path, key: str, value: object, message: str) -> None:
    shutil.copytree(place / "a.model", tmp_path / "m")
    file = tmp_path / "m" / "classifier.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), key: value}))
    with pytest.raises(ValueError, match=message):
        ks.load(tmp_path / "m")
    file.write_text("{")
    with pytest.raises(ValueError, match="is damaged"):
        ks.load(tmp_path / "m")


def test_mistakes_are_told_in_one_line(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    write_table(place / "one.csv", ("name", "label"), ("m00", "arm"), ("m02", "arm"))
    for words, message in (
        (["fit", "moves.npz", "--labels", "none.csv", "--out", "x.model"], "no file of labels none.csv"),
        (["fit", "moves.npz", "--labels", "one.csv", "--out", "x.model"], "one class ('arm')"),
        (["fit", "moves.npz", "--out", "x.model"], "no recording has a label"),
        (["fit", "moves.npz", "--labels", "labels.csv", "--out", "a.model"], "or replace it (--replace)"),
        (["fit", "moves.npz", "--labels", "labels.csv", "--out", "files", "--replace"], "files is no classifier"),
        (["predict", "files", "files", "--out", "x.csv"], "no classifier in files"),
        (["predict", "a.model", "nowhere", "--out", "x.csv"], "no file or folder nowhere"),
        (["predict", "a.model", "files", "--out", "x.txt"], "predictions are a .csv file"),
        (["suggest", "moves.npz", "--count", "0"], "1 or more are needed"),
        (["suggest", "moves.npz", "--sheet", "x.jpg"], "is not .png"),
        (["segment", "files", "--encoder", "anybody", "--model", "a.model", "--out", "x.csv"], "give either --encoder"),
        (["segment", "files", "--out", "x.csv"], "give --layout, a name ('kinestream layouts' lists them)"),
    ):
        assert main(words) == 1, words
        said = capsys.readouterr().err
        assert message in said.splitlines()[-1], said
        assert "Traceback" not in said
    assert not list(place.glob("x.*"))
