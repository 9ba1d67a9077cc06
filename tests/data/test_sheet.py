"""Sheets for authors: what strangers wrote stays text in them."""

from __future__ import annotations

import csv
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.data.sheet import FORMULA, Entry, write_sheet
from tunesmith.errors import OutputError

BAD = '=HYPERLINK("http://a.example","x")'
SCRIPT = "</textarea></pre><script>alert(1)</script>"


def entry(text: str) -> Entry:
    """Return a question that says *text* everywhere."""
    return Entry(row=3, task="qa", context=text, question=text, answer=text)


@pytest.mark.parametrize("text", [BAD, "+1", "-1", "@a", " =1", "＝1", "\t=1"])
def test_a_formula_stays_text(text: str, tmp_path: Path) -> None:
    """A cell that a spreadsheet would run begins with an apostrophe, and says the rest as it was."""
    place = write_sheet([entry(text)], tmp_path / "eval.csv")
    with place.open(encoding="utf-8-sig", newline="") as file:
        row = list(csv.reader(file))[1]
    assert row[2:5] == [f"'{text}"] * 3


@given(text=st.text(max_size=30))
def test_no_cell_begins_as_a_formula(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever is asked; blanks before it make no difference."""
    place = write_sheet([entry(text)], tmp_path_factory.getbasetemp() / "any.csv")
    with place.open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not any(cell.lstrip(" \n").startswith(FORMULA) for cell in cells)


def test_the_page_runs_nothing_of_a_stranger(tmp_path: Path) -> None:
    """Markup in a question is text; the page loads nothing, and has both languages."""
    text = write_sheet([entry(SCRIPT)], tmp_path / "eval.html").read_text(encoding="utf-8")
    tags: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: tags.append(tag)  # type: ignore[method-assign]
    parser.feed(text)
    assert tags.count("script") == 1 and tags.count("textarea") == 2
    assert "default-src 'none'" in text and not re.search(r"<[^>]+(src|href)=", text)
    assert "参考答案" in text and "reference answer" in text


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    """The message names both that are known."""
    with pytest.raises(OutputError, match=r"\.csv or \.html"):
        write_sheet([], tmp_path / "eval.xlsx")
