"""What to run: lengths of the data, and the best recipes or cards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tunesmith.api.estimating import REFERENCE_GPU, confirmed, run_step
from tunesmith.architecture import load_architecture
from tunesmith.hardware import Cluster
from tunesmith.hardware import gpu as find_gpu
from tunesmith.recipe import Recipe

if TYPE_CHECKING:
    from tunesmith.api.ahead import Ahead
    from tunesmith.data.lengths import Lengths
    from tunesmith.data.measuring import Progress
    from tunesmith.memory.estimate import Estimate
    from tunesmith.memory.outline import Outline
    from tunesmith.search import Plans


GOALS: Final = ("fastest", "cheapest", "quality")
"""What the best plan can be best at."""
SAMPLE: Final = 20_000
"""Examples of the data that are tokenized, of all that are read, unless another number is asked for."""


def plan(  # noqa: PLR0913 -- each is one option of the command, by name
    model: str,
    *,
    gpu: str | None = None,
    gpus: int = 1,
    nodes: int = 1,
    method: str | None = None,
    data: str | Path | None = None,
    goal: str = "fastest",
    budget_usd: float | None = None,
    sequence_length: int | None = None,
    global_batch: int | None = None,
    prices: str | Path | None = None,
    packing: bool | None = None,
    fixed: Mapping[str, Any] | None = None,
    sample: int | None = SAMPLE,
    top: int = 5,
    progress: Callable[[str, str], None] | None = None,
) -> Plans:
    """Return the best recipes for *model* on *gpus* cards in each of *nodes*, each confirmed by a trace.

    Without *gpu* cards and clusters are ranked, and the plans are those of the first. *data* gives the
    lengths, by the model's own tokenizer, of at most *sample* examples; *budget_usd* is for one pass over it.
    *prices* is a file in place of the dated table. *packing* says whether examples are joined; without it
    both are weighed for data. Every recipe has the keys that are *fixed*, dotted, such as
    ``adapter.use_dora``. *progress* is told what is being done, in English and Chinese.

    Raises what ``estimate`` and ``lengths`` raise for what the user can mend.
    """
    from tunesmith.api.ahead import ahead
    from tunesmith.hardware.prices import prices as read_prices
    from tunesmith.search import Engine, Layout, Wish, search, with_lengths
    from tunesmith.search.wish import USUAL_LENGTH

    architecture = load_architecture(model)
    cluster = None if gpu is None else Cluster(gpu=find_gpu(gpu), gpus=gpus, nodes=nodes)
    wish = Wish(
        model=model,
        architecture=architecture,
        cluster=cluster,
        method=method,
        goal=goal,
        sequence_length=sequence_length
        or min(USUAL_LENGTH, architecture.max_position_embeddings or USUAL_LENGTH),
        global_batch=global_batch,
        budget_usd=budget_usd,
        layouts=(Layout(packing=bool(packing)),),
        fixed=fixed or {},
    )
    tell = progress or (lambda _en, _zh: None)
    if data is not None:
        tell("Measuring the data", "正在统计数据长度")
        measured = lengths(data, model, sample=sample, progress=partial(_measuring, tell))
        wish = with_lengths(wish, measured, sequence_length=sequence_length, packing=packing)
    with ahead() as helper:
        engine = Engine(
            outline=partial(_outline, helper=helper),
            estimate=partial(_answer, helper=helper),
            prices=read_prices(prices),
            ahead=helper.outlines,
            foresee=helper.answers,
            tell=tell,
        )
        return search(wish, engine, top=top)


def _measuring(tell: Callable[[str, str], None], rows: int, share: float) -> None:
    """Say how far the data is read."""
    tell(f"Measuring the data: {rows:,} rows, {share:.0%}", f"正在统计数据长度：{rows:,} 行，{share:.0%}")


def _outline(recipe: Recipe, optims: Sequence[str], *, helper: Ahead) -> Outline:
    """Return the outline of *recipe*'s class, from disk where it was made before."""
    from tunesmith.memory.outline import outline

    helper.take("outline", recipe)
    card = find_gpu(recipe.hardware.gpu or REFERENCE_GPU)
    return outline(load_architecture(recipe.model), recipe, card, trace=run_step, optims=optims)


def _answer(recipe: Recipe, *, helper: Ahead) -> Estimate:
    """Return what *recipe* needs, from disk where it was found before."""
    helper.take("answer", recipe)
    return confirmed(recipe)


def lengths(
    path: str | Path,
    tokenizer: str | Path,
    *,
    sequence_length: int = 2048,
    template: str | Path | None = None,
    sample: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Lengths:
    """Return how long the examples of the data file at *path* are for *tokenizer*, a folder or a Hub id.

    Chats are rendered by *template* (``alpaca``, ``alpaca_zh``, ``chatml`` or the path of a .jinja file),
    else by the tokenizer's own. With *sample* only so many examples are tokenized, drawn by *seed*.
    *progress* is told how many rows are read, and which share of the file that is.

    Raises DataError, which names file and row, for what the user can mend, and MissingExtraError without the
    packages. PyTorch is not needed.
    """
    from tunesmith.data.measuring import measure

    return measure(
        path,
        tokenizer,
        sequence_length=sequence_length,
        template=template,
        sample=sample,
        seed=seed,
        progress=progress,
    )
