"""The sentences over a drawing: what was run, and whether it fits."""

from __future__ import annotations

from tunesmith.memory.estimate import Estimate
from tunesmith.report.naming import choices
from tunesmith.report.words import Tell, inert
from tunesmith.units import gib, parameters, readable


def run_line(estimate: Estimate, t: Tell) -> str:
    """Return what was run in one line, e.g. ``qlora · 1 × 2048 tokens · adamw_torch``."""
    recipe = estimate.recipe
    tokens = f"{recipe.per_device_train_batch_size} × {recipe.sequence_length} {t('tokens', '个词元')}"
    if recipe.gradient_accumulation_steps > 1:
        tokens += f" × {recipe.gradient_accumulation_steps} {t('micro-batches', '个微批')}"
    trained = parameters(estimate.trainable_parameters)
    pieces = [
        recipe.method,
        tokens,
        inert(recipe.optim),
        t(
            f"{trained} of {parameters(estimate.parameters)} parameters trained",
            f"训练 {trained} 参数（模型 {parameters(estimate.parameters)}）",
        ),
    ]
    pieces += [
        t(*text) for topic, text in choices(recipe).items() if topic in ("sharding", "offload") and text[0]
    ]
    if recipe.gradient_checkpointing:
        pieces.append(t("gradient checkpointing", "梯度检查点"))
    return " · ".join(pieces)


def verdict(estimate: Estimate, t: Tell) -> str:
    """Return whether the run fits on its card and by how much; without a card, only what it needs."""
    need = readable(estimate.peak.process_bytes)
    if estimate.gpu is None or estimate.margin_bytes is None:
        return t(f"Needs {need}; no card is named", f"需要 {need}；未指定显卡")
    card, margin = card_name(estimate), readable(abs(estimate.margin_bytes))
    if estimate.fits:
        return t(
            f"Fits on {card}: needs {need}, {margin} to spare", f"{card} 放得下：需要 {need}，余 {margin}"
        )
    return t(
        f"Does not fit on {card}: needs {need}, {margin} too much",
        f"{card} 放不下：需要 {need}，超出 {margin}",
    )


def card_name(estimate: Estimate) -> str:
    """Return the card and what PyTorch sees of it, e.g. ``A100-80GB (79.25 GiB)``; of several, of each."""
    assert estimate.gpu is not None
    name, hardware = estimate.gpu.name, estimate.recipe.hardware
    if hardware.world_size > 1:
        name = (
            f"{hardware.nodes} × {hardware.gpus} × {name}"
            if hardware.nodes > 1
            else f"{hardware.gpus} × {name}"
        )
    return f"{name} ({gib(estimate.gpu.memory_bytes)})"
