"""The words that all faces of the findings share: severities, the headline, row numbers in few words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from tunesmith.checks import Report
from tunesmith.report.words import Tell, inert
from tunesmith.units import counted

SEVERITY_NAMES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {"error": ("error", "错误"), "warning": ("warning", "警告"), "info": ("info", "提示")}
)
"""Severities in English and in Chinese."""


def headline(report: Report, t: Tell) -> str:
    """Return how many rows were read, and how many errors, warnings and remarks there are."""
    counts = {name: sum(each.severity == name for each in report.findings) for name in SEVERITY_NAMES}
    return t(
        f"{counted(report.rows, 'row')} of {inert(report.path)}: {counted(counts['error'], 'error')}, "
        f"{counted(counts['warning'], 'warning')}, {counted(counts['info'], 'remark')}",
        f"{inert(report.path)} 共 {report.rows:,} 行：{counts['error']} 个错误，"
        f"{counts['warning']} 个警告，{counts['info']} 个提示",
    )


def ranges(rows: Sequence[int], most: int) -> tuple[str, int]:
    """Return sorted row numbers in few words, *most* stretches of them, and how many rows are left out.

    >>> ranges((1, 2, 3, 7, 9), 2)
    ('1–3, 7', 1)
    """
    told: list[str] = []
    left = len(rows)
    for first, last in _stretches(rows):
        if len(told) == most:
            break
        told.append(f"{first:,}" if first == last else f"{first:,}–{last:,}")
        left -= last - first + 1
    return ", ".join(told), left


def _stretches(rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last row of each stretch of rows without a gap."""
    first = last = -2
    for row in rows:
        if row != last + 1:
            if first >= 0:
                yield first, last
            first = row
        last = row
    if first >= 0:
        yield first, last
