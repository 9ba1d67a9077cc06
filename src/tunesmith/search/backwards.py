"""Backwards: which cards hold a run, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from tunesmith.architecture.catalogue import known_parameters
from tunesmith.errors import RecipeError
from tunesmith.hardware import GPUS, Cluster, Gpu
from tunesmith.memory.outline import Outline
from tunesmith.search import space
from tunesmith.search.plan import Hardware
from tunesmith.search.scales import Engine, Scales
from tunesmith.search.space import Family
from tunesmith.search.weighing import Weighed, fitting
from tunesmith.search.wish import Wish

MOST_FOR_OLD_CARDS: Final = 4_000_000_000
"""Parameters of a model beyond which cards without bfloat16 are not asked about."""
COUNTS: Final = ((1, 1), (2, 1), (4, 1), (8, 1), (8, 2), (8, 4))
"""Cards in a node and nodes that are asked about."""
SPARE: Final = 0.03
"""Share of a card that is left over, for an answer that is not traced on every card."""

_Known = tuple[dict[Family, Outline], dict[Family, str]]


def hardware_for(
    wish: Wish, engine: Engine, *, outlines: Mapping[Family, Outline], top: int
) -> tuple[Hardware, ...]:
    """Return at most *top* clusters that hold *wish*, one of each card, the best for its goal first.

    Every card that is rented at a known price, and those on desks, in the counts that are common.
    """
    by_kernels: dict[object, _Known] = {}
    if wish.cluster is not None:
        by_kernels[_kernels(wish.cluster.gpu)] = (dict(outlines), {})
    found: list[tuple[float, Hardware]] = []
    for card in _cards(known_parameters(wish.architecture)):
        shared = by_kernels.setdefault(_kernels(card), ({}, {}))
        choices = list(_choices(card, wish, engine, shared))
        if choices:
            found.append(min(choices, key=lambda each: each[0]))
    found.sort(key=lambda each: each[0])
    return tuple(hardware for _, hardware in found[:top])


def _choices(card: Gpu, wish: Wish, engine: Engine, known: _Known) -> Iterator[tuple[float, Hardware]]:
    """Yield the clusters of *card* that hold the run, with what they are ranked by."""
    for gpus, nodes in COUNTS:
        cluster = Cluster(gpu=card, gpus=gpus, nodes=nodes)
        asked = replace(wish, cluster=cluster)
        try:
            space.step_batch(asked, cluster, packing=asked.layouts[0].packing)
        except RecipeError:  # the batch cannot be shared by so many cards
            continue
        scales = Scales(
            wish=asked, cluster=cluster, engine=engine, outlines=known[0], left_out=known[1], for_several=True
        )
        that_fit = fitting(
            scales.weigh_all(coarse=True, offload=False), int(scales.available_bytes * (1 - SPARE))
        )
        if not that_fit:
            continue
        truest = min(each.family.order for each in that_fit)
        kept = [each for each in that_fit if wish.goal != "quality" or each.family.order == truest]
        best = min(kept, key=lambda each: each.middle_seconds)
        yield _rank(best, scales), _hardware(best, scales)


def _hardware(best: Weighed, scales: Scales) -> Hardware:
    return Hardware(
        gpu=scales.cluster.gpu.name,
        gpus=scales.cluster.gpus,
        nodes=scales.cluster.nodes,
        recipe=scales.recipe(best.family, best.variation),
        peak_bytes=best.process_bytes,
        hours=scales.hours(best),
        usd=scales.usd(best),
    )


def _rank(best: Weighed, scales: Scales) -> float:
    """Return hours for the fastest, money otherwise; a card without a price comes after those with one."""
    hours, usd = scales.hours(best), scales.usd(best)
    if scales.wish.goal == "fastest":
        return hours.low + hours.high
    return usd.low + usd.high if usd is not None else 1e9 * scales.cluster.cards


def _cards(parameters: int | None) -> Iterator[Gpu]:
    """Yield the CUDA cards that somebody can have today, those before Ampere for small models only."""
    for card in GPUS.values():
        capability = card.compute_capability
        if capability is None or card.informational or capability < (7, 0):
            continue
        if capability >= (8, 0) or (parameters or 0) <= MOST_FOR_OLD_CARDS:
            yield card


def _kernels(card: Gpu) -> object:
    """Return what decides the sizes in a step: the same for all cards of these generations."""
    capability = card.compute_capability or (0, 0)
    return capability >= (8, 0)
