import dataclasses
import json
from pathlib import Path

import pytest
import torch

from kinestream.models.bigru import BiGRUSettings
from kinestream.models.encoder import EncoderSettings
from kinestream.models.encoder_file import EncoderCard, load_encoder, save_encoder, weights_hash
from kinestream.models.readout import Readout
from kinestream.models.stgcn import STGCNSettings
from kinestream.skeleton.layout import KINECT20
from kinestream.skeleton.streams import distance

CARD = EncoderCard(
    stream="joint",
    layout=KINECT20,
    encoder=STGCNSettings(hidden=4, dim=8, absent="skip", partition="distance"),
    frames=20,
    preparation="tracked",
    dataset="nw-ucla",
    split="xview",
    recipe="try",
    epochs_done=1,
    epochs=2,
    readout=Readout(turns=3, whitening=0.5),
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "encoder-joint.safetensors"
    save_encoder(path, CARD.new_encoder(), CARD)
    return path


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    encoder = CARD.new_encoder()
    encoder(torch.randn(4, 3, 20, 20, 1))  # moves the BN statistics, which belong to the encoder
    save_encoder(tmp_path / "e.safetensors", encoder, CARD)
    loaded, card = load_encoder(tmp_path / "e.safetensors")
    assert card == CARD
    assert not loaded.training
    assert weights_hash(loaded) == weights_hash(encoder)
    x = torch.randn(2, 3, 20, 20, 1)
    assert torch.equal(loaded(x), encoder.eval()(x))
    assert {entry.name for entry in tmp_path.iterdir()} == {"e.safetensors", "e.json"}, "no temporary file is left"


def test_weights_of_a_training_in_double_precision_are_loaded(tmp_path: Path) -> None:
    path, encoder = tmp_path / "e.safetensors", CARD.new_encoder().double()
    save_encoder(path, encoder, CARD)
    loaded, _ = load_encoder(path)
    assert weights_hash(loaded) == weights_hash(encoder.float())
    with torch.no_grad():
        encoder.double().blocks[3].temporal.bias[0] = 1e300
    save_encoder(path, encoder, CARD)
    with pytest.raises(ValueError, match="numbers that are not finite"):
        load_encoder(path)


def test_encoders_of_distances_are_files_as_others_and_no_st_gcn(tmp_path: Path) -> None:
    card = dataclasses.replace(CARD, stream="distance", encoder=BiGRUSettings(hidden=4))
    encoder = card.new_encoder()
    encoder(distance(torch.randn(4, 3, 20, 20, 1), KINECT20))
    save_encoder(tmp_path / "e.safetensors", encoder, card)
    loaded, read = load_encoder(tmp_path / "e.safetensors")
    assert read == card
    x = torch.randn(2, 3, 20, 20, 1)
    assert torch.equal(loaded(distance(x, KINECT20)), encoder.eval()(distance(x, KINECT20)))
    with pytest.raises(ValueError, match="the encoder takes 1 coordinates of 190 joints, the clips have 3 of 20"):
        loaded(x)
    with pytest.raises(ValueError, match="stream 'distance' is of pairs of joints"):
        dataclasses.replace(card, encoder=STGCNSettings()).new_encoder()


@pytest.mark.parametrize("settings", [STGCNSettings(), BiGRUSettings()], ids=["st-gcn", "bigru"])
def test_an_encoder_takes_as_many_coordinates_as_its_stream_has(settings: EncoderSettings) -> None:
    card = dataclasses.replace(CARD, encoder=settings, stream="displacement")
    assert card.new_encoder().eval()(torch.randn(2, 8, 16, len(card.layout.joints), 1)).shape[0] == 2


def test_the_hash_sees_one_changed_weight() -> None:
    encoder = CARD.new_encoder()
    before = weights_hash(encoder)
    with torch.no_grad():
        encoder.blocks[3].temporal.bias[0] += 1e-6
    assert weights_hash(encoder) != before


def test_missing_files_are_named(saved: Path) -> None:
    saved.with_suffix(".json").unlink()
    with pytest.raises(ValueError, match="no card"):
        load_encoder(saved)
    with pytest.raises(ValueError, match="no card"):
        load_encoder(saved.with_name("other.safetensors"))


def test_missing_weights_are_named(saved: Path) -> None:
    saved.unlink()
    with pytest.raises(ValueError, match="no encoder"):
        load_encoder(saved)


def test_weights_that_do_not_fit_the_card_are_refused(saved: Path) -> None:
    save_encoder(saved, dataclasses.replace(CARD, encoder=STGCNSettings(hidden=4, dim=9)).new_encoder(), CARD)
    with pytest.raises(ValueError, match="does not fit its card"):
        load_encoder(saved)


def test_cut_weights_are_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(ValueError, match="does not fit its card"):
        load_encoder(saved)


@pytest.mark.parametrize("change", [{"schema": 99}, {"layout": {}}, {"more": 1}])
def test_a_card_of_another_kind_is_refused(saved: Path, change: dict[str, object]) -> None:
    card = saved.with_suffix(".json")
    card.write_text(json.dumps(json.loads(card.read_text()) | change))
    with pytest.raises(ValueError, match="no card of an encoder"):
        load_encoder(saved)
