import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.data.formats.metres import AFTER, parse_metres


def parse(words: list[str]) -> list[int]:
    """The bits of the numbers that the words spell."""
    ends = np.cumsum([len(word) + 1 for word in words]) - 1
    starts = ends - [len(word) for word in words]
    codes = np.frombuffer(" ".join(words).encode("latin-1") + b" " * AFTER, dtype=np.uint8)
    return parse_metres(codes, starts, ends).view(np.int64).tolist()


def bits(words: list[str]) -> list[int]:
    return np.array([float(word) for word in words]).view(np.int64).tolist()


DIGITS = st.text("0123456789", min_size=1, max_size=18)


@given(
    words=st.lists(
        st.builds(
            "{}{}.{}".format,
            st.sampled_from(["", "-"]),
            st.integers(0, 9),
            st.text("0123456789", min_size=1, max_size=8),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_the_short_way_is_bit_for_bit_as_float(words: list[str]) -> None:
    assert parse(words) == bits(words)


@given(
    words=st.lists(
        st.builds(
            "{}{}{}{}".format,
            st.sampled_from(["", "-", "+"]),
            DIGITS,
            st.just("") | DIGITS.map(".{}".format),
            st.sampled_from(["", "", "e5", "E-05", "e+12"]),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_so_is_every_other_spelling(words: list[str]) -> None:
    assert parse(words) == bits(words)


@pytest.mark.parametrize("count", [1, 199, 201, 1000])
def test_few_or_many_that_are_spelled_in_another_way(count: int) -> None:
    words = [
        "-0.25",
        *(f"{number}.0{number}" for number in range(10, 10 + count)),
        "-0.0",
        "9.99999999",
        "inf",
        "0.5e-3",
    ]
    assert parse(words) == bits(words)


NO_NUMBERS = ["-", ".", "-.", "--1", "0.1.2", "0.-1", "1.2-", "x.5", "0.12x", "0.1234567x", "0.12345678x", "0:5"]
NO_NUMBERS += ["0,5", "/.5", ":.5", "0.\xb1", "0.1\xff", "\xb0.1", "0.1e", "e", "0./", "0.:"]


@pytest.mark.parametrize("word", NO_NUMBERS)
@pytest.mark.parametrize("others", [0, 300])
def test_no_number(word: str, others: int) -> None:
    for words in ([word], ["0.5", word, "-0.25"]):
        with pytest.raises(ValueError, match="is no number"):
            parse(words + ["12.5"] * others)
