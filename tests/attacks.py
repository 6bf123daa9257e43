"""Small files made to do harm: each must be refused, in one line, before it costs anything.

Run as a program, it makes and reads them all within limits of memory and time, which the system holds to.
"""

import gzip
import io
import json
import os
import resource
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from benchmarks import kinds

import kinestream as ks
from kinestream.data.formats.safe_pickle import load_pickle
from kinestream.data.store import Store
from kinestream.documents import load_yaml, read_json
from kinestream.models.encoder_file import load_encoder
from kinestream.models.published_weights import read_state
from kinestream.recipes import Recipe, resolve
from kinestream.skeleton.layout import load_layout
from kinestream.train.checkpoint import load_checkpoint
from kinestream.train.run_folder import Run
from kinestream.words import shown

MEMORY, SECONDS = 500 << 20, 5
"""What a file below 1 MB may cost before it is refused."""
_LEVELS = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 9))
ALIASES = f"l0: &l0 [x, x, x]\n{_LEVELS}\n"
MERGES = "l0: &l0 {a0: 1, b0: 1}\n" + "\n".join(
    f"l{n}: &l{n} {{<<: [{', '.join([f'*l{n - 1}'] * 10)}]}}" for n in range(1, 9)
)


def yaml_text(text: str) -> Callable[[Path], object]:
    return lambda folder: load_yaml(text, "it")


def setting(text: str) -> Callable[[Path], object]:
    return lambda folder: resolve("laptop", [text])


def recipe(**changed: object) -> Callable[[Path], object]:
    return lambda folder: Recipe.from_dict({**kinds.RECIPE, **changed}, "it")


def card(*path: str, value: object) -> Callable[[Path], object]:
    """A card with another value at some place of it."""

    def read(folder: Path) -> object:
        file = folder / "run" / "encoder-joint.json"
        whole = file.read_bytes()
        plain = json.loads(whole)
        inner = plain
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        file.write_text(json.dumps(plain))
        try:
            return load_encoder(file.with_suffix(".safetensors"))
        finally:
            file.write_bytes(whole)

    return read


def checkpoint(**changed: object) -> Callable[[Path], object]:
    """A checkpoint with other parts."""

    def read(folder: Path) -> object:
        state = torch.load(folder / "last.ckpt", weights_only=True)
        torch.save({**state, **changed}, folder / "other.ckpt")
        return load_checkpoint(folder / "other.ckpt", *kinds.small_network())

    return read


def learning_rate(value: object) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        state = torch.load(folder / "last.ckpt", weights_only=True)
        state["optimizer"]["param_groups"][0]["lr"] = value
        torch.save(state, folder / "other.ckpt")
        return load_checkpoint(folder / "other.ckpt", *kinds.small_network())

    return read


def npz_of_zeros(folder: Path) -> object:
    """Under 1 MB, 180 MB unpacked."""
    with (
        zipfile.ZipFile(folder / "bomb.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("joints.npy", "w") as file,
    ):
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (750_000, 20, 3)})
        for _ in range(180):
            file.write(bytes(1_000_000))
    assert (folder / "bomb.npz").stat().st_size < 1_000_000
    return ks.read(folder / "bomb.npz", layout="kinect20")


def npy_header(text: str) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        head = text.encode().ljust(117) + b"\n"
        (folder / "evil.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + bytes(64))
        return ks.read(folder / "evil.npy", layout="kinect20")

    return read


def pickled(content: bytes) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        (folder / "evil.pkl").write_bytes(content)
        return load_pickle(folder / "evil.pkl")

    return read


def weights(write: Callable[[Path], object]) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        write(folder / "evil.pt")
        return read_state(folder / "evil.pt")

    return read


def _squeezed(path: Path) -> None:
    """A file of torch whose numbers are compressed, which torch never does: 200 MB of them."""
    made = io.BytesIO()
    torch.save({"a": torch.zeros(1)}, made)
    with zipfile.ZipFile(made) as whole, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as small:
        for name in whole.namelist():
            with small.open(name, "w") as file:
                if name.endswith("data/0"):
                    for _ in range(200):
                        file.write(bytes(1_000_000))
                else:
                    file.write(whole.read(name))


def json_text(text: bytes) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        (folder / "evil.json").write_bytes(text)
        return read_json(folder / "evil.json", remedy="leave it")

    return read


def log_line(line: bytes) -> Callable[[Path], object]:
    """What is no line of a log is passed over, and no error."""

    def read(folder: Path) -> object:
        run = Run(folder / "run")
        whole = run.metrics.read_bytes()
        run.metrics.write_bytes(line + b"\n" + whole)
        try:
            assert run.epochs_done == 3
        finally:
            run.metrics.write_bytes(whole)
        raise ValueError("passed over")

    return read


def store_json(**changed: object) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        file = folder / "store" / "store.json"
        whole = file.read_bytes()
        file.write_text(json.dumps({**json.loads(whole), **changed}))
        try:
            return Store(folder / "store")
        finally:
            file.write_bytes(whole)

    return read


def layout_file(text: str) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        (folder / "evil.yaml").write_text(text)
        return load_layout(folder / "evil.yaml")

    return read


def recording(name: str, content: bytes) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        (folder / name).write_bytes(content)
        return ks.read(folder / name, layout="kinect20")

    return read


def packed(name: str, megabytes: int) -> Callable[[Path], object]:
    """Zeros in an archive of recordings, which is much smaller than what it holds."""

    def read(folder: Path) -> object:
        if name.endswith(".gz"):
            with gzip.open(folder / name, "wb", compresslevel=1) as file:
                for _ in range(megabytes):
                    file.write(bytes(1_000_000))
        else:
            with (
                zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
                archive.open("walk.csv", "w") as file,
            ):
                for _ in range(megabytes):
                    file.write(bytes(1_000_000))
        return ks.read(folder / name)

    return read


def no_file(folder: Path) -> object:
    """Reading it would never end."""
    if not (folder / "pipe.bvh").exists():
        os.mkfifo(folder / "pipe.bvh")
    return ks.read(folder / "pipe.bvh")


def vectors(value: float) -> Callable[[Path], object]:
    """An archive some of whose numbers are others."""

    def read(folder: Path) -> object:
        whole = (folder / "archive.npz").read_bytes()
        changed = whole.replace(np.float32(1).tobytes(), np.float32(value).tobytes(), 1)
        assert changed != whole
        (folder / "evil.npz").write_bytes(changed)
        return ks.open_embeddings(folder / "evil.npz").vectors

    return read


ATTACKS: Mapping[str, tuple[Callable[[Path], object], str]] = {
    "aliases": (yaml_text(ALIASES), "aliases that stand for more than"),
    "merged mappings": (yaml_text(MERGES), "merged to more than"),
    "a list in itself": (yaml_text("&a [*a]"), "a list that holds itself"),
    "brackets": (yaml_text("[" * 400), "not YAML"),
    "many brackets": (yaml_text("[" * 200_000), "not YAML"),
    "a long text": (yaml_text("[" + "1, " * 300_000 + "]"), "more than"),
    "many values": (yaml_text("[" + "1, " * 80_000 + "]"), "more than"),
    "a timestamp": (yaml_text("!!timestamp x"), "not YAML"),
    "no number": (yaml_text("!!int ''"), "not YAML"),
    "a number of minutes": (yaml_text("1" + ":59" * 80_000), "a number of"),
    "a constructor": (yaml_text("!!python/object/apply:os.getcwd []"), "not YAML"),
    "a layout of aliases": (layout_file(ALIASES), "aliases"),
    "a setting of brackets": (setting("epochs=" + "[" * 400), "not YAML"),
    "a setting of a timestamp": (setting("epochs=!!timestamp x"), "not YAML"),
    "a setting of a large number": (setting("epochs=0x" + "f" * 90), "must be at most"),
    "a setting of nan": (setting("optimiser.rate=.nan"), "optimiser.rate"),
    "a setting of infinity": (setting("optimiser.weight_decay=.inf"), "optimiser.weight_decay"),
    "a monitor that is a file": (recipe(monitor="/etc/hostname"), "monitor"),
    "a share beyond 1": (recipe(augment={"mirror": 7.0}), "is a probability"),
    "a number beyond single precision": (recipe(optimiser={"rate": 1e300}), "must be at most 1e+15"),
    "a head of all memory": (recipe(method={"name": "caca", "hidden": 10**8}), "method.hidden"),
    "a head of nothing": (recipe(method={"name": "caca", "hidden": 0}), "method.hidden"),
    "a queue below nothing": (recipe(method={"name": "skeletonclr", "queue": -1}), "method.queue"),
    "a negative rate": (recipe(optimiser={"rate": -1.0}), "optimiser.rate"),
    "text for a number in a card": (card("frames", value="ten"), "frames"),
    "a billion sides": (card("readout", "turns", value=10**9), "turns"),
    "a name without an end": (card("recipe", value="x" * 500_000), "a name of 500,000 characters"),
    "a clip of no time": (card("seconds", value=1e-300), "seconds"),
    "a billion layers": (card("encoder", "layers", value=10**9), "encoder.layers"),
    "wide layers": (card("encoder", "hidden", value=65_536), "does not fit its card"),
    "dropout that is no number": (card("encoder", "dropout", value=float("nan")), "NaN"),
    "a clip of many points": (card("bodies", value=10**9), "bodies"),
    "a position before the beginning": (
        checkpoint(position={"epoch": -1, "step": 0, "sums": {}, "log_bytes": 0, "seconds": 0.0}),
        "cannot be",
    ),
    "a position of text": (checkpoint(position="x"), "where the run stands"),
    "an optimiser of nothing": (checkpoint(optimizer={}), "no checkpoint of this run"),
    "weights of nothing": (checkpoint(method=None), "no weights"),
    "a learning rate of text": (learning_rate("fast"), "has lr"),
    "a learning rate of nan": (learning_rate(float("nan")), "has lr"),
    "JSON that begins with brackets": (recording("deep.json", b"[" * 500_000), "no file of a known format"),
    "JSON whose keys are long": (
        recording("keys.json", (b'{"' + b"k" * 500 + b'":') * 1500),
        "no file of a known format",
    ),
    "a table of one line": (recording("line.csv", b"x" * 900_000), "no file of a known format"),
    "a packed table": (packed("bomb.zip", 210), "unpacks to more than"),
    "a table that is packed alone": (packed("bomb.csv.gz", 210), "no file of a known format"),
    "a pipe": (no_file, "neither a file nor a folder"),
    "vectors without an end": (vectors(float("inf")), "not of length 1"),
    "vectors that are no numbers": (vectors(float("nan")), "not of length 1"),
    "long vectors": (vectors(1e30), "not of length 1"),
    "an archive of zeros": (npz_of_zeros, "unpacks"),
    "a header with a negative size": (
        npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 20, 3), }"),
        "an array (-1, 20, 3)",
    ),
    "a header of objects": (npy_header("{'descr': '|O', 'fortran_order': False, 'shape': (2, 20, 3), }"), "objects"),
    "a header of brackets": (npy_header("(" * 100), "no header"),
    "a header of a huge array": (
        npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 20, 3), }"),
        "ends before",
    ),
    "a pickle with a huge memo": (pickled(b"\x80\x02Nr\xff\xff\xff\x7f."), "no whole pickle"),
    "a pickle of nine bytes": (pickled(b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f"), "no whole pickle"),
    "a pickle of a function": (pickled(b"cos\nsystem\n(S'true'\ntR."), "refused"),
    "a pickle of references": (pickled(b"\x80\x02" + b"(" * 50_000 + b"t" * 50_000 + b"Q."), "pickle"),
    "weights that are squeezed": (weights(_squeezed), "more than there is"),
    "weights that are cut": (weights(lambda path: path.write_bytes(b"PK\x03\x04" + bytes(100))), "as weights"),
    "weights that stand for more": (
        weights(lambda path: torch.save({"a": torch.zeros(1).expand(10**9)}, path)),
        "stand for",
    ),
    "no weights": (weights(lambda path: path.write_bytes(b"")), "empty"),
    "JSON too deep": (json_text(b"[" * 200_000), "too deep"),
    "JSON with nan": (json_text(b'{"a": NaN}'), "NaN"),
    "JSON with infinity": (json_text(b'{"a": 1e999}'), "1e999"),
    "JSON that is no object": (json_text(b"[1]"), "an object belongs"),
    "a log line that is a list": (log_line(b"[1, 2]"), "passed over"),
    "a log line with an epoch of text": (log_line(b'{"kind": "epoch", "epoch": "x"}'), "passed over"),
    "a log line without an epoch": (log_line(b'{"kind": "epoch"}'), "passed over"),
    "a split that is a path": (store_json(splits={"../x": {"field": "file", "train": []}}), "files are named after it"),
    "classes of nothing": (store_json(classes=None), "'classes' is no list"),
    "classes that are called alike": (store_json(classes=["a", "b", "a"]), "a name twice"),
    "a rate of nan": (store_json(fps="nan"), "'fps'"),
    "a layout of nothing": (store_json(layout=[]), "layout"),
}
"""What each is, how it is read, and what must be said of it."""


def main() -> None:
    """Reads them all, each within its limits; prints those that were not refused."""
    wrong = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        kinds.whole_files(folder)
        for name, (read, _) in ATTACKS.items():
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))
            resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + SECONDS + 2, resource.RLIM_INFINITY))
            sys.stderr.write(f"{name}\n")  # the last one, where the system ends the process
            try:
                read(folder)
                wrong.append(f"{name}: accepted")
            except (ValueError, OSError):
                pass
            except BaseException as error:  # noqa: BLE001
                wrong.append(f"{name}: {type(error).__name__} {shown(str(error))}")
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    sys.stdout.write(json.dumps(wrong))


if __name__ == "__main__":
    main()
