"""What was written for another trainer: the files, the line that runs them, and what they cannot say."""

from __future__ import annotations

from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tunesmith.report.words import inert, tell
from tunesmith.trainers import TITLES, Export


def exported(export: Export, folder: Path, *, lang: str = "en") -> RenderableType:
    """Return what *export* put into *folder*, for a terminal."""
    t = tell(lang)
    names = ", ".join(file.name for file in export.files)
    where = inert(str(folder), 400)
    title = TITLES[export.trainer]
    head = Text(t(f"\nThe first plan for {title}", f"\n第一个方案，用于 {title}"), style="bold")
    lines = Table.grid(padding=(0, 1))
    lines.add_row(Text("·"), Text(t(f"Files in {where}: {names}", f"{where} 中的文件：{names}")))
    lines.add_row(Text("·"), Text(t(f"Run there: {export.command}", f"在该处运行：{export.command}")))
    for note in export.notes:
        lines.add_row(Text("·", style="dim"), Text(inert(note.text(lang), 1000), style="dim"))
    return Group(head, lines)
