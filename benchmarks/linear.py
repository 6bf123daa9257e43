"""Linear evaluation at the size of NTU-60 cross-subject: every clip encoded once and the layer trained on features,
against the published loop, which encodes all training clips in each of 100 epochs and the test clips in every fifth.

Both are put together from parts that are measured here: seconds of a clip's pass through either encoder, and of the
layer's training on all features for a few epochs. That both end with the same weights is compared first, with the whole
loop on few clips.
"""

from collections.abc import Callable
from typing import Any

import torch
from tests.reference.literal_stgcn import LiteralSTGCN, copy_weights
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.arithmetic import clock, setting
from benchmarks.pairing import in_turn, ratio, spread
from kinestream.evaluate.linear_probe import linear_probe, new_layer
from kinestream.models.kernels.graph import adjacency
from kinestream.models.stgcn import STGCN
from kinestream.skeleton.layout import NTU25

TRAIN, TEST, CLASSES, DIM = 40_091, 16_487, 60, 512
EPOCHS, TEST_PASSES = 100, 20
CLIPS = 20
LAYER_EPOCHS = 2
ROUNDS = 3


def measure() -> dict[str, Any]:
    """Of clips of which four in five have one body."""
    torch.manual_seed(0)
    a = torch.from_numpy(adjacency(NTU25)).float()
    literal, ours = LiteralSTGCN(a, dim=DIM), STGCN(a, dim=DIM)
    x = torch.randn(CLIPS, 3, 50, 25, 2)
    x[[clip for clip in range(CLIPS) if clip % 5], ..., 1] = 0
    literal(x)
    copy_weights(literal, ours)
    difference = _compare(literal.eval(), ours.eval(), x)

    def encode(network: nn.Module) -> Callable[[], object]:
        def work() -> None:
            with torch.no_grad():
                network(x)

        return work

    encoding = in_turn({"literal": encode(literal), "ours": encode(ours)}, ROUNDS, warm=True, clock=clock())
    layer = in_turn({"ours": _train_layer}, ROUNDS, clock=clock())["ours"]
    layer = [seconds / LAYER_EPOCHS for seconds in layer]
    a_clip = {name: [seconds / CLIPS for seconds in times] for name, times in encoding.items()}
    loop = [
        (EPOCHS * TRAIN + TEST_PASSES * TEST) * clip + EPOCHS * epoch
        for clip, epoch in zip(a_clip["literal"], layer, strict=True)
    ]
    once = [(TRAIN + TEST) * clip + EPOCHS * epoch for clip, epoch in zip(a_clip["ours"], layer, strict=True)]
    return {
        "machine": setting(),
        "training_clips": TRAIN,
        "test_clips": TEST,
        "rounds": ROUNDS,
        "measured": {
            "largest_difference_of_the_weights_after_3_epochs": difference,
            "seconds_to_encode_a_clip": {name: spread(times) for name, times in a_clip.items()},
            "of_clips": CLIPS,
            "seconds_of_an_epoch_of_the_layer_with_its_test": spread(layer),
            "of_epochs": LAYER_EPOCHS,
        },
        "extrapolated": {
            "hours_of_the_loop": spread([seconds / 3600 for seconds in loop]),
            "hours_of_ours": spread([seconds / 3600 for seconds in once]),
            "ratio": ratio(loop, once),
        },
    }


def _train_layer() -> None:
    features = torch.randn(TRAIN + TEST, DIM)
    labels = torch.randint(CLASSES, (TRAIN + TEST,))
    parts = {"joint": features[:TRAIN]}, labels[:TRAIN], {"joint": features[TRAIN:]}, labels[TRAIN:]
    linear_probe(*parts, classes=CLASSES, epochs=LAYER_EPOCHS)


def _compare(literal: nn.Module, ours: nn.Module, x: Tensor) -> float:
    """The weights after three epochs of either; raises AssertionError when they are not equal within 1e-4."""
    labels = torch.arange(len(x)) % 4
    with torch.no_grad():
        features = ours(x)
    found = linear_probe(
        {"joint": features}, labels, {"joint": features}, labels, classes=4, epochs=3, batch_size=8
    ).layers["joint"]
    generator = torch.Generator().manual_seed(0)
    expected = new_layer(DIM, 4, generator)
    optimizer = torch.optim.SGD(expected.parameters(), lr=3.0, momentum=0.9)
    for epoch in range(3):
        optimizer.param_groups[0]["lr"] = 3.0 * (0.1 if epoch >= 2 else 1.0)
        for rows in torch.randperm(len(x), generator=generator).split(8):
            with torch.no_grad():
                h = literal(x[rows])
            optimizer.zero_grad()
            functional.cross_entropy(expected(h), labels[rows]).backward()
            optimizer.step()
    torch.testing.assert_close(found.weight, expected.weight, rtol=1e-4, atol=1e-4)
    return float((found.weight - expected.weight).detach().abs().max())
