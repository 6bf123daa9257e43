"""Kills every command that writes, at random moments, and looks at what it leaves: whole or absent, the next call goes
through and ends with the same result, and nothing temporary stays.

`python -m benchmarks kills --count 100` prints what came out as JSON. Half of the moments are of the clock; the others
are operations on files (opened to be written, renamed, removed, made), where a kill does most harm.

Each command runs in a child that is forked after torch is loaded, so that the time goes into the work.
"""

import argparse
import contextlib
import csv
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_WRITING = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree"}
_LIMIT_SECONDS = 600.0
_CPU = ("--device", "cpu")
_SMALL = (
    *("epochs=2", "batch_size=8", "frames=10", "streams=[joint]", "method.name=caca", "method.hidden=16"),
    *("method.embedding=8", "encoder.hidden=4", "encoder.dim=8"),
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A command that writes."""

    name: str
    words: tuple[str, ...]
    made: tuple[str, ...]
    """What it makes, as seen from the working folder."""
    check: Callable[[Path], None]
    """Raises where one of them is neither whole nor absent."""
    again: tuple[str, ...] = ()
    """Words of the next call that the first has not."""
    given: tuple[str, ...] = ()
    """What it works on and writes into, copied for each kill."""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """When to kill: after a share of the time or of the operations on files of an undisturbed call, and by what."""

    by_operation: bool
    share: float
    number: signal.Signals


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks kills", description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="how many kills, over all commands")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--only", action="append", default=[], help="a command; may be given several times")
    given = parser.parse_args(words)
    done = measure(given.count, seed=given.seed, only=given.only)
    print(json.dumps(done, indent=1))
    return 1 if done["wrong"] else 0


def measure(count: int, *, seed: int = 0, only: Sequence[str] = ()) -> dict[str, Any]:
    """Counts of kills by command and signal, and all that was wrong."""
    _load()
    with tempfile.TemporaryDirectory(prefix="kills-") as place, _here(Path(place)):
        _prepare_material(only)
        cases = _chosen(only)
        if unknown := set(only) - {case.name for case in cases}:
            raise ValueError(f"no command {min(unknown)}: there are {', '.join(case.name for case in _cases())}")
        lot = random.Random(seed)
        usual: dict[str, tuple[float, int]] = {}
        kills: Counter[str] = Counter()
        signals: Counter[str] = Counter()
        in_time = 0
        wrong: list[str] = []
        for number in range(count):
            case = cases[number % len(cases)]
            if case.name not in usual:
                usual[case.name] = _undisturbed(case)
            moment = Moment(by_operation=lot.random() < 0.5, share=lot.random(), number=lot.choice(SIGNALS))
            hit, faults = _kill(case, moment, *usual[case.name])
            kills[case.name] += 1
            signals[moment.number.name] += 1
            in_time += hit
            what = f"{moment.number.name} at {moment.share:.3f} of the {'files' if moment.by_operation else 'time'}"
            wrong += [f"{case.name}, {what}: {fault}" for fault in faults]
            print(f"{number + 1}/{count} {case.name}, {what}: {faults or 'well'}", file=sys.stderr, flush=True)
    return {
        "kills": sum(kills.values()),
        "before_the_end": in_time,
        "by_command": dict(kills),
        "by_signal": dict(signals),
        "operations_on_files": {name: operations for name, (_, operations) in usual.items()},
        "wrong": wrong,
    }


def _load() -> None:
    """What all commands need, once, before the first fork."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import torch

    import kinestream.cli
    import kinestream.evaluate.session
    import kinestream.train.pretrain
    import kinestream.use.model

    torch.set_num_threads(1)
    del kinestream


@contextlib.contextmanager
def _here(place: Path) -> Iterator[None]:
    """A folder to work in, with temporary files of its own."""
    before, temporary = Path.cwd(), place / "tmp"
    temporary.mkdir()
    told = {name: os.environ.get(name) for name in ("TMPDIR", "XDG_CACHE_HOME")}
    os.environ |= {"TMPDIR": str(temporary), "XDG_CACHE_HOME": str(place / "cache")}
    tempfile.tempdir = None
    (place / "work").mkdir()
    os.chdir(place / "work")
    try:
        yield
    finally:
        os.chdir(before)
        for name, value in told.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        tempfile.tempdir = None


def _prepare_material(only: Sequence[str]) -> None:
    """What the commands work on, in the folder `material`: as much of it as those asked for need."""
    steps = (
        ("raw", ("generate", "nw-ucla", "material/raw", "--clips", "48")),
        ("store", ("prepare", "nw-ucla", "material/raw", "material/store", "--processes", "1")),
        ("run", _pretrain("material/store", "material/run")),
        ("moves.npz", ("embed", "material/store", "--encoder", "material/run", "--out", "material/moves.npz", *_CPU)),
        (
            "a.model",
            ("fit", "material/moves.npz", "--out", "material/a.model", "--folds", "2", "--no-baselines", *_CPU),
        ),
    )
    last = 1
    for number, (name, words) in enumerate(steps):
        if number > last:
            break
        if (status := _run(words)[0]) != 0:
            raise RuntimeError(f"kinestream {' '.join(words)} ended with {status}: {Path('said').read_text()[-2000:]}")
        if name == "raw":
            needed = {word for case in _chosen(only) for word in (*case.given, *case.words)}
            last = max(
                place for place, (made, _) in enumerate(steps) if {made, f"material/{made}"} & needed or place < 2
            )


def _chosen(only: Sequence[str]) -> list[Case]:
    return [case for case in _cases() if not only or case.name in only]


def _pretrain(store: str, out: str) -> tuple[str, ...]:
    words = ("pretrain", "nw-ucla", "--data", store, "--out", out, "--device", "cpu")
    return (*words, *(word for change in _SMALL for word in ("--set", change)))


def _cases() -> tuple[Case, ...]:
    run, store, cpu = "run", "material/store", ("--device", "cpu")
    return (
        Case(
            name="generate",
            words=("generate", "nw-ucla", "raw", "--clips", "12"),
            made=("raw",),
            check=_same_files("raw"),
        ),
        Case(
            name="prepare",
            words=("prepare", "nw-ucla", "material/raw", "store", "--processes", "1"),
            made=("store",),
            check=_check_store,
        ),
        Case(
            name="pretrain",
            words=_pretrain(store, "new-run"),
            again=("--resume",),
            made=("new-run",),
            check=lambda place: _check_run(place / "new-run"),
        ),
        Case(
            name="features",
            words=("features", run, "--data", store, *cpu),
            made=("run/features",),
            check=lambda place: _check_run(place / run),
            given=(run,),
        ),
        Case(
            name="evaluate",
            words=("evaluate", "knn", run, "--data", store, *cpu),
            made=("run/results.csv",),
            check=lambda place: _check_run(place / run),
            given=(run,),
        ),
        Case(
            name="embed",
            words=("embed", store, "--encoder", "material/run", "--out", "moves.npz", *cpu),
            made=("moves.npz",),
            check=_check_archive,
        ),
        Case(
            name="fit",
            words=(
                "fit",
                "material/moves.npz",
                "--out",
                "a.model",
                "--folds",
                "2",
                "--no-baselines",
                "--replace",
                *cpu,
            ),
            made=("a.model",),
            check=_check_classifier,
            given=("a.model",),
        ),
        Case(
            name="predict",
            words=("predict", "material/a.model", "material/moves.npz", "--out", "predictions.csv", *cpu),
            made=("predictions.csv",),
            check=_check_table("predictions.csv"),
        ),
        Case(
            name="segment",
            words=("segment", *_some_file(), "--encoder", "material/run", "--out", "pieces.csv", "--groups", "2", *cpu),
            made=("pieces.csv",),
            check=_check_table("pieces.csv"),
        ),
        Case(
            name="explore",
            words=("explore", "material/moves.npz", "--out", "map.html"),
            made=("map.html",),
            check=_check_page("map.html"),
        ),
        Case(
            name="export",
            words=("export", "material/run", "encoder.pt2"),
            made=("encoder.pt2",),
            check=_check_export,
        ),
        Case(
            name="report",
            words=("report", run, "--data", store, "--bare", *cpu),
            made=("run/report.html",),
            check=_check_page("run/report.html"),
            given=(run,),
        ),
    )


def _some_file() -> tuple[str, ...]:
    first = min(str(path) for path in Path("material/raw").iterdir())
    return (first, "--fps", "30", "--window", "0.4")


def _undisturbed(case: Case) -> tuple[float, int]:
    """Seconds and operations on files; what it makes is kept to compare with."""
    _begin(case)
    status, seconds, operations = _run(case.words)
    if status:
        raise RuntimeError(f"{case.name} ended with {status}: {Path('said').read_text()[-2000:]}")
    case.check(Path())
    shutil.rmtree("whole", ignore_errors=True)
    for name in case.made:
        target = Path("whole") / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if Path(name).is_dir() else shutil.copy2)(name, target)
    Path("references").mkdir(exist_ok=True)
    shutil.rmtree(Path("references") / case.name, ignore_errors=True)
    Path("whole").rename(Path("references") / case.name)
    return seconds, operations


def _kill(case: Case, moment: Moment, seconds: float, operations: int) -> tuple[bool, list[str]]:
    """Whether it came before the end, and what was wrong."""
    _begin(case)
    if moment.by_operation:
        status, _, _ = _run(case.words, at=1 + int(moment.share * operations), number=moment.number)
    else:
        status, _, _ = _run(case.words, after=moment.share * seconds, number=moment.number)
    faults = []
    if status not in (0, 130, -moment.number):
        faults.append(f"it ended with {status}: {_last_words()}")
    if "Traceback" in Path("said").read_text(errors="replace"):
        faults.append(f"a traceback: {_last_words()}")
    faults += _faults(case, "left")
    again, _, _ = _run((*case.words, *case.again))
    if again and not (case.name in ("generate", "prepare") and status == 0):
        exists = "exists already" in _last_words() or "is not an empty folder" in _last_words()
        if not (exists and all(Path(name).exists() for name in case.made)):
            faults.append(f"the next call ended with {again}: {_last_words()}")
    faults += _faults(case, "after the next call")
    faults += [f"not there after the next call: {name}" for name in case.made if not Path(name).exists()]
    faults += [f"temporary: {path}" for path in _temporary()]
    return status != 0, faults


def _begin(case: Case) -> None:
    """An empty folder, but for the material."""
    for path in Path().iterdir():
        if path.name in ("material", "references"):
            continue
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for left in Path(os.environ["TMPDIR"]).iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    for name in case.given:
        shutil.copytree(Path("material") / name, name)


def _faults(case: Case, when: str) -> list[str]:
    try:
        case.check(Path())
    except (ValueError, OSError, KeyError, RuntimeError, EOFError) as error:
        return [f"{when}: {type(error).__name__}: {' '.join(str(error).split())[:300]}"]
    return []


def _temporary() -> list[str]:
    """Hidden files and folders, and what lies among the temporary ones of the system."""
    here = [path for path in Path().rglob(".*") if not path.is_relative_to("material")]
    here += [path for path in Path().rglob("*.parts") if not path.is_relative_to("material")]
    torch_makes = ("torchinductor_",)
    own = [path for path in Path(os.environ["TMPDIR"]).iterdir() if not path.name.startswith(torch_makes)]
    return [str(path) for path in (*here, *own)]


def _last_words() -> str:
    return " ".join(Path("said").read_text(errors="replace").split())[-300:]


# --- running ----------------------------------------------------------------------------------------------------------


def _run(
    words: Sequence[str], *, after: float | None = None, at: int | None = None, number: signal.Signals = signal.SIGKILL
) -> tuple[int, float, int]:
    """Exit status (negative for a signal), seconds, and operations on files. What is said goes into the file `said`."""
    read, write = os.pipe()
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(read)
        _be_command(words, write, at, number)
    os.close(write)
    if after is not None:
        _wait(child, after)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, number)
    status = _wait(child, _LIMIT_SECONDS)
    if status is None:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise RuntimeError(f"kinestream {' '.join(words)} hangs")
    with os.fdopen(read, "rb") as told:
        operations = len(told.read())
    return status, time.monotonic() - began, operations


_ended: dict[int, int] = {}


def _wait(child: int, seconds: float) -> int | None:
    """The exit status, or None after so many seconds."""
    deadline = time.monotonic() + seconds
    while child not in _ended:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            _ended[child] = os.waitstatus_to_exitcode(status)
        elif time.monotonic() > deadline:
            return None
        else:
            time.sleep(0.002)
    return _ended[child]


def _be_command(words: Sequence[str], told: int, at: int | None, number: signal.Signals) -> None:
    """Of the child; does not return."""
    status = 70
    try:
        os.setsid()
        for one in SIGNALS[1:]:
            signal.signal(one, signal.default_int_handler if one == signal.SIGINT else signal.SIG_DFL)
        said = os.open("said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(said, 1)
        os.dup2(said, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        done = 0

        def hook(event: str, given: tuple[Any, ...]) -> None:
            nonlocal done
            if event in _WRITING or (event == "open" and isinstance(given[2], int) and given[2] & os.O_ACCMODE):
                done += 1
                os.write(told, b".")
                if done == at:
                    os.kill(os.getpid(), number)

        sys.addaudithook(hook)
        from kinestream.cli import main

        status = main(words)
        sys.stdout.flush()
        sys.stderr.flush()
    except KeyboardInterrupt:
        status = 130  # it came when all was done
    finally:
        if sys.exc_info()[0] is not None:
            traceback.print_exc()
            sys.stderr.flush()
        os._exit(status)


# --- what is whole ----------------------------------------------------------------------------------------------------


def _reference(case: str, name: str) -> Path:
    return Path("references") / case / name


def _same_files(name: str) -> Callable[[Path], None]:
    def check(place: Path) -> None:
        folder, whole = place / name, _reference("generate", name)
        if not folder.exists() or not whole.exists():
            return
        ours, theirs = ({path.name: path.read_bytes() for path in one.iterdir()} for one in (folder, whole))
        if ours != theirs:
            raise ValueError(f"{len(ours)} files where {len(theirs)} belong, or others")

    return check


def _check_store(place: Path) -> None:
    from kinestream.data.store import Store

    if (place / "store").exists():
        store = Store(place / "store")
        for index in range(len(store)):
            store.joints(index)  # compares the checksum


def _check_run(folder: Path) -> None:
    """Every file by itself; what a run has not yet is absent."""
    import numpy as np
    import torch

    from kinestream.data.kept import kept
    from kinestream.data.leaks import read_recordings
    from kinestream.evaluate.result import read_lines
    from kinestream.models.encoder_file import load_encoder
    from kinestream.train.run_folder import Run

    if not folder.exists():
        return
    run = Run(folder)
    if (folder / "config.yaml").exists():
        run.config()
    for encoder in folder.glob("encoder-*.json"):
        load_encoder(encoder.with_suffix(".safetensors"))
    if run.checkpoint.exists():
        torch.load(run.checkpoint, weights_only=True)
    if run.recordings.exists():
        read_recordings(run.recordings)
    for file in folder.glob("features/[!.]*.npy"):
        kept(file, len(np.load(file, mmap_mode="r")))
    for file in folder.glob("evaluation-*.json"):
        json.loads(file.read_text("utf-8"))
    if (folder / "results.csv").exists() and not read_lines(folder / "results.csv"):
        raise ValueError("results.csv is empty")
    whole = _reference("pretrain", folder.name)
    if (whole / "encoder-joint.json").exists() and run.epochs_done >= 2:
        _same_end(run, Run(whole))


def _same_end(run: Any, whole: Any) -> None:
    """A training that was killed and taken up again ends as one that was not."""
    from kinestream.models.encoder_file import load_encoder, weights_hash

    (ours, card), (theirs, _) = (load_encoder(one.encoder("joint")) for one in (run, whole))
    if card.epochs_done == card.epochs and weights_hash(ours) != weights_hash(theirs):
        raise ValueError("the weights are not those of an undisturbed training")


def _check_archive(place: Path) -> None:
    from kinestream.use.archive import open_embeddings

    if (place / "moves.npz").exists() and len(open_embeddings(place / "moves.npz")) != 48:
        raise ValueError("the archive has not all rows")


def _check_classifier(place: Path) -> None:
    from kinestream.use.classifier_files import load_classifier

    load_classifier(place / "a.model", device="cpu")  # it is replaced: there at any time


def _check_table(name: str) -> Callable[[Path], None]:
    def check(place: Path) -> None:
        case = {"predictions.csv": "predict", "pieces.csv": "segment"}[name]
        if not (place / name).exists() or not _reference(case, name).exists():
            return
        ours, theirs = (
            list(csv.reader(path.read_text("utf-8").splitlines())) for path in (place / name, _reference(case, name))
        )
        if ours != theirs:
            raise ValueError(f"{name} has {len(ours)} rows where {len(theirs)} belong, or others")

    return check


def _check_page(name: str) -> Callable[[Path], None]:
    def check(place: Path) -> None:
        if (place / name).exists() and not (place / name).read_text("utf-8").rstrip().endswith("</html>"):
            raise ValueError(f"{name} is cut off")
        if (place / "run").exists():
            _check_run(place / "run")

    return check


def _check_export(place: Path) -> None:
    import torch

    if (place / "encoder.pt2").exists():
        torch.export.load(place / "encoder.pt2")
