"""The weights that learn: every adapter type as PEFT makes it, k-bit preparation, freezing, and refusals."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import peft
import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from tunesmith.errors import RecipeError, UnsupportedError
from tunesmith.memory.estimate import Traced
from tunesmith.memory.step.adapting import REQUIRED, UNFAITHFUL
from tunesmith.recipe import names

Trace = Callable[..., Traced]

WIDE: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "vocab_size": 256,
    "max_position_embeddings": 128,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "C3A": {"block_size": 64},
    "TRAINABLE_TOKENS": {"token_indices": [1, 2, 3]},
    "VBLORA": {"vector_length": 64, "num_vectors": 16, "topk": 2},
    "CARTRIDGE": {"num_virtual_tokens": 8},
}
"""Arguments that a tiny model or the type itself asks for."""

THAWED_BY_MOVING = {"ADALORA": 4}
"""Parameters that PEFT freezes on the CPU and makes anew, learning, when it moves them to a card.

AdaLoRA's ranknum, two a layer; PyTorch's CUDA build counts them too.
"""

RUNNABLE = tuple(name for name in names.PEFT_TYPES if name not in UNFAITHFUL)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Leave PEFT's advice to its user aside."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def pefts_own_count(kind: str, options: dict[str, Any], **changes: Any) -> int:
    """Return the trainable parameters of PEFT's adapter on a real CPU model."""
    settings = {k: v for k, v in {**WIDE, **changes}.items() if k != "model_type"}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **settings))
    required = dict(REQUIRED.get(kind, {}))
    if "adapter_layers" in required:
        required["adapter_layers"] = 2
    config = peft.PEFT_TYPE_TO_CONFIG_MAPPING[peft.PeftType(kind)]
    adapted = peft.get_peft_model(model, config(task_type="CAUSAL_LM", **{**required, **options}))
    return sum(p.numel() for p in adapted.parameters() if p.requires_grad)


@pytest.mark.parametrize("kind", RUNNABLE)
def test_every_adapter_type_trains_as_many_parameters_as_peft_counts(traced: Trace, kind: str) -> None:
    options = OPTIONS.get(kind, {})
    own = options | (LORA if kind == "LORA" else {})
    answer = traced(model=WIDE, adapter={"peft_type": kind, "options": options})
    assert answer.trainable_parameters == pefts_own_count(kind, own) + THAWED_BY_MOVING.get(kind, 0) > 0


LORA = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.05, "target_modules": "all-linear"}


@pytest.mark.parametrize(
    "adapter",
    [
        {"r": 4},
        {"r": 4, "use_dora": True},
        {"r": 4, "use_rslora": True},
        {"target_modules": ["q_proj", "down_proj"]},
        {"target_modules": r".*\.(k|v)_proj"},
        {"modules_to_save": ["lm_head"]},
        {"modules_to_save": ["embed_tokens", "lm_head"]},
        {"bias": "lora_only"},
        {
            "lora_dropout": 0.0,
            "target_modules": ["q_proj"],
            "options": {"target_parameters": ["gate_proj.weight"]},
        },
        {"options": {"rank_pattern": {"q_proj": 2}}},
        {"target_modules": ["q_proj"], "options": {"layers_to_transform": [1]}},
        {"options": {"init_lora_weights": "gaussian"}},
        {"options": {"trainable_token_indices": [1, 2]}},
    ],
    ids=str,
)
def test_every_option_of_lora_counts_as_in_peft(traced: Trace, adapter: dict[str, Any]) -> None:
    own = {k: v for k, v in adapter.items() if k != "options"} | adapter.get("options", {})
    answer = traced(model=WIDE, adapter=adapter)
    assert answer.trainable_parameters == pefts_own_count("LORA", {**LORA, **own})


@pytest.mark.parametrize("kind", sorted(UNFAITHFUL))
def test_an_adapter_type_that_needs_values_is_refused_with_its_reason(traced: Trace, kind: str) -> None:
    with pytest.raises(UnsupportedError, match=UNFAITHFUL[kind]):
        traced(model=WIDE, adapter={"peft_type": kind})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"adapter": {"r": 4, "options": {"no_such_argument": 1}}}, "no_such_argument"),
        ({"adapter": {"target_modules": ["no_such_layer"]}}, "no_such_layer"),
        ({"adapter": {"peft_type": "TRAINABLE_TOKENS"}}, "train no parameter"),
        ({"adapter": {"peft_type": "PREFIX_TUNING"}, "gradient_checkpointing": True}, "expected false"),
        ({"adapter": {"peft_type": "CARTRIDGE"}, "gradient_checkpointing": True}, "expected false"),
        ({"adapter": {"peft_type": "ADAPTION_PROMPT"}, "trainer": "sft"}, "trainer: given sft"),
        ({"adapter": {"target_modules": ["lm_head"]}, "trainer": "sft"}, "LM head"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_a_library_refuses_is_the_users_to_mend(
    traced: Trace, changes: dict[str, Any], expected: str
) -> None:
    with pytest.raises(RecipeError, match=expected):
        traced(**changes)


def live_at_end_of(answer: Traced, phase: str, category: str) -> int:
    """Return the bytes of *category* that live when *phase* ends."""
    timeline = answer.timeline
    end = next(p.end for p in timeline.phases if p.name == phase)
    live: set[int] = set()
    for event in timeline.events[:end]:
        live.add(event) if event > 0 else live.discard(-event)
    storages = [timeline.storages[event - 1] for event in live]
    return sum(storage.bytes for storage in storages if storage.category == category)


def test_adapters_over_16_bit_weights_are_float32_as_peft_makes_them(traced: Trace) -> None:
    answer = traced()
    assert live_at_end_of(answer, "adapters", "adapter weights") == 4 * answer.trainable_parameters


def test_trl_casts_adapters_over_quantised_weights_to_bfloat16(traced: Trace) -> None:
    answer = traced(method="qlora", trainer="sft")
    assert live_at_end_of(answer, "adapters", "adapter weights") == 2 * answer.trainable_parameters


def test_trl_leaves_doras_magnitudes_in_float32(traced: Trace) -> None:
    plain = traced(method="qlora", trainer="sft", adapter={"r": 4})
    dora = traced(method="qlora", trainer="sft", adapter={"r": 4, "use_dora": True})
    magnitudes = dora.trainable_parameters - plain.trainable_parameters
    grown = live_at_end_of(dora, "adapters", "adapter weights") - live_at_end_of(
        plain, "adapters", "adapter weights"
    )
    assert magnitudes > 0
    assert grown == 4 * magnitudes


def test_the_stated_dtype_of_adapters_holds(traced: Trace) -> None:
    answer = traced(precision={"weights": "bfloat16", "adapter": "bfloat16"})
    assert live_at_end_of(answer, "adapters", "adapter weights") == 2 * answer.trainable_parameters


def test_kbit_preparation_makes_what_is_not_quantised_float32(traced: Trace) -> None:
    prepared = traced(method="qlora", quantization={"kbit_preparation": True})
    plain = traced(method="qlora", quantization={"kbit_preparation": False})
    assert [p.name for p in prepared.timeline.phases][:2] == ["load", "prepare_kbit"]
    grown = live_at_end_of(prepared, "adapters", "weights") - live_at_end_of(plain, "adapters", "weights")
    embeddings_norms_and_head = 2 * 256 * 64 + 5 * 64
    assert grown == 2 * embeddings_norms_and_head


def test_a_loop_prepares_quantised_models_and_sft_does_not(traced: Trace) -> None:
    assert "prepare_kbit" in [p.name for p in traced(method="qlora").timeline.phases]
    assert "prepare_kbit" not in [p.name for p in traced(method="qlora", trainer="sft").timeline.phases]


@pytest.mark.parametrize(
    ("freeze", "parameters"),
    [
        ({"trainable": ["lm_head"]}, 256 * 64),
        ({"trainable": ["model.layers.0.mlp"]}, 3 * 64 * 128),
        ({"trainable": ["*.q_proj", "model.norm"]}, 2 * 64 * 64 + 64),
        ({"last_n_layers": 1}, 64 * 64 * 2 + 64 * 32 * 2 + 3 * 64 * 128 + 2 * 64),
    ],
    ids=str,
)
def test_freezing_leaves_exactly_what_is_named(
    traced: Trace, freeze: dict[str, Any], parameters: int
) -> None:
    assert traced(method="freeze", freeze=freeze).trainable_parameters == parameters


def test_a_glob_that_matches_nothing_is_refused(traced: Trace) -> None:
    with pytest.raises(RecipeError, match="train no parameter"):
        traced(method="freeze", freeze={"trainable": ["no_such_module"]})


def test_what_peft_keeps_beside_the_layers_is_moved_to_the_device() -> None:
    from tunesmith.memory.step.adapting import _place

    shared = nn.Parameter(torch.zeros(3))
    model = nn.ModuleList([nn.Module(), nn.Module()])
    for module in model:
        module.register_parameter("shared", shared)
        module.register_buffer("frozen", torch.zeros(2))
    _place(model, torch.device("meta"))
    assert {t.device.type for t in (*model.parameters(), *model.buffers())} == {"meta"}
    assert model[0].shared is model[1].shared
