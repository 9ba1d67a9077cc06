"""How packed weights are kept, where they are made, when gradients are reduced: out to trainers and back."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.errors import RecipeError, UnsupportedError
from tunesmith.recipe import Recipe
from tunesmith.trainers import Imported, Origin, export, read

BASE: dict[str, Any] = {
    "model": "meta-llama/Llama-3.2-1B-Instruct",
    "method": "qlora",
    "attn_implementation": "sdpa",
    "precision": {"weights": "bfloat16", "autocast": "bfloat16"},
    "sharding": "fsdp",
    "gradient_accumulation_steps": 4,
    "hardware": {"gpu": "RTX 4090", "gpus": 2},
}
ON_HOST = {"quant_storage": "bfloat16", "device_map": "cpu"}
LLAMA = "model_name_or_path: gpt2\nuse_peft: true\n"


def recipe(**changes: Any) -> Recipe:
    """Return a QLoRA under FSDP2 with *changes*."""
    return Recipe.from_mapping(BASE | changes)


def origin(imported: Imported, key: str) -> Origin:
    """Return where *key* comes from."""
    return next(each for each in imported.provenance if each.key == key)


def back(made: Any, trainer: str) -> Imported:
    """Return what an import makes of an export on two cards."""
    texts = {file.name: file.text for file in made.files}
    cards = {"hardware.gpus": 2}
    return read(made.files[0].text, trainer=trainer, source="it", beside=texts, changes=cards)


# -- out and back ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("trainer", ["trl", "llamafactory", "axolotl", "swift"])
@given(
    storage=st.sampled_from(["bfloat16", "float32"]),
    sync=st.booleans(),
    sharding=st.sampled_from(["fsdp", "fsdp_grad_op"]),
    steps=st.integers(2, 64),
)
def test_what_is_said_of_storage_and_reduction_comes_back(
    trainer: str, storage: str, sync: bool, sharding: str, steps: int
) -> None:
    """The import of an export has the recipe's own keys, stated or by a default that is named."""
    weights = {"weights": storage, "autocast": storage if storage != "float32" else None}
    asked = recipe(
        quantization={"quant_storage": storage, "compute_dtype": storage, "double_quant": True},
        precision=weights if trainer in ("trl", "swift") else BASE["precision"],
        sync_each_batch=sync,
        sharding=sharding,
        gradient_accumulation_steps=steps,
    )
    try:
        made = export(asked, trainer)
    except UnsupportedError as error:  # LLaMA-Factory keeps them in the type that it computes in
        assert (trainer, storage) == ("llamafactory", "float32")
        assert "quantization.quant_storage: the recipe says 'float32'" in str(error)
        return
    found = back(made, trainer)
    assert found.recipe.quantization is not None and asked.quantization is not None
    assert found.recipe.quantization.quant_storage == storage
    assert found.recipe.quantization.device_map is None
    assert found.recipe.sync_each_batch == sync
    assert (origin(found, "sync_each_batch").how == "stated") == sync
    assert origin(found, "quantization.quant_storage").how in ("stated", "defaulted")


@pytest.mark.parametrize("trainer", ["swift", "torchtune"])
def test_weights_quantised_on_the_host_go_to_those_who_can(trainer: str) -> None:
    """ms-swift hands device_map on; torchtune makes and shards one weight at a time by itself."""
    found = back(export(recipe(quantization=ON_HOST, sync_each_batch=True), trainer), trainer)
    assert found.recipe.quantization is not None
    assert found.recipe.quantization.device_map == "cpu"
    assert found.recipe.quantization.quant_storage == "bfloat16"
    assert found.recipe.sync_each_batch
    assert (
        origin(found, "quantization.device_map").how == {"swift": "stated", "torchtune": "assumed"}[trainer]
    )


@pytest.mark.parametrize("trainer", ["trl", "llamafactory", "axolotl"])
def test_who_quantises_on_the_card_is_refused_where_nothing_tells_what_that_takes(trainer: str) -> None:
    """Without a way to compute what loading takes, a file that loads otherwise is not written."""
    with pytest.raises(UnsupportedError, match="quantises all weights on every card before FSDP shards them"):
        export(recipe(quantization=ON_HOST), trainer)


def test_a_script_of_the_user_s_is_told_what_accelerate_s_file_cannot_say() -> None:
    """The notes of accelerate's file name the arguments of from_pretrained() and of TrainingArguments."""
    made = export(recipe(quantization=ON_HOST, sync_each_batch=True), "accelerate")
    told = " ".join(note.english for note in made.notes)
    for words in ("bnb_4bit_quant_storage=torch.bfloat16", 'device_map="cpu"', '{"sync_each_batch": True}'):
        assert words in told


def test_weights_that_fsdp_cannot_shard_may_be_sharded_all_the_same() -> None:
    """Where packed weights are asked for as bytes, keeping them in 16 bits needs less, which is a note."""
    for trainer in ("llamafactory", "axolotl"):
        made = export(recipe(), trainer)
        assert any("quant_storage: the recipe says 'uint8'" in note.english for note in made.notes)
    one_card = recipe(sharding="none", hardware={"gpu": "RTX 4090"})
    for trainer in ("llamafactory", "axolotl"):
        assert not any("quant_storage" in note.english for note in export(one_card, trainer).notes)


def test_8_bit_weights_stay_out_of_llama_factory_s_fsdp() -> None:
    """configure_quantization() of LLaMA-Factory raises for them, so the export does before."""
    with pytest.raises(UnsupportedError, match="its quantised weights have 4 bits"):
        export(recipe(quantization={"bits": 8}), "llamafactory")


def test_axolotl_is_told_of_other_4_bit_weights() -> None:
    """fp4, one quantisation and float32 storage are arguments of BitsAndBytesConfig there."""
    chosen = {"quant_type": "fp4", "double_quant": False, "quant_storage": "float32"}
    made = export(recipe(quantization=chosen), "axolotl")
    said = yaml.safe_load(made.files[0].text)["bnb_config_kwargs"]
    assert said == {
        "bnb_4bit_quant_type": "fp4",
        "bnb_4bit_use_double_quant": False,
        "bnb_4bit_quant_storage": "float32",
    }
    stored = made.runs.quantization
    assert stored is not None
    assert (stored.quant_type, stored.double_quant, stored.quant_storage) == ("fp4", False, "float32")


# -- files of others ------------------------------------------------------------------------------------


def test_axolotl_s_arguments_of_bitsandbytes_are_read_with_their_lines() -> None:
    """What bnb_config_kwargs states goes before what Axolotl does by itself; the rest is refused."""
    text = (
        "base_model: gpt2\nadapter: qlora\nload_in_4bit: true\nlora_target_linear: true\n"
        "bnb_config_kwargs:\n  bnb_4bit_quant_storage: uint8\n"
    )
    found = read(text, trainer="axolotl", source="a.yml")
    assert found.recipe.quantization is not None
    assert found.recipe.quantization.quant_storage == "uint8"
    assert "line 6" in origin(found, "quantization.quant_storage").where
    assert "bnb_config" in origin(found, "quantization.quant_type").where
    with pytest.raises(UnsupportedError, match=r"line 7: bnb_config_kwargs\.llm_int8_threshold"):
        read(f"{text}  llm_int8_threshold: 5.0\n", trainer="axolotl", source="a.yml")


def test_ms_swift_places_a_model_on_the_host_only_to_be_sharded() -> None:
    """device_map: cpu is where 4-bit weights are quantised; any other spreads the model, which is refused."""
    text = "model: gpt2\nquant_method: bnb\nquant_bits: 4\nmax_length: 512\ntorch_dtype: bfloat16\n"
    with pytest.raises(UnsupportedError, match="line 6: device_map"):
        read(f"{text}device_map: auto\n", trainer="swift", source="s.yaml")
    with pytest.raises(RecipeError, match="fsdp alone with"):
        read(f"{text}device_map: cpu\n", trainer="swift", source="s.yaml")


@pytest.mark.parametrize(
    "said",
    [
        "accelerator_config:\n  gradient_accumulation_kwargs:\n    sync_each_batch: true\n",
        'accelerator_config: \'{"gradient_accumulation_kwargs": {"sync_each_batch": true}}\'\n',
        "accelerator_config: acc.json\n",
    ],
)
def test_accelerator_config_is_a_section_a_text_or_a_file(said: str) -> None:
    """TrainingArguments takes all three, and FSDP then reduces after every pass."""
    beside = {
        "acc.json": '{"gradient_accumulation_kwargs": {"sync_each_batch": true}}',
        "fsdp.json": "{}",
    }
    text = f"{LLAMA}fsdp: full_shard\n{said}"
    assert read(text, trainer="trl", beside=beside, changes={"hardware.gpus": 2}).recipe.sync_each_batch


def test_where_nothing_is_sharded_reduction_after_every_pass_is_no_choice() -> None:
    """Under DDP the key changes no memory: the recipe says false, and why."""
    said = "accelerator_config: {gradient_accumulation_kwargs: {sync_each_batch: true}}\n"
    found = read(LLAMA + said, trainer="trl", changes={"hardware.gpus": 2})
    assert (found.recipe.sharding, found.recipe.sync_each_batch) == ("ddp", False)
    assert "only FSDP holds gradients whole" in origin(found, "sync_each_batch").where


def test_a_batch_that_accelerate_would_split_is_refused() -> None:
    """split_batches and num_steps change how many sequences a pass takes."""
    for said in ("{split_batches: true}", "{gradient_accumulation_kwargs: {num_steps: 4}}"):
        with pytest.raises(UnsupportedError, match="line 3"):
            read(f"{LLAMA}accelerator_config: {said}\n", trainer="trl", source="t.yaml")


def test_torchtune_on_several_cards_shards_nf4_and_reduces_every_pass() -> None:
    """Whether its file has FSDP2's keys or the cards are told beside it."""
    text = (
        "model:\n  _component_: torchtune.models.llama3_2.qlora_llama3_2_1b\n"
        "  lora_attn_modules: [q_proj]\ngradient_accumulation_steps: 8\n"
        "tokenizer: {max_seq_len: 512}\noptimizer: {_component_: torch.optim.AdamW}\n"
    )
    for more, cards in (("fsdp_cpu_offload: false\n", 1), ("", 2)):
        found = read(text + more, trainer="torchtune", changes={"hardware.gpus": cards})
        stored = found.recipe.quantization
        assert stored is not None and found.recipe.sharding == "fsdp"
        assert (stored.quant_storage, stored.device_map) == ("bfloat16", "cpu")
        assert found.recipe.sync_each_batch
        assert "load_from_full_model_state_dict" in origin(found, "quantization.device_map").where
    alone = read(text, trainer="torchtune").recipe
    assert alone.quantization is not None and alone.quantization.device_map is None
    assert not alone.sync_each_batch
