"""accelerate's reader of DeepSpeed's JSON takes every exported file; DeepSpeed's own is run by benchmarks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from accelerate.utils.deepspeed import HfDeepSpeedConfig

from tunesmith.errors import RecipeError, UnsupportedError
from tunesmith.recipe import Recipe
from tunesmith.trainers import export, read

pytestmark = pytest.mark.filterwarnings("ignore")  # what PyTorch and its libraries say of themselves

REST = {"model": "gpt2", "method": "full", "sequence_length": 128}


def exported(recipe: Recipe) -> dict[str, Any]:
    """Return the exported JSON."""
    found: dict[str, Any] = json.loads(export(recipe, "deepspeed").files[0].text)
    return found


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_transformers_reads_the_stage_and_the_offload(stage: int, recipes: dict[str, Recipe]) -> None:
    """The config of accelerate finds the stage and the offload that the recipe says."""
    recipe = recipes["full_zero3_offload"].replace(sharding=f"zero{stage}")
    config = HfDeepSpeedConfig(exported(recipe))
    assert config.is_zero3() is (stage == 3)
    assert config.is_zero2() is (stage == 2)
    assert config.is_offload() is (stage > 1)  # it asks ZeRO-2 and 3 only
    assert config.get_value("zero_optimization.offload_optimizer.device") == "cpu"
    assert config.get_value("zero_optimization.offload_optimizer.pin_memory") is True


def test_what_is_left_to_trainer_is_auto(recipes: dict[str, Recipe]) -> None:
    """Null in a recipe is auto in the file; a number is itself; of other stages nothing is written."""
    zero = exported(recipes["full_zero3_offload"])["zero_optimization"]
    assert zero["reduce_bucket_size"] == zero["stage3_prefetch_bucket_size"] == "auto"
    assert "allgather_bucket_size" not in zero
    chosen = recipes["full_zero3_offload"].replace(sharding="zero2", deepspeed={"reduce_bucket_size": 7})
    zero = exported(chosen)["zero_optimization"]
    assert zero["reduce_bucket_size"] == 7
    assert not any(name.startswith("stage3_") for name in zero)


def test_every_size_comes_back(recipes: dict[str, Recipe]) -> None:
    """DeepSpeed's own choices survive the way out and back."""
    sizes = {
        "reduce_bucket_size": 123,
        "overlap_comm": False,
        "contiguous_gradients": False,
        "stage3_max_live_parameters": 5,
        "stage3_param_persistence_threshold": 0,
        "sub_group_size": 9,
        "pin_memory": True,
    }
    recipe = recipes["full_zero3_offload"].replace(deepspeed=sizes)
    back = read(export(recipe, "deepspeed").files[0].text, changes=REST)
    assert back.recipe.deepspeed == recipe.deepspeed


def test_sizes_and_types_of_a_hand_written_file_are_read() -> None:
    """Batch, accumulation, clipping, bf16 and DeepSpeed's AdamW are choices too, with their lines."""
    text = json.dumps(
        {
            "train_micro_batch_size_per_gpu": 4,
            "gradient_accumulation_steps": 2,
            "gradient_clipping": 0.5,
            "bf16": {"enabled": True},
            "optimizer": {"type": "AdamW", "params": {"lr": 1e-4}},
            "zero_optimization": {
                "stage": 2,
                "reduce_bucket_size": 5e8,
                "offload_optimizer": {"device": "cpu"},
            },
        },
        indent=1,
    )
    back = read(text, source="ds.json", changes=REST)
    recipe = back.recipe
    assert (recipe.per_device_train_batch_size, recipe.gradient_accumulation_steps) == (4, 2)
    assert (recipe.max_grad_norm, recipe.precision.autocast, recipe.optim) == (
        0.5,
        "bfloat16",
        "adamw_torch_fused",
    )
    assert (recipe.sharding, recipe.offload.optimizer) == ("zero2", "cpu")
    assert recipe.deepspeed is not None and recipe.deepspeed.reduce_bucket_size == 500_000_000
    where = {origin.key: origin.where for origin in back.provenance}
    assert where["gradient_accumulation_steps"] == "ds.json, line 3: gradient_accumulation_steps"
    assert where["deepspeed.allgather_bucket_size"] == "deepspeed==0.19.8: deepspeed/runtime/zero/config.py"


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({"zero_hpz_partition_size": 8}, "ZeRO"),
        ({"zero_quantized_weights": True}, "quantised weights"),
        ({"cpu_offload": True}, "deprecated"),
    ],
)
def test_what_is_not_estimated_is_refused(section: dict[str, Any], told: str) -> None:
    """Parts of DeepSpeed that change memory and no recipe can say are refused by name."""
    with pytest.raises(UnsupportedError, match=told):
        read(json.dumps({"zero_optimization": {"stage": 3, **section}}), changes=REST)


def test_a_stage_that_does_not_exist_is_a_mistake() -> None:
    """DeepSpeed has stages 0 to 3."""
    with pytest.raises(RecipeError, match="an integer from 0 to 3"):
        read('{\n"zero_optimization": {"stage": 4}}', changes=REST)
