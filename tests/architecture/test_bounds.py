"""JSON within bounds: what is refused, what is marked, and that the work stays linear."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.architecture import bounds
from tunesmith.architecture.bounds import Repeated, Unusable, decode, scan, show
from tunesmith.errors import ArchitectureError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON.filter(lambda value: value not in (float("inf"), float("-inf"))))
def test_json_within_bounds_reads_as_the_standard_library_reads_it(value: object) -> None:
    text = json.dumps(value, allow_nan=True)
    if "Infinity" not in text:
        assert decode(text) == json.loads(text)
        assert decode(text.encode()) == json.loads(text)


@given(st.text(alphabet='{}[],:"\\ 1ae.-N\n', max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(ArchitectureError):
            decode(text)
    else:
        read = decode(text)
        if not isinstance(read, Unusable) and expected == expected:
            assert type(expected) in (type(read), *type(read).__mro__)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        decode(data)
    except ArchitectureError as error:
        assert str(error).isprintable()


def test_thirty_two_levels_are_read_and_one_more_is_refused() -> None:
    assert decode("[" * 32 + "]" * 32) is not None
    with pytest.raises(ArchitectureError, match="deeper than 32"):
        decode("[" * 33 + "]" * 33)


def test_brackets_inside_text_are_not_levels() -> None:
    assert decode(json.dumps("[" * 100)) == "[" * 100
    assert scan(json.dumps(['[[[["{{{{', "}"])) == 5


@pytest.mark.parametrize(
    "text",
    ['"' + '\\"' * 500_000, '"' * 1_000_000, '"' + "a" * 1_000_000, '"a\\' * 300_000],
    ids=["escaped quotes", "quotes", "one unclosed text", "quotes and backslashes"],
)
def test_a_megabyte_of_quotes_is_scanned_once(text: str) -> None:
    """Each character belongs to one match at most, whatever never closes."""
    ends = [match.end() for match in bounds._BOUNDARY.finditer(text)]
    starts = [match.start() for match in bounds._BOUNDARY.finditer(text)]
    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))
    if len(starts) <= 4 * bounds.MAX_NODES:
        assert scan(text) == len(starts)
    else:
        with pytest.raises(ArchitectureError, match="50,000 values"):
            scan(text)


def test_counting_stops_at_the_limit() -> None:
    with pytest.raises(ArchitectureError, match="50,000 values"):
        scan("," * (bounds.MAX_BYTES - 1))


@pytest.mark.parametrize("digits", ["9" * 65, "9" * 5000, "1." + "1" * 5000, "NaN", "-Infinity", "1e400"])
def test_a_number_out_of_bounds_is_marked_and_its_neighbours_are_read(digits: str) -> None:
    read = decode(f'{{"bad": {digits}, "good": 1}}')
    assert isinstance(read, dict)
    assert isinstance(read["bad"], Unusable)
    assert read["good"] == 1


def test_keys_given_twice_are_marked_once_each() -> None:
    read = decode('{"a": 1, "b": 2, "a": 3, "a": 4, "b": 5, "c": 6}')
    assert isinstance(read, Repeated)
    assert read.keys_given_twice == ("a", "b")


def test_a_file_over_a_megabyte_is_refused_before_it_is_read() -> None:
    with pytest.raises(ArchitectureError, match=r"1,048,577 bytes.*weights file"):
        decode(b" " * (bounds.MAX_BYTES + 1))


@given(st.recursive(st.none() | st.text() | st.integers() | st.floats() | st.binary(), st.lists))
def test_anything_is_shown_as_one_short_printable_line(value: object) -> None:
    assert len(show(value)) <= 60
    assert show(value).isprintable()


def test_a_giant_integer_is_shown_by_its_size() -> None:
    """Its decimal text would take quadratic time, and Python refuses it beyond 4,300 digits."""
    assert show(1 << 100_000) == "an integer of 100001 bits"
