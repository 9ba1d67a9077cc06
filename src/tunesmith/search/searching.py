"""search: weigh the space by outlines, confirm the best by traces, and say why."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from tunesmith.errors import UnsupportedError
from tunesmith.hardware import Cluster, gpu
from tunesmith.memory.estimate import Estimate
from tunesmith.search import explaining, reasons, space
from tunesmith.search.backwards import hardware_for
from tunesmith.search.plan import Hardware, Miss, Plan, Plans, Point, Reason
from tunesmith.search.scales import Engine, Scales
from tunesmith.search.sharing import tensors
from tunesmith.search.weighing import Weighed, fitting, front, ranked
from tunesmith.search.wish import Wish
from tunesmith.throughput import run_assumptions

SPARE: Final = 0.02
"""Share of a card that plans leave over where they can, for fragments and what else runs on it."""
MOST_TRACES: Final = 12
"""Recipes that are traced before the search stops looking for more that fit."""
WORTH_TELLING: Final = 1.1
"""How much faster more cards have to be to be spoken of."""
MOST_POINTS: Final = 400
"""Points of the front that an answer holds."""


def search(wish: Wish, engine: Engine, *, top: int = 5) -> Plans:
    """Return the best recipes for *wish*: at most *top*, each confirmed by a trace, the best first.

    Where nothing fits, ``plans`` is empty and ``nearest_miss`` says what would. Without a cluster the answer
    is ``hardware``, cards that hold the run, and the plans are those of the first.
    """
    started = time.perf_counter()
    if wish.cluster is None:
        return _backwards(wish, engine, top=top, started=started)
    scales = Scales(wish=wish, cluster=wish.cluster, engine=engine)
    weighed, confirmed = _found(scales, top=top)
    count = len(fitting(weighed, scales.available_bytes))
    plans = tuple(
        _plan(each, answer, scales, reasons_of=_reasons(each, answer, scales, count, first=index == 0))
        for index, (each, answer) in enumerate(confirmed)
    )
    miss, whys = _miss(confirmed, weighed, scales)
    if plans:
        more = [*whys, *_more_cards(confirmed[0][0], weighed, scales)]
        plans = (replace(plans[0], reasons=(*plans[0].reasons, *more)), *plans[1:])
    return Plans(
        model=wish.model,
        gpu=wish.cluster.gpu.name,
        gpus=wish.cluster.gpus,
        nodes=wish.cluster.nodes,
        goal=wish.goal,
        plans=plans,
        front=tuple(_points(weighed, scales)),
        nearest_miss=miss,
        hardware=_elsewhere(scales, count, top=top) if not plans else (),
        searched=len(weighed),
        seconds=time.perf_counter() - started,
        lengths=wish.lengths,
        assumptions=tuple(_assumptions(wish, scales, confirmed)),
    )


def _backwards(wish: Wish, engine: Engine, *, top: int, started: float) -> Plans:
    """Return cards that hold the run, and the plans on the first of them."""
    found = hardware_for(wish, engine, outlines={}, top=max(top, 8))
    if found:
        first = found[0]
        cluster = Cluster(gpu=gpu(first.gpu), gpus=first.gpus, nodes=first.nodes)
        on_first = search(replace(wish, cluster=cluster), engine, top=top)
        return replace(on_first, gpu=None, hardware=found, seconds=time.perf_counter() - started)
    return Plans(
        model=wish.model,
        gpu=None,
        gpus=1,
        nodes=1,
        goal=wish.goal,
        plans=(),
        front=(),
        nearest_miss=None,
        hardware=(),
        searched=0,
        seconds=time.perf_counter() - started,
        lengths=wish.lengths,
        assumptions=(),
    )


# -- confirming -----------------------------------------------------------------------------------------

Confirmed = list[tuple[Weighed, Estimate]]


def _found(scales: Scales, *, top: int) -> tuple[list[Weighed], Confirmed]:
    """Return every recipe, weighed, and those that a trace found to fit, the best first.

    Offload is slow: it is tried where full fine-tuning or quality is asked for, and where nothing else fits.
    Layers that cards split are tried last: what they send inside a layer hides behind nothing.
    Raises UnsupportedError where no recipe can be outlined at all.
    """
    wish = scales.wish
    asked = wish.goal == "quality" or wish.method in ("full", "freeze")
    ways = [(True, False)] if asked else [(False, False), (True, False)]
    if any(tensors(wish, scales.cluster)):
        ways.append((True, True))
    for offload, split in ways:
        weighed = scales.weigh_all(offload=offload, split=split)
        scales.engine.tell(
            f"Tracing the best of {len(weighed):,}", f"正在核实 {len(weighed):,} 个配方中最好的"
        )
        confirmed = _confirmed(weighed, scales, top=top)
        if confirmed or any(not scales.affordable(each) for each in weighed):
            break
    if scales.left_out and not scales.outlines:
        raise UnsupportedError(f"no recipe can be weighed. {next(iter(scales.left_out.values()))}")
    return weighed, confirmed


def _elsewhere(scales: Scales, count: int, *, top: int) -> tuple[Hardware, ...]:
    """Return cards that would hold the run, the cheapest first, unless it is the money that is missing."""
    if count and scales.wish.budget_usd is not None:
        return ()
    wish = replace(scales.wish, goal="cheapest")
    return hardware_for(wish, scales.engine, outlines=scales.outlines, top=top)


def _confirmed(weighed: Sequence[Weighed], scales: Scales, *, top: int) -> Confirmed:
    """Return recipes that a trace found to fit, one of each kind, the best first.

    What a trace finds more than the outline said is expected of the next recipes of the same kind.
    """
    found: Confirmed = []
    for limit in (int(scales.available_bytes * (1 - SPARE)), scales.available_bytes):
        candidates = [each for each in fitting(weighed, limit) if scales.affordable(each)]
        found = _traced(ranked(candidates, scales.wish.goal), limit, scales, top=top)
        if found:
            break
    return found


def _traced(candidates: Sequence[Weighed], limit: int, scales: Scales, *, top: int) -> Confirmed:
    """Return the *candidates*, one of each kind, that a trace found to need at most *limit*."""
    found: dict[object, tuple[Weighed, Estimate]] = {}
    traces = 0
    scales.engine.foresee(
        [scales.recipe(e.family, e.variation) for e in _likely(candidates, limit, scales, top=top)]
    )
    for each in candidates:
        group = _group(each)
        if group in found or each.process_bytes * scales.correction(each) > limit:
            continue
        if scales.lacks_host(each):
            continue
        if len(found) == top or traces == MOST_TRACES:
            break
        traces += 1
        try:
            answer = scales.engine.estimate(scales.recipe(each.family, each.variation))
        except UnsupportedError as error:
            scales.leave_out(each, error)
            continue
        scales.correct(each, answer.peak.process_bytes)
        if answer.fits and answer.peak.process_bytes <= limit:
            found[group] = (each, answer)
    return list(found.values())


def _likely(candidates: Sequence[Weighed], limit: int, scales: Scales, *, top: int) -> list[Weighed]:
    """Return the first of each kind, which are traced if each fits as its outline says."""
    first: dict[object, Weighed] = {}
    for each in candidates:
        if len(first) == top:
            break
        fits = each.process_bytes * scales.correction(each) <= limit
        if _group(each) not in first and fits and not scales.lacks_host(each):
            first[_group(each)] = each
    return list(first.values())


def _group(each: Weighed) -> tuple[str, str]:
    """Return what plans are told apart by: the method, and how cards share it."""
    return each.family.name, _shared(each)


def _shared(each: Weighed) -> str:
    """Return how cards share a recipe, as far as plans of one method are told apart by it."""
    v = each.variation
    if v.offloads or each.family.activations_on_host:
        return "offload"
    if v.tensor > 1:
        return "split"
    return "whole" if v.sharding in ("none", "ddp") else "shards"


def _plan(each: Weighed, answer: Estimate, scales: Scales, *, reasons_of: Sequence[Reason]) -> Plan:
    return Plan(
        recipe=answer.recipe,
        peak=answer.peak,
        margin_bytes=answer.margin_bytes or 0,
        host_bytes=answer.host_bytes,
        step_seconds=each.seconds,
        tokens_per_second=scales.rate(each),
        hours=scales.hours(each),
        usd=scales.usd(each),
        fidelity=each.fidelity,
        reasons=tuple(reasons_of),
    )


# -- reasons --------------------------------------------------------------------------------------------


def _reasons(each: Weighed, answer: Estimate, scales: Scales, count: int, *, first: bool) -> list[Reason]:
    found = []
    if first:
        found.append(reasons.best(scales.wish.goal, count, scales.rate(each)))
    found.append(reasons.fits(answer.peak.process_bytes, answer.margin_bytes or 0, scales.cluster.gpu.name))
    if first and each.family.packing:
        fills = [scales.wish.layout(packing).fill for packing in (False, True)]
        found += [reasons.packed(*fills)] if len(scales.wish.layouts) > 1 else []
    return [*found, *explaining.why(each, scales)]


def _miss(
    confirmed: Confirmed, weighed: Sequence[Weighed], scales: Scales
) -> tuple[Miss | None, list[Reason]]:
    """Return the recipe that nearly fits, or the truer method that does not, and why it is no plan."""
    if not confirmed:
        unpaid = [each for each in weighed if not scales.affordable(each)]
        unpaid = fitting(unpaid, scales.available_bytes)
        if unpaid:
            return explaining.too_dear(ranked(unpaid, "fastest")[0], scales), []
        least = explaining.nearest(weighed, scales)
        if least is not None:
            return explaining.missed(least, scales), []
        return explaining.nothing_weighed(scales), []
    better = list(explaining.better_methods(confirmed[0][0], weighed, scales))
    too_large = [each for each, reason in better if reason.code == "too_large"]
    miss = explaining.missed(too_large[-1], scales) if too_large else None
    return miss, [reason for _, reason in better]


def _more_cards(best: Weighed, weighed: Sequence[Weighed], scales: Scales) -> Iterator[Reason]:
    """Yield what twice the cards would buy: time, and truer methods that these cards do not hold."""
    held = {each.family.name for each in fitting(weighed, scales.available_bytes)}
    cluster = scales.cluster
    doubled = Cluster(gpu=cluster.gpu, gpus=2 * cluster.gpus, nodes=cluster.nodes)
    if cluster.gpus >= 8:
        doubled = Cluster(gpu=cluster.gpu, gpus=cluster.gpus, nodes=2 * cluster.nodes)
    packing = best.family.packing
    batch = space.step_batch(scales.wish, cluster, packing=packing)
    if batch % doubled.cards:
        return
    wish = replace(scales.wish, cluster=doubled, global_batch=batch)
    wider = Scales(wish=wish, cluster=doubled, engine=scales.engine, outlines=scales.outlines)
    that_fit = fitting(
        wider.weigh_all(coarse=True, offload=False, outlined_only=True),
        int(wider.available_bytes * (1 - SPARE)),
    )
    that_fit = [each for each in that_fit if each.family.packing is packing]
    same = [each for each in that_fit if each.family.name == best.family.name]
    truer = [
        each for each in that_fit if each.family.order < best.family.order and each.family.name not in held
    ]
    if same:
        faster = sum(best.seconds) / min(sum(each.seconds) for each in same)
        if faster > WORTH_TELLING:
            yield reasons.more_cards(doubled.cards, faster)
    if truer:
        truest = min(truer, key=lambda each: (each.family.order, each.middle_seconds))
        yield reasons.more_cards_hold(doubled.cards, explaining.described(truest))


def _points(weighed: Sequence[Weighed], scales: Scales) -> Iterator[Point]:
    for each in list(front(weighed))[:MOST_POINTS]:
        yield Point(
            recipe=scales.recipe(each.family, each.variation),
            process_bytes=each.process_bytes,
            step_seconds=each.seconds,
            tokens_per_second=scales.rate(each),
            fidelity=each.fidelity,
            fits=each.process_bytes <= scales.available_bytes,
        )


def _assumptions(wish: Wish, scales: Scales, confirmed: Sequence[tuple[Weighed, Estimate]]) -> Iterator[str]:
    if not wish.lengths:
        yield (
            f"No data was given: every sequence has {wish.sequence_length} tokens, and one pass over the "
            f"data has {wish.tokens:,}."
        )
    best = confirmed[0][0].family if confirmed else None
    if wish.global_batch is None:
        packing = best.packing if best is not None else wish.layouts[0].packing
        batch = space.step_batch(wish, scales.cluster, packing=packing)
        yield f"An optimizer step takes {batch} sequences over all cards."
    yield from dict.fromkeys(f"Left out: {family.told}. {why}" for family, why in scales.left_out.items())
    if space.trainer(wish) == "trainer" and "trainer" not in wish.fixed:
        yield "The trainer is transformers' own: TRL's trains models that predict the next token."
    if any(each.family.attention == space.FLASH for each, _ in confirmed):
        yield "flash_attention_2 needs the package flash-attn, which has to be installed for it."
    yield from run_assumptions(scales.cluster, scales.engine.prices)
    if confirmed:
        yield from confirmed[0][1].assumptions
