"""Outline: the memory of one class of recipes, every variation of it in microseconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Final

from tunesmith.errors import UnsupportedError
from tunesmith.memory.outline.forms import Where
from tunesmith.memory.outline.optimizers import OptimizerStep
from tunesmith.memory.outline.places import Line, Place, mixed, place
from tunesmith.memory.outline.sharding import SEGMENTS, Kept, Peak, host_bytes, peaks
from tunesmith.memory.outline.skyline import Skyline
from tunesmith.memory.outline.variation import Needs, Variation
from tunesmith.memory.outline.working import WorkForm, work_at
from tunesmith.memory.work import Work
from tunesmith.recipe.names import FSDP, ZERO

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
    kept: Kept
    """How its weights are kept where many cards compute in 16 bits."""
    offloaded_token_bytes: int = 0
    """Bytes of a checkpointed layer's input for a token, where it rests in the memory of the host."""
    cast: Outline | None = field(default=None, repr=False)
    """The same class computed in 16 bits without autocast, as FSDP and ZeRO do it."""
    unchecked: Outline | None = field(default=None, repr=False)
    """The same class without checkpointing, which ``every_n_layers`` needs."""
    _places: dict[tuple[int, ...], Place] = field(default_factory=dict, init=False, repr=False, compare=False)

    def at(self, batch: int, length: int, r: int | None = None, every_n_layers: int = 1) -> Place:
        """Return the skyline at one batch, length and rank, which is kept for the next variation there.

        Raises UnsupportedError for every n-th layer where the outline without checkpointing is not joined.
        """
        rank = self.r if r is None or not self.r else r
        key = batch, length, rank, every_n_layers
        known = self._places.get(key)
        if known is None:
            if len(self._places) >= _MOST_PLACES:
                self._places.clear()
            known = self._places[key] = self._place(Where(batch, length, rank), every_n_layers)
        return known

    def _place(self, where: Where, every_n_layers: int) -> Place:
        if every_n_layers == 1:
            return place(self.skyline, where)
        if self.unchecked is None:
            raise UnsupportedError(
                "every_n_layers: this outline knows checkpointing of all layers only. Join it with the "
                "outline of the same recipe without checkpointing: with_unchecked()."
            )
        return mixed(
            self.at(*where),
            self.unchecked.at(*where),
            layers=self.layers,
            rounds=self.layers // self.round_layers,
            every_n_layers=every_n_layers,
        )

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
        return self._peak(variation).total + self.block_bytes

    def reserved_bytes(self, variation: Variation) -> int:
        """Return the peak of the allocator's segments on one card, an estimate by ratios seen in replays."""
        return self._segments(variation, self.peak_bytes(variation))

    def _segments(self, variation: Variation, allocated: int) -> int:
        return int(allocated * max(self.reserved_ratio, SEGMENTS.get(variation.sharding, 1.0)))

    def peaks(self, variations: Iterable[Variation]) -> list[int]:
        """Return the peak of allocated bytes of each of many variations."""
        peak, more = self._peak, self.block_bytes
        return [peak(variation).total + more for variation in variations]

    def needs(self, variation: Variation) -> Needs:
        """Return all that one variation needs."""
        most, line, extra = self._peak(variation)
        activations = self._activations_bytes(variation)
        host, locked = (each + activations for each in self._host_bytes(variation))
        allocated = most + self.block_bytes
        parts = _parts(line, extra, allocated)
        return Needs(
            allocated_bytes=allocated,
            reserved_bytes=self._segments(variation, allocated),
            host_bytes=host * variation.gpus,
            host_pinned_bytes=locked * variation.gpus,
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
        cast = self.cast.with_unchecked(other.cast) if self.cast and other.cast else self.cast
        return replace(self, unchecked=other, cast=cast)

    def _peak(self, variation: Variation) -> Peak:
        """Return the most live bytes, the instant, and the categories that the variation changes in it."""
        if variation.sharding != "none" or variation.world_size > variation.tensor:
            return self._peak_of_many(variation)
        here = self.at(variation.batch, variation.length, variation.r, variation.every_n_layers)
        states, step = self.states_bytes(variation, here)
        again = variation.accumulation > 1
        inputs = here.inputs * (variation.accumulation - 1)
        own = variation.optim == self.optim
        most, best, alive, earlier = -1, here.start, 0, 0
        for line in here.lines:
            kind = line.family
            if kind == "sharded" or (kind == "accumulated" and not again) or (kind == "step" and not own):
                continue
            before = here.gradients if kind == "accumulated" else 0
            has = line.states if kind == "step" else states if line.later else 0
            total = line.lasting + line.gradients + before + line.rest + has
            if kind != "load":
                total += inputs
            if total > most:
                most, best, alive, earlier = total, line, has, before
        if not own:
            total = here.start.lasting + here.start.gradients + here.start.rest + step + inputs
            if total > most:
                most, best, alive, earlier = total, here.start, step, 0
        parts = {"optimizer states": alive, "gradients": best.gradients + earlier}
        return Peak(most, best, parts)

    def _host_bytes(self, variation: Variation) -> tuple[int, int]:
        if not (variation.offloads or variation.quantizes_on_host):
            return 0, 0
        basis = self.cast or self
        here = basis.at(variation.batch, variation.own_length, variation.r, variation.every_n_layers)
        states, _ = basis.states_bytes(variation, here)
        return host_bytes(here, variation, self.kept, states=states)

    def _activations_bytes(self, variation: Variation) -> int:
        """Return what one card's process keeps of activations on the host, in blocks that are powers of two.

        Every layer saves its input; embedding and final norm save four more of that size between them.
        """
        sharded = variation.sharding in FSDP or variation.sharding in ZERO
        basis = self.cast if sharded and self.cast is not None else self
        each = basis.offloaded_token_bytes * variation.batch * variation.own_length
        return (self.layers + 4) * (1 << (each - 1).bit_length()) if each else 0

    def _peak_of_many(self, variation: Variation) -> Peak:
        """Return the same for one card of many."""
        whole = variation.sharding not in FSDP and variation.sharding not in ZERO
        basis = self if whole or self.cast is None else self.cast
        here = basis.at(variation.batch, variation.own_length, variation.r, variation.every_n_layers)
        states, step = basis.states_bytes(variation, here)
        rounds = self.layers // self.round_layers
        found = peaks(here, variation, self.kept, states=states, step=step, rounds=rounds)
        return max(found, key=itemgetter(0))


def _parts(line: Line, extra: Mapping[str, int], allocated: int) -> dict[str, int]:
    """Return the bytes of *line* by category, what is left of *allocated* added to the temporaries."""
    parts = dict(line.parts) | dict(extra)
    parts["temporaries"] = parts.get("temporaries", 0) + allocated - sum(parts.values())
    return {category: count for category, count in parts.items() if count}
