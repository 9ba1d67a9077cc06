"""The answer to a search on a terminal: the plans, why the first, why nothing better, what else would do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tunesmith.recipe import Recipe
from tunesmith.report.assumptions import sentence
from tunesmith.report.naming import cards, differing, in_common, method_name, named, shared
from tunesmith.report.plans.figures import batch, epochs, hours, sequences, span, usd
from tunesmith.report.plans.told import card, grouped, lacking, lengths_lines, question, verdict
from tunesmith.report.terminal import Bar
from tunesmith.report.words import Tell, inert, tell
from tunesmith.search import Hardware, Miss, Plan, Plans, Reason
from tunesmith.units import GIB, gib

_SAID: Final = 2
"""Reasons that are told of a plan that is not the first; the page tells all."""


def answer(plans: Plans, *, lang: str = "en", passes: float = 1.0) -> Group:
    """Return the whole answer as one renderable that reads well in 100 columns; hours are of *passes*."""
    t = tell(lang)
    blocks: list[RenderableType] = [_headline(plans, t)]
    if plans.hardware and plans.gpu is None:
        blocks += ["", *_hardware(plans.hardware, lang, passes)]
    if plans.plans:
        blocks += [
            "",
            _table_of_plans(plans, lang, passes),
            *_said_once([plan.recipe for plan in plans.plans], lang, t),
        ]
        for title, reasons in grouped(plans.plans[0].reasons):
            blocks += [Text(f"\n{t(*title)}", style="bold"), _sentences(reasons, t)]
        blocks += _others(plans.plans, t)
    if plans.nearest_miss is not None:
        blocks += _miss(plans.nearest_miss, lang, t, alone=not plans.plans)
    if plans.hardware and plans.gpu is not None:
        blocks += ["", *_hardware(plans.hardware, lang, passes)]
    return Group(*blocks, *_assumptions(plans, lang))


def _headline(plans: Plans, t: Tell) -> Text:
    text = Text(question(plans, t), style="bold")
    style = "bold green" if plans.plans else "bold red"
    first, _, rest = verdict(plans, t).partition(t(": ", "："))
    text.append("\n").append(first, style=style).append(
        t(": ", "：") + rest if rest else "", style="not bold"
    )
    for line in lengths_lines(plans.lengths):
        text.append(f"\n{t(*line)}", style="not bold dim")
    return text


def _table(*titles: str, right: Sequence[int] = (), fixed: Sequence[int] = ()) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False, header_style="bold")
    for index, title in enumerate(titles):
        justify = "right" if index in right else "left"
        table.add_column(title, justify=justify, no_wrap=index in right or index in fixed, overflow="fold")  # type: ignore[arg-type]
    return table


def _table_of_plans(plans: Plans, lang: str, passes: float) -> Table:
    """Return two lines for each plan: the choice and its figures, then what differs and what is left."""
    t = tell(lang)
    table = _table(
        "",
        t("method, and what differs", "方法与不同之处"),
        t("batch", "批次"),
        t("peak of the card", "峰值与显存"),
        t("step, tokens/s", "每步，词元/秒"),
        epochs(passes, t),
        right=(0, 4, 5),
        fixed=(2, 3),
    )
    same = shared([plan.recipe for plan in plans.plans])
    gpu = card(plans)
    memory = 0 if gpu is None else gpu.memory_bytes
    for rank, plan in enumerate(plans.plans, 1):
        table.add_row(*_row(rank, plan, same, memory, lang, passes), style="" if rank > 1 else "bold")
    return table


def _row(
    rank: int, plan: Plan, same: frozenset[str], memory: int, lang: str, passes: float
) -> Iterator[RenderableType]:
    """Yield the cells of one plan."""
    t, recipe = tell(lang), plan.recipe
    memory = memory or plan.peak.process_bytes + plan.margin_bytes
    rest = differing(recipe, same, lang)
    hosted = t(f"{gib(plan.host_bytes)} of host memory a node", f"每节点主机内存 {gib(plan.host_bytes)}")
    what = [t(*method_name(recipe)), *filter(None, (rest, hosted if plan.host_bytes else ""))]
    each = f"= {sequences(recipe)} × {recipe.sequence_length:,}"
    spare = t(f"{gib(plan.margin_bytes)} to spare", f"余 {gib(plan.margin_bytes)}")
    yield Text(str(rank))
    yield Text.assemble(what[0], *(("\n" + line, "not bold dim") for line in what[1:]))
    yield Text.assemble(batch(recipe), ("\n" + each, "not bold dim"))
    bar = Table.grid(padding=(0, 1))
    bar.add_row(
        Text(f"{plan.peak.process_bytes / GIB:,.2f}"), Bar(plan.peak.process_bytes / memory, cells=10)
    )
    yield Group(bar, Text(spare, style="not bold dim"))
    yield Text.assemble(f"{span(plan.step_seconds)} s", ("\n" + span(plan.tokens_per_second), "not bold"))
    yield Text.assemble(hours(plan.hours, t, passes), ("\n" + usd(plan.usd, t, passes), "not bold"))


def _said_once(recipes: Sequence[Recipe], lang: str, t: Tell) -> Iterator[RenderableType]:
    """Yield what all *recipes* have in common; of one, what else it is."""
    text = in_common(recipes[0], shared(recipes), lang)
    if text:
        title = t("In each", "共同") if len(recipes) > 1 else t("Also", "此外")
        yield Text(f"\n{title}{t(': ', '：')}{text}", style="dim")


def _sentences(reasons: Sequence[Reason], t: Tell) -> Table:
    """Return the reasons, one a line, those that run over set in below their beginning."""
    table = Table.grid(padding=(0, 1))
    for reason in reasons:
        table.add_row(Text("·"), Text(inert(t(reason.text, reason.text_zh), 600)))
    return table


def _others(plans: Sequence[Plan], t: Tell) -> Iterator[RenderableType]:
    """Yield what is said of the other plans and neither of the first nor by the table."""
    told = {reason.text for reason in plans[0].reasons}
    table = Table.grid(padding=(0, 1))
    for rank, plan in enumerate(plans[1:], 2):
        own = [each for each in plan.reasons if each.text not in told and each.code != "fits"]
        if own:
            sentences = (inert(t(each.text, each.text_zh), 600) for each in own[:_SAID])
            table.add_row(Text(f"{rank}"), Text(t(" ", "").join(sentences)))
    if table.row_count:
        yield Text(t("\nAnd the others", "\n其他方案"), style="bold")
        yield table


def _miss(miss: Miss, lang: str, t: Tell, *, alone: bool) -> Iterator[RenderableType]:
    title = t("The nearest miss", "最接近的方案") if alone else t("What does not fit", "放不下的")
    line = Text.assemble((f"\n{title}", "bold"), t(": ", "："), named(miss.recipe, lang))
    need, lack = lacking(miss, t)
    line.append(f"\n{need}").append(lack, style="red")
    yield line
    yield _sentences(miss.reasons, t)


def _hardware(hardware: Sequence[Hardware], lang: str, passes: float) -> Iterator[RenderableType]:
    t = tell(lang)
    recipes = [each.recipe for each in hardware]
    same = shared(recipes) if len(recipes) > 1 else frozenset()
    table = _table(
        t("hardware that holds it", "放得下的硬件"),
        t("recipe", "配方"),
        t("GiB a card", "每卡 GiB"),
        epochs(passes, t),
        t("cost", "费用"),
        right=(2, 3, 4),
    )
    for each in hardware:
        table.add_row(
            inert(cards(each.gpu, each.gpus, each.nodes, t)),
            Text(named(each.recipe, lang, same), style="dim"),
            f"{each.peak_bytes / GIB:,.2f}",
            hours(each.hours, t, passes),
            usd(each.usd, t, passes),
        )
    yield table
    yield from _said_once(recipes, lang, t)


def _assumptions(plans: Plans, lang: str) -> Iterator[RenderableType]:
    if plans.assumptions:
        table = Table.grid(padding=(0, 1))
        for line in plans.assumptions:
            table.add_row(Text("·", style="dim"), Text(inert(sentence(line, lang), 600), style="dim"))
        yield ""
        yield table
