"""Folk rules of thumb: by what factor a choice changes memory, what margin to leave, which card to buy."""

from __future__ import annotations

from typing import Final

from tunesmith.folklore.adapters import like
from tunesmith.folklore.folk import Figure, Folk, Interval, Known, Parts, Run, Text, Worked, exactly
from tunesmith.units import GB

_RULE: Final = Text(en="rules of thumb in guides", zh="教程中的经验法则")
_BUYERS: Final = Text(en="hardware recommendations", zh="硬件选购建议")


def _checkpointing(run: Run) -> Parts | None:
    known = run.known.uncheckpointed_activation_bytes
    if known is None or not run.gradient_checkpointing:
        return None
    return {"activations": Interval(known // 10, known * 35 // 98)}


def _accumulation(run: Run) -> Parts | None:
    known = run.known.whole_batch_allocated_bytes
    if known is None or run.accumulation_steps < 2:
        return None
    return {"everything": exactly(known // run.accumulation_steps)}


def _seq_squared(run: Run) -> Parts | None:
    known = run.known.half_sequence_activation_bytes
    return None if known is None else {"activations": exactly(4 * known)}


def _flash_30(run: Run) -> Parts | None:
    known = run.known.older_attention_activation_bytes
    return None if known is None else {"activations": exactly(known * 7 // 10)}


def _margin(run: Run) -> Parts | None:
    known = run.known.allocated_bytes
    return None if known is None else {"everything": Interval(known * 12 // 10, known * 13 // 10)}


def _cards(run: Run) -> Parts | None:
    told = {
        ("full", 7): Interval(80 * GB, 8 * 80 * GB),
        ("full", 13): Interval(2 * 80 * GB, 16 * 80 * GB),
        ("full", 70): exactly(8 * 80 * GB),
        ("lora", 7): Interval(24 * GB, 40 * GB),
        ("lora", 13): Interval(24 * GB, 40 * GB),
        ("qlora", 7): exactly(24 * GB),
    }
    for (method, billions), answer in told.items():
        if run.method == method and like(run, billions):
            return {"cards": answer}
    return None


RULES: Final = (
    Folk(
        id="checkpointing",
        title=Text(en="What gradient checkpointing saves", zh="梯度检查点省多少"),
        formula="activations ÷ 10; elsewhere to 30 %; elsewhere 98 → 35 GB; +20 % or +30 % time",
        teller=_RULE,
        parts=_checkpointing,
        beside="activation_bytes",
        worked=(
            Worked(
                told="98 → 35 GB; ÷ 10 would be 9.8",
                run=Run(
                    parameters=6_700_000_000,
                    gradient_checkpointing=True,
                    known=Known(uncheckpointed_activation_bytes=98 * GB),
                ),
                figures=(Figure(text="9.8", unit=GB), Figure(text="35", unit=GB, edge="high")),
            ),
        ),
        discrepancy=Text(
            en="Three factors from 2.8 to 10 for the same switch.", zh="同一个开关，有 2.8 到 10 倍三种说法。"
        ),
        mechanism=Text(
            en="What remains is exact: every layer's input, plus one layer's full set while it is "
            "recomputed, plus the logits, which checkpointing does not touch. The factor follows from "
            "layers, widths and vocabulary. The time is one more forward: at most a third more operations.",
            zh="剩下的可以精确算出：每层的输入，加上重计算时一层的全部激活，再加上不受检查点影响的 logits。"
            "倍数由层数、宽度和词表决定。时间是多做一次前向：运算最多增加三分之一。",
        ),
    ),
    Folk(
        id="accumulation",
        title=Text(en="What gradient accumulation saves", zh="梯度累积省多少"),
        formula="memory falls to 1/steps",
        teller=_RULE,
        parts=_accumulation,
        beside="allocated_bytes",
        worked=(
            Worked(
                told="4 steps: a quarter",
                run=Run(
                    parameters=7 * GB,
                    accumulation_steps=4,
                    known=Known(whole_batch_allocated_bytes=100 * GB),
                ),
                figures=(Figure(text="25", unit=GB),),
            ),
        ),
        discrepancy=Text(
            en="Weights, gradients and states do not know the batch, and do not fall.",
            zh="权重、梯度和优化器状态与批大小无关，不会下降。",
        ),
        mechanism=Text(
            en="Only the activations and logits of the micro-batch fall. From the second micro-batch on, "
            "the gradients live through the forward pass, so the peak at the loss is higher by one set of "
            "gradients.",
            zh="下降的只有微批的激活和 logits。从第二个微批起，梯度在前向期间一直存在，"
            "所以损失处的峰值反而高出一份梯度。",
        ),
    ),
    Folk(
        id="seq-squared",
        title=Text(en="Activations and the sequence length", zh="激活与序列长度"),
        formula="activations grow with S²",
        teller=_RULE,
        parts=_seq_squared,
        beside="activation_bytes",
        worked=(
            Worked(
                told="twice the length, four times the activations",
                run=Run(parameters=7 * GB, known=Known(half_sequence_activation_bytes=10 * GB)),
                figures=(Figure(text="40", unit=GB),),
            ),
        ),
        discrepancy=Text(
            en="With flash or memory-efficient kernels twice the length is twice the activations.",
            zh="使用 flash 或 memory-efficient 核时，长度加倍，激活也只加倍。",
        ),
        mechanism=Text(
            en="Only eager attention keeps the scores, B·heads·S² a layer. The fused kernels keep q, k, v, "
            "the output and one logsumexp a row, all linear in S, as is everything outside attention.",
            zh="只有 eager 注意力会保存分数矩阵，每层 B·heads·S²。融合核只保存 q、k、v、输出和每行一个 "
            "logsumexp，都与 S 成正比，注意力以外的也是。",
        ),
    ),
    Folk(
        id="flash-30",
        title=Text(en="What a newer flash attention saves", zh="新版 flash attention 省多少"),
        formula="a newer flash attention saves 30 % of activations",
        teller=_RULE,
        parts=_flash_30,
        beside="activation_bytes",
        worked=(
            Worked(
                told="30 % less",
                run=Run(parameters=7 * GB, known=Known(older_attention_activation_bytes=10 * GB)),
                figures=(Figure(text="7", unit=GB),),
            ),
        ),
        discrepancy=Text(
            en="From one flash release to the next the saved tensors are the same: 0 %.",
            zh="从一版 flash 到下一版，保存的张量相同：省 0 %。",
        ),
        mechanism=Text(
            en="Newer releases are faster; they keep the same q, k, v, output and logsumexp. Against eager "
            "attention the saving is the score matrices, which is no fixed share: it grows with S.",
            zh="新版更快，但保存的仍是同样的 q、k、v、输出和 logsumexp。与 eager 相比，省下的是分数矩阵，"
            "不是固定比例，而是随 S 增长。",
        ),
    ),
    Folk(
        id="margin",
        title=Text(en="The margin to leave", zh="该留多少余量"),
        formula="add 20 %; elsewhere 20 to 30 %",
        teller=_RULE,
        parts=_margin,
        beside="process_bytes",
        worked=(
            Worked(
                told="add 20 % (one), 20–30 % (another)",
                run=Run(parameters=7 * GB, known=Known(allocated_bytes=10 * GB)),
                figures=(Figure(text="12", unit=GB), Figure(text="13", unit=GB, edge="high")),
            ),
        ),
        discrepancy=Text(
            en="A share of the estimate or of the card says nothing about where the rest goes.",
            zh="按估计值或显卡的比例留余量，说不出其余部分去了哪里。",
        ),
        mechanism=Text(
            en="Above live tensors there are the allocator's segments (reserved over allocated was 1.02 to "
            "1.49 on one card) and the CUDA context. Both can be computed for the run; the first falls with "
            "expandable segments.",
            zh="活张量之上还有分配器的段（单卡上 reserved 与 allocated 之比为 1.02 到 1.49）和 CUDA 上下文。"
            "两者都能按这次运行算出；前者用 expandable_segments 可以降低。",
        ),
    ),
    Folk(
        id="cards",
        title=Text(en="Which card for which model", zh="什么模型用什么卡"),
        formula="7B: 80 GB+ or at least 8×A100-80; 13B: 2×A100-80 or 16×A100; 70B: 8×A100-80; 24 GB: QLoRA "
        "7B; A10 or A100-40: LoRA 7–13B",
        teller=_BUYERS,
        parts=_cards,
        beside="cheapest_plan_card_bytes",
        worked=(
            Worked(
                told='7B: "80 GB+" / "at least 8×A100-80"',
                run=Run(parameters=7 * GB),
                figures=(Figure(text="80", unit=GB), Figure(text="8", unit=80 * GB, edge="high")),
            ),
            Worked(
                told='13B: "2×A100-80" / "16×A100"',
                run=Run(parameters=13 * GB),
                figures=(Figure(text="2", unit=80 * GB), Figure(text="16", unit=80 * GB, edge="high")),
            ),
            Worked(
                told='70B: "8×A100-80"',
                run=Run(parameters=70 * GB),
                figures=(Figure(text="8", unit=80 * GB),),
            ),
            Worked(
                told="24 GB card: QLoRA 7B",
                run=Run(parameters=7 * GB, method="qlora"),
                figures=(Figure(text="24", unit=GB),),
            ),
            Worked(
                told="A10 or A100-40: LoRA 7–13B",
                run=Run(parameters=13 * GB, method="lora"),
                figures=(Figure(text="24", unit=GB), Figure(text="40", unit=GB, edge="high")),
            ),
        ),
        discrepancy=Text(
            en="The same model is told to need one card and eight.",
            zh="同一个模型，有人说要一张卡，有人说要八张。",
        ),
        mechanism=Text(
            en="A model has no card. Method, optimizer, precision, length, batch, checkpointing and "
            "sharding move the need by a factor of ten; what answers the question is the cheapest plan that "
            "really fits.",
            zh="没有“某模型用某卡”这回事。方法、优化器、精度、长度、批大小、重计算和切分能让需求相差十倍；"
            "能回答问题的是真正放得下的最便宜的方案。",
        ),
    ),
)
"""Rules that start from an exact figure, and recommendations."""
