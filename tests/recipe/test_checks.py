"""What cannot work together is said before anything runs, with the key to change."""

import pytest

from tunesmith.errors import RecipeError
from tunesmith.recipe import Recipe

INT8 = {"bits": 8, "quant_type": "int8", "double_quant": False}


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        (
            {"method": "full", "adapter": {}},
            "adapter: given an adapter, expected no adapter with method full.",
        ),
        ({"method": "freeze", "freeze": {"last_n_layers": 1}, "adapter": {}}, "adapter: given an adapter"),
        (
            {"method": "full", "quantization": {}},
            "quantization: given a quantisation, expected none with method full",
        ),
        ({"method": "lora", "quantization": {}}, "Set method: qlora, or remove the section."),
        ({"method": "full", "freeze": {"last_n_layers": 1}}, "freeze: given a freeze section"),
        ({"method": "freeze"}, "freeze: given nothing, expected what learns with method freeze."),
        (
            {"method": "freeze", "freeze": {}},
            "freeze: given neither, expected either trainable or last_n_layers.",
        ),
        ({"method": "freeze", "freeze": {"trainable": ["a"], "last_n_layers": 1}}, "freeze: given both"),
        ({"method": "qlora", "quantization": {"bits": 5}}, "quantization.bits: given 5, expected 4 or 8."),
        (
            {"method": "qlora", "quantization": {"bits": 4, "quant_type": "int8"}},
            "quantization.quant_type: given int8, expected nf4 or fp4 with bits 4.",
        ),
        (
            {"method": "qlora", "quantization": {"bits": 8, "quant_type": "nf4"}},
            "quantization.quant_type: given nf4, expected int8 with bits 8.",
        ),
        (
            {"method": "qlora", "quantization": INT8 | {"double_quant": True}},
            "quantization.double_quant: given true",
        ),
        ({"adapter": {"options": {"r": 8}}}, "adapter.options.r: given a key of adapter"),
        (
            {"method": "full", "precision": {"weights": "float16", "autocast": "float16"}},
            "precision.weights: given float16, expected float32 or bfloat16 weights",
        ),
        ({"precision": {"adapter": "fp16", "autocast": "fp16"}}, "precision.adapter: given float16"),
        (
            {"parallel": {"tensor": 2}, "hardware": {"gpus": 3}},
            "parallel: given tensor 2 x context 1 x pipeline 1, expected a product that divides the 3 cards.",
        ),
        (
            {"parallel": {"tensor": 2}, "hardware": {"gpus": 4}},
            "sharding: given none, expected fsdp for the cards that parallel leaves over.",
        ),
        (
            {"parallel": {"expert": 2, "tensor": 4}, "hardware": {"gpus": 4}},
            "parallel.expert: given 2, expected a multiple of tensor that divides the 4 cards.",
        ),
        (
            {"parallel": {"tensor": 4}, "hardware": {"gpus": 2, "nodes": 4}, "sharding": "fsdp_hybrid"},
            "expected tensor x context that divides the 2 cards of a node under fsdp_hybrid.",
        ),
        (
            {"trainer": "trainer", "activation_offloading": True},
            "activation_offloading: given true, expected false with trainer trainer.",
        ),
        (
            {"parallel": {"context": 2}, "hardware": {"gpus": 2}},
            "sharding: given none, expected fsdp for the cards that parallel leaves over.",
        ),
        (
            {"parallel": {"context": 2}, "hardware": {"gpus": 2}, "sharding": "zero3"},
            "sharding: given zero3, expected fsdp, the only sharding beside which accelerate has it.",
        ),
        (
            {
                "parallel": {"context": 2},
                "hardware": {"gpus": 2},
                "sharding": "fsdp",
                "sequence_length": 2050,
            },
            "sequence_length: given 2050, expected a multiple of 4",
        ),
        (
            {"parallel": {"context": 2}, "hardware": {"gpus": 2}, "sharding": "fsdp", "packing": True},
            "packing: given true, expected false with parallel.context.",
        ),
        (
            {"parallel": {"context": 2}, "hardware": {"gpus": 2, "nodes": 2}, "sharding": "fsdp_hybrid"},
            "parallel.context: given 2, expected fewer than the 2 cards of a node under fsdp_hybrid.",
        ),
        (
            {"offload": {"optimizer": "cpu"}},
            "offload.optimizer: given cpu, expected none with sharding none.",
        ),
        (
            {"sharding": "zero2", "offload": {"optimizer": "nvme"}},
            "Set sharding: zero3, or offload.optimizer: none.",
        ),
        (
            {"sharding": "zero2", "offload": {"parameters": "cpu"}},
            "Set sharding: zero3 or fsdp, or offload.parameters",
        ),
        ({"sharding": "fsdp", "offload": {"parameters": "cpu"}}, "both on cpu or neither with fsdp"),
        ({"sharding": "fsdp", "offload": {"parameters": "nvme", "optimizer": "cpu"}}, "given nvme"),
    ],
)
def test_a_conflict_is_one_problem_with_a_way_out(chosen, says):
    """One mistake is told once."""
    with pytest.raises(RecipeError) as caught:
        Recipe(model="gpt2", **chosen)
    assert says in str(caught.value)
    assert str(caught.value).startswith("recipe has 1 problem:")


@pytest.mark.parametrize(
    "chosen",
    [
        {"method": "freeze", "freeze": {"trainable": ["*.lm_head"]}},
        {"method": "qlora", "quantization": INT8},
        {"method": "qlora", "quantization": {"quant_type": "fp4"}},
        {"method": "full", "precision": {"weights": "float16"}},
        {"precision": {"weights": "float16", "autocast": "float16"}},
        {"sharding": "zero1", "offload": {"optimizer": "cpu"}},
        {"sharding": "zero3", "offload": {"optimizer": "nvme", "parameters": "nvme"}},
        {"sharding": "fsdp", "offload": {"optimizer": "cpu", "parameters": "cpu"}},
        {"sharding": "ddp", "hardware": {"gpus": 1}},
        {"sharding": "fsdp", "hardware": {"gpus": 8}, "parallel": {"context": 8}, "sequence_length": 131072},
        {
            "sharding": "fsdp_hybrid",
            "hardware": {"gpus": 4, "nodes": 2},
            "parallel": {"context": 2, "rotation": "alltoall"},
        },
    ],
)
def test_what_upstream_offers_is_allowed(chosen):
    """The neighbours of every conflict pass; sharding over one card is upstream's world size 1."""
    Recipe(model="gpt2", **chosen)
