"""What a notebook shows: a picture that can do nothing to the notebook, or a table without a timeline."""

from __future__ import annotations

import base64
import html.parser
from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from tunesmith.memory.estimate import Estimate
from tunesmith.report.chart import timeline_svg
from tunesmith.report.columns import Course
from tunesmith.report.notebook import notebook_html
from tunesmith.units import readable

Made = Callable[..., Estimate]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_notebook_shows_the_picture_as_an_image(made: Made, lang: str) -> None:
    """With a timeline the view is one image, the same picture that is written to files, told in words too."""
    estimate = made()
    image = ElementTree.fromstring(notebook_html(estimate, lang=lang))
    assert image.tag == "img" and estimate.model in image.get("alt", "")
    kind, _, content = image.get("src", "").partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(content).decode() == timeline_svg(estimate, Course.of(estimate), lang=lang)


def test_a_notebook_shows_a_table_without_a_timeline(made: Made) -> None:
    """Without a timeline the view lists every part and the totals."""
    estimate = replace(made(model="<b>&"), timeline=None)
    view = notebook_html(estimate)
    texts = [text for text in ElementTree.fromstring(view).itertext()]
    for category, count in estimate.parts.items():
        assert texts[texts.index(category) + 1] == readable(count)
    assert readable(estimate.peak.process_bytes) in texts and "<b>&" in texts
    assert "<b>" not in view
    html.parser.HTMLParser().feed(view)


def test_an_estimate_shows_itself_by_the_view_it_was_given(made: Made) -> None:
    """Notebooks call _repr_html_, which asks the view; without one they show plain text, which is short."""
    estimate = made()
    assert estimate._repr_html_() is None
    assert replace(estimate, view=notebook_html)._repr_html_() == notebook_html(estimate)
    assert replace(estimate, view=notebook_html) == estimate
    assert len(repr(replace(estimate, view=notebook_html))) < 10_000
