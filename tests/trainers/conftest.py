"""The five recipes whose exports are kept as files and read by eye, and where they are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tunesmith.recipe import Recipe

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "trainers"

RECIPES: dict[str, dict[str, Any]] = {
    "qlora_one_card": {
        "model": "meta-llama/Meta-Llama-3-8B",
        "method": "qlora",
        "attn_implementation": "sdpa",
        "optim": "paged_adamw_8bit",
        "gradient_accumulation_steps": 16,
        "hardware": {"gpu": "RTX 4090", "alloc_conf": "expandable_segments:True"},
        "training": {
            "learning_rate": 2e-4,
            "num_train_epochs": 1.0,
            "lr_scheduler_type": "cosine",
            "warmup_ratio": 0.03,
            "save_steps": 200,
        },
    },
    "lora_packed": {
        "model": "Qwen/Qwen2.5-7B-Instruct",
        "method": "lora",
        "adapter": {"r": 8, "lora_dropout": 0.0, "target_modules": ["q_proj", "v_proj"]},
        "precision": {"weights": "bfloat16", "autocast": "bfloat16"},
        "attn_implementation": "flash_attention_2",
        "packing": True,
        "per_device_train_batch_size": 4,
        "sequence_length": 4096,
        "max_grad_norm": 0.3,
        "hardware": {"gpu": "A100-80GB"},
    },
    "full_fsdp": {
        "model": "meta-llama/Meta-Llama-3-8B",
        "method": "full",
        "sharding": "fsdp",
        "hardware": {"gpu": "A100-80GB", "gpus": 8},
    },
    "qlora_fsdp": {
        "model": "meta-llama/Meta-Llama-3-8B",
        "method": "qlora",
        "quantization": {"quant_storage": "bfloat16"},
        "attn_implementation": "sdpa",
        "sharding": "fsdp",
        "gradient_accumulation_steps": 4,
        "sync_each_batch": True,
        "precision": {"weights": "bfloat16", "autocast": "bfloat16"},
        "hardware": {"gpu": "RTX 4090", "gpus": 2},
    },
    "full_zero3_offload": {
        "model": "Qwen/Qwen2.5-7B-Instruct",
        "method": "full",
        "sharding": "zero3",
        "offload": {"optimizer": "cpu"},
        "deepspeed": {"pin_memory": True},
        "precision": {"weights": "float32", "autocast": "bfloat16"},
        "optim": "adamw_torch",
        "hardware": {"gpu": "A100-80GB", "gpus": 4, "nodes": 2},
    },
}


@pytest.fixture
def golden() -> Path:
    """The folder of the kept exports: a folder a recipe, in it one a trainer."""
    return GOLDEN


@pytest.fixture
def recipes() -> dict[str, Recipe]:
    """The recipes of the kept exports, by name."""
    return {name: Recipe.from_mapping(mapping) for name, mapping in RECIPES.items()}
