"""Settings as plain containers: read back equal, or refused in one line."""

import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.augment.settings import AugmentSettings, ExtremeSettings, MixingSettings
from kinestream.config import parse_strictly
from kinestream.documents import load_yaml
from kinestream.methods import METHODS
from kinestream.methods.soft_alignment import SoftAlignment
from kinestream.models import ENCODERS
from kinestream.models.readout import Readout
from kinestream.recipes import MonitorSettings, OptimiserSettings, PublishedFigure

BUILTIN = [
    *(METHODS.get(name) for name in ("caca", "skeletonclr", "aimclr", "tranclr", "nt-xent", "vicreg", "dense")),
    *(ENCODERS.get(name) for name in ("st-gcn", "bigru")),
]
SETTINGS: list[Any] = [
    *BUILTIN,
    AugmentSettings,
    ExtremeSettings,
    MixingSettings,
    SoftAlignment,
    MonitorSettings,
    OptimiserSettings,
    Readout,
]
every_class = pytest.mark.parametrize("kind", SETTINGS, ids=lambda kind: kind.__name__)


def refused(kind: Any, plain: Any) -> str:
    with pytest.raises(ValueError, match=r"^here: ") as caught:
        parse_strictly(kind, plain, "here")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    return str(caught.value)


@every_class
def test_the_defaults_are_read_back_from_json(kind: Any) -> None:
    plain = json.loads(json.dumps(dataclasses.asdict(kind())))
    assert parse_strictly(kind, plain, "here") == parse_strictly(kind, {}, "here") == kind()


def test_keys_of_a_mapping_are_printed_in_one_line() -> None:
    words = refused(PublishedFigure, {"accuracy": 1, "what": "x", "fusion": {"a\nb": "x"}})
    assert words == "here: 'fusion.a?b' is x, should be a number"


def test_a_figure_is_read_back_from_json() -> None:
    figure = PublishedFigure(accuracy=78.0, what="x", streams=("joint", "bone"), fusion={"joint": 1.0, "bone": 0.5})
    assert parse_strictly(PublishedFigure, json.loads(json.dumps(dataclasses.asdict(figure))), "here") == figure
    assert "'accuracy' is missing" in refused(PublishedFigure, {"what": "x"})


@every_class
@given(key=st.text(max_size=80))
def test_an_unknown_key_is_named_whatever_it_is(kind: Any, key: str) -> None:
    if key not in {field.name for field in dataclasses.fields(kind)}:
        assert "unknown key" in refused(kind, {key: 1})


@every_class
def test_a_key_that_is_nearly_right_is_put_right(kind: Any) -> None:
    name = max((field.name for field in dataclasses.fields(kind)), key=len)
    assert f"did you mean {name}" in refused(kind, {f"{name[:-1]}": 1})


@every_class
@given(data=st.data())
def test_wrong_values_are_named_with_their_key(kind: Any, data: st.DataObject) -> None:
    """Of any JSON what a field does not take is refused in a line that says which one; nothing is converted."""
    plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    values = st.recursive(
        plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner), max_leaves=4
    )
    field = data.draw(st.sampled_from(dataclasses.fields(kind)))
    value = data.draw(values)
    try:
        made = parse_strictly(kind, {field.name: value}, "here")
    except ValueError:
        assert refused(kind, {field.name: value})
    else:
        found = json.loads(json.dumps(dataclasses.asdict(made)))[field.name]
        if isinstance(value, dict):
            assert value.items() <= found.items()
        else:
            assert found == value
            assert isinstance(found, bool) == isinstance(value, bool)


@pytest.mark.parametrize(
    ("plain", "words"),
    [
        ({"rate": True}, "'rate' is true, should be a number"),
        ({"rate": "0.1"}, "'rate' is 0.1, should be a number"),
        ({"rate": math.nan}, "'rate' is NaN, should be a finite number"),
        ({"rate": None}, "'rate' is null, should be a number"),
        ({"milestones": 3}, "'milestones' is 3, should be a list"),
        ({"milestones": [3.5]}, "'milestones.0' is 3.5, should be a whole number"),
        ({"milestones": [True]}, "'milestones.0' is true, should be a whole number"),
        ({"name": "adam"}, "'name' is adam, should be 'sgd' or 'adamw'"),
        ({"schedule": ["step"]}, "'schedule' is"),
        ([], "should be a mapping"),
        ("x\ny", "should be a mapping"),
        ({"milestones": ["\ud800"]}, "'"),
        ({"rate": {1, 2}}, "numbers, text, lists and mappings are allowed"),
    ],
)
def test_what_does_not_fit_is_said_in_the_words_of_yaml(plain: Any, words: str) -> None:
    assert words in refused(OptimiserSettings, plain)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([1, 2], "'rotation' is [1, 2], value 3 is missing"),
        ([], "'rotation' is [], value 1 is missing"),
        ([1, 2, 3, 4], "'rotation' is [1, 2, 3, 4], should have at most 3 items, not 4"),
        ([1, None, 3], "'rotation.1' is null, should be a number"),
        ("0 180 0", "'rotation' is 0 180 0, should be a list"),
    ],
)
def test_a_list_of_the_wrong_length_is_shown(value: Any, words: str) -> None:
    assert words in refused(AugmentSettings, {"rotation": value})


def test_a_wrong_value_far_down_and_long_is_cut() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    refused(OptimiserSettings, {"rate": deep})
    assert refused(OptimiserSettings, {"rate": "x" * 10_000}).endswith("x..., should be a number")


@dataclasses.dataclass(frozen=True)
class Many:
    rows: tuple[OptimiserSettings, ...] | None = None


def test_an_unknown_key_within_a_list_is_named() -> None:
    assert "rows.0: unknown key 'x'" in refused(Many, {"rows": [{"x": 1}]})


@pytest.mark.parametrize(("value", "bound"), [(1e300, "1e+15"), (2**70, "9223372036854775807")])
def test_numbers_that_no_setting_has_are_refused_before_they_are_used(value: float, bound: str) -> None:
    assert f"rows.rate ({str(value)[:8]}" in (said := refused(Many, {"rows": [{"rate": value}]}))
    assert said.endswith(f"must be at most {bound}")


@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_yaml_reads_numbers_as_python_writes_them(number: float) -> None:
    assert load_yaml(repr(number), "here") == number


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "\t- x", "a: &a [*a", "!!python/object:os.system {}", "{" * 5000])
def test_what_is_no_yaml_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"^here is not YAML: ") as caught:
        load_yaml(text, "here")
    assert "\n" not in str(caught.value)


# --- registries -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoBuild:
    name: str = "none"


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoDim(NoBuild):
    def build(self, stream: str, layout: object) -> None: ...


@pytest.mark.parametrize("entry", [NoBuild, int, "caca", lambda: None])
def test_what_is_no_method_or_encoder_is_refused_when_it_is_registered(entry: Any) -> None:
    with pytest.raises(ValueError, match=r"method 'x' must be a frozen dataclass that derives from .*MethodSettings"):
        METHODS.add("x", entry)
    with pytest.raises(ValueError, match=r"encoder 'x' must be a frozen dataclass that derives from .*EncoderSettings"):
        ENCODERS.add("x", entry)
    assert "x" not in {*METHODS.names(), *ENCODERS.names()}


def test_an_encoder_says_how_long_its_features_are() -> None:
    with pytest.raises(ValueError, match="encoder 'x' must say the length of its features: a field or property 'dim'"):
        ENCODERS.add("x", NoDim)


def test_a_built_in_name_is_taken() -> None:
    METHODS.get("caca")
    with pytest.raises(ValueError, match=r"method 'caca' is registered already, by .*SelfDistillationSettings"):
        METHODS.add("caca", METHODS.get("vicreg"))
