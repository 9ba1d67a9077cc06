"""Scales: what every recipe of the space weighs on one cluster, by the outlines of its families."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from tunesmith.architecture.catalogue import known_parameters
from tunesmith.errors import UnsupportedError
from tunesmith.hardware import Cluster
from tunesmith.hardware.hosts import host_bytes_per_card
from tunesmith.hardware.prices import Price
from tunesmith.memory.estimate import Estimate
from tunesmith.memory.outline import Outline, Variation
from tunesmith.memory.work import Work, between
from tunesmith.recipe import Recipe
from tunesmith.search import space
from tunesmith.search.fidelity import fidelity
from tunesmith.search.space import Family
from tunesmith.search.weighing import Weighed
from tunesmith.search.wish import Wish
from tunesmith.throughput import (
    Interval,
    Ring,
    around,
    run_hours,
    run_usd,
    shared_work,
    step_seconds,
    tokens_per_second,
)

WEIGHT_BYTES: Final = {"full, 32-bit weights": 4.0, "qlora, 8 bits": 1.0, "qlora": 0.5}
"""Bytes of a weight as it rests on the card; 2 in other families."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What a search asks of the memory engine: outlines for the space, traces for the winners."""

    outline: Callable[[Recipe, Sequence[str]], Outline]
    """The outline of a recipe's family that knows these optimizers; UnsupportedError where there is none."""
    estimate: Callable[[Recipe], Estimate]
    """What a recipe needs, exactly."""
    prices: Mapping[str, Sequence[Price]]
    """Prices by card."""
    ahead: Callable[[Sequence[tuple[Recipe, tuple[str, ...]]]], None] = lambda _wanted: None
    """Hears which outlines will be asked for, in order, and may begin with them."""
    foresee: Callable[[Sequence[Recipe]], None] = lambda _recipes: None
    """Hears which recipes are likely to be estimated next, in order, and may begin with them."""
    tell: Callable[[str, str], None] = lambda _en, _zh: None
    """Hears what is being done, in English and Chinese."""


@dataclass(kw_only=True)
class Scales:
    """Weighs recipes of one wish on one cluster; outlines are made when first needed, and kept."""

    wish: Wish
    """What is asked for."""
    cluster: Cluster
    """The cards."""
    engine: Engine
    """The memory engine."""
    outlines: dict[Family, Outline] = field(default_factory=dict)
    """Outlines by family; shared between clusters of cards that run the same kernels."""
    left_out: dict[Family, str] = field(default_factory=dict)
    """Families without an outline, and why."""
    for_several: bool = False
    """Whether outlines that are made for one card are to serve several, too."""
    _corrections: dict[tuple[object, ...], float] = field(default_factory=dict)
    _recipes: dict[tuple[Family, Variation], Recipe] = field(default_factory=dict)
    _seconds: dict[tuple[object, ...], Interval] = field(default_factory=dict)
    _fidelities: dict[tuple[object, ...], int] = field(default_factory=dict)
    _refused: set[str] = field(default_factory=set)
    _shares: dict[bool, float] = field(default_factory=dict)

    @property
    def available_bytes(self) -> int:
        """Return what a process may take of one card."""
        return self.cluster.gpu.memory_bytes

    def weigh_all(
        self,
        *,
        coarse: bool = False,
        offload: bool = True,
        outlined_only: bool = False,
        split: bool = False,
    ) -> list[Weighed]:
        """Return every recipe of the space that has an outline, weighed.

        *coarse* leaves fine choices out; without *offload* everything rests on the cards; *outlined_only*
        makes no new outline; *split* adds layers that cards split. Of a family of which nothing can fit the
        plainest recipes are weighed all the same, so that it can be said what they lack.
        """
        found: list[Weighed] = []
        worth: dict[Family, list[Variation]] = {}
        # The cheapest families first: their outlines tell how many parameters there are.
        for family in sorted(self._families(offload, split), key=_by_cost):
            if family.shared in self.outlines or not outlined_only:
                worth[family] = self._worth_weighing(family, coarse=coarse, offload=offload)
        wanted = {family.shared: _optimizers(chosen) for family, chosen in worth.items() if chosen}
        self.engine.ahead([(self._base(family), optimizers) for family, optimizers in wanted.items()])
        for family, chosen in worth.items():
            if chosen and self.outline(family, _optimizers(chosen)) is not None:
                found += [self.weigh(family, each) for each in chosen if self.holds(family, each)]
        return found

    def _families(self, offload: bool, split: bool) -> Iterator[Family]:
        return space.families(self.wish, self.cluster, offload=offload, split=split)

    def _worth_weighing(self, family: Family, *, coarse: bool, offload: bool) -> list[Variation]:
        """Return the variations that may fit; where none may, the plainest of what people ask for."""
        every = list(space.variations(family, self.wish, self.cluster, coarse=coarse, offload=offload))
        may_fit = [each for each in every if self._least_bytes(family, each) <= self.available_bytes]
        if may_fit or coarse or not family.checkpointed or family.name in WEIGHT_BYTES:
            return may_fit
        return [
            each
            for each in every
            if each.batch == 1 and each.every_n_layers == 1 and each.r in (None, space.TRACED_RANK)
        ]

    def least(self) -> tuple[Family, Variation, int] | None:
        """Return the recipe whose weights and gradients are the smallest, and their bytes."""
        return min(
            (
                (family, each, self._least_bytes(family, each))
                for family in space.families(self.wish, self.cluster)
                for each in space.variations(family, self.wish, self.cluster, coarse=True)
            ),
            key=lambda found: found[2],
            default=None,
        )

    def outline(self, family: Family, optimizers: Sequence[str]) -> Outline | None:
        """Return the outline of *family* that knows *optimizers*; None, and why in ``left_out``, if none."""
        asked, family = family, family.shared
        made = self.outlines.get(family)
        known = () if made is None else (made.optim, *made.optimizers)
        if (
            asked in self.left_out
            or family in self.left_out
            or (made is not None and set(optimizers) <= set(known))
        ):
            return made
        self.engine.tell(f"Outlining {family.name}", f"正在勾勒：{family.name_zh}")
        wanted = tuple(dict.fromkeys((*known, *optimizers)))
        try:
            self.outlines[family] = self._joined(family, self.engine.outline(self._base(family), wanted))
        except UnsupportedError as error:
            self.left_out[family] = str(error)
        return self.outlines.get(family)

    def _base(self, family: Family) -> Recipe:
        several = self.for_several or self.cluster.cards > 1
        return family.base(self.wish, self.cluster.gpu, several=several)

    def _joined(self, family: Family, outline: Outline) -> Outline:
        """Return *outline*, of checkpointed layers, with its twin without, so that it can mix both."""
        twin = self.outlines.get(replace(family, checkpointed=False)) if family.checkpointed else None
        return outline if twin is None else outline.with_unchecked(twin)

    def weigh(self, family: Family, variation: Variation) -> Weighed:
        """Return *variation* of *family*, weighed."""
        outline = self.outlines[family.shared]
        return Weighed(
            family=family,
            variation=variation,
            process_bytes=self._process_bytes(outline, variation),
            seconds=self._step(family, outline, variation),
            fidelity=self._fidelity(family, variation),
            steps=self._steps(family.packing),
        )

    def _steps(self, packing: bool) -> float:
        """Return the steps for the data, over those without packing."""
        if packing not in self._shares:
            places = [
                self.wish.padded_tokens(packing=packed)
                / space.step_batch(self.wish, self.cluster, packing=packed)
                for packed in (packing, False)
            ]
            self._shares[packing] = places[0] / places[1]
        return self._shares[packing]

    def correct(self, each: Weighed, traced_bytes: int | None) -> None:
        """Take what a trace found for *each* as a measure of its kind; None: it cannot be traced at all."""
        ratio = float("inf") if traced_bytes is None else max(1.0, traced_bytes / each.process_bytes)
        self._corrections[_kind(each)] = max(ratio, self.correction(each))

    def leave_out(self, each: Weighed, error: UnsupportedError) -> None:
        """Take note that *each* cannot be traced: its kind, or all with its attention where that is why."""
        self.left_out[each.family] = str(error)
        self.correct(each, None)
        if each.family.attention and str(error).startswith("attn_implementation"):
            self._refused.add(each.family.attention)

    def correction(self, each: Weighed) -> float:
        """Return how many times more than its outline says a recipe of this kind was found to need."""
        if each.family.attention in self._refused:
            return float("inf")
        return self._corrections.get(_kind(each), 1.0)

    def corrected_bytes(self, each: Weighed) -> int | None:
        """Return what *each* is expected to need after the traces so far; None if it cannot be traced."""
        ratio = self.correction(each)
        return None if ratio == float("inf") else int(each.process_bytes * ratio)

    def holds(self, family: Family, variation: Variation) -> bool:
        """Return whether there is an outline that can weigh *variation* of *family*."""
        outline = self.outlines.get(family.shared)
        known = outline is not None and variation.optim in (outline.optim, *outline.optimizers)
        mixed = outline is not None and (outline.unchecked is not None or variation.every_n_layers == 1)
        return known and mixed

    def host_bytes(self, each: Weighed) -> tuple[int, int]:
        """Return what *each* needs of the memory of one node's host, and what there is."""
        needed = self.outlines[each.family.shared].needs(each.variation).host_bytes
        return needed, host_bytes_per_card(self.cluster.gpu) * self.cluster.gpus

    def lacks_host(self, each: Weighed) -> bool:
        """Return whether *each* rests on a host whose memory does not suffice."""
        v = each.variation
        if not (v.offloads or v.quantizes_on_host or each.family.activations_on_host):
            return False
        needed, there = self.host_bytes(each)
        return needed > there

    def recipe(self, family: Family, variation: Variation) -> Recipe:
        """Return the recipe that *variation* of *family* stands for on this cluster."""
        key = (family, variation)
        if key not in self._recipes:
            self._recipes[key] = space.recipe(family, self.wish, variation, gpu=self.cluster.gpu.name)
        return self._recipes[key]

    def rate(self, each: Weighed) -> Interval:
        """Return the tokens that all cards train on in a second, padding left out."""
        recipe = self.recipe(each.family, each.variation)
        return tokens_per_second(each.seconds, self.cluster, recipe).times(
            self.wish.layout(each.family.packing).fill
        )

    def hours(self, each: Weighed) -> Interval:
        """Return how long the wished passes over the data take."""
        recipe = self.recipe(each.family, each.variation)
        places = self.wish.padded_tokens(packing=each.family.packing)
        return run_hours(each.seconds, self.cluster, recipe, tokens=places)

    def usd(self, each: Weighed) -> Interval | None:
        """Return what they cost; None where no price of the card is known."""
        return run_usd(self.hours(each), self.cluster, self.engine.prices)

    def affordable(self, each: Weighed) -> bool:
        """Return whether a pass over the data stays within the budget at the middle of its price."""
        if self.wish.budget_usd is None:
            return True
        usd = self.usd(each)
        return usd is None or (usd.low + usd.high) / 2 <= self.wish.budget_usd

    def parameters(self) -> int | None:
        """Return the model's parameters, or None while nobody has counted them."""
        counted = next((each.parameters for each in self.outlines.values()), None)
        return counted or known_parameters(self.wish.architecture)

    def _process_bytes(self, outline: Outline, variation: Variation) -> int:
        """Return what nvidia-smi would show: segments, the CUDA context, and NCCL's buffers."""
        segments, card = outline.reserved_bytes(variation), self.cluster.gpu
        return segments + (card.context_bytes or 0) + card.nccl_bytes(self.cluster.cards)

    def _step(self, family: Family, outline: Outline, variation: Variation) -> Interval:
        v = variation
        places = (v.sharding, v.offload_optimizer, v.offload_parameters)
        key = (family, v.batch, v.accumulation, v.sync_each_batch, v.every_n_layers, v.context, *places)
        if key not in self._seconds:
            recipe = self.recipe(family, v)
            work = shared_work(
                self._round(family, v, self._work(outline, v, attention=self._attention(family))),
                self.cluster,
                recipe,
                weight_bytes=int(outline.parameters * _stored_bytes(recipe)),
                trainable_bytes=outline.trainable_parameters * (4 if v.r is not None else 2),
                trainable_parameters=outline.trainable_parameters,
            )
            self._seconds[key] = step_seconds(work, self.cluster, recipe)
        return self._seconds[key]

    def _round(
        self, family: Family, v: Variation, work: Mapping[str, Sequence[Work]]
    ) -> Mapping[str, Sequence[Work]]:
        """Return *work* as it is where cards split every sequence."""
        if v.context == 1:
            return work
        ring = Ring.of(self.wish.architecture, cards=v.context, tokens=v.batch * v.own_length)
        return around(ring, work, checkpointed=family.checkpointed)

    def _attention(self, family: Family) -> float:
        """Return the work of attention, over that of sequences of one example each: less for real data.

        Where sdpa has a mask, as it has for packed examples, it computes all pairs of tokens.
        """
        masked = family.packing and not family.attention
        return 1.0 if masked else self.wish.layout(family.packing).attention

    @staticmethod
    def _work(outline: Outline, v: Variation, *, attention: float) -> Mapping[str, Sequence[Work]]:
        """Return the work of a step; where only every n-th layer is checkpointed, between both extremes."""
        work = outline.work(v.batch, v.own_length)
        if v.every_n_layers > 1 and outline.unchecked is not None:
            work = between(outline.unchecked.work(v.batch, v.own_length), work, share=1 / v.every_n_layers)
        if attention == 1:
            return work
        return {
            phase: [
                replace(each, flops=int(each.flops * attention)) if each.kind == "attention" else each
                for each in works
            ]
            for phase, works in work.items()
        }

    def _fidelity(self, family: Family, variation: Variation) -> int:
        key = (family, variation.optim, variation.r, variation.sharding)
        if key not in self._fidelities:
            self._fidelities[key] = fidelity(self.recipe(family, variation))
        return self._fidelities[key]

    def _least_bytes(self, family: Family, variation: Variation) -> int:
        """Return what a recipe needs at the very least: its weights, and gradients of what learns."""
        parameters = self.parameters()
        if parameters is None:
            return 0
        weight = WEIGHT_BYTES.get(family.name, 2.0)
        learns = family.keys["method"] == "full"
        sharded = variation.sharding in ("zero3", "fsdp", "fsdp_grad_op", "fsdp_hybrid")
        cards = self.cluster.gpus if variation.sharding == "fsdp_hybrid" else self.cluster.cards
        alone = variation.tensor
        weights = 0.0 if variation.offload_parameters != "none" else weight / (cards if sharded else alone)
        split = cards if sharded or variation.sharding == "zero2" else alone
        gradients = weight / split if learns and variation.offload_optimizer == "none" else 0.0
        return int(parameters * (weights + gradients))


def _stored_bytes(recipe: Recipe) -> float:
    """Return the bytes of a weight as it is sent, scales of quantised ones included."""
    return 2.0 if recipe.quantization is None else 0.14 * recipe.quantization.bits


def _kind(each: Weighed) -> tuple[object, ...]:
    return each.family, each.variation.sharding, each.variation.offload_optimizer, each.variation.context > 1


def _by_cost(family: Family) -> tuple[int, bool]:
    return -family.order, family.checkpointed


def _optimizers(variations: Sequence[Variation]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.optim for each in variations))
