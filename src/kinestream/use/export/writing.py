"""Writes a model as a file of ONNX or of torch.export, compared with the model itself before it gets its name."""

import contextlib
import copy
import importlib
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float32

from kinestream.features.whitening import Whitening
from kinestream.files import replacing
from kinestream.models.encoder_file import weights_hash
from kinestream.progress import Progress, silent
from kinestream.skeleton.layout import SkeletonLayout, load_layout
from kinestream.use.export.cases import BATCHES, batch, expected, recordings
from kinestream.use.export.graph import Graph, LinearHead
from kinestream.use.export.operators import WholeLayers, translations
from kinestream.use.export.placing import place_as_found, placing
from kinestream.words import shown

if TYPE_CHECKING:
    from kinestream.use.model import Model

TOLERANCE = 1e-4
"""The largest difference of a number of an embedding, or of a probability, from what the model itself computes."""
METADATA = "kinestream.json"
"""Where a `.pt2` file keeps what an ONNX file has in its metadata."""
_OPSET = 18
_AS_GIVEN = "imported"
_NAMES = ("embedding", "probability")
Run = Callable[[np.ndarray], list[np.ndarray]]


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A file that was written, and how near it comes to the model."""

    path: Path
    difference: float
    """The largest of a number of the outputs, over the recordings that both were run on."""
    metadata: Mapping[str, str]
    """As it stands in the file."""

    def __str__(self) -> str:
        return f"{self.path}: at most {self.difference:.1e} from the model itself"


def export_model(
    model: "Model",
    out: Path | str,
    *,
    layout: str | Path | SkeletonLayout | None = None,
    prepared: bool = False,
    people: int = 2,
    whitening: Mapping[str, Whitening] | None = None,
    head: LinearHead | None = None,
    progress: Progress = silent,
) -> Exported:
    """Writes `out`, `.onnx` or `.pt2`: joints `(n, t, m, v, 3)` in, embeddings `(n, d)` out, and probabilities
    `(n, k)` with a head. Numbers of clips, frames and bodies are free.

    Of an encoder of clips of so many seconds (its card says it), as long recordings go in.

    The preparation, the map of joints, resizing, streams, readout, whitening and unit vectors are inside. Joints are
    in metres with y up. A body that is not there is all zero or all NaN, a joint that was not seen NaN, and so are
    frames after a recording has ended: recordings of different lengths make one batch. Rows of clips that nobody is in
    are NaN.

    The file gets its name only when its outputs differ by less than 1e-4 from those of the model, on made-up
    recordings in batches of 1, 3 and 17, bodies absent in some.

    Args:
        layout: of the joints, if another than that of the encoders: they are mapped inside.
        prepared: the joints are as the preparation leaves them; only resizing and what follows is inside.
        people: bodies that the encoders see: of more the first are taken, or the most energetic, as the preparation
            has it; missing ones are zero.
        whitening: by stream; that of the model if not given.
        head: a classifier on the embeddings.

    Raises:
        ValueError: the file cannot be written, a package is missing, or the model cannot be exported, and why.
    """
    path = Path(out)
    if whitening is None:
        whitening = model.whitening if model.whitened else {}
    _check(path, model, people, whitening)
    source = model.layout if layout is None else load_layout(layout)
    card = next(iter(model.cards.values()))
    encoders = {stream: copy.deepcopy(encoder).cpu().eval() for stream, encoder in model.encoders.items()}
    graph = Graph(
        encoders,
        source=source,
        target=model.layout,
        frames=card.frames,
        rate=model.rate,
        people=people,
        place=place_as_found if prepared else placing(card.preparation),
        readout=card.readout,
        whitening=whitening,
        head=head,
        partly=card.partly,
    ).eval()
    metadata = _metadata(model, graph, head, prepared=prepared)
    some = recordings(source, frames=card.frames, people=people)
    if prepared:  # nothing tells where these end
        some = [one.cut(slice(0, card.frames // 2)) for one in some]
    wanted = expected(
        encoders,
        some,
        layout=model.layout,
        frames=card.frames,
        rate=model.rate,
        people=people,
        preparation=_AS_GIVEN if prepared else card.preparation,
        readout=card.readout,
        whitening=whitening,
    )
    if not np.isfinite(wanted).all():
        raise ValueError(f"some features of {model.name} are not finite: the encoder has diverged")
    with _named(path) as part, _quiet():
        progress("export", "steps", 0, 3)
        onnx = path.suffix == ".onnx"
        with WholeLayers() if onnx else contextlib.nullcontext():
            program = _traced(graph, model)
        progress("export", "steps", 1, 3)
        write, load = (_write_onnx, _load_onnx) if onnx else (_write_pt2, _load_pt2)
        write(program, part, metadata)
        progress("export", "steps", 2, 3)
        difference = _difference(load(part), some, wanted, head)
        progress("export", "steps", 3, 3)
        if not difference < TOLERANCE:
            raise ValueError(
                f"{path} is not written: its outputs would differ by {difference:.1e} from the model's, more than "
                f"{TOLERANCE:g}"
            )
    return Exported(path=path, difference=difference, metadata=metadata)


def _check(path: Path, model: "Model", people: int, whitening: Mapping[str, Whitening] | None) -> None:
    if path.suffix not in (".onnx", ".pt2"):
        raise ValueError(f"{path}: name a file that ends in .onnx, or in .pt2 for torch.export")
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name a file")
    if not hasattr(torch.compiler, "is_exporting"):
        raise ValueError(f"exporting needs torch 2.7 or later, this is {torch.__version__}")
    for package in ("onnx", "onnxruntime", "onnxscript") if path.suffix == ".onnx" else ():
        try:
            importlib.import_module(package)
        except ModuleNotFoundError as error:
            raise ValueError(f'{path} needs {error.name}: pip install "kinestream[onnx]"') from None
    if people < 1:
        raise ValueError(f"people ({people}) must be at least 1")
    if whitening and set(whitening) != set(model.streams):
        raise ValueError(f"whitening of {', '.join(whitening)}, but the streams are {', '.join(model.streams)}")


@contextlib.contextmanager
def _named(path: Path) -> Iterator[Path]:
    """`replacing`, which is tried before any work is done for it."""
    try:
        with replacing(path) as part:
            part.touch()
            yield part
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror or error}") from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Torch's exporters tell of themselves in warnings and logs; and a kernel of whole transformer layers, which they
    do not know, is switched off."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    fast = torch.backends.mha.get_fastpath_enabled()
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        torch.backends.mha.set_fastpath_enabled(False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _traced(graph: Graph, model: "Model") -> Any:
    joints = torch.rand(3, 7, 2, len(graph.source.joints), 3) + 0.5
    free = {number: torch.export.Dim(name, min=1) for number, name in enumerate("ntm")}
    try:
        program = torch.export.export(graph, (joints,), dynamic_shapes=(free,), strict=False)
    except Exception as error:
        names = ", ".join(dict.fromkeys(card.encoder.name for card in model.cards.values()))
        raise ValueError(
            f"encoder {names} with streams {', '.join(model.streams)} cannot be exported: torch.export says: "
            f"{_reason(error)}"
        ) from error
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # paths of this machine
    return program


def _write_pt2(program: Any, part: Path, metadata: Mapping[str, str]) -> None:
    torch.export.save(program, part, extra_files={METADATA: json.dumps(metadata)})


def _load_pt2(part: Path) -> Run:
    module = torch.export.load(part).module()

    def run(joints: np.ndarray) -> list[np.ndarray]:
        with torch.no_grad():
            made = module(torch.from_numpy(joints))
        return [one.numpy() for one in (made if isinstance(made, tuple) else (made,))]

    return run


def _write_onnx(program: Any, part: Path, metadata: Mapping[str, str]) -> None:
    import onnx

    try:
        made = torch.onnx.export(
            program,
            dynamo=True,
            opset_version=_OPSET,
            custom_translation_table=translations(),
            input_names=["joints"],
            output_names=list(_NAMES[: len(program.graph_signature.user_outputs)]),
            optimize=False,
            verbose=False,
        )
        assert made is not None
        _tidy(made.model)
        proto = made.model_proto
    except Exception as error:
        raise ValueError(f"the model cannot be written as ONNX: torch.onnx says: {_reason(error)}") from error
    _name_axes(proto)
    onnx.helper.set_model_props(proto, dict(metadata))
    proto.producer_name, proto.producer_version = "kinestream", metadata["kinestream"]
    part.write_bytes(proto.SerializeToString())
    onnx.checker.check_model(part)


def _tidy(model: Any) -> None:
    """What torch's exporter does, but for the search of all nodes for forms that could be another one: it takes most of
    the time, and runtimes do the same when they load a file."""
    from onnxscript import ir, optimizer

    passes: Any = ir.passes.common  # it has no types
    passes.InlinePass()(model)
    optimizer.fold_constants_ir(model)
    for one in (
        passes.RemoveUnusedNodesPass(),
        passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        passes.DeduplicateInitializersPass(),
        passes.CommonSubexpressionEliminationPass(),
        passes.RemoveUnusedNodesPass(),
        passes.RemoveUnusedFunctionsPass(),
        passes.RemoveUnusedOpsetsPass(),
        passes.OutputFixPass(),
        passes.NameFixPass(),
    ):
        one(model)


def _name_axes(proto: Any) -> None:
    """Free axes are called n, t and m; what torch wrote of its own sources, paths of this machine, goes."""
    (joints,) = proto.graph.input
    for axis, name in zip(joints.type.tensor_type.shape.dim, "ntm", strict=False):
        axis.dim_param = name
    for output in proto.graph.output:
        output.type.tensor_type.shape.dim[0].dim_param = "n"
    del proto.graph.value_info[:]
    for part in (proto.graph, *proto.graph.node, *proto.graph.input, *proto.graph.output, *proto.functions):
        part.doc_string = ""
        del part.metadata_props[:]
    for weights in proto.graph.initializer:
        del weights.metadata_props[:]


def _load_onnx(part: Path) -> Run:
    runtime: Any = importlib.import_module("onnxruntime")  # it has no types
    try:
        session = runtime.InferenceSession(part, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ValueError(f"onnxruntime cannot run what was written: {_reason(error)}") from error
    return lambda joints: session.run(None, {"joints": joints})


def _difference(run: Run, some: list[Any], wanted: Float32[np.ndarray, "n d"], head: LinearHead | None) -> float:
    """The largest, over batches of all sizes, with and without room for bodies that are not there."""
    outputs = [wanted]
    if head is not None:
        weights, bias = head.check(wanted.shape[1])
        outputs.append((torch.from_numpy(wanted).double() @ weights.T + bias).softmax(dim=1).numpy())
    apart = [
        np.abs(one - other[:size]).max()
        for size in BATCHES
        for shorter in (True, False)
        for one, other in zip(run(batch(some[:size], shorter=shorter)), outputs, strict=True)
    ]
    return float(np.max(apart))  # NaN where any is


def _metadata(model: "Model", graph: Graph, head: LinearHead | None, *, prepared: bool) -> dict[str, str]:
    """Words and JSON: ONNX keeps text."""
    card = next(iter(model.cards.values()))
    plain = {
        "kinestream": version("kinestream"),
        "model": model.name,
        "recipe": card.recipe,
        "input": "joints (n, t, m, v, 3), float32: clips, frames, bodies, joints of the layout, x y z. "
        "Absent bodies and frames are 0, unseen joints NaN.",
        "output": f"embedding (n, {graph.dim}), rows of length 1, NaN where nobody is there"
        + ("; probability (n, k) of the classes" if head else ""),
        "layout": json.dumps(graph.source.to_dict()),
        "units": "m",
        "up": "y",
        "frames": str(graph.frames),
        "bodies": str(graph.people),
        "preparation": card.preparation + (", done before" if prepared else ", inside"),
        "streams": " ".join(model.streams),
        "readout": json.dumps(asdict(card.readout)),
        "whitened": "yes" if graph.whitened else "no",
        "weights": json.dumps({stream: weights_hash(encoder) for stream, encoder in model.encoders.items()}),
    }
    return plain | ({"classes": json.dumps(list(head.classes))} if head else {})


def _reason(error: BaseException) -> str:
    """What torch says first, in one line, cut."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return shown(" ".join((f"{type(error).__name__}:", *lines[:2])), 300)
