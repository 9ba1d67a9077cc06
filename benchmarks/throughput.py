"""How far computed times are from published runs: fits the efficiencies and writes docs/throughput.md.

    python benchmarks/throughput.py                                   fit on one half, score the other
    python benchmarks/throughput.py --trace                           count the work of every run again
    python benchmarks/throughput.py --write docs/throughput.md        write the page

A row of ``rows/throughput.jsonl`` is a JSON object a line: ``id``, ``source``, ``notes``, ``recipe``,
``tokens_per_second`` over all cards as they were measured, and, counted by ``--trace``, the ``work`` of one
step on one card, ``parameters``, ``trainable_parameters`` and ``weight_bytes``.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunesmith.hardware import Cluster, gpu
from tunesmith.memory.work import Work
from tunesmith.recipe import Recipe
from tunesmith.throughput import Interval, shared_work, tokens_per_step
from tunesmith.throughput.efficiency import EFFICIENCIES, GROUPS, LEAST, MOST, Efficiency, group
from tunesmith.throughput.step import bare_seconds

ROOT = Path(__file__).parent.parent
ROWS = ROOT / "benchmarks" / "rows" / "throughput.jsonl"
QUANTILES = (0.025, 0.975)
CLEAR = 1.3
"""Runs whose two ends differ by more than this depend on what hides behind what, and are not fitted."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One published run, ready to be computed."""

    id: str
    source: str
    notes: str
    recipe: Recipe
    cluster: Cluster
    work: Mapping[str, Sequence[Work]]
    measured_seconds: float
    """Of one optimizer step."""
    tokens_per_second: float

    @property
    def group(self) -> str:
        """Return the group of its card."""
        return group(self.cluster.gpu)


def read_rows(path: Path = ROWS) -> list[dict[str, Any]]:
    """Return the rows as they lie in the file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def run(row: Mapping[str, Any]) -> Run:
    """Return the run that *row* tells of; what cards share is added to the work of one."""
    recipe = Recipe.from_mapping(row["recipe"])
    where = recipe.hardware
    cluster = Cluster(gpu=gpu(str(where.gpu)), gpus=where.gpus, nodes=where.nodes)
    names = ("kind", "dtype", "flops", "moved_bytes", "kernels")
    work = {
        f"step2.{phase}": tuple(Work(**dict(zip(names, each, strict=True))) for each in works)
        for phase, works in row["work"].items()
    }
    full = recipe.method == "full" or recipe.precision.adapter in ("bfloat16", "float16")
    shared = shared_work(
        work,
        cluster,
        recipe,
        weight_bytes=row["weight_bytes"],
        trainable_bytes=row["trainable_parameters"] * (2 if full else 4),
        trainable_parameters=row["trainable_parameters"],
    )
    return Run(
        id=row["id"],
        source=row["source"],
        notes=row["notes"],
        recipe=recipe,
        cluster=cluster,
        work=shared,
        measured_seconds=tokens_per_step(cluster, recipe) / row["tokens_per_second"],
        tokens_per_second=row["tokens_per_second"],
    )


def halves(runs: Sequence[Run]) -> tuple[list[Run], list[Run]]:
    """Return every second run of each source, to fit, and the others, to be held out."""
    fitted: list[Run] = []
    held: list[Run] = []
    seen: dict[str, int] = {}
    for each in runs:
        number = seen[each.source] = seen.get(each.source, -1) + 1
        (fitted if number % 2 == 0 else held).append(each)
    return fitted, held


# -- fitting ------------------------------------------------------------------------------------------

Parameters = dict[str, float]
"""``matmul`` by group; for all, ``attention`` (over matmul), memory of servers and boards, and ``launch``."""

START: Parameters = {
    **{f"matmul {name}": 0.7 for name in GROUPS},
    "attention": 0.6,
    "server memory": 0.75,
    "board memory": 0.75,
    "launch": 10e-6,
}


def efficiencies(parameters: Parameters) -> dict[str, Efficiency]:
    """Return the efficiencies of each group that *parameters* stand for."""
    return {
        name: Efficiency(
            matmul=parameters[f"matmul {name}"],
            attention=parameters["attention"] * parameters[f"matmul {name}"],
            bandwidth=parameters["server memory" if "server" in name else "board memory"],
            launch_seconds=parameters["launch"],
        )
        for name in GROUPS
    }


def middle(interval: Interval) -> float:
    """Return the geometric mean of the two ends."""
    return math.sqrt(interval.low * interval.high)


def loss(parameters: Parameters, runs: Sequence[Run]) -> float:
    """Return the mean square of the logarithms of measured over computed time."""
    by_group = efficiencies(parameters)
    errors = []
    for each in runs:
        bare = bare_seconds(each.work, each.cluster, each.recipe, reached=by_group[each.group])
        errors.append(math.log(each.measured_seconds / middle(bare)) ** 2)
    return statistics.fmean(errors)


def fit(runs: Sequence[Run]) -> Parameters:
    """Return the parameters of least loss over the *runs* whose two ends nearly agree."""
    clear = [each for each in runs if _is_clear(each)]
    best, reach = dict(START), 1.3
    least = loss(best, clear)
    while reach > 1.002:
        moved = False
        for name in best:
            for factor in (reach, 1 / reach):
                tried = {**best, name: best[name] * factor}
                score = loss(tried, clear)
                if score < least:
                    best, least, moved = tried, score, True
        if not moved:
            reach = math.sqrt(reach)
    return best


def _is_clear(each: Run) -> bool:
    reached = efficiencies(START)[each.group]
    bare = bare_seconds(each.work, each.cluster, each.recipe, reached=reached)
    return bare.high <= CLEAR * bare.low


def ratios(runs: Sequence[Run]) -> list[tuple[float, float]]:
    """Return measured over computed time at both ends, with the efficiencies of the package."""
    found = []
    for each in runs:
        bare = bare_seconds(each.work, each.cluster, each.recipe)
        found.append((each.measured_seconds / bare.low, each.measured_seconds / bare.high))
    return found


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which *share* of *values* lie, between neighbours in proportion."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def spread(runs: Sequence[Run]) -> tuple[float, float]:
    """Return what the ends of an interval are multiplied with, from the quantiles of *runs*."""
    pairs = ratios(runs)
    return quantile([low for low, _ in pairs], QUANTILES[0]), quantile(
        [high for _, high in pairs], QUANTILES[1]
    )


# -- counting the work --------------------------------------------------------------------------------


def counted(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return *row* with the work of one step on one card, counted while it is traced."""
    from tunesmith.architecture import load_architecture
    from tunesmith.memory.ledger import scaled_trace
    from tunesmith.memory.trace import trace

    alone = {
        "sharding": "none",
        "hardware": {"gpu": row["recipe"]["hardware"]["gpu"]},
        "gradient_accumulation_steps": 1,
    }
    recipe = Recipe.from_mapping({**row["recipe"], **alone})
    traced = scaled_trace(load_architecture(recipe.model), recipe, gpu(str(recipe.hardware.gpu)), trace=trace)
    weights = ("weights", "adapter weights", "quantization constants")
    return {
        **row,
        "work": {
            phase.removeprefix("step2."): [
                [w.kind, w.dtype, w.flops, w.moved_bytes, w.kernels] for w in works
            ]
            for phase, works in traced.work.items()
            if phase.startswith("step2.") and works
        },
        "parameters": traced.parameters,
        "trainable_parameters": traced.trainable_parameters,
        "weight_bytes": sum(s.bytes for s in traced.timeline.storages if s.category in weights),
    }


# -- the page -----------------------------------------------------------------------------------------


def report(runs: Sequence[Run]) -> str:
    """Return the whole page."""
    fitted, held = halves(runs)
    lines = [
        "# Throughput",
        "",
        "Generated by `python benchmarks/throughput.py --write docs/throughput.md`; do not edit.",
        "",
        *_METHOD.splitlines(),
        "",
        "## Shares of printed rates",
        "",
        "| cards | matrix products | attention | memory | one launch |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| {name} | {e.matmul:.2f} | {e.attention:.2f} | {e.bandwidth:.2f} "
            f"| {1e6 * e.launch_seconds:.0f} µs |"
            for name, e in EFFICIENCIES.items()
        ),
        "",
        *_GROUPS.splitlines(),
        "",
        "## How well they meet published runs",
        "",
        "Error of the middle of the interval: measured over computed time, less 1.",
        "",
        "| runs | number | median error | median size | 90th percentile | inside the interval |",
        "|---|---:|---:|---:|---:|---:|",
        _summary("fitted half", fitted),
        _summary("held-out half", held),
        *(_summary(f"{name}, held out", [r for r in held if r.group == name]) for name in GROUPS),
        "",
        f"The interval is computed time times {LEAST:.2f} at the lower end and {MOST:.2f} at the upper: the "
        "2.5th and 97.5th percentile over all runs, so that the interval holds 95 of 100.",
        "",
        "## Every run",
        "",
        "| run | card | measured tokens/s | computed tokens/s | measured / computed time |",
        "|---|---|---:|---|---:|",
        *map(_line, runs),
        "",
        "## Sources",
        "",
        *(f"- {source}: {', '.join(r.id for r in runs if r.source == source)}." for source in _sources(runs)),
    ]
    return "\n".join(lines) + "\n"


_METHOD = """The time of a step is computed, not looked up. While a step is traced, every operation's
arithmetic and traffic are counted from its real shapes: recomputation, frozen weights without gradients and
dequantised weights are in the count because they are run. A kernel takes its arithmetic at the rate of its
type plus its traffic at the rate of the memory; if Python cannot launch kernels so fast, its time counts
instead. Communication and copies hide behind computation at the lower end of the interval and add to it at
the upper.

Few numbers are fitted: which share of printed rates matrix products reach by group of cards, attention
relative to them, memory on server cards and on boards, and the time of one launch. They are fitted to every
second run of each source, and only to runs whose two ends differ by less than 30 %; no number belongs to one
run. Few runs on Hopper were published with all that a computation needs, and none on Blackwell: there the
interval is a guess."""

_GROUPS = """`server`: HBM until Ampere (V100, A30, A100). `new server`: HBM since Hopper. `halved board`:
graphics boards whose tensor cores run at half the rate of their chip, so that power and memory keep up
(GeForce since Ampere, L40). `board`: the others since Ampere, which power holds back (A10, RTX A5000, L4,
L40S, RTX 6000 Ada). `old board`: those before (T4, RTX 20)."""


def _sources(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(each.source for each in runs))


def _errors(runs: Sequence[Run]) -> list[float]:
    return [math.sqrt(low * high) - 1 for low, high in ratios(runs)]


def _summary(name: str, runs: Sequence[Run]) -> str:
    errors = _errors(runs)
    sizes = sorted(map(abs, errors))
    inside = sum(low >= LEAST and high <= MOST for low, high in ratios(runs))
    return (
        f"| {name} | {len(runs)} | {100 * statistics.median(errors):+.0f} % "
        f"| {100 * statistics.median(sizes):.0f} % "
        f"| {100 * quantile(sizes, 0.9):.0f} % | {inside} of {len(runs)} |"
    )


def _line(each: Run) -> str:
    bare = bare_seconds(each.work, each.cluster, each.recipe)
    tokens = tokens_per_step(each.cluster, each.recipe)
    ends = f"{tokens / (bare.high * MOST):,.0f} to {tokens / (bare.low * LEAST):,.0f}"
    cards = each.cluster.cards
    card = each.cluster.gpu.name if cards == 1 else f"{cards} x {each.cluster.gpu.name}"
    return (
        f"| {each.id} | {card} | {each.tokens_per_second:,.0f} | {ends} "
        f"| {each.measured_seconds / middle(bare):.2f} |"
    )


def main(argv: list[str] | None = None) -> int:
    """Fit and score; count the work again and write the page where that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trace", action="store_true", help="count the work of every run again")
    parser.add_argument("--write", type=Path, help="the page to write")
    chosen = parser.parse_args(argv)
    if chosen.trace:
        rows = [counted(row) for row in read_rows()]
        ROWS.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    runs = [run(row) for row in read_rows()]
    fitted, held = halves(runs)
    found = fit(fitted)
    show: Callable[[float], str] = "{:.3g}".format
    print("fitted:", {name: show(value) for name, value in found.items()})
    for name, each in efficiencies(found).items():
        print(f"  {name}: {each}")
    print("spread (LEAST, MOST):", *map(show, spread(runs)))
    for name, some in (("fitted half", fitted), ("held-out half", held)):
        print(_summary(name, some))
    if chosen.write:
        chosen.write.write_text(report(runs), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
