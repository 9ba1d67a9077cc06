"""role_order: chats whose turns are not said in turn.

*Why it matters.* Chat templates of Llama 2, Mistral and Gemma raise an error on such chats, and trainers
leave them out with a warning at most (hiyouga/LLaMA-Factory@v0.9.4:src/llamafactory/data/converter.py,
"Invalid role tag"); templates that take them teach a model to answer itself. *Known limits.* Whether a turn
says what its role should say is not looked at.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from tunesmith.checks.check import Check, Flagged
from tunesmith.checks.finding import Finding
from tunesmith.data.turns import Batch
from tunesmith.units import counted

_LETTERS: Final = {
    "system": "s",
    "developer": "s",
    "user": "u",
    "assistant": "a",
    "tool": "t",
    "function": "t",
    "ipython": "t",
    "text": "p",
}
"""A chat is written as a word of its roles, e.g. ``suaua``; what is none of these is an ``x``."""
_GOOD: Final = r"^(?:p|s?u(?:a(?:t+a)*u)*a(?:t+a)*)$"

_FAULTS: Final = (
    ("x", "a role that no template knows", "模板不认识的角色"),
    ("s.*s", "two system messages", "有两条系统消息"),
    (".s", "a system message that is not the first", "系统消息不在最前"),
    ("^s?[at]", "it does not begin with the user", "不是由用户开始"),
    ("uu", "the user speaks twice in a row", "用户连续发言"),
    ("aa", "the assistant speaks twice in a row", "助手连续发言"),
    ("ut", "a tool answers that was not called", "未调用工具却有工具结果"),
    ("tu", "nobody says what the tool's answer means", "工具结果之后助手没有发言"),
)
_END: Final = ("[^a]$", "it does not end with the assistant", "不是由助手结束")


def _unusual(turns: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that are any but system, user, assistant, user, assistant and so on: ``row``."""
    role, key = pl.col("role"), pl.col("row").cast(pl.UInt64) * 2 + pl.col("side")
    first, last = key.ne_missing(key.shift()), key.ne_missing(key.shift(-1))
    before = pl.when(first).then(pl.lit("")).otherwise(role.shift())
    usual = (
        pl.when(role == "user")
        .then(before.is_in(["", "system", "assistant"]) & ~last)
        .when(role == "assistant")
        .then(before == "user")
        .when(role == "system")
        .then(first & ~last)
        .otherwise((role == "text") & first & last)
    )
    return turns.select("row", usual=usual).filter(~pl.col("usual")).select("row")


class RoleOrder(Check):
    """Flags chats in which user and assistant do not alternate, from the user's first turn to an answer."""

    name = "role_order"

    def __init__(self) -> None:
        self._wrong = Flagged()
        self._open = Flagged()

    def see(self, batch: Batch) -> None:
        """Look at some rows."""
        odd_rows = _unusual(batch.turns)
        if odd_rows.is_empty():
            return
        turns = batch.turns.join(odd_rows, on="row", how="semi", maintain_order="left")
        letter = pl.col("role").replace_strict(_LETTERS, default="x", return_dtype=pl.String)
        words = turns.group_by("row", "side", maintain_order=True).agg(
            pl.col("line").first(), word=letter.str.join("")
        )
        odd = words.filter(~pl.col("word").str.contains(_GOOD))
        if odd.is_empty():
            return
        faults = pl.concat(
            odd.filter(pl.col("word").str.contains(form)).select(
                "row", "line", note=pl.lit(en), note_zh=pl.lit(zh)
            )
            for form, en, zh in _FAULTS
        ).sort("row", maintain_order=True)
        self._wrong.add(faults)
        form, en, zh = _END
        ends = odd.filter(pl.col("word").str.contains(form))
        ends = ends.join(faults.select("row"), on="row", how="anti", maintain_order="left")
        self._open.add(ends.select("row", "line", note=pl.lit(en), note_zh=pl.lit(zh)))

    def finding(self) -> Finding | None:
        """Return the rows whose turns are out of order."""
        wrong, ends = self._wrong.rows, self._open.rows
        if not wrong and not ends:
            return None
        told = [f"{counted(len(wrong), 'chat')} with turns out of order"] if wrong else []
        told += [f"{counted(len(ends), 'chat')} without an answer to the last turn"] if ends else []
        told_zh = [f"{len(wrong):,} 个对话的角色顺序有误"] if wrong else []
        told_zh += [f"{len(ends):,} 个对话最后一轮没有回答"] if ends else []
        return Finding(
            check=self.name,
            severity="error" if wrong else "warning",
            rows=tuple(sorted({*wrong, *ends})),
            message=f"{'; '.join(told)}.",
            message_zh=f"{'；'.join(told_zh)}。",
            fix="Join what one says in a row, put the user first, take off a last turn without an answer.",
            fix_zh="合并同一角色的连续发言，让用户先说，并去掉没有回答的最后一轮。",
            evidence=(*self._wrong.evidence, *self._open.evidence)[:5],
            drop=wrong,
        )
