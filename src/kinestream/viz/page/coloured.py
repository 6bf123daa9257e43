"""What the dots of a map are coloured by."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int64

from kinestream.viz.page.packing import text_of
from kinestream.viz.palette import CLASS_COLOURS, CLASS_COLOURS_ON_DARK, class_symbol

SYMBOLS = 120
"""That differ; class 120 looks like class 0 again."""


def symbols() -> list[dict[str, Any]]:
    """How classes look, in their order."""
    made = []
    for number in range(SYMBOLS):
        one = class_symbol(number)
        colours = {"light": CLASS_COLOURS[one.colour], "dark": CLASS_COLOURS_ON_DARK[one.colour]}
        made.append({"shape": one.shape, "filled": one.filled, **colours})
    return made


def colouring(
    name: str, classes: Sequence[str], labels: Int64[np.ndarray, " n"], *, blank: int | None = None
) -> dict[str, Any]:
    """A class for each dot; that of the number `blank` is grey: of these dots nothing is known."""
    return {"name": name, "classes": list(classes), "labels": text_of(labels, "<u2"), "blank": blank}
