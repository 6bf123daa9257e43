import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from kinestream.data.clips import Clips
from kinestream.data.store import Store
from kinestream.features.extract import (
    cached_features,
    calibrate_batch_norm,
    compute_features,
    raw_coordinates,
)
from kinestream.models.bigru import BiGRU
from kinestream.models.kernels.bodies import Absent
from kinestream.models.kernels.graph import adjacency
from kinestream.models.readout import Readout
from kinestream.models.stgcn import STGCN
from kinestream.skeleton.layout import KINECT20
from kinestream.skeleton.streams import make_streams
from kinestream.train.views import to_batch


def encoder(seed: int = 0) -> STGCN:
    torch.manual_seed(seed)
    return STGCN(torch.from_numpy(adjacency(KINECT20)), hidden=4, dim=8, dropout=0.5)


def test_features_leave_the_encoder_as_it_was_and_follow_the_order_of_the_store(
    small_store: Path, device: torch.device
) -> None:
    clips = Clips(Store(small_store), 10)
    network = encoder().train()
    before = copy.deepcopy(network.state_dict())
    seen: list[tuple[int, int]] = []
    features = compute_features(
        {"joint": network}, clips, device=device, progress=lambda done, total: seen.append((done, total))
    )
    assert network.training
    assert all(torch.equal(value.cpu(), before[name]) for name, value in network.state_dict().items())
    assert seen == [(0, 40), (40, 40)]
    one = network.cpu().eval()(to_batch(torch.from_numpy(clips.batch(np.array([17])))))
    np.testing.assert_allclose(features["joint"][17], one[0].detach(), rtol=1e-4, atol=1e-5)


def test_a_readout_averages_over_turns(small_store: Path, device: torch.device) -> None:
    clips = Clips(Store(small_store), 10)
    network = encoder().eval()
    read = compute_features({"bone": network}, clips, readout=Readout(turns=4), device=device)["bone"]
    network.cpu()
    assert read.shape == (40, 8)

    x, y, z = np.moveaxis(clips.batch(np.array([17]))[0].astype(np.float64), -1, 0)  # t m v each
    mean = np.zeros(8)
    for angle in (0.0, np.pi / 2, np.pi, 3 * np.pi / 2):
        turned = np.stack((np.cos(angle) * x + np.sin(angle) * z, y, np.cos(angle) * z - np.sin(angle) * x), axis=-1)
        batch = to_batch(torch.from_numpy(turned[None]).float())
        with torch.no_grad():
            feature = network(make_streams(batch, ["bone"], KINECT20)["bone"])[0].double().numpy()
        mean += feature / np.linalg.norm(feature)
    np.testing.assert_allclose(read[17], mean / np.linalg.norm(mean), rtol=1e-4, atol=1e-5)


class InMemory:
    layout, rate = KINECT20, None

    def __init__(self, clips: np.ndarray) -> None:
        self.clips, self.frames = clips, clips.shape[1]

    def __len__(self) -> int:
        return len(self.clips)

    def batch(self, indices: np.ndarray) -> np.ndarray:
        return np.asarray(self.clips[indices])


@pytest.mark.parametrize("absent", ["skip", "published"])
@pytest.mark.parametrize("places", [0, 1, 2])
def test_places_that_nobody_has_are_left_out_where_that_changes_nothing(absent: Absent, places: int) -> None:
    torch.manual_seed(0)
    network = BiGRU(20, hidden=8, absent=absent).eval()
    rng = np.random.default_rng(places)
    clips = np.zeros((5, 12, 3, 20, 3), np.float32)
    clips[:, :, :places] = rng.normal(size=(5, 12, places, 20, 3))
    clips[2, :, :1] = 0
    taken: list[int] = []
    network.register_forward_pre_hook(lambda module, given: taken.append(given[0].shape[4]))
    found = compute_features({"joint": network}, InMemory(clips))["joint"]
    assert taken == [3 if absent == "published" else max(places, 1)]
    with torch.no_grad():
        every = network(to_batch(torch.from_numpy(clips)))
    np.testing.assert_array_equal(found, every)


def test_streams_that_are_the_same_from_all_sides_are_read_from_one(small_store: Path) -> None:
    clips = Clips(Store(small_store), 10)
    networks = {"bone": encoder(), "cylindrical-motion": encoder()}
    seen = dict.fromkeys(networks, 0)

    def count(stream: str) -> None:
        seen[stream] += 1

    for stream, network in networks.items():
        network.register_forward_pre_hook(lambda _module, _inputs, stream=stream: count(stream))
    once = compute_features(networks, clips)
    assert seen == {"bone": 1, "cylindrical-motion": 1}
    turned = compute_features(networks, clips, readout=Readout(turns=4))
    assert seen == {"bone": 1 + 4, "cylindrical-motion": 1 + 1}
    lengths = np.linalg.norm(once["cylindrical-motion"], axis=1, keepdims=True)
    np.testing.assert_allclose(turned["cylindrical-motion"], once["cylindrical-motion"] / lengths, rtol=1e-5)
    assert not np.allclose(
        turned["bone"], once["bone"] / np.linalg.norm(once["bone"], axis=1, keepdims=True), rtol=1e-2
    )


def test_an_impossible_readout_is_refused() -> None:
    with pytest.raises(ValueError, match="readout of 0 turns: it must be of 1 to 360"):
        Readout(turns=0)


def test_cached_features_are_computed_once_and_never_stale(
    small_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = Clips(Store(small_store), 10)
    network = encoder().eval()
    calls = 0
    forward = STGCN.forward

    def counted(self: STGCN, x: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        result: torch.Tensor = forward(self, x)
        return result

    monkeypatch.setattr(STGCN, "forward", counted)
    first = cached_features(tmp_path / "f", {"joint": network}, clips)["joint"]
    assert calls == 1
    np.testing.assert_array_equal(cached_features(tmp_path / "f", {"joint": network}, clips)["joint"], first)
    assert calls == 1, "the second time they are read"
    with torch.no_grad():
        network.data_bn.weight[0] += 1
    assert not np.array_equal(cached_features(tmp_path / "f", {"joint": network}, clips)["joint"], first)
    assert calls == 2
    for file in (tmp_path / "f").iterdir():
        file.write_bytes(file.read_bytes()[:50])
    cached_features(tmp_path / "f", {"joint": network}, clips)
    assert calls == 3, "a cut file is made again"
    read = cached_features(tmp_path / "f", {"joint": network}, clips, readout=Readout(turns=2))["joint"]
    assert calls == 5, "another readout is another file"
    assert read.shape == (40, 8)


def test_calibration_gives_an_untrained_encoder_statistics_of_the_data(small_store: Path) -> None:
    store = Store(small_store)
    clips = Clips(store, 10)
    network = encoder()
    calibrate_batch_norm(network, clips, store.select("xview", "train"), "joint")
    assert not network.training
    x = to_batch(torch.from_numpy(clips.batch(store.select("xview", "train"))))
    values = x[..., 0].permute(0, 2, 3, 1).reshape(-1, 60)  # (n t, v c)
    torch.testing.assert_close(network.data_bn.running_mean, values.mean(dim=0), rtol=1e-4, atol=1e-5)


def test_raw_coordinates_are_the_clips(small_store: Path) -> None:
    clips = Clips(Store(small_store), 10)
    raw = raw_coordinates(clips, np.array([3, 5]))
    assert raw.shape == (2, 10 * 1 * 20 * 3)
    clip = clips.batch(np.array([5]))[0]
    np.testing.assert_array_equal(raw[1].reshape(10, 1, 20, 3), clip)
    motion = raw_coordinates(clips, np.array([3, 5]), "motion")[1].reshape(10, 1, 20, 3)
    np.testing.assert_array_equal(motion[:-1], clip[1:] - clip[:-1])


def test_encoders_go_where_the_features_are_computed(small_store: Path) -> None:
    """No test machine needs a GPU: the meta device has shapes and no values, so the features cannot come back."""
    network = encoder()
    with pytest.raises(RuntimeError, match="meta tensor"):
        compute_features({"joint": network}, Clips(Store(small_store), 10), device=torch.device("meta"))
    assert {parameter.device.type for parameter in network.parameters()} == {"meta"}
