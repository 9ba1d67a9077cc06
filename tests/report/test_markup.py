"""Markup: what is not markup is escaped, whatever it is."""

from __future__ import annotations

import html.parser
import json
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from tunesmith.report.markup import Markup, clipped, joined, number, script_json, tag, width

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60)


@given(TEXTS, TEXTS)
def test_text_comes_back_from_xml(child: str, attribute: str) -> None:
    """Text and attributes are read back as they were given."""
    element = ElementTree.fromstring(tag("text", child, class_=attribute))
    assert (element.text or "", element.get("class")) == (child, attribute)


@given(TEXTS, TEXTS)
def test_text_comes_back_from_html(child: str, attribute: str) -> None:
    """The same holds for a reader of HTML."""
    told: list[object] = []

    class Reader(html.parser.HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            told.append((tag, attrs))

        def handle_data(self, data: str) -> None:
            told.append(data)

    reader = Reader()
    reader.feed(tag("td", child, data_name=attribute))
    reader.close()
    assert told == [("td", [("data-name", attribute)]), *([child] if child else [])]


def test_markup_is_not_escaped_twice() -> None:
    """Elements stand in elements; only plain text is escaped, and None leaves an attribute out."""
    inner = tag("b", "1 < 2", id=None)
    assert tag("p", inner, "&") == "<p><b>1 &lt; 2</b>&amp;</p>"
    assert isinstance(joined([inner, "<"]), Markup) and joined([inner, "<"]).endswith("&lt;")


@given(
    st.recursive(
        st.none() | st.integers() | TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner)
    )
)
def test_json_in_a_script_is_json(value: object) -> None:
    """JSON for a script is read back as it was given, and holds nothing that could end the script."""
    text = script_json(value)
    assert json.loads(text) == value
    assert text.isascii() and not set("<>&") & set(text)


@given(st.floats(-1e6, 1e6))
def test_numbers_are_short(value: float) -> None:
    """A number is right to a tenth and has no digit that says nothing."""
    text = number(value)
    assert abs(float(text) - value) <= 0.0501
    assert not text.endswith(".0") and text != "-0" and "e" not in text


@given(TEXTS, st.integers(20, 400))
def test_clipped_text_has_room(text: str, pixels: int) -> None:
    """Clipped text is no wider than its room, and is left alone where it fits."""
    short = clipped(text, 12, pixels)
    assert width(short, 12) <= pixels
    assert short == text if width(text, 12) <= pixels else short.endswith("…") and text.startswith(short[:-1])
