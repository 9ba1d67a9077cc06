"""TRL: the YAML of ``trl sft --config``, whose keys are those of SFTConfig and ModelConfig; both ways."""

from __future__ import annotations

import re
from typing import Any, Final

from tunesmith.recipe import Adapter, Recipe
from tunesmith.recipe.names import FSDP, ZERO
from tunesmith.trainers import accelerate, deepspeed
from tunesmith.trainers.arguments import (
    ACCUMULATION,
    DEFAULT_TARGETS,
    HELD_OUT,
    TRAINING_ARGUMENTS,
    checkpointing_arguments,
    precision_arguments,
    read_autocast,
    read_checkpointing,
    read_step,
    read_training,
    step_arguments,
    training_arguments,
)
from tunesmith.trainers.defaults import Defaults
from tunesmith.trainers.draft import Draft, Job
from tunesmith.trainers.quantising import PLACE, read_storage
from tunesmith.trainers.reading import Reading
from tunesmith.trainers.result import Said
from tunesmith.trainers.splitting import distributed_config, is_split, read_split

NAME: Final = "sft.yaml"

DEFAULTS: Final = Defaults(
    package="trl==1.16.0",
    tables={
        "trl/trainer/sft_config.py": {
            "max_length": 1024,
            "packing": False,
            "learning_rate": 2e-5,
            "loss_type": "nll",
            "activation_offloading": False,
        },
        "trl/trainer/base_config.py": {"gradient_checkpointing": True, "bf16": None},
        "trl/trainer/model_config.py": {
            "dtype": "float32",
            "attn_implementation": None,
            "use_peft": False,
            "lora_r": 16,
            "lora_alpha": 32,
            "lora_dropout": 0.05,
            "lora_target_modules": None,
            "lora_modules_to_save": None,
            "use_rslora": False,
            "use_dora": False,
            "load_in_8bit": False,
            "load_in_4bit": False,
            "bnb_4bit_quant_type": "nf4",
            "use_bnb_nested_quant": False,
            "bnb_4bit_quant_storage": None,
        },
        "transformers==5.23.0: src/transformers/training_args.py": TRAINING_ARGUMENTS,
        **ACCUMULATION,
    },
    facts={
        "trainer": "trl/scripts/sft.py runs SFTTrainer",
        "adapter": "trl/trainer/utils.py: get_peft_config",
        "placement": "trl/trainer/sft_trainer.py: no device_map on several cards, so each process's own card",
    },
)

REFUSED: Final = {
    "lora_target_parameters": "adapters on single parameters are not in a recipe. Remove it.",
    "ignore_mismatched_sizes": "it changes the model. Remove it.",
}

OWN_DTYPE: Final = Said(
    "dtype auto is the type of the model's own file, which for models published since 2023 is bfloat16",
    "dtype auto 取模型文件自身的类型；2023 年以来发布的模型为 bfloat16",
)


def write(recipe: Recipe, job: Job) -> Draft:
    """Return ``sft.yaml``, accelerate's or DeepSpeed's file where cards share, and the line to run."""
    draft, hardware = Draft(command=f"trl sft --config {NAME}"), recipe.hardware
    if recipe.method == "freeze":
        draft.refuse("TRL's command line freezes no part of a model")
    if not draft.takes(recipe.model, "TRL"):
        return draft
    content: dict[str, Any] = {"model_name_or_path": recipe.model, "dtype": recipe.precision.weights}
    if recipe.attn_implementation is not None:
        content["attn_implementation"] = recipe.attn_implementation
    if recipe.adapter is not None:
        content |= _adapter_arguments(recipe.adapter, draft)
    content |= _quantization_arguments(recipe, draft)
    content |= {"max_length": recipe.sequence_length, "packing": recipe.packing}
    content |= _parts_arguments(recipe)
    content |= step_arguments(recipe) | checkpointing_arguments(recipe) | precision_arguments(recipe)
    content |= {"activation_offloading": True} if recipe.activation_offloading else {}
    content |= training_arguments(recipe)
    content |= _data_arguments(job)
    content |= {"test_split_size": HELD_OUT} if "eval_steps" in content and job.is_file else {}
    if is_split(recipe):  # transformers shards what it splits, and cannot resume what it has split
        content |= {"model_init_kwargs": {"distributed_config": distributed_config(recipe)}}
        content |= {"save_only_model": True}
    if (recipe.sharding in FSDP and not is_split(recipe)) or (recipe.sharding in ZERO and hardware.nodes > 1):
        content["accelerate_config"] = accelerate.NAME
    elif hardware.world_size > 1:
        content |= {"num_processes": hardware.world_size, "num_machines": hardware.nodes}
    if recipe.sharding in ZERO:
        content["deepspeed"] = deepspeed.NAME
    draft.file(NAME, content)
    if "accelerate_config" in content:
        plain = (
            recipe if recipe.sharding in FSDP else recipe.replace(sharding="ddp", deepspeed=None, offload={})
        )
        draft.file(accelerate.NAME, accelerate.section(plain))
    if recipe.sharding in ZERO:
        draft.file(deepspeed.NAME, deepspeed.section(recipe))
    if hardware.nodes > 1:
        draft.command += " --machine_rank RANK --main_process_ip FIRST_NODE --main_process_port 29500"
    draft.environment(hardware.alloc_conf)
    return draft


def _adapter_arguments(adapter: Adapter, draft: Draft) -> dict[str, Any]:
    if adapter.peft_type != "LORA" or adapter.options:
        draft.refuse(
            f"TRL's command line makes plain LoRA only, not {adapter.peft_type} with further options"
        )
    targets = adapter.target_modules
    if isinstance(targets, tuple) and len(targets) == 1:
        # ModelConfig makes a text of a list of one, which PEFT then takes for a regular expression.
        targets = rf".*\.{re.escape(targets[0])}"
    return {
        "use_peft": True,
        "lora_r": adapter.r,
        "lora_alpha": adapter.lora_alpha,
        "lora_dropout": adapter.lora_dropout,
        "lora_target_modules": list(targets) if isinstance(targets, tuple) else [targets],
        **({"lora_modules_to_save": list(adapter.modules_to_save)} if adapter.modules_to_save else {}),
        **({"use_rslora": True} if adapter.use_rslora else {}),
        **({"use_dora": True} if adapter.use_dora else {}),
    }


def _parts_arguments(recipe: Recipe) -> dict[str, Any]:
    """Return what makes batches divide into as many parts as the cards of a sequence take."""
    context = recipe.parallel.context if recipe.parallel is not None else 1
    return {"pad_to_multiple_of": 2 * context} if context > 1 else {}


def _quantization_arguments(recipe: Recipe, draft: Draft) -> dict[str, Any]:
    quantization = recipe.quantization
    if quantization is None:
        return {}
    if quantization.bits == 8:
        return {"load_in_8bit": True}
    if quantization.compute_dtype != recipe.precision.weights:
        draft.note(
            f"TRL multiplies in the type of the weights, {recipe.precision.weights}.",
            f"TRL 以权重的类型 {recipe.precision.weights} 做乘法。",
        )
    return {
        "load_in_4bit": True,
        "bnb_4bit_quant_type": quantization.quant_type,
        "use_bnb_nested_quant": quantization.double_quant,
        **(
            {"bnb_4bit_quant_storage": quantization.quant_storage}
            if quantization.quant_storage != "uint8"
            else {}
        ),
    }


def _data_arguments(job: Job) -> dict[str, Any]:
    if not job.is_file:
        return {"dataset_name": job.data, "output_dir": job.output_dir}
    kind = job.data.rpartition(".")[2].lower().replace("jsonl", "json")
    return {"datasets": [{"path": kind, "data_files": job.data}], "output_dir": job.output_dir}


def read(reading: Reading) -> None:
    """Set what TRL's file says."""
    reading.copy("model_name_or_path", "model")
    reading.fact("trainer", "sft", "trainer")
    autocast = _read_precision(reading)
    _read_method(reading)
    reading.copy("attn_implementation", "attn_implementation")
    reading.copy("max_length", "sequence_length")
    reading.set("packing", reading.boolean("packing"), "packing")
    read_step(reading)
    read_checkpointing(reading)
    offloading = reading.boolean("activation_offloading")
    reading.set("activation_offloading", offloading, "activation_offloading")
    read_training(reading)
    reading.refuse_all(REFUSED)
    if reading.get("loss_type") == "dft":
        reading.refuse("loss_type", "the dynamic loss is not estimated. Set loss_type: nll.")
    accelerate.read_cards(reading)
    if reading.values.get("hardware.gpus", 1) * reading.values.get("hardware.nodes", 1) > 1:
        reading.set("sharding", "ddp", "num_processes")
    if reading.stated("accelerate_config"):
        reading.set("precision.autocast", autocast, "bf16", "fp16")
        accelerate.read_reference(reading, "accelerate_config")
    if reading.stated("fsdp"):
        accelerate.read_fsdp_words(reading, "fsdp", "fsdp_config", unsaid=2)
    deepspeed.read_reference(reading, "deepspeed")
    read_split(reading)


def _read_precision(reading: Reading) -> str | None:
    """Set the weights' type and autocast; SFTConfig switches bf16 on unless it or fp16 is said."""
    dtype = reading.choice("dtype", ("auto", "bfloat16", "float16", "float32", "bf16", "fp16", "fp32"))
    if dtype == "auto":
        reading.assume("precision.weights", "bfloat16", OWN_DTYPE)
    else:
        reading.copy("dtype", "precision.weights")
    if reading.stated("bf16"):
        return read_autocast(reading)
    autocast = "float16" if reading.boolean("fp16") else "bfloat16"
    reading.set("precision.autocast", autocast, *(("fp16",) if autocast == "float16" else ("bf16",)))
    return autocast


def _read_method(reading: Reading) -> None:
    bits = 4 if reading.boolean("load_in_4bit") else 8 if reading.boolean("load_in_8bit") else None
    if not reading.boolean("use_peft"):
        reading.set("method", "full", "use_peft")
        if bits:
            reading.refuse(f"load_in_{bits}bit", "quantised weights cannot learn. Set use_peft: true.")
        return
    reading.set("method", "qlora" if bits else "lora", "use_peft")
    for name, key in (
        ("lora_r", "adapter.r"),
        ("lora_alpha", "adapter.lora_alpha"),
        ("lora_dropout", "adapter.lora_dropout"),
    ):
        reading.copy(name, key)
    for name in ("use_rslora", "use_dora"):
        reading.set(f"adapter.{name}", reading.boolean(name), name)
    if saved := reading.texts("lora_modules_to_save"):
        reading.set("adapter.modules_to_save", tuple(saved), "lora_modules_to_save")
    targets = reading.texts("lora_target_modules")
    if not targets:
        reading.assume("adapter.target_modules", ("q_proj", "v_proj"), DEFAULT_TARGETS)
    else:
        chosen = targets[0] if len(targets) == 1 else tuple(targets)
        reading.set("adapter.target_modules", chosen, "lora_target_modules")
    if bits == 4:
        reading.set("quantization.bits", 4, "load_in_4bit")
        reading.copy("bnb_4bit_quant_type", "quantization.quant_type")
        nested = reading.boolean("use_bnb_nested_quant")
        reading.set("quantization.double_quant", nested, "use_bnb_nested_quant")
        reading.set("quantization.compute_dtype", reading.values.get("precision.weights"), "dtype")
        read_storage(reading)
        reading.fact(PLACE, None, "placement")
    elif bits == 8:
        reading.set("quantization.bits", 8, "load_in_8bit")
