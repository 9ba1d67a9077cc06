"""What cleaning did to a data file, on a terminal: what each check dropped and mended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tunesmith.report.words import Tell, inert, tell
from tunesmith.units import counted

if TYPE_CHECKING:
    from tunesmith.checks.cleaning import Cleaned


def answer(cleaned: Cleaned, *, lang: str = "en") -> Group:
    """Return the whole answer as one renderable that reads well in 100 columns."""
    t = tell(lang)
    blocks: list[RenderableType] = [_headline(cleaned, t)]
    if cleaned.steps:
        blocks.append(_table(cleaned, t))
    return Group(*blocks, *_rest(cleaned, t))


def _headline(cleaned: Cleaned, t: Tell) -> Text:
    path, before = inert(cleaned.before.path), cleaned.before.rows
    told = t(
        f"{path}: {cleaned.rows:,} of {counted(before, 'row')} stay, {cleaned.dropped:,} left out",
        f"{path}：{before:,} 行中保留 {cleaned.rows:,} 行，去掉 {cleaned.dropped:,} 行",
    )
    return Text(told, style="bold")


def _table(cleaned: Cleaned, t: Tell) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column(t("check", "检查"))
    for title in (t("left out", "去掉"), t("mended", "修复")):
        table.add_column(title, justify="right")
    dropped: Counter[str] = Counter()
    mended: Counter[str] = Counter()
    for step in cleaned.steps:
        dropped[step.name] += step.rows_in - step.rows_out
        mended[step.name] += step.counts.get("mended", 0)
    for name in dict.fromkeys(step.name for step in cleaned.steps):
        table.add_row(name, *(f"{count:,}" if count else "–" for count in (dropped[name], mended[name])))
    return table


def _rest(cleaned: Cleaned, t: Tell) -> Iterator[RenderableType]:
    """Yield what was written, and what the checks still find."""
    if not cleaned.outputs:
        yield Text(
            t("No row is left; nothing was written.", "没有剩下任何行；未写入文件。"), style="bold red"
        )
        return
    for file in cleaned.outputs:
        yield Text(
            t(
                f"{inert(file.path)}: {counted(file.rows or 0, 'row')}",
                f"{inert(file.path)}：{file.rows or 0:,} 行",
            )
        )
    remaining = [
        f"{each.check} ({len(each.rows):,})" if each.rows else each.check for each in cleaned.after.findings
    ]
    if remaining:
        listed = ", ".join(remaining)
        yield Text(
            t(f"Still found, for you to judge: {listed}", f"仍存在、需您判断的问题：{listed}"), style="yellow"
        )
    if cleaned.left:
        named = ", ".join(cleaned.left)
        yield Text(
            t(
                f"Clean the new file again: {named} would drop more.",
                f"请再次清理新文件：{named} 仍会去掉一些行。",
            ),
            style="bold yellow",
        )
