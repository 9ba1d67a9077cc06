"""Memory of recipes against the time of their step, as one self-contained picture without script.

A mark is a recipe of the front: nothing else is smaller, faster and truer at once. Shape and colour tell its
method, a full mark fits, a hollow one does not; numbers are the plans, with the interval of their step time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from tunesmith.hardware import Gpu
from tunesmith.report.bilingual import pair, said
from tunesmith.report.chart import SANS, picture_style
from tunesmith.report.markup import Markup, clipped, number, tag, width
from tunesmith.report.plans.marks import Box, Mark, drawn_mark, fronts, labels, legend, thinned, whisker
from tunesmith.report.plans.scale import Scale
from tunesmith.report.plans.told import card, question, verdict
from tunesmith.report.words import inert, tell
from tunesmith.search import Plans, Point
from tunesmith.units import GIB, gib

WIDTH: Final = 900
HEIGHT: Final = 520
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 628, 108, 424
_TITLE: Final = 78
"""Pixels of the title."""
_LEGEND: Final = _RIGHT + 26
_LARGEST: Final = 4
"""Recipes up to so many times as large as the card are drawn."""
_FURTHEST: Final = 2.6
"""A card up to so many times as large as the largest recipe is drawn to scale."""
_TIME: Final = (
    "← faster · seconds for one optimizer step · slower →",
    "← 更快 · 一次优化器更新的秒数 · 更慢 →",
)


def plans_svg(plans: Plans, *, lang: str = "en", titled: bool = True) -> Markup:
    """Return the picture of *plans*; its texts can be changed from one language to the other.

    On a page that says it already the picture is not *titled* with what was asked and found.
    """
    gpu, above = card(plans), 0 if titled else _TITLE
    points = _points(plans, gpu)
    assert points, "a picture needs a recipe"
    time, memory = _scales(points, gpu)
    marks = thinned(
        Mark(point=point, rank=rank, x=time.at(_middle(point)), y=memory.at(point.process_bytes / GIB))
        for point, rank in points
    )
    return tag(
        "svg",
        tag(
            "title",
            f"{inert(plans.model)}: {tell(lang)('memory of recipes against their time', '配方的显存与时间')}",
        ),
        tag("style", Markup(plans_style())),
        _hatch(),
        tag("rect", class_="panel", x=0.5, y=0.5 + above, width=WIDTH - 1, height=HEIGHT - above - 1, rx=10),
        *(_header(plans, lang) if titled else ()),
        tag("rect", class_="plot", x=_LEFT, y=_TOP, width=_RIGHT - _LEFT, height=_BOTTOM - _TOP),
        *_axes(time, memory, lang),
        *_limit(gpu, memory, lang),
        *fronts(marks),
        *(whisker(mark, time) for mark in marks if mark.rank),
        *(drawn_mark(mark, lang) for mark in sorted(marks, key=lambda mark: (mark.rank > 0, -mark.rank))),
        *labels(marks, lang, within=(_LEFT, _TOP, _RIGHT, _BOTTOM), taken=_line(gpu, memory)),
        *legend(marks, lang, left=_LEGEND, right=WIDTH - 20, top=_TOP),
        *_footer(lang),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 {above} {WIDTH} {HEIGHT - above}",
        width=WIDTH,
        height=HEIGHT - above,
        role="img",
        font_family=SANS,
        font_size=12,
        class_="tunesmith",
        lang=lang,
    )


def plans_style() -> str:
    """Return the style of the picture."""
    return picture_style() + ".tunesmith .digit{fill:#fff}"


def _points(plans: Plans, gpu: Gpu | None) -> list[tuple[Point, int]]:
    """Return the recipes to draw with their rank: the front, and the plans as they were confirmed.

    Of what is several times too large for the card, only the smallest recipe of each method is drawn.
    """
    confirmed = [
        Point(
            recipe=plan.recipe,
            process_bytes=plan.peak.process_bytes,
            step_seconds=plan.step_seconds,
            tokens_per_second=plan.tokens_per_second,
            fidelity=plan.fidelity,
            fits=True,
        )
        for plan in plans.plans
    ]
    known = [plan.recipe for plan in plans.plans]
    most = _LARGEST * gpu.memory_bytes if gpu is not None else None
    least: dict[str, int] = {}
    for point in plans.front:
        method = point.recipe.method
        least[method] = min(point.process_bytes, least.get(method, point.process_bytes))
    front = [
        (point, 0)
        for point in plans.front
        if point.recipe not in known
        and (most is None or point.process_bytes <= max(most, least[point.recipe.method]))
    ]
    return [*front, *((point, rank) for rank, point in enumerate(confirmed, 1))]


def _middle(point: Point) -> float:
    return (point.step_seconds.low + point.step_seconds.high) / 2


def _scales(points: Sequence[tuple[Point, int]], gpu: Gpu | None) -> tuple[Scale, Scale]:
    """Return the scales of seconds and of GiB."""
    seconds = [_middle(point) for point, _ in points]
    seconds += [end for point, rank in points if rank for end in point.step_seconds]
    needs = [max(point.process_bytes, 1) / GIB for point, _ in points]
    if gpu is not None and gpu.memory_bytes / GIB <= _FURTHEST * max(needs):
        needs.append(gpu.memory_bytes / GIB)
    return (
        Scale.over([max(each, 1e-9) for each in seconds], start=_LEFT, end=_RIGHT, from_zero=False),
        Scale.over(needs, start=_BOTTOM, end=_TOP, from_zero=True),
    )


def _hatch() -> Markup:
    line = tag("path", class_="hang", d="M-1 7L7 -1M-1 13L13 -1", stroke_width=1, opacity=0.2)
    return tag(
        "defs",
        tag("pattern", line, id="tunesmith-over", width=6, height=6, patternUnits="userSpaceOnUse"),
    )


def _header(plans: Plans, lang: str) -> Iterator[Markup]:
    name = clipped(inert(plans.model), 18, WIDTH - 44)
    yield tag("text", name, class_="name", x=22, y=34, font_size=18, font_weight=650)
    asked = pair(lambda each: clipped(question(plans, tell(each)).partition(" · ")[2], 12.5, WIDTH - 44))
    yield said("text", *asked, lang, class_="soft", x="22", y="54", font_size="12.5")
    told, tone = pair(lambda each: verdict(plans, tell(each))), "calm" if plans.plans else "alarm"
    yield said("text", *told, lang, class_=tone, x="22", y="74", font_size="13", font_weight="600")


def _axes(time: Scale, memory: Scale, lang: str) -> Iterator[Markup]:
    for figure in memory.ticks():
        y = memory.at(figure)
        yield tag("line", class_="grid", x1=_LEFT, x2=_RIGHT, y1=y, y2=y)
        text = f"{figure:g}"
        yield tag("text", text, class_="soft figure", x=_LEFT - 7, y=y + 4, text_anchor="end", font_size=11)
    title = ("GiB on one card", "每卡 GiB")
    yield said("text", *title, lang, class_="soft", x="22", y=number(_TOP - 9), font_size="11")
    for figure in time.ticks():
        x = time.at(figure)
        yield tag("line", class_="grid", x1=x, x2=x, y1=_TOP, y2=_BOTTOM)
        text = f"{figure:g}"
        yield tag("text", text, class_="soft figure", x=x, y=_BOTTOM + 17, text_anchor="middle", font_size=11)
    middle, below = number((_LEFT + _RIGHT) / 2), number(_BOTTOM + 36)
    yield said("text", *_TIME, lang, class_="soft", x=middle, y=below, text_anchor="middle", font_size="11")


def _limit(gpu: Gpu | None, memory: Scale, lang: str) -> Iterator[Markup]:
    """Yield the card's memory as a line, and what lies above hatched; only a word where it is far above."""
    if gpu is None:
        return
    name, held = inert(gpu.name), gpu.memory_bytes / GIB
    if held > memory.high:
        texts = (f"{name} ({gib(gpu.memory_bytes)}) ↑", f"{name}（{gib(gpu.memory_bytes)}）↑")
        yield said(
            "text", *texts, lang, class_="soft halo", x=number(_LEFT + 8), y=number(_TOP + 15), font_size="11"
        )
        return
    y = memory.at(held)
    yield tag("rect", fill="url(#tunesmith-over)", x=_LEFT, y=_TOP, width=_RIGHT - _LEFT, height=y - _TOP)
    yield tag("line", class_="limit", x1=_LEFT, x2=_RIGHT, y1=y, y2=y)
    yield tag(
        "text",
        f"{name} ({gib(gpu.memory_bytes)})",
        class_="alarm halo",
        x=_RIGHT - 8,
        y=y - 5,
        text_anchor="end",
        font_size=11,
        font_weight=600,
    )


def _line(gpu: Gpu | None, memory: Scale) -> list[Box]:
    """Return where the card's line and its name stand."""
    if gpu is None or gpu.memory_bytes / GIB > memory.high:
        return []
    y, wide = memory.at(gpu.memory_bytes / GIB), width(f"{gpu.name} ({gib(gpu.memory_bytes)})", 11)
    return [(_LEFT, y - 1, _RIGHT, y + 1), (_RIGHT - 8 - wide, y - 17, _RIGHT, y)]


def _footer(lang: str) -> Iterator[Markup]:
    """Yield what a mark is."""
    lines = (
        (
            "A mark is a recipe that no other beats in memory, speed and closeness to full fine-tuning;",
            "每个标记是一个配方：没有其他配方在显存、速度和与全参数微调的接近程度上同时胜过它。",
        ),
        (
            "hollow ones do not fit. Numbers are the plans, with the interval in which a step is expected.",
            "空心的放不下。数字是各方案，横线是每步时间的预期区间。",
        ),
    )
    for index, texts in enumerate(lines):
        y = number(HEIGHT - 29 + 15 * index)
        yield said("text", *texts, lang, class_="soft", x="22", y=y, font_size="10.5")
