"""What was saved, whatever it is: an encoder, or a classifier."""

from pathlib import Path
from typing import Any, overload

from kinestream.distributed.launch import Device
from kinestream.evaluate.source import AnyRun, HasPath
from kinestream.shipped import DEFAULT
from kinestream.use import model
from kinestream.use.model import Model


@overload
def load(run: HasPath, *, whitened: bool = True, device: Device = "auto") -> Model: ...
@overload
def load(run: Path | str = DEFAULT, *, whitened: bool = True, device: Device = "auto") -> Any: ...
def load(run: AnyRun = DEFAULT, *, whitened: bool = True, device: Device = "auto") -> Any:
    """The `Model` of a run, of its folder, of one encoder file (`.safetensors` with its card beside it), or of an
    encoder that comes with the package (`anybody`); or the `Classifier` that was saved in a folder.

    `whitened` False leaves features of a model as they are where the card says that they are whitened. Raises
    ValueError where there is neither, or a file is damaged. Nothing in the files is executed.

    Example:
        >>> load("runs/mine").embed(recordings)  # doctest: +SKIP
        >>> load("gestures.model").predict(recordings)  # doctest: +SKIP
    """
    if isinstance(run, str | Path):
        from kinestream.use.classifier_files import is_classifier, load_classifier

        if is_classifier(Path(run)):
            return load_classifier(Path(run), device=device)
    return model.load(run, whitened=whitened, device=device)
