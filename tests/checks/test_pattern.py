"""Pattern: what stands where, judged one by one, and replaced in linear time."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.checks.pattern import Pattern, matches, named, removed, replaced

EVEN = Pattern(
    name="an even number",
    name_zh="偶数",
    regex="<[0-9]+>",
    thing=lambda match: match[1:-1],
    genuine=lambda thing: int(thing) % 2 == 0,
    stand_in="EVEN",
)


def test_only_what_is_genuine_counts() -> None:
    """A match is judged by the thing in it; a row may hold several."""
    turns = pl.DataFrame(
        {"row": [0, 1, 2], "line": [1, 2, 3], "learned": [True] * 3, "text": ["<1> <2>", "2", "<44><8>"]}
    )
    found = matches(turns, (EVEN,))
    assert found.select("row", "thing").rows() == [(0, "2"), (2, "44"), (2, "8")]
    assert matches(turns.head(0), (EVEN,)).is_empty()


def test_what_is_shown_is_masked() -> None:
    """Two characters and the length, in both languages."""
    turns = pl.DataFrame({"row": [0], "line": [1], "learned": [True], "text": ["<123456>"]})
    shown = named(matches(turns, (EVEN,)), (EVEN,)).rows(named=True)[0]
    assert shown["note"] == "an even number: 12… of 6 characters"
    assert shown["note_zh"] == "偶数：12…，共 6 个字符"
    assert "123456" not in str(shown)


@given(st.text(alphabet="<>0123 偶", max_size=40))
def test_nothing_genuine_is_left_and_nothing_else_is_touched(text: str) -> None:
    """What was replaced has no match, stays as it is, and goes back to the text but for the numbers."""
    mended = replaced(text, (EVEN,))
    assert replaced(mended, (EVEN,)) == mended
    turns = pl.DataFrame({"row": [0], "line": [1], "learned": [True], "text": [mended]})
    assert matches(turns, (EVEN,)).is_empty()
    if "EVEN" not in mended:
        assert mended == text


def test_removing_goes_on_until_nothing_is_left() -> None:
    """Ends that come together are looked at again."""
    assert removed("a<b<b>>c", "<b>") == "ac"
    assert removed("", "x") == ""
