"""LLaMA-Factory's files mean what its own code makes of them."""

from __future__ import annotations

from typing import Any

import pytest

from tunesmith.errors import RecipeError, UnsupportedError
from tunesmith.recipe import Recipe
from tunesmith.trainers import export, read

LORA = """\
model_name_or_path: meta-llama/Meta-Llama-3-8B-Instruct
trust_remote_code: true
stage: sft
do_train: true
finetuning_type: lora
lora_rank: 8
lora_target: all
dataset: identity,alpaca_en_demo
template: llama3
cutoff_len: 2048
max_samples: 1000
preprocessing_num_workers: 16
dataloader_num_workers: 4
output_dir: saves/llama3-8b/lora/sft
logging_steps: 10
save_steps: 500
plot_loss: true
overwrite_output_dir: true
save_only_model: false
report_to: none
per_device_train_batch_size: 1
gradient_accumulation_steps: 8
learning_rate: 1.0e-4
num_train_epochs: 3.0
lr_scheduler_type: cosine
warmup_ratio: 0.1
bf16: true
ddp_timeout: 180000000
resume_from_checkpoint: null
"""
"""hiyouga/LLaMA-Factory@v0.9.5:examples/train_lora/llama3_lora_sft.yaml"""


def with_lines(**changes: Any) -> str:
    """Return the file with lines added, and those of the same key taken out."""
    kept = [line for line in LORA.splitlines() if line.partition(":")[0] not in changes]
    return "\n".join([*kept, *(f"{key}: {value}" for key, value in changes.items())]) + "\n"


def test_its_own_example_is_read_whole() -> None:
    """The published LoRA example: all keys known, alpha twice the rank, checkpointing on and reentrant."""
    back = read(LORA)
    recipe = back.recipe
    assert back.trainer == "llamafactory" and back.warnings == ()
    assert recipe.adapter is not None
    assert (recipe.adapter.r, recipe.adapter.lora_alpha, recipe.adapter.lora_dropout) == (8, 16, 0.0)
    assert recipe.adapter.target_modules == "all-linear"
    assert (recipe.precision.weights, recipe.precision.autocast) == ("bfloat16", "bfloat16")
    assert recipe.gradient_checkpointing and recipe.gradient_checkpointing_kwargs == {"use_reentrant": True}
    assert (recipe.gradient_accumulation_steps, recipe.sequence_length, recipe.trainer) == (
        8,
        2048,
        "trainer",
    )
    assert recipe.training is not None and recipe.training.warmup_ratio == 0.1


@pytest.mark.parametrize(
    ("changes", "weights", "autocast"),
    [
        ({"finetuning_type": "full"}, "float32", "bfloat16"),
        ({"finetuning_type": "full", "pure_bf16": "true", "bf16": "false"}, "bfloat16", None),
        ({"finetuning_type": "full", "bf16": "false"}, "float32", None),
        ({"fp16": "true", "bf16": "false"}, "bfloat16", "float16"),
        ({"pure_bf16": "true", "bf16": "false"}, "bfloat16", None),
    ],
)
def test_types_follow_bf16_fp16_and_pure_bf16(
    changes: dict[str, Any], weights: str, autocast: str | None
) -> None:
    """What learns is made float32 unless pure_bf16 is set; what is frozen has its file's type."""
    recipe = read(with_lines(**changes)).recipe
    assert (recipe.precision.weights, recipe.precision.autocast) == (weights, autocast)


def test_quantisation_is_bitsandbytes_without_preparation() -> None:
    """quantization_bit makes a QLoRA, nf4 and twice by default; PEFT's preparation is not run."""
    recipe = read(with_lines(quantization_bit=4)).recipe
    assert recipe.method == "qlora" and recipe.quantization is not None
    assert (recipe.quantization.quant_type, recipe.quantization.double_quant) == ("nf4", True)
    assert recipe.quantization.kbit_preparation is False
    with pytest.raises(UnsupportedError, match="bitsandbytes"):
        read(with_lines(quantization_bit=4, quantization_method="hqq"))


def test_the_last_layers_are_freed() -> None:
    """Freezing with whole layers from the last is a recipe's, in pure bfloat16; other freezing is refused."""
    recipe = read(with_lines(finetuning_type="freeze", pure_bf16="true", freeze_trainable_layers=4)).recipe
    assert recipe.freeze is not None and recipe.freeze.last_n_layers == 4
    assert export(recipe, "llamafactory").runs.freeze == recipe.freeze
    for changes in (
        {"freeze_trainable_layers": -2},
        {"freeze_extra_modules": "lm_head"},
        {"pure_bf16": "false"},
    ):
        with pytest.raises(UnsupportedError):
            read(with_lines(**({"finetuning_type": "freeze", "pure_bf16": "true"} | changes)))


def test_liger_is_read_as_a_loss_without_logits() -> None:
    """Liger cannot be run without a card: TRL's fused head stands in, assumed, and the reason is given."""
    back = read(with_lines(enable_liger_kernel="true"))
    assert back.recipe.loss == "chunked"
    loss = next(origin for origin in back.provenance if origin.key == "loss")
    assert loss.how == "assumed" and "needs no more" in loss.where


@pytest.mark.parametrize("key", ["use_galore", "use_badam", "use_unsloth", "shift_attn", "use_muon", "fp8"])
def test_what_no_recipe_can_say_is_refused(key: str) -> None:
    """Features that change memory are refused by name and line."""
    with pytest.raises(UnsupportedError, match=f"line {len(LORA.splitlines()) + 1}: {key}"):
        read(with_lines(**{key: "true"}))


def test_fsdp_words_and_section_are_read() -> None:
    """The words of TrainingArguments.fsdp and the section beside them are sharding and offload."""
    text = with_lines(fsdp="full_shard auto_wrap offload", finetuning_type="full")
    recipe = read(text + "fsdp_config:\n  version: 2\n  reshard_after_forward: false\n").recipe
    assert recipe.sharding == "fsdp_grad_op"
    assert (recipe.offload.optimizer, recipe.offload.parameters) == ("cpu", "cpu")


def test_other_stages_are_refused() -> None:
    """Preference training keeps a reference model, which is not estimated."""
    with pytest.raises(UnsupportedError, match="stage: dpo keeps further models"):
        read(with_lines(stage="dpo"))
    with pytest.raises(RecipeError, match=r"stage \(line"):
        read(with_lines(stage="sftt"))


@pytest.mark.parametrize("adapter", [{"peft_type": "VERA", "r": 8}, {"options": {"use_qalora": True}}])
def test_other_adapters_are_not_written(adapter: dict[str, Any]) -> None:
    """An adapter that the trainer has no keys for is refused."""
    with pytest.raises(UnsupportedError, match="plain LoRA"):
        export(Recipe.from_mapping({"model": "gpt2", "adapter": adapter}), "llamafactory")
