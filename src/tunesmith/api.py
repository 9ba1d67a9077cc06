"""Tunesmith from Python: one function for each thing it does; heavy stages are imported when first needed."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from tunesmith.architecture import Architecture, load_architecture
from tunesmith.errors import ArchitectureError, MissingExtraError, UnsupportedError
from tunesmith.hardware import Cluster, Gpu
from tunesmith.hardware import gpu as find_gpu
from tunesmith.recipe import Flag, Recipe, flags, read_recipe, with_changes
from tunesmith.report.words import LANGUAGES, inert

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tunesmith.data.lengths import Lengths
    from tunesmith.data.measuring import Progress
    from tunesmith.memory.answers import Question
    from tunesmith.memory.estimate import Estimate, Traced
    from tunesmith.memory.ledger import Ledger
    from tunesmith.memory.outline import Outline
    from tunesmith.search import Plans
    from tunesmith.trainers import Export, Imported

__all__ = [
    "GOALS",
    "LANGUAGES",
    "TRAINERS",
    "Flag",
    "Recipe",
    "check_folder",
    "check_output",
    "estimate",
    "export_plan",
    "export_recipe",
    "flags",
    "import_recipe",
    "inert",
    "ledger",
    "lengths",
    "make_recipe",
    "plan",
    "show",
    "show_export",
    "show_import",
    "show_plans",
    "show_suggestions",
    "suggest",
    "write",
    "write_plans",
]

GOALS: Final = ("fastest", "cheapest", "quality")
"""What the best plan can be best at."""
TRAINERS: Final = ("trl", "accelerate", "deepspeed", "llamafactory", "axolotl", "torchtune", "swift")
"""Other trainers that a recipe can be written for."""

TIMELINES: Final = (".html", ".svg", ".json")
"""Suffixes of a drawing of the timeline."""
SNAPSHOTS: Final = (".pickle", ".pkl")
"""Suffixes of PyTorch's memory snapshot."""
_SUFFIXES: Final = {
    "timeline": TIMELINES,
    "snapshot": SNAPSHOTS,
    "recipe": (".yaml", ".yml"),
    "report": (".html", ".svg"),
}
"""Suffixes of each kind of file that can be written."""

_LOG: Final = logging.getLogger("tunesmith")

REFERENCE_GPU = "A100-80GB"
"""The card whose kernels are assumed when a recipe names none."""


def estimate(
    recipe: Recipe | Mapping[str, Any] | str | Path,
    *,
    engine: Literal["auto", "trace", "ledger"] = "auto",
    timeline: bool = True,
    suggest: bool = False,
) -> Estimate:
    """Return what *recipe* needs on each GPU, exactly, without a GPU.

    *recipe* is a Recipe, a mapping with its keys, or the path of a YAML or JSON file. ``auto`` takes the
    answer that was given to the same question before, else runs the step of the whole model; ``trace``
    always runs it; ``ledger`` runs a few layers and unrolls them to all. An answer from disk comes faster
    without its *timeline*. With *suggest* it says what one change would save, each computed.

    >>> answer = estimate({"model": "HuggingFaceTB/SmolLM2-135M", "method": "lora", "sequence_length": 512})
    >>> answer.peak.allocated_bytes == sum(answer.parts.values())
    True

    Raises RecipeError, ArchitectureError or HardwareError for what the user can mend, MissingExtraError
    when PyTorch or transformers are not installed, and UnsupportedError where no faithful answer exists.
    """
    chosen = _recipe(recipe)
    card = find_gpu(chosen.hardware.gpu) if chosen.hardware.gpu else None
    architecture = load_architecture(chosen.model)
    for warning in architecture.warnings:
        _LOG.warning("%s", warning)
    from tunesmith.memory.answers import keep_answer, kept_answer

    question = _question(architecture, chosen, card, "ledger" if engine == "ledger" else "trace")
    if engine != "trace":
        kept = kept_answer(question, timeline=timeline, suggested=suggest)
        if kept is not None:
            return replace(kept, suggestions=kept.suggestions if suggest else (), view=_view)
    known = kept_answer(question, timeline=True, suggested=False) if suggest and engine != "trace" else None
    answer = _computed(question, known, suggest=suggest)
    keep_answer(question, answer, suggested=suggest)
    return replace(answer, view=_view)


def _view(estimate: Estimate) -> str:
    """Return *estimate* as a notebook shows it."""
    from tunesmith.report.notebook import notebook_html

    return notebook_html(estimate)


def suggest(answer: Estimate) -> Estimate:
    """Return *answer* with what one change to its recipe would save, each change computed, the best first."""
    from tunesmith.memory.answers import keep_answer, kept_answer

    question = _question(load_architecture(answer.recipe.model), answer.recipe, answer.gpu, answer.engine)
    kept = kept_answer(question, timeline=False, suggested=True)
    if kept is not None:
        return replace(answer, suggestions=kept.suggestions)
    suggested = _computed(question, answer, suggest=True)
    keep_answer(question, suggested, suggested=True)
    return suggested


def _question(architecture: Architecture, recipe: Recipe, card: Gpu | None, engine: str) -> Question:
    from tunesmith.memory.answers import Question

    kernels = card or find_gpu(REFERENCE_GPU)
    return Question(architecture=architecture, recipe=recipe, gpu=card, kernels=kernels, engine=engine)


def _computed(question: Question, known: Estimate | None, *, suggest: bool) -> Estimate:
    """Return the answer to *question* by running the step, unless it is *known* but for its suggestions."""
    from tunesmith.memory.estimate import estimate_from
    from tunesmith.memory.ledger import scaled_trace
    from tunesmith.memory.suggestions import suggestions

    architecture, recipe, kernels = question.architecture, question.recipe, question.kernels
    if known is None:
        run = partial(scaled_trace, trace=_trace) if question.engine == "ledger" else _trace
        traced = run(architecture, recipe, kernels)
        known = estimate_from(traced, model=architecture.name, recipe=recipe, gpu=question.gpu)
        known = replace(known, engine=question.engine)
    if not suggest:
        return known
    return replace(known, suggestions=suggestions(architecture, recipe, kernels, known, trace=_trace))


def ledger(recipe: Recipe | Mapping[str, Any] | str | Path) -> Ledger:
    """Return the closed form of *recipe*'s class around its batch and length, which answers in microseconds.

    It is fitted from traces of a few layers, checked on one more, and kept on disk. Raises what ``estimate``
    raises, and UnsupportedError where the step is of no closed form that is known.
    """
    from tunesmith.memory.answers import keep_ledger, kept_ledger

    chosen = _recipe(recipe)
    card = find_gpu(chosen.hardware.gpu) if chosen.hardware.gpu else None
    question = _question(load_architecture(chosen.model), chosen, card, "ledger")
    kept = kept_ledger(question)
    if kept is not None:
        return kept
    from tunesmith.memory.ledger import fit

    fitted = fit(question.architecture, chosen, question.kernels, trace=_trace)
    keep_ledger(question, fitted)
    return fitted


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
    top: int = 5,
    progress: Callable[[str, str], None] | None = None,
) -> Plans:
    """Return the best recipes for *model* on *gpus* cards in each of *nodes*, each confirmed by a trace.

    Without *gpu* cards and clusters are ranked, and the plans are those of the first. *data* gives the
    lengths, by the model's own tokenizer; *budget_usd* is for one pass over it. *prices* is a file in place
    of the dated table. *progress* is told what is being done, in English and Chinese.

    Raises what ``estimate`` and ``lengths`` raise for what the user can mend.
    """
    from tunesmith.hardware.prices import prices as read_prices
    from tunesmith.search import Engine, Wish, search, with_lengths
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
    )
    tell = progress or (lambda _en, _zh: None)
    if data is not None:
        tell("Measuring the data", "正在统计数据长度")
        wish = with_lengths(wish, lengths(data, model), sequence_length=sequence_length)
    engine = Engine(
        outline=_outline, estimate=_confirmed, prices=read_prices(prices), card=find_gpu, tell=tell
    )
    return search(wish, engine, top=top)


def _confirmed(recipe: Recipe) -> Estimate:
    """Return what *recipe* needs, from a few layers where its layers repeat, else from all."""
    try:
        return estimate(recipe, engine="ledger", timeline=False)
    except UnsupportedError:
        return estimate(recipe, timeline=False)


def _outline(recipe: Recipe, optims: Sequence[str]) -> Outline:
    """Return the outline of *recipe*'s class, from disk where it was made before."""
    from tunesmith.memory.outline import outline

    card = find_gpu(recipe.hardware.gpu or REFERENCE_GPU)
    return outline(load_architecture(recipe.model), recipe, card, trace=_trace, optims=optims)


def _trace(architecture: Architecture, recipe: Recipe, gpu: Gpu) -> Traced:
    """Return what the step records; PyTorch is imported only now."""
    # PyTorch's hints on the speed of DDP are not for a run that is estimated; it reads this when imported.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    try:
        from tunesmith.memory.trace import trace
    except ModuleNotFoundError as error:
        raise MissingExtraError.of(error.name or "PyTorch", "memory") from error
    return trace(architecture, recipe, gpu)


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


def make_recipe(changes: Mapping[str, Any], *, path: str | Path | None = None) -> Recipe:
    """Return the recipe of the file at *path* (``-``: standard input) with dotted *changes* made to it.

    Without *path* the changes are the recipe. A changed method drops the sections of the old one.

    >>> make_recipe({"model": "gpt2", "method": "lora", "adapter.r": 8}).adapter.r
    8
    """
    if path is None:
        return Recipe.from_mapping(with_changes({}, changes))
    if "method" not in changes:
        return read_recipe(path, changes=changes)
    model = {key: value for key, value in changes.items() if key == "model"}
    return read_recipe(path, changes=model).replace(**changes)


def import_recipe(
    path: str | Path, *, trainer: str | None = None, changes: Mapping[str, Any] | None = None
) -> Imported:
    """Return the recipe in another trainer's file at *path* (``-``: standard input), with every key's origin.

    The *trainer* is told by the file's keys where it is not named; dotted *changes* go before the file.
    """
    from tunesmith.trainers import read_path

    return read_path(path, trainer=trainer, changes=changes)


def export_recipe(
    recipe: Recipe | Mapping[str, Any] | str | Path,
    trainer: str,
    *,
    data: str | None = None,
    output_dir: str = "output",
) -> Export:
    """Return *recipe* as the files of *trainer*, the line that runs them, and what they cannot say.

    Raises UnsupportedError where the files would need other memory than the recipe.
    """
    from tunesmith.trainers import export

    return export(_recipe(recipe), trainer, data=data, output_dir=output_dir)


def show_import(imported: Imported, *, lang: str = "en") -> RenderableType:
    """Return where each choice of an imported recipe comes from, as text for a terminal."""
    from tunesmith.report.imported import provenance

    return provenance(imported, lang=lang)


def show(
    estimate: Estimate, *, lang: str = "en", explain: bool = False, folklore: bool = False
) -> RenderableType:
    """Return *estimate* as text for a terminal, which rich prints, in ``en`` or ``zh``.

    With *explain* every part is derived in words and numbers; with *folklore* the formulas that people use
    stand beside the answer.
    """
    from rich.console import Group

    from tunesmith.report.explain import explanation
    from tunesmith.report.folklore import beside
    from tunesmith.report.terminal import answer

    blocks: list[RenderableType] = [answer(estimate, lang=lang)]
    if explain:
        blocks += ["", explanation(estimate, lang=lang)]
    if folklore:
        blocks += ["", beside(estimate, _known_architecture(estimate.recipe), lang=lang)]
    return Group(*blocks)


def show_suggestions(answer: Estimate, *, lang: str = "en") -> RenderableType:
    """Return the suggestions of *answer* as text for a terminal; nothing where there are none."""
    from tunesmith.report.terminal import changes

    return changes(answer, lang=lang)


def _known_architecture(recipe: Recipe) -> Architecture | None:
    """Return the model's dimensions where they are at hand, without a download."""
    try:
        return load_architecture(recipe.model, download=False)
    except ArchitectureError:
        return None


def show_plans(plans: Plans, *, lang: str = "en", epochs: float = 1.0) -> RenderableType:
    """Return *plans* as text for a terminal, with hours and cost of *epochs* passes over the data."""
    from tunesmith.report.plans.terminal import answer

    return answer(plans, lang=lang, passes=epochs)


def write_plans(plans: Plans, path: str | Path, *, lang: str = "en", epochs: float = 1.0) -> Path:
    """Write *plans* to *path*, whole or not at all, and return the place.

    The suffix decides: the recipe of the first plan as .yaml, all plans on a page as .html, or their memory
    against their speed as .svg.
    """
    from tunesmith.report.outputs import checked_output, write_whole
    from tunesmith.report.plans.files import plans_text

    place = checked_output(path, suffixes=(*_SUFFIXES["recipe"], *_SUFFIXES["report"]))
    text = plans_text(plans, place.suffix.lower(), lang=lang, passes=epochs)
    write_whole(place, lambda draft: _write_text(draft, text))
    return place


def export_plan(
    plans: Plans, trainer: str, folder: str | Path, *, data: str | None = None, epochs: float = 1.0
) -> Export:
    """Write the first of *plans* as the files of *trainer* into *folder*, and return them.

    Raises UnsupportedError where that trainer cannot run it, and OutputError where nothing may be written.
    """
    from tunesmith.report.outputs import checked_folder, write_folder
    from tunesmith.report.plans.recipe_file import trained

    place = checked_folder(folder)
    export = export_recipe(trained(plans.plans[0].recipe, epochs), trainer, data=data)
    write_folder(place, {file.name: file.text for file in export.files})
    return export


def show_export(export: Export, folder: str | Path, *, lang: str = "en") -> RenderableType:
    """Return what was written for another trainer as text for a terminal."""
    from tunesmith.report.plans.exported import exported

    return exported(export, Path(folder), lang=lang)


def check_folder(path: str | Path) -> Path:
    """Return the folder at *path* if files can be written there; call it before long work."""
    from tunesmith.report.outputs import checked_folder

    return checked_folder(path)


def check_output(path: str | Path, *, kind: Literal["timeline", "snapshot", "recipe", "report"]) -> Path:
    """Return the place of a *kind* of file that can be written there; call it before long work.

    Raises OutputError for a suffix that is not one of the kind's, a folder, or where nothing may be written.
    """
    from tunesmith.report.outputs import checked_output

    return checked_output(path, suffixes=_SUFFIXES[kind])


def write(estimate: Estimate, path: str | Path, *, lang: str = "en") -> Path:
    """Write *estimate* to *path*, whole or not at all, and return the place.

    The suffix decides: a drawing of memory over the step as .html or .svg, its data as .json, or PyTorch's
    memory snapshot as .pickle, which ``python -m torch.cuda._memory_viz`` draws.
    """
    from tunesmith.report.outputs import checked_output, write_whole

    place, timeline = checked_output(path, suffixes=(*TIMELINES, *SNAPSHOTS)), estimate.timeline
    if timeline is None:
        raise UnsupportedError("this estimate has no timeline: it was evaluated, not traced. Trace it again.")
    if place.suffix.lower() in TIMELINES:
        from tunesmith.report.timeline import write_timeline

        write_whole(place, lambda draft: write_timeline(estimate, draft, lang=lang))
        return place
    from tunesmith.memory.allocator import AllocatorSettings
    from tunesmith.memory.snapshot import write_snapshot

    settings = AllocatorSettings.parse(estimate.recipe.hardware.alloc_conf or "")
    write_whole(place, lambda draft: write_snapshot(timeline, draft, settings=settings))
    return place


def _write_text(place: Path, text: str) -> None:
    place.write_text(text, encoding="utf-8", newline="\n")


def _recipe(recipe: Recipe | Mapping[str, Any] | str | Path) -> Recipe:
    if isinstance(recipe, Recipe):
        return recipe
    if isinstance(recipe, Mapping):
        return Recipe.from_mapping(recipe)
    return read_recipe(recipe)
