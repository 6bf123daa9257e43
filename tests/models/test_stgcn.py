import copy
import subprocess
import sys
from collections.abc import Sequence

import pytest
import torch
from tests.reference.literal_stgcn import LiteralSTGCN, copy_weights
from torch import Tensor

from kinestream.models.kernels.graph import adjacency
from kinestream.models.stgcn import STGCN, initialise_as_published
from kinestream.skeleton.layout import KINECT20, NTU25, SkeletonLayout


def both(layout: SkeletonLayout, dtype: torch.dtype = torch.float64) -> tuple[LiteralSTGCN, STGCN]:
    torch.manual_seed(0)
    a = torch.from_numpy(adjacency(layout)).to(dtype)
    literal = LiteralSTGCN(a, hidden=4, dim=12, dropout=0.0).to(dtype)
    for parameter in literal.parameters():
        torch.nn.init.normal_(parameter, 0.1, 0.3)
    ours = STGCN(a, hidden=4, dim=12, dropout=0.0).to(dtype)
    copy_weights(literal, ours)
    return literal, ours


@pytest.mark.parametrize("layout", [NTU25, KINECT20], ids=lambda layout: layout.name)
@pytest.mark.parametrize(("frames", "bodies"), [(50, 2), (13, 1), (2, 1)])
def test_equals_the_literal_network_with_gradients(layout: SkeletonLayout, frames: int, bodies: int) -> None:
    literal, ours = both(layout)
    x = torch.randn(3, 3, frames, len(layout.joints), bodies, dtype=torch.float64)
    for training in (True, False):
        expected, found = literal.train(training)(x), ours.train(training)(x)
        torch.testing.assert_close(found, expected)
    weights = torch.randn(3, 12, dtype=torch.float64)
    (literal.train()(x) * weights).sum().backward()
    (ours.train()(x) * weights).sum().backward()
    pairs = zip(literal.importance, ours.edge_importance, strict=True)
    for expected_parameter, parameter in pairs:
        torch.testing.assert_close(parameter.grad, expected_parameter.grad)
    for index in (0, 4, 9):
        literal_block, block = literal.blocks[index], ours.blocks[index]
        assert block.graph.linear.weight.grad is not None
        expected_grad = literal_block.conv.weight.grad.flatten(1)
        torch.testing.assert_close(block.graph.linear.weight.grad, expected_grad)
        torch.testing.assert_close(block.graph.linear.bias.grad, literal_block.conv.bias.grad)
        torch.testing.assert_close(block.temporal.weight.grad, literal_block.temporal.weight.grad)


def test_float32_agrees_to_1e_4() -> None:
    literal, ours = both(NTU25, torch.float32)
    x = torch.randn(4, 3, 50, 25, 2)
    torch.testing.assert_close(ours.eval()(x), literal.eval()(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("layout", "frames"), [(KINECT20, 32), (NTU25, 50), (KINECT20, 13)])
def test_wide_networks_equal_the_literal_one_in_every_gradient(layout: SkeletonLayout, frames: int) -> None:
    """With the published widths, where the last blocks go through the frequency domain."""
    torch.manual_seed(0)
    a = torch.from_numpy(adjacency(layout)).double()
    literal, ours = LiteralSTGCN(a, dim=64, dropout=0.0).double(), STGCN(a, dim=64, dropout=0.0).double()
    copy_weights(literal, ours)
    x, weights = torch.randn(3, 3, frames, len(layout.joints), 1).double(), torch.randn(3, 64).double()
    # Two passes in one graph, as the two views of a step.
    for network in (literal, ours):
        (network(x) * weights + network(x + 0.1).square()).sum().backward()
    as_ours = copy.deepcopy(ours)
    with torch.no_grad():
        for parameter, own in zip(literal.parameters(), list(literal.parameters()), strict=True):
            parameter.copy_(own.grad)
    copy_weights(literal, as_ours)
    expected = dict(as_ours.named_parameters())
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name].detach(), msg=lambda m, name=name: f"{name}: {m}")
    for name, buffer in ours.named_buffers():
        if "running" in name:
            torch.testing.assert_close(buffer, dict(as_ours.named_buffers())[name], msg=name)


def test_autocast_follows_single_precision() -> None:
    torch.manual_seed(0)
    ours = STGCN(torch.from_numpy(adjacency(KINECT20)), dim=128, dropout=0.0)
    x = torch.randn(8, 3, 32, 20, 1)
    expected = ours(x)
    with torch.autocast("cpu", torch.bfloat16):
        found = ours(x)
        found.float().square().sum().backward()
    torch.testing.assert_close(found.float(), expected, rtol=0.1, atol=0.1)
    assert all(parameter.grad is not None for parameter in ours.parameters())


def test_compiled_blocks_keep_values_gradients_and_names() -> None:
    """Followed by the compiler, as far as its graph. In a process of its own, where nothing checks shapes meanwhile."""
    subprocess.run([sys.executable, "-c", COMPILED], check=True)


COMPILED = """
import copy, torch
from kinestream.skeleton.layout import KINECT20
from kinestream.models.kernels.graph import adjacency
from kinestream.models.stgcn import STGCN
torch.manual_seed(0)
ours = STGCN(torch.from_numpy(adjacency(KINECT20)), hidden=4, dim=8, dropout=0.0)
compiled = copy.deepcopy(ours)
compiled.compile_parts(backend="eager")
x = torch.randn(2, 3, 8, 20, 1)
expected, found = ours(x), compiled(x)
torch.testing.assert_close(found, expected)
expected.square().sum().backward()
found.square().sum().backward()
assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0
assert compiled.state_dict().keys() == ours.state_dict().keys()
for name, parameter in compiled.named_parameters():
    torch.testing.assert_close(parameter.grad, ours.get_parameter(name).grad)
"""


def test_published_size() -> None:
    encoder = STGCN(torch.from_numpy(adjacency(NTU25)))
    widths = [block.temporal.out_channels for block in encoder.blocks]
    assert widths == [16, 16, 16, 16, 32, 32, 32, 64, 64, 512]
    assert [block.temporal.stride[0] for block in encoder.blocks] == [1, 1, 1, 1, 2, 1, 1, 2, 1, 1]
    assert [block.dropout.p for block in encoder.blocks] == [0.0] + [0.5] * 9
    # Counted from the reference's list: conv + bias, two BN, 9x1 conv + bias, residual where the shape changes.
    expected, before = 2 * 75, 3
    for number, width in enumerate(widths):
        expected += 3 * 25 * 25 + (3 * width) * (before + 1) + 2 * 2 * width + width * (9 * width + 1)
        if number and before != width:
            expected += width * (before + 1) + 2 * width
        before = width
    assert sum(parameter.numel() for parameter in encoder.parameters()) == expected


def test_feature_is_the_mean_of_the_last_map_over_frames_joints_and_all_bodies() -> None:
    _, ours = both(NTU25)
    x = torch.randn(2, 3, 20, 25, 2, dtype=torch.float64)
    x[1, ..., 1] = 0
    maps = ours.eval().maps(torch.cat((x[..., 0], x[..., 1])))
    assert maps.shape == (5, 25, 4, 12)
    first, second = maps.mean(dim=(0, 1)).chunk(2)
    torch.testing.assert_close(ours(x), (first + second) / 2)
    assert maps[:, :, 3].any(), "an absent body is encoded like a real one, as published"


@pytest.mark.parametrize("frames", [24, 25])
def test_pooled_frames_are_those_of_a_clip_of_averaged_ones(frames: int) -> None:
    _, plain = both(KINECT20)
    pooled = STGCN(plain.a, hidden=4, dim=12, dropout=0.0, pool=2).double()
    pooled.load_state_dict(plain.state_dict())
    x = torch.randn(3, 3, frames, 20, 1, dtype=torch.float64)
    means = torch.stack([x[:, :, t : t + 2].mean(dim=2) for t in range(0, frames, 2)], dim=2)
    torch.testing.assert_close(pooled.eval()(x), plain.eval()(means))
    found: list[Tensor] = []
    pooled.variants(x, lambda maps: found.append(maps) or maps)
    assert found[0].shape == (4 if frames == 25 else 3, 20, 3, 12)


def test_absent_bodies_can_be_skipped() -> None:
    _, ours = both(NTU25)
    ours.eval()
    x = torch.randn(4, 3, 20, 25, 2, dtype=torch.float64)
    x[1, ..., 1] = 0
    x[2, ..., 0] = 0
    x[3] = 0
    first, second = (ours(x[..., [m]]) for m in (0, 1))
    ours.absent = "skip"
    found = ours(x)
    torch.testing.assert_close(found[0], (first[0] + second[0]) / 2)
    torch.testing.assert_close(found[1], first[1])
    torch.testing.assert_close(found[2], (first[2] + second[2]) / 2, msg="the first body always counts")
    torch.testing.assert_close(found[3], first[3])
    # In training mode absent bodies have no part in the BN statistics either.
    ours.train()
    alone = ours(x[[1]][..., [0]])
    torch.testing.assert_close(ours(x[[1]]), alone)


def encoded_rows(network: STGCN, x: Tensor) -> int:
    """How many bodies pass through the blocks."""
    rows: list[int] = []
    hook = network.data_bn.register_forward_pre_hook(lambda module, inputs: rows.append(len(inputs[0])))
    with torch.no_grad():
        network(x)
    hook.remove()
    return rows[0]


def clips_with_absent_bodies(clips: int, absent: Sequence[tuple[int, int]]) -> Tensor:
    torch.manual_seed(5)
    x = torch.randn(clips, 3, 20, 25, 2, dtype=torch.float64)
    for clip, body in absent:
        x[clip, ..., body] = 0
    return x


@pytest.mark.parametrize(
    ("absent", "rows"),
    [
        ([(0, 1), (2, 1), (3, 1)], 6),
        ([(0, 0), (1, 1), (2, 0), (2, 1)], 5),  # also first bodies, and a clip of nobody
        ([(1, 1)], 8),
        ([], 8),
        ([(clip, body) for clip in range(4) for body in range(2)], 1),
    ],
)
@pytest.mark.parametrize("training", [True, False])
def test_one_absent_body_stands_for_all_without_a_difference(
    absent: list[tuple[int, int]], rows: int, training: bool
) -> None:
    literal, ours = both(NTU25)
    x = clips_with_absent_bodies(4, absent)
    if not training:
        literal(x.flip(0) + 0.1)  # running statistics that are not those of the beginning
        copy_weights(literal, ours)
    literal.train(training)
    ours.train(training)
    x1, x2 = x.clone().requires_grad_(), x.clone().requires_grad_()
    expected, found = literal(x1), ours(x2)
    torch.testing.assert_close(found, expected)
    direction = torch.randn(expected.shape, dtype=torch.float64)
    (expected * direction).sum().backward()
    (found * direction).sum().backward()
    of_ours = copy.deepcopy(ours)
    with torch.no_grad():
        for parameter in literal.parameters():
            parameter.copy_(parameter.grad)
    copy_weights(literal, of_ours)
    for name, gradient in of_ours.named_parameters():
        torch.testing.assert_close(ours.get_parameter(name).grad, gradient.detach(), msg=name)
    for name, buffer in of_ours.named_buffers():
        torch.testing.assert_close(ours.get_buffer(name), buffer, msg=name)
    for clip in range(4):
        for body in range(2):
            if (clip, body) not in absent:
                torch.testing.assert_close(x2.grad[clip, ..., body], x1.grad[clip, ..., body])
    assert encoded_rows(ours, x) == rows


def test_with_dropout_absent_bodies_share_a_mask_only_where_it_is_asked_for() -> None:
    a = torch.from_numpy(adjacency(NTU25))
    x = clips_with_absent_bodies(6, [(clip, 1) for clip in range(4)]).float()
    x[4] = x[5] = 0
    published, once = (STGCN(a, hidden=4, dim=8, absent=absent) for absent in ("published", "once"))
    assert encoded_rows(published, x) == 12
    assert encoded_rows(once, x) == 5
    assert encoded_rows(published.eval(), x) == 5
    torch.manual_seed(0)
    nobody = once(x)[4:]
    assert torch.equal(nobody[0], nobody[1]), "a mask for all"
    nobody = published.train()(x)[4:]
    assert not torch.equal(nobody[0], nobody[1]), "a mask for each"
    once.load_state_dict(published.state_dict())
    torch.testing.assert_close(once.eval()(x), published.eval()(x))


def test_a_change_of_the_last_map_sees_every_body() -> None:
    _, ours = both(NTU25)
    x = clips_with_absent_bodies(4, [(0, 1), (1, 1), (2, 1)])
    seen: list[Tensor] = []

    def change(y: Tensor) -> Tensor:
        seen.append(y)
        return y / y.mean()

    plain, changed = ours.variants(x, None, change)
    (maps,) = seen
    assert maps.shape[2] == 8
    torch.testing.assert_close(maps[:, :, 1], maps[:, :, 3])
    torch.testing.assert_close(changed, plain / maps.mean())


def test_true_distance_partition_differs_and_sums_to_the_same_graph() -> None:
    one_hop, distance = adjacency(NTU25), adjacency(NTU25, "distance")
    assert (one_hop.sum(axis=0) == distance.sum(axis=0)).all()
    assert not (one_hop[1] == distance[1]).all()
    # By true distance every limb link has a direction: outward in part 2, inward in part 1.
    for child, parent in NTU25.bones:
        assert distance[2, parent, child] > 0
        assert distance[2, child, parent] == 0
        assert distance[1, child, parent] > 0


def test_published_initialisation() -> None:
    torch.manual_seed(0)
    encoder = STGCN(torch.from_numpy(adjacency(NTU25)))
    initialise_as_published(encoder)
    weight = encoder.blocks[9].temporal.weight
    assert float(weight.detach().std()) == pytest.approx(0.02, rel=0.02)
    assert float(weight.detach().mean()) == pytest.approx(0.0, abs=1e-4)
    assert not encoder.blocks[3].graph.linear.bias.any()
    scale = torch.cat([block.temporal_bn.weight.detach() for block in encoder.blocks])
    assert float(scale.mean()) == pytest.approx(1.0, abs=0.005)
    assert float(scale.std()) == pytest.approx(0.02, rel=0.2)
    assert all((importance == 1).all() for importance in encoder.edge_importance)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"hidden": 0}, "hidden"),
        ({"pool": 0}, r"pool \(0\) must be at least 1"),
        ({"dropout": 1.0}, r"dropout \(1.0\) must be in \[0, 1\)"),
    ],
)
def test_refuses_sizes_that_make_no_network(options: dict[str, int | float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        STGCN(torch.from_numpy(adjacency(NTU25)), **options)  # type: ignore[arg-type]


def test_refuses_clips_of_another_layout() -> None:
    _, ours = both(KINECT20)
    with pytest.raises(ValueError, match="takes 3 coordinates of 20 joints, the clips have 3 of 25"):
        ours(torch.zeros(1, 3, 10, 25, 1, dtype=torch.float64))
