"""Tiny models of many families, and the trace of a step on them: real libraries, a few milliseconds each."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import pytest

with warnings.catch_warnings():  # what libraries say of themselves while they are imported
    warnings.simplefilter("ignore")
    from tunesmith.memory.trace import trace

from tunesmith.architecture import load_architecture
from tunesmith.hardware import gpu
from tunesmith.memory.estimate import Traced
from tunesmith.recipe import Recipe

DIMENSIONS: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 256,
    "max_position_embeddings": 128,
}
EXPERTS: dict[str, Any] = {"num_experts_per_tok": 2, "moe_intermediate_size": 32}
OPENAI: dict[str, Any] = {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 128, "vocab_size": 256}
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": DIMENSIONS,
    "mistral": DIMENSIONS,
    "qwen2": DIMENSIONS,
    "qwen3": DIMENSIONS | {"head_dim": 16},
    "gemma2": DIMENSIONS | {"head_dim": 16, "sliding_window": 16},
    "gemma3_text": DIMENSIONS | {"head_dim": 16, "sliding_window": 16},
    "phi3": DIMENSIONS | {"pad_token_id": 0},
    "gpt2": OPENAI,
    "gpt_neox": DIMENSIONS,
    "opt": DIMENSIONS | {"ffn_dim": 128, "word_embed_proj_dim": 64},
    "bloom": {"hidden_size": 64, "n_layer": 2, "n_head": 4, "vocab_size": 256},
    "falcon": DIMENSIONS,
    "mixtral": DIMENSIONS | {"num_local_experts": 4, "num_experts_per_tok": 2},
    "qwen3_moe": DIMENSIONS | EXPERTS | {"num_experts": 4, "head_dim": 16},
    "deepseek_v3": DIMENSIONS
    | EXPERTS
    | {
        "num_key_value_heads": 4,
        "n_routed_experts": 4,
        "n_group": 2,
        "topk_group": 1,
        "n_shared_experts": 1,
        "first_k_dense_replace": 1,
        "q_lora_rank": 16,
        "kv_lora_rank": 16,
        "qk_nope_head_dim": 16,
        "qk_rope_head_dim": 8,
        "v_head_dim": 16,
    },
}
"""Sizes of a tiny model of each family, by its model_type."""

STEP: dict[str, Any] = {
    "method": "lora",
    "trainer": "loop",
    "sequence_length": 32,
    "gradient_checkpointing": False,
    "attention_mask": False,
    "optim": "adamw_torch",
    "hardware": {"gpu": "A100-80GB"},
}
"""The run that tests begin with; each names only what it changes."""


def tiny(family: str = "llama", **changes: Any) -> dict[str, Any]:
    """Return the config of a tiny model of *family*."""
    return {"model_type": family, **FAMILIES[family], **changes}


def tiny_recipe(changes: Mapping[str, Any]) -> Recipe:
    """Return the recipe of a run on a tiny model, with *changes*."""
    return Recipe.from_mapping({"model": tiny(), **STEP, **changes})


@pytest.fixture(scope="session")
def traced() -> Callable[..., Traced]:
    """Return a function from changes of a tiny recipe to its trace; equal runs are traced once."""
    known: dict[str, Traced] = {}

    def run(**changes: Any) -> Traced:
        key = json.dumps(changes, sort_keys=True)
        if key not in known:
            recipe = tiny_recipe(changes)
            card = gpu(recipe.hardware.gpu or "A100-80GB")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                known[key] = trace(load_architecture(recipe.model), recipe, card)
        return known[key]

    return run
