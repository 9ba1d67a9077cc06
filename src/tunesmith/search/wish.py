"""Wish: what a search is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tunesmith.architecture import Architecture
from tunesmith.errors import RecipeError
from tunesmith.hardware import Cluster

GOALS: Final = ("fastest", "cheapest", "quality")
"""What the best recipe is best at."""
USUAL_BATCH: Final = 32
"""Sequences in an optimizer step where none are asked for, as in arXiv:2305.11206 (LIMA) and
https://thinkingmachines.ai/blog/lora/, which found larger batches to hurt adapters."""
MOST_TOKENS: Final = 1 << 20
"""Tokens in an optimizer step beyond which the usual batch is made smaller."""
USUAL_LENGTH: Final = 2048
"""Tokens in a sequence where nothing is known of the data."""
USUAL_TOKENS: Final = 10_000_000
"""Tokens in one pass over the data where no data is given."""


DECIDED: Final = (
    "model",
    "method",
    "precision",
    "optim",
    "packing",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "sequence_length",
    "gradient_checkpointing",
    "gradient_checkpointing_kwargs.every_n_layers",
    "adapter.r",
    "sharding",
    "offload",
    "parallel",
    "hardware",
)
"""Keys of a recipe, or their sections, that the search decides or an option of its own says."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How examples lie in the sequences of a batch: each in one of its own, or joined into full ones."""

    packing: bool = False
    """Whether short examples are joined."""
    fill: float = 1.0
    """Share of a batch's places that hold tokens, not padding."""
    attention: float = 1.0
    """Work of attention, over that of examples as long as the sequence."""
    examples: float = 1.0
    """Examples in a sequence, on average."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A model, hardware and what matters."""

    model: str
    """The model as it was named, which goes into the recipes."""
    architecture: Architecture
    """The model's dimensions."""
    cluster: Cluster | None
    """The cards; None when the question is which cards."""
    method: str | None = None
    """The method asked for; None: any."""
    goal: str = "fastest"
    """One of GOALS."""
    sequence_length: int = USUAL_LENGTH
    """Tokens in a sequence."""
    global_batch: int | None = None
    """Sequences in an optimizer step over all cards; None: the usual number."""
    budget_usd: float | None = None
    """What one pass over the data may cost."""
    tokens: int = USUAL_TOKENS
    """Tokens in one pass over the data, padding left out."""
    layouts: tuple[Layout, ...] = (Layout(),)
    """How examples may lie in the sequences of a batch: one way, or two to choose from."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Keys of a recipe, dotted, that every recipe has; none of DECIDED."""
    lengths: Mapping[str, Any] = field(default_factory=dict)
    """Lengths of the data for the answer."""

    def __post_init__(self) -> None:
        if self.goal not in GOALS:
            raise RecipeError(f"goal: given {self.goal!r}, expected one of {', '.join(GOALS)}.")
        if self.sequence_length < 1:
            raise RecipeError(f"sequence_length: given {self.sequence_length}, expected at least 1.")
        for key in self.fixed:
            if any(key == decided or key.startswith(f"{decided}.") for decided in DECIDED):
                raise RecipeError(
                    f"{key}: the search decides it, so it cannot be set for all recipes. "
                    "Leave it out, or ask for that one recipe: tunesmith estimate."
                )

    def layout(self, packing: bool) -> Layout:
        """Return how examples lie in sequences, packed or not."""
        return next((each for each in self.layouts if each.packing is packing), Layout(packing=packing))

    def padded_tokens(self, *, packing: bool = False) -> float:
        """Return the places of all batches of one pass over the data, padding included."""
        return self.tokens / self.layout(packing).fill

    def batch(self, cards: int, *fewer: int, packing: bool = False) -> int:
        """Return how many sequences an optimizer step takes on so many *cards*: a multiple of them.

        Where none are asked for, packed sequences are as many as hold the usual number of examples. Where
        cards share a sequence, a multiple of *fewer* groups of cards will do. Raises RecipeError where the
        batch that was asked for cannot be shared out.
        """
        if self.global_batch is None:
            usual = min(USUAL_BATCH, max(1, MOST_TOKENS // self.sequence_length))
            return cards * max(1, round(usual / self.layout(packing).examples / cards))
        if not any(self.global_batch % groups == 0 for groups in (cards, *fewer)):
            below, above = self.global_batch // cards * cards, -(-self.global_batch // cards) * cards
            wanted = f"{below} or {above}" if below else str(above)
            raise RecipeError(
                f"global_batch: given {self.global_batch} sequences for {cards} cards, expected a multiple "
                f"of {cards}. Set it to {wanted}."
            )
        return self.global_batch
