"""A classifier on disk: a folder of safetensors and JSON. Nothing in it is executed.

classifier.json            classes, settings, thresholds, how recordings were cut, and the hash of each other file
classifier.safetensors     weights, bias, and the class means of `known`
encoder-STREAM.*           the encoders and their cards
whitening.safetensors      where features are whitened
report.json                how good it is, where that was found out
"""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import save_file

from kinestream.config import parse_strictly
from kinestream.distributed.launch import Device
from kinestream.documents import read_json
from kinestream.features.whitening_file import FILE as WHITENING
from kinestream.features.whitening_file import load_whitening, save_whitening
from kinestream.files import check_writable, new_folder, replacing, write_json
from kinestream.models.encoder_file import load_encoder, save_encoder
from kinestream.models.tensor_file import read_tensors
from kinestream.train.run_folder import Run
from kinestream.use.archive_files import made_by_from
from kinestream.use.familiar import Familiar
from kinestream.use.label_report import LabelReport
from kinestream.use.logistic import Layer
from kinestream.use.made_by import MadeBy, Reading
from kinestream.use.model import Model
from kinestream.use.pieces import Cutting
from kinestream.words import flat_name, plain_text, reason, shown

if TYPE_CHECKING:
    from kinestream.use.classifier import Classifier

FILE = "classifier.json"
_WEIGHTS, _REPORT = "classifier.safetensors", "report.json"
SCHEMA = 1
_MOST_BYTES = 100_000_000
_MOST_STRENGTHS = 1000
_LARGEST = 1e9
"""No weight of a logistic regression on unit vectors comes near it, and products of much larger ones overflow."""


@dataclass(frozen=True, kw_only=True)
class _Saved:
    """The content of `classifier.json` but for the schema and what made the embeddings."""

    classes: tuple[str, ...] | tuple[int, ...]
    name: str
    streams: tuple[str, ...]
    whitened: bool
    temperature: float
    strength: float
    threshold: float | None
    folds: int
    strengths: tuple[float, ...]
    false_alarms: float
    seed: int
    seconds: float | None
    notes: tuple[str, ...]
    files: dict[str, str]
    """SHA-256 of each other file."""


def is_classifier(path: Path) -> bool:
    return (path / FILE).is_file()


def check_folder(folder: Path, *, replace: bool) -> None:
    """Raises ValueError where no classifier can be saved under this name."""
    if folder.exists() and not (replace and is_classifier(folder)):
        what = "is no classifier" if replace else "exists already"
        remedy = ", or replace it (--replace)" if is_classifier(folder) else ""
        raise ValueError(f"{folder} {what}: choose another folder{remedy}")
    check_writable(folder, is_folder=True)


def save_classifier(classifier: "Classifier", folder: Path, *, replace: bool) -> None:
    """See `Classifier.save`."""
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(classifier)
    model = classifier.model
    if model is None:
        raise ValueError("this classifier knows no encoder, and could not be used: make it with Classifier(model)")
    check_folder(folder, replace=replace)
    with new_folder(folder, over=replace) as part:
        _write(classifier, model, part)


def load_classifier(folder: Path, *, device: Device = "auto") -> "Classifier":
    """Raises ValueError, naming the part, where one is missing or damaged, or does not fit the others."""
    from kinestream.use.classifier import Classifier

    saved, made_by = _read_info(folder)
    for name, digest in saved.files.items():
        part = folder / name
        if Path(name).name != name or not part.is_file():
            raise ValueError(f"{folder}: its part {shown(name)} is missing: save the classifier again")
        if _hash(part) != digest:
            raise ValueError(f"{part} is damaged, it is not what was saved: save the classifier again")
    model = _model(folder, saved, device)
    layer, centres = _read_weights(folder / _WEIGHTS, saved, model.dim)
    made = Classifier(
        model,
        folds=saved.folds,
        strengths=saved.strengths,
        false_alarms=saved.false_alarms,
        seed=saved.seed,
    )
    made.classes_ = np.array([plain_text(name) if isinstance(name, str) else name for name in saved.classes])
    made.n_features_in_ = model.dim
    made.layer_ = layer
    made.familiar_ = Familiar(
        centres=centres, threshold=saved.threshold, distances=np.zeros(0), false_alarms=saved.false_alarms
    )
    made.notes_ = tuple(map(plain_text, saved.notes))
    made.made_by_ = made_by
    made.seconds_ = saved.seconds
    made._judged = None
    if _REPORT in saved.files:
        vars(made)["report"] = parse_strictly(
            LabelReport, _read_json(folder / _REPORT), f"{folder / _REPORT} is damaged"
        )
    return made


def _write(classifier: "Classifier", model: Model, folder: Path) -> None:
    run = Run(folder)
    for stream, encoder in model.encoders.items():
        save_encoder(run.encoder(stream), encoder, model.cards[stream])
    if model.whitening:
        save_whitening(folder, model.whitening, model.encoders, model.card.readout)
    layer, familiar = classifier.layer_, classifier.familiar_
    with replacing(folder / _WEIGHTS) as file:
        save_file({"weights": layer.weights, "bias": layer.bias, "centres": familiar.centres}, file)
    if "report" in vars(classifier):
        write_json(folder / _REPORT, classifier.report.to_dict())
    made_by = classifier.made_by_ or model.made_by(Cutting.of(None, None, None), Reading())
    saved = _Saved(
        classes=_plain_classes(classifier.classes_),
        name=model.name,
        streams=model.streams,
        whitened=bool(model.whitening),
        temperature=layer.temperature,
        strength=layer.strength,
        threshold=familiar.threshold,
        folds=classifier.folds,
        strengths=tuple(float(one) for one in classifier.strengths),
        false_alarms=float(classifier.false_alarms),
        seed=classifier.seed,
        seconds=classifier.seconds_,
        notes=classifier.notes_,
        files={path.name: _hash(path) for path in sorted(folder.iterdir())},
    )
    write_json(folder / FILE, {"schema": SCHEMA, **asdict(saved), "made_by": made_by.to_dict()})


def _model(folder: Path, saved: _Saved, device: Device) -> Model:
    run = Run(folder)
    loaded = {stream: load_encoder(run.encoder(stream)) for stream in saved.streams}
    encoders = {stream: encoder for stream, (encoder, _) in loaded.items()}
    cards = {stream: card for stream, (_, card) in loaded.items()}
    whitening = {}
    if saved.whitened:
        found = load_whitening(folder, encoders, next(iter(cards.values())).readout)
        if found is None:
            raise ValueError(f"{folder / WHITENING} is missing or is of other encoders: save the classifier again")
        whitening = found
    return Model(saved.name, encoders, cards, whitened=saved.whitened, whitening=whitening, device=device)


def _read_info(folder: Path) -> tuple[_Saved, MadeBy]:
    path = folder / FILE
    plain = _read_json(path)
    if plain.get("schema") != SCHEMA:
        raise ValueError(
            f"{path} is no classifier: schema {shown(plain.get('schema'), 20)}, this kinestream reads {SCHEMA}"
        )
    made_by = made_by_from(plain.get("made_by"), path)
    rest = {key: value for key, value in plain.items() if key not in ("schema", "made_by")}
    saved = parse_strictly(_Saved, rest, f"{path} is damaged")
    if len(saved.classes) < 2 or len(set(saved.classes)) < len(saved.classes):
        raise ValueError(f"{path} is damaged: {len(saved.classes)} classes, two or more and none twice are needed")
    wrong = [
        what
        for what, fits in (
            ("temperature", 1 / _LARGEST <= saved.temperature <= _LARGEST),
            ("strength", saved.strength >= 0),
            ("strengths", 0 < len(saved.strengths) <= _MOST_STRENGTHS and min(saved.strengths) > 0),
            ("threshold", saved.threshold is None or saved.threshold >= 0),
            ("false_alarms", 0 <= saved.false_alarms <= 1),
            ("folds", 2 <= saved.folds <= 10_000),
            ("seed", saved.seed >= 0),
            ("seconds", saved.seconds is None or 0 < saved.seconds < 100_000),
            ("streams", 0 < len(set(saved.streams)) == len(saved.streams)),
            ("streams", all(flat_name(stream) == stream and 0 < len(stream) < 100 for stream in saved.streams)),
            ("files", _WEIGHTS in saved.files),
        )
        if not fits
    ]
    if wrong:
        told = ", ".join(f"{name} {shown(getattr(saved, name))}" for name in wrong)
        raise ValueError(f"{path} is damaged: {told} cannot be: save the classifier again")
    return saved, made_by


def _read_json(path: Path) -> Any:
    try:
        return read_json(path, remedy="save the classifier again", most=_MOST_BYTES)
    except FileNotFoundError:
        raise ValueError(f"no classifier in {path.parent}: it has no {path.name}") from None


def _read_weights(path: Path, saved: _Saved, dim: int) -> tuple[Layer, np.ndarray]:
    try:
        tensors = {name: value.numpy() for name, value in read_tensors(path)[0].items()}
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({reason(error)}): save the classifier again") from None
    count = len(saved.classes)
    shapes = {"weights": (count, dim), "bias": (count,), "centres": (count, dim)}
    for name, shape in shapes.items():
        values = tensors.get(name)
        if values is None or values.shape != shape or values.dtype != np.float64 or not np.isfinite(values).all():
            found = None if values is None else values.shape
            raise ValueError(
                f"{path}: {name} {found} for {count} classes and embeddings of {dim} numbers: it should be {shape}"
            )
        if values.size and not np.abs(values).max() <= _LARGEST:
            raise ValueError(f"{path}: {name} are as large as {np.abs(values).max():.0e}: save the classifier again")
    layer = Layer(
        weights=tensors["weights"], bias=tensors["bias"], temperature=saved.temperature, strength=saved.strength
    )
    return layer, tensors["centres"]


def _plain_classes(classes: np.ndarray) -> tuple[str, ...] | tuple[int, ...]:
    """Raises ValueError for classes that JSON does not give back as they were."""
    values = classes.tolist()
    if all(isinstance(one, str) for one in values) or all(type(one) is int for one in values):
        return tuple(values)
    raise ValueError(f"classes such as {shown(repr(values[0]))} cannot be saved: label with text or whole numbers")


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
