"""Every part derived in words and numbers, from the timeline itself.

A line says how many storages of what size make up how many bytes; the lines of a part and the allocator's
rounding sum to the part exactly. A sentence that multiplies parameters by bytes stands there only if the
product is what the timeline holds, to the byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from rich.console import Group as Renderables
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tunesmith.memory.estimate import Estimate
from tunesmith.report.peak import Group, alive_at_peak
from tunesmith.report.words import Tell, category_name, inert, tell

_SHOWN_LINES: Final = 10
_DTYPE_BYTES: Final = MappingProxyType({"float32": 4, "bfloat16": 2, "float16": 2})
_TOKEN_WISE: Final = ("activations", "temporaries")

_WHY: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "weights": (
            "The base model's parameters, there from loading to the end.",
            "基座模型的参数，从加载起一直都在。",
        ),
        "adapter weights": (
            "What the adapter adds to the model; it learns.",
            "适配器加到模型上的参数，参与训练。",
        ),
        "quantization constants": (
            "What turns packed weights back into numbers: scales of blocks, and scales of scales.",
            "把压缩权重还原成数值所需：分块的缩放系数，以及缩放系数的缩放系数。",
        ),
        "buffers": ("Tables that a module keeps and that do not learn.", "模块保存的表，不参与训练。"),
        "gradients": (
            "One for each parameter that learns, from its backward until zero_grad.",
            "每个参与训练的参数一份，从它的反向传播起到 zero_grad 为止。",
        ),
        "optimizer states": (
            "What the optimizer remembers of each parameter that learns, from the first step on.",
            "优化器为每个参与训练的参数记住的量，从第一步更新起一直都在。",
        ),
        "activations": (
            "What autograd saved in the forward pass for the backward pass and has not used up yet.",
            "前向时 autograd 为反向保存、此刻尚未用完的张量。",
        ),
        "autocast copies": (
            "16-bit casts of parameters that autocast keeps for the forward pass and its backward.",
            "自动混合精度为前向和反向保留的参数的 16 位副本。",
        ),
        "logits and loss": (
            "The model's outputs over the vocabulary, and what the loss makes of them.",
            "模型在词表上的输出，以及损失由此产生的张量。",
        ),
        "inputs": ("Token ids, labels and masks of the batch.", "这一批的词元编号、标签和掩码。"),
        "temporaries": (
            "Results that live for a moment: at the peak, those of the operation at work.",
            "只存在片刻的结果：峰值时，即正在执行的操作的结果。",
        ),
        "cublas workspaces": (
            "cuBLAS takes one for each thread that multiplies matrices, at first use, and keeps it.",
            "每个做矩阵乘的线程首次使用时 cuBLAS 取一块，之后一直持有。",
        ),
        "gathered parameters": (
            "Whole parameters that the cards gather from each other for the layers at work.",
            "各卡为正在计算的层相互收集而成的完整参数。",
        ),
        "communication buffers": (
            "What is sent to and received from other cards: buckets of gradients, inputs of gathers.",
            "与其他卡收发的数据：梯度桶、收集操作的输入。",
        ),
    }
)
"""Why a part is there, in English and Chinese."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """Storages that sum to a number of bytes."""

    bytes: int
    """Their sum."""
    formula: str
    """How the sum comes about, e.g. ``30 layers × 1,572,864``."""
    where: str
    """The module and the operation, or what the line is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Derivation:
    """One part of the peak, derived."""

    category: str
    """The part."""
    bytes: int
    """Its bytes, which the lines sum to."""
    storages: int
    """How many storages it is."""
    why: str
    """Why it is there."""
    facts: tuple[str, ...]
    """What its bytes are a product of; each was checked to the byte."""
    lines: tuple[Line, ...]
    """What it is made of, the largest first."""

    def __post_init__(self) -> None:
        assert sum(line.bytes for line in self.lines) == self.bytes


def derive(estimate: Estimate, *, lang: str = "en") -> tuple[Derivation, ...]:
    """Return the derivation of every part, in the order of the parts; empty without a timeline."""
    t, groups = tell(lang), alive_at_peak(estimate)
    found = []
    for category, count in estimate.parts.items():
        mine = [group for group in groups if group.category == category]
        if not mine:
            continue
        found.append(
            Derivation(
                category=category,
                bytes=count,
                storages=sum(len(group.sizes) for group in mine),
                why=t(*_WHY.get(category, ("", ""))),
                facts=tuple(_facts(estimate, category, groups, t)),
                lines=tuple(_lines(mine, estimate, t)),
            )
        )
    return tuple(found)


def explanation(estimate: Estimate, *, lang: str = "en") -> RenderableType:
    """Return the derivation of every part, and of what lies above the parts, for a terminal."""
    t = tell(lang)
    if estimate.timeline is None:
        return Text(t("There is no timeline to derive the parts from.", "没有可供推导的时间线。"))
    blocks: list[RenderableType] = [
        Text(t("Where each byte comes from", "每个字节的来历"), style="bold underline")
    ]
    for each in derive(estimate, lang=lang):
        name = category_name(each.category, lang)
        storages = "1 storage" if each.storages == 1 else f"{each.storages:,} storages"
        counted = t(f"{storages}, {each.bytes:,} bytes", f"{each.storages:,} 个存储，{each.bytes:,} 字节")
        blocks.append(Text.assemble("\n", (name, "bold"), t(": ", "："), counted))
        blocks.append(Padding(Text("\n".join((each.why, *each.facts))), (0, 0, 0, 2)))
        blocks.append(Padding(_table(each.lines), (0, 0, 0, 2)))
    blocks.append(_above(estimate, t))
    return Renderables(*blocks)


def _table(lines: Sequence[Line]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    table.add_column(style="dim", overflow="fold")
    for line in lines:
        table.add_row(f"{line.bytes:,}", Text(f"= {line.formula}" if line.formula else ""), Text(line.where))
    return table


def _lines(groups: Sequence[Group], estimate: Estimate, t: Tell) -> Iterator[Line]:
    """Yield the largest kinds of storages, what the others sum to, and the allocator's rounding."""
    step = estimate.recipe
    tokens = step.per_device_train_batch_size * step.sequence_length
    kinds = [(group, size) for group in groups for size in dict.fromkeys(group.sizes)]
    kinds.sort(key=lambda kind: -kind[0].sizes.count(kind[1]) * kind[1])
    for group, size in kinds[:_SHOWN_LINES]:
        where = " · ".join(filter(None, (inert(group.module, 60), inert(group.operation, 48))))
        by_token = group.category in _TOKEN_WISE and size % tokens == 0 and size > tokens
        each = f"{size:,}"
        if by_token:
            each = t(
                f"{tokens:,} tokens × {size // tokens:,} bytes", f"{tokens:,} 词元 × {size // tokens:,} 字节"
            )
        count = group.sizes.count(size)
        factors = (*_times(group, size, t), each)
        told = " × ".join(factors) if by_token or len(factors) > 1 else ""
        yield Line(bytes=count * size, formula=told, where=where)
    rest = kinds[_SHOWN_LINES:]
    if rest:
        count = sum(group.sizes.count(size) for group, size in rest)
        where = t(f"{len(rest)} more kinds, {count:,} storages", f"其余 {len(rest)} 类，{count:,} 个存储")
        yield Line(bytes=sum(group.sizes.count(size) * size for group, size in rest), formula="", where=where)
    rounding = sum(group.block_bytes - group.bytes for group in groups)
    if rounding:
        where = t(
            "rounding: to 512 bytes, and ends of blocks too short to split",
            "取整：至 512 字节，以及不值得再分的块尾",
        )
        yield Line(bytes=rounding, formula="", where=where)


def _times(group: Group, size: int, t: Tell) -> tuple[str, ...]:
    """Return how often *size* occurs in *group*, by layers where each layer has as many; nothing for once."""
    layers = [layer for layer, each in zip(group.layers, group.sizes, strict=True) if each == size]
    count, different = len(layers), len(set(layers))
    if different > 1 and all(layers.count(layer) * different == count for layer in set(layers)):
        per_layer = (str(count // different),) if count > different else ()
        return (t(f"{different} layers", f"{different} 层"), *per_layer)
    return (f"{count:,}",) if count > 1 else ()


def _facts(estimate: Estimate, category: str, groups: Sequence[Group], t: Tell) -> Iterator[str]:
    """Yield what the bytes of *category* are a product of; nothing that does not come out to the byte."""
    mine = [group for group in groups if group.category == category]
    count, learn = sum(group.bytes for group in mine), estimate.trainable_parameters
    if category == "weights":
        yield from _weights(estimate, mine, count, t)
    elif category == "adapter weights" and learn and count in (4 * learn, 2 * learn):
        yield t(f"{learn:,} parameters × {count // learn} bytes", f"{learn:,} 个参数 × {count // learn} 字节")
    elif category == "quantization constants" and _quantised(estimate, groups):
        small = _quantised(estimate, groups)
        bits = f"{8 * count / small:.3f}"
        yield t(
            f"{bits} bits for each of {small:,} quantised parameters",
            f"{small:,} 个量化参数，每个 {bits} 位",
        )
    elif category == "gradients":
        item = _trainable_item(estimate, groups)
        if item and count % item == 0:
            share = 100 * count / (item * learn)
            have, of = f"{count // item:,}", f"{learn:,}"
            yield t(
                f"{have} of {of} trainable parameters have one now ({share:.1f} %), × {item} bytes",
                f"{of} 个可训练参数中的 {have} 个此刻有梯度（{share:.1f} %），× {item} 字节",
            )
    elif category == "optimizer states" and learn:
        yield t(
            f"{count / learn:.2f} bytes for each of {learn:,} trainable parameters",
            f"{learn:,} 个可训练参数，每个 {count / learn:.2f} 字节",
        )


def _weights(estimate: Estimate, groups: Sequence[Group], count: int, t: Tell) -> Iterator[str]:
    known, dtype = estimate.parameters, estimate.recipe.precision.weights
    item = _DTYPE_BYTES.get(dtype, 0)
    if item and count == known * item:
        yield t(
            f"{known:,} parameters × {item} bytes ({dtype})", f"{known:,} 个参数 × {item} 字节（{dtype}）"
        )
        return
    quantization, small = estimate.recipe.quantization, _quantised(estimate, groups)
    if quantization is None or not small:
        return
    bits = quantization.bits
    rest = count - small * bits // 8
    for name, size in ((dtype, item), ("float32", 4)):
        if size and small * size + rest == known * size:
            other = f"{known - small:,}"
            yield t(
                f"{small:,} parameters × {bits} bits + {other} not quantised × {size} bytes ({name})",
                f"{small:,} 个参数 × {bits} 位 + 未量化的 {other} 个 × {size} 字节（{name}）",
            )
            return


def _quantised(estimate: Estimate, groups: Sequence[Group]) -> int:
    """Return how many parameters are quantised, by the bytes they are packed in; 0 where none is."""
    quantization = estimate.recipe.quantization
    packed = (group for group in groups if group.category == "weights" and "quantize" in group.operation)
    return 0 if quantization is None else sum(group.bytes for group in packed) * 8 // quantization.bits


def _trainable_item(estimate: Estimate, groups: Sequence[Group]) -> int:
    """Return the bytes of one trainable number, which its gradient has too; 0 where they differ."""
    learn = estimate.trainable_parameters
    adapters = sum(group.bytes for group in groups if group.category == "adapter weights")
    if adapters:
        return adapters // learn if learn and adapters % learn == 0 else 0
    return _DTYPE_BYTES.get(estimate.recipe.precision.weights, 0)


def _above(estimate: Estimate, t: Tell) -> Text:
    """Return what lies between the live tensors and what the card shows."""
    totals = estimate.peak
    cached = totals.reserved_bytes - totals.allocated_bytes
    context = totals.process_bytes - totals.reserved_bytes
    text = Text("\n")
    text.append(t("the caching allocator", "缓存分配器"), style="bold")
    most = f"{totals.reserved_bytes:,}"
    text.append(
        t(
            f": {cached:,} bytes. Its segments hold {most} bytes at the most; what no tensor uses waits "
            "there for later requests that fit.\n",
            f"：{cached:,} 字节。它的段最多占 {most} 字节；闲置部分留给以后的请求。\n",
        )
    )
    text.append(t("the CUDA context", "CUDA 上下文"), style="bold")
    source = t("no card is named, so it is left out", "未指定显卡，故未计入")
    if estimate.gpu is not None:
        source = inert(estimate.gpu.context_source, 400)
    return text.append(t(f": {context:,} bytes ({source}).", f"：{context:,} 字节（{source}）。"))
