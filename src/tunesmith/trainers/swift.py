"""ms-swift: the YAML of ``swift sft``, whose keys are its command-line arguments; both ways.

Source files are those of modelscope/ms-swift@v4.6.0.
"""

from __future__ import annotations

import math
from typing import Any, Final

from tunesmith.recipe import Adapter, Recipe
from tunesmith.recipe.names import FSDP, ZERO
from tunesmith.trainers import accelerate, deepspeed
from tunesmith.trainers.arguments import (
    ACCUMULATION,
    HELD_OUT,
    TRAINING_ARGUMENTS,
    checkpointing_arguments,
    precision_arguments,
    read_checkpointing,
    read_step,
    read_training,
    step_arguments,
    training_arguments,
)
from tunesmith.trainers.defaults import Defaults
from tunesmith.trainers.draft import Draft, Job
from tunesmith.trainers.llamafactory import liger_wanted, note_liger
from tunesmith.trainers.quantising import PLACE, read_storage
from tunesmith.trainers.reading import Reading
from tunesmith.trainers.result import Said

NAME: Final = "swift.yaml"
FSDP_NAME: Final = "fsdp.json"

DEFAULTS: Final = Defaults(
    package="ms-swift==4.6.0",
    tables={
        "swift/arguments/base_args/base_args.py": {"tuner_type": "lora", "packing": False},
        "swift/arguments/base_args/model_args.py": {
            "torch_dtype": None,
            "attn_impl": None,
            "device_map": None,
        },
        "swift/arguments/base_args/quant_args.py": {
            "quant_method": None,
            "quant_bits": None,
            "bnb_4bit_compute_dtype": None,
            "bnb_4bit_quant_type": "nf4",
            "bnb_4bit_use_double_quant": True,
            "bnb_4bit_quant_storage": None,
        },
        "swift/arguments/tuner_args.py": {
            "target_modules": ["all-linear"],
            "target_regex": None,
            "modules_to_save": [],
            "lora_rank": 8,
            "lora_alpha": 32.0,
            "lora_dropout": 0.05,
            "lora_bias": "none",
            "lora_dtype": None,
            "use_rslora": False,
            "use_dora": False,
        },
        "swift/trainers/arguments.py": {
            "per_device_train_batch_size": 1,
            "gradient_accumulation_steps": None,
            "gradient_checkpointing": True,
            "weight_decay": 0.1,
            "lr_scheduler_type": "cosine",
            "use_liger_kernel": False,
            "warmup_ratio": 0.0,
        },
        "swift/arguments/sft_args.py": {
            "learning_rate": None,
            "bf16": None,
            "fp16": None,
            "eval_strategy": None,
        },
        "transformers==5.19.0: src/transformers/training_args.py": TRAINING_ARGUMENTS,
        **ACCUMULATION,
    },
    facts={
        "trainer": "swift/trainers/seq2seq_trainer.py: a transformers.Seq2SeqTrainer",
        "rate": "swift/arguments/sft_args.py: _init_override",
        "kbit": "swift/pipelines/train/tuner.py: prepare_model",
    },
)

ATTENTIONS: Final = {
    **{
        name: name
        for name in ("sdpa", "eager", "flash_attention_2", "flash_attention_3", "flash_attention_4")
    },
    "flash_attn": "flash_attention_2",
    "flex_attention": "flex_attention",
}
"""Its names of attention code, swift/model/register.py; the rest it hands to transformers."""

REFUSED: Final = {
    "sequence_parallel_size": "sequence parallelism is not estimated. Set it to 1.",
    "freeze_parameters": "write a freeze section in a recipe: freeze: {trainable: [...]}.",
    "freeze_parameters_ratio": "write a freeze section in a recipe: freeze: {last_n_layers: ...}.",
    "freeze_parameters_regex": "write a freeze section in a recipe: freeze: {trainable: [...]}.",
    "trainable_parameters": "write a freeze section in a recipe: freeze: {trainable: [...]}.",
    "trainable_parameters_regex": "write a freeze section in a recipe: freeze: {trainable: [...]}.",
    "target_parameters": "adapters on single parameters are not in a recipe. Remove it.",
    "use_galore": "GaLore's projected states are not in a recipe. Set it to false.",
    "lisa_activated_layers": "LISA trains layers by turns. Set it to 0.",
    "optimizer": "its own optimizers are not in a recipe. Use optim.",
    "deepspeed_autotp_size": "DeepSpeed's AutoTP, which splits layers, is not estimated. Remove it.",
    "zero_hpz_partition_size": "ZeRO++'s second shard is not estimated. Remove it.",
}
"""Keys that change memory and that a recipe cannot say."""

OWN_DTYPE: Final = Said(
    "without torch_dtype it takes the type of the model's own config.json, for most bfloat16",
    "未给 torch_dtype 时取模型 config.json 中的类型，多数为 bfloat16",
)


def write(recipe: Recipe, job: Job) -> Draft:
    """Return ``swift.yaml``, with DeepSpeed's or FSDP's file where cards share, and the line that runs it."""
    draft = Draft(command=f"swift sft {NAME}")
    if not draft.takes(recipe.model, "ms-swift"):
        return draft
    if recipe.method == "freeze":
        draft.refuse("it frees parameters by prefix or share, which a recipe's freeze section is not")
    if recipe.packing and not (recipe.attn_implementation or "").startswith("flash_attention"):
        draft.refuse("packing needs flash attention there. Set attn_implementation: flash_attention_2")
    content: dict[str, Any] = {"model": recipe.model, "use_hf": True}
    content |= {"tuner_type": "full" if recipe.adapter is None else "lora"}
    content |= {"torch_dtype": recipe.precision.weights, **precision_arguments(recipe)}
    if recipe.adapter is not None:
        content |= _adapter_arguments(recipe, recipe.adapter, draft)
    content |= _quantization_arguments(recipe)
    if recipe.attn_implementation is not None:
        content["attn_impl"] = recipe.attn_implementation
    content |= {"max_length": recipe.sequence_length, "packing": recipe.packing}
    content |= _step_arguments(recipe) | checkpointing_arguments(recipe)
    if liger_wanted(recipe):
        content["use_liger_kernel"] = True
        note_liger(draft)
    content |= training_arguments(recipe, "warmup_ratio")
    content |= {"split_dataset_ratio": HELD_OUT} if "eval_steps" in content else {}
    content |= {"dataset": [job.data], "output_dir": job.output_dir}
    _shard(recipe, draft, content)
    return draft


def _adapter_arguments(recipe: Recipe, adapter: Adapter, draft: Draft) -> dict[str, Any]:
    if adapter.peft_type != "LORA" or adapter.options:
        draft.refuse(f"it makes plain LoRA here, not {adapter.peft_type} with further options")
    if adapter.bias == "lora_only":
        draft.refuse("lora_bias is none or all")
    targets, dtype = adapter.target_modules, recipe.precision.adapter
    pattern = isinstance(targets, str) and targets != "all-linear"
    names = [targets] if isinstance(targets, str) else list(targets or ())
    return {
        **({"target_regex": targets} if pattern else {"target_modules": names}),
        "lora_rank": adapter.r,
        "lora_alpha": adapter.lora_alpha,
        "lora_dropout": adapter.lora_dropout,
        **({"lora_bias": adapter.bias} if adapter.bias != "none" else {}),
        **({"lora_dtype": dtype} if dtype is not None else {}),
        **({"modules_to_save": list(adapter.modules_to_save)} if adapter.modules_to_save else {}),
        **({"use_rslora": True} if adapter.use_rslora else {}),
        **({"use_dora": True} if adapter.use_dora else {}),
    }


def _quantization_arguments(recipe: Recipe) -> dict[str, Any]:
    quantization = recipe.quantization
    if quantization is None:
        return {}
    out: dict[str, Any] = {"quant_method": "bnb", "quant_bits": quantization.bits}
    if quantization.bits == 4:
        out |= {
            "bnb_4bit_quant_type": quantization.quant_type,
            "bnb_4bit_use_double_quant": quantization.double_quant,
            "bnb_4bit_compute_dtype": quantization.compute_dtype,
        }
    if quantization.quant_storage != "uint8":
        out["bnb_4bit_quant_storage"] = quantization.quant_storage
    if quantization.device_map is not None:
        out["device_map"] = quantization.device_map
    return out


def _step_arguments(recipe: Recipe) -> dict[str, Any]:
    """Return one step's choices; SftArguments' own AcceleratorConfig, which a stated one replaces, beside."""
    out = step_arguments(recipe)
    if "accelerator_config" in out:
        out["accelerator_config"] = {"dispatch_batches": False, **out["accelerator_config"]}
    return out


def _shard(recipe: Recipe, draft: Draft, content: dict[str, Any]) -> None:
    hardware, environment = recipe.hardware, {}
    if hardware.world_size > 1 or recipe.sharding != "none":
        environment["NPROC_PER_NODE"] = hardware.gpus
    if hardware.nodes > 1:
        environment["NNODES"] = hardware.nodes
        draft.command = f"NODE_RANK=RANK MASTER_ADDR=FIRST_NODE MASTER_PORT=29500 {draft.command}"
    said = {
        **environment,
        **({"PYTORCH_CUDA_ALLOC_CONF": hardware.alloc_conf} if hardware.alloc_conf else {}),
    }
    if said:
        content["ENV"] = said
    if recipe.sharding == "fsdp_hybrid":
        draft.refuse("its FSDP2 has no second mesh to repeat shards over nodes")
    if recipe.sharding in FSDP:
        content["fsdp"] = FSDP_NAME
    if recipe.sharding in ZERO:
        content["deepspeed"] = deepspeed.NAME
    draft.file(NAME, content)
    if recipe.sharding in ZERO:
        draft.file(deepspeed.NAME, deepspeed.section(recipe))
    if recipe.sharding in FSDP:
        offload = " offload" if recipe.offload.parameters == "cpu" else ""
        section = {"fsdp_version": 2, **accelerate.fsdp(recipe)}
        section = {
            name: value for name, value in section.items() if name not in ("version", "offload_params")
        }
        draft.file(FSDP_NAME, {"fsdp": f"full_shard auto_wrap{offload}", "fsdp_config": section})


def read(reading: Reading) -> None:
    """Set what ms-swift's file says."""
    reading.copy("model", "model")
    reading.fact("trainer", "trainer", "trainer")
    reading.refuse_all(REFUSED)
    _read_environment(reading)
    _read_method(reading)
    _read_precision(reading)
    _read_place(reading)
    attention = reading.choice("attn_impl", tuple(ATTENTIONS))
    if attention is not None:
        reading.set("attn_implementation", ATTENTIONS[attention], "attn_impl")
    if reading.stated("max_length"):
        reading.copy("max_length", "sequence_length")
    reading.set("packing", reading.boolean("packing"), "packing")
    read_step(reading)
    _read_accumulation(reading)
    read_checkpointing(reading)
    read_training(reading, "warmup_ratio")
    if "training.learning_rate" not in reading.values:
        rate = 1e-5 if reading.values.get("method") == "full" else 1e-4
        reading.fact("training.learning_rate", rate, "rate")
    _read_fsdp(reading)
    deepspeed.read_reference(reading, "deepspeed")


def _read_environment(reading: Reading) -> None:
    for name, key in (("NPROC_PER_NODE", "hardware.gpus"), ("NNODES", "hardware.nodes")):
        count = reading.integer(f"ENV.{name}", 1, 4096)
        if count is not None:
            reading.set(key, count, f"ENV.{name}")
    if reading.stated("ENV.PYTORCH_CUDA_ALLOC_CONF"):
        reading.copy("ENV.PYTORCH_CUDA_ALLOC_CONF", "hardware.alloc_conf")
    if _cards(reading) > 1:
        reading.set("sharding", "ddp", "ENV.NPROC_PER_NODE", "ENV.NNODES")


def _cards(reading: Reading) -> int:
    """Return the number of cards that the file or the changes beside it say."""
    said = {**reading.values, **reading.changes}
    gpus, nodes = said.get("hardware.gpus", 1), said.get("hardware.nodes", 1)
    return gpus * nodes if isinstance(gpus, int) and isinstance(nodes, int) else 1


def _read_accumulation(reading: Reading) -> None:
    """Set what TrainArgumentsMixin.__post_init__ makes of silence: 16 sequences a step."""
    if reading.stated("gradient_accumulation_steps"):
        return
    batch = reading.values.get("per_device_train_batch_size", 1)
    steps = max(1, math.ceil(16 / batch / _cards(reading)))
    reading.set("gradient_accumulation_steps", steps, "gradient_accumulation_steps")


def _read_method(reading: Reading) -> None:
    name = "tuner_type" if reading.stated("tuner_type") or not reading.stated("train_type") else "train_type"
    kind = reading.choice(name, ("lora", "full")) if reading.get(name) in ("lora", "full") else None
    if kind is None:
        reading.refuse(name, "lora and full are carried over. Write other tuners as a recipe.")
        return
    bits = reading.integer("quant_bits", 1, 8) if reading.get("quant_method") is not None else None
    if kind == "full":
        reading.set("method", "full", name)
        return
    reading.set("method", "qlora" if bits else "lora", *(("quant_bits",) if bits else (name,)))
    for each in ("lora_rank", "lora_alpha", "lora_dropout"):
        reading.copy(each, "adapter.r" if each == "lora_rank" else f"adapter.{each}")
    reading.copy("lora_bias", "adapter.bias")
    for each in ("use_rslora", "use_dora"):
        reading.set(f"adapter.{each}", reading.boolean(each), each)
    if saved := reading.texts("modules_to_save"):
        reading.set("adapter.modules_to_save", tuple(saved), "modules_to_save")
    if reading.stated("target_regex"):
        reading.copy("target_regex", "adapter.target_modules")
    else:
        targets = reading.texts("target_modules")
        everything = targets == ["all-linear"]
        reading.set(
            "adapter.target_modules", "all-linear" if everything else tuple(targets), "target_modules"
        )
    if reading.stated("lora_dtype"):
        reading.copy("lora_dtype", "precision.adapter")
    if bits:
        _read_quantization(reading, bits)


def _read_quantization(reading: Reading, bits: int) -> None:
    if reading.get("quant_method") != "bnb":
        reading.refuse("quant_method", "only bitsandbytes' formats are in a recipe. Set it to bnb.")
    reading.set("quantization.bits", bits, "quant_bits")
    reading.fact("quantization.kbit_preparation", False, "kbit")
    if bits != 4:
        return
    read_storage(reading)
    reading.copy("bnb_4bit_quant_type", "quantization.quant_type")
    twice = reading.boolean("bnb_4bit_use_double_quant")
    reading.set("quantization.double_quant", twice, "bnb_4bit_use_double_quant")
    if reading.stated("bnb_4bit_compute_dtype"):
        reading.copy("bnb_4bit_compute_dtype", "quantization.compute_dtype")
    else:
        computed = "bfloat16" if reading.get("torch_dtype") in (None, "bfloat16") else "float32"
        reading.set("quantization.compute_dtype", computed, "bnb_4bit_compute_dtype")


def _read_place(reading: Reading) -> None:
    """Set where weights are quantised: device_map goes to from_pretrained() as it is."""
    if reading.values.get("quantization.bits") == 4 and reading.raw("device_map") in (None, "cpu"):
        reading.set(PLACE, reading.raw("device_map"), "device_map")
    else:
        reading.refuse_all({"device_map": "a model spread over cards is not estimated. Remove it."})


def _read_precision(reading: Reading) -> None:
    """Set types; unless said, autocast follows torch_dtype: bfloat16 for itself, float16 for the others."""
    if reading.stated("torch_dtype"):
        reading.copy("torch_dtype", "precision.weights")
    else:
        reading.assume("precision.weights", "bfloat16", OWN_DTYPE)
    brain = reading.values.get("precision.weights") == "bfloat16"
    bf16 = reading.boolean("bf16") if reading.stated("bf16") else brain and not reading.boolean("fp16")
    fp16 = reading.boolean("fp16") if reading.stated("fp16") else not brain and not reading.boolean("bf16")
    autocast = "bfloat16" if bf16 else "float16" if fp16 else None
    reading.set("precision.autocast", autocast, "bf16", "fp16", "torch_dtype")


def _read_fsdp(reading: Reading) -> None:
    if not reading.stated("fsdp"):
        return
    if reading.raw("fsdp") == "fsdp2":  # swift/config/fsdp2.json
        reading.set("sharding", "fsdp", "fsdp")
        reading.set("gradient_checkpointing", True, "fsdp")
        return
    text_name = reading.raw("fsdp")
    if not isinstance(text_name, str):
        reading.problem("fsdp", "fsdp2, or the name of a JSON file", "Name the file.")
        return
    accelerate.read_fsdp_file(reading, "fsdp")
