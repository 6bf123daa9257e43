"""Accuracy after fine-tuning the encoder of a run, or of all its streams, with all labels of the training part.
Stopped, the same command goes on; what is trained is not trained again.

Examples:
  kinestream evaluate finetune runs/caca-joint --data ntu60/
  kinestream evaluate finetune runs/caca-joint --data ntu60/ --form published
  kinestream evaluate finetune runs/caca-3s --data ntu60/ --fusion fused --weights joint=0.6,motion=0.4,bone=0.6
  kinestream evaluate finetune runs/caca-joint --data ntu60/ --seeds 3 --rate 0.0005 --layer-decay 0.6
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kinestream.configs import required_option


@dataclass(frozen=True, kw_only=True)
class Config:
    """Arguments of `kinestream evaluate finetune`."""

    run: Path
    """Folder of a pre-training run, or an encoder file (.safetensors)."""
    data: Path = required_option()
    """The store with the labels."""
    split: str | None = None
    """Split to evaluate on; that of the run if not given."""
    form: Literal["usual", "published"] = "usual"
    """usual: encoder in training mode, AdamW, a rate for each layer; published: encoder in evaluation mode, SGD."""
    epochs: int = 50
    """Passes over the labelled clips."""
    batch_size: int | None = None
    """Clips a step; that of the form if not given, as all that follows."""
    optimiser: Literal["adamw", "sgd"] | None = None
    """Which optimiser."""
    rate: float | None = None
    """Learning rate of the linear layers."""
    layer_decay: float | None = None
    """Factor on the rate for each layer further down; 1 for one rate."""
    weight_decay: float | None = None
    """On every parameter."""
    augment: Literal["none", "published", "recipe"] | None = None
    """Of the training clips: none, crop and shear as published, or as in the run's recipe."""
    fusion: Literal["together", "fused", "both"] = "together"
    """Of several streams: one classifier on all (logits summed), or one for each and their scores summed, or both."""
    weights: str | None = None
    """Of the streams when their scores are fused, as in joint=0.6,motion=0.4,bone=0.6; alike if not given."""
    seeds: int = 1
    """How many trainings, with the seeds from --seed on; the figures are means."""
    seed: int = 0
    """Of the first training."""
    allow_leak: bool = False
    """Go on where test clips were learnt from; the results are marked."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""


def run(config: Config) -> None:
    from kinestream.commands.options import open_subject, parse_weights, training_settings
    from kinestream.protocols.finetune import fine_tune
    from kinestream.protocols.training import seeds_from

    settings = training_settings(config)
    seeds, weights = seeds_from(config.seed, config.seeds), parse_weights(config.weights)
    subject = open_subject(config, "evaluate finetune")
    fine_tune(subject, settings, seeds=seeds, fusion=config.fusion, weights=weights)
