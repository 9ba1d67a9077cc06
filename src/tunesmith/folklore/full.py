"""Folk formulas for full fine-tuning: so many bytes a parameter, and something for activations."""

from __future__ import annotations

from typing import Final

from tunesmith.folklore.folk import Figure, Folk, Interval, Parts, Run, Text, Worked, exactly
from tunesmith.units import GB, GIB, MIB

_ACTIVATIONS_98: Final = 32 * 2048 * 4096 * 32
"""B x S x H x L of the worked example whose activations fall from "98" to "35 GB" with checkpointing."""

_SEVEN_B: Final = 7 * GB
_COURSE: Final = Text(en="courses and blog posts", zh="课程与博客文章")
_THREADS: Final = Text(en="forum answers and chat groups", zh="论坛回答与群聊")
_INTERVIEW: Final = Text(en="collections of interview questions", zh="面试题汇编")


def _states(run: Run, weights: int, gradients: int, low: int, high: int) -> dict[str, Interval]:
    """Return the parts of so many bytes a parameter, shared among the run's cards."""
    count = run.parameters
    return {
        "weights": exactly(weights * count // run.cards),
        "gradients": exactly(gradients * count // run.cards),
        "optimizer states": Interval(low * count // run.cards, high * count // run.cards),
    }


def _fp32_16(run: Run) -> Parts | None:
    if run.method != "full":
        return None
    hidden_states = run.batch * run.sequence * run.hidden
    return {**_states(run, 4, 4, 8, 8), "activations": Interval(2 * hidden_states, 4 * hidden_states)}


def _mixed_16(run: Run) -> Parts | None:
    if run.method != "full":
        return None
    size = run.batch * run.sequence * run.hidden * run.layers
    activations = 35 * GB * size // _ACTIVATIONS_98 if run.gradient_checkpointing else 12 * size
    return {**_states(run, 2, 2, 8, 12), "activations": exactly(activations)}


def _ultimate(run: Run) -> Parts | None:
    if run.method != "full":
        return None
    return {
        "states and reserve": exactly(run.parameters * 16 * 12 // 10),
        "activations": exactly(run.batch * run.sequence * 400_000),
    }


def _twenty(run: Run) -> Parts | None:
    return {"everything": exactly(20 * run.parameters)} if run.method == "full" else None


def _four_x(run: Run) -> Parts | None:
    return (
        {"everything": exactly(4 * run.parameters * run.weight_bits // 8)} if run.method == "full" else None
    )


def _three_x(run: Run) -> Parts | None:
    if run.method != "full":
        return None
    return {"everything": Interval(3 * run.parameters * run.weight_bits // 8, None)}


def _four_parts(run: Run) -> Parts | None:
    if run.method != "full":
        return None
    return {**_states(run, 2, 2, 6, 6), "activations": Interval(0, 10 * GB * run.batch)}


def _mixed_precision(run: Run) -> Parts | None:
    if run.method != "full":
        return None
    told, parts = (60, 12) if run.optimizer_bits == 32 else (44, 8)
    return {"everything": Interval(told * run.parameters // 7, parts * run.parameters)}


FULL: Final = (
    Folk(
        id="fp32-16",
        title=Text(en="Full fine-tuning in fp32", zh="fp32 全量微调"),
        formula="(4 + 4 + 8)·N + 2·B·S·H bytes",
        teller=_COURSE,
        parts=_fp32_16,
        beside="allocated_bytes",
        worked=(
            Worked(
                told="7B, B 4, S 2048, H 4096: 28 + 28 + 56 + 0.13 = 112.13 GB",
                run=Run(parameters=_SEVEN_B, batch=4, sequence=2048, hidden=4096),
                figures=(
                    Figure(text="28", unit=GB, part="weights"),
                    Figure(text="28", unit=GB, part="gradients"),
                    Figure(text="56", unit=GB, part="optimizer states"),
                    Figure(text="0.13", unit=GB, part="activations", edge="high"),
                    Figure(text="112.13", unit=GB, edge="high"),
                ),
            ),
            Worked(
                told="as code, B 1, S 1024, divided by 1024³: 104.3",
                run=Run(parameters=_SEVEN_B, batch=1, sequence=1024, hidden=4096),
                figures=(Figure(text="104.3", unit=GIB),),
            ),
        ),
        discrepancy=Text(
            en="2·4·2048·4096 bytes is 0.0625 GiB (0.067 GB), not 0.13 GB: the example used 4 bytes an "
            "element where the formula has 2. 112.13 is in GB and 104.3 in GiB.",
            zh="2·4·2048·4096 字节是 0.0625 GiB（0.067 GB），不是 0.13 GB：例子每个元素按 4 字节算，"
            "公式里却是 2。112.13 的单位是 GB，104.3 的单位是 GiB。",
        ),
        mechanism=Text(
            en="One tensor of hidden states is not the activations: the number of layers is missing, and so "
            "are attention, MLP, norms, logits and the loss. AdamW's foreach temporaries at the step are "
            "missing too.",
            zh="一个隐藏状态张量不等于激活：公式没有层数，也没有注意力、MLP、归一化、logits 和损失；AdamW "
            "的 foreach 在更新时的临时张量也没有算进去。",
        ),
    ),
    Folk(
        id="mixed-16",
        title=Text(en="Full fine-tuning in mixed precision", zh="混合精度全量微调"),
        formula="(2 + 2 + 12)·N + B·S·H·L·12 bytes",
        teller=_COURSE,
        parts=_mixed_16,
        beside="allocated_bytes",
        worked=(
            Worked(
                told="6.7B: weights 13.4, gradients 13.4, Adam 53.6 or 80.4; B 32, S 2048, H 4096, L 32: ≈ "
                "98 GB",
                run=Run(parameters=6_700_000_000, batch=32, sequence=2048, hidden=4096, layers=32),
                figures=(
                    Figure(text="13.4", unit=GB, part="weights"),
                    Figure(text="13.4", unit=GB, part="gradients"),
                    Figure(text="53.6", unit=GB, part="optimizer states"),
                    Figure(text="80.4", unit=GB, part="optimizer states", edge="high"),
                    Figure(text="98", unit=1000 * MIB, part="activations"),
                ),
            ),
            Worked(
                told="the same with checkpointing: activations 35, in all 115.4, elsewhere 142 GB",
                run=Run(
                    parameters=6_700_000_000,
                    batch=32,
                    sequence=2048,
                    hidden=4096,
                    layers=32,
                    gradient_checkpointing=True,
                ),
                figures=(
                    Figure(text="35", unit=GB, part="activations"),
                    Figure(text="115.4", unit=GB),
                    Figure(text="142", unit=GB, edge="high"),
                ),
            ),
            Worked(
                told="the same under ZeRO-3 on 8 cards: 45 GB a card",
                run=Run(
                    parameters=6_700_000_000,
                    batch=32,
                    sequence=2048,
                    hidden=4096,
                    layers=32,
                    gradient_checkpointing=True,
                    cards=8,
                ),
                figures=(Figure(text="45", unit=GB),),
            ),
        ),
        discrepancy=Text(
            en="The activations are 103 GB or 96 GiB; 98 is 98,304 MiB read as GB. The two totals differ by "
            "4·N: 115.4 leaves out the fp32 master copy that the formula's 12 contains, and 45 a card does "
            "so too.",
            zh="激活是 103 GB，即 96 GiB；98 是把 98,304 MiB 当成了 GB。两个总数相差 4·N：115.4 "
            "没有算公式中 12 所含的 fp32 主权重，每卡 45 也没有算。",
        ),
        mechanism=Text(
            en="12 = momentum 4 + variance 4 + an fp32 master copy 4. DeepSpeed and FSDP with upcasting "
            "keep that copy; pure bf16 training keeps none and has bf16 moments: 2 + 2 + 4, and 2 for "
            "foreach at the step. Autocast keeps fp32 weights instead of a second copy. 12·B·S·H·L has no "
            "heads, MLP width or vocabulary.",
            zh="12 = 动量 4 + 方差 4 + fp32 主权重 4。DeepSpeed 和会提升精度的 FSDP 有这份主权重；纯 bf16 "
            "训练没有，且两个动量也是 bf16：2 + 2 + 4，更新时 foreach 再加 2。autocast 的权重本身就是 fp32，"
            "没有第二份。12·B·S·H·L 里没有注意力头、MLP 宽度和词表。",
        ),
    ),
    Folk(
        id="ultimate",
        title=Text(en='The "ultimate" formula', zh="“终极”公式"),
        formula="N·(2 + 2 + 12)·1.2 + B·S·0.4 MB",
        teller=_THREADS,
        parts=_ultimate,
        beside="process_bytes",
        worked=(
            Worked(
                told="7B: 134.4 GB + 0.4 MB a token",
                run=Run(parameters=_SEVEN_B, batch=1, sequence=1),
                figures=(
                    Figure(text="134.4", unit=GB, part="states and reserve"),
                    Figure(text="0.4", unit=10**6, part="activations"),
                ),
            ),
        ),
        discrepancy=Text(
            en="A fifth is added to the states, though nothing that the fifth stands for grows with them.",
            zh="在参数状态上加两成，而这两成所代表的东西并不随参数状态增长。",
        ),
        mechanism=Text(
            en="The 1.2 stands for the allocator's fragmentation, the CUDA context (some 140 to 430 MiB "
            "whatever the model) and temporaries. 0.4 MB a token is one model's figure at one setting: it "
            "depends on layers, widths, vocabulary, kernel and checkpointing.",
            zh="1.2 代表分配器碎片、CUDA 上下文（与模型无关，约 140 至 430 MiB）和临时张量。每 token 0.4 MB "
            "只是某个模型某种设置下的数：它取决于层数、宽度、词表、注意力核和是否重计算。",
        ),
    ),
    Folk(
        id="twenty",
        title=Text(en="Twenty bytes a parameter", zh="每参数 20 字节"),
        formula="20·N bytes",
        teller=_INTERVIEW,
        parts=_twenty,
        beside="allocated_bytes",
        worked=(
            Worked(told="7B: 140 GB", run=Run(parameters=_SEVEN_B), figures=(Figure(text="140", unit=GB),)),
        ),
        discrepancy=Text(
            en="No batch, no sequence length, no precision: one figure for every run.",
            zh="没有批大小、序列长度和精度：所有运行都是同一个数。",
        ),
        mechanism=Text(
            en="20 is exact for one case: FSDP that upcasts trainable parameters to fp32 (4 + 4 + 8, and 4 "
            "for the foreach temporary at the step), a sharded parameter. Pure bf16 with foreach AdamW "
            "peaks at 10.",
            zh="20 只在一种情况下精确：FSDP 把可训练参数提升为 fp32 时，每个分片参数 4 + 4 + 8，更新时 "
            "foreach 再加 4。纯 bf16 加 foreach AdamW 的峰值是 10。",
        ),
    ),
    Folk(
        id="four-x",
        title=Text(en="Four times the parameters", zh="参数的四倍"),
        formula="memory = 4 × the parameters' memory",
        teller=_INTERVIEW,
        parts=_four_x,
        beside="allocated_bytes",
        worked=(),
        discrepancy=Text(
            en="Weights + gradients + two moments, if all have the same precision; activations are nothing.",
            zh="权重 + 梯度 + 两个动量，且精度都相同；激活当作零。",
        ),
        mechanism=Text(
            en="Right for the states of a pure-precision run with Adam between steps. foreach adds a fifth "
            "share at the step, logits and activations add what the batch asks, and other optimizers keep "
            "other states.",
            zh="对单一精度加 Adam、两次更新之间的状态是对的。更新时 foreach 再加一份，logits "
            "与激活随批大小增加，别的优化器状态也不同。",
        ),
    ),
    Folk(
        id="fp16-four-parts",
        title=Text(en="Four parts in fp16", zh="fp16 四部分"),
        formula="2·N weights + 2·N gradients + 6·N AdamW + ≈ 10 GB of activations at B 1, S 2048 on 7B, ∝ B",
        teller=_COURSE,
        parts=_four_parts,
        beside="allocated_bytes",
        worked=(
            Worked(
                told='7B: 14 + 14 + 42 + 10 → "80 GB, one A100"',
                run=Run(parameters=_SEVEN_B, batch=1, sequence=2048),
                figures=(
                    Figure(text="14", unit=GB, part="weights"),
                    Figure(text="14", unit=GB, part="gradients"),
                    Figure(text="42", unit=GB, part="optimizer states"),
                    Figure(text="10", unit=GB, part="activations", edge="high"),
                    Figure(text="80", unit=GB, edge="high"),
                ),
            ),
            Worked(
                told='70B: 140 + 140 + 420 + … → "700 GB"',
                run=Run(parameters=70 * GB, batch=1, sequence=2048),
                figures=(
                    Figure(text="140", unit=GB, part="weights"),
                    Figure(text="140", unit=GB, part="gradients"),
                    Figure(text="420", unit=GB, part="optimizer states"),
                    Figure(text="700", unit=GB),
                ),
            ),
        ),
        discrepancy=Text(
            en="Gradients are counted twice: AdamW's 6·N holds a gradient copy. Its own two moments at 2 "
            "bytes would be 28, so 14 + 14 + 28 + 10 = 66. An A100 of 80 GB shows 79.3 GiB, and the process "
            "needs its context.",
            zh="梯度算了两遍：AdamW 的 6·N 里含一份梯度。两个动量各 2 字节只有 28，所以是 14 + 14 + 28 + 10 "
            "= 66。80 GB 的 A100 可见 79.3 GiB，进程还要有上下文。",
        ),
        mechanism=Text(
            en="Gradients live once. What does appear at the step is foreach's temporary of one weight's "
            "width, so the sum comes near the truth for a reason that is not told.",
            zh="梯度只有一份。更新时出现的是 foreach 的一份权重宽度的临时张量，所以总数接近真实值，"
            "但理由不是所说的那个。",
        ),
    ),
    Folk(
        id="three-x",
        title=Text(en="Three times the weights, and more", zh="权重的三倍以上"),
        formula="3·N·bytes + activations + optimizer",
        teller=_THREADS,
        parts=_three_x,
        beside="allocated_bytes",
        worked=(
            Worked(
                told='70B fp16: weights 140 GB, "> 400 GB" in all',
                run=Run(parameters=70 * GB),
                figures=(Figure(text="420", unit=GB),),
            ),
        ),
        discrepancy=Text(
            en="The three are not named, and the optimizer is added to them once more.",
            zh="没有说三份是哪三份，而优化器又另加了一次。",
        ),
        mechanism=Text(
            en="Weights and gradients are two; the third may be one moment or foreach's temporary. The "
            "optimizer decides the rest: none for SGD, two moments for Adam, a quarter of their size in 8 "
            "bits.",
            zh="权重和梯度是两份；第三份可能是一个动量，也可能是 foreach 的临时张量。其余由优化器决定：SGD "
            "没有，Adam 两个动量，8 位时约为四分之一。",
        ),
    ),
    Folk(
        id="mixed-precision",
        title=Text(en="What mixed precision saves", zh="混合精度省多少"),
        formula="parameters and gradients halve; with 8-bit Adam the states halve too",
        teller=_COURSE,
        parts=_mixed_precision,
        beside="allocated_bytes",
        worked=(
            Worked(
                told="7B: 112 → ~60 GB",
                run=Run(parameters=_SEVEN_B),
                figures=(Figure(text="60", unit=GB), Figure(text="84", unit=GB, edge="high")),
            ),
            Worked(
                told="7B with 8-bit Adam: ~44 GB",
                run=Run(parameters=_SEVEN_B, optimizer_bits=8),
                figures=(Figure(text="44", unit=GB), Figure(text="56", unit=GB, edge="high")),
            ),
        ),
        discrepancy=Text(
            en="By its own parts 28 + 28 + 56 becomes 14 + 14 + 56 = 84 GB, and 14 + 14 + 28 = 56 with "
            "halved states; ~60 and ~44 need everything to halve first.",
            zh="按它自己的各部分，28 + 28 + 56 变成 14 + 14 + 56 = 84 GB，状态减半后是 14 + 14 + 28 = 56；"
            "~60 和 ~44 要先把一切都减半才得到。",
        ),
        mechanism=Text(
            en="Autocast keeps fp32 weights and gradients, and adds 16-bit casts of them during the "
            "forward; only activations shrink. Loading the weights in bf16 is what halves weights, "
            "gradients and moments alike. 8-bit states are a quarter of fp32 ones, with block constants; "
            "small tensors stay fp32.",
            zh="autocast 的权重和梯度仍是 fp32，前向时还多出 16 位副本，缩小的只有激活。以 bf16 "
            "加载权重才会让权重、梯度和动量一起减半。8 位状态是 fp32 的四分之一，另有分块常数；小张量仍为 "
            "fp32。",
        ),
    ),
)
"""Formulas for full fine-tuning, in the order in which people meet them."""
