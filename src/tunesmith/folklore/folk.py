"""What a folk formula is: plain numbers in, an Interval out, with worked examples and a mechanism."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Text:
    """The same words in two languages."""

    en: str
    """English."""
    zh: str
    """Chinese."""


@dataclass(frozen=True, order=True)
class Interval:
    """What a formula answers: one figure, a range, or "at least" when nothing bounds it above."""

    low: int
    """The smallest figure told."""
    high: int | None
    """The largest figure told; None when only "more than" was said."""

    def __post_init__(self) -> None:
        assert self.high is None or self.low <= self.high

    def __add__(self, other: Interval) -> Interval:
        high = None if self.high is None or other.high is None else self.high + other.high
        return Interval(self.low + other.low, high)

    def error(self, exact: int) -> int:
        """Return how far the told figures are from *exact*: above is positive, below negative, inside 0."""
        if exact < self.low:
            return self.low - exact
        if self.high is not None and exact > self.high:
            return self.high - exact
        return 0


def exactly(count: int) -> Interval:
    """Return the interval that holds one figure."""
    return Interval(count, count)


@dataclass(frozen=True, kw_only=True)
class Known:
    """Exact figures of sibling runs, from which rules like "it falls to a third" start; None: not known."""

    uncheckpointed_activation_bytes: int | None = None
    """Saved activations of the same run without gradient checkpointing."""
    whole_batch_allocated_bytes: int | None = None
    """Peak of the same run when all micro-batches go through at once."""
    half_sequence_activation_bytes: int | None = None
    """Saved activations of the same run at half the sequence length."""
    older_attention_activation_bytes: int | None = None
    """Saved activations of the same run with the older attention kernel."""
    allocated_bytes: int | None = None
    """Peak of live tensors of this very run."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """The plain numbers that folk formulas ask for."""

    parameters: int
    """All parameters, N."""
    method: Literal["full", "freeze", "lora", "qlora"] = "full"
    """How it is tuned."""
    batch: int = 1
    """Sequences a step on one card, B."""
    sequence: int = 0
    """Tokens a sequence, S."""
    hidden: int = 0
    """Width of the residual stream, H."""
    layers: int = 0
    """Decoder layers, L."""
    trainable_parameters: int = 0
    """Parameters that have gradients; 0 means all of them when the method is full."""
    lora_rank: int = 0
    """r of the adapters."""
    adapted: tuple[tuple[int, int], ...] = ()
    """``(d_in, d_out)`` of every adapted matrix of the whole model."""
    weight_bits: int = 16
    """Bits of one stored weight."""
    optimizer_bits: int = 32
    """Bits of one number of optimizer state."""
    accumulation_steps: int = 1
    """Micro-batches before a step."""
    gradient_checkpointing: bool = False
    """Are activations recomputed."""
    cards: int = 1
    """Cards that share the states, as ZeRO-3 does."""
    known: Known = field(default_factory=Known)
    """Exact figures of sibling runs."""


Parts = Mapping[str, Interval]
"""A formula's answer by part. The names of memory parts are those of an estimate's parts."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number of a worked example, as its teller wrote it."""

    text: str
    """The digits, e.g. ``112.13``."""
    unit: int
    """How many bytes (or parameters) the teller's unit turns out to be."""
    part: str = ""
    """The part it belongs to; empty for the total."""
    edge: Literal["low", "high"] = "low"
    """Which end of the interval gives it."""


@dataclass(frozen=True, kw_only=True)
class Worked:
    """A worked example that travels with a formula."""

    told: str
    """The example in the tellers' own figures."""
    run: Run
    """The run that it describes."""
    figures: tuple[Figure, ...]
    """Its numbers, which the formula reproduces to the digit."""


@dataclass(frozen=True, kw_only=True)
class Folk:
    """One formula that people use, computed exactly as its believers state it."""

    id: str
    """Stable name, e.g. ``mixed-16``."""
    title: Text
    """What it claims to answer."""
    formula: str
    """The formula as told."""
    teller: Text
    """Where it is heard."""
    parts: Callable[[Run], Parts | None]
    """The formula by part; None when it says nothing about such a run."""
    beside: str
    """The exact figure that it should be set beside, e.g. ``allocated_bytes``."""
    worked: tuple[Worked, ...]
    """Examples told with it."""
    discrepancy: Text
    """What is wrong with its figures."""
    mechanism: Text
    """Why: what the card really holds."""

    def compute(self, run: Run) -> Interval | None:
        """Return the formula's answer for *run*, the sum of its parts; None when it says nothing about it."""
        parts = self.parts(run)
        if parts is None:
            return None
        total = exactly(0)
        for part in parts.values():
            total += part
        return total
