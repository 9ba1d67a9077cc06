"""What outlines cost and how far they are from traces: recipes a second, and errors on one card and on many.

    python benchmarks/search.py                                    time only, on Llama-2-7B
    python benchmarks/search.py --errors                           and compare with traces; takes minutes
    python benchmarks/search.py --errors --write docs/outlines.md  and write the page

Times are of this machine, each also as a multiple of one recipe's: compare ratios, not seconds.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tunesmith.architecture import Architecture, load_architecture
from tunesmith.errors import UnsupportedError
from tunesmith.hardware import gpu
from tunesmith.memory.estimate import Estimate, estimate_from
from tunesmith.memory.ledger import scaled_trace
from tunesmith.memory.outline import Outline, Variation, outline
from tunesmith.recipe import Recipe
from tunesmith.units import GIB

MODEL = "meta-llama/Llama-2-7b-hf"
EXPERTS = "mistralai/Mixtral-8x7B-v0.1"
CARD = gpu("A100-80GB")
OPTIMS = ("adamw_torch", "adamw_8bit")
CLASSES: dict[str, tuple[str, dict[str, Any]]] = {
    "7B full": (MODEL, {"method": "full"}),
    "7B full, no checkpointing": (MODEL, {"method": "full", "gradient_checkpointing": False}),
    "7B LoRA": (MODEL, {"method": "lora"}),
    "7B QLoRA": (MODEL, {"method": "qlora"}),
    "8x7B full": (EXPERTS, {"method": "full"}),
}
ALONE: tuple[dict[str, Any], ...] = (
    {"batch": 1},
    {"batch": 8},
    {"batch": 3, "length": 1000, "accumulation": 4},
    {"optim": "adamw_torch"},
    {"optim": "adamw_8bit", "accumulation": 2},
)
TOGETHER: tuple[dict[str, Any], ...] = (
    {"sharding": "ddp"},
    {"sharding": "fsdp"},
    {"sharding": "fsdp", "gpus": 2, "accumulation": 2},
    {"sharding": "fsdp_grad_op"},
    {"sharding": "zero2"},
    {"sharding": "zero3"},
)


def recipe_of(name: str) -> Recipe:
    """Return the recipe that stands for a class."""
    model, choices = CLASSES[name]
    start = {"model": model, "sequence_length": 1024, "per_device_train_batch_size": 2}
    return Recipe.from_mapping(start | choices)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds that *work* takes, and what it returns."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def space(known: Outline) -> Iterator[Variation]:
    """Yield the recipes of a search over one class."""
    ranks = (None,) if not known.r else (8, 16, 64)
    optims = (known.optim, *known.optimizers)
    shardings = (("none", 1), ("ddp", 8), ("fsdp", 4), ("fsdp", 8), ("zero2", 8), ("zero3", 8))
    for batch, accumulation, optim, r, (sharding, gpus) in itertools.product(
        (1, 2, 4, 8, 16, 32), (1, 2, 4, 8), optims, ranks, shardings
    ):
        yield Variation(
            batch=batch,
            length=1024,
            accumulation=accumulation,
            optim=optim,
            r=r,
            sharding=sharding,
            gpus=gpus,
        )


def time_all(trace: Callable[..., Any]) -> list[str]:
    """Return lines on what an outline and a recipe cost."""
    architecture, lines = load_architecture(MODEL), []
    for name in ("7B full", "7B LoRA"):
        recipe = recipe_of(name)
        scaled_trace(architecture, recipe, CARD, trace=trace)  # pays for what libraries load lazily
        one, _ = timed(lambda recipe=recipe: scaled_trace(architecture, recipe, CARD, trace=trace))
        cold, known = timed(lambda recipe=recipe: outline(architecture, recipe, CARD, trace=trace))
        known = outline(architecture, recipe, CARD, trace=trace, optims=OPTIMS)
        recipes = list(space(known)) * 8
        spent, _ = timed(lambda known=known, recipes=recipes: known.peaks(recipes))
        each = spent / len(recipes)
        lines += [
            f"{name}: {1 / each:,.0f} recipes a second over {len(recipes):,} recipes",
            f"  a scaled trace costs {one:.2f} s, as much as {one / each:,.0f} recipes",
            f"  an outline costs {cold:.2f} s, as much as {cold / one:.1f} scaled traces",
        ]
    return lines


def exact(architecture: Architecture, recipe: Recipe, trace: Callable[..., Any]) -> Estimate:
    """Return what a traced run needs, all layers run where a few do not stand for them."""
    try:
        traced = scaled_trace(architecture, recipe, CARD, trace=trace)
    except UnsupportedError:
        traced = trace(architecture, recipe, CARD)
    return estimate_from(traced, model=architecture.name, recipe=recipe, gpu=None)


def errors(trace: Callable[..., Any]) -> Iterator[tuple[str, bool, Variation, int, int, float]]:
    """Yield class, whether many cards, variation, outlined and traced bytes, and the error of reserved."""
    for name in CLASSES:
        recipe = recipe_of(name)
        architecture = load_architecture(recipe.model)
        known = outline(architecture, recipe, CARD, trace=trace, optims=OPTIMS)
        for changes in (*ALONE, *TOGETHER):
            many = changes in TOGETHER
            variation = Variation(**({"batch": 2, "length": 1024, "gpus": 8 if many else 1} | changes))
            try:
                true = exact(architecture, recipe.replace(**variation.changes()), trace).peak
            except UnsupportedError:
                continue
            found = known.needs(variation)
            reserved = found.reserved_bytes / true.reserved_bytes - 1
            yield name, many, variation, found.allocated_bytes, true.allocated_bytes, reserved


def page(trace: Callable[..., Any]) -> str:
    """Return the table of errors as a page."""
    rows, spread = [], {True: [], False: []}
    for name, many, v, found, true, reserved in errors(trace):
        error = found / true - 1
        spread[many].append(error)
        rows.append(
            f"| {name} | {v.batch} x {v.length} x {v.accumulation} | {v.optim} | "
            f"{v.sharding if many else 'one card'}{f' x {v.gpus}' if many else ''} | {found / GIB:.2f} | "
            f"{true / GIB:.2f} | {error:+.2%} | {reserved:+.0%} |"
        )
        print(rows[-1], flush=True)
    said = "; ".join(
        f"{'many cards' if many else 'one card'}: median {statistics.median(map(abs, found)):.2%}, "
        f"worst {max(found, key=abs):+.2%}, lowest {min(found):+.2%}, {len(found)} recipes"
        for many, found in spread.items()
        if found
    )
    return "\n".join(
        (
            "# How far outlines are from traces",
            "",
            "`plan` weighs tens of thousands of recipes a second by outlines (see `memory/README.md`) and",
            "confirms what it shows by a trace. This page compares the two; `benchmarks/search.py` wrote it.",
            "",
            f"Allocated bytes in GiB, {said}. Reserved bytes are an estimate until a recipe is traced.",
            "",
            "| class | batch x length x passes | optimizer | cards | outline | trace | error | reserved |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
            "",
        )
    )


def main() -> None:
    """Print the times, and the errors if they are asked for."""
    warnings.simplefilter("ignore")
    from tunesmith.memory.trace import trace

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--errors", action="store_true")
    parser.add_argument("--write", type=Path)
    asked = parser.parse_args()
    print("\n".join(time_all(trace)), flush=True)
    if asked.errors:
        text = page(trace)
        if asked.write:
            asked.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
