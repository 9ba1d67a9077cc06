"""Outline: the memory of one class of recipes, every variation of it in microseconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from tunesmith.errors import UnsupportedError
from tunesmith.memory.outline.forms import Where
from tunesmith.memory.outline.optimizers import OptimizerStep
from tunesmith.memory.outline.places import Line, Place, place
from tunesmith.memory.outline.skyline import Skyline
from tunesmith.memory.outline.variation import Needs, Variation
from tunesmith.memory.outline.working import WorkForm, work_at
from tunesmith.memory.work import Work

_MOST_PLACES: Final = 4096


@dataclass(frozen=True, kw_only=True)
class Outline:
    """The memory of a class of recipes; a Variation says which of them is meant.

    A class fixes the model, the card's kernels, the method and what it trains, types, attention, loss,
    trainer, and whether layers are checkpointed.
    """

    skyline: Skyline
    """The instants that can be the peak."""
    r: int
    """Rank it was traced with; 0 without one."""
    optim: str
    """Optimizer it was traced with."""
    optimizers: Mapping[str, OptimizerStep]
    """What other optimizers take."""
    layers: int
    """Layers of the model."""
    round_layers: int
    """Layers in one round: the period after which they repeat."""
    block_bytes: int
    """By how much allocated exceeds live bytes, in a replay: blocks that are larger than asked for."""
    reserved_ratio: float
    """Reserved over allocated bytes, seen in replays of the allocator."""
    work_forms: Mapping[str, tuple[WorkForm, ...]]
    """What each phase computes, as functions of batch and length."""
    parameters: int
    """Parameters of the base model."""
    trainable_parameters: int
    """Those that learn, at the traced rank."""
    num_traces: int
    """Small traces that were run for it."""
    unchecked: Outline | None = field(default=None, repr=False)
    """The same class without checkpointing, which ``every_n_layers`` needs."""
    _places: dict[tuple[int, int, int], Place] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def at(self, batch: int, length: int, r: int | None = None) -> Place:
        """Return the skyline at one batch, length and rank, which is kept for the next variation there."""
        where = Where(batch, length, self.r if r is None or not self.r else r)
        known = self._places.get(where)
        if known is None:
            if len(self._places) >= _MOST_PLACES:
                self._places.clear()
            known = self._places[where] = place(self.skyline, where)
        return known

    def states_bytes(self, variation: Variation, here: Place) -> tuple[int, int]:
        """Return what the states of the variation's optimizer take, and what its step adds at most."""
        if variation.optim == self.optim:
            return here.states, here.step_bytes
        known = self.optimizers.get(variation.optim)
        if known is None:
            raise UnsupportedError(
                f"optim {variation.optim}: this outline knows {', '.join([self.optim, *self.optimizers])}. "
                "Make it with this optimizer among its optims."
            )
        share = here.gradients / known.gradients_bytes if known.gradients_bytes else 1.0
        return int(known.states_bytes * share), int(known.step_bytes * share)

    def peak_bytes(self, variation: Variation) -> int:
        """Return the peak of allocated bytes on one card."""
        return self._peak(variation)[0] + self.block_bytes

    def peaks(self, variations: Iterable[Variation]) -> list[int]:
        """Return the peak of allocated bytes of each of many variations."""
        peak, more = self._peak, self.block_bytes
        return [peak(variation)[0] + more for variation in variations]

    def needs(self, variation: Variation) -> Needs:
        """Return all that one variation needs."""
        most, line, extra = self._peak(variation)
        allocated = most + self.block_bytes
        parts = _parts(line, extra, allocated)
        return Needs(
            allocated_bytes=allocated,
            reserved_bytes=int(allocated * self.reserved_ratio),
            host_bytes=0,
            host_pinned_bytes=0,
            phase=line.phase,
            parts=parts,
        )

    def work(self, batch: int, length: int) -> Mapping[str, tuple[Work, ...]]:
        """Return what each phase of a step computes on one card; empty if the traces counted no work."""
        return {
            phase: tuple(work_at(form, batch, length) for form in forms)
            for phase, forms in self.work_forms.items()
        }

    def with_unchecked(self, other: Outline) -> Outline:
        """Return this outline of checkpointed layers, able to checkpoint only every n-th of them."""
        return replace(self, unchecked=other)

    def _peak(self, variation: Variation) -> tuple[int, Line, Mapping[str, int]]:
        """Return the most live bytes, the instant, and what the variation adds to or replaces in it."""
        here = self.at(variation.batch, variation.length, variation.r)
        states, step = self.states_bytes(variation, here)
        again = variation.accumulation > 1
        inputs = here.inputs * (variation.accumulation - 1)
        own = variation.optim == self.optim
        most, best = -1, here.start
        for line in here.lines:
            if line.family == "accumulated":
                if not again:
                    continue
                total = line.lasting + line.gradients + here.gradients + line.rest + inputs
            elif line.family == "step":
                if not own:
                    continue
                total = line.lasting + line.gradients + line.states - states + line.rest + inputs
            else:
                total = line.lasting + line.gradients + line.rest + inputs * (line.family != "load")
                if not line.later:
                    total -= states
            total += states
            if total > most:
                most, best = total, line
        if not own:
            total = here.start.lasting + here.start.gradients + here.start.rest + step + inputs
            if total > most:
                most, best = total, here.start
        return most, best, {}


def _parts(line: Line, extra: Mapping[str, int], allocated: int) -> dict[str, int]:
    """Return the bytes of *line* by category, what is left of *allocated* added to the temporaries."""
    parts = dict(line.parts) | dict(extra)
    parts["temporaries"] = parts.get("temporaries", 0) + allocated - sum(parts.values())
    return {category: count for category, count in parts.items() if count}
