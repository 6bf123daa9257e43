import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinestream.data.formats.decimals import find_text, parse_decimals, split_words

DIGITS = st.text("0123456789", max_size=20)
SIGNS = st.sampled_from(["", "-", "+"])


@st.composite
def decimals(draw: st.DrawFn) -> str:
    """Numbers as files may spell them: `-.5`, `007.`, `+12.50e-3`; 1 to 40 digits."""
    whole, fraction = draw(DIGITS), draw(DIGITS)
    if not whole + fraction:
        whole = draw(st.sampled_from("0123456789"))
    point = "." if fraction else draw(st.sampled_from(["", "."]))
    exponent = draw(st.sampled_from(["", "", f"e{draw(st.integers(-330, 330))}", f"E{draw(st.integers(-30, 30)):+03}"]))
    return f"{draw(SIGNS)}{whole}{point}{fraction}{exponent}"


def parse(words: list[str]) -> np.ndarray:
    return parse_decimals(split_words(" ".join(words).encode()), np.arange(len(words)))


def assert_as_float(words: list[str]) -> None:
    expected = np.array([float(word) for word in words])
    assert parse(words).view(np.int64).tolist() == expected.view(np.int64).tolist(), words


@given(words=st.lists(decimals(), min_size=1, max_size=20))
def test_bit_for_bit_as_float(words: list[str]) -> None:
    assert_as_float(words)


@given(
    digits=st.lists(st.text("0123456789", min_size=14, max_size=17), min_size=1, max_size=10),
    point=st.integers(0, 17),
    sign=SIGNS,
)
def test_at_the_border_of_the_exact_way(digits: list[str], point: int, sign: str) -> None:
    """15 digits are divided, 16 are not: both sides of the border, with the point at each place."""
    assert_as_float([f"{sign}{word[:point]}.{word[point:]}" for word in digits])


@given(values=st.lists(st.floats(allow_nan=False), min_size=1, max_size=10))
def test_any_float_written_by_repr(values: list[float]) -> None:
    assert parse([repr(value) for value in values]).view(np.int64).tolist() == np.array(values).view(np.int64).tolist()


def test_special_spellings() -> None:
    words = [
        "-0",
        "0",
        "-.0",
        "5.",
        "000000000000000000001",
        "inf",
        "-Infinity",
        "5.861595E-06",
        "1e400",
        "-1e400",
        "1e-400",
        "0e999",
    ]
    assert_as_float(words)
    assert np.isnan(parse(["nan", "NaN", "-nan"])).all()


def test_only_the_words_asked_for_are_read() -> None:
    tokens = split_words(b"1 two 3\nfour 5\n")
    assert parse_decimals(tokens, np.array([4, 0, 2])).tolist() == [5.0, 1.0, 3.0]
    assert parse_decimals(tokens, np.array([], dtype=np.int64)).tolist() == []


NO_NUMBERS = ["-", "+", ".", "-.", "--1", "+-1", "1-", "1.2.3", "..1", "1..", "e5", "1e", "1e+", "1e5.0", "1,5", "0x1"]
NO_NUMBERS += ["1_000", "abc", "12a", "nanx", "in", "\xe9", "٣", "1e5e5", "-e", "1" * 30 + "x", "1\x00", "\x7f"]


@pytest.mark.parametrize("word", NO_NUMBERS)
def test_no_number(word: str) -> None:
    for words in ([word], ["1.5", "-2", word, "x"], [word, word]):
        with pytest.raises(ValueError, match=rf"^{words.index(word)}$"):
            parse(words)


@given(word=st.text("0123456789.+-eEinfat_x", min_size=1, max_size=8))
def test_takes_nothing_that_float_does_not(word: str) -> None:
    try:
        found: np.ndarray | tuple[object, ...] = parse([word])
    except ValueError as error:
        found = error.args
    if isinstance(found, tuple):
        assert found == (0,)
        return
    assert found.view(np.int64).tolist() == np.array([float(word)]).view(np.int64).tolist()


@given(
    lines=st.lists(st.lists(st.sampled_from(["1", "-2.5", "x", "\xe9", "~"]), max_size=4), max_size=8),
    line_end=st.sampled_from(["\n", "\r\n"]),
    gap=st.sampled_from([" ", "  ", "\t", " \t "]),
    last=st.booleans(),
)
def test_words_and_lines(lines: list[list[str]], line_end: str, gap: str, last: bool) -> None:
    text = line_end.join(gap.join(line) for line in lines) + (line_end if last else "")
    tokens = split_words(text.encode())
    found = [
        (int(number), [tokens.word(index).decode() for index in range(first, end)])
        for number, first, end in zip(tokens.numbers, tokens.first[:-1], tokens.first[1:], strict=True)
    ]
    assert found == [(number, line) for number, line in enumerate(lines, start=1) if line]
    words = [(number, word) for number, line in found for word in line]
    assert [tokens.line_of(index) for index in range(len(tokens.starts))] == [number for number, _ in words]


@pytest.mark.parametrize("text", [b"", b"\n", b"\r\n\r\n", b" \t \n \n"])
def test_text_without_words(text: bytes) -> None:
    tokens = split_words(text)
    assert (len(tokens.starts), len(tokens.numbers), tokens.first.tolist()) == (0, 0, [0])
    assert find_text(tokens) is None


@given(text=st.binary(max_size=60))
def test_the_words_of_any_bytes(text: bytes) -> None:
    """Bytes that are no white space are never skipped, whatever they are."""
    tokens = split_words(text)
    assert [tokens.word(index) for index in range(len(tokens.starts))] == text.split()


def test_first_text_among_numbers() -> None:
    assert find_text(split_words(b"1 2.5 -3e4\n0.1\r\n")) is None
    assert find_text(split_words(b"1 NaN\n-inf 2 x 3 y")) == 4
    assert find_text(split_words(b"1 2\x003")) == 1
