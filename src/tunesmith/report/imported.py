"""An imported recipe as text: what its file states, what the trainer fills in, what is assumed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from tunesmith.report.words import inert, tell
from tunesmith.trainers import TITLES, Imported, Origin

HOW: Final[Mapping[str, tuple[str, str]]] = {
    "stated": ("stated", "文件给出"),
    "defaulted": ("default", "默认"),
    "assumed": ("assumed", "假定"),
}
"""The three origins in both languages."""


def provenance(imported: Imported, *, lang: str = "en") -> Group:
    """Return every choice that the file or its trainer makes, with its origin, and what was left aside."""
    t = tell(lang)
    title = TITLES[imported.trainer]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False, header_style="bold")
    for name in (t("key", "键"), t("value", "值"), t("origin", "来源"), t("from", "依据")):
        table.add_column(name, overflow="fold")
    own = tuple(origin for origin in imported.provenance if not _is_own(origin))
    for origin in own:
        where = origin.where_zh if lang == "zh" else origin.where
        if origin.how == "stated":
            where = where.rpartition("/")[2]  # the file without its folder, which the user has just typed
        table.add_row(origin.key, _value(origin.value), t(*HOW[origin.how]), inert(where, 400))
    rest = len(imported.provenance) - len(own)
    lines = [
        t(
            f"A recipe from {title}, silences filled as {imported.version} does:",
            f"来自 {title} 的配方，未写明之处按 {imported.version} 的默认值：",
        ),
        t(f"{rest} more keys have the recipe's defaults.", f"其余 {rest} 个键取配方的默认值。"),
    ]
    if imported.ignored:
        names = ", ".join(inert(name, 60) for name in imported.ignored)
        lines.append(
            t(f"Left aside, neither memory nor time: {names}.", f"与显存和时间无关，已忽略：{names}。")
        )
    warnings = [Text(inert(warning.text(lang), 1000), style="yellow") for warning in imported.warnings]
    return Group(lines[0], table, *lines[1:], *warnings, "")


def _is_own(origin: Origin) -> bool:
    """Return whether the value is the recipe's own default, about which such a file says nothing."""
    return origin.how == "assumed" and origin.where.endswith("the recipe's default")


def _value(value: object) -> str:
    return inert(value if isinstance(value, str) else json.dumps(value, default=str), 60)
