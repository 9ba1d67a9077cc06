"""The answer on a terminal: one screen that says whether it fits, what it is made of, when, and why."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text

from tunesmith.memory.allocator import PhaseMemory
from tunesmith.memory.estimate import Estimate
from tunesmith.report import peak
from tunesmith.report.assumptions import sentence
from tunesmith.report.naming import cards, choices
from tunesmith.report.words import Tell, category_name, inert, phase_name, tell
from tunesmith.units import GIB, gib, parameters

_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_SHOWN_GROUPS: Final = 12
_MERGED: Final = ("fwd_bwd_clip", "substep")
"""Phases that repeat what finer ones tell."""


class Bar:
    """A share of a whole as a bar, in eighths of a character or, without Unicode, in whole ones."""

    def __init__(self, share: float, *, cells: int = 24, style: str = "cyan") -> None:
        self._share, self._cells, self._style = min(max(share, 0.0), 1.0), cells, style

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Return a width that never changes."""
        return Measurement(self._cells, self._cells)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the bar."""
        whole, eighth = divmod(round(self._share * self._cells * 8), 8)
        filled = "#" * whole if options.ascii_only else "█" * whole + _EIGHTHS[eighth].strip()
        yield Segment(filled.ljust(self._cells), Style.parse(self._style))


def answer(estimate: Estimate, *, lang: str = "en") -> Group:
    """Return the whole answer as one renderable that reads well in 100 columns."""
    t = tell(lang)
    blocks: list[RenderableType] = [_headline(estimate, t), _run(estimate, t), "", _parts(estimate, lang, t)]
    blocks.append(_when(estimate, lang, t))
    groups = peak.alive_at_peak(estimate)
    if groups:
        blocks += ["", _alive(groups, lang, t)]
    if estimate.host:
        blocks += ["", _host(estimate, lang, t)]
    blocks += ["", _phases(estimate, lang, t), "", _small_print(estimate, lang, t)]
    return Group(*blocks)


def changes(estimate: Estimate, *, lang: str = "en") -> Group:
    """Return the one-change suggestions, the largest saving first; empty where there are none."""
    t = tell(lang)
    if not estimate.suggestions:
        return Group()
    table = _table(
        t("one change", "只改一处"), t("saves GiB", "节省 GiB"), t("then", "之后"), "", right=(1, 2)
    )
    for each in estimate.suggestions:
        change = ", ".join(f"{key}: {_value(value)}" for key, value in each.change.items())
        fits = {True: t("fits", "放得下"), False: t("does not fit", "放不下"), None: ""}[each.fits]
        name = Text.assemble(inert(change), "\n", (inert(t(each.reason, each.reason_zh)), "dim"))
        style = "green" if each.fits else ""
        saved = f"{each.saved_bytes / GIB:,.3f}"
        table.add_row(name, saved, f"{each.process_bytes / GIB:,.3f}", Text(fits, style=style))
    return Group("", table)


def _value(value: object) -> str:
    """Return *value* as it is written in a recipe."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _headline(estimate: Estimate, t: Tell) -> Text:
    recipe, process = estimate.recipe, estimate.peak.process_bytes
    name = inert(estimate.model, 60) or t("a model given inline", "直接写入的模型")
    what = f"{name} · {recipe.method} · {recipe.per_device_train_batch_size} × "
    line = Text(
        what + t(f"{recipe.sequence_length:,} tokens", f"{recipe.sequence_length:,} 词元"), style="bold"
    )
    gpu, margin = estimate.gpu, estimate.margin_bytes
    hardware = recipe.hardware
    many = hardware.world_size > 1
    if gpu is None or margin is None:
        if many:
            line.append(f" · {cards(t('cards', '卡'), hardware.gpus, hardware.nodes, t)}")
        line.append(t("\nNeeds ", "\n需要 "))
        line.append(gib(process))
        if many:
            line.append(t(" on each card", "（每张卡）"))
        return line.append(t("; no card is named (--gpu NAME).", "；未指定显卡（--gpu 名称）。"))
    line.append(f" · {cards(gpu.name, hardware.gpus, hardware.nodes, t) if many else gpu.name}\n")
    if estimate.fits:
        line.append(t("Fits", "放得下"), style="bold green")
        if many:
            line.append(t(" on each card", "（每张卡）"), style="green")
        rest = (
            f": {gib(process)} of {gib(gpu.memory_bytes)}, {gib(margin)} to spare.",
            f"：{gib(gpu.memory_bytes)} 中需要 {gib(process)}，余 {gib(margin)}。",
        )
        if process > gpu.memory_bytes:
            rest = (
                f" in {gib(gpu.memory_bytes)}, {gib(margin)} to spare; {gib(process)} if it had room.",
                f"：{gib(gpu.memory_bytes)} 中余 {gib(margin)}；显存足够时占 {gib(process)}。",
            )
    else:
        line.append(t("Does not fit", "放不下"), style="bold red")
        rest = (
            f": it needs {gib(process)}, the card has {gib(gpu.memory_bytes)}; {gib(-margin)} are missing.",
            f"：需要 {gib(process)}，显卡有 {gib(gpu.memory_bytes)}，还差 {gib(-margin)}。",
        )
    return line.append(t(*rest), style="not bold")


def _run(estimate: Estimate, t: Tell) -> Text:
    """Return the choices that decide, in one line or two."""
    recipe = estimate.recipe
    told = choices(recipe)
    said = [t(*told[topic]) for topic in ("sharding", "offload") if told[topic][0]]
    if recipe.adapter is not None:
        rank = f" r {recipe.adapter.r}" if recipe.adapter.r is not None else ""
        said.append(f"{recipe.adapter.peft_type}{rank}")
    if recipe.quantization is not None:
        said.append(f"{recipe.quantization.bits}-bit {recipe.quantization.quant_type}")
    said.append(t(f"{recipe.precision.weights} weights", f"{recipe.precision.weights} 权重"))
    if recipe.precision.autocast:
        said.append(f"autocast {recipe.precision.autocast}")
    said.append(recipe.optim)
    if recipe.gradient_checkpointing:
        said.append(t("gradient checkpointing", "梯度检查点"))
    if recipe.gradient_accumulation_steps > 1:
        count = recipe.gradient_accumulation_steps
        said.append(t(f"{count} accumulation steps", f"累积 {count} 步"))
    if recipe.attn_implementation:
        said.append(recipe.attn_implementation)
    said.append(t(f"trainer {recipe.trainer}", f"训练器 {recipe.trainer}"))
    counted = t(
        f"{parameters(estimate.parameters)} parameters, {parameters(estimate.trainable_parameters)} learn",
        f"{parameters(estimate.parameters)} 个参数，训练 {parameters(estimate.trainable_parameters)} 个",
    )
    return Text(" · ".join([counted, *said]), style="dim")


def _table(*titles: str, right: Sequence[int] = ()) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False, header_style="bold")
    for index, title in enumerate(titles):
        justify = "right" if index in right else "left"
        table.add_column(title, justify=justify, no_wrap=index in right, overflow="fold")  # type: ignore[arg-type]
    return table


def _parts(estimate: Estimate, lang: str, t: Tell) -> Table:
    """Return the sum from the parts up to the process, and what the card has."""
    title = t("at the peak", "峰值时")
    if estimate.recipe.hardware.world_size > 1:
        title = t("at the peak of a card", "每卡峰值时")
    table = _table(title, "GiB", t("bytes", "字节"), "%", "", right=(1, 2, 3))
    totals = estimate.peak
    for category, count in estimate.parts.items():
        share = count / totals.allocated_bytes
        table.add_row(category_name(category, lang), *_figures(count), f"{100 * share:.1f}", Bar(share))
    table.add_section()
    cached = totals.reserved_bytes - totals.allocated_bytes
    context = totals.process_bytes - totals.reserved_bytes
    rows = [
        (
            t("allocated", "已分配"),
            totals.allocated_bytes,
            t("live tensors, in blocks", "存活张量（按块计）"),
        ),
        (t("+ cached", "+ 缓存"), cached, t("held by the caching allocator", "由缓存分配器持有")),
        (t("reserved", "已保留"), totals.reserved_bytes, "max_memory_reserved()"),
        (t("+ CUDA context", "+ CUDA 上下文"), context, _context(estimate, t)),
        (t("process", "进程"), totals.process_bytes, t("as nvidia-smi shows it", "nvidia-smi 所示")),
    ]
    if estimate.gpu is not None:
        rows.append(
            (estimate.gpu.name, estimate.gpu.memory_bytes, t("what PyTorch sees of it", "PyTorch 可见的显存"))
        )
    for name, count, meaning in rows:
        style = "" if name.startswith("+") else "bold"
        table.add_row(Text(name, style=style), *_figures(count), "", Text(meaning, style="dim"))
    return table


def _host(estimate: Estimate, lang: str, t: Tell) -> Table:
    """Return what lies outside the cards, for one card and for all cards of a node."""
    gpus = estimate.recipe.hardware.gpus
    table = _table(
        t("outside the card", "卡外"),
        t("GiB a card", "每卡 GiB"),
        t("GiB a node", "每节点 GiB"),
        t("where", "位置"),
        right=(1, 2),
    )
    places = {True: t("host memory, pinned", "锁页主机内存"), False: t("host memory", "主机内存")}
    for block in estimate.host:
        table.add_row(
            inert(category_name(block.what, lang)),
            f"{block.bytes / GIB:,.3f}",
            f"{gpus * block.bytes / GIB:,.3f}",
            places[block.pinned] if block.place == "cpu" else inert(block.place).replace("nvme", "NVMe"),
        )
    table.add_section()
    total = estimate.host_bytes
    row = (t("host memory", "主机内存"), f"{total / gpus / GIB:,.3f}", f"{total / GIB:,.3f}", "")
    table.add_row(*row, style="bold")
    return table


def _context(estimate: Estimate, t: Tell) -> str:
    if estimate.gpu is None:
        return t("depends on the card; none is named", "取决于显卡；未指定")
    if estimate.gpu.context_source.startswith("measured"):
        return t("measured on this card", "在此卡上实测")
    return t("estimated from other cards", "由其他卡推算")


def _figures(count: int) -> tuple[str, str]:
    return f"{count / GIB:,.3f}", f"{count:,}"


def _when(estimate: Estimate, lang: str, t: Tell) -> Text:
    at = estimate.peak_at
    line = Text(t("\nThe peak is in ", "\n峰值出现在 "))
    line.append(inert(phase_name(at.phase, lang)), style="bold")
    if at.module:
        line.append(t(", in ", "，模块 ")).append(inert(at.module))
    if at.operation:
        line.append(t(", at ", "，操作 ")).append(inert(at.operation))
    return line.append(t(".", "。"))


def _alive(groups: Sequence[peak.Group], lang: str, t: Tell) -> Table:
    table = _table(
        t("alive then", "此刻存活"),
        "GiB",
        t("count", "个数"),
        t("made in", "产生于"),
        t("by", "操作"),
        right=(1, 2),
    )
    for group in groups[:_SHOWN_GROUPS]:
        where = inert(group.module, 60) or "–"
        table.add_row(
            category_name(group.category, lang),
            f"{group.block_bytes / GIB:,.3f}",
            f"{len(group.sizes):,}",
            Text(where),
            Text(inert(group.operation, 48)),
        )
    rest = groups[_SHOWN_GROUPS:]
    if rest:
        count = sum(len(group.sizes) for group in rest)
        name = t(f"{len(rest)} more kinds", f"其余 {len(rest)} 类")
        table.add_row(
            name, f"{sum(group.block_bytes for group in rest) / GIB:,.3f}", f"{count:,}", "", "", style="dim"
        )
    return table


def _phases(estimate: Estimate, lang: str, t: Tell) -> Table:
    table = _table(
        t("phase", "阶段"),
        t("peak GiB", "峰值 GiB"),
        t("at its end", "结束时"),
        t("reserved", "已保留"),
        "",
        right=(1, 2, 3),
    )
    highest = max((phase.allocated_peak_bytes for phase in estimate.phases), default=0)
    at = peak.pattern(estimate.peak_at.phase)
    for name, phase in folded(estimate.phases):
        is_peak = name == at
        table.add_row(
            Text(inert(phase_name(name, lang))),
            f"{phase.allocated_peak_bytes / GIB:,.3f}",
            f"{phase.allocated_end_bytes / GIB:,.3f}",
            f"{phase.reserved_bytes / GIB:,.3f}",
            Bar(phase.allocated_peak_bytes / max(highest, 1), style="yellow" if is_peak else "cyan"),
            style="bold" if is_peak else "",
        )
    return table


def folded(phases: Sequence[PhaseMemory]) -> Iterator[tuple[str, PhaseMemory]]:
    """Yield the phases once each, with the micro-batches of a step as one: ``step1.*.forward``."""
    shown: dict[str, PhaseMemory] = {}
    for phase in phases:
        if phase.name.rpartition(".")[2] in _MERGED:
            continue
        name = peak.pattern(phase.name)
        before = shown.get(name)
        shown[name] = PhaseMemory(
            name=name,
            allocated_peak_bytes=max(
                phase.allocated_peak_bytes, before.allocated_peak_bytes if before else 0
            ),
            allocated_end_bytes=phase.allocated_end_bytes,
            reserved_bytes=max(phase.reserved_bytes, before.reserved_bytes if before else 0),
        )
    yield from shown.items()


def _small_print(estimate: Estimate, lang: str, t: Tell) -> Text:
    text = Text()
    for line in (*estimate.assumptions, *estimate.recipe.reasons):
        text.append(f"· {inert(sentence(line, lang), 400)}\n")
    versions = ", ".join(f"{name} {version}" for name, version in estimate.versions.items())
    how = {
        "trace": t("The step was run on the meta device", "已在 meta 设备上运行训练步"),
        "ledger": t("A closed form fitted to traces was evaluated", "由拟合自追踪的闭式求值"),
    }
    text.append(f"{how.get(estimate.engine, inert(estimate.engine))}: {inert(versions, 400)}")
    text.stylize("dim")
    return text
