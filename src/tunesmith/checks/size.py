"""size: fewer good rows than the method of training can make use of.

*Why it matters.* 1,000 rows that were chosen by hand taught a large model how to answer (Zhou et al. 2023,
"LIMA: Less Is More for Alignment", arXiv 2305.11206), and Alpaca took 52,000 that were not chosen
(tatsu-lab/stanford_alpaca@main:README.md). 2,000 good rows are where a task is learned and not its examples;
with fewer, full training, which moves every weight, mostly learns them by heart, and LoRA suffers less (Zhang
et al. 2024, "When Scaling Meets LLM Finetuning", arXiv 2402.17193; Biderman et al. 2024, "LoRA Learns Less
and Forgets Less", arXiv 2405.09673). Plain text is counted in tokens: continued training on 1.3 million did
not teach a model what they say, while 455 million that were made from them did (Yang et al. 2024, "Synthetic
continued pretraining", arXiv 2409.07431). *Known limits.* Good are the rows that no check wants to drop and
no error names; a narrow task takes fewer, a new language far more. Tokens are estimated from bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from tunesmith.checks.check import Asked, Check
from tunesmith.checks.finding import Finding
from tunesmith.data.turns import Batch
from tunesmith.units import counted

GOOD_ROWS: Final = 2_000
"""Good rows that are enough for a task."""
FEWEST: Final = 100
"""Good rows below which nothing but a style is learned: services that fine-tune see an effect from 50 to 100
on (platform.openai.com/docs/guides/supervised-fine-tuning)."""
TEXT_TOKENS: Final = 1_300_000
"""Tokens of plain text that were not enough to teach what they say."""
BYTES_PER_TOKEN: Final = 4
"""Bytes of English, or of 1.3 Chinese characters."""
_WHOLE: Final = ("full", "freeze")
"""Methods that move the weights themselves."""


class Size(Check):
    """Says when a set is too small for what is to be trained with it."""

    name = "size"

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._rows = 0
        self._text_bytes = 0
        self._bad: set[int] = set()

    @classmethod
    def of(cls, asked: Asked) -> Size:
        """Return the check for the method that is asked about."""
        return cls(asked)

    def see(self, batch: Batch) -> None:
        """Look at some rows."""
        self._rows = batch.rows.stop
        if self._asked.form.name == "text":
            self._text_bytes += int(batch.turns.select(pl.col("text").str.len_bytes().sum()).item())

    def hear(self, findings: Sequence[Finding]) -> None:
        """Count the rows that other checks want to drop, or name in an error."""
        for each in findings:
            self._bad.update(each.rows if each.severity == "error" else each.drop)

    def finding(self) -> Finding | None:
        """Return that the set is too small, if it is."""
        good = self._rows - len(self._bad)
        if self._asked.form.name == "text":
            return self._text(good)
        if good >= GOOD_ROWS:
            return None
        whole = self._asked.method in _WHOLE
        of = "" if good == self._rows else f" of {self._rows:,}"
        of_zh = "" if good == self._rows else f"（共 {self._rows:,} 行）"
        few = good < FEWEST
        told = (
            f" Below {FEWEST} little but a style is learned."
            if few
            else " Training the weights themselves will learn so few by heart."
            if whole
            else ""
        )
        told_zh = (
            f"少于 {FEWEST} 行时，除了风格几乎学不到什么。"
            if few
            else "直接训练权重会把这么少的数据背下来。"
            if whole
            else ""
        )
        return Finding(
            check=self.name,
            severity="warning",
            rows=(),
            message=f"{counted(good, 'good row')}{of}, where {self._asked.method} takes {GOOD_ROWS:,}.{told}",
            message_zh=f"合格行 {good:,}{of_zh}，{self._asked.method} 需要 {GOOD_ROWS:,} 行。{told_zh}",
            fix="Write or build more rows, and mend those that were found bad."
            + (" Or train with LoRA, which forgets less." if whole else ""),
            fix_zh="补写或生成更多行，并修正有问题的行。" + ("或改用 LoRA，遗忘更少。" if whole else ""),
        )

    def _text(self, good: int) -> Finding | None:
        tokens = self._text_bytes // BYTES_PER_TOKEN * good // max(1, self._rows)
        if tokens >= TEXT_TOKENS:
            return None
        return Finding(
            check=self.name,
            severity="warning",
            rows=(),
            message=f"About {tokens:,} tokens of plain text; {TEXT_TOKENS:,} were not enough to teach a "
            "model what they say.",
            message_zh=f"纯文本约 {tokens:,} 个词元；已有研究表明 {TEXT_TOKENS:,} 个词元不足以让模型"
            "学会其内容。",
            fix="Add text, or build questions and answers out of it, which teach the same facts many times.",
            fix_zh="增加文本，或由其生成问答，让同一事实以多种说法反复出现。",
        )
