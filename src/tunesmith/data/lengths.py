"""Lengths: how long the examples of a data set are, and what follows for truncation, batches and packing."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from math import sqrt
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from tunesmith.data.formats import Format
from tunesmith.data.packing import Packing, packing
from tunesmith.data.padding import Batches, batches
from tunesmith.data.templates import ChatTemplate

PERCENTILES: Final = (1, 5, 25, 50, 75, 90, 95, 99, 100)
"""Percentiles that are shown."""

CONFIDENCE: Final = 1.96
"""Standard errors to either side that hold the truth 95 times of 100."""


class Bar(NamedTuple):
    """One bar of a histogram."""

    least: int
    """Shortest length that it counts."""
    most: int
    """Longest length that it counts."""
    examples: int
    """How many have it."""


class Ranges:
    """The learned ranges of many examples, in four bytes a number: added one by one, then read."""

    def __init__(self) -> None:
        self._numbers = array("I")
        self._ends = array("L")  # where each example's numbers end

    def add(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Add the ranges of one more example."""
        for begin, end in ranges:
            self._numbers.append(begin)
            self._numbers.append(end)
        self._ends.append(len(self._numbers))

    def __len__(self) -> int:
        """Return of how many examples there are ranges."""
        return len(self._ends)

    def __iter__(self) -> Iterator[tuple[tuple[int, int], ...]]:
        """Yield the ranges of each example, in order."""
        first = 0
        for last in self._ends:
            numbers = self._numbers[first:last]
            yield tuple(zip(numbers[::2], numbers[1::2], strict=True))
            first = last

    @property
    def tokens(self) -> int:
        """Return how many tokens lie in all ranges."""
        return sum(self._numbers[1::2]) - sum(self._numbers[::2])


class Remark(NamedTuple):
    """What was taken for granted in counting, in both languages."""

    text: str
    """In English."""
    text_zh: str
    """In Chinese."""


@dataclass(frozen=True, kw_only=True)
class Truncation:
    """What is lost where examples are cut to a sequence length, on the right, as TRL cuts them."""

    sequence_length: int
    """Tokens that are kept of an example."""
    examples: int
    """Examples that are cut."""
    tokens: int
    """Tokens that are lost."""
    learned_tokens: int
    """Tokens to learn that are lost."""
    silent_examples: int
    """Examples that had tokens to learn and have none left."""
    examples_share: float
    """Share of the examples that is cut, 0 to 1."""
    tokens_share: float
    """Share of the tokens that is lost, 0 to 1."""
    learned_tokens_share: float
    """Share of the tokens to learn that is lost, 0 to 1."""

    def to_mapping(self) -> dict[str, Any]:
        """Return the loss as plain JSON types."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """How long the examples of a data set are, as one tokenizer and chat template make them.

    Of a sample all figures are estimates for the whole set, but for the number of rows and, nearly surely,
    the longest examples: those of most characters are measured beside the sample.
    """

    path: str
    """The data file."""
    format: Format
    """How its rows are laid out."""
    rows: int
    """Rows in the file."""
    examples: int
    """Sequences that they train on: a preference is two."""
    tokens: Sequence[int]
    """Tokens of each measured example, in the file's order."""
    learned: Ranges = field(repr=False)
    """Ranges of tokens that are learned of each measured example."""
    longest: tuple[int, ...] = field(repr=False)
    """Tokens of the longest examples of the file, the longest first."""
    longest_row: int
    """The row of the longest example, counted from 0."""
    sequence_length: int
    """Tokens of an example that are kept, unless another question is asked."""
    tokenizer: str
    """The tokenizer that counted."""
    vocabulary: int
    """Its tokens."""
    template: ChatTemplate | None
    """The chat template; None for plain text."""
    seed: int
    """Seed of the sample."""
    remarks: tuple[Remark, ...] = ()
    """What was taken for granted."""

    def __post_init__(self) -> None:
        """Keep the tokens in four bytes each."""
        object.__setattr__(self, "tokens", array("I", self.tokens))

    @property
    def sampled(self) -> bool:
        """Return whether only some of the examples were measured."""
        return len(self.tokens) < self.examples

    @cached_property
    def ordered(self) -> Sequence[int]:
        """Return the measured lengths, the shortest first."""
        return array("I", sorted(self.tokens))

    @property
    def mean(self) -> float:
        """Return the mean length of an example."""
        return sum(self.tokens) / len(self.tokens)

    @property
    def mean_error(self) -> float:
        """Return how far the true mean may be from a sample's, 95 times of 100; 0 without a sample."""
        measured = len(self.tokens)
        if not self.sampled or measured < 2:
            return 0.0
        mean = self.mean
        variance = sum((length - mean) ** 2 for length in self.tokens) / (measured - 1)
        return CONFIDENCE * sqrt(variance / measured * (1 - measured / self.examples))

    @property
    def total_tokens(self) -> int:
        """Return the tokens of the whole set; of a sample, an estimate."""
        return round(self.mean * self.examples)

    @cached_property
    def total_learned_tokens(self) -> int:
        """Return the tokens to learn of the whole set; of a sample, an estimate."""
        return round(self._scale * self.learned.tokens)

    @property
    def _scale(self) -> float:
        return self.examples / len(self.tokens)

    def percentile(self, percent: float) -> int:
        """Return the shortest length that *percent* of the examples do not exceed.

        The longest of all is known apart from the sample.
        """
        if percent >= 100:
            return self.longest[0]
        rank = -(-percent * len(self.ordered) // 100)  # the nearest rank, rounded up
        return self.ordered[max(0, int(rank) - 1)]

    def percentiles(self) -> Mapping[int, int]:
        """Return the lengths at the percentiles that are shown."""
        return MappingProxyType({percent: self.percentile(percent) for percent in PERCENTILES})

    def histogram(self) -> tuple[Bar, ...]:
        """Return how many of the measured examples have each length, in bars of doubling width."""
        bars, least = [], 0
        while least <= self.ordered[-1]:
            most = 2 * max(least, 16) - 1 if least else 15
            counted = bisect_right(self.ordered, most) - bisect_left(self.ordered, least)
            bars.append(Bar(least, most, counted))
            least = most + 1
        while bars and not bars[0].examples:
            del bars[0]
        return tuple(bars)

    def truncation(self, sequence_length: int | None = None) -> Truncation:
        """Return what is lost at *sequence_length*."""
        kept = sequence_length or self.sequence_length
        cut = tokens = learned = silent = 0
        for length, ranges in zip(self.tokens, self.learned, strict=True):
            if length <= kept:
                continue
            cut += 1
            tokens += length - kept
            learned += sum(end - max(begin, kept) for begin, end in ranges if end > kept)
            silent += bool(ranges) and ranges[0][0] >= kept
        total, every = sum(self.tokens), max(1, self.total_learned_tokens)
        return Truncation(
            sequence_length=kept,
            examples=round(cut * self._scale),
            tokens=round(tokens * self._scale),
            learned_tokens=round(learned * self._scale),
            silent_examples=round(silent * self._scale),
            examples_share=cut / len(self.tokens),
            tokens_share=tokens / max(1, total),
            learned_tokens_share=min(1.0, learned * self._scale / every),
        )

    def batches(self, batch_size: int, sequence_length: int | None = None) -> Batches:
        """Return what batches of *batch_size* examples come to at *sequence_length*."""
        return batches(
            self.tokens,
            batch_size=batch_size,
            sequence_length=sequence_length or self.sequence_length,
            longest=self.longest,
        )

    def packing(self, sequence_length: int | None = None) -> Packing:
        """Return what packing the measured examples into sequences of *sequence_length* tokens comes to."""
        return packing(self.tokens, sequence_length=sequence_length or self.sequence_length)

    def covering(self, share: float, *, multiple: int = 64) -> int:
        """Return the least sequence length, a *multiple*, that keeps *share* of all tokens."""
        below = list(accumulate(self.ordered, initial=0))
        total, count = below[-1], len(self.ordered)
        low, high = 1, -(-max(1, self.ordered[-1]) // multiple)
        while low < high:
            middle = (low + high) // 2
            whole = bisect_right(self.ordered, middle * multiple)
            kept = below[whole] + (count - whole) * middle * multiple
            low, high = (low, middle) if kept >= share * total else (middle + 1, high)
        return low * multiple

    def to_mapping(self, batch_size: int = 1) -> dict[str, Any]:
        """Return what is worth showing as plain JSON types, for batches of *batch_size* examples."""
        return {
            "path": self.path,
            "format": self.format.to_mapping(),
            "rows": self.rows,
            "examples": self.examples,
            "measured": len(self.tokens),
            "tokens": {
                "total": self.total_tokens,
                "learned": self.total_learned_tokens,
                "mean": self.mean,
                "mean_error": self.mean_error,
                "percentiles": {str(percent): length for percent, length in self.percentiles().items()},
                "longest_row": self.longest_row,
            },
            "histogram": [list(bar) for bar in self.histogram()],
            "truncation": self.truncation().to_mapping(),
            "batches": self.batches(batch_size).to_mapping(),
            "packing": self.packing().to_mapping(),
            "tokenizer": self.tokenizer,
            "vocabulary": self.vocabulary,
            "template": None
            if self.template is None
            else {"name": self.template.name, "sha256": self.template.sha256, "reason": self.template.reason},
            "seed": self.seed if self.sampled else None,
            "remarks": [remark.text for remark in self.remarks],
            "remarks_zh": [remark.text_zh for remark in self.remarks],
        }

    def __str__(self) -> str:
        """Return the lengths on a few lines."""
        lost, packed = self.truncation(), self.packing()
        about = f" ± {self.mean_error:,.1f}" if self.sampled else ""
        rows = [
            f"{self.path}: {self.rows:,} rows, {self.examples:,} examples, {self.format}",
            f"tokens: {self.total_tokens:,}, learned {self.total_learned_tokens:,}, "
            f"mean {self.mean:,.1f}{about}",
            "percentiles: " + ", ".join(f"{name} % {value:,}" for name, value in self.percentiles().items()),
            f"at {self.sequence_length:,} tokens: {lost.examples:,} examples are cut, "
            f"{lost.tokens_share:.2%} of the tokens and "
            f"{lost.learned_tokens_share:.2%} of those to learn are lost",
            f"packed: {packed.sequences:,} sequences, {packed.efficiency:.1%} full",
        ]
        return "\n".join([*rows, *(remark.text for remark in self.remarks)])
