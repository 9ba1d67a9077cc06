"""What the checks of a data file found, on a terminal: the score card, then each finding with its rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from tunesmith.checks import Finding, Report
from tunesmith.report.words import Tell, inert, tell
from tunesmith.units import counted

_STYLES: Final = {"error": "bold red", "warning": "bold yellow", "info": "bold blue"}
_NAMES: Final = {"error": "错误", "warning": "警告", "info": "提示"}
_ROWS: Final = 12
"""Row numbers that are listed; JSON has all of them."""


def answer(report: Report, *, lang: str = "en") -> Group:
    """Return the whole answer as one renderable that reads well in 100 columns."""
    t = tell(lang)
    blocks: list[RenderableType] = [_headline(report, t)]
    for each in report.findings:
        blocks += ["", *_finding(each, t, lang)]
    if report.passed:
        blocks += [
            "",
            Text.assemble((t("Nothing found: ", "未发现问题："), "green"), ", ".join(report.passed)),
        ]
    for name, why in report.skipped:
        blocks.append(Text(t(f"Not run: {name}. {why}", f"未运行：{name}。{why}"), style="dim"))
    return Group(*blocks)


def _headline(report: Report, t: Tell) -> Text:
    counts = {name: sum(each.severity == name for each in report.findings) for name in _STYLES}
    told = t(
        f"{counted(report.rows, 'row')} of {inert(report.path)}: {counted(counts['error'], 'error')}, "
        f"{counted(counts['warning'], 'warning')}, {counted(counts['info'], 'remark')}",
        f"{inert(report.path)} 共 {report.rows:,} 行：{counts['error']} 个错误，"
        f"{counts['warning']} 个警告，{counts['info']} 个提示",
    )
    return Text.assemble((told, "bold"), "\n", (inert(str(report.form), 400), "dim"))


def _finding(found: Finding, t: Tell, lang: str) -> Iterator[RenderableType]:
    """Yield what was found, the fix, and the rows that show it."""
    severity = found.severity if lang == "en" else _NAMES[found.severity]
    yield Text.assemble(
        (f"{severity} ", _STYLES[found.severity]),
        (found.check, "bold"),
        f"  {t(found.message, found.message_zh)}",
    )
    yield Padding(Text(t(f"Fix: {found.fix}", f"建议：{found.fix_zh}"), style="green"), (0, 0, 0, 2))
    for each in found.evidence:
        said = "  ".join(filter(None, (t(each.note, each.note_zh or each.note), each.text)))
        line = Text(f"{t('row', '行')} {each.row:,}  {said}", style="dim", overflow="ellipsis", no_wrap=True)
        yield Padding(line, (0, 0, 0, 2))
    if len(found.rows) > len(found.evidence):
        listed = ", ".join(f"{row:,}" for row in found.rows[:_ROWS])
        more = len(found.rows) - _ROWS
        rest = t(f" and {more:,} more", f" 等，另有 {more:,} 行") if more > 0 else ""
        yield Padding(Text(t(f"rows {listed}{rest}", f"行号 {listed}{rest}"), style="dim"), (0, 0, 0, 2))
