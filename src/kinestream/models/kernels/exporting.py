"""Whether torch.export is tracing: what decides by values, or is made for training, then takes its plain form."""

from collections.abc import Callable

import torch

is_exporting: Callable[[], bool] = getattr(torch.compiler, "is_exporting", lambda: False)
"""Torch's own since 2.7; before that nothing is traced."""
