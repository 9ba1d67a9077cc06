"""TRL's own parser takes every exported file for what the recipe says; the defaults are its own."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
import trl
from trl import DatasetMixtureConfig, ModelConfig, ScriptArguments, SFTConfig, TrlParser
from trl.trainer.utils import get_peft_config, get_quantization_config

from tunesmith.errors import RecipeError, UnsupportedError
from tunesmith.recipe import Recipe
from tunesmith.trainers import export, read
from tunesmith.trainers.defaults import known_names
from tunesmith.trainers.trl import DEFAULTS

pytestmark = pytest.mark.filterwarnings("ignore")  # what PyTorch and its libraries say of themselves


def parsed(recipe: Recipe, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any, list[str]]:
    """Return SFTConfig and ModelConfig as ``trl sft --config`` makes them, and what it hands on."""
    made = export(recipe, "trl")
    for file in made.files:
        (folder / file.name).write_text(file.text, encoding="utf-8")
    monkeypatch.chdir(folder)
    parser = TrlParser((ScriptArguments, SFTConfig, ModelConfig, DatasetMixtureConfig))
    arguments = ["--config", made.files[0].name, "--use_cpu", "true"]
    _, training, model, data, rest = parser.parse_args_and_config(
        arguments, return_remaining_strings=True, fail_with_unknown_args=False
    )
    assert data.datasets[0].data_files == "train.jsonl"
    return training, model, rest


def test_a_qlora_is_what_trl_makes_of_the_file(
    recipes: dict[str, Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Quantisation, adapter, batch, length, optimizer and schedule arrive in TRL's own types."""
    recipe = recipes["qlora_one_card"]
    training, model, rest = parsed(recipe, tmp_path, monkeypatch)
    stored, adapter = get_quantization_config(model), get_peft_config(model)
    assert stored is not None and adapter is not None
    assert (stored.load_in_4bit, stored.bnb_4bit_quant_type, stored.bnb_4bit_use_double_quant) == (
        True,
        "nf4",
        True,
    )
    assert (adapter.r, adapter.lora_alpha, adapter.target_modules) == (16, 32, "all-linear")
    assert (training.max_length, training.optim, training.packing) == (2048, "paged_adamw_8bit", False)
    assert (training.gradient_accumulation_steps, training.per_device_train_batch_size) == (16, 1)
    assert (training.bf16, training.fp16, model.dtype) == (False, False, "bfloat16")
    assert training.gradient_checkpointing_kwargs == {"use_reentrant": False}
    assert (training.learning_rate, training.warmup_steps) == (2e-4, 0.03)
    assert rest == []


def test_storage_and_reduction_arrive_in_trl_s_types(
    recipes: dict[str, Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packed weights are kept as bfloat16, and gradients reduced after every pass, as the recipe says."""
    training, model, rest = parsed(recipes["qlora_fsdp"], tmp_path, monkeypatch)
    stored = get_quantization_config(model)
    assert stored is not None and stored.bnb_4bit_quant_storage == torch.bfloat16
    assert training.accelerator_config.gradient_accumulation_kwargs == {"sync_each_batch": True}
    assert rest == ["--accelerate_config", "accelerate.yaml"]


def test_a_list_of_one_module_still_names_that_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ModelConfig makes a text of a list of one; the file then holds the regular expression that means it."""
    recipe = Recipe(model="gpt2", adapter={"target_modules": ["c_attn"]})  # type: ignore[arg-type]
    _, model, _ = parsed(recipe, tmp_path, monkeypatch)
    assert model.lora_target_modules == r".*\.c_attn"


@pytest.mark.parametrize("name", ["full_fsdp", "full_zero3_offload"])
def test_many_cards_reach_the_launcher(
    name: str, recipes: dict[str, Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What SFTConfig does not know is an argument of accelerate's launcher, which parses it."""
    from accelerate.commands.launch import launch_command_parser
    from trl.cli.accelerate_config import resolve_accelerate_config_argument

    *_, rest = parsed(
        recipes[name].replace(deepspeed=None, sharding="fsdp", offload={}), tmp_path, monkeypatch
    )
    resolved = resolve_accelerate_config_argument(rest)
    given = launch_command_parser().parse_args([*resolved, "sft.py"])
    assert Path(given.config_file).name == "accelerate.yaml"


def test_the_defaults_are_those_of_the_installed_release() -> None:
    """Every default in the table is that of the installed dataclass, of the version that is named."""
    assert DEFAULTS.package == f"trl=={trl.__version__}"
    installed: dict[str, Any] = {}
    for kind in (SFTConfig, ModelConfig):
        installed |= {spec.name: spec.default for spec in dataclasses.fields(kind)}
    for place, table in DEFAULTS.tables.items():
        if place.startswith("trl/"):
            assert table == {name: installed[name] for name in table}, place


def test_the_known_names_are_those_of_the_installed_release() -> None:
    """schemas.json has every field of TRL's four types."""
    kinds = (ScriptArguments, SFTConfig, ModelConfig, DatasetMixtureConfig)
    assert {spec.name for kind in kinds for spec in dataclasses.fields(kind)} <= known_names("trl")


def test_what_the_file_leaves_out_is_trl_s_default() -> None:
    """An absent length is 1024, an absent type float32 under bfloat16 autocast, an absent batch 8."""
    back = read("model_name_or_path: gpt2\nuse_peft: true\n")
    assert back.recipe.sequence_length == 1024
    assert (back.recipe.precision.weights, back.recipe.precision.autocast) == ("float32", "bfloat16")
    assert back.recipe.per_device_train_batch_size == 8
    assert back.recipe.adapter is not None and back.recipe.adapter.target_modules == ("q_proj", "v_proj")
    found = {origin.key: origin for origin in back.provenance}
    assert found["sequence_length"].where == "trl==1.16.0: trl/trainer/sft_config.py"
    assert found["adapter.target_modules"].how == "assumed"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("loss_type: dft", "dynamic loss"),
        ("load_in_4bit: true", "quantised weights cannot learn"),
    ],
)
def test_what_no_recipe_can_say_is_refused_with_its_line(line: str, told: str) -> None:
    """A key that changes memory and has no place in a recipe is refused, with the file and the line."""
    with pytest.raises(UnsupportedError, match=f"sft.yaml, line 2: .*{told}"):
        read(f"model_name_or_path: gpt2\n{line}\n", trainer="trl", source="sft.yaml")


def test_activation_offloading_goes_both_ways() -> None:
    """TRL's own key is written, and read back with its line."""
    recipe = Recipe(model="gpt2", activation_offloading=True)
    written = export(recipe, "trl")
    assert "activation_offloading: true" in written.files[0].text
    assert written.runs.activation_offloading
    back = read("model_name_or_path: gpt2\nactivation_offloading: true\n", trainer="trl", source="sft.yaml")
    found = {origin.key: origin for origin in back.provenance}["activation_offloading"]
    assert back.recipe.activation_offloading and found.how == "stated" and "line 2" in found.where


@pytest.mark.parametrize("trainer", ["axolotl", "llamafactory", "swift", "torchtune"])
def test_no_other_trainer_is_told_to_offload_activations(trainer: str) -> None:
    """A trainer without TRL's hooks gets no file for a recipe that rests on them, and is told which key."""
    model = "meta-llama/Llama-3.1-8B-Instruct"
    with pytest.raises(UnsupportedError, match="activation_offloading"):
        export(Recipe(model=model, method="full", activation_offloading=True), trainer)


def test_a_wrong_value_is_told_with_its_line() -> None:
    """A value that TRL would not take is a mistake of the file."""
    with pytest.raises(RecipeError, match=r"max_length \(line 2\): given 'long'"):
        read("model_name_or_path: gpt2\nmax_length: long\nuse_peft: 3\n", trainer="trl")
