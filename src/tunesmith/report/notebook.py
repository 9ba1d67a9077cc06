"""What a notebook shows of an Estimate: a small card with the picture.

The picture is an image, not markup: nothing in it can run or restyle the notebook around it.
"""

from __future__ import annotations

from base64 import b64encode

from tunesmith.memory.estimate import Estimate
from tunesmith.report.chart import timeline_svg
from tunesmith.report.columns import Course
from tunesmith.report.headline import run_line, verdict
from tunesmith.report.markup import Markup, tag
from tunesmith.report.words import category_name, inert, tell
from tunesmith.units import readable


def notebook_html(estimate: Estimate, *, lang: str = "en") -> Markup:
    """Return *estimate* as a piece of HTML: its picture, or a table of its parts without a timeline."""
    t = tell(lang)
    if estimate.timeline is not None and estimate.timeline.events:
        svg = timeline_svg(estimate, Course.of(estimate), lang=lang)
        source = f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"
        said = f"{inert(estimate.model)}. {run_line(estimate, t)}. {verdict(estimate, t)}"
        return tag("img", src=source, alt=said, style="max-width:100%;height:auto")
    rows = [
        tag(
            "tr",
            tag("td", category_name(category, lang)),
            tag("td", readable(count), style="text-align:right"),
        )
        for category, count in sorted(estimate.parts.items(), key=lambda part: -part[1])
    ]
    for name, count in (
        (t("allocated", "已分配"), estimate.peak.allocated_bytes),
        (t("reserved", "预留"), estimate.peak.reserved_bytes),
        (t("process", "进程"), estimate.peak.process_bytes),
    ):
        rows.append(
            tag(
                "tr",
                tag("th", name, style="text-align:left"),
                tag("th", readable(count), style="text-align:right"),
            )
        )
    return tag(
        "div",
        tag("p", tag("strong", inert(estimate.model)), " · ", run_line(estimate, t)),
        tag("p", verdict(estimate, t)),
        tag("table", tag("tbody", *rows)),
    )
