import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks import exchanged_labels
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference.literal_readers import read_nw_ucla

from kinestream.data.formats import nw_ucla
from kinestream.data.recording import LARGEST_COORDINATE, Recording, RecordingError

LABEL = 4


def content_of(frames: int, seed: int = 0) -> dict[str, Any]:
    """What a file of the data set holds."""
    joints = np.random.default_rng(seed).normal(scale=1.5, size=(frames, 20, 3)).round(6)
    return {"file_name": "a04_s01_e00_v01", "skeletons": joints.tolist(), "label": LABEL}


def text_of(content: Any) -> bytes:
    return json.dumps(content).encode()


def outcome(text: bytes) -> Recording | RecordingError:
    try:
        return nw_ucla.parse(text, LABEL)
    except RecordingError as error:
        return error


def refusal(text: bytes) -> RecordingError:
    found = outcome(text)
    assert isinstance(found, RecordingError)
    return found


def assert_frames(recording: Recording, joints: np.ndarray) -> None:
    np.testing.assert_array_equal(recording.joints, joints)
    np.testing.assert_array_equal(recording.bodies[:, 0], (joints != 0).any(axis=(1, 2, 3)))


# --- what is accepted -----------------------------------------------------------------------------------------------


def test_real_files(real_data: Path) -> None:
    paths = sorted((real_data / "nw-ucla/all_sqe").glob("*.json"))
    sizes = sorted(paths, key=lambda path: path.stat().st_size)
    lengths = []
    for path in {*paths[::9], *sizes[:3], *sizes[-3:]}:
        source = nw_ucla.parse_name(path)
        recording = nw_ucla.read(source)
        joints, label = read_nw_ucla(path)
        assert_frames(recording, joints)
        assert source.action == label
        lengths.append(len(joints))
    assert (min(lengths), max(lengths)) == (1, 201)


def test_exchanged_labels_are_put_right(real_data: Path, tmp_path: Path) -> None:
    """In every view the head falls of whoever sits down, and rises of whoever stands up; but for one subject."""
    raw, righted = real_data / "nw-ucla/all_sqe", tmp_path / "righted"
    found = exchanged_labels.main(raw, righted)
    assert wrong_ways(found) == [("sit down, view 2", "subject 4"), ("stand up, view 2", "subject 4")]
    clips = [path.stem for path in raw.glob("a0[56]_s04_*_v02.json")]
    assert found["exchanged"] == sorted(clips)
    assert len(clips) == 11

    again = exchanged_labels.main(righted, None)
    assert not wrong_ways(again)
    assert not again["exchanged"]
    other = {"a05": "a06", "a06": "a05"}
    right = {
        path.stem: other[path.stem[:3]] + path.stem[3:] if path.stem in clips else path.stem for path in raw.iterdir()
    }
    assert {path.stem for path in righted.iterdir()} == set(right.values())
    for name in [*clips, "a05_s04_e00_v01"]:
        target = righted / f"{right[name]}.json"
        joints, label = read_nw_ucla(target)
        np.testing.assert_array_equal(joints, read_nw_ucla(raw / f"{name}.json")[0])
        assert label == nw_ucla.parse_name(target).action


def test_exchanged_labels_are_found_by_the_movement(tmp_path: Path) -> None:
    """Of two subjects the second has sitting down and standing up exchanged in view 2; subject 3 sits down only."""
    raw = tmp_path / "raw"
    raw.mkdir()
    for subject, view, action in itertools.product((1, 2), (1, 2), (5, 6)):
        write_clip(raw, action, subject, view, rises=(action == 6) != ((subject, view) == (2, 2)))
    write_clip(raw, 5, 3, 1, rises=True)
    write_clip(raw, 4, 2, 2, rises=False)
    found = exchanged_labels.main(raw, tmp_path / "righted")
    assert found["exchanged"] == ["a05_s02_e00_v02", "a06_s02_e00_v02"]
    assert found["head_rises_metres"]["sit down, view 2"] == {"subject 1": -0.4, "subject 2": 0.4}
    assert {path.name for path in raw.iterdir()} == {path.name for path in (tmp_path / "righted").iterdir()}
    assert not exchanged_labels.main(tmp_path / "righted", None)["exchanged"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("annot.json", "{}", r"annot.json: the name is not of the scheme"),
        ("a05_s01_e00_v01.json", '{"label": 6}', r"a05_s01_e00_v01.json: label 6 in the file, 5 by its name"),
        ("a05.txt", "", r"raw: no files aAA_sSS_eEE_vVV.json in it"),
    ],
)
def test_a_folder_that_is_not_the_data_set_is_named(tmp_path: Path, name: str, text: str, words: str) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / name).write_text(text)
    if name.startswith("a05_"):
        write_clip(raw, 6, 1, 1, rises=True)
    with pytest.raises(ValueError, match=words):
        exchanged_labels.main(raw, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def write_clip(folder: Path, action: int, subject: int, view: int, *, rises: bool) -> None:
    """Twelve frames in which the head goes up or down by 0.4 m between the first two and the last two."""
    joints = np.zeros((12, 20, 3))
    joints[:, 3, 1] = np.interp(np.arange(12), (1, 10), (1.0, 1.4) if rises else (1.4, 1.0))
    name = f"a{action:02}_s{subject:02}_e00_v{view:02}"
    content = {"file_name": name, "skeletons": joints.tolist(), "label": action}
    (folder / f"{name}.json").write_bytes(text_of(content))


def wrong_ways(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (group, subject)
        for group, subjects in found["head_rises_metres"].items()
        for subject, rise in subjects.items()
        if (rise < 0) != group.startswith("sit down")
    ]


@given(
    frames=st.integers(1, 12), seed=st.integers(0, 1000), indent=st.sampled_from([None, 1]), absent=st.integers(0, 11)
)
def test_generated_files(
    tmp_path_factory: pytest.TempPathFactory, frames: int, seed: int, indent: int | None, absent: int
) -> None:
    content = content_of(frames, seed)
    if 0 < absent < frames:
        content["skeletons"][absent] = [[0.0, 0, -0.0]] * 20
    path = tmp_path_factory.getbasetemp() / "a04_s01_e00_v01.json"
    for text in (json.dumps(content, indent=indent), json.dumps(content, indent=indent).replace("\n", "\r\n")):
        path.write_bytes(text.encode())
        recording = nw_ucla.read(nw_ucla.parse_name(path))
        assert_frames(recording, read_nw_ucla(path)[0])
        assert recording.joints.shape == (frames, 1, 20, 3)


def test_names_of_all_actions() -> None:
    """Section 5 of the reference: labels 1 to 10 are the actions 1-6, 8, 9, 11, 12."""
    labels = {}
    for action in range(100):
        path = Path(f"/data/a{action:02}_s07_e03_v02.json")
        if action not in (1, 2, 3, 4, 5, 6, 8, 9, 11, 12):
            with pytest.raises(RecordingError, match=f"action {action} is none of the data set's"):
                nw_ucla.parse_name(path)
            continue
        source = nw_ucla.parse_name(path)
        labels[action] = source.action
        assert (source.subject, source.camera, source.name) == (7, 2, f"a{action:02}_s07_e03_v02")
    assert labels == {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 8: 7, 9: 8, 11: 9, 12: 10}


# --- what is refused, and why ---------------------------------------------------------------------------------------


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    content = content_of(3)
    change(content)
    return text_of(content)


def with_joint(joint: Any) -> bytes:
    content = content_of(3)
    content["skeletons"][1][7] = joint
    return text_of(content)


REFUSED = {
    "empty": (b"", "not JSON (Expecting value): cut off or damaged"),
    "cut": (text_of(content_of(3))[:-30], "cut off or damaged"),
    "text after it": (text_of(content_of(3)) + b"}", "not JSON (Extra data)"),
    "a list": (b"[1, 2]", "not a JSON object"),
    "a number": (b"12", "not a JSON object"),
    "a picture": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "not JSON"),
    "Latin-1": (b'{"label": "\xe9"}', "not JSON (UnicodeDecodeError)"),
    "5000 digits": (b'{"label": ' + b"9" * 5000 + b"}", "not JSON (ValueError)"),
    "nested without end": (b"[" * 100_000, "not JSON (RecursionError)"),
    "other label": (changed(lambda content: content.update(label=5)), "label 5 in the file, 4 by its name"),
    "label as text": (changed(lambda content: content.update(label="4")), "label '4' in the file, 4 by its name"),
    "endless label": (changed(lambda content: content.update(label="x" * 5000)), "label 'xxx"),
    "label null": (changed(lambda content: content.update(label=None)), "label null in the file, 4 by its name"),
    "no label": (changed(lambda content: content.pop("label")), "no label in the file, 4 by its name"),
    "no skeletons": (changed(lambda content: content.pop("skeletons")), "no list 'skeletons'"),
    "skeletons null": (changed(lambda content: content.update(skeletons=None)), "no list 'skeletons'"),
    "no frames": (changed(lambda content: content.update(skeletons=[])), "no frames"),
    "frame null": (changed(lambda content: content["skeletons"].append(None)), "frame 4: no joints where 20 belong"),
    "frame of an object": (changed(lambda content: content["skeletons"].append({})), "frame 4: no joints where 20"),
    "19 joints": (changed(lambda content: content["skeletons"][1].pop()), "frame 2: 19 joints where 20 belong"),
    "25 joints": (
        changed(lambda content: content["skeletons"][0].extend([[1, 2, 3]] * 5)),
        "frame 1: 25 joints where 20 belong",
    ),
    "empty frame": (changed(lambda content: content["skeletons"].insert(0, [])), "frame 1: 0 joints where 20 belong"),
    "joint null": (with_joint(None), "frame 2: null where a joint's three numbers belong"),
    "joint of two": (with_joint([1, 2]), "frame 2: [1, 2] where a joint's three numbers belong"),
    "joint of four": (with_joint([1, 2, 3, 4]), "frame 2: [1, 2, 3, 4] where a joint's three numbers belong"),
    "text": (with_joint(["1", "2", "3"]), 'frame 2: ["1", "2", "3"] where a joint\'s three numbers belong'),
    "truth": (with_joint([True, 1, 2]), "frame 2: [true, 1, 2] where a joint's three numbers belong"),
    "null": (with_joint([None, 1, 2]), "frame 2: [null, 1, 2] where a joint's three numbers belong"),
    "nested": (with_joint([[1], 1, 2]), "frame 2: [[1], 1, 2] where a joint's three numbers belong"),
    "endless joint": (with_joint(["x" * 5000, 1, 2]), 'frame 2: ["xxx'),
    "NaN": (with_joint([1, float("nan"), 2]), "frame 2: a joint that is no position"),
    "infinity": (with_joint([1, 2, float("-inf")]), "frame 2: a joint that is no position"),
    "far away": (with_joint([1, 2, 100.001]), "frame 2: a joint that is no position"),
    "400 digits": (with_joint([1, 2, 10**400]), "a coordinate of more than 300 digits"),
    "all zero": (
        changed(lambda content: content.update(skeletons=[[[0, 0.0, -0.0]] * 20] * 3)),
        "no body in any of its 3",
    ),
}


@pytest.mark.parametrize(("text", "reason"), REFUSED.values(), ids=REFUSED)
def test_refused_with_reason(text: bytes, reason: str) -> None:
    error = refusal(text)
    assert reason in error.reason
    assert error.reason.isprintable()
    assert len(error.reason) < 160


def test_line_of_damage() -> None:
    lines = json.dumps(content_of(2), indent=1).splitlines()
    lines[50] = lines[50].replace(",", ";")
    error = refusal("\n".join(lines).encode())
    assert error.line in (51, 52)


@pytest.mark.parametrize("depth", [50, 500, 900, 990])
def test_a_deep_joint(depth: int) -> None:
    """Shallow enough for the JSON reader, perhaps not for what prints it."""
    deep = b"[" * depth + b"]" * depth
    content = content_of(1)
    content["skeletons"][0][3] = "HERE"
    assert refusal(text_of(content).replace(b'"HERE"', deep)).reason
    content = {"skeletons": [], "label": "HERE"}
    assert refusal(text_of(content).replace(b'"HERE"', deep)).reason


def test_coordinates_as_whole_numbers() -> None:
    recording = nw_ucla.parse(with_joint([0, -1, int(LARGEST_COORDINATE)]), LABEL)
    assert recording.joints[1, 0, 7].tolist() == [0, -1, LARGEST_COORDINATE]


@pytest.mark.parametrize(
    "name",
    [
        "a01_s01_e00",
        "a1_s1_e0_v1",
        "A01_S01_E00_V01",
        "a01_s01_e00_v01x",
        "a01_s01_e00_v01 (1)",
        "a\u0660\u0661_s01_e00_v01",
    ],
)
def test_names_not_of_the_scheme(name: str) -> None:
    with pytest.raises(RecordingError, match=r"not of the scheme aAA_sSS_eEE_vVV\.json"):
        nw_ucla.parse_name(Path(f"/data/{name}.json"))


# --- damage of any kind ---------------------------------------------------------------------------------------------

SNIPPETS = st.sampled_from(
    [b"0", b"9", b".", b"-", b"e", b",", b"[", b"]", b'"', b"\n", b"\x00", b"\xff", b"NaN", b"null"]
)
SNIPPETS |= st.binary(max_size=4)


@settings(max_examples=500)
@given(
    at=st.lists(st.tuples(st.integers(0, 10**6), SNIPPETS, st.integers(0, 100)), min_size=1, max_size=3),
    cut=st.booleans(),
)
def test_damaged_files_are_refused_or_read_as_they_stand(at: list[tuple[int, bytes, int]], cut: bool) -> None:
    text = text_of(content_of(2))
    for place, snippet, removed in at:
        place %= len(text)
        text = text[:place] + snippet + text[place + (removed if cut else len(snippet)) :]
    recording = outcome(text)
    if isinstance(recording, RecordingError):
        assert recording.reason.isprintable()
        return
    assert recording.joints.dtype == np.float64
    assert recording.joints.shape[1:] == (1, 20, 3)
    assert (np.abs(recording.joints) <= LARGEST_COORDINATE).all()
    np.testing.assert_array_equal(recording.joints[:, 0], np.array(json.loads(text)["skeletons"], dtype=np.float64))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(skeletons=JSON, label=JSON, frame=JSON, joint=JSON)
def test_any_json_is_refused(skeletons: Any, label: Any, frame: Any, joint: Any) -> None:
    assert refusal(text_of(skeletons)).reason
    assert refusal(text_of({"label": LABEL, "skeletons": skeletons})).reason
    assert refusal(text_of({"label": LABEL, "skeletons": [frame]})).reason
    good = content_of(1)
    good["skeletons"][0][0] = [joint, 1, 2]
    for text in (text_of(good), text_of(content_of(1) | {"label": label})):
        found = outcome(text)
        if isinstance(found, RecordingError):
            assert found.reason.isprintable()
        else:
            assert (np.abs(found.joints) <= LARGEST_COORDINATE).all()
