"""Explaining: why a plan is as it is, and why the next better one is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from tunesmith.memory.outline import Variation
from tunesmith.search import reasons, space
from tunesmith.search.plan import Miss, Reason
from tunesmith.search.scales import Scales
from tunesmith.search.space import Family
from tunesmith.search.weighing import Weighed, fitting

_SMALLER: Final = (
    ("adamw_8bit", ("8-bit AdamW", "改用 8 位 AdamW")),
    ("paged_adamw_8bit", ("paged 8-bit AdamW", "改用分页 8 位 AdamW")),
)


def why(chosen: Weighed, scales: Scales) -> Iterator[Reason]:
    """Yield what the neighbours of *chosen* would need: one choice changed at a time."""
    available, own = scales.available_bytes, chosen.middle_seconds
    for what, family, variation in _neighbours(chosen, scales):
        if not scales.holds(family, variation):
            continue
        other = scales.weigh(family, variation)
        needed = scales.corrected_bytes(other)
        if needed is not None:
            yield reasons.change(what, needed, available, other.middle_seconds / own)


def _neighbours(chosen: Weighed, scales: Scales) -> Iterator[tuple[tuple[str, str], Family, Variation]]:
    family, v = chosen.family, chosen.variation
    if family.checkpointed:
        yield ("Without checkpointing it", "不用检查点时"), family.twin, replace(v, every_n_layers=1)
    if family.activations_on_host:
        yield (
            ("With activations on the card it", "激活留在卡上时"),
            replace(family, activations_on_host=False),
            v,
        )
    if v.context == v.tensor == 1:  # cards that split sequences do so by sdpa, unpacked
        yield from _laid_out(chosen, scales)
    if v.accumulation % 2 == 0:
        what = (f"Micro-batch {2 * v.batch}", f"微批 {2 * v.batch}")
        yield what, family, replace(v, batch=2 * v.batch, accumulation=v.accumulation // 2)
    if v.optim != space.FULL_OPTIMIZERS[0]:
        yield (
            ("Fused AdamW in 32 bits", "32 位融合 AdamW"),
            family,
            replace(v, optim=space.FULL_OPTIMIZERS[0]),
        )
    if v.context > 1 and v.accumulation % v.context == 0:
        whole = replace(v, context=1, accumulation=v.accumulation // v.context)
        yield ("Whole sequences on every card", "每卡处理完整序列时"), family, whole
    copied = v.sharding in ("none", "ddp") or v.context * v.tensor > 1 or v.offload_optimizer != "none"
    if not copied and scales.cluster.cards > 1:
        copy = replace(v, sharding="ddp", sync_each_batch=False, quantizes_on_host=False)
        yield ("A copy on every card (DDP)", "每卡一份（DDP）"), family, copy
    if v.r is not None and v.r < space.RANKS[-1]:
        rank = space.RANKS[space.RANKS.index(v.r) + 1]
        yield (f"Rank {rank}", f"秩 {rank}"), family, replace(v, r=rank)


def _laid_out(chosen: Weighed, scales: Scales) -> Iterator[tuple[tuple[str, str], Family, Variation]]:
    """Yield the same recipe with examples in sequences of their own or joined, and with plain attention."""
    family, v, cards = chosen.family, chosen.variation, scales.cluster.cards
    for other in space.families(scales.wish, scales.cluster):
        if (
            replace(other, packing=family.packing, attention=family.attention, outlined=family.outlined)
            != family
        ):
            continue
        if other.packing is not family.packing and scales.holds(other, v):
            words = ("Packed it", "拼接时") if other.packing else ("Without packing it", "不拼接时")
            share = space.step_batch(scales.wish, scales.cluster, packing=other.packing) // cards
            sizes = [size for size in range(1, min(share, space.MOST_MICRO_BATCH) + 1) if share % size == 0]
            each = [
                scales.weigh(other, replace(v, batch=size, accumulation=share // size, context=1))
                for size in sizes
            ]
            best = min(fitting(each, scales.available_bytes) or each[:1], key=lambda one: one.middle_seconds)
            yield words, other, best.variation
        elif family.attention and not other.attention:
            yield (
                ("With sdpa, which has to mask what is outside its window, it", "用 sdpa（需要掩码）时"),
                other,
                v,
            )


def nearest(weighed: Iterable[Weighed], scales: Scales) -> Weighed | None:
    """Return the recipe that needs the least, after what traces found; of those the truest.

    What cannot be traced is left out, and what the host cannot hold comes last.
    """

    def key(each: Weighed) -> tuple[bool, float, int]:
        return scales.lacks_host(each), each.process_bytes * scales.correction(each), -each.fidelity

    traced = (each for each in weighed if scales.corrected_bytes(each) is not None)
    return min(traced, key=key, default=None)


def missed(least: Weighed, scales: Scales) -> Miss:
    """Return *least* as the recipe that comes nearest to fitting."""
    available = scales.available_bytes
    needed = scales.corrected_bytes(least) or least.process_bytes
    why = reasons.too_large(described(least), needed, (), available)
    if scales.lacks_host(least):
        why = reasons.host_too_small(described(least), *scales.host_bytes(least))
    return Miss(
        recipe=scales.recipe(least.family, least.variation),
        needed_bytes=needed,
        available_bytes=available,
        missing_bytes=max(0, needed - available),
        reasons=(why,),
    )


def too_dear(each: Weighed, scales: Scales) -> Miss:
    """Return *each*, which fits and costs more than the budget."""
    usd, budget = scales.usd(each), scales.wish.budget_usd
    assert usd is not None and budget is not None
    return Miss(
        recipe=scales.recipe(each.family, each.variation),
        needed_bytes=each.process_bytes,
        available_bytes=scales.available_bytes,
        missing_bytes=0,
        reasons=(reasons.too_dear(described(each), usd, budget),),
    )


def nothing_weighed(scales: Scales) -> Miss | None:
    """Return the least that any recipe would need, where not even weights and gradients fit."""
    least = scales.least()
    if least is None:
        return None
    family, variation, needed = least
    reason = reasons.too_large(_method_words(family), needed, (), scales.available_bytes)
    return Miss(
        recipe=scales.recipe(family, variation),
        needed_bytes=needed,
        available_bytes=scales.available_bytes,
        missing_bytes=needed - scales.available_bytes,
        reasons=(reason,),
    )


def better_methods(
    chosen: Weighed, weighed: Iterable[Weighed], scales: Scales
) -> Iterator[tuple[Weighed, Reason]]:
    """Yield, for each method whose plan would be truer, its plainest recipe and why it is not the plan."""
    by_name: dict[str, list[Weighed]] = {}
    for each in weighed:
        if each.family.name != chosen.family.name and each.fidelity > chosen.fidelity:
            by_name.setdefault(each.family.name, []).append(each)
    available = scales.available_bytes
    for group in by_name.values():
        that_fit = [each for each in group if (scales.corrected_bytes(each) or available + 1) <= available]
        that_fit.sort(key=lambda each: each.middle_seconds)
        quick = next((each for each in that_fit if not scales.lacks_host(each)), None)
        if quick is not None:
            times = quick.middle_seconds / chosen.middle_seconds
            yield quick, reasons.slower(described(quick), times, quick.fidelity, chosen.fidelity)
            continue
        if that_fit:
            least = min(that_fit, key=lambda each: scales.host_bytes(each)[0])
            yield least, reasons.host_too_small(described(least), *scales.host_bytes(least))
            continue
        first = min([each for each in group if _is_plain(each)] or group, key=lambda each: each.process_bytes)
        least = min(group, key=lambda each: each.process_bytes)
        name = _method_words(first.family)
        yield least, reasons.too_large(name, first.process_bytes, list(_steps(first, group)), available)


def _is_plain(each: Weighed) -> bool:
    """Return whether it is the recipe that people mean: fused AdamW, all layers checkpointed, no offload."""
    v = each.variation
    return (
        each.family.checkpointed
        and v.every_n_layers == 1
        and v.optim == space.FULL_OPTIMIZERS[0]
        and not (v.offloads or each.family.activations_on_host)
        and v.r in (None, space.TRACED_RANK)
    )


def _steps(first: Weighed, group: list[Weighed]) -> Iterator[tuple[tuple[str, str], int]]:
    """Yield what smaller optimizers and offload would bring *first* to, each the least of its kind."""
    wanted = {each: name for each, name in _SMALLER}
    least: dict[str, int] = {}
    for each in group:
        offloaded = each.variation.offload_optimizer != "none" or each.family.activations_on_host
        kind = "offload" if offloaded else each.variation.optim
        least[kind] = min(least.get(kind, each.process_bytes), each.process_bytes)
    before = first.process_bytes
    for kind, name in (*wanted.items(), ("offload", ("offload to the host", "卸载到主机内存"))):
        if kind in least and least[kind] < 0.98 * before:
            before = least[kind]
            yield name, before


def _method_words(family: Family) -> tuple[str, str]:
    words = {
        "full": ("full fine-tuning", "全量微调"),
        "full, 32-bit weights": ("full fine-tuning with 32-bit weights", "32 位权重的全量微调"),
        "lora": ("LoRA", "LoRA"),
        "qlora": ("QLoRA", "QLoRA"),
        "qlora, 8 bits": ("LoRA over 8-bit weights", "8 位权重上的 LoRA"),
    }
    return words.get(family.name, (family.name, family.name_zh))


def described(each: Weighed) -> tuple[str, str]:
    """Return the recipe in a few words, in English and Chinese."""
    v = each.variation
    parts = [_method_words(each.family)]
    if v.r is not None:
        parts.append((f"rank {v.r}", f"秩 {v.r}"))
    parts.append(reasons.OPTIMIZERS[v.optim])
    if v.sharding != "none":
        parts.append(reasons.SHARDINGS[v.sharding])
    if v.context > 1:
        parts.append((f"sequences split over {v.context} cards", f"每个序列由 {v.context} 张卡共同处理"))
    if v.tensor > 1:
        parts.append((f"layers split over {v.tensor} cards", f"每层切到 {v.tensor} 张卡"))
    if v.offload_optimizer != "none":
        parts.append(("offload to the host", "卸载到主机内存"))
    if each.family.activations_on_host:
        parts.append(("activations on the host", "激活在主机内存"))
    if each.family.packing:
        parts.append(("packed", "拼接"))
    return ", ".join(part[0] for part in parts), "，".join(part[1] for part in parts)
