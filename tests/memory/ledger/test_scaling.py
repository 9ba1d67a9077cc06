"""A whole model's trace from a few layers is the trace of the whole model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tunesmith.architecture import parse_architecture
from tunesmith.errors import UnsupportedError
from tunesmith.hardware import Gpu
from tunesmith.memory.ledger import Trace, layers_for, scaled_trace
from tunesmith.memory.timeline import Timeline
from tunesmith.recipe import Recipe

SMALL: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": 1000,
    "max_position_embeddings": 65536,
    "num_hidden_layers": 6,
}
MIXED = {
    "first_k_dense_replace": 1,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "n_group": 1,
    "topk_group": 1,
}
LATENT = {
    "kv_lora_rank": 16,
    "q_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 16,
    "v_head_dim": 16,
}
MODELS: dict[str, dict[str, Any]] = {
    "llama": {"model_type": "llama", **SMALL},
    "gemma2": {"model_type": "gemma2", **SMALL, "num_hidden_layers": 8},
    "gpt2": {
        "model_type": "gpt2",
        "n_embd": 64,
        "n_layer": 6,
        "n_head": 4,
        "n_positions": 512,
        "vocab_size": 1000,
    },
    "deepseek_v3": {
        "model_type": "deepseek_v3",
        **SMALL,
        **MIXED,
        **LATENT,
        "num_key_value_heads": 4,
        "head_dim": 8,
        "moe_intermediate_size": 32,
    },
}
RUNS: dict[str, dict[str, Any]] = {
    "lora": {"method": "lora"},
    "lora without checkpointing": {"method": "lora", "gradient_checkpointing": False, "trainer": "trainer"},
    "qlora, 8-bit states": {"method": "qlora", "optim": "paged_adamw_8bit"},
    "full, foreach states, two passes": {
        "method": "full",
        "optim": "adamw_torch",
        "trainer": "loop",
        "gradient_accumulation_steps": 2,
    },
    "full under autocast": {"method": "full", "precision": {"weights": "float32", "autocast": "bfloat16"}},
    "last layers only": {"method": "freeze", "freeze": {"last_n_layers": 2}, "gradient_checkpointing": False},
}
CASES = [("llama", run) for run in RUNS] + [
    ("gemma2", "lora"),
    ("gpt2", "full, foreach states, two passes"),
    ("deepseek_v3", "full, foreach states, two passes"),
]


def trained(timeline: Timeline) -> Timeline:
    """Return *timeline* without the teardown of the trace, which comes after the last phase."""
    events = timeline.events[: timeline.phases[-1].end]
    return replace(timeline, events=events, storages=timeline.storages[: max(events)])


@pytest.mark.parametrize(("model", "run"), CASES)
def test_the_unrolled_timeline_is_the_traced_one_event_for_event(
    model: str, run: str, real_trace: Trace, card: Gpu
) -> None:
    whole = parse_architecture(MODELS[model])
    recipe = Recipe.from_mapping({"model": MODELS[model], "sequence_length": 256, **RUNS[run]})
    found = scaled_trace(whole, recipe, card, trace=real_trace)
    truth = real_trace(whole, recipe, card)
    assert found.timeline == trained(truth.timeline)
    assert (found.parameters, found.trainable_parameters) == (truth.parameters, truth.trainable_parameters)


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "lora", "adapter": {"target_modules": r".*\.layers\.3\.mlp\.up_proj"}},
        {"method": "lora", "adapter": {"options": {"layers_to_transform": [0, 5]}}},
        {"method": "freeze", "freeze": {"trainable": ["model.layers.5"]}},
        {"method": "freeze", "freeze": {"last_n_layers": 5}},
    ],
)
def test_a_recipe_that_names_single_layers_is_not_unrolled(changes: dict[str, Any]) -> None:
    recipe = Recipe.from_mapping({"model": MODELS["llama"], **changes})
    with pytest.raises(UnsupportedError, match="layer"):
        layers_for(parse_architecture(MODELS["llama"]), recipe)


def test_the_answer_says_from_how_many_layers_it_follows(real_trace: Trace, card: Gpu) -> None:
    recipe = Recipe.from_mapping({"model": MODELS["llama"], "method": "lora", "sequence_length": 64})
    found = scaled_trace(parse_architecture(MODELS["llama"]), recipe, card, trace=real_trace)
    assert "All 6 layers follow from traces of 2 and 3." in found.assumptions
