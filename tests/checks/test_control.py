"""control: marks that nobody sees are flagged and taken out; scripts and emoji that need some keep them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.checks.control import Control
from tunesmith.checks.finding import Finding

Found = Callable[..., Finding | None]

UNSEEN = {
    "a\u200bb": "ab",
    "\ufeffBOM": "BOM",
    "soft\u00adhyphen": "softhyphen",
    "nul\x00": "nul",
    "\x1b[31mred\x1b[0m": "red",
    "page\x0cnext": "page\nnext",
    "line\u2028next": "line\nnext",
    "access\u202e\u2066 level": "access level",
    "\ue000私用": "私用",
    "\U000e0049\U000e0047hidden": "hidden",
    "in\u200dside": "inside",
    "left\u200e": "left",
}
NEEDED = (
    "plain, tab\tand\r\nbreaks\n",
    "👨\u200d👩\u200d👧 and ❤\ufe0f",
    "می\u200cخواهم",
    "שלום\u200f (שלום)",
    "क्\u200dष",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "中文，全角　空格",
)


@pytest.mark.parametrize("text", UNSEEN)
def test_unseen_marks_are_flagged_and_taken_out(found: Found, text: str) -> None:
    """In questions too; what is shown of them can be seen."""
    finding = found(Control, [{"prompt": "q", "completion": "a"}, {"prompt": text, "completion": "a"}])
    assert finding is not None
    assert (finding.severity, finding.rows, finding.drop) == ("warning", (1,), ())
    assert finding.evidence[0].text.isprintable() and "\\" in finding.evidence[0].text
    assert Control().mend(text) == UNSEEN[text]
    assert found(Control, [{"prompt": UNSEEN[text], "completion": "a"}]) is None


@pytest.mark.parametrize("text", NEEDED)
def test_marks_that_a_script_needs_stay(found: Found, text: str) -> None:
    """Joiners of emoji, Persian and Hindi, directions of Hebrew, flags of regions."""
    assert found(Control, [{"prompt": text, "completion": text}]) is None
    assert Control().mend(text) == text


@given(
    st.text(alphabet="aב中😀\n\x1b[3m\x00\u200b\u200c\u200d\u200e\u2028\x0c\U0001f3f4\U000e0041", max_size=40)
)
def test_mending_twice_is_mending_once(text: str) -> None:
    """Whatever stands around."""
    mended = Control().mend(text)
    assert Control().mend(mended) == mended


@given(st.text(max_size=60))
def test_what_is_not_flagged_is_not_changed(text: str) -> None:
    """Mending changes texts with unseen marks only, and takes out nothing else."""
    mended = Control().mend(text)
    seen = [mark for mark in text if mark.isprintable()]
    assert (
        [mark for mark in mended if mark.isprintable()] == seen or "\x1b" in text or max(text) >= "\U000e0000"
    )
