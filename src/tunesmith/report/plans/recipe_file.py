"""The recipe to run: a recipe file whose comments say what the run will need, and how that is known."""

from __future__ import annotations

from collections.abc import Iterator

from tunesmith import __version__
from tunesmith.recipe import Recipe
from tunesmith.report.naming import cards, method_name
from tunesmith.report.plans.figures import epochs, hours, span, usd
from tunesmith.report.words import Tell, inert, tell
from tunesmith.search import Plan, Plans
from tunesmith.units import gib


def recipe_text(plans: Plans, plan: Plan, *, lang: str = "en", passes: float = 1.0) -> str:
    """Return the recipe of *plan* as a file that reads back as the same recipe.

    With other *passes* over the data than one it trains for so many.
    """
    head = "".join(f"# {line}\n" for line in _lines(plans, plan, tell(lang), passes))
    return head + trained(plan.recipe, passes).to_yaml()


def trained(recipe: Recipe, passes: float) -> Recipe:
    """Return *recipe* with so many *passes* over the data; as it is for one, which it need not say."""
    return recipe if passes == 1 else recipe.replace(**{"training.num_train_epochs": passes})


def _lines(plans: Plans, plan: Plan, t: Tell, passes: float) -> Iterator[str]:
    hardware, peak = plan.recipe.hardware, plan.peak
    name = inert(plans.model, 120) or t("a model given inline", "直接写入的模型")
    on = cards(inert(hardware.gpu), hardware.gpus, hardware.nodes, t) if hardware.gpu else ""
    yield " · ".join(filter(None, (name, t(*method_name(plan.recipe)), on)))
    yield t(f"Predicted by tunesmith {__version__}:", f"由 tunesmith {__version__} 预测：")
    yield t(
        f"  peak of a card: {gib(peak.allocated_bytes)} allocated, {gib(peak.reserved_bytes)} reserved, "
        f"{gib(peak.process_bytes)} with the CUDA context",
        f"  每卡峰值：已分配 {gib(peak.allocated_bytes)}，已保留 {gib(peak.reserved_bytes)}，"
        f"含 CUDA 上下文 {gib(peak.process_bytes)}",
    )
    yield t(f"  margin: {gib(plan.margin_bytes)}", f"  余量：{gib(plan.margin_bytes)}")
    if plan.host_bytes:
        yield t(
            f"  host memory of a node: {gib(plan.host_bytes)}", f"  每节点主机内存：{gib(plan.host_bytes)}"
        )
    yield t(
        f"  one step: {span(plan.step_seconds)} s; {span(plan.tokens_per_second)} tokens a second",
        f"  每步：{span(plan.step_seconds)} 秒；每秒 {span(plan.tokens_per_second)} 个词元",
    )
    yield (
        f"  {epochs(passes, t)}{t(': ', '：')}{hours(plan.hours, t, passes)}{t(', ', '，')}"
        f"{usd(plan.usd, t, passes)}"
    )
    yield t("Check it: tunesmith estimate --recipe FILE", "核对：tunesmith estimate --recipe 文件")
