"""too_long: examples that are cut because they do not fit into a training sequence.

*Why it matters.* Trainers cut without a word (TRL keeps the first max_length tokens,
huggingface/trl@v1.16.0:trl/trainer/sft_trainer.py): a model that never sees how answers end does not learn
to end them, and where the question alone fills the sequence nothing is learned at all. *Known limits.*
Without a tokenizer tokens are estimated and only rows that are a fifth too long are flagged: of 300 real
chats at 512 and at 2,048 tokens no row falsely, and two of three that are cut. With one they are counted, but
for the schemas of tools, which are not in the turns; rows of fewer bytes than the sequence has tokens cannot
be cut and are not counted, so a file of long rows is read at the tokenizer's speed.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from tunesmith.checks.check import Asked, Check, Flagged
from tunesmith.checks.finding import Finding
from tunesmith.data.chat import Encoded, Encoder
from tunesmith.data.formats import Example
from tunesmith.data.tokenizer import choose_template
from tunesmith.data.turns import Batch
from tunesmith.units import counted

ASCII_PER_TOKEN: Final = 4.0
"""Letters of English prose to a token, more than of code (DeepSeek's documentation says 3.3 for both,
api-docs.deepseek.com/quick_start/token_usage)."""
OTHERS_PER_TOKEN: Final = 1.6
"""Chinese characters to a token (the same says 1.7)."""
DOUBT: Final = 1.2
"""How far an estimate may be off: rows that it makes less than a fifth too long are not flagged."""
TURN_BYTES: Final = 64
"""More than any of the usual templates writes around a turn, in tokens."""


class TooLong(Check):
    """Flags rows that are cut: by counted tokens with a tokenizer, else by an estimate."""

    name = "too_long"

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._encoder: Encoder | None = None
        self._flagged = Flagged()
        self._silent = Flagged()

    @classmethod
    def of(cls, asked: Asked) -> TooLong:
        """Return the check, which counts tokens if there is a tokenizer."""
        return cls(asked)

    def see(self, batch: Batch) -> None:
        """Look at some rows."""
        most = self._asked.sequence_length
        size = pl.col("text").str.len_bytes()
        # A token stands for one byte or more, so what has fewer bytes has fewer tokens.
        if batch.turns["text"].str.len_bytes().sum() <= most:
            return
        sizes = batch.turns.group_by("row", "side", maintain_order=True).agg(
            pl.col("line").first(), bytes=size.sum(), padding=pl.len() * TURN_BYTES
        )
        if self._asked.tokenizer is not None:
            long = sizes.filter(pl.col("bytes") + pl.col("padding") > most)
            self._count(batch.turns.join(long.select("row", "side"), on=["row", "side"], how="semi"))
            return
        long = sizes.filter(pl.col("bytes") > most * OTHERS_PER_TOKEN)
        if not long.is_empty():
            self._estimate(batch.turns.join(long.select("row", "side"), on=["row", "side"], how="semi"))

    def _estimate(self, turns: pl.DataFrame) -> None:
        """Flag the rows of *turns* that are surely too long."""
        plain = pl.col("text").str.count_matches(r"[\x00-\x7f]")
        tokens = plain / ASCII_PER_TOKEN + (pl.col("text").str.len_chars() - plain) / OTHERS_PER_TOKEN
        sums = turns.group_by("row", "side", maintain_order=True).agg(
            pl.col("line").first(), tokens=tokens.sum().round().cast(pl.UInt32)
        )
        long = sums.filter(pl.col("tokens") > DOUBT * self._asked.sequence_length)
        self._flagged.add(
            long.select(
                "row",
                "line",
                note=pl.format("about {} tokens", "tokens"),
                note_zh=pl.format("约 {} 个词元", "tokens"),
            )
        )

    def _count(self, turns: pl.DataFrame) -> None:
        """Flag the rows of *turns* that have more tokens than a sequence."""
        if turns.is_empty():
            return
        if self._encoder is None:
            assert self._asked.tokenizer is not None
            self._encoder = Encoder(self._asked.tokenizer, choose_template(self._asked.tokenizer, None))
        groups = turns.sort("row", "side", "turn").partition_by("row", "side", maintain_order=True)
        for encoded in self._encoder.encode(self._example(group) for group in groups):
            self._judge(encoded)

    def _example(self, turns: pl.DataFrame) -> Example:
        """Return the example that *turns* are, as far as they tell."""
        row, place = turns["row"][0], str(turns["line"][0])
        roles, texts, learned = turns["role"].to_list(), turns["text"].to_list(), turns["learned"].to_list()
        if roles == ["text"]:
            return Example(row=row, place=place, text=texts[0])
        if roles == ["user", "assistant"] and self._asked.form.name in ("prompt_completion", "preference"):
            return Example(row=row, place=place, prompt=texts[0], text=texts[1])
        said = ({"role": role, "content": text} for role, text in zip(roles, texts, strict=True))
        return Example(row=row, place=place, messages=tuple(said), learned=tuple(learned))

    def _judge(self, encoded: Encoded) -> None:
        most = self._asked.sequence_length
        if encoded.fault or encoded.length <= most:
            return
        kept = sum(max(0, min(end, most) - begin) for begin, end in encoded.learned)
        lost = encoded.learned_tokens - kept
        note = f"{encoded.length:,} tokens; {lost:,} of {encoded.learned_tokens:,} to learn are cut"
        note_zh = f"{encoded.length:,} 个词元；{encoded.learned_tokens:,} 个待学词元中有 {lost:,} 个被截断"
        row = {"row": [encoded.row], "line": [int(encoded.place)], "note": [note], "note_zh": [note_zh]}
        self._flagged.add(pl.DataFrame(row))
        if encoded.learned and not kept:
            self._silent.add(pl.DataFrame(row))

    def finding(self) -> Finding | None:
        """Return the rows that are cut."""
        if self._encoder is not None:
            self._encoder.close()
        if not self._flagged:
            return None
        rows, silent, most = self._flagged.rows, self._silent.rows, self._asked.sequence_length
        told = f", {len(silent):,} of them before anything is learned" if silent else ""
        told_zh = f"，其中 {len(silent):,} 行在待学内容之前就被截断" if silent else ""
        by, by_zh = ("", "") if self._asked.tokenizer else (" by an estimate", "（估算）")
        return Finding(
            check=self.name,
            severity="error" if silent else "warning",
            rows=rows,
            message=f"{counted(len(rows), 'row')} longer than {most:,} tokens{by} and cut{told}.",
            message_zh=f"{len(rows):,} 行超过 {most:,} 个词元{by_zh}，会被截断{told_zh}。",
            fix="Split or shorten the rows, or train with longer sequences.",
            fix_zh="拆分或缩短这些行，或使用更长的训练序列。",
            evidence=self._flagged.evidence,
            drop=silent,
        )
