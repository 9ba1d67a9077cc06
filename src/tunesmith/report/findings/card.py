"""The score card: every check with the share of rows that it flags, and where in the file they stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from tunesmith.checks import Finding, Report
from tunesmith.report.bilingual import said
from tunesmith.report.findings.told import SEVERITY_NAMES
from tunesmith.report.markup import Markup, number, tag
from tunesmith.report.words import inert, tell

WIDTH: Final = 1120
_LINE: Final = 22
"""Pixels from one check to the next."""
_TOP: Final = 30
_NAME, _BAR, _COUNT, _PLACES = 26, 190, 460, 590
"""First pixels of the columns."""
_BAR_WIDE: Final = 258
_PLACES_WIDE: Final = WIDTH - _PLACES - 10
SLICES: Final = 130
"""Parts of the file in which flagged rows are counted."""


def card_svg(report: Report, *, lang: str) -> Markup:
    """Return the picture: a line for each check, the findings first; bars are shares of the rows."""
    passed = report.passed
    lines = [
        *(_found(each, report, _TOP + _LINE * at, lang) for at, each in enumerate(report.findings)),
        *(_calm(name, _TOP + _LINE * at, lang) for at, name in enumerate(passed, len(report.findings))),
        *(
            _skipped(name, _TOP + _LINE * at, lang)
            for at, (name, _) in enumerate(report.skipped, len(report.findings) + len(passed))
        ),
    ]
    height = _TOP + _LINE * len(lines) + 6
    return tag(
        "svg",
        tag("title", tell(lang)("The score card of the data", "数据的评分卡")),
        *_head(lang),
        *(part for line in lines for part in line),
        viewBox=f"0 0 {WIDTH} {height}",
        width=WIDTH,
        height=height,
        role="img",
        class_="card",
    )


def _head(lang: str) -> Iterator[Markup]:
    columns = (
        (_NAME, "check", "检查"),
        (_BAR, "share of the rows", "所占行的比例"),
        (_PLACES, "where in the file, from its first row to its last", "在文件中的位置，从首行到末行"),
    )
    for x, english, chinese in columns:
        yield said("text", english, chinese, lang, x=str(x), y="14", class_="head")


def _mark(kind: str, y: float) -> Markup:
    """Return the mark before a check: its shape tells the severity where colours do not."""
    middle = y - 4
    if kind == "error":
        return tag("rect", class_="error", x=6, y=middle - 5, width=10, height=10)
    if kind == "warning":
        return tag("path", class_="warning", d=f"M11 {number(middle - 6)}l6 11h-12z")
    if kind == "info":
        return tag("circle", class_="info", cx=11, cy=middle, r=5)
    return tag("path", class_=f"tick {kind}", d=f"M6 {number(middle)}l4 4 7 -8")


def _name(name: str, y: float, kind: str) -> Markup:
    return tag("text", inert(name), x=_NAME, y=y, class_=f"name {kind}")


def _found(found: Finding, report: Report, y: float, lang: str) -> list[Markup]:
    """Return the line of a finding."""
    english, chinese = SEVERITY_NAMES[found.severity]
    tip = tag("title", f"{tell(lang)(english, chinese)}: {found.check}")
    parts = [tag("g", tip, _mark(found.severity, y)), _name(found.check, y, "found")]
    parts.append(tag("rect", class_="ground", x=_BAR, y=y - 10, width=_BAR_WIDE, height=11))
    parts.append(tag("rect", class_="ground", x=_PLACES, y=y - 10, width=_PLACES_WIDE, height=11))
    if not found.rows:
        words = ("the set as a whole", "整个数据集")
        return [*parts, said("text", *words, lang, x=str(_COUNT), y=str(y), class_="count")]
    share = len(found.rows) / max(report.rows, 1)
    wide = max(2.0, _BAR_WIDE * share)
    parts.append(tag("rect", class_=found.severity, x=_BAR, y=y - 10, width=wide, height=11))
    counted = f"{len(found.rows):,} · {_percent(share)}"
    parts.append(tag("text", counted, x=_COUNT, y=y, class_="count"))
    return [*parts, *_places(found, report.rows, y)]


def _percent(share: float) -> str:
    """Return a share as people read it.

    >>> _percent(0.1096), _percent(0.00002)
    ('11.0 %', '< 0.01 %')
    """
    if share < 0.0001:
        return "< 0.01 %"
    return f"{share * 100:.{1 if share >= 0.01 else 2}f} %"


def _places(found: Finding, rows: int, y: float) -> Iterator[Markup]:
    """Yield where the flagged rows stand: the more of a part of the file is flagged, the darker it is."""
    for slice_, share in enumerate(density(found.rows, rows)):
        if share:
            yield tag(
                "rect",
                class_=found.severity,
                x=_PLACES + slice_ * _PLACES_WIDE / SLICES,
                y=y - 10,
                width=_PLACES_WIDE / SLICES,
                height=11,
                opacity=max(0.35, round(share**0.5, 1)),
            )


def density(flagged: Sequence[int], rows: int, slices: int = SLICES) -> list[float]:
    """Return the share of the rows that is flagged in each of so many parts of the file.

    >>> density((0, 1, 2, 7), 8, 4)
    [1.0, 0.5, 0.0, 0.5]
    """
    counts = [0] * slices
    for row in flagged:
        counts[min(row * slices // max(rows, 1), slices - 1)] += 1
    return [min(1.0, count * slices / max(rows, slices)) for count in counts]


def _calm(name: str, y: float, lang: str) -> list[Markup]:
    words = said("text", "nothing found", "未发现问题", lang, x=str(_BAR), y=str(y), class_="calm")
    return [_mark("calm", y), _name(name, y, "quiet"), words]


def _skipped(name: str, y: float, lang: str) -> list[Markup]:
    words = said("text", "not run, see below", "未运行，见下文", lang, x=str(_BAR), y=str(y), class_="quiet")
    return [tag("text", "–", x=8, y=y, class_="quiet"), _name(name, y, "quiet"), words]
