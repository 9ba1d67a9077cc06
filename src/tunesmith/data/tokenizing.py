"""The child that tokenizes, in a process of its own that imports ``tokenizers`` alone and limits itself.

Texts go in, and what comes out is the number of tokens of each and which of them are learned: those that
overlap a learned span of the text, so that a token across the border is learned, as it is in
huggingface/trl@v1.16.0:trl/trainer/sft_trainer.py, where the prompt is the common prefix of the tokens.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

from tokenizers import Encoding, Tokenizer

from tunesmith.data.serving import clock, serve

MEMORY_BYTES: Final = 4 << 30
"""Address space that the child may have; every thread of the library reserves some that it does not use."""

LOAD_SECONDS: Final = 20.0
"""Processor time that loading a tokenizer may take; the largest real one takes 3."""

BATCH_SECONDS: Final = 5.0
"""Processor time that a batch may take beside what its length allows."""

CHARACTERS_PER_SECOND: Final = 50_000
"""The slowest that a tokenizer may be; real ones are twenty times as fast."""


def learned_ranges(encoding: Encoding, spans: list[list[int]]) -> list[int]:
    """Return the ranges of tokens, begin and end in turn, that overlap the *spans* of the text.

    Both are in order; tokens that stand for no text, such as those a tokenizer adds, belong to none.
    """
    if not spans:
        return []
    ranges: list[int] = []
    pending = iter(spans)
    begin, end = next(pending)
    for index, (first, last) in enumerate(encoding.offsets):
        if first == last:
            continue
        while first >= end:
            following = next(pending, None)
            if following is None:
                return ranges
            begin, end = following
        if last > begin:
            if ranges and ranges[-1] == index:
                ranges[-1] = index + 1
            else:
                ranges += [index, index + 1]
    return ranges


def runs(text: str, encoding: Encoding, ranges: list[int], special: set[int]) -> list[list[Any]]:
    """Return *text* as its tokens read it, in runs: text, whether it is learned, whether special, its tokens.

    Each special token is a run of its own, and one that stands for no text is shown by its name. What
    belongs to no token, such as white space that the tokenizer leaves out, goes with what follows it.
    """
    found: list[list[Any]] = []
    at = 0
    learned = {
        index for begin, end in zip(ranges[::2], ranges[1::2], strict=True) for index in range(begin, end)
    }
    for index, (token, (first, last)) in enumerate(zip(encoding.ids, encoding.offsets, strict=True)):
        kind = [index in learned, token in special]
        said = text[at:last] if last > first else encoding.tokens[index] if token in special else ""
        at = max(at, last)
        if found and found[-1][1:3] == kind and not kind[1]:
            found[-1][0] += said
            found[-1][3] += 1
        else:
            found.append([said, *kind, 1])
    return found


def encoded(tokenizer: Tokenizer, question: dict[str, Any]) -> dict[str, Any]:
    """Return the lengths of the texts of *question*, their learned ranges, and tokens and runs where asked.

    A text without spans is learned as a whole, which is told by None.
    """
    lengths, ranges, ids, shown = [], [], [], []
    every = tokenizer.get_added_tokens_decoder() if question.get("runs") else {}
    special_ids = {number for number, token in every.items() if token.special}
    for first, last in _alike(question["special"]):
        texts, spans = question["texts"][first:last], question["spans"][first:last]
        special = question["special"][first]
        if not question.get("runs") and all(
            span is None for span in spans
        ):  # without offsets it is twice as fast
            batch = tokenizer.encode_batch_fast(texts, add_special_tokens=special)
        else:
            batch = tokenizer.encode_batch(texts, add_special_tokens=special)
        for text, encoding, span in zip(texts, batch, spans, strict=True):
            lengths.append(len(encoding))
            ranges.append(None if span is None else learned_ranges(encoding, span))
            if question["ids"]:
                ids.append(encoding.ids)
            if question.get("runs"):
                own = ranges[-1] if ranges[-1] is not None else [0, len(encoding)]
                shown.append(runs(text, encoding, own, special_ids))
    return {"lengths": lengths, "ranges": ranges, "ids": ids, "runs": shown}


def _alike(flags: list[bool]) -> list[tuple[int, int]]:
    """Return the stretches of *flags* that are equal, as their begins and ends."""
    cuts = [0, *(at for at in range(1, len(flags)) if flags[at] != flags[at - 1]), len(flags)]
    return [(first, last) for first, last in pairwise(cuts) if first < last]


class _Desk:
    """What answers the questions: first the path of a tokenizer, then batches of texts."""

    def __init__(self) -> None:
        self._tokenizer: Tokenizer | None = None

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        if self._tokenizer is None:
            clock(LOAD_SECONDS)
            self._tokenizer = loaded(question["path"])
            return {"vocabulary": self._tokenizer.get_vocab_size()}
        clock(BATCH_SECONDS + sum(map(len, question["texts"])) / CHARACTERS_PER_SECOND)
        return encoded(self._tokenizer, question)


def loaded(path: str) -> Tokenizer:
    """Return the tokenizer in the file at *path*, without the padding and truncation that it may ask for."""
    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_padding()  # a length is what a row has, not what a batch makes of it
    tokenizer.no_truncation()
    return tokenizer


def main() -> None:
    """Tokenize what is asked on standard input until it ends."""
    serve(_Desk().answer, memory_bytes=MEMORY_BYTES)


if __name__ == "__main__":
    main()
