"""bitsandbytes on a device without memory does what its CUDA code does."""

import pytest

from tunesmith.hardware import gpu
from tunesmith.memory.allocator import replay
from tunesmith.memory.bnb import Gemm4bit

LLAMA = {
    "model_type": "llama",
    "hidden_size": 2048,
    "intermediate_size": 5632,
    "num_hidden_layers": 22,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "vocab_size": 32000,
    "max_position_embeddings": 2048,
    "pad_token_id": 0,
}
INT8 = {
    "model": LLAMA,
    "method": "qlora",
    "trainer": "loop",
    "attention_mask": True,
    "optim": "adamw_torch",
    "max_grad_norm": None,
    "sequence_length": 1024,
    "adapter": {"r": 16, "lora_alpha": 32, "lora_dropout": 0.0},
    "quantization": {"bits": 8, "quant_type": "int8", "kbit_preparation": True},
    "hardware": {"gpu": "A100-80GB"},
}
INT8_PEAKS = {
    "prepare_kbit": 1632482304,
    "adapters": 1551873024,
    "step1.forward": 3088607744,
    "step1.backward": 3212331008,
    "step2.forward": 3195955712,
    "step2.backward": 3319678976,
    "step2.step": 1771705344,
}
"""max_memory_allocated() of PyTorch 2.14.1's CUDA build, its kernels not executed; bitsandbytes 0.50.2."""


def test_int8_takes_what_pytorchs_cuda_allocator_counts_in_every_phase():
    from tunesmith.architecture import load_architecture
    from tunesmith.memory.trace import trace
    from tunesmith.recipe import Recipe

    recipe = Recipe.from_mapping(INT8)
    traced = trace(load_architecture(recipe.model), recipe, gpu("A100-80GB"))
    peaks = {phase.name: phase.allocated_peak_bytes for phase in replay(traced.timeline).phases}
    assert {name: peaks[name] for name in INT8_PEAKS} == INT8_PEAKS
    assert any("outliers" in sentence for sentence in traced.assumptions)


def test_the_same_run_gives_the_same_timeline_again_and_again():
    """An answer given for one tensor must not pass to the next one at its address (int8 never reads some)."""
    from tunesmith.architecture import load_architecture
    from tunesmith.memory.trace import trace
    from tunesmith.recipe import Recipe

    recipe = Recipe.from_mapping({**INT8, "model": {**LLAMA, "num_hidden_layers": 2}})
    runs = [trace(load_architecture(recipe.model), recipe, gpu("A100-80GB")).timeline for _ in range(6)]
    assert all(run == runs[0] for run in runs)


@pytest.mark.parametrize(("rows", "fused"), [(4, True), (4096, False)])
def test_a_few_rows_take_the_fused_kernel_and_many_a_dequantised_weight(rows, fused):
    card = gpu("A100-80GB")
    product = Gemm4bit(card.compute_capability, card.multiprocessors)
    choose = product._ops._gemm_4bit_use_custom_fn.__wrapped__
    import torch

    within = rows <= product._ops._gemm_4bit_custom_max_m
    assert (within and choose(0, torch.bfloat16, rows, 4096, 4096)) is fused
