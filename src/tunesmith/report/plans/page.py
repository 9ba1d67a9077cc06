"""The page of a search: the picture, the plans with their parts and reasons, and each recipe to copy.

It reads without script, in the language in which it was written; the script (plans.js) changes the language
and copies recipes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from tunesmith.recipe import Recipe
from tunesmith.report.assumptions import sentence
from tunesmith.report.bilingual import pair, said
from tunesmith.report.document import document, languages, resource
from tunesmith.report.markup import Markup, joined, tag
from tunesmith.report.naming import cards, differing, in_common, method_name, named, shared
from tunesmith.report.palette import METHODS
from tunesmith.report.plans.chart import plans_style, plans_svg
from tunesmith.report.plans.figures import batch, epochs, hours, sequences, span, usd
from tunesmith.report.plans.recipe_file import recipe_text
from tunesmith.report.plans.told import WHY, card, grouped, lacking, lengths_lines, question, verdict
from tunesmith.report.words import LANGUAGES, Tell, inert, tell
from tunesmith.search import Hardware, Miss, Plan, Plans, Reason
from tunesmith.units import gib

_BAR: Final = 150
"""Pixels of a card's memory."""


def plans_page(plans: Plans, *, lang: str = "en", passes: float = 1.0) -> Markup:
    """Return the whole page, in *lang* until the reader changes it; hours and cost are of *passes*."""
    assert lang in LANGUAGES
    drawn = bool(plans.front or plans.plans)
    return document(
        plans.model,
        joined(
            (_header(plans, lang), *(_figure(plans, lang) if drawn else ()), *_sections(plans, lang, passes))
        ),
        script="plans.js",
        data={"lang": lang},
        lang=lang,
        pictures=(plans_style(),) if drawn else (),
        style=resource("plans.css"),
    )


def _both(name: str, lang: str, text: Callable[[Tell], str], **attributes: str) -> Markup:
    """Return an element with *text* in both languages, of which *lang* is shown."""
    return said(name, *pair(lambda each: text(tell(each))), lang, **attributes)


def _header(plans: Plans, lang: str) -> Markup:
    return tag(
        "header",
        tag("div", tag("h1", tag("bdi", inert(plans.model) or "–"))),
        languages(),
        _both("p", lang, lambda t: question(plans, t).partition(" · ")[2], class_="soft"),
        _both("p", lang, lambda t: verdict(plans, t), class_=f"verdict {'calm' if plans.plans else 'alarm'}"),
        *(said("p", *line, lang, class_="soft") for line in lengths_lines(plans.lengths)),
    )


def _figure(plans: Plans, lang: str) -> Iterator[Markup]:
    yield tag("figure", tag("div", plans_svg(plans, lang=lang, titled=False), id="chart"))


def _sections(plans: Plans, lang: str, passes: float) -> Iterator[Markup]:
    if plans.hardware and plans.gpu is None:
        yield _hardware(plans.hardware, lang, passes)
    if plans.plans:
        title = said("h2", "Plans", "方案", lang)
        yield tag(
            "section",
            title,
            _table_of_plans(plans, lang, passes),
            _said_once([plan.recipe for plan in plans.plans], lang),
        )
        told = [_details(plans, rank, lang, passes) for rank in range(1, len(plans.plans) + 1)]
        yield tag("section", said("h2", "Reasons and recipes", "理由与配方", lang), *told)
    if plans.nearest_miss is not None:
        yield _miss(plans.nearest_miss, lang, alone=not plans.plans)
    if plans.hardware and plans.gpu is not None:
        yield _hardware(plans.hardware, lang, passes)
    if plans.assumptions:
        told = [said("li", *pair(partial(_assumption, line)), lang) for line in plans.assumptions]
        yield tag("section", said("h2", "Assumptions", "假设", lang), tag("ul", *told))
    took = f"{plans.seconds:.1f}"
    yield said("p", f"Searched in {took} s", f"搜索用时 {took} 秒", lang, class_="soft hint took")


def _assumption(line: str, lang: str) -> str:
    return inert(sentence(line, lang), 2000)


def _table(head: Sequence[Markup], rows: Sequence[Markup], name: str) -> Markup:
    return tag(
        "div", tag("table", tag("thead", tag("tr", *head)), tag("tbody", *rows), id=name), class_="wide"
    )


def _table_of_plans(plans: Plans, lang: str, passes: float) -> Markup:
    same = shared([plan.recipe for plan in plans.plans])
    figure = {"class_": "figure"}
    head = [
        tag("th"),
        said("th", "method, and what differs", "方法与不同之处", lang),
        said("th", "micro-batch × accumulation × cards", "微批 × 累积 × 卡数", lang),
        said("th", "peak of a card, and what is left", "每卡峰值与余量", lang),
        said("th", "host memory of a node", "每节点主机内存", lang, **figure),
        said("th", "step", "每步", lang, **figure),
        said("th", "tokens a second", "词元/秒", lang, **figure),
        _both("th", lang, lambda t: epochs(passes, t), **figure),
        said("th", "cost", "费用", lang, **figure),
        said("th", "fidelity", "保真度", lang, title="100: full fine-tuning in 32 bits", **figure),
    ]
    rows = [_row(rank, plan, plans, same, lang, passes) for rank, plan in enumerate(plans.plans, 1)]
    return _table(head, rows, "plans")


def _row(rank: int, plan: Plan, plans: Plans, same: frozenset[str], lang: str, passes: float) -> Markup:
    recipe, peak = plan.recipe, plan.peak
    rests = pair(lambda each: differing(recipe, same, each))
    tokens = f"{sequences(recipe)} × {recipe.sequence_length:,}"
    gpu = card(plans)
    memory = peak.process_bytes + plan.margin_bytes if gpu is None else gpu.memory_bytes
    return tag(
        "tr",
        tag("td", str(rank), class_="figure rank"),
        tag(
            "td", said("b", *method_name(recipe), lang), tag("br"), said("span", *rests, lang, class_="soft")
        ),
        tag("td", batch(recipe), tag("br"), tag("span", f"= {tokens}", class_="soft")),
        tag("td", _bar(plan, memory), tag("br"), *_peak(plan, lang)),
        tag("td", gib(plan.host_bytes) if plan.host_bytes else "–", class_="figure"),
        tag("td", f"{span(plan.step_seconds)} s", class_="figure"),
        tag("td", span(plan.tokens_per_second), class_="figure"),
        _both("td", lang, lambda t: hours(plan.hours, t, passes), class_="figure"),
        _both("td", lang, lambda t: usd(plan.usd, t, passes), class_="figure"),
        tag("td", str(plan.fidelity), class_="figure"),
    )


def _peak(plan: Plan, lang: str) -> Iterator[Markup]:
    yield Markup(tag("span", gib(plan.peak.process_bytes), class_="figure"))
    yield _both(
        "span",
        lang,
        lambda t: t(f" · {gib(plan.margin_bytes)} to spare", f" · 余 {gib(plan.margin_bytes)}"),
        class_="soft",
    )


def _bar(plan: Plan, memory: int) -> Markup:
    """Return the card as a bar: what is allocated, what the allocator holds besides, and the context."""
    peak = plan.peak
    color = METHODS[plan.recipe.method]
    pieces, left = [], 0.0
    for count, opacity in (
        (peak.allocated_bytes, 1.0),
        (peak.reserved_bytes - peak.allocated_bytes, 0.55),
        (peak.process_bytes - peak.reserved_bytes, 0.3),
    ):
        wide = min(_BAR * count / memory, _BAR - left)
        pieces.append(tag("rect", x=left, y=0, width=wide, height=9, fill=color, opacity=opacity))
        left += wide
    texts = (peak.allocated_bytes, peak.reserved_bytes, peak.process_bytes)
    told = "{} allocated · {} reserved · {} process".format(*map(gib, texts))
    ground = tag("rect", class_="ground", x=0, y=0, width=_BAR, height=9)
    return tag("svg", tag("title", told), ground, *pieces, class_="bar", width=_BAR, height=9)


def _said_once(recipes: Sequence[Recipe], lang: str) -> Markup:
    """Return what all *recipes* have in common; of one, what else it is."""
    same = shared(recipes)
    texts = pair(lambda each: in_common(recipes[0], same, each))
    if not texts[0]:
        return Markup("")
    titles = ("In each", "共同") if len(recipes) > 1 else ("Also", "此外")
    return said("p", f"{titles[0]}: {texts[0]}", f"{titles[1]}：{texts[1]}", lang, class_="soft")


def _details(plans: Plans, rank: int, lang: str, passes: float) -> Markup:
    """Return a plan's reasons and its recipe; those of the first are open."""
    plan = plans.plans[rank - 1]
    texts = pair(lambda each: recipe_text(plans, plan, lang=each, passes=passes))
    copied = {"type": "button", "data_copy": str(rank), "hidden": "hidden"}
    return tag(
        "details",
        tag("summary", f"{rank} · ", said("span", *pair(partial(named, plan.recipe)), lang)),
        *_grouped(plan.reasons, lang),
        tag("p", said("button", "Copy recipe.yaml", "复制 recipe.yaml", lang, **copied), class_="copy"),
        said("pre", *texts, lang, id=f"recipe{rank}"),
        open="open" if rank == 1 else None,
    )


def _grouped(reasons: Sequence[Reason], lang: str) -> Iterator[Markup]:
    """Yield the reasons under their titles; why a plan is one needs none."""
    for title, members in grouped(reasons):
        if title != WHY:
            yield said("h3", *title, lang)
        yield _reasons(members, lang)


def _reasons(reasons: Sequence[Reason], lang: str) -> Markup:
    lines = [said("li", inert(each.text, 2000), inert(each.text_zh, 2000), lang) for each in reasons]
    return tag("ul", *lines)


def _miss(miss: Miss, lang: str, *, alone: bool) -> Markup:
    titles = ("The nearest miss", "最接近的方案") if alone else ("What does not fit", "放不下的")
    names = pair(partial(named, miss.recipe))
    return tag(
        "section",
        said("h2", *titles, lang),
        tag("p", said("b", *names, lang)),
        _both("p", lang, lambda t: "".join(lacking(miss, t))),
        _reasons(miss.reasons, lang),
    )


def _hardware(hardware: Sequence[Hardware], lang: str, passes: float) -> Markup:
    head = [
        said("th", "cards", "显卡", lang),
        said("th", "recipe", "配方", lang),
        said("th", "peak of a card", "每卡峰值", lang, class_="figure"),
        _both("th", lang, lambda t: epochs(passes, t), class_="figure"),
        said("th", "cost", "费用", lang, class_="figure"),
    ]
    title = said("h2", "Hardware that holds it", "放得下的硬件", lang)
    same = shared([each.recipe for each in hardware]) if len(hardware) > 1 else frozenset()
    table = _table(head, [_cluster(each, same, lang, passes) for each in hardware], "hardware")
    return tag("section", title, table, _said_once([each.recipe for each in hardware], lang))


def _cluster(each: Hardware, same: frozenset[str], lang: str, passes: float) -> Markup:
    return tag(
        "tr",
        _both("td", lang, lambda t: inert(cards(each.gpu, each.gpus, each.nodes, t))),
        said("td", *pair(partial(named, each.recipe, same=same)), lang, class_="soft"),
        tag("td", gib(each.peak_bytes), class_="figure"),
        _both("td", lang, lambda t: hours(each.hours, t, passes), class_="figure"),
        _both("td", lang, lambda t: usd(each.usd, t, passes), class_="figure"),
    )
