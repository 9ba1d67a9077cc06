"""The sentences over the plans: what was asked, whether something fits, and what is known of the lengths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from tunesmith.hardware import GPUS, Gpu
from tunesmith.report.naming import Texts, cards
from tunesmith.report.words import Tell, inert
from tunesmith.search import Miss, Plans, Reason
from tunesmith.units import gib

_GOALS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "fastest": ("the fastest first", "最快的在前"),
        "cheapest": ("the cheapest first", "最便宜的在前"),
        "quality": ("the truest to full fine-tuning first", "最接近全参数微调的在前"),
    }
)

WHY: Final[Texts] = ("Why the first", "为何选第一个")
_ELSE: Final[Texts] = ("Why nothing else", "为何不选其他")
_MORE: Final[Texts] = ("What more cards would buy", "增加显卡的收益")
_TITLES: Final[Mapping[str, Texts]] = MappingProxyType(
    {
        "one_change": _ELSE,
        "slower": _ELSE,
        "too_large": _ELSE,
        "more_cards": _MORE,
        "more_cards_hold": _MORE,
    }
)
"""Titles of reasons by their codes."""


def question(plans: Plans, t: Tell) -> str:
    """Return what was asked, e.g. ``gpt2 · 1 × RTX 4090 · the fastest first``."""
    name = inert(plans.model, 60) or t("a model given inline", "直接写入的模型")
    card = t("on which card?", "用哪种显卡？")
    if plans.gpu is not None:
        card = cards(inert(plans.gpu), plans.gpus, plans.nodes, t)
    return f"{name} · {card} · {t(*_GOALS.get(plans.goal, (inert(plans.goal),) * 2))}"


def verdict(plans: Plans, t: Tell) -> str:
    """Return whether something fits, and how much was weighed for it."""
    if plans.gpu is None:
        return _held(plans, t)
    weighed = t(f"{plans.searched:,} recipes weighed", f"权衡了 {plans.searched:,} 个配方")
    if not plans.plans and plans.nearest_miss is not None and not plans.nearest_miss.missing_bytes:
        return t(f"Nothing is within the budget: {weighed}.", f"都超出预算：{weighed}。")
    if not plans.plans:
        return t(f"Nothing fits: {weighed}.", f"都放不下：{weighed}。")
    count = len(plans.plans)
    if count == 1:
        return t(
            f"Fits: the best of {weighed}, confirmed by a trace.",
            f"放得下：{weighed}，以下为最佳，经追踪确认。",
        )
    return t(
        f"Fits: the best {count} of {weighed}, each confirmed by a trace.",
        f"放得下：{weighed}，以下 {count} 个最佳，均经追踪确认。",
    )


def _held(plans: Plans, t: Tell) -> str:
    """Return how many kinds of card hold the run, and which of them the plans are for."""
    if not plans.hardware:
        return t("Nothing fits: no card of the catalogue holds it.", "都放不下：目录中的显卡都不够。")
    first, count = plans.hardware[0], len(plans.hardware)
    name = cards(inert(first.gpu), first.gpus, first.nodes, t)
    return t(
        f"Fits: the best {count} kinds of card are below; the plans are for the first, {name}.",
        f"放得下：以下是最佳的 {count} 种显卡；方案针对第一种，{name}。",
    )


def lacking(miss: Miss, t: Tell) -> tuple[str, str]:
    """Return what a miss needs of the card, and what is missing; nothing is where it is left out for more."""
    need, held = gib(miss.needed_bytes), gib(miss.available_bytes)
    if miss.missing_bytes <= 0:
        return t(f"It needs {need} of {held}.", f"{held} 中需要 {need}。"), ""
    return (
        t(f"It needs {need}, the card has {held}; ", f"需要 {need}，显卡有 {held}，"),
        t(f"{gib(miss.missing_bytes)} are missing.", f"还差 {gib(miss.missing_bytes)}。"),
    )


def card(plans: Plans) -> Gpu | None:
    """Return the card that the plans are for, where it is known."""
    name = plans.gpu
    if name is None and plans.hardware:
        name = plans.hardware[0].gpu
    return None if name is None else GPUS.get(name)


def grouped(reasons: Sequence[Reason]) -> list[tuple[Texts, list[Reason]]]:
    """Return *reasons* under titles: why the plan, why nothing else, and what more cards would buy."""
    groups: dict[Texts, list[Reason]] = {}
    for reason in reasons:
        groups.setdefault(_TITLES.get(reason.code, WHY), []).append(reason)
    return list(groups.items())


def lengths_lines(lengths: Mapping[str, Any]) -> list[Texts]:
    """Return what is known of the data's lengths in both languages; nothing where no data was given."""
    tokens, cut = lengths.get("tokens"), lengths.get("truncation")
    if not tokens or not cut:
        return []
    of = {percent: f"{tokens['percentiles'][percent]:,}" for percent in ("50", "95", "100")}
    count, kept = f"{lengths['examples']:,}", f"{cut['sequence_length']:,}"
    error = f" ± {tokens['mean_error']:,.0f}" if tokens["mean_error"] else ""
    mean = f"{tokens['mean']:,.0f}{error}"
    waste, full = f"{lengths['batches']['waste']:.0%}", f"{lengths['packing']['efficiency']:.0%}"
    lost = f"{cut['tokens_share']:.1%}"
    return [
        (
            f"Data: {count} examples; median {of['50']} tokens, mean {mean}, 95 % up to {of['95']}, "
            f"longest {of['100']}",
            f"数据：{count} 条；词元中位数 {of['50']}，平均 {mean}，95 % 不超过 {of['95']}，最长 {of['100']}",
        ),
        (
            f"At {kept} tokens: {cut['examples']:,} are cut, {lost} of all tokens lost; {waste} of a batch "
            f"is padding; packed sequences are {full} full",
            f"在 {kept} 词元处：截断 {cut['examples']:,} 条，丢失 {lost} 的词元；批次中 {waste} 为填充；"
            f"拼接后填满 {full}",
        ),
        *_remarks(lengths),
    ]


def _remarks(lengths: Mapping[str, Any]) -> Iterator[Texts]:
    """Yield what was taken for granted in counting: the chat template, and whether all was measured."""
    for text, text_zh in zip(lengths.get("remarks", ()), lengths.get("remarks_zh", ()), strict=False):
        yield inert(text), inert(text_zh)
