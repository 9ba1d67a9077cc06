"""LLaMA-Factory: the YAML of ``llamafactory-cli train``; both ways.

Source files are those of hiyouga/LLaMA-Factory@v0.9.5 under src/.
"""

from __future__ import annotations

from typing import Any, Final

from tunesmith.recipe import Adapter, Recipe
from tunesmith.recipe.names import FSDP, ZERO
from tunesmith.trainers import accelerate, deepspeed
from tunesmith.trainers.arguments import (
    ACCUMULATION,
    HELD_OUT,
    TRAINING_ARGUMENTS,
    precision_arguments,
    read_autocast,
    read_step,
    read_training,
    step_arguments,
    training_arguments,
)
from tunesmith.trainers.defaults import Defaults
from tunesmith.trainers.draft import Draft, Job
from tunesmith.trainers.quantising import PLACE, is_sharded
from tunesmith.trainers.reading import Reading
from tunesmith.trainers.result import Said

NAME: Final = "llamafactory.yaml"

DEFAULTS: Final = Defaults(
    package="llamafactory==0.9.5",
    tables={
        "src/llamafactory/hparams/data_args.py": {"cutoff_len": 2048, "packing": None, "neat_packing": False},
        "src/llamafactory/hparams/model_args.py": {
            "flash_attn": "auto",
            "enable_liger_kernel": False,
            "disable_gradient_checkpointing": False,
            "use_reentrant_gc": True,
            "quantization_method": "bnb",
            "quantization_bit": None,
            "quantization_type": "nf4",
            "double_quantization": True,
        },
        "src/llamafactory/hparams/finetuning_args.py": {
            "stage": "sft",
            "finetuning_type": "lora",
            "pure_bf16": False,
            "lora_rank": 8,
            "lora_alpha": None,
            "lora_dropout": 0.0,
            "lora_target": "all",
            "use_rslora": False,
            "use_dora": False,
            "additional_target": None,
            "freeze_trainable_layers": 2,
            "freeze_trainable_modules": "all",
        },
        "transformers==5.6.0: src/transformers/training_args.py": {
            **TRAINING_ARGUMENTS,
            "warmup_ratio": None,
        },
        **ACCUMULATION,
    },
    facts={
        "trainer": "src/llamafactory/train/sft/trainer.py: a transformers.Seq2SeqTrainer",
        "kbit": "src/llamafactory/model/model_utils/checkpointing.py: prepare_model_for_training",
        "storage": "src/llamafactory/model/model_utils/quantization.py: bnb_4bit_quant_storage=compute_dtype",
        "placement": "src/llamafactory/model/patcher.py: no device_map under FSDP: each process's own card",
    },
)

ATTENTIONS: Final = {"auto": None, "disabled": "eager", "sdpa": "sdpa", "fa2": "flash_attention_2"}
"""Its names of attention code, src/llamafactory/model/model_utils/attention.py."""

REFUSED: Final = {
    "use_galore": "GaLore's projected states are not in a recipe. Set it to false.",
    "use_apollo": "APOLLO's projected states are not in a recipe. Set it to false.",
    "use_badam": "BAdam trains block by block. Set it to false.",
    "use_adam_mini": "Adam-mini's states are not in a recipe. Set it to false.",
    "use_muon": "Muon's states are not in a recipe. Set it to false.",
    "use_unsloth": "Unsloth's kernels are not estimated. Set it to false.",
    "use_unsloth_gc": "activations in the host's memory are not estimated. Set it to false.",
    "use_kt": "KTransformers' experts in the host's memory are not estimated. Set it to false.",
    "use_mca": "Megatron's parallelism is not estimated. Set it to false.",
    "use_hyper_parallel": "its parallelism is not estimated. Set it to false.",
    "use_llama_pro": "added layers are not in a recipe. Set it to false.",
    "shift_attn": "shifted attention is not estimated. Set it to false.",
    "mixture_of_depths": "it changes the model. Remove it.",
    "fp8": "fp8 training is not estimated. Set it to false.",
    "upcast_layernorm": "norms in float32 over 16-bit weights are not in a recipe. Set it to false.",
    "upcast_lmhead_output": "logits in float32 are not in a recipe. Set it to false.",
    "freeze_extra_modules": "a recipe's last_n_layers frees whole layers only. Remove it.",
    "resize_vocab": "it changes the model. Set it to false.",
}
"""Keys that change memory and that a recipe cannot say."""

MODEL_TYPE: Final = Said(
    "weights are loaded in the type of the model's own file (torch_dtype: auto), for most bfloat16",
    "权重按模型文件自身的类型加载（torch_dtype: auto），多数为 bfloat16",
)


def write(recipe: Recipe, job: Job) -> Draft:
    """Return ``llamafactory.yaml``, a description of the data, DeepSpeed's file, and the line to run."""
    draft = Draft(command=f"llamafactory-cli train {NAME}")
    if not draft.takes(recipe.model, "LLaMA-Factory"):
        return draft
    content: dict[str, Any] = {"model_name_or_path": recipe.model, "stage": "sft", "do_train": True}
    content |= _method_arguments(recipe, draft)
    content |= _dtype_arguments(recipe, draft)
    attention = {value: key for key, value in ATTENTIONS.items()}.get(recipe.attn_implementation)
    if attention is None:
        draft.refuse(
            f"it has no attention code {recipe.attn_implementation}; sdpa, eager and flash_attention_2 it has"
        )
    content["flash_attn"] = attention
    content["disable_gradient_checkpointing"] = not recipe.gradient_checkpointing
    content["use_reentrant_gc"] = bool(recipe.gradient_checkpointing_kwargs.get("use_reentrant"))
    if liger_wanted(recipe):
        content["enable_liger_kernel"] = True
        note_liger(draft)
    content |= {
        "cutoff_len": recipe.sequence_length,
        "packing": recipe.packing,
        "neat_packing": recipe.packing,
    }
    content |= step_arguments(recipe) | training_arguments(recipe, "warmup_ratio")
    content |= {"val_size": HELD_OUT} if "eval_steps" in content else {}
    content |= {"template": "default", "dataset": "train", "dataset_dir": ".", "output_dir": job.output_dir}
    draft.note(
        "template is default: name the model's own chat template (llama3, qwen, ...).",
        "template 为 default：请改为模型自己的对话模板（llama3、qwen 等）。",
    )
    _shard(recipe, draft, content)
    place = {"file_name": job.data} if job.is_file else {"hf_hub_url": job.data}
    tags = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
    described = {**place, "formatting": "sharegpt", "columns": {"messages": "messages"}}
    draft.file("dataset_info.json", {"train": {**described, "tags": {**tags, "system_tag": "system"}}})
    _launch(recipe, draft)
    return draft


def liger_wanted(recipe: Recipe) -> bool:
    """Return whether the recipe's loss never makes the logits, which outside TRL needs Liger's kernel."""
    return (
        recipe.loss != "standard" if recipe.trainer == "sft" else recipe.loss in ("chunked", "fused_linear")
    )


def note_liger(draft: Draft) -> None:
    """Say that Liger's loss takes the place of TRL's."""
    draft.note(
        "Liger's fused loss stands in for TRL's: neither makes the logits. pip install liger-kernel.",
        "以 Liger 的融合损失代替 TRL 的：两者都不生成 logits。需要 pip install liger-kernel。",
    )


def _shard(recipe: Recipe, draft: Draft, content: dict[str, Any]) -> None:
    """Add the sharding to *content*, and all files to *draft*."""
    if recipe.sharding in FSDP:
        if recipe.sharding == "fsdp_hybrid":
            draft.refuse(
                "transformers 5.6, which it runs, shards inside a node and repeats over nodes with FSDP1 only"
            )
        content |= {"fsdp": _fsdp_words(recipe), "fsdp_config": _fsdp_section(recipe)}
    if recipe.sharding in ZERO:
        content["deepspeed"] = deepspeed.NAME
    draft.file(NAME, content)
    if recipe.sharding in ZERO:
        draft.file(deepspeed.NAME, deepspeed.section(recipe))


def _fsdp_words(recipe: Recipe) -> str:
    strategy = "shard_grad_op" if recipe.sharding == "fsdp_grad_op" else "full_shard"
    return f"{strategy} auto_wrap{' offload' if recipe.offload.parameters == 'cpu' else ''}"


def _fsdp_section(recipe: Recipe) -> dict[str, Any]:
    said = accelerate.fsdp(recipe)
    return {
        "version": 2,
        "reshard_after_forward": said["reshard_after_forward"],
        "cpu_ram_efficient_loading": said["cpu_ram_efficient_loading"],
        "state_dict_type": "SHARDED_STATE_DICT",
    }


def _launch(recipe: Recipe, draft: Draft) -> None:
    hardware = recipe.hardware
    words = []
    if hardware.world_size > 1 or recipe.sharding != "none":
        words += ["FORCE_TORCHRUN=1", f"NPROC_PER_NODE={hardware.gpus}"]
    if hardware.nodes > 1:
        words += [f"NNODES={hardware.nodes}", "NODE_RANK=RANK", "MASTER_ADDR=FIRST_NODE", "MASTER_PORT=29500"]
    draft.command = " ".join([*words, draft.command])
    draft.environment(hardware.alloc_conf)


def _method_arguments(recipe: Recipe, draft: Draft) -> dict[str, Any]:
    if recipe.method == "full":
        return {"finetuning_type": "full"}
    if recipe.freeze is not None:
        if recipe.freeze.last_n_layers is None:
            draft.refuse("it frees whole layers from the last, not modules by name (freeze.trainable)")
        return {"finetuning_type": "freeze", "freeze_trainable_layers": recipe.freeze.last_n_layers}
    assert recipe.adapter is not None
    out = {"finetuning_type": "lora"} | _adapter_arguments(recipe.adapter, draft)
    quantization = recipe.quantization
    if quantization is not None:
        if quantization.bits == 8 and is_sharded(recipe):
            draft.refuse("under FSDP and ZeRO-3 its quantised weights have 4 bits. Set quantization.bits: 4")
        out |= {"quantization_bit": quantization.bits, "quantization_method": "bnb"}
        if quantization.bits == 4:
            out |= {
                "quantization_type": quantization.quant_type,
                "double_quantization": quantization.double_quant,
            }
    return out


def _adapter_arguments(adapter: Adapter, draft: Draft) -> dict[str, Any]:
    if adapter.peft_type != "LORA" or adapter.options:
        draft.refuse(f"it makes plain LoRA, not {adapter.peft_type} with further options")
    targets = adapter.target_modules
    if isinstance(targets, str) and targets != "all-linear":
        draft.refuse("lora_target holds names of modules, no regular expression")
    names = "all" if isinstance(targets, str) else ",".join(targets or ())
    saved = {"additional_target": ",".join(adapter.modules_to_save)} if adapter.modules_to_save else {}
    return {
        "lora_rank": adapter.r,
        "lora_alpha": adapter.lora_alpha,
        "lora_dropout": adapter.lora_dropout,
        "lora_target": names,
        **saved,
        **({"use_rslora": True} if adapter.use_rslora else {}),
        **({"use_dora": True} if adapter.use_dora else {}),
    }


def _dtype_arguments(recipe: Recipe, draft: Draft) -> dict[str, Any]:
    """Return bf16, fp16 and pure_bf16; weights that learn are float32 unless pure_bf16 is set."""
    weights, autocast = recipe.precision.weights, recipe.precision.autocast
    learns = recipe.method in ("full", "freeze")
    out: dict[str, Any] = dict(precision_arguments(recipe))
    if weights == "bfloat16" and (learns or autocast is None):
        if recipe.sharding == "zero3" and autocast is None:
            draft.refuse("pure_bf16 does not go with ZeRO-3 there. Set precision.autocast: bfloat16")
        return out if recipe.sharding == "zero3" else {**out, "pure_bf16": True}
    if recipe.method == "freeze":
        draft.refuse(
            "without pure_bf16 it learns in float32 over 16-bit layers. Set precision.weights: bfloat16"
        )
    if not learns and weights != "bfloat16":
        draft.refuse(
            f"it loads frozen weights in the type of the model's file, for most bfloat16, not {weights}"
        )
    return out


def read(reading: Reading) -> None:
    """Set what LLaMA-Factory's file says."""
    reading.copy("model_name_or_path", "model")
    reading.fact("trainer", "trainer", "trainer")
    stage = reading.choice("stage", ("pt", "sft", "rm", "ppo", "dpo", "kto"))
    if stage not in ("pt", "sft", None):
        reading.refuse("stage", f"{stage} keeps further models or heads. Only sft and pt are estimated.")
    reading.refuse_all(REFUSED)
    _read_method(reading)
    _read_precision(reading)
    attention = reading.choice("flash_attn", tuple(ATTENTIONS))
    if attention is not None and ATTENTIONS[attention] is not None:
        reading.set("attn_implementation", ATTENTIONS[attention], "flash_attn")
    if reading.boolean("enable_liger_kernel"):
        reading.used.add("use_liger_kernel")
        reading.given = {**reading.given, "use_liger_kernel": True}
    reading.copy("cutoff_len", "sequence_length")
    packing = reading.boolean("neat_packing") or reading.boolean("packing")
    reading.set("packing", packing, "packing", "neat_packing")
    read_step(reading)
    off = reading.boolean("disable_gradient_checkpointing") and not reading.boolean("gradient_checkpointing")
    reading.set("gradient_checkpointing", not off, "disable_gradient_checkpointing")
    kwargs = {"use_reentrant": reading.boolean("use_reentrant_gc")}
    reading.set("gradient_checkpointing_kwargs", kwargs, "use_reentrant_gc")
    read_training(reading, "warmup_ratio" if reading.stated("warmup_ratio") else "warmup_steps")
    if reading.stated("fsdp"):
        accelerate.read_fsdp_words(reading, "fsdp", "fsdp_config", unsaid=1)
    deepspeed.read_reference(reading, "deepspeed")
    if reading.values.get("sharding") == "zero3" and reading.values.get("method") == "full":
        reading.assume("precision.weights", "bfloat16", MODEL_TYPE)  # init_adapter() leaves them as they are


def _read_method(reading: Reading) -> None:
    kind = reading.choice("finetuning_type", ("lora", "oft", "freeze", "full"))
    bits = reading.integer("quantization_bit", 1, 8)
    if kind == "oft":
        reading.refuse("finetuning_type", "write an OFT adapter as a recipe: adapter: {peft_type: OFT, ...}.")
    if kind in ("full", "freeze"):
        reading.set("method", kind, "finetuning_type")
        layers = reading.get("freeze_trainable_layers")
        if kind == "freeze" and isinstance(layers, int) and layers > 0:
            reading.set("freeze.last_n_layers", layers, "freeze_trainable_layers")
        elif kind == "freeze":
            reading.refuse("freeze_trainable_layers", "a recipe frees the last layers only.")
        if kind == "freeze" and reading.get("freeze_trainable_modules") != "all":
            reading.refuse("freeze_trainable_modules", "a recipe frees whole layers only. Set it to all.")
        return
    reading.set(
        "method", "qlora" if bits else "lora", *(("quantization_bit",) if bits else ("finetuning_type",))
    )
    _read_adapter(reading)
    if bits:
        if reading.get("quantization_method") not in ("bnb", "bitsandbytes"):
            reading.refuse(
                "quantization_method", "only bitsandbytes' formats are in a recipe. Set it to bnb."
            )
        reading.set("quantization.bits", bits, "quantization_bit")
        reading.fact("quantization.kbit_preparation", False, "kbit")
    if bits == 4:
        reading.copy("quantization_type", "quantization.quant_type")
        reading.set(
            "quantization.double_quant", reading.boolean("double_quantization"), "double_quantization"
        )


def _read_adapter(reading: Reading) -> None:
    reading.copy("lora_rank", "adapter.r")
    reading.copy("lora_dropout", "adapter.lora_dropout")
    for name in ("use_rslora", "use_dora"):
        reading.set(f"adapter.{name}", reading.boolean(name), name)
    if reading.stated("lora_alpha"):
        reading.copy("lora_alpha", "adapter.lora_alpha")
    elif isinstance(rank := reading.values.get("adapter.r"), int):
        reading.set("adapter.lora_alpha", 2 * rank, "lora_rank")  # FinetuningArguments.__post_init__
    targets = reading.texts("lora_target")
    everything = "all" in targets
    reading.set("adapter.target_modules", "all-linear" if everything else tuple(targets), "lora_target")
    if saved := reading.texts("additional_target"):
        reading.set("adapter.modules_to_save", tuple(saved), "additional_target")


def _read_precision(reading: Reading) -> None:
    """Set types: the model's file gives those of frozen weights, init_adapter() makes what learns float32."""
    autocast, pure = read_autocast(reading), reading.boolean("pure_bf16")
    method = reading.values.get("method")
    if method in ("full", "freeze"):
        weights = "bfloat16" if pure else "float32"
        reading.set("precision.weights", weights, "pure_bf16")
        if method == "freeze" and not pure:
            reading.refuse(
                "pure_bf16", "without it, layers learn in float32 over 16-bit ones. Set it to true."
            )
        return
    reading.assume("precision.weights", "bfloat16", MODEL_TYPE)
    if method == "qlora":
        computed = autocast if autocast is not None and not pure else "bfloat16"
        reading.set("quantization.compute_dtype", computed, "bf16", "fp16", "pure_bf16")
        if reading.values["quantization.bits"] == 4:
            reading.fact("quantization.quant_storage", computed, "storage")
            reading.fact(PLACE, None, "placement")
