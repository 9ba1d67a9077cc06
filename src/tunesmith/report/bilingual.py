"""The words of the page: elements that hold both languages, of which the script shows one or the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tunesmith.report.markup import Markup, tag
from tunesmith.report.words import tell

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "at_peak": ("At the peak", "峰值时刻"),
    "at_instant": ("At this instant", "此刻"),
    "allocated": ("allocated", "已分配"),
    "reserved": ("reserved", "预留"),
    "smaller": ("smaller ones", "更小的"),
    "above": ("far above", "远在上方"),
    "context": ("CUDA context", "CUDA 上下文"),
    "peak": ("peak", "峰值"),
    "event": ("event", "事件"),
    "whole": ("whole run", "整个过程"),
    "setup": ("setup", "准备"),
    "after": ("after", "之后"),
    "step": ("step", "步"),
    "hint": (
        "Point at an instant; click to hold it. Click a phase below to zoom, a category to hide it.",
        "指向某一时刻查看；单击固定。单击图下的阶段放大，单击类别隐藏。",
    ),
    "parts": ("Parts", "组成"),
    "alive": ("What is alive", "存活的张量"),
    "category": ("category", "类别"),
    "bytes": ("bytes", "字节"),
    "size": ("size", "大小"),
    "share": ("share", "占比"),
    "module": ("module", "模块"),
    "operation": ("operation", "操作"),
    "count": ("storages", "个数"),
    "phases": ("Phases", "阶段"),
    "phase": ("phase", "阶段"),
    "phase_peak": ("allocated, at most", "已分配（最高）"),
    "phase_end": ("allocated, at its end", "已分配（结束时）"),
    "suggestions": ("What one change would save", "只改一处能省多少"),
    "change": ("one change", "只改一处"),
    "saves": ("saves", "节省"),
    "then": ("then needs", "之后需要"),
    "fits": ("fits", "放得下"),
    "fits_not": ("does not fit", "放不下"),
    "nothing": ("", ""),
    "assumptions": ("Assumptions", "假设"),
    "versions": ("Versions", "版本"),
    "recipe": ("Recipe", "配方"),
    "process": ("process", "进程"),
    "axis": (
        "Left to right: allocations and releases in order; a phase is as wide as the square root of "
        "their number, and not shown without any.",
        "从左到右：依次分配与释放；阶段的宽度为其次数的平方根，没有则不画。",
    ),
}
"""English and Chinese of every fixed word, by the name under which the script asks for it."""


def pair(text: Callable[[str], str]) -> tuple[str, str]:
    """Return *text* of each language.

    >>> pair(lambda lang: f"in {lang}")
    ('in en', 'in zh')
    """
    return text("en"), text("zh")


def said(name: str, english: str, chinese: str, lang: str, **attributes: str) -> Markup:
    """Return an element whose text the script can change from one language to the other."""
    return tag(name, tell(lang)(english, chinese), data_en=english, data_zh=chinese, **attributes)


def word(name: str, key: str, lang: str, **attributes: str) -> Markup:
    """Return the element *name* with the fixed word *key*."""
    return said(name, *WORDS[key], lang, **attributes)
