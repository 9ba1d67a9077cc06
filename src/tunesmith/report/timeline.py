"""Drawings of a run in files: a picture, a page that answers to the mouse, or the data behind both."""

from __future__ import annotations

import json
from pathlib import Path

from tunesmith.errors import OutputError
from tunesmith.memory.estimate import Estimate
from tunesmith.report.chart import timeline_svg
from tunesmith.report.columns import Course
from tunesmith.report.drawing import drawing
from tunesmith.report.page import timeline_page
from tunesmith.report.words import inert


def write_timeline(estimate: Estimate, path: str | Path, *, lang: str = "en") -> None:
    """Write memory over the step of *estimate* to *path*; the suffix decides what it is.

    ``.svg`` is a picture, ``.html`` a page that zooms and tells what is alive at an instant, ``.json`` the
    data (see drawing.py). Each is one file that needs no other and no network. *lang* is ``en`` or ``zh``.

    Raises UnsupportedError when the estimate has no timeline, and OutputError for another suffix.
    """
    path, suffix = Path(path), Path(path).suffix.lower()
    if suffix not in (".svg", ".html", ".json"):
        raise OutputError(f"{inert(str(path))} is no drawing. Name a file that ends in .html, .svg or .json.")
    course = Course.of(estimate)
    if suffix == ".svg":
        text: str = timeline_svg(estimate, course, lang=lang)
    elif suffix == ".html":
        text = timeline_page(estimate, course, lang=lang)
    else:
        text = json.dumps(drawing(estimate, course), separators=(",", ":"), allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")
