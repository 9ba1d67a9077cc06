"""Sections are frozen, documented field by field, and hand PEFT what was chosen."""

import dataclasses

import pytest

from tunesmith.recipe import (
    Adapter,
    Freeze,
    Hardware,
    Offload,
    Precision,
    Quantization,
    Recipe,
    Step,
    Training,
)

SECTIONS = (Adapter, Freeze, Hardware, Offload, Precision, Quantization, Step, Training)


@pytest.mark.parametrize("cls", SECTIONS, ids=lambda cls: cls.__name__)
def test_every_section_can_be_made_without_arguments_and_never_changed(cls):
    """Each field has a default, and setting one fails."""
    made = cls()
    name = dataclasses.fields(cls)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(made, name, None)


@pytest.mark.parametrize("cls", (*SECTIONS, Recipe), ids=lambda cls: cls.__name__)
def test_no_class_declares_more_than_twenty_fields(cls):
    """Recipe's own fields and those of Step are counted apart, as they are declared."""
    assert len(cls.__annotations__) <= 20


def test_world_size_counts_every_card():
    """Cards are given per node."""
    assert Hardware(gpus=8, nodes=2).world_size == 16


def adapter(**chosen: object) -> Adapter:
    made = Recipe(model="gpt2", adapter=chosen).adapter
    assert made is not None
    return made


def test_lora_gets_its_defaults_as_arguments():
    """What LoRA leaves unsaid is filled in; PEFT's own defaults are not repeated."""
    assert adapter().arguments() == {
        "r": 16,
        "lora_alpha": 32,
        "lora_dropout": 0.05,
        "target_modules": "all-linear",
    }


def test_another_type_gets_only_what_was_chosen():
    """PEFT's classes differ in their arguments, so nothing of LoRA's is forced on them."""
    prompt = adapter(peft_type="prompt_tuning", options={"num_virtual_tokens": 20})
    assert prompt.arguments() == {"num_virtual_tokens": 20}
    vera = adapter(peft_type="VERA", r=256, target_modules=["q_proj"], modules_to_save=["lm_head"])
    assert vera.arguments() == {"r": 256, "target_modules": ["q_proj"], "modules_to_save": ["lm_head"]}


def test_arguments_are_plain_and_free_to_change():
    """PEFT changes the lists it is given; the recipe keeps its own."""
    made = adapter(target_modules=["q_proj"], bias="all", use_dora=True, options={"rank_pattern": {"q": 2}})
    arguments = made.arguments()
    arguments["rank_pattern"]["q"] = 3
    arguments["target_modules"].append("v_proj")
    assert made.arguments() == {
        "r": 16,
        "lora_alpha": 32,
        "lora_dropout": 0.05,
        "target_modules": ["q_proj"],
        "use_dora": True,
        "bias": "all",
        "rank_pattern": {"q": 2},
    }


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"use_dora": True, "use_rslora": True, "bias": "lora_only", "modules_to_save": ["lm_head"]},
        {"target_modules": r".*\.(q|v)_proj", "options": {"rank_pattern": {"q_proj": 8}}},
        {"peft_type": "ADALORA", "r": 8, "options": {"total_step": 10}},
        {"peft_type": "VERA", "r": 256, "target_modules": ["q_proj"]},
        {"peft_type": "IA3", "target_modules": ["k_proj"], "options": {"feedforward_modules": []}},
        {"peft_type": "LOHA", "r": 8, "target_modules": ["q_proj"]},
        {"peft_type": "PROMPT_TUNING", "options": {"num_virtual_tokens": 8}},
        {"peft_type": "P_TUNING", "options": {"num_virtual_tokens": 8, "encoder_hidden_size": 16}},
    ],
    ids=str,
)
def test_peft_takes_the_arguments(chosen):
    """The real config class of the type is made from them, and keeps them."""
    mapping = pytest.importorskip("peft").mapping.PEFT_TYPE_TO_CONFIG_MAPPING
    made = adapter(**chosen)
    config = mapping[made.peft_type](**made.arguments())
    for key, value in made.arguments().items():
        kept = getattr(config, key)
        assert kept == (set(value) if isinstance(kept, set) else value)
