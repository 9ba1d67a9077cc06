"""The folk formulas beside the answer: what people would have said of this very run, and why it is off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tunesmith.architecture import Architecture
from tunesmith.folklore import Comparison, Interval, Known, Run, compare
from tunesmith.memory.estimate import Estimate
from tunesmith.report.words import Tell, category_name, tell
from tunesmith.units import GIB, parameters

_OPTIMIZER_BITS: Final = (("8bit", 8), ("bnb", 8))
_PARTS: Final = ("weights", "gradients", "optimizer states", "activations")


def folk_run(estimate: Estimate, architecture: Architecture | None) -> Run:
    """Return the plain numbers of *estimate* that folk formulas ask for."""
    recipe = estimate.recipe
    rank = (recipe.adapter.r or 0) if recipe.adapter is not None else 0
    return Run(
        parameters=estimate.parameters,
        method=recipe.method,  # type: ignore[arg-type]
        batch=recipe.per_device_train_batch_size,
        sequence=recipe.sequence_length,
        hidden=(architecture.hidden_size or 0) if architecture is not None else 0,
        layers=(architecture.num_hidden_layers or 0) if architecture is not None else 0,
        trainable_parameters=estimate.trainable_parameters,
        lora_rank=rank,
        adapted=_adapted(estimate, rank),
        weight_bits=_weight_bits(estimate),
        optimizer_bits=next((bits for name, bits in _OPTIMIZER_BITS if name in recipe.optim), 32),
        accumulation_steps=recipe.gradient_accumulation_steps,
        gradient_checkpointing=recipe.gradient_checkpointing,
        known=Known(allocated_bytes=estimate.peak.allocated_bytes),
    )


def exact_figures(estimate: Estimate) -> Mapping[str, int]:
    """Return the exact figures under the names that folk formulas are set beside."""
    named = {name: estimate.parts[name] for name in _PARTS if name in estimate.parts}
    return {
        **named,
        "allocated_bytes": estimate.peak.allocated_bytes,
        "process_bytes": estimate.peak.process_bytes,
        "trainable_parameters": estimate.trainable_parameters,
    }


def beside(
    estimate: Estimate, architecture: Architecture | None = None, *, lang: str = "en"
) -> RenderableType:
    """Return the folk formulas that speak of this run beside exact figures, then each one's mechanism."""
    t = tell(lang)
    found = compare(folk_run(estimate, architecture), truth_bytes=exact_figures(estimate))
    found = tuple(each for each in found if each.exact is not None)
    title = Text(t("What people would have said", "流传的公式会怎么说"), style="bold underline")
    if not found:
        return Group(title, Text(t("No folk formula speaks of such a run.", "没有公式谈到这样的训练。")))
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    table.add_column(t("formula", "公式"), overflow="fold", ratio=1)
    table.add_column(t("told", "所说"), justify="right", no_wrap=True)
    table.add_column(t("exact", "实际"), justify="right", no_wrap=True)
    table.add_column(t("off by", "偏差"), justify="right", no_wrap=True)
    for each in found:
        name = Text(
            f"  {category_name(each.part, lang)}" if each.part else t(each.folk.title.en, each.folk.title.zh)
        )
        if not each.part:
            name.append(f"\n{each.folk.formula}", style="dim")
        table.add_row(name, _interval(each), _figure(each.exact or 0, each.beside), _off(each, t))
    return Group(title, table, *_mechanisms(found, t))


def _mechanisms(found: tuple[Comparison, ...], t: Tell) -> list[RenderableType]:
    blocks: list[RenderableType] = []
    for each in {comparison.folk.id: comparison.folk for comparison in found}.values():
        blocks.append(
            Text(
                "\n" + t(each.title.en, each.title.zh) + f" ({t(each.teller.en, each.teller.zh)})",
                style="bold",
            )
        )
        said = f"{t(each.discrepancy.en, each.discrepancy.zh)}\n{t(each.mechanism.en, each.mechanism.zh)}"
        blocks.append(Padding(Text(said), (0, 0, 0, 2)))
    return blocks


def _figure(count: int, unit: str) -> str:
    return parameters(count) if unit == "trainable_parameters" else f"{count / GIB:,.2f} GiB"


def _interval(each: Comparison) -> str:
    told: Interval = each.told
    low = _figure(told.low, each.beside)
    if told.high is None:
        return f"≥ {low}"
    return low if told.high == told.low else f"{low.removesuffix(' GiB')} – {_figure(told.high, each.beside)}"


def _off(each: Comparison, t: Tell) -> str:
    share = each.error_share
    if not each.error or share is None:
        return t("right", "相符") if each.told.low == each.told.high else t("inside", "在范围内")
    return f"{100 * share:+,.1f} %"


def _weight_bits(estimate: Estimate) -> int:
    """Return the bits of one stored weight."""
    if estimate.recipe.quantization is not None:
        return estimate.recipe.quantization.bits
    return 32 if estimate.recipe.precision.weights == "float32" else 16


def _adapted(estimate: Estimate, rank: int) -> tuple[tuple[int, int], ...]:
    """Return ``(d_in, d_out)`` of every matrix with LoRA's A and B, as their gradients show them.

    Empty where the gradients do not account for every trainable parameter: then something else learns too.
    """
    if estimate.timeline is None or not rank or not estimate.trainable_parameters:
        return ()
    sizes: dict[tuple[str, str], int] = {}
    for storage in estimate.timeline.storages:
        for side in ("lora_A", "lora_B"):
            path, found, _ = storage.module.partition(f".{side}.")
            if storage.category == "gradients" and found:
                sizes.setdefault((path, side), storage.bytes)
    item, left = divmod(sum(sizes.values()), estimate.trainable_parameters)
    if left or item not in (2, 4):
        return ()
    paths = dict.fromkeys(path for path, _ in sizes)
    widths = (
        tuple(sizes.get((path, side), 0) // (item * rank) for side in ("lora_A", "lora_B")) for path in paths
    )
    return tuple((d_in, d_out) for d_in, d_out in widths)
