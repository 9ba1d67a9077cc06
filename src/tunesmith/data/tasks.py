"""Tasks: what kind of work each row asks for, told by rules over its words in English and Chinese.

The kinds are those that an evaluation set ought to cover: a question that is answered from memory (``qa``),
one that takes several steps of thought (``reasoning``), a text made shorter (``summary``), an answer from a
text that is given (``retrieval``), a talk of several questions (``multi_turn``), and everything else
(``other``). The first rule that holds decides, in the order of RULES.

*Known limits.* Rules see words, not sense. They are for strata and for seeing what is missing, where a wrong
kind costs a little evenness; nothing is refused because of them.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import polars as pl

TASKS: Final = ("qa", "reasoning", "summary", "retrieval", "multi_turn", "other")
"""Every kind, in the order they are shown."""
SCRIPTS: Final = ("Han", "Latin", "other")
"""Every kind of writing, by which languages are told apart."""

_SUMMARY: Final = (
    r"(?i)\b(?:summari[sz](?:e|es|ing|ation)|summary|tl;?dr|condense|key (?:points|takeaways)|"
    r"main (?:points|ideas?))\b"
    r"|[总總][结結]|概括|摘要|[归歸][纳納]|提[炼煉]|[缩縮][写寫]成|主要[内內]容|中心思想"
)
_RETRIEVAL: Final = (
    r"(?i)\b(?:based|according|refer(?:ring)?|using|given|from) (?:only |solely )?(?:on |to )?"
    r"(?:only |the |this |these |that )*(?:following |above |below |given |provided |attached )*"
    r"(?:passages?|texts?|documents?|contexts?|articles?|paragraphs?|sources?|excerpts?|reviews?|table)\b"
    r"|(?m)^\s*(?:context|passage|document|article|source|reference)s?(?: \d+)?\s*[:：\]]"
    r"|(?:根据|依据|结合|阅读|参考|利用)(?:以下|下面|上面|上述|给定|所给|提供|这段|这篇|该|本)[^\n。？]{0,16}"
    r"(?:材料|内容|文本|文章|资料|段落|信息|文档|上下文|短文|表格|片段)"
    r"|(?m)^\s*(?:参考资料|已知信息|背景资料|上下文|材料|文章|文档|原文)\d*\s*[:：]"
)
_REASONING: Final = (
    r"(?i)\b(?:step by step|step-by-step|calculate|compute|solve|prove|deduce|derive|evaluate the|simplify|"
    r"puzzle|riddle|equation|how (?:many|much|far|long) (?:\w+ ){0,6}(?:if|when|left|remain|altogether)|"
    r"what is \d|probability|logically|reason(?:ing)? (?:about|through))\b"
    r"|\d\s*[-+*/×÷^%]\s*\d|\d\s*=|=\s*\?"
    r"|[计計]算|求解|解方程|[证證]明|推理|推[导導]|推[断斷]|逐步|一步一步|分步|方程|概率|逻辑题"
    r"|(?:一共|总共|还剩|剩下|至少|最多)[^\n]{0,16}[多几]"
)
_QUESTION: Final = (
    r"[?？]\s*$|(?i)^\s*(?:what|who|whom|whose|when|where|which|why|how|is|are|was|were|do|does|did|can|could|"
    r"should|would|will|has|have|define|explain|tell me|name)\b"
    r"|什[么麼]|[谁誰]|哪[个個里裡些儿兒年]|何[时時地]|[为為]何|怎[么麼样樣]|如何|[吗嗎][？?。]?\s*$|是否|多少"
    r"|[几幾][个個种種岁歲]"
    r"|解[释釋]|介[绍紹]"
)
RULES: Final = MappingProxyType(
    {"summary": _SUMMARY, "retrieval": _RETRIEVAL, "reasoning": _REASONING, "qa": _QUESTION}
)
"""Regular expressions over what the user says, in the order in which they are tried, after ``multi_turn``."""
_READ: Final = 4000
"""Characters of a question that the rules read, from its begin."""


def strata(turns: pl.DataFrame) -> pl.DataFrame:
    """Return one line a row: ``row, line, task, script, length``; the length in characters.

    *turns* is a table of :mod:`~tunesmith.data.turns`; what a preference rejects is left out.
    """
    role, text = pl.col("role"), pl.col("text")
    speaks = role.is_in(["user", "text"])
    rows = (
        turns.filter(pl.col("side") == 0)
        .group_by("row", "line", maintain_order=True)
        .agg(
            asked=text.filter(speaks).str.join("\n"),
            asks=speaks.sum(),
            said=text.filter(role != "system").str.head(_READ).str.join("\n").str.head(_READ),
            length=text.str.len_chars().sum(),
        )
    )
    return rows.select("row", "line", task=_task(), script=_script(), length="length")


def _task() -> pl.Expr:
    """Return the kind of work, by its name."""
    asked = pl.col("asked").str.head(_READ)
    kind = pl.lit("other")
    for name, rule in reversed(tuple(RULES.items())):
        kind = pl.when(asked.str.contains(rule)).then(pl.lit(name)).otherwise(kind)
    return pl.when(pl.col("asks") > 1).then(pl.lit("multi_turn")).otherwise(kind)


def _script() -> pl.Expr:
    """Return how most of a row is written; a fifth of Han is Chinese or Japanese, with names in Latin."""
    said = pl.col("said")
    letters = said.str.count_matches(r"\p{L}")
    return (
        pl.when(said.str.count_matches(r"\p{Han}") * 5 >= letters.clip(1))
        .then(pl.lit("Han"))
        .when(said.str.count_matches(r"\p{Latin}") * 2 >= letters)
        .then(pl.lit("Latin"))
        .otherwise(pl.lit("other"))
    )
