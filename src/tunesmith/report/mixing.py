"""A mixture on a terminal: its sources, the shares asked for and got, and how often each is gone through."""

from __future__ import annotations

from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tunesmith.data.mixture import Mixture
from tunesmith.report.terminal import Bar
from tunesmith.report.words import Tell, inert, tell
from tunesmith.units import counted

_NAME: Final = 28
"""Characters of a source's name that are shown."""


def answer(mixture: Mixture, *, lang: str = "en") -> Group:
    """Return the whole answer as one renderable that reads well in 100 columns."""
    t = tell(lang)
    (file, *_) = mixture.outputs
    told = t(
        f"{inert(file.path)}: {counted(mixture.rows, 'row')}, {counted(mixture.tokens, 'token')}, "
        f"as {mixture.layout}",
        f"{inert(file.path)}：{mixture.rows:,} 行，{mixture.tokens:,} 个词元，格式 {mixture.layout}",
    )
    blocks: list[RenderableType] = [Text(told, style="bold"), _table(mixture, t)]
    held = sum(part.held_out for part in mixture.parts)
    if held:
        said = t(
            f"{counted(held, 'row')} held out for evaluation did not enter.",
            f"{held:,} 行属于评测集，未进入。",
        )
        blocks.append(Text(said, style="yellow"))
    blocks += [Text(t(remark.text, remark.text_zh), style="dim") for remark in mixture.remarks]
    return Group(*blocks)


def _table(mixture: Mixture, t: Tell) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    table.add_column(t("source", "来源"), no_wrap=True)
    by = t(*{"tokens": ("tokens", "词元"), "rows": ("rows", "行")}[mixture.by])
    table.add_column(t(f"share of {by}", f"{by}占比"))
    for title in (
        t("asked", "要求"),
        t("tokens", "词元"),
        t("rows", "行"),
        t("taken", "取用行"),
        t("passes", "遍数"),
        t("left over", "剩余行"),
    ):
        table.add_column(title, justify="right", no_wrap=True)
    for part in mixture.parts:
        table.add_row(
            inert(part.name, _NAME),
            Bar(mixture.share(part, mixture.by), cells=16),
            f"{part.asked:.1%}",
            f"{mixture.share(part, 'tokens'):.1%}",
            f"{mixture.share(part, 'rows'):.1%}",
            f"{part.taken_rows:,}",
            f"{part.passes:.2f}",
            f"{part.left_over:,}",
        )
    return table
