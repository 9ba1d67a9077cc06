"""Folk formulas for adapters: how many parameters LoRA trains, and what LoRA and QLoRA need."""

from __future__ import annotations

from typing import Final

from tunesmith.folklore.folk import Figure, Folk, Interval, Parts, Run, Text, Worked, exactly
from tunesmith.units import GB

_GUIDES: Final = Text(en="LoRA and QLoRA guides", zh="LoRA 与 QLoRA 教程")
_LLAMA_7B_QV: Final = ((4096, 4096),) * 64
"""q_proj and v_proj in 32 layers of width 4096."""


def like(run: Run, billions: int) -> bool:
    """Return whether people would call the run's model a *billions*-B: within a fifth of it."""
    return abs(run.parameters - billions * GB) * 5 <= billions * GB


def _lora_count(run: Run) -> Parts | None:
    if run.method not in ("lora", "qlora") or not run.adapted:
        return None
    return {"adapter parameters": exactly(run.lora_rank * sum(d_in + d_out for d_in, d_out in run.adapted))}


def _lora_share(run: Run) -> Parts | None:
    if run.method not in ("lora", "qlora"):
        return None
    high = run.parameters // 1000 if run.lora_rank == 32 else run.parameters // 100
    return {"adapter parameters": Interval(run.parameters // 1000, high)}


def _lora_total(run: Run) -> Parts | None:
    if run.method != "lora" or not like(run, 7):
        return None
    return {"everything": Interval(14 * GB, 20 * GB)}


def _qlora_formula(run: Run) -> Parts | None:
    if run.method != "qlora":
        return None
    return {
        "weights": exactly(run.parameters // 2),
        "adapter weights, gradients and states": exactly(16 * run.trainable_parameters),
        "activations": Interval(0, None),
    }


def _qlora_told(run: Run) -> Parts | None:
    if run.method != "qlora" or not like(run, 7):
        return None
    return {"everything": Interval(12 * GB, 16 * GB)}


_QLORA_MECHANISM: Final = Text(
    en="Each block of 64 weights has a 32-bit constant (0.5 bit a parameter; 0.127 with double "
    "quantisation). The embedding, the norms and the head are not quantised and become fp32 with k-bit "
    "preparation. A dequantised copy of a weight is born in every matrix product, and activations and "
    "logits are those of a 16-bit model.",
    zh="每 64 个权重有一个 32 位常数（每参数 0.5 位；双重量化后 0.127 位）。嵌入、归一化和输出头不量化，"
    "经过 k-bit 准备后变成 fp32。每次矩阵乘都会产生一份反量化的权重，激活与 logits 和 16 位模型一样大。",
)

ADAPTERS: Final = (
    Folk(
        id="lora-count",
        title=Text(en="Trainable parameters of LoRA", zh="LoRA 可训练参数量"),
        formula="r·(d_in + d_out) for each adapted matrix, times layers",
        teller=_GUIDES,
        parts=_lora_count,
        beside="trainable_parameters",
        worked=(
            Worked(
                told="r 8 on q and v of a 7B (4096 × 4096, 32 layers): 4,194,304",
                run=Run(parameters=6_738_415_616, method="lora", lora_rank=8, adapted=_LLAMA_7B_QV),
                figures=(Figure(text="4194304", unit=1),),
            ),
        ),
        discrepancy=Text(
            en="Right where every adapted matrix is a plain linear layer and its true widths are used.",
            zh="只要每个被适配的矩阵都是普通线性层，且用的是真实宽度，就是对的。",
        ),
        mechanism=Text(
            en="With grouped-query attention k and v are narrower than q. DoRA adds a magnitude for every "
            "output, biases and modules_to_save train whole tensors, and embeddings and fused experts count "
            "differently.",
            zh="分组查询注意力中 k、v 比 q 窄。DoRA 每个输出多一个幅值，bias 与 modules_to_save "
            "训练整个张量，嵌入和融合的专家计法不同。",
        ),
    ),
    Folk(
        id="lora-count.share",
        title=Text(en="LoRA's share of the model", zh="LoRA 占模型的比例"),
        formula="0.1 to 1 % of N; elsewhere: 0.1 % at r 32",
        teller=_GUIDES,
        parts=_lora_share,
        beside="trainable_parameters",
        worked=(
            Worked(
                told="0.1 % to 1 %",
                run=Run(parameters=7 * GB, method="lora", lora_rank=8),
                figures=(
                    Figure(text="0.1", unit=70_000_000),
                    Figure(text="1", unit=70_000_000, edge="high"),
                ),
            ),
            Worked(
                told="0.1 % at r 32",
                run=Run(parameters=7 * GB, method="lora", lora_rank=32),
                figures=(Figure(text="0.1", unit=70_000_000, edge="high"),),
            ),
        ),
        discrepancy=Text(
            en="r 32 on q and v alone is 0.25 % of a 7B; on all its linear layers it is 1.2 %.",
            zh="r 32 仅用于 q、v 时已是 7B 的 0.25 %；用于全部线性层时是 1.2 %。",
        ),
        mechanism=Text(
            en="The share is linear in r and in the widths of the adapted matrices, so no share holds for a "
            "rank alone.",
            zh="比例与 r 及被适配矩阵的宽度成正比，所以单凭秩说不出比例。",
        ),
    ),
    Folk(
        id="lora-total",
        title=Text(en="What LoRA needs on a 7B", zh="7B 做 LoRA 要多少"),
        formula='7B LoRA: "20 GB"; elsewhere "14 GB at r 8"',
        teller=_GUIDES,
        parts=_lora_total,
        beside="allocated_bytes",
        worked=(
            Worked(
                told="20 GB; 14 GB at r 8",
                run=Run(parameters=7 * GB, method="lora", lora_rank=8),
                figures=(Figure(text="14", unit=GB), Figure(text="20", unit=GB, edge="high")),
            ),
        ),
        discrepancy=Text(
            en="14 GB is the frozen 16-bit weights and nothing else; neither figure names a batch or a "
            "length.",
            zh="14 GB 只是冻结的 16 位权重，别无他物；两个数都没有说批大小和长度。",
        ),
        mechanism=Text(
            en="Frozen weights have no gradients and no states, but their activations remain, and LoRA's "
            "own inputs and dropout masks come on top. Rank hardly matters; sequence, batch, vocabulary and "
            "checkpointing do.",
            zh="冻结的权重没有梯度和优化器状态，但激活仍在，还要加上 LoRA 自己的输入和 dropout 掩码。"
            "秩几乎没有影响；序列长度、批大小、词表和重计算才有。",
        ),
    ),
    Folk(
        id="qlora-total",
        title=Text(en="What QLoRA needs", zh="QLoRA 要多少"),
        formula="N/2 + 16 bytes · trainable + activations",
        teller=_GUIDES,
        parts=_qlora_formula,
        beside="allocated_bytes",
        worked=(
            Worked(
                told="7B: weights 3.5 GB",
                run=Run(parameters=7 * GB, method="qlora", weight_bits=4),
                figures=(Figure(text="3.5", unit=GB, part="weights"),),
            ),
        ),
        discrepancy=Text(
            en="N/2 takes every parameter as 4 bits, also those that are never quantised.",
            zh="N/2 把所有参数都当成 4 位，包括从不量化的那些。",
        ),
        mechanism=_QLORA_MECHANISM,
    ),
    Folk(
        id="qlora-total.told",
        title=Text(en="What QLoRA needs on a 7B", zh="7B 做 QLoRA 要多少"),
        formula='7B QLoRA: "12 GB" or "16 GB"',
        teller=_GUIDES,
        parts=_qlora_told,
        beside="allocated_bytes",
        worked=(
            Worked(
                told="12 or 16 GB",
                run=Run(parameters=7 * GB, method="qlora", weight_bits=4),
                figures=(Figure(text="12", unit=GB), Figure(text="16", unit=GB, edge="high")),
            ),
        ),
        discrepancy=Text(
            en="From 3.5 GB of weights to 12 or 16 there are 8 to 12 GB that nobody accounts for.",
            zh="从 3.5 GB 权重到 12 或 16 GB，有 8 到 12 GB 没有人说明去处。",
        ),
        mechanism=_QLORA_MECHANISM,
    ),
)
"""Formulas for adapters."""
