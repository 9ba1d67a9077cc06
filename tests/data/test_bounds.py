"""A row of JSON is read within bounds, and what is out of them is said in words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.data.bounds import MAX_DEPTH, MAX_KEYS, BadRowError, check_text, decode_row

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(TEXT, VALUES, max_size=6))
def test_what_json_writes_is_read_back(values: dict[str, object]) -> None:
    """Any object of plain JSON types comes back as it was."""
    assert decode_row(json.dumps(values, ensure_ascii=False)) == values
    assert decode_row(json.dumps(values)) == values


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not JSON: Expecting value at column 1"),
        ('{"a": 1', "is not JSON"),
        ("[1]", 'is a list, expected an object such as {"text": …}'),
        ("null", "is null"),
        ("true", "is true or false"),
        ('"a"', "is a text"),
        ('{"a": NaN}', "holds NaN"),
        ('{"a": 1e400}', "holds the number 1e400"),
        ('{"a": ' + "9" * 70 + "}", "an integer of 70 digits"),
        ('{"a": 1, "a": 2}', "gives the key 'a' twice"),
        ('{"a": "\\ud800"}', "holds \\ud800, half of a surrogate pair"),
        ('{"\\uDC00": 1}', "half of a surrogate pair"),
        ("[" * 100_000, "nests deeper than 32 levels"),
        ('{"a":' * 40 + "1" + "}" * 40, "nests deeper than 32 levels"),
        (json.dumps({str(n): n for n in range(MAX_KEYS + 1)}), "has an object of 257 keys"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else None,
)
def test_what_is_out_of_bounds_is_refused(text: str, reason: str) -> None:
    """Each refusal says what was found."""
    with pytest.raises(BadRowError) as caught:
        decode_row(text)
    assert reason in str(caught.value)


def test_as_deep_as_allowed_is_read() -> None:
    """The limit itself is within bounds, and many brackets side by side are no depth."""
    text = '{"a":' * (MAX_DEPTH - 1) + "[1]" + "}" * (MAX_DEPTH - 1)
    assert decode_row(text)["a"]
    assert len(decode_row(json.dumps({"a": [[n] for n in range(500)]}))["a"]) == 500  # type: ignore[arg-type]


def test_too_many_values_are_refused_before_they_are_built() -> None:
    """Millions of empty lists take a hundred times their text; commas and brackets inside texts are none."""
    with pytest.raises(BadRowError, match="holds more than 1,000,000 values"):
        decode_row('{"a": [' + "[]," * 500_001 + "1]}")
    text = '{"a": "' + '[,{\\"' * 400_000 + '"}'
    assert len(str(decode_row(text)["a"])) == 1_600_000


def test_whole_pairs_are_text() -> None:
    """A pair of surrogates that JSON spells as two escapes is one character."""
    assert decode_row('{"a": "\\ud83d\\ude00"}') == {"a": "😀"}
    check_text({"a": ["😀", None, 3]})
