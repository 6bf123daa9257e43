"""Damaged and malicious files of every kind that is read: how many of them end in anything but a declared error.

`python -m benchmarks mutations --count N` makes N of them. A declared error is a ValueError or OSError of one printable
line; what is accepted must pass the checks of its kind (finite numbers, names that are no paths, ranges).
"""

import argparse
import csv
import hashlib
import io
import json
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.kinds import KINDS, Kind, whole_files

_WORDS = (
    *(b"nan", b"inf", b"-", b"1e400", b"9" * 30, b"\x00", b"\xff\xfe", b"\n", b"{", b"}", b"", b" ", b"\t", b",", b"0"),
    *(b'"', b"[", b"]", b"=cmd|' /C calc'!A0", b"../../escaped", b"\x1b[31m", b"[/red]", b"&a [*a]", b"!!timestamp x"),
    *(b"!!int ''", b"[" * 400, b"-1", b"2147483648", b"null", b"true", b"'", b"x" * 200_000, b"\xe2\x80\xae"),
)
_VALUES: tuple[Any, ...] = (
    *(None, 0, -1, 1.5, 10**9, 10**30, float("nan"), float("inf"), "", "x", "../../escaped", "=1+1", "[/red]"),
    *("\x1b[31m", True, [], {}, [None], [[]], {"a": 1}, "9" * 50, [0] * 1000, "\u202e", "y" * 5000),
)


def main(words: Sequence[str]) -> int:
    """Prints the counts as JSON; the exit status is 1 where something was beyond the declared errors."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks mutations", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="how many, over all kinds")
    parser.add_argument("--seed", type=int, default=0, help="of the damage")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--kind", choices=sorted(KINDS), action="append", help="a kind; may be given several times")
    asked = parser.parse_args(words)
    done = measure(asked.count, seed=asked.seed, seconds=asked.seconds, kinds=asked.kind)
    print(json.dumps(done, indent=1))
    return 1 if done["beyond_the_declared_errors"] else 0


def measure(
    count: int, *, seed: int = 0, seconds: float = float("inf"), kinds: Sequence[str] | None = None
) -> dict[str, Any]:
    """Counts over these kinds, or all."""
    warnings.simplefilter("ignore")
    ends, beyond, slowest = Counter[str](), Counter[str](), 0.0
    names = list(kinds or KINDS)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kinestream-mutations-") as place:
        folder = Path(place)
        whole_files(folder)
        for number in range(count):
            if time.monotonic() - begun > seconds:
                break
            name = names[number % len(names)]
            before = time.process_time()
            end = attempt(KINDS[name], folder, np.random.default_rng([seed, number]))
            slowest = max(slowest, time.process_time() - before)
            ends[end.partition(":")[0]] += 1
            if end.startswith("beyond"):
                beyond[f"{name}, {end}"] += 1
                print(f"mutation {number} (seed {seed}), {name}: {end}", file=sys.stderr, flush=True)
    return {
        "mutations": sum(ends.values()),
        "kinds": len(names),
        "accepted": ends["accepted"],
        "refused": ends["refused"],
        "beyond_the_declared_errors": ends["beyond"],
        "which": dict(beyond.most_common(20)),
        "slowest_cpu_seconds": round(slowest, 2),
    }


def attempt(kind: Kind, folder: Path, rng: np.random.Generator) -> str:
    """Damages one file, reads it, and puts it back: `accepted`, `refused`, or `beyond:` and what was wrong."""
    path = folder / kind.file
    before = {file: file.read_bytes() for file in {path, *(folder / name for name in _SIGNED)}}
    try:
        path.write_bytes(mutated(before[path], kind.form, rng))
        if rng.random() < 0.8:
            _sign(folder, kind.file)
        kind.read(folder)
        return "accepted"
    except (ValueError, OSError) as error:
        said = str(error)
        fits = 0 < len(said) < 3000 and said.isprintable()
        return "refused" if fits else f"beyond: a message of {len(said)} characters, {ascii(said)[:200]}"
    except Exception as error:  # noqa: BLE001  that is what is looked for
        return f"beyond: {type(error).__name__} {ascii(str(error))[:200]}"
    finally:
        for file, content in before.items():
            file.write_bytes(content)


def mutated(content: bytes, form: str, rng: np.random.Generator) -> bytes:
    """One damaged version: of the values in it, where they can be taken apart, or of its bytes."""
    if form != "bytes" and rng.random() < 0.6:
        return _FORMS[form](content, rng)
    return _bytes(content, rng)


def _bytes(content: bytes, rng: np.random.Generator) -> bytes:
    made = bytearray(content)
    way, at = int(rng.integers(6)), int(len(made) * rng.random() ** 2)  # headers stand early
    if way == 0:
        del made[at:]
    elif way == 1:
        for place in rng.integers(0, len(made), int(rng.integers(1, 4))).tolist():
            made[place] ^= 1 << int(rng.integers(8))
    elif way == 2:
        made[at : at + int(rng.integers(0, 12))] = _WORDS[int(rng.integers(len(_WORDS)))]
    elif way == 3:
        made[at : at + int(rng.integers(1, 8))] = rng.bytes(int(rng.integers(1, 8)))
    else:
        lines = bytes(made).split(b"\n")
        one, other = (int(place) for place in rng.integers(len(lines), size=2))
        if way == 4:
            lines[one], lines[other] = lines[other], lines[one]
        else:
            lines[one : one + 1] = lines[other : other + 1] * int(rng.integers(0, 3))
        made = bytearray(b"\n".join(lines))
    return bytes(made)


def _value(rng: np.random.Generator) -> Any:
    return _VALUES[int(rng.integers(len(_VALUES)))]


def _changed(plain: Any, rng: np.random.Generator) -> Any:
    """With another value, without one, or with one more, somewhere in it."""
    keys = list(plain) if isinstance(plain, dict) else list(range(len(plain))) if isinstance(plain, list) else []
    if not keys or rng.random() < 0.1:
        return _value(rng)
    key = keys[int(rng.integers(len(keys)))]
    made = plain.copy()
    if rng.random() < 0.15:
        del made[key]
    elif rng.random() < 0.1 and isinstance(made, dict):
        made[str(_value(rng))[:20]] = _value(rng)
    else:
        made[key] = _changed(made[key], rng)
    return made


def _json(content: bytes, rng: np.random.Generator) -> bytes:
    return json.dumps(_changed(json.loads(content), rng)).encode()


def _json_lines(content: bytes, rng: np.random.Generator) -> bytes:
    lines = content.splitlines()
    place = int(rng.integers(len(lines)))
    lines[place] = _json(lines[place], rng)
    return b"\n".join(lines) + b"\n"


def _yaml(content: bytes, rng: np.random.Generator) -> bytes:
    return yaml.safe_dump(_changed(yaml.safe_load(content), rng), allow_unicode=True).encode("utf-8", "replace")


def _csv(content: bytes, rng: np.random.Generator) -> bytes:
    rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
    row = rows[int(rng.integers(len(rows)))]
    if rng.random() < 0.1:
        rows.append(row)
    else:
        row[int(rng.integers(len(row)))] = str(_value(rng))
    made = io.StringIO(newline="")
    csv.writer(made, lineterminator="\n").writerows(rows)
    return made.getvalue().encode("utf-8", "replace")


_FORMS: Mapping[str, Callable[[bytes, np.random.Generator], bytes]] = {
    "json": _json,
    "lines": _json_lines,
    "yaml": _yaml,
    "csv": _csv,
}


_SIGNED = ("store/store.json", "a.model/classifier.json")


def _sign(folder: Path, name: str) -> None:
    """Gives the checksum of a damaged file to the one that keeps it, so that what lies behind the checksum is
    reached."""
    path = folder / name
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if name == "store/recordings.csv":
        _change(folder / _SIGNED[0], {"table_sha256": digest})
    elif path.parent.name == "a.model" and name != _SIGNED[1]:
        files = json.loads((folder / _SIGNED[1]).read_bytes())["files"]
        _change(folder / _SIGNED[1], {"files": {**files, path.name: digest}})


def _change(file: Path, values: Mapping[str, Any]) -> None:
    file.write_text(json.dumps({**json.loads(file.read_bytes()), **values}))
