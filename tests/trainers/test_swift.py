"""ms-swift's files mean what its own code makes of them."""

from __future__ import annotations

import pytest

from tunesmith.errors import UnsupportedError
from tunesmith.trainers import read

BASE = "model: Qwen/Qwen2.5-7B-Instruct\ntuner_type: lora\nmax_length: 2048\n"


def test_silence_is_swift_s_default() -> None:
    """LoRA of rank 8 on all linear layers, bfloat16 autocast over bfloat16, sixteen sequences a step."""
    back = read(BASE)
    recipe = back.recipe
    assert back.trainer == "swift" and recipe.adapter is not None
    assert (recipe.adapter.r, recipe.adapter.lora_alpha, recipe.adapter.target_modules) == (
        8,
        32,
        "all-linear",
    )
    assert (recipe.per_device_train_batch_size, recipe.gradient_accumulation_steps) == (1, 16)
    assert (recipe.precision.weights, recipe.precision.autocast) == ("bfloat16", "bfloat16")
    assert recipe.gradient_checkpointing
    assert recipe.training is None


def test_accumulation_makes_sixteen_sequences_over_all_cards() -> None:
    """TrainArgumentsMixin divides 16 by batch and cards, rounded up; ENV or the changes say them."""
    text = f"{BASE}per_device_train_batch_size: 3\nENV:\n  NPROC_PER_NODE: 2\n"
    assert read(text).recipe.gradient_accumulation_steps == 3
    assert read(text).recipe.sharding == "ddp"
    assert read(BASE, changes={"hardware.gpus": 8}).recipe.gradient_accumulation_steps == 2


@pytest.mark.parametrize(
    ("lines", "weights", "autocast"),
    [
        ("torch_dtype: bfloat16", "bfloat16", "bfloat16"),
        ("torch_dtype: float32", "float32", "float16"),
        ("torch_dtype: bfloat16\nbf16: false", "bfloat16", None),
        ("torch_dtype: float32\nbf16: true", "float32", "bfloat16"),
    ],
)
def test_autocast_follows_torch_dtype(lines: str, weights: str, autocast: str | None) -> None:
    """Unless said, bfloat16 weights train under bfloat16 and all others under float16."""
    if (weights, lines) == ("bfloat16", "torch_dtype: bfloat16\nbf16: false"):
        lines += "\nfp16: false"
    recipe = read(f"{BASE}{lines}\n").recipe
    assert (recipe.precision.weights, recipe.precision.autocast) == (weights, autocast)


def test_quantisation_and_the_adapter_s_type_are_read() -> None:
    """quant_method and quant_bits make a QLoRA; lora_dtype is the adapter's type."""
    recipe = read(f"{BASE}quant_method: bnb\nquant_bits: 4\nlora_dtype: bfloat16\n").recipe
    assert recipe.method == "qlora" and recipe.quantization is not None
    assert (recipe.quantization.double_quant, recipe.quantization.compute_dtype) == (True, "bfloat16")
    assert recipe.precision.adapter == "bfloat16"


def test_its_presets_are_known_by_name() -> None:
    """zero2_offload and fsdp2 are files of the package."""
    recipe = read(f"{BASE}deepspeed: zero2_offload\n").recipe
    assert (recipe.sharding, recipe.offload.optimizer) == ("zero2", "cpu")
    recipe = read(f"{BASE}fsdp: fsdp2\n").recipe
    assert recipe.sharding == "fsdp"


def test_the_rate_depends_on_the_method() -> None:
    """Where the schedule is said but not the rate, it is 1e-4 with adapters and 1e-5 without."""
    for method, rate in (("lora", 1e-4), ("full", 1e-5)):
        text = f"model: gpt2\ntuner_type: {method}\nmax_length: 64\nnum_train_epochs: 2\n"
        training = read(text).recipe.training
        assert training is not None and training.learning_rate == rate


@pytest.mark.parametrize(
    "line",
    ["tuner_type: vera", "sequence_parallel_size: 2", "freeze_parameters_ratio: 0.5", "quant_method: hqq"],
)
def test_what_no_recipe_can_say_is_refused(line: str) -> None:
    """Features that change memory are refused."""
    kept = [each for each in BASE.splitlines() if each.partition(":")[0] != line.partition(":")[0]]
    with pytest.raises(UnsupportedError):
        read("\n".join([*kept, line, "quant_bits: 4"]), trainer="swift")
