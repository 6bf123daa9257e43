"""Pickles of unknown origin: arrays come out as they went in, and nothing else gets anywhere."""

import os
import pickle
import struct
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tests.peak import PEAK

from kinestream.data.formats.safe_pickle import RefusedPickleError, load_pickle

NUMBERS = (
    arrays.boolean_dtypes()
    | arrays.integer_dtypes(endianness="?")
    | arrays.floating_dtypes(endianness="?", sizes=(16, 32, 64))
    | arrays.unicode_string_dtypes(endianness="?", max_len=5)
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=8,
)


def read(folder: Path, content: bytes) -> Any:
    path = folder / "file.pkl"
    path.write_bytes(content)
    return load_pickle(path)


@given(value=PLAIN, protocol=st.integers(0, 5))
def test_plain_containers_come_out_as_they_went_in(
    value: object, protocol: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert read(tmp_path_factory.getbasetemp(), pickle.dumps(value, protocol)) == value


@given(
    array=NUMBERS.flatmap(lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, min_side=0))),
    protocol=st.integers(0, 5),
    fortran=st.booleans(),
)
def test_arrays_come_out_as_they_went_in(
    array: np.ndarray, protocol: int, fortran: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    array = np.asfortranarray(array) if fortran else array
    found = read(tmp_path_factory.getbasetemp(), pickle.dumps({"a": [array], "b": (array,)}, protocol))
    for value in (found["a"][0], found["b"][0]):
        assert value.dtype == array.dtype
        assert value.shape == array.shape
        np.testing.assert_array_equal(value, array)
        assert value.flags.writeable


@pytest.mark.parametrize("protocol", range(6))
def test_scalars_sets_and_shared_parts(protocol: int, tmp_path: Path) -> None:
    shared = [np.arange(3)]
    value = {"label": np.int64(7), "share": np.float32(0.5), "set": {1, 2}, "frozen": frozenset({"a"}), "x": shared}
    value["again"], value["order"], value["bytes"] = shared, OrderedDict(a=1), bytearray(b"\x00\xff")
    found = read(tmp_path, pickle.dumps(value, protocol))
    assert found["x"] is found["again"]
    assert (found["label"], type(found["label"])) == (7, np.int64)
    for key in ("share", "set", "frozen", "order", "bytes"):
        assert found[key] == value[key], key


def test_a_list_that_holds_itself(tmp_path: Path) -> None:
    ring: list[object] = [np.arange(2)]
    ring.append(ring)
    found = read(tmp_path, pickle.dumps(ring))
    assert found[1] is found
    assert found[0].tolist() == [0, 1]


def test_pickles_of_numpy_1_have_the_module_under_its_old_name(tmp_path: Path) -> None:
    content = pickle.dumps((np.arange(4.0), np.int32(3)), 2)
    old = content.replace(b"numpy._core", b"numpy.core")
    assert old != content
    values, number = read(tmp_path, old)
    assert values.tolist() == [0, 1, 2, 3]
    assert number == 3


def test_pickles_of_python_2_hold_bytes_for_strings(tmp_path: Path) -> None:
    """As `pickle.dumps((["a.skeleton"], array([1, 2])), 2)` of Python 2 writes them: no `_codecs.encode`."""
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01bt\x52(K\x01K\x02\x85"
        b"cnumpy\ndtype\n(U\x02i8K\x00K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89U\x10" + struct.pack("<2q", 1, 2) + b"tb"
    )
    names, labels = read(tmp_path, b"\x80\x02(]U\x0aa.skeletona" + array + b"t.")
    assert names == ["a.skeleton"]
    assert labels.tolist() == [1, 2]


# --- what is refused ------------------------------------------------------------------------------------------------


class Call:
    """Pickles as a call."""

    def __init__(self, function: Any, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    ("function", "named"),
    [(os.system, f"{os.name}.system"), (eval, "eval"), (exec, "exec"), (getattr, "getattr"), (open, "open")],
)
def test_code_is_refused_by_name_and_not_run(protocol: int, function: Any, named: str, tmp_path: Path) -> None:
    target = tmp_path / "ran"
    words = {os.system: f"touch {target}", open: str(target)}.get(function, f"open({str(target)!r}, 'w')")
    more = ("w",) if function is open else ()
    hidden = {"annotations": [np.arange(3), {"x": Call(function, words, *more)}]}
    with pytest.raises(RefusedPickleError, match=rf"file\.pkl: refused '.*{named}'.* nothing was run"):
        read(tmp_path, pickle.dumps(hidden, protocol))
    assert not target.exists()


@pytest.mark.parametrize(
    "value",
    [
        np.array([1, "a", None], dtype=object),
        np.zeros(2, dtype="i4,f4"),
        np.zeros(2, dtype=[("a", "O")]),
        np.array(["2020"], dtype="M8[D]"),
        np.zeros(2, dtype=(np.void, 8)),
    ],
    ids=str,
)
@pytest.mark.parametrize("protocol", range(6))
def test_arrays_of_anything_but_numbers_and_strings_are_refused(value: object, protocol: int, tmp_path: Path) -> None:
    with pytest.raises(RefusedPickleError, match=r"refused an array of type|entries have parts|refused '"):
        read(tmp_path, pickle.dumps([value], protocol))


@pytest.mark.parametrize("value", [range(3), 1j, np.random.default_rng(0), Path("x"), len, Exception("x"), slice(1)])
def test_other_objects_are_refused_by_name(value: object, tmp_path: Path) -> None:
    with pytest.raises(RefusedPickleError, match=r"file\.pkl: refused '[\w.]+'"):
        read(tmp_path, pickle.dumps({"a": value}))


def forged(shape: bytes, dtype: bytes, content: bytes) -> bytes:
    """An array whose parts do not go together, in the opcodes of protocol 2."""
    return (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01" + shape + dtype
    ) + (b"\x89" + content + b"tb.")


F4 = (
    b"cnumpy\ndtype\nX\x02\x00\x00\x00f4\x89\x88\x87R"
    b"(K\x03X\x01\x00\x00\x00<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
)
FOUR = b"C\x04\x00\x00\x80?"


def test_the_forgery_itself_is_sound(tmp_path: Path) -> None:
    assert read(tmp_path, forged(b"K\x01\x85", F4, FOUR)).tolist() == [1.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (forged(b"K\x02\x85", F4, FOUR), "an array .* with 4 bytes"),
        (forged(b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86", F4, FOUR), "with 4 bytes"),
        (forged(b"J\xff\xff\xff\xff\x85", F4, FOUR), "the shape"),
        (forged(b"G?\xf0\x00\x00\x00\x00\x00\x00\x85", F4, FOUR), "the shape"),
        (forged(b"K\x01\x85", F4, b"]"), "array of objects"),
        (forged(b"K\x01\x85", b"N", FOUR), "array of objects"),
        (forged(b"K\x01\x85", F4.replace(b"f4", b"O8"), FOUR), "refused an array of type 'O8'"),
        (forged(b"K\x01\x85", F4.replace(b"NNN", b"NK\x01N"), FOUR), "entries have parts"),
        (b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n.", "refused a function"),
        (b"\x80\x02cnumpy\ndtype\n}X\x01\x00\x00\x00aK\x01sb.", "state of a function"),
        (b"\x80\x02cnumpy\ndtype\nN}X\x05\x00\x00\x00_callK\x01s\x86b.", "state of a function"),
        (b"\x80\x02cnumpy\ndtype\n)\x81.", "damaged"),
        (b"\x80\x02Vfile\nQ.", "outside reference"),
        (b"\x80\x04\x8c\x05numpy\x8c\x07dtype.x\x93.", r"refused 'numpy\.dtype\.x'"),
        (b"\x80\x02c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R.", "refused to fill a container"),
        (b"\x80\x02cos\x1b[31m\nsystem\n.", r"refused 'os\?\[31m\.system'"),
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f", "damaged"),
        (b"", "damaged"),
        (b"\x80\x63.", "damaged"),
    ],
)
def test_what_stays_within_the_names_is_checked(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(RefusedPickleError, match=message) as caught:
        read(tmp_path, content)
    assert str(caught.value).startswith(str(tmp_path / "file.pkl"))
    assert "\n" not in str(caught.value)


def test_what_a_pickle_is_given_stays_as_it_was(tmp_path: Path) -> None:
    before = pickle.dumps(np.arange(3))
    with pytest.raises(RefusedPickleError):
        read(tmp_path, b"\x80\x02cnumpy\ndtype\nN}X\x05\x00\x00\x00_callK\x01s\x86b.")
    assert read(tmp_path, before).tolist() == [0, 1, 2]


def test_nested_without_end(tmp_path: Path) -> None:
    with pytest.raises(RefusedPickleError, match="damaged"):
        read(tmp_path, b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + b".")


@given(data=st.data())
def test_a_cut_or_changed_pickle_never_gives_anything_but_one_error(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(pickle.dumps((["a", "b"], np.arange(6).reshape(2, 3), {"x": np.float32(1)}), 4))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
        with pytest.raises(RefusedPickleError):
            read(tmp_path_factory.getbasetemp(), bytes(content))
        return
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    said = ""
    try:
        read(tmp_path_factory.getbasetemp(), bytes(content))
    except RefusedPickleError as error:
        said = str(error)
    assert "\n" not in said


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("index", [2**31 - 1, 0xF0FFFFFF])
def test_a_few_bytes_do_not_eat_the_memory(index: int) -> None:
    """A memo with a huge index: the reader of the language makes a table of so many places."""
    content = b"\x80\x02]r" + index.to_bytes(4, "little") + b"."
    code = (
        f"{PEAK}\nimport sys; from kinestream.data.formats.safe_pickle import loads_pickle\n"
        "try:\n    loads_pickle(bytes.fromhex(sys.argv[1]), 'bomb')\n"
        "except ValueError as error:\n    print(error)\n"
        "print(peak() // 2**20)"
    )
    done = subprocess.run([sys.executable, "-c", code, content.hex()], capture_output=True, text=True, check=True)
    said, most = done.stdout.splitlines()
    assert said == "bomb is no whole pickle (MemoryError): cut off or damaged"
    assert int(most) < 900, "megabytes"
