from pathlib import Path

import h5py
import numpy as np
import pytest
from tests.estimator_files import (
    deeplabcut_csv,
    deeplabcut_table,
    mutations,
    random_points,
    read,
    read_one,
    refusal,
    survive,
)


def scored_points(frames: int, people: int, points: int, coordinates: int = 2) -> np.ndarray:
    made = random_points(frames * people, points, coordinates + 1).reshape(frames, people, points, -1)
    made[..., -1] /= 400
    return made


def write(path: Path, points: np.ndarray, individuals: tuple[str, ...] = ()) -> Path:
    """As the ending says; `.fixed.h5` in pandas' form for tables that are not appended to."""
    if path.suffix == ".csv":
        path.write_text(deeplabcut_csv(points, individuals))
    else:
        form = "fixed" if ".fixed" in path.name else "table"
        deeplabcut_table(points, individuals).to_hdf(path, key="df_with_missing", format=form, mode="w")
    return path


FILES = ("a.csv", "a.h5", "a.fixed.h5")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("coordinates", [2, 3])
def test_one_animal(tmp_path: Path, name: str, coordinates: int) -> None:
    points = scored_points(7, 1, 4, coordinates)
    found = read_one("deeplabcut", write(tmp_path / name, points))
    np.testing.assert_array_equal(found.joints, points[..., :-1])
    np.testing.assert_array_equal(found.confidence, points[..., -1])  # type: ignore[arg-type]
    assert found.points == ("part0", "part1", "part2", "part3")
    assert (found.units, found.up) == (("px", "-y") if coordinates == 2 else (None, None))
    assert found.notes == ()


@pytest.mark.parametrize("name", FILES)
def test_several_animals_and_gaps(tmp_path: Path, name: str) -> None:
    points = scored_points(6, 3, 4)
    points[2, 1] = np.nan
    points[4, 0, 2] = np.nan
    found = read_one("deeplabcut", write(tmp_path / name, points, ("a", "b", "c")))
    np.testing.assert_array_equal(found.joints, points[..., :2])
    assert found.confidence is not None
    assert found.confidence[2, 1].tolist() == [0] * 4


def test_a_real_file_of_labelled_pictures(real_data: Path) -> None:
    path = real_data / "formats/deeplabcut/labelled.csv"
    found = read_one("deeplabcut", path)
    rows = [line.split(",") for line in path.read_text().splitlines()]
    expected = np.array([[float(field) for field in row[1:]] for row in rows[3:]]).reshape(-1, 1, 4, 2)
    np.testing.assert_array_equal(found.joints, expected)
    assert found.points == ("snout", "leftear", "rightear", "tailbase")
    assert (found.units, found.confidence) == ("px", None)


@pytest.mark.parametrize("columns", [1, 3])
def test_labelled_pictures_of_two_videos(tmp_path: Path, columns: int) -> None:
    points = scored_points(6, 1, 2)
    head, *rows = deeplabcut_csv(points).splitlines()
    lines = [head, *rows]
    made = []
    for at, line in enumerate(lines):
        first, _, rest = line.partition(",")
        image = f"labeled-data/{'ab'[at % 2]}/img{at - 3:03}.png" if at >= 3 else first
        made.append(
            ",".join([*(image.split("/") if at >= 3 else [first, "", ""]), rest]) if columns == 3 else f"{image},{rest}"
        )
    path = tmp_path / "a.csv"
    path.write_text("\r\n".join(made))
    one, two = read("deeplabcut", path)
    assert {one.name, two.name} == {"a", "b"}
    np.testing.assert_array_equal(one.joints[::2], points[::2, ..., :2])
    np.testing.assert_array_equal(two.joints[::2], points[1::2, ..., :2])
    assert np.isnan(one.joints[1::2]).all()


@pytest.mark.parametrize("levels", [1, 3])
def test_labelled_pictures_in_hdf5(tmp_path: Path, levels: int) -> None:
    import pandas as pd

    points = scored_points(4, 1, 2)
    table = deeplabcut_table(points)
    images = [("labeled-data", "walk", f"img{t:03}.png") for t in (5, 6, 7, 9)]
    table.index = pd.MultiIndex.from_tuples(images) if levels == 3 else ["/".join(image) for image in images]
    path = tmp_path / "a.h5"
    table.to_hdf(path, key="df_with_missing", mode="w")
    found = read_one("deeplabcut", path)
    assert len(found.joints) == 5
    np.testing.assert_array_equal(found.joints[[0, 1, 2, 4]], points[..., :2])


def test_parts_of_one_animal_only_and_other_columns(tmp_path: Path) -> None:
    lines = deeplabcut_csv(scored_points(3, 2, 3), ("a", "b")).splitlines()
    more = (
        ["DLC_net"] * 4,
        ["single", "single", "a", "a"],
        ["corner", "corner", "part0", "part1"],
        ["x", "y", "speed", "speed"],
    )
    lines = [f"{line},{','.join(more[at] if at < 4 else ['1'] * 4)}" for at, line in enumerate(lines)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines))
    found = read_one("deeplabcut", path)
    assert found.joints.shape == (3, 2, 3, 2)
    assert found.notes == (
        "not read: single, which has 1 other body parts",
        "not read: 2 columns besides x, y, z, likelihood",
    )


def test_names_of_columns_are_never_run(tmp_path: Path) -> None:
    """A pickle in place of the names that would make a folder."""
    target = tmp_path / "made"
    path = write(tmp_path / "a.h5", scored_points(3, 1, 2))
    evil = b"cos\nmkdir\n(V" + str(target).encode() + b"\ntR."
    with h5py.File(path, "r+") as file:
        table = file["df_with_missing/table"]
        table.attrs["values_block_0_kind"] = np.bytes_(evil)
        file["df_with_missing"].attrs["non_index_axes"] = np.bytes_(evil)
    words = refusal("deeplabcut", path)
    assert "refused 'os.mkdir'" in words
    assert "save it as CSV" in words
    assert not target.exists()


def test_what_lies_in_other_files_is_not_read(tmp_path: Path) -> None:
    path, other = tmp_path / "a.h5", write(tmp_path / "b.fixed.h5", scored_points(3, 1, 2))
    write(path, scored_points(3, 1, 2))
    with h5py.File(path, "r+") as file:
        del file["df_with_missing/table"]
        file["df_with_missing/table"] = h5py.ExternalLink(str(other), "df_with_missing/block0_values")
    assert "is a link" in refusal("deeplabcut", path)


HEAD = "scorer,s,s,s,s\nbodyparts,a,a,b,b\ncoords,x,y,x,y\n"
REFUSED = {
    "": "empty",
    HEAD: "no frames",
    "bodyparts,a,a\ncoords,x,y\n0,1,2\n": "not named by scorer, body part and coordinate",
    "a,b\n1,2\n": "its first lines are not scorer, bodyparts and coords",
    f"{HEAD}0,1,2,3\n": "line 4: 4 cells where 5 belong",
    f"{HEAD}0,1,2,3,x\n": "line 4: 'x' where a number belongs",
    f"{HEAD}0,1,2,3,4\n0,1,2,3,4\n": "two rows are of one frame",
    f"{HEAD}0,1,2,3,4\n999999,1,2,3,4\n": "pictures, not one video",
    f"{HEAD}0,,,,\n": "no body in any of its 1 frames",
    f"{HEAD}0,1e99,2,3,4\n": "frame 0: a point that is no position",
    f"{HEAD}0,1,2,3,4\n1.5,1,2,3,4\n": "the first column does not number the frames",
    HEAD.replace("b,b", "a,a") + "0,1,2,3,4\n": "two columns s/a/x",
    HEAD.replace("x,y,x,y", "x,y,x,z") + "0,1,2,3,4\n": "no column",
    HEAD.replace("x,y,x,y", "a,b,c,d") + "0,1,2,3,4\n": "no columns x and y of body parts",
    HEAD.replace("b,b", "b") + "0,1,2,3,4\n": "line 2: 4 fields where 5 belong",
}


@pytest.mark.parametrize("text", REFUSED)
def test_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    assert REFUSED[text] in refusal("deeplabcut", path)


def test_damaged_csv(tmp_path: Path) -> None:
    text = deeplabcut_csv(scored_points(12, 2, 3), ("a", "b")).encode()
    taken, refused = survive(
        "deeplabcut", tmp_path / "a.csv", mutations(text, 400, words=(b"coords", b"likelihood", b"part1")), 100_000
    )
    assert taken > 30
    assert refused > 100


@pytest.mark.parametrize("name", ["a.h5", "a.fixed.h5"])
def test_damaged_hdf5(tmp_path: Path, name: str) -> None:
    content = write(tmp_path / name, scored_points(12, 2, 3), ("a", "b")).read_bytes()
    taken, refused = survive("deeplabcut", tmp_path / name, mutations(content, 200), 100_000)
    assert taken > 10
    assert refused > 30


def test_other_tables_of_pandas_are_refused(tmp_path: Path) -> None:
    import pandas as pd

    path = tmp_path / "a.h5"
    pd.DataFrame({"x": [1.0], "y": [2.0]}).to_hdf(path, key="a", mode="w")
    assert "no names of 'block0_items'" in refusal("deeplabcut", path)
    pd.Series([1.0]).to_hdf(path, key="a", mode="w")
    assert "of the kind 'series'" in refusal("deeplabcut", path)
    path.write_bytes(b"x")
    assert "no HDF5 file" in refusal("deeplabcut", path)
