"""Tensor parallelism on a device without memory leaves on a card what two real processes leave on rank 0."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.architecture import load_architecture
from tunesmith.errors import RecipeError, UnsupportedError
from tunesmith.hardware import gpu
from tunesmith.memory.estimate import Estimate, Traced, estimate_from
from tunesmith.memory.ledger import scaled_trace
from tunesmith.memory.trace import trace
from tunesmith.recipe import Recipe

REAL = json.loads((Path(__file__).parent / "tensor_runs.json").read_text(encoding="utf-8"))["rows"]
CUDA = json.loads((Path(__file__).parent / "tensor_cuda_runs.json").read_text(encoding="utf-8"))["rows"]
TINY: dict[str, Any] = {"model_type": "llama", "hidden_size": 64, "intermediate_size": 128}
TINY |= {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4, "vocab_size": 256}
STEP: dict[str, Any] = {"method": "full", "trainer": "trainer", "optim": "adamw_torch"}
STEP |= {"sequence_length": 32, "gradient_checkpointing": False}
HYBRID = {"cards": 4, "nodes": 2, "sharding": "fsdp_hybrid"}
MIXED = {"weights": "float32", "autocast": "bfloat16"}


def recipe_of(model: dict[str, Any] = TINY, *, cards: int = 2, nodes: int = 1, **changes: Any) -> Recipe:
    """Return a recipe over *cards* in each of *nodes*; tensor parallelism over two of them unless said."""
    choices = {"parallel": {"tensor": 2}, "hardware": {"gpus": cards, "nodes": nodes}} | changes
    return Recipe.from_mapping({"model": model} | STEP | choices)


def traced(recipe: Recipe, *, scaled: bool = False) -> Traced:
    """Return the trace of *recipe*, from a few layers if *scaled*."""
    architecture, card = load_architecture(recipe.model), gpu("A100-80GB")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if scaled:
            return scaled_trace(architecture, recipe, card, trace=trace)
        return trace(architecture, recipe, card)


def answer(recipe: Recipe, *, scaled: bool = False) -> Estimate:
    """Return the estimate of *recipe*."""
    run = traced(recipe, scaled=scaled)
    return estimate_from(run, model="tiny", recipe=recipe, gpu=gpu("A100-80GB"))


def live(run: Traced, moment: str, *categories: str) -> Counter[int]:
    """Return how many storages of each size live at the end of *moment*, of these *categories*."""
    end = next(phase.end for phase in run.timeline.phases if phase.name == moment)
    alive: set[int] = set()
    for event in run.timeline.events[:end]:
        alive.add(event) if event > 0 else alive.remove(-event)
    storages = (run.timeline.storages[event - 1] for event in alive)
    return Counter(each.bytes for each in storages if each.category in categories)


@pytest.mark.parametrize("row", CUDA, ids=lambda row: row["name"])
def test_every_phase_takes_what_pytorchs_allocator_counted(row: dict[str, Any]) -> None:
    """Allocated and reserved bytes of each phase are those of the CUDA build, none off by a byte."""
    phases = {phase.name: phase for phase in answer(Recipe.from_mapping(row["recipe"])).phases}
    for name, end_bytes, peak_bytes, reserved_bytes in row["phases"]:
        phase = phases[name]
        assert (phase.allocated_end_bytes, phase.reserved_bytes) == (end_bytes, reserved_bytes), name
        if not name.endswith(("clip", "begin")):  # see README.md
            assert phase.allocated_peak_bytes == peak_bytes, name


@pytest.mark.parametrize("row", REAL, ids=lambda row: row["name"])
def test_a_card_holds_what_a_real_rank_holds(row: dict[str, Any]) -> None:
    """Weights, gradients and states have the sizes that two processes had, one by one."""
    changes: dict[str, Any] = {}
    if row["targets"]:
        adapter = {"r": 16, "target_modules": row["targets"]}
        changes = {"method": "lora", "adapter": adapter}
    run = traced(recipe_of(row["model"], **changes))
    assert live(run, "step1.backward", "weights", "adapter weights") == Counter(row["bytes"]["weights"])
    assert live(run, "step1.backward", "gradients") == Counter(row["bytes"]["gradients"])
    states = live(run, "step1.step", "optimizer states")
    del states[4]  # the counters of steps
    assert states == Counter(row["bytes"]["optimizer states"])


@pytest.mark.parametrize(
    ("tensor", "changes"),
    [(2, {}), (4, {}), (2, {"cards": 4, "sharding": "fsdp"}), (2, HYBRID)],
    ids=["2", "4", "fsdp", "hybrid"],
)
def test_what_is_split_is_split_evenly(tensor: int, changes: dict[str, Any]) -> None:
    """All cards' weights together are the model's, with its norms once for each of the cards that split."""
    choices = {"cards": tensor, "parallel": {"tensor": tensor}} | changes
    run = traced(recipe_of(**choices))
    shards = choices["cards"] // tensor
    norms = 5 * 64 * 2
    mine = sum(size * count for size, count in live(run, "load", "weights").items())
    assert (mine * shards - norms) * tensor + norms == run.parameters * 2


def test_one_card_is_not_changed() -> None:
    """A section of ones is no section."""
    plain = recipe_of(cards=1, parallel=None)
    ones = recipe_of(cards=1, parallel={"tensor": 1})
    assert traced(plain).timeline == traced(ones).timeline


@pytest.mark.parametrize("changes", [{}, {"trainer": "sft"}, {"precision": MIXED}], ids=["", "sft", "mixed"])
def test_memory_never_rises_with_the_cards(changes: dict[str, Any]) -> None:
    """Twice the cards hold no more each, and the parts sum to the total."""
    sizes = []
    for tensor in (1, 2, 4):
        estimate = answer(recipe_of(cards=tensor, parallel={"tensor": tensor}, **changes))
        assert sum(estimate.parts.values()) == estimate.peak.allocated_bytes
        sizes.append(estimate.peak.allocated_bytes)
    assert sizes == sorted(sizes, reverse=True)


def test_few_layers_stand_for_all_beside_fsdp() -> None:
    """The timeline that is unrolled from a few layers has the peaks and phases of the whole trace."""
    recipe = recipe_of(TINY | {"num_hidden_layers": 7}, cards=4, sharding="fsdp")
    few, whole = answer(recipe, scaled=True), answer(recipe)
    assert (few.peak, few.parts, few.phases) == (whole.peak, whole.parts, whole.phases)


def test_the_answer_says_who_splits() -> None:
    """What splits the layers is named, and DDP, which does not run, is not."""
    said = traced(recipe_of(cards=4, sharding="fsdp")).assumptions
    assert any("split over 2 cards by transformers' DistributedConfig" in each for each in said)
    assert any("fsdp_plan" in each for each in said)
    assert not any("DistributedDataParallel" in each for each in said)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"parallel": {"tensor": 2, "context": 2}, "cards": 4, "sharding": "fsdp"}, "beside tensor"),
        ({"parallel": {"pipeline": 2}}, "inference"),
        ({"trainer": "loop"}, "Set trainer: trainer or sft"),
        ({"method": "qlora"}, "bitsandbytes"),
        ({"optim": "adamw_8bit"}, "cannot step on the parts"),
        ({"sharding": "zero2", "cards": 4}, "only transformers' own FSDP2"),
        ({"method": "lora"}, "without those"),
        ({"method": "lora", "cards": 4, "sharding": "fsdp"}, "another size"),
        ({"sharding": "fsdp", "offload": {"optimizer": "cpu", "parameters": "cpu"}}, "Set offload to none"),
        ({"model": {"model_type": "gpt2", "n_layer": 2, "n_embd": 64, "n_head": 4}}, "no `tp_plan`"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_reproduced_is_refused(changes: dict[str, Any], says: str) -> None:
    """No figure where nothing was run, and a sentence that says why."""
    with pytest.raises(UnsupportedError, match=says):
        traced(recipe_of(**changes))


@given(tensor=st.sampled_from((3, 8)), heads=st.sampled_from((4, 16)))
@settings(max_examples=4, deadline=None)
def test_heads_are_not_cut(tensor: int, heads: int) -> None:
    """A number that does not divide the heads is refused with both numbers."""
    model = TINY | {"num_attention_heads": heads, "num_key_value_heads": 4}
    with pytest.raises(RecipeError, match=f"given {tensor}.*the {heads} attention heads"):
        traced(recipe_of(model, cards=tensor, parallel={"tensor": tensor}))
