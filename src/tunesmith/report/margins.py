"""What stands around the plot: the phases below it, and to its right the legend, with figures at the peak."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from tunesmith.memory.estimate import Estimate
from tunesmith.report.columns import Columns, Span
from tunesmith.report.markup import Markup, joined, tag, width
from tunesmith.report.palette import COLORS
from tunesmith.report.words import category_name, inert, moment_name, tell
from tunesmith.units import readable

_SHORT: Final = {
    "forward": "fwd",
    "backward": "bwd",
    "adapters": "adapt",
    "prepare_kbit": "k-bit",
    "trainer_built": "trainer",
}
_ROW: Final = 19.0


def lanes(
    spans: Sequence[Span], edges: Sequence[float], *, top: float, bottom: float, lang: str
) -> Iterator[Markup]:
    """Yield the phases: a line before each, its name below the plot where there is room, and the steps."""
    t = tell(lang)
    for index, span in enumerate(spans):
        left, right = edges[span.first], edges[span.stop]
        if index:
            yield tag("line", class_="divide", x1=left, x2=left, y1=top, y2=bottom)
        hint = tag("title", inert(span.phase.name))
        yield tag("g", hint, *_phase(span, left, right, bottom, lang))
    for step, members in groupby(spans, key=lambda span: _step(span.phase.name)):
        group = list(members)
        left, right = edges[group[0].first], edges[group[-1].stop]
        if step:
            name = t(f"step {step}", f"第 {step} 步")
        else:
            name = t("setup", "准备") if group[0].first == 0 else t("after", "之后")
        yield tag(
            "path",
            class_="edge",
            d=f"M{left + 2:.1f} {bottom + 25:.1f}v4H{right - 2:.1f}v-4",
            fill="none",
        )
        if width(name, 11) <= right - left:
            middle = (left + right) / 2
            yield tag(
                "text", name, class_="soft", x=middle, y=bottom + 42, text_anchor="middle", font_size=11
            )


def _phase(span: Span, left: float, right: float, bottom: float, lang: str) -> Iterator[Markup]:
    """Yield a surface that tells the phase's name to a mouse, and the name if it fits, or a short one."""
    yield tag(
        "rect",
        fill="transparent",
        x=left,
        y=bottom,
        width=max(right - left, 0.1),
        height=22,
        pointer_events="all",
    )
    moment = span.phase.name.rpartition(".")[2]
    full = moment_name(moment, lang)
    for name in (full, _SHORT.get(full, full)):
        if width(inert(name), 10.5) <= right - left - 2:
            middle = (left + right) / 2
            yield tag("text", inert(name), x=middle, y=bottom + 16, text_anchor="middle", font_size=10.5)
            return


def _step(phase: str) -> str:
    """Return the number of the step that *phase* belongs to; empty before the first."""
    head, dot, _ = phase.partition(".")
    return head.removeprefix("step") if dot and head.startswith("step") else ""


def legend(
    estimate: Estimate, columns: Columns, *, left: float, right: float, top: float, lang: str
) -> Markup:
    """Return the categories in the order of the stack with their bytes at the peak, and the totals."""
    t, peak = tell(lang), columns.peak
    rows: list[tuple[Markup, str, str, bool]] = [
        (_swatch(left, COLORS[category]), category_name(category, lang), readable(column[peak]), False)
        for category, column in reversed(list(columns.parts.items()))
    ]
    gap = len(rows)
    rows.append((Markup(""), t("allocated", "已分配"), readable(estimate.peak.allocated_bytes), True))
    line = tag("line", class_="reserved", x1=left, x2=left + 12, y1=-4, y2=-4)
    rows.append((line, t("reserved, at most", "预留（最高）"), readable(estimate.peak.reserved_bytes), True))
    context = estimate.peak.process_bytes - estimate.peak.reserved_bytes
    if context:
        hatch = tag("rect", x=left, y=-10, width=12, height=12, rx=2, fill="url(#tunesmith-hatch)")
        rows.append((hatch, t("CUDA context", "CUDA 上下文"), readable(context), False))
        rows.append((Markup(""), t("process", "进程"), readable(estimate.peak.process_bytes), True))
    drawn = [tag("text", t("At the peak", "峰值时刻"), class_="soft", x=left, y=top + 9, font_size=11)]
    for index, (sign, name, value, strong) in enumerate(rows):
        y = top + 31 + index * _ROW + (8 if index >= gap else 0)
        weight = 600 if strong else None
        label = tag("text", name, x=left + 19, y=0, font_size=11.5, font_weight=weight)
        figure = tag(
            "text",
            value,
            class_="figure",
            x=right,
            y=0,
            text_anchor="end",
            font_size=11.5,
            font_weight=weight,
        )
        drawn.append(tag("g", sign, label, figure, transform=f"translate(0 {y:.1f})"))
    rule = top + 31 + gap * _ROW - 9
    drawn.append(tag("line", class_="edge", x1=left, x2=right, y1=rule, y2=rule))
    return joined(drawn)


def _swatch(left: float, color: str) -> Markup:
    return tag("rect", x=left, y=-10, width=12, height=12, rx=2, fill=color)
