"""What adding terms to a tokenizer gains, costs and risks, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tunesmith.data.vocabulary import Cost, Vocabulary
from tunesmith.report.words import Tell, inert, tell
from tunesmith.units import counted, readable

if TYPE_CHECKING:
    from tunesmith.evaluate.extending import Extended

SHOWN: Final = 20
"""Terms that are listed; JSON has all of them."""


def answer(vocabulary: Vocabulary, extended: Extended | None = None, *, lang: str = "en") -> Group:
    """Return the whole answer as one renderable that reads well in 100 columns."""
    t = tell(lang)
    blocks: list[RenderableType] = [_headline(vocabulary, t)]
    if vocabulary.additions:
        blocks += ["", _terms(vocabulary, t)]
        if vocabulary.cost is not None:
            blocks += ["", Text("\n".join(_cost(vocabulary.cost, t)))]
        blocks += ["", Text("\n".join(risks(t)), style="dim")]
    if extended is not None:
        blocks += ["", Text(_written(extended, t), style="green")]
    return Group(*blocks)


def _headline(found: Vocabulary, t: Tell) -> Text:
    share = found.saved_tokens / max(1, found.tokens)
    number = len(found.additions)
    some = t(f", one row of {found.every}", f"，每 {found.every} 行取一行") if found.every > 1 else ""
    if not number:
        told = t(
            f"No term of {inert(found.path)} breaks up often enough to be worth a token of its own.",
            f"{inert(found.path)} 中没有值得单独成为词元的术语。",
        )
    else:
        told = t(
            f"{counted(number, 'term')} as tokens of their own save {found.saved_tokens:,} of "
            f"{found.tokens:,} tokens ({share:.1%}) of {counted(found.rows, 'row')}{some}.",
            f"为 {number} 个术语各设一个词元，可在 {found.rows:,} 行{some}的 {found.tokens:,} 个词元中"
            f"节省 {found.saved_tokens:,} 个（{share:.1%}）。",
        )
    return Text(told, style="bold")


def _terms(found: Vocabulary, t: Tell) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(t("term", "术语"))
    for name in (t("times", "次数"), t("tokens each", "原词元数"), t("saved", "节省")):
        table.add_column(name, justify="right")
    for each in found.additions[:SHOWN]:
        table.add_row(
            Text(inert(each.term, 40)), f"{each.count:,}", str(len(each.pieces)), f"{each.saved_tokens:,}"
        )
    if len(found.additions) > SHOWN:
        table.add_row(Text(t(f"and {len(found.additions) - SHOWN} more", "等"), style="dim"), "", "", "")
    return table


def _cost(cost: Cost, t: Tell) -> Iterator[str]:
    yield t(
        f"Memory: {counted(cost.new_rows, 'new row')} of the embedding beside {cost.embedding_rows:,}, "
        f"{readable(cost.weights_bytes)} in 16 bits.",
        f"显存：嵌入矩阵在 {cost.embedding_rows:,} 行之外新增 {cost.new_rows:,} 行，"
        f"16 位权重占 {readable(cost.weights_bytes)}。",
    )
    yield t(
        f"Training them: {readable(cost.full_bytes)} more in full training; beside LoRA "
        f"{readable(cost.lora_rows_bytes)} for these rows alone (trainable_token_indices), or "
        f"{readable(cost.lora_whole_bytes)} for the whole embedding and head (modules_to_save).",
        f"训练：全参数训练多用 {readable(cost.full_bytes)}；配合 LoRA 只训练这些行用 "
        f"{readable(cost.lora_rows_bytes)}（trainable_token_indices），训练整个嵌入与输出层用 "
        f"{readable(cost.lora_whole_bytes)}（modules_to_save）。",
    )
    yield t(
        f"Adapter: PEFT saves a resized embedding with it, {readable(cost.adapter_bytes)}, unless "
        "save_embedding_layers=False.",
        f"适配器：PEFT 会随之保存改过大小的嵌入，共 {readable(cost.adapter_bytes)}，除非设 "
        "save_embedding_layers=False。",
    )


def risks(t: Tell) -> tuple[str, ...]:
    """Return what can go wrong with added tokens, one sentence each."""
    return (
        t(
            "Risks: a new row starts as the mean of its pieces and has to be trained; LoRA on the attention "
            "alone leaves it as it is.",
            "风险：新行以各片段的均值为初值，必须训练；只在注意力层上做 LoRA 不会更新它。",
        ),
        t(
            "What the model knew of the term by its pieces it has to learn again, so terms that come less "
            "than some dozen times are better left as they are.",
            "模型此前通过片段所知的内容需要重新学习，因此出现不足数十次的术语最好不动。",
        ),
        t(
            "Whoever runs the model needs this tokenizer with it; adapters for the old one no longer fit.",
            "部署时必须使用这个分词器；为旧分词器训练的适配器不再适用。",
        ),
    )


def _written(extended: Extended, t: Tell) -> str:
    tensors = ", ".join(inert(each) for each in extended.tensors)
    return t(
        f"Written: {inert(extended.folder)}; {tensors} from {extended.rows_before:,} to "
        f"{extended.rows:,} rows"
        f"{', tied' if extended.tied else ''}; every other tensor is as it was.",
        f"已写入 {inert(extended.folder)}：{tensors} 从 {extended.rows_before:,} 行增至 {extended.rows:,} 行"
        f"{'（权重共享）' if extended.tied else ''}；其余张量不变。",
    )
