"""One encoder for any skeleton: learns representations of human movement from unlabelled 3D joint recordings.

    import kinestream as ks

    moves = ks.read("recordings/", layout="mediapipe33")
    store = ks.prepare(moves, "store/")
    run = ks.pretrain(store, "laptop", out="runs/mine")
    z = ks.load(run).embed(moves)

Names are loaded when they are first used: importing the package imports no torch.

Layers, each importing only those before it: owner, words; documents, estimate, failures, files, progress, tables; lock,
plugins; config, console; skeleton; data; augment, distributed; models; methods; recipes; features; train; evaluate;
use; viz; reproduction, sweep; arguments; commands; cli.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as of `typing`, which need not be imported for it
if TYPE_CHECKING:
    from typing import Any

    from kinestream import evaluate, layouts, methods
    from kinestream import models as encoders
    from kinestream.console import show_progress
    from kinestream.data.formats import FORMATS as formats  # noqa: N811
    from kinestream.data.formats.writing import write
    from kinestream.data.inspection import inspect
    from kinestream.data.prepare import prepare
    from kinestream.data.reading import read
    from kinestream.data.recording import Recording
    from kinestream.data.store import Store, open_store
    from kinestream.recipes import Recipe
    from kinestream.recipes import resolve as recipe
    from kinestream.reproduction import reproduce
    from kinestream.skeleton.layout import SkeletonLayout as Layout
    from kinestream.train.pretrain import pretrain
    from kinestream.train.run_folder import Run
    from kinestream.use.archive import Embeddings, open_embeddings
    from kinestream.use.classifier import Classifier
    from kinestream.use.embed import embed
    from kinestream.use.loading import load
    from kinestream.use.model import Model
    from kinestream.use.predictions import predict
    from kinestream.use.suggest import suggest
    from kinestream.viz.explore import explore
    from kinestream.viz.report import report

__all__ = [
    "Classifier",
    "Embeddings",
    "Layout",
    "Model",
    "Recipe",
    "Recording",
    "Run",
    "Store",
    "embed",
    "encoders",
    "evaluate",
    "explore",
    "formats",
    "inspect",
    "layouts",
    "load",
    "methods",
    "open_embeddings",
    "open_store",
    "predict",
    "prepare",
    "pretrain",
    "read",
    "recipe",
    "report",
    "reproduce",
    "show_progress",
    "suggest",
    "write",
]

_WHERE = {
    "Classifier": "use.classifier:Classifier",
    "Embeddings": "use.archive:Embeddings",
    "Layout": "skeleton.layout:SkeletonLayout",
    "Model": "use.model:Model",
    "Recipe": "recipes:Recipe",
    "Recording": "data.recording:Recording",
    "Run": "train.run_folder:Run",
    "Store": "data.store:Store",
    "embed": "use.embed:embed",
    "encoders": "models:",
    "evaluate": "evaluate:",
    "explore": "viz.explore:explore",
    "formats": "data.formats:FORMATS",
    "inspect": "data.inspection:inspect",
    "layouts": "layouts:",
    "load": "use.loading:load",
    "methods": "methods:",
    "open_embeddings": "use.archive:open_embeddings",
    "open_store": "data.store:open_store",
    "predict": "use.predictions:predict",
    "prepare": "data.prepare:prepare",
    "pretrain": "train.pretrain:pretrain",
    "read": "data.reading:read",
    "recipe": "recipes:resolve",
    "report": "viz.report:report",
    "reproduce": "reproduction:reproduce",
    "show_progress": "console:show_progress",
    "suggest": "use.suggest:suggest",
    "write": "data.formats.writing:write",
}
"""Module and name of each; nothing behind the colon for the module itself."""


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'kinestream' has no attribute '{name}': it has {', '.join(__all__)}")
    import importlib

    module, _, attribute = _WHERE[name].partition(":")
    found = importlib.import_module(f"kinestream.{module}")
    found = getattr(found, attribute) if attribute else found
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
