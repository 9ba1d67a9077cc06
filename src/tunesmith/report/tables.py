"""The tables of the page: parts, what is alive, phases, and what one change would save."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from tunesmith.memory.estimate import Estimate
from tunesmith.memory.timeline import CATEGORIES
from tunesmith.report.bilingual import said, word
from tunesmith.report.markup import Markup, tag
from tunesmith.report.palette import COLORS
from tunesmith.report.peak import alive_at_peak
from tunesmith.report.words import LANGUAGES, category_name, inert, phase_name
from tunesmith.units import readable

_GROUPS: Final = 14
"""Rows of the table of what is alive."""
_MERGED: Final = ("fwd_bwd_clip", "substep")
"""Phases that repeat what finer ones tell."""


def _table(head: Sequence[Markup], rows: Sequence[Markup], *more: Markup, **attributes: str) -> Markup:
    table = tag("table", tag("thead", tag("tr", *head)), tag("tbody", *rows), *more, **attributes)
    return tag("div", table, class_="wide")


def parts_table(estimate: Estimate, lang: str) -> Markup:
    """Return the categories at the peak, uppermost in the stack first, and the three totals."""
    total = estimate.peak.allocated_bytes
    rows = []
    for category in reversed(CATEGORIES):
        count = estimate.parts.get(category)
        if not count:
            continue
        color = tag("svg", tag("rect", width=12, height=12, rx=2, fill=COLORS[category]), width=12, height=12)
        en, zh = (category_name(category, language) for language in LANGUAGES)
        rows.append(
            tag(
                "tr",
                tag("td", color, " ", said("span", en, zh, lang)),
                tag("td", f"{count:,}", class_="figure soft"),
                tag("td", readable(count), class_="figure"),
                tag("td", f"{count / total:.1%}", class_="figure"),
            )
        )
    head = [
        word("th", "category", lang),
        *(word("th", key, lang, class_="figure") for key in ("bytes", "size", "share")),
    ]
    sums = []
    for key, count in (
        ("allocated", total),
        ("reserved", estimate.peak.reserved_bytes),
        ("process", estimate.peak.process_bytes),
    ):
        cells = (tag("td", f"{count:,}", class_="figure soft"), tag("td", readable(count), class_="figure"))
        sums.append(tag("tr", word("td", key, lang), *cells, tag("td"), class_=key))
    return _table(head, rows, tag("tfoot", *sums), id="parts")


def alive_table(estimate: Estimate, lang: str) -> Markup:
    """Return the largest groups of storages that are alive at the peak, and the rest in one row."""
    groups = alive_at_peak(estimate)
    rows = []
    for group in groups[:_GROUPS]:
        en, zh = (category_name(group.category, language) for language in LANGUAGES)
        rows.append(
            tag(
                "tr",
                said("td", en, zh, lang),
                tag("td", tag("bdi", inert(group.module))),
                tag("td", tag("bdi", inert(group.operation))),
                tag("td", f"{len(group.sizes):,}", class_="figure"),
                tag("td", readable(group.block_bytes), class_="figure"),
            )
        )
    rest = groups[_GROUPS:]
    if rest:
        count, size = sum(len(group.sizes) for group in rest), sum(group.block_bytes for group in rest)
        cells = (tag("td", f"{count:,}", class_="figure"), tag("td", readable(size), class_="figure"))
        rows.append(tag("tr", word("td", "smaller", lang), tag("td"), tag("td"), *cells))
    head = [word("th", key, lang) for key in ("category", "module", "operation")]
    head += [word("th", key, lang, class_="figure") for key in ("count", "size")]
    return _table(head, rows, id="alive")


def phases_table(estimate: Estimate, lang: str) -> Markup:
    """Return what each phase takes; the script zooms to the one that is clicked."""
    rows = []
    for phase in estimate.phases:
        if phase.name.rpartition(".")[2] in _MERGED:
            continue
        en, zh = (inert(phase_name(phase.name, language)) for language in LANGUAGES)
        counts = (phase.allocated_peak_bytes, phase.allocated_end_bytes, phase.reserved_bytes)
        figures = [tag("td", readable(count), class_="figure", title=f"{count:,}") for count in counts]
        rows.append(tag("tr", said("td", en, zh, lang), *figures, data_phase=inert(phase.name)))
    head = [
        word("th", "phase", lang),
        *(word("th", key, lang, class_="figure") for key in ("phase_peak", "phase_end", "reserved")),
    ]
    return _table(head, rows, id="phases")


def suggestions_table(estimate: Estimate, lang: str) -> Markup:
    """Return what one change to the recipe would save, the most first."""
    rows = []
    for each in estimate.suggestions:
        change = ", ".join(f"{key}: {_value(value)}" for key, value in each.change.items())
        told = {True: "fits", False: "fits_not", None: "nothing"}[each.fits]
        rows.append(
            tag(
                "tr",
                tag("td", tag("code", inert(change))),
                tag("td", readable(each.saved_bytes), class_="figure"),
                tag("td", readable(each.process_bytes), class_="figure"),
                word("td", told, lang, class_="calm" if each.fits else "soft"),
                said("td", inert(each.reason, 1000), inert(each.reason_zh, 1000), lang, class_="soft"),
            )
        )
    head = [word("th", "change", lang)]
    head += [word("th", key, lang, class_="figure") for key in ("saves", "then")]
    return _table([*head, tag("th"), tag("th")], rows, id="suggestions")


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
