"""Reasons: sentences about recipes in two languages, each with its numbers as values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tunesmith.search.plan import Reason
from tunesmith.throughput import Interval
from tunesmith.units import gib

OPTIMIZERS: Final = {
    "adamw_torch_fused": ("AdamW", "AdamW"),
    "adamw_8bit": ("8-bit AdamW", "8 位 AdamW"),
    "paged_adamw_8bit": ("paged 8-bit AdamW", "分页 8 位 AdamW"),
    "adafactor": ("Adafactor", "Adafactor"),
    "lion_8bit": ("8-bit Lion", "8 位 Lion"),
}
"""What optimizers are called in sentences."""

SHARDINGS: Final = {
    "none": ("one card", "单卡"),
    "ddp": ("a copy on every card (DDP)", "每卡一份（DDP）"),
    "zero1": ("ZeRO-1", "ZeRO-1"),
    "zero2": ("ZeRO-2", "ZeRO-2"),
    "zero3": ("ZeRO-3", "ZeRO-3"),
    "fsdp": ("FSDP", "FSDP"),
    "fsdp_grad_op": ("FSDP that keeps parameters gathered", "保持参数收集状态的 FSDP"),
    "fsdp_hybrid": ("FSDP inside each node", "节点内 FSDP"),
}
"""What shardings are called in sentences."""


def best(goal: str, count: int, tokens_per_second: Interval) -> Reason:
    """Return why the first plan is the first."""
    low, high = (f"{figure:,.0f}" for figure in tokens_per_second)
    first, first_zh = {
        "fastest": ("none is known to be faster", "没有已知更快的"),
        "cheapest": ("none is known to be cheaper", "没有已知更便宜的"),
        "quality": ("none is closer to full fine-tuning in 32 bits", "没有更接近 32 位全量微调的"),
    }[goal]
    return Reason(
        code=goal,
        text=f"Of {count:,} recipes that fit {first}: {low} to {high} tokens a second.",
        text_zh=f"放得下的 {count:,} 个配方中{first_zh}：每秒 {low} 到 {high} 个词元。",
        values={"recipes": count, "tokens_per_second": list(tokens_per_second)},
    )


def fits(peak_bytes: int, margin_bytes: int, gpu: str) -> Reason:
    """Return that a trace confirmed the recipe, and what is left of the card."""
    return Reason(
        code="fits",
        text=f"Traced: it needs {gib(peak_bytes, 1)} of a {gpu} and leaves {gib(margin_bytes, 1)}.",
        text_zh=f"已逐步核实：在 {gpu} 上需要 {gib(peak_bytes, 1)}，剩余 {gib(margin_bytes, 1)}。",
        values={"peak_bytes": peak_bytes, "margin_bytes": margin_bytes},
    )


def change(what: tuple[str, str], needed: int, available: int, slower: float | None = None) -> Reason:
    """Return what one other choice would need, and whether that fits.

    *slower* is the step time with the change over that without it.
    """
    over = needed - available
    time, time_zh = _time(slower)
    if over > 0:
        text = f"{what[0]} would need {gib(needed, 1)}, {gib(over, 1)} more than there is."
        text_zh = f"{what[1]}需要 {gib(needed, 1)}，超出 {gib(over, 1)}。"
    else:
        text = f"{what[0]} would need {gib(needed, 1)} and fit{time}."
        text_zh = f"{what[1]}需要 {gib(needed, 1)}，放得下{time_zh}。"
    values = {"needed_bytes": needed, "over_bytes": max(0, over), "fits": over <= 0, "slower": slower}
    return Reason(code="one_change", text=text, text_zh=text_zh, values=values)


def too_large(
    what: tuple[str, str], needed: int, steps: Sequence[tuple[tuple[str, str], int]], available: int
) -> Reason:
    """Return why a truer method is not the plan: what it needs, and what each change would bring that to."""
    text = f"{_capital(what[0])} needs {gib(needed, 1)} of {gib(available, 1)}"
    text_zh = f"{what[1]}需要 {gib(needed, 1)}，而显存为 {gib(available, 1)}"
    for name, bytes_then in steps:
        over = bytes_then - available
        verdict = f"still {gib(over, 1)} over" if over > 0 else "which fits"
        verdict_zh = f"仍超出 {gib(over, 1)}" if over > 0 else "放得下"
        text += f"; {name[0]} would bring it to {gib(bytes_then, 1)}, {verdict}"
        text_zh += f"；{name[1]}可降到 {gib(bytes_then, 1)}，{verdict_zh}"
    values = {
        "needed_bytes": needed,
        "available_bytes": available,
        "changes": [{"change": name[0], "needed_bytes": bytes_then} for name, bytes_then in steps],
    }
    return Reason(code="too_large", text=text + ".", text_zh=text_zh + "。", values=values)


def slower(what: tuple[str, str], times: float, fidelity: int, than: int) -> Reason:
    """Return that a truer recipe fits too, at the price of time."""
    text = f"{_capital(what[0])} fits too and learns more closely, but takes {times:.1f} times as long."
    return Reason(
        code="slower",
        text=text,
        text_zh=f"{what[1]}也放得下，更接近全量微调，但耗时是 {times:.1f} 倍。",
        values={"times": times, "fidelity": fidelity, "than": than},
    )


def host_too_small(what: tuple[str, str], needed: int, there: int) -> Reason:
    """Return that a recipe fits the cards and not the memory of the host it is offloaded to."""
    return Reason(
        code="host_too_small",
        text=f"{_capital(what[0])} needs {gib(needed, 0)} of a host's memory; {gib(there, 0)} are usual.",
        text_zh=f"{what[1]}需要节点内存 {gib(needed, 0)}，而常见的为 {gib(there, 0)}。",
        values={"needed_bytes": needed, "available_bytes": there},
    )


def too_dear(what: tuple[str, str], usd: Interval, budget: float) -> Reason:
    """Return what the fastest recipe costs that fits but is beyond the budget."""
    low, high = f"{usd.low:,.2f}", f"{usd.high:,.2f}"
    return Reason(
        code="too_dear",
        text=f"{_capital(what[0])} fits, but one pass costs ${low} to ${high}; the budget is ${budget:,.2f}.",
        text_zh=f"{what[1]}放得下，但遍历一次要 ${low} 到 ${high}，而预算为 ${budget:,.2f}。",
        values={"usd": list(usd), "budget_usd": budget},
    )


def packed(fill: float, efficiency: float) -> Reason:
    """Return what packing makes of the places of a batch."""
    return Reason(
        code="packed",
        text=f"Packing: {efficiency:.0%} of a batch is tokens; with padding it would be {fill:.0%}.",
        text_zh=f"拼接：每批的 {efficiency:.0%} 为词元；若用填充则为 {fill:.0%}。",
        values={"fill": fill, "efficiency": efficiency},
    )


def more_cards(cards: int, faster: float) -> Reason:
    """Return what twice the cards would do for the time."""
    return Reason(
        code="more_cards",
        text=f"{cards} cards would take a step {faster:.1f} times as fast.",
        text_zh=f"{cards} 张卡时每步快 {faster:.1f} 倍。",
        values={"cards": cards, "faster": faster},
    )


def more_cards_hold(cards: int, what: tuple[str, str]) -> Reason:
    """Return the truer recipe that twice the cards would hold."""
    return Reason(
        code="more_cards_hold",
        text=f"{cards} cards would hold {what[0]}.",
        text_zh=f"{cards} 张卡放得下：{what[1]}。",
        values={"cards": cards},
    )


def _time(slower: float | None) -> tuple[str, str]:
    if slower is None or abs(slower - 1) < 0.01:
        return "", ""
    percent = abs(slower - 1) * 100
    if slower > 1:
        return f", {percent:.0f} % slower", f"，慢 {percent:.0f} %"
    return f", {percent:.0f} % faster", f"，快 {percent:.0f} %"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
