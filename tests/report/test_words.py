"""Words of every face: both languages, and text that no terminal obeys."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tunesmith.report.words import inert, phase_name, tell


@given(st.text(max_size=400))
def test_inert_text_is_one_printable_line(text: str) -> None:
    """Whatever goes in, one short line of printable characters comes out."""
    shown = inert(text, 100)
    assert shown.isprintable()
    assert len(shown) <= 100 * 10 + 1


@given(st.text(alphabet=st.characters(categories=["L", "N", "P"]), max_size=100))
def test_plain_text_is_left_alone(text: str) -> None:
    """Letters, digits and punctuation of any language are shown as they are."""
    assert inert(text, 100) == text


def test_languages_differ() -> None:
    """Each language gets its own words, and a phase keeps its name in both."""
    assert tell("en")("a", "b") == "a" and tell("zh")("a", "b") == "b"
    assert phase_name("step1.forward", "en") == "step1.forward"
    assert phase_name("step1.forward", "zh").startswith("step1.forward")
    assert phase_name("something", "zh") == "something"
