"""The data sets that anyone can get, in small files made as theirs are: names, headers, quirks, classes and splits."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

import kinestream as ks
from kinestream.cli import main
from kinestream.data.datasets import load_dataset
from kinestream.data.formats import msr_action3d, sbu, ui_prmd
from kinestream.data.plausibility import examine
from kinestream.data.recording import RecordingError, Source
from kinestream.data.store import Store
from kinestream.skeleton.layout import KINECT20, SkeletonLayout, load_layout
from kinestream.skeleton.pose import standing


def person(layout: SkeletonLayout, frames: int = 12, seed: int = 0) -> np.ndarray:
    """Joints (t, v, 3) of a body that stands and trembles, in front of a sensor."""
    noise = np.random.default_rng(seed).normal(0, 0.01, (frames, len(layout.joints), 3))
    return np.asarray(standing(layout) + noise + [0.1, 0.0, 2.5])


def parts(store: Store, split: str) -> tuple[set[str], set[str]]:
    """The names of those for training, and for testing."""
    train, test = ({store.table.name[row] for row in store.select(split, part)} for part in ("train", "test"))
    return train, test


def upright(store: Store) -> None:
    """The joints are where they belong: a body that stands, its left on its left."""
    seen = examine(np.asarray(store.joints(0))[:, :1], store.layout)
    assert seen.problems == ()
    assert seen.up in ("y", None)
    assert seen.height is None or 1.2 < seen.height < 2


# --- UTD-MHAD -----------------------------------------------------------------------------------------------------------


def utd_mhad(folder: Path, people: Iterable[int] = (1, 2, 3), actions: Iterable[int] = (1, 8, 27)) -> Path:
    points = load_dataset("utd-mhad").points
    order = [KINECT20.joints.index(point) for point in points]
    for name in ("Skeleton", "Inertial"):
        (folder / name).mkdir(parents=True)
    for subject in people:
        for action in actions:
            for trial in (1, 4):
                if (action, subject, trial) in ((8, 1, 4), (23, 6, 4), (27, 8, 4)):  # these are lacking
                    continue
                stem = f"a{action}_s{subject}_t{trial}"
                joints = person(KINECT20, 12 + trial, seed=100 * action + subject)[:, order]
                savemat(folder / f"Skeleton/{stem}_skeleton.mat", {"d_skel": joints.transpose(1, 2, 0)})
                savemat(folder / f"Inertial/{stem}_inertial.mat", {"d_iner": np.zeros((180, 6))})
    return folder


def test_utd_mhad(tmp_path: Path) -> None:
    store = ks.prepare("utd-mhad", utd_mhad(tmp_path / "raw"), tmp_path / "store")
    assert (len(store), store.info.rejected, store.layout.name, store.info.fps) == (17, 0, "kinect20", 30)
    train, test = parts(store, "xsub")
    assert {name.split("_")[1] for name in train} == {"s1", "s3"}
    assert {name.split("_")[1] for name in test} == {"s2"}
    assert set(store.table.label) == {0, 7, 26}
    assert store.info.classes[7] == "right hand draw x"
    upright(store)


def test_utd_mhad_is_reproduced_by_its_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = utd_mhad(tmp_path / "raw", people=(1, 2), actions=(1, 2, 3))
    assert main(["prepare", "utd-mhad", str(raw), str(tmp_path / "store")]) == 0
    words = ["reproduce", "laptop-utd-mhad", "--data", str(tmp_path / "store"), "--out", str(tmp_path / "run"), "--bare"]
    changes = {
        "streams": "[bone]",
        "epochs": "1",
        "batch_size": "4",
        "frames": "12",
        "encoder.hidden": "4",
        "method.hidden": "8",
        "method.embedding": "4",
    }
    for key, value in changes.items():
        words += ["--set", f"{key}={value}"]
    assert main([*words, "--device", "cpu"]) == 0, capsys.readouterr().err
    assert "UTD-MHAD" in (tmp_path / "run/reproduction.md").read_text()


# --- MSR Action3D -------------------------------------------------------------------------------------------------------


def msr_lines(joints: np.ndarray) -> str:
    """Three decimals and a confidence, as there."""
    order = [KINECT20.joints.index(joint) for joint in msr_action3d.JOINTS]
    rows = joints[:, order].reshape(-1, 3)
    return "".join(f"{x:.6f} {y:.6f} {z:.6f} 0.0 \r\n" for x, y, z in rows)


def test_msr_action3d(tmp_path: Path) -> None:
    raw = tmp_path / "MSRAction3DSkeletonReal3D"
    raw.mkdir()
    left_out = load_dataset("msr-action3d").left_out
    for action in (2, 6, 13, 14):
        for subject in (1, 2, 3, 6):
            text = msr_lines(person(KINECT20, seed=subject))
            (raw / f"a{action:02}_s{subject:02}_e02_skeleton3D.txt").write_text(text, newline="")
    (raw / "a13_s09_e02_skeleton3D.txt").write_text("0 0 0 0\n" * 20 * 13)  # zeros only, as it is there
    (raw / "a02_s01_e02_skeleton.txt").write_text("1 2 3 4\n")
    store = ks.prepare("msr-action3d", raw, tmp_path / "store")
    assert (len(store), store.info.excluded, store.info.rejected) == (14, 3, 0)
    assert not left_out & set(store.table.name)
    assert len(left_out) == 10
    assert (store.info.fps, store.layout) == (15, KINECT20)
    train, test = parts(store, "xsub")
    assert {name[4:7] for name in train} == {"s01", "s03"}
    assert {name[4:7] for name in test} == {"s02", "s06"}
    for split, classes in (("xsub-as1", {"a02", "a06", "a13"}), ("xsub-as2", {"a14"}), ("xsub-as3", {"a06", "a14"})):
        one, other = parts(store, split)
        assert {name[:3] for name in one | other} == classes
        assert one < train
        assert other < test
    upright(store)


def test_the_subsets_of_msr_action3d_have_eight_classes_each() -> None:
    splits = load_dataset("msr-action3d").splits
    subsets = [splits[f"xsub-as{number}"].classes or frozenset() for number in (1, 2, 3)]
    assert [len(classes) for classes in subsets] == [8, 8, 8]
    assert frozenset().union(*subsets) == frozenset(range(1, 21))
    assert subsets[0] & subsets[1] == frozenset()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: "", "no frames"),
        (lambda text: text[: len(text) // 2 // 33 * 33].rpartition("\r\n")[0] + "\r\n", "it ends after .* cut off"),
        (lambda text: text.replace(" 0.0 ", "", 1), "line 1: 3 numbers where x, y, z and confidence"),
        (lambda text: "nan" + text[8:], "line 1: .* not a position"),
        (lambda text: "abcdefgh" + text[8:], "line 1: 'abcdefgh' where a number belongs"),
        (lambda text: "0 0 0 0\n" * 40, "no body in any of its 2 frames"),
    ],
)
def test_what_is_no_msr_file_is_refused(change: Callable[[str], str], reason: str) -> None:
    with pytest.raises(RecordingError, match=reason):
        msr_action3d.parse(change(msr_lines(person(KINECT20, 3))).encode())


# --- SBU ----------------------------------------------------------------------------------------------------------------


def sbu_lines(first: np.ndarray, second: np.ndarray, begin: int = 1) -> str:
    """Normalised as there, from metres."""
    millimetres = 1000 * np.stack([first, second], axis=1)
    x, y, z = np.moveaxis(millimetres, -1, 0)
    places = np.stack([(1280 - x) / 2560, (960 - y) / 1920, z * 7.8125 / 10_000], axis=-1).reshape(len(first), -1)
    lines = (f"{begin + t}," + ",".join(f"{value:.6f}" for value in row) for t, row in enumerate(places))
    return "".join(f"{line}\n" for line in lines)


def test_sbu(tmp_path: Path) -> None:
    layout = load_layout("sbu15")
    sets = load_dataset("sbu").splits
    for pair in ("s01s02", "s02s03", "s07s03"):
        for action in ("01", "08"):
            folder = tmp_path / "raw" / pair / action / "001"
            folder.mkdir(parents=True)
            left, right = person(layout, seed=1) - [0.6, 0, 0], person(layout, seed=2) + [0.6, 0, 0]
            (folder / "skeleton_pos.txt").write_text(sbu_lines(left, right, begin=17))
            (folder / "depth_000017.png").write_bytes(b"")
    store = ks.prepare("sbu", tmp_path / "raw", tmp_path / "store")
    assert (len(store), store.info.rejected, store.layout.name, store.info.fps) == (6, 0, "sbu15", 15)
    assert set(store.table.name) == set(store.table.file)
    assert store.table.name[0] == "s01s02_01_001_skeleton_pos"
    assert store.info.classes[0] == "approaching"
    assert set(store.table.setup) == {1, 5, 21}
    assert set(store.table.label) == {0, 7}
    for fold, tested in ((1, "s01s02"), (2, "s02s03"), (3, "s07s03")):
        assert {name[:6] for name in parts(store, f"fold-{fold}")[1]} == {tested}
    held_out = [frozenset(range(1, 22)) - split.train for split in sets.values()]
    assert sorted(number for fold in held_out for number in fold) == list(range(1, 22)), "each set is tested once"
    assert np.asarray(store.joints(0))[:, 1].any(), "both people are there"
    upright(store)


def test_the_numbers_of_sbu_are_metres_again(tmp_path: Path) -> None:
    layout = load_layout("sbu15")
    left, right = person(layout, seed=1), person(layout, seed=2)
    path = tmp_path / "skeleton_pos.txt"
    path.write_text(sbu_lines(left, right))
    read = sbu.read(Source(path=path, name="x"))
    np.testing.assert_allclose(read.joints, np.stack([left, right], axis=1), atol=2e-6 * 1280)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], ",".join(["2", *["0"] * 45, *lines[1].split(",")[46:]])]))
    assert np.isnan(sbu.read(Source(path=path, name="x")).joints[1, 0]).all(), "without depth, not seen"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda lines: [], "no frames"),
        (lambda lines: [lines[0], lines[1].rpartition(",")[0]], "line 2: "),
        (lambda lines: [lines[1], lines[0]], "line 2: frame 1 after frame 2"),
        (lambda lines: [lines[0].replace(",", ",x", 1)], "line 1: "),
        (lambda lines: [",".join(["1", "900", *lines[0].split(",")[2:]])], "line 1: joint 1 of person 1 at .* no position"),
        (lambda lines: [",".join(["1", *["0"] * 90])], "no body in any of its 1 frames"),
    ],
)
def test_what_is_no_sbu_file_is_refused(change: Callable[[list[str]], list[str]], reason: str, tmp_path: Path) -> None:
    layout = load_layout("sbu15")
    lines = sbu_lines(person(layout, 3), person(layout, 3, seed=1)).splitlines()
    path = tmp_path / "skeleton_pos.txt"
    path.write_text("\n".join(change(lines)))
    with pytest.raises(RecordingError, match=reason):
        sbu.read(Source(path=path, name="x"))


# --- UI-PRMD ------------------------------------------------------------------------------------------------------------


def ui_prmd_files(folder: Path, stem: str, wrong: bool = False, frames: int = 12) -> None:
    """A body whose joints are turned by nothing but the waist, which is turned by a quarter about y."""
    layout = ui_prmd.LAYOUT
    joints = person(layout, frames) * 100
    way = joints - joints[:, list(layout.parents)]
    way[:, 0] = joints[:, 0]
    angles = np.zeros_like(way)
    angles[:, 0, 1] = 90
    kind = "_inc" if wrong else ""
    for name, values in (("Positions", way), ("Angles", angles)):
        there = folder / f"{'Incorrect ' if wrong else ''}Segmented Movements" / "Kinect" / name
        there.mkdir(parents=True, exist_ok=True)
        lines = (",".join(f"{value:.6f}" for value in row.reshape(-1)) for row in values)
        (there / f"{stem}_{name.lower()}{kind}.txt").write_text("\n".join(lines) + "\n")


def test_ui_prmd_as_text(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    for movement in (1, 10):
        for subject in (1, 2, 9):
            for wrong in (False, True):
                ui_prmd_files(raw, f"m{movement:02}_s{subject:02}_e03", wrong=wrong)
    others = {
        "Segmented Movements/Vicon/Positions/m01_s01_e01_positions.txt": "1,2,3",
        "Movements/Kinect/Positions/m01_s01_positions.txt": "1,2,3",
    }
    for path, text in others.items():
        (raw / path).parent.mkdir(parents=True)
        (raw / path).write_text(text)
    store = ks.prepare("ui-prmd", raw, tmp_path / "store")
    assert (len(store), store.info.rejected, store.layout.name, store.info.fps) == (12, 0, "uiprmd22", 30)
    assert set(store.table.label) == {0, 9}
    assert {name.split("_")[1] for name in parts(store, "unseen-people")[1]} == {"s02"}
    assert {name.split("_")[1] for name in parts(store, "fold-5")[1]} == {"s09"}
    upright(store)
    judged = ks.prepare("ui-prmd-correctness", raw, tmp_path / "judged")
    assert judged.table.name == store.table.name
    for name, label in zip(judged.table.name, judged.table.label, strict=True):
        movement = ("deep squat", "standing shoulder scaption")[name.startswith("m10")]
        assert judged.info.classes[label] == movement + (" incorrect" if name.endswith("_incorrect") else "")


def test_turns_of_ui_prmd_move_what_hangs_on_a_joint_but_those_below_the_chest_no_collar() -> None:
    layout, at = ui_prmd.LAYOUT, ui_prmd.LAYOUT.joints.index
    way, angles = np.zeros((1, 22, 3)), np.zeros((1, 22, 3))
    way[0, :, 0] = 1  # each joint one along x of the one before
    angles[0, at("spine")] = [0, 0, 90]
    placed = ui_prmd.place_joints(way, angles)[0]
    np.testing.assert_allclose(placed[at("spine")], [2, 0, 0])
    np.testing.assert_allclose(placed[at("chest")], [2, 1, 0], atol=1e-12)
    np.testing.assert_allclose(placed[at("neck")], [2, 2, 0], atol=1e-12)
    np.testing.assert_allclose(placed[at("left_collar")], [3, 1, 0], atol=1e-12)
    np.testing.assert_allclose(placed[at("left_hip")], [2, 0, 0], atol=1e-12)
    assert len(layout.joints) == 22


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda where, turned: turned.unlink(), "no m01_s01_e01_angles.txt in the folder Angles"),
        (lambda where, turned: where.write_text(""), "m01_s01_e01_positions.txt: no frames"),
        (lambda where, turned: where.write_text("1,2,3\n"), "line 1: m01_s01_e01_positions.txt: "),
        (
            lambda where, turned: turned.write_text(turned.read_text().partition("\n")[2]),
            "12 frames of positions and 11 of angles",
        ),
        (lambda where, turned: where.write_text(where.read_text().replace(",", ",99999", 1)), "waist at .* not a position"),
    ],
)
def test_what_is_no_ui_prmd_file_is_refused(
    damage: Callable[[Path, Path], None], reason: str, tmp_path: Path
) -> None:
    ui_prmd_files(tmp_path, "m01_s01_e01")
    where, turned = sorted(tmp_path.rglob("*_positions.txt")) + sorted(tmp_path.rglob("*_angles.txt"))
    damage(where, turned)
    with pytest.raises(RecordingError, match=reason):
        ui_prmd.read(Source(path=where, name="x"))


def test_ui_prmd_as_one_file(real_data: Path, tmp_path: Path) -> None:
    """2 000 repetitions: ten movements of ten people, ten times rightly and ten times wrongly."""
    store = ks.prepare("ui-prmd", real_data / "ui-prmd/ui_prmd_kinect.npz", tmp_path / "store")
    assert (len(store), store.info.rejected) == (2000, 0)
    assert store.info.frames == 151_158
    assert np.bincount(store.table.label).tolist() == [200] * 10
    for split, counts in (("unseen-people", (1000, 1000)), ("fold-3", (1600, 400))):
        train, test = parts(store, split)
        assert (len(train), len(test)) == counts
        assert not {name[4:7] for name in train} & {name[4:7] for name in test}
    judged = load_dataset("ui-prmd-correctness").sources(real_data / "ui-prmd/ui_prmd_kinect.npz")
    assert np.bincount([source.action for source in judged]).tolist() == [0, *[100] * 20]


# --- HDM05 --------------------------------------------------------------------------------------------------------------


def acclaim(layout: SkeletonLayout) -> tuple[str, list[str]]:
    """An ASF file with the bones of CMU, and the lines of a frame of an AMC file."""
    pose = standing(layout)
    head = """# HDM05
:version 1.10
:name VICON
:units
  mass 1.0
  length 0.45
  angle deg
:root
  order TX TY TZ RX RY RZ
  axis XYZ
  position 0 0 0
  orientation 0 0 0
:bonedata
"""
    tree: dict[str, list[str]] = {}
    for v, (bone, parent) in enumerate(zip(layout.joints, layout.parents, strict=True)):
        if v == parent:
            continue
        way = (pose[v] - pose[parent]) / 0.0254 * 0.45
        length = float(np.linalg.norm(way)) or 1e-3
        x, y, z = way / length
        head += f"  begin\n    id {v}\n    name {bone}\n    direction {x:.6f} {y:.6f} {z:.6f}\n    length {length:.6f}\n"
        head += "    axis 0 0 0 XYZ\n    dof rx\n  end\n"
        tree.setdefault(layout.joints[parent], []).append(bone)
    hierarchy = "".join(f"  {bone} {' '.join(children)}\n" for bone, children in tree.items())
    return head + ":hierarchy\n  begin\n" + hierarchy + "  end\n", [
        "root 0 16 0 0 0 0",
        *(f"{bone} 0" for v, bone in enumerate(layout.joints) if layout.parents[v] != v),
    ]


def test_hdm05(tmp_path: Path) -> None:
    skeleton, frame = acclaim(load_layout("cmu31"))
    header = "#!OML:ASF X:\\für Bonn\\HDM_bd.ASF\r\n:FULLY-SPECIFIED\r\n:DEGREES\r\n".encode("latin-1")
    for action in ("squat3Reps", "throwBasketball", "cartwheelLHandStart1Reps"):
        folder = tmp_path / "raw/HDM05_cut_amc" / action
        folder.mkdir(parents=True)
        for actor in ("bd", "bk", "mm"):
            (folder / f"HDM_{actor}.asf").write_text(skeleton)
            lines = [word for number in range(1, 41) for word in (str(number), *frame)]
            suffix = "AMC" if actor == "bk" else "amc"
            (folder / f"HDM_{actor}_{action}_001_120.{suffix}").write_bytes(header + "\r\n".join(lines).encode())
    store = ks.prepare("hdm05", tmp_path / "raw", tmp_path / "store")
    assert (len(store), store.info.rejected, store.layout.name, store.info.fps) == (6, 0, "cmu31", 120)
    assert {store.info.classes[label] for label in store.table.label} == {"squat3Reps", "throwBasketball"}
    assert {name.split("_")[1] for name in parts(store, "xsub")[1]} == {"bk"}
    assert {name.split("_")[1] for name in parts(store, "xsub-mm-tr")[1]} == {"mm"}
    upright(store)


# --- Berkeley MHAD ------------------------------------------------------------------------------------------------------


def bvh_of(pose: dict[str, np.ndarray], tree: dict[str, list[str]], root: str, frames: int) -> str:
    """Offsets in centimetres; nothing turns."""
    order: list[str] = []

    def joint(name: str, above: np.ndarray, depth: int) -> str:
        order.append(name)
        x, y, z = pose[name] - above
        channels = "3 Zrotation Xrotation Yrotation" if depth else "6 Xposition Yposition Zposition Zrotation Xrotation Yrotation"
        inside = "".join(joint(child, pose[name], depth + 1) for child in tree.get(name, []))
        inside = inside or "End Site\n{\nOFFSET 0 1 0\n}\n"
        return f"{'JOINT' if depth else 'ROOT'} {name}\n{{\nOFFSET {x:.4f} {y:.4f} {z:.4f}\nCHANNELS {channels}\n{inside}}}\n"

    text = "HIERARCHY\n" + joint(root, pose[root], 0)
    row = " ".join([f"{value:.4f}" for value in pose[root]] + ["0"] * 3 * len(order))
    return text + f"MOTION\nFrames: {frames}\nFrame Time: 0.0020833\n" + f"{row}\n" * frames


def test_berkeley_mhad(tmp_path: Path) -> None:
    layout = load_layout("uiprmd22")
    at = {joint: 100 * place for joint, place in zip(layout.joints, standing(layout), strict=True)}
    trunk = {"Hips": "waist", "Spine": "spine", "Spine1": "spine", "Spine2": "chest", "Neck": "neck", "Head": "head"}
    limbs = {"Shoulder": "collar", "Arm": "shoulder", "ArmRoll": "shoulder", "ForeArm": "elbow", "ForeArmRoll": "elbow"}
    limbs |= {"Hand": "wrist", "UpLeg": "hip", "UpLegRoll": "hip", "Leg": "knee", "LegRoll": "knee", "Foot": "ankle"}
    limbs |= {"ToeBase": "toes"}
    pose = {name: at[joint] + (0, 0.1, 0) for name, joint in trunk.items()}
    for side in ("Right", "Left"):
        pose |= {side + name: at[f"{side.lower()}_{joint}"] for name, joint in limbs.items()}
    tree = {above: [below] for above, below in zip(list(trunk), list(trunk)[1:], strict=False)}
    for side in ("Right", "Left"):
        arm, leg = ([side + name for name in list(limbs)[rows]] for rows in (slice(0, 6), slice(6, 12)))
        tree["Spine2"] = [*tree["Spine2"], arm[0]]
        tree["Hips"] = [*tree["Hips"], leg[0]]
        for limb in (arm, leg):
            tree |= {above: [below] for above, below in zip(limb, limb[1:], strict=False)}
    folder = tmp_path / "Mocap/SkeletalData"
    folder.mkdir(parents=True)
    for subject in (1, 7, 8):
        text = bvh_of(pose, tree, "Hips", 20)
        (folder / f"skl_s{subject:02}_a11_r05.bvh").write_text(text)
    store = ks.prepare("berkeley-mhad", tmp_path / "Mocap", tmp_path / "store")
    assert (len(store), store.info.rejected, store.layout.name) == (3, 0, "body16")
    assert store.table.fps[0] == pytest.approx(480, rel=1e-3)
    assert store.info.classes[store.table.label[0]] == "stand up"
    assert parts(store, "xsub")[1] == {"skl_s08_a11_r05"}
    upright(store)
    body, wrist = np.asarray(store.joints(0))[0, 0], store.layout.joints.index
    assert np.linalg.norm(body[wrist("left_shoulder")] - body[wrist("left_elbow")]) == pytest.approx(
        np.linalg.norm(at["left_shoulder"] - at["left_elbow"]) / 100, abs=1e-3
    ), "the arm begins at the shoulder, not at the collar"


# --- Kinder-Gator -------------------------------------------------------------------------------------------------------

SENSOR = (
    "HipCenter Spine ShoulderCenter Head ShoulderLeft ElbowLeft WristLeft HandLeft ShoulderRight ElbowRight WristRight "
    "HandRight HipLeft KneeLeft AnkleLeft FootLeft HipRight KneeRight AnkleRight FootRight"
).split()


def test_kinder_gator(tmp_path: Path) -> None:
    header = "Timestamp," + ",".join(f"{joint}{axis}" for joint in SENSOR for axis in "XYZ") + ",User-ID,Action,"
    files = {
        "Adults/POSE-p565_01-Raise-your-hand-1468352173541.csv": "Raise your hand",
        "Adults/POSE-p577_44-Throw-a-ball--1468352173541.csv": "Throw a ball ",  # two dashes, as it is there
        "Children/POSE-p106_03-Walk-in-place-as-fast-as-you-can-1468352173541.csv": "Walk in place as fast as you can",
        "Children/POSE-p290_02-Walk-in-place-1468352173541.csv": "Walk in place",
    }
    for path, action in files.items():
        rows = [header]
        for t, body in enumerate(person(KINECT20, 30)):
            numbers = ",".join(f"{value:.7f}" for value in body.reshape(-1))
            rows.append(f"{1468352173541 + 32 * t},{numbers},{path[13:16]},{action},")
        (tmp_path / "raw" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "raw" / path).write_text("\n".join(rows) + "\n")
    store = ks.prepare("kinder-gator", tmp_path / "raw", tmp_path / "store")
    assert (len(store), store.info.rejected, store.layout.name) == (4, 0, "kinect20")
    told = {store.info.classes[label] for label in store.table.label}
    assert told == {"Raise-your-hand", "Throw-a-ball", "Walk-in-place-as-fast-as-you-can", "Walk-in-place"}
    assert {name[6:9] for name in parts(store, "adults-children")[1]} == {"106", "290"}
    assert {name[6:9] for name in parts(store, "unseen-people")[1]} == {"577", "290"}
    upright(store)
