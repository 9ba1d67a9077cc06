"""torchtune's files mean what its own recipes make of them."""

from __future__ import annotations

import pytest

from tunesmith.errors import RecipeError, UnsupportedError
from tunesmith.trainers import read
from tunesmith.trainers.torchtune import components

QLORA = """\
output_dir: out
model:
  _component_: torchtune.models.llama3_1.qlora_llama3_1_8b
  lora_attn_modules: ['q_proj', 'v_proj', 'output_proj']
  apply_lora_to_mlp: True
  apply_lora_to_output: False
  lora_rank: 8
  lora_alpha: 16
  lora_dropout: 0.0
tokenizer:
  _component_: torchtune.models.llama3.llama3_tokenizer
  path: llama/original/tokenizer.model
  max_seq_len: 4096
checkpointer:
  _component_: torchtune.training.FullModelHFCheckpointer
  checkpoint_dir: models/Meta-Llama-3.1-8B-Instruct/
  output_dir: ${output_dir}
dataset:
  _component_: torchtune.datasets.alpaca_cleaned_dataset
  packed: False
seed: null
batch_size: 2
optimizer:
  _component_: torch.optim.AdamW
  fused: True
  weight_decay: 0.01
  lr: 3e-4
lr_scheduler:
  _component_: torchtune.training.lr_schedulers.get_cosine_schedule_with_warmup
  num_warmup_steps: 100
loss:
  _component_: torchtune.modules.loss.CEWithChunkedOutputLoss
epochs: 1
gradient_accumulation_steps: 8
compile: False
dtype: bf16
enable_activation_checkpointing: True
"""
"""After meta-pytorch/torchtune@v0.6.1:recipes/configs/llama3_1/8B_qlora_single_device.yaml, with a length."""


def test_its_own_example_is_read_whole() -> None:
    """The published QLoRA: model by builder and folder, modules by transformers' names, a bare loop."""
    back = read(QLORA)
    recipe = back.recipe
    assert back.trainer == "torchtune" and back.warnings == ()
    assert recipe.model == "meta-llama/Meta-Llama-3.1-8B-Instruct"
    assert recipe.method == "qlora" and recipe.adapter is not None
    named = ("q_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    assert recipe.adapter.target_modules == named
    assert (recipe.trainer, recipe.loss, recipe.optim) == ("loop", "standard", "adamw_torch_fused")
    assert (recipe.sequence_length, recipe.max_grad_norm, recipe.sharding) == (4096, None, "none")
    assert recipe.precision.adapter == "bfloat16"
    assert "torchao" in next(o.where for o in back.provenance if o.key == "quantization.bits")


def test_keys_of_its_distributed_recipes_are_fsdp() -> None:
    """Only the distributed recipes read these keys, and they shard by FSDP2."""
    recipe = read(f"{QLORA}fsdp_cpu_offload: True\n").recipe
    assert (recipe.sharding, recipe.offload.optimizer) == ("fsdp", "cpu")
    assert read(f"{QLORA}fsdp_reshard_after_forward: False\n").recipe.sharding == "fsdp_grad_op"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("compile: False", "compile: True", "compiled"),
        ("dtype: bf16", "dtype: fp16", "fp16"),
        ("torch.optim.AdamW", "torch.optim.Adagrad", "Adagrad"),
        ("apply_lora_to_output: False", "apply_lora_to_output: True", "head"),
    ],
)
def test_what_no_recipe_can_say_is_refused(old: str, new: str, told: str) -> None:
    """Features that change memory are refused."""
    with pytest.raises(UnsupportedError, match=told):
        read(QLORA.replace(old, new))


def test_several_cards_are_fsdp_there() -> None:
    """Its distributed recipes know nothing else; the model can be given where its builder is not known."""
    assert read(QLORA, changes={"hardware.gpus": 2}).recipe.sharding == "fsdp"
    text = QLORA.replace("qlora_llama3_1_8b", "qlora_mine")
    assert read(text, changes={"model": "gpt2"}).recipe.model == "gpt2"


def test_an_unknown_builder_is_a_mistake_with_its_line() -> None:
    """A component that is no model of torchtune's configurations is told."""
    with pytest.raises(RecipeError, match=r"model._component_ \(line 3\)"):
        read(QLORA.replace("qlora_llama3_1_8b", "mine"))


def test_the_models_are_each_named_once() -> None:
    """No Hub id is listed twice, and each has what a configuration needs."""
    names = [each.model for each in components()]
    assert len(set(names)) == len(names) > 30
    assert all(each.tokenizer and each.weights for each in components())
