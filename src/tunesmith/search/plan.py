"""Plan: one recipe that was found, what it needs, what it takes, and why it stands where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tunesmith.memory.estimate import Peak
from tunesmith.recipe import Recipe
from tunesmith.throughput import Interval


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why a recipe was chosen or left out, as a value: a code and what it is about, and the sentence."""

    code: str
    """What kind of reason it is, e.g. ``fits``, ``fastest``, ``too_large``, ``one_change``."""
    text: str
    """The sentence in English."""
    text_zh: str
    """The same in Chinese."""
    values: Mapping[str, Any]
    """The numbers and names in the sentence: bytes, seconds, keys of a recipe."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A recipe that fits, confirmed by a trace."""

    recipe: Recipe
    """What to run."""
    peak: Peak
    """What one card needs."""
    margin_bytes: int
    """What of the card is left over."""
    host_bytes: int
    """What a node keeps in the memory of the host."""
    step_seconds: Interval
    """One optimizer step."""
    tokens_per_second: Interval
    """Tokens that all cards together train on in a second, padding left out."""
    hours: Interval
    """One pass over the data."""
    usd: Interval | None
    """What that costs at the price of the cards; None where no price is known."""
    fidelity: int
    """How close the method comes to full fine-tuning in 32 bits, which is 100; see fidelity.py."""
    reasons: tuple[Reason, ...]
    """Why this one."""

    def to_mapping(self) -> dict[str, Any]:
        """Return the plan as plain JSON types."""
        return {
            "recipe": self.recipe.to_mapping(),
            "peak": {name: getattr(self.peak, name) for name in self.peak.__dataclass_fields__},
            "margin_bytes": self.margin_bytes,
            "host_bytes": self.host_bytes,
            "step_seconds": list(self.step_seconds),
            "tokens_per_second": list(self.tokens_per_second),
            "hours": list(self.hours),
            "usd": None if self.usd is None else list(self.usd),
            "fidelity": self.fidelity,
            "reasons": [each.text for each in self.reasons],
        }


@dataclass(frozen=True, kw_only=True)
class Miss:
    """The recipe that comes nearest to fitting where none does, or that was wanted and does not fit."""

    recipe: Recipe
    """The recipe."""
    needed_bytes: int
    """What it needs on one card."""
    available_bytes: int
    """What the card has."""
    missing_bytes: int
    """The difference."""
    reasons: tuple[Reason, ...]
    """Why it does not fit, and what one change, one more card or the cheapest other hardware would do."""

    def to_mapping(self) -> dict[str, Any]:
        """Return the miss as plain JSON types."""
        return {
            "recipe": self.recipe.to_mapping(),
            "needed_bytes": self.needed_bytes,
            "available_bytes": self.available_bytes,
            "missing_bytes": self.missing_bytes,
            "reasons": [each.text for each in self.reasons],
        }


@dataclass(frozen=True, kw_only=True)
class Point:
    """One recipe of the front: nothing else is smaller, faster and truer at once."""

    recipe: Recipe
    """The recipe."""
    process_bytes: int
    """What one card needs, by the outline of its family."""
    step_seconds: Interval
    """One optimizer step."""
    tokens_per_second: Interval
    """Tokens in a second over all cards."""
    fidelity: int
    """How close to full fine-tuning in 32 bits."""
    fits: bool
    """Whether the card holds it."""


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """One answer to the question backwards: cards that hold the run."""

    gpu: str
    """The card."""
    gpus: int
    """Cards in a node."""
    nodes: int
    """Nodes."""
    recipe: Recipe
    """The recipe that runs there."""
    peak_bytes: int
    """What one card needs."""
    hours: Interval
    """One pass over the data."""
    usd: Interval | None
    """What that costs; None where no price is known."""


@dataclass(frozen=True, kw_only=True)
class Plans:
    """The answer to a search."""

    model: str
    """Name of the model."""
    gpu: str | None
    """The card; None when the question was which card."""
    gpus: int
    """Cards in a node."""
    nodes: int
    """Nodes."""
    goal: str
    """``fastest``, ``cheapest`` or ``quality``."""
    plans: tuple[Plan, ...]
    """Recipes that fit, the best first."""
    front: tuple[Point, ...]
    """The trade between memory, time and fidelity, fitting or not."""
    nearest_miss: Miss | None
    """What nearly fits, or the better method that does not."""
    hardware: tuple[Hardware, ...]
    """Cards and clusters that hold the run, the best first, when no card was named or nothing fits."""
    searched: int
    """Recipes that were weighed."""
    seconds: float
    """How long the search took."""
    lengths: Mapping[str, Any]
    """Lengths of the data, or the assumption in their place."""
    assumptions: tuple[str, ...]
    """What was taken for granted."""

    def to_mapping(self) -> dict[str, Any]:
        """Return the plans as plain JSON types."""
        return {
            "model": self.model,
            "gpu": self.gpu,
            "gpus": self.gpus,
            "nodes": self.nodes,
            "goal": self.goal,
            "plans": [plan.to_mapping() for plan in self.plans],
            "front": [
                {
                    "recipe": point.recipe.to_mapping(),
                    "process_bytes": point.process_bytes,
                    "step_seconds": list(point.step_seconds),
                    "tokens_per_second": list(point.tokens_per_second),
                    "fidelity": point.fidelity,
                    "fits": point.fits,
                }
                for point in self.front
            ],
            "nearest_miss": None if self.nearest_miss is None else self.nearest_miss.to_mapping(),
            "hardware": [
                {
                    "gpu": each.gpu,
                    "gpus": each.gpus,
                    "nodes": each.nodes,
                    "recipe": each.recipe.to_mapping(),
                    "peak_bytes": each.peak_bytes,
                    "hours": list(each.hours),
                    "usd": None if each.usd is None else list(each.usd),
                }
                for each in self.hardware
            ],
            "searched": self.searched,
            "lengths": dict(self.lengths),
            "assumptions": list(self.assumptions),
        }
