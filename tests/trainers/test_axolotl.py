"""Axolotl's files mean what its own code makes of them."""

from __future__ import annotations

import pytest

from tunesmith.errors import RecipeError, UnsupportedError
from tunesmith.trainers import read

BASE = "base_model: NousResearch/Llama-3.2-1B\nlearning_rate: 0.0002\n"


def test_silence_is_axolotl_s_default() -> None:
    """512 tokens, one sequence, full fine-tuning without checkpointing, bfloat16 throughout on a new card."""
    recipe = read(BASE, trainer="axolotl").recipe
    assert (recipe.sequence_length, recipe.per_device_train_batch_size, recipe.method) == (512, 1, "full")
    assert not recipe.gradient_checkpointing and not recipe.packing
    assert (recipe.precision.weights, recipe.precision.autocast) == ("bfloat16", "bfloat16")
    assert recipe.training is not None
    assert (recipe.training.num_train_epochs, recipe.training.warmup_ratio) == (1.0, 0.03)


@pytest.mark.parametrize(
    ("lines", "weights", "autocast"),
    [
        ("bf16: true", "bfloat16", "bfloat16"),
        ("bf16: yes", "bfloat16", "bfloat16"),
        ("bfloat16: true\nbf16: false", "bfloat16", "bfloat16"),
        ("fp16: true", "float16", "float16"),
        ("float16: true\nbf16: false", "float16", None),
        ("bf16: false", "float32", None),
    ],
)
def test_types_follow_resolve_dtype(lines: str, weights: str, autocast: str | None) -> None:
    """The weights' type and autocast are decided together, as resolve_dtype() does."""
    if weights == "float16" and autocast == "float16":
        lines += "\nadapter: lora\nlora_target_linear: true"
    recipe = read(BASE + lines, trainer="axolotl").recipe
    assert (recipe.precision.weights, recipe.precision.autocast) == (weights, autocast)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("flash_attention: true", "flash_attention_2"),
        ("sdp_attention: true", "sdpa"),
        ("eager_attention: true", "eager"),
        ("attn_implementation: flex_attention", "flex_attention"),
        ("attn_implementation: kernels-community/flash-attn3", "flash_attention_3"),
    ],
)
def test_old_switches_and_new_names_of_attention(line: str, name: str) -> None:
    """The deprecated switches and attn_implementation mean the same."""
    assert read(BASE + line, trainer="axolotl").recipe.attn_implementation == name


@pytest.mark.parametrize(
    "line",
    [
        "xformers_attention: true",
        "activation_offloading: true",
        "gradient_checkpointing: offload",
        "tensor_parallel_size: 2",
        "context_parallel_size: 4",
        "unfrozen_parameters: [lm_head]",
        "rl: dpo",
        "quantize_moe_experts: true",
    ],
)
def test_what_no_recipe_can_say_is_refused(line: str) -> None:
    """Features that change memory are refused with their line."""
    with pytest.raises(UnsupportedError, match="line 3"):
        read(BASE + line, trainer="axolotl", source="a.yml")


def test_targets_are_one_way_or_the_other() -> None:
    """A list, a regular expression, all linear layers; both together are not what a recipe can say."""
    adapter = f"{BASE}adapter: lora\nlora_r: 8\n"
    for line, targets in (
        ("lora_target_linear: true", "all-linear"),
        ("lora_target_modules: [q_proj, v_proj]", ("q_proj", "v_proj")),
        ("lora_target_modules: '.*q_proj'", ".*q_proj"),
        ("", ("q_proj", "v_proj")),
    ):
        found = read(adapter + line, trainer="axolotl").recipe.adapter
        assert found is not None and found.target_modules == targets
    with pytest.raises(UnsupportedError, match="adapts all linear layers already"):
        read(adapter + "lora_target_linear: true\nlora_target_modules: [lm_head]", trainer="axolotl")


def test_its_qlora_is_nf4_twice_and_ends_in_its_own_type() -> None:
    """bnb_config is fixed, and what PEFT's preparation makes float32 is made bfloat16 again."""
    text = f"{BASE}adapter: qlora\nload_in_4bit: true\nlora_r: 32\nlora_target_linear: true\nbf16: true\n"
    stored = read(text, trainer="axolotl").recipe.quantization
    assert stored is not None
    assert (stored.quant_type, stored.double_quant, stored.compute_dtype) == ("nf4", True, "bfloat16")
    assert stored.kbit_preparation is False


@pytest.mark.parametrize("key", ["liger_fused_linear_cross_entropy", "cut_cross_entropy"])
def test_losses_without_logits_are_read(key: str) -> None:
    """Liger's fused loss and cut cross-entropy never make the logits."""
    assert read(f"{BASE}{key}: true\n", trainer="axolotl").recipe.loss == "chunked"


def test_fsdp_and_replicas_are_read() -> None:
    """fsdp_config is full sharding; dp_replicate_size repeats the shards over nodes."""
    text = f"{BASE}fsdp_version: 2\nfsdp_config:\n  offload_params: true\n  reshard_after_forward: true\n"
    recipe = read(text, trainer="axolotl").recipe
    assert (recipe.sharding, recipe.offload.parameters) == ("fsdp", "cpu")
    assert not read(text, trainer="axolotl").warnings
    old = read(text.replace("fsdp_version: 2\n", ""), trainer="axolotl")
    assert any("FSDP1" in warning.english for warning in old.warnings)
    hybrid = read(f"{text}dp_shard_size: 8\ndp_replicate_size: 2\n", trainer="axolotl").recipe
    assert hybrid.sharding == "fsdp_hybrid"


def test_torchao_s_optimizers_have_transformers_names() -> None:
    """ao_adamw_8bit is adamw_torch_8bit; an optimizer of its own is a mistake here, with the nearest."""
    assert read(f"{BASE}optimizer: ao_adamw_8bit\n", trainer="axolotl").recipe.optim == "adamw_torch_8bit"
    with pytest.raises(RecipeError, match=r"optimizer \(line 3\)"):
        read(f"{BASE}optimizer: muon\n", trainer="axolotl")
