"""torchtune: the YAML of ``tune run`` for its full and LoRA recipes; both ways.

Source files are those of meta-pytorch/torchtune@v0.6.1. A file of torchtune names components, so only models
that torchtune builds can be said: torchtune_models.json lists them.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any, Final, NamedTuple

from tunesmith.recipe import Adapter, Recipe
from tunesmith.trainers.defaults import Defaults
from tunesmith.trainers.draft import Draft, Job, shell
from tunesmith.trainers.reading import Reading
from tunesmith.trainers.result import Said

NAME: Final = "torchtune.yaml"

DEFAULTS: Final = Defaults(
    package="torchtune==0.6.1",
    tables={
        "recipes/full_finetune_distributed.py": {
            "clip_grad_norm": None,
            "fsdp_cpu_offload": False,
            "fsdp_reshard_after_forward": True,
            "enable_activation_checkpointing": False,
            "gradient_accumulation_steps": 1,
            "batch_size": 1,
            "dtype": "bf16",
            "epochs": 1,
        },
        "torchtune/models/llama3/_component_builders.py": {
            "model.apply_lora_to_mlp": False,
            "model.apply_lora_to_output": False,
            "model.lora_dropout": 0.0,
            "model.use_dora": False,
            "model.quantize_base": False,
        },
        "torchtune/models/llama3/_model_builders.py": {"model.lora_rank": 8, "model.lora_alpha": 16},
        "torchtune/datasets/_chat.py": {"dataset.packed": False},
    },
    facts={
        "trainer": "recipes/lora_finetune_single_device.py: a loop of its own",
        "loss": "torchtune/modules/loss/ce_chunked_output_loss.py: the logits are made, in chunks",
        "mask": "torchtune/data/_collate.py: padded_collate_sft",
        "nf4": "torchao's NF4 in torchtune/modules/peft/lora.py",
        "reduced": "recipes/lora_finetune_distributed.py: FSDP2 reduces by itself, and nothing holds it back",
        "attention": "torchtune/modules/attention_utils.py: scaled_dot_product_attention",
        "reentrant": "torchtune/training/_activation_checkpointing.py",
    },
)

OPTIMIZERS: Final = {
    "adamw_torch_fused": ("torch.optim.AdamW", True),
    "adamw_torch": ("torch.optim.AdamW", False),
    "sgd": ("torch.optim.SGD", None),
    "adamw_8bit": ("bitsandbytes.optim.AdamW8bit", None),
    "adamw_bnb_8bit": ("bitsandbytes.optim.AdamW8bit", None),
    "paged_adamw_8bit": ("bitsandbytes.optim.PagedAdamW8bit", None),
    "paged_adamw_32bit": ("bitsandbytes.optim.PagedAdamW", None),
    "adamw_torch_8bit": ("torchao.prototype.low_bit_optim.AdamW8bit", None),
    "adamw_torch_4bit": ("torchao.prototype.low_bit_optim.AdamW4bit", None),
}
"""transformers' names of optimizers to components and their ``fused``."""

TYPES: Final = {"bf16": "bfloat16", "fp32": "float32"}

ATTENTION: Final = {"q_proj": "q_proj", "k_proj": "k_proj", "v_proj": "v_proj", "output_proj": "o_proj"}
"""Its names of attention's projections to transformers'."""
MLP: Final = ("gate_proj", "up_proj", "down_proj")

REFUSED: Final = {
    "enable_activation_offloading": "torchtune's own hooks are not reproduced. Set it to False.",
    "optimizer_in_bwd": "optimizer steps inside the backward pass are not estimated. Set it to False.",
    "compile": "a compiled model keeps other tensors. Set it to False.",
    "tensor_parallel_dim": "torchtune splits its models by plans of its own, not estimated. Set it to 1.",
    "quantizer": "quantisation-aware training is not estimated. Remove it.",
}
"""Keys that change memory and that a recipe cannot say."""

TORCHAO: Final = Said(
    "QLoRA is torchao's NF4 (blocks of 64, scales quantised again); bitsandbytes' nf4, quantised twice, "
    "stands in for it",
    "QLoRA 使用 torchao 的 NF4（每块 64 个，缩放系数再量化），以 bitsandbytes 的双重量化 nf4 代替",
)


class Component(NamedTuple):
    """What torchtune needs to know of a model."""

    model: str
    builder: str
    tokenizer: str
    vocabulary: str
    merges: str | None
    kind: str
    weights: list[str]


@cache
def components() -> tuple[Component, ...]:
    """Return the models that torchtune's own configurations train; the first of a builder is the usual."""
    text = resources.files(__package__).joinpath("torchtune_models.json").read_text(encoding="utf-8")
    return tuple(Component(*row) for row in json.loads(text)["models"])


def write(recipe: Recipe, job: Job) -> Draft:
    """Return ``torchtune.yaml`` and the line that downloads the model and runs the matching recipe."""
    draft, training, hardware = Draft(), recipe.training, recipe.hardware
    found = next((each for each in components() if each.model == recipe.model), None)
    if found is None:
        draft.refuse(
            f"it has no builder for {recipe.model!s:.80}; it has those of {len(components())} models"
        )
        return draft
    _refusals(recipe, draft)
    if draft.refused:
        return draft
    several = hardware.world_size > 1 or recipe.sharding != "none"
    folder = f"{job.output_dir}/{found.model.rpartition('/')[2]}"
    content: dict[str, Any] = {"output_dir": job.output_dir, "model": _model(recipe, found)}
    content["tokenizer"] = {
        "_component_": f"torchtune.models.{found.tokenizer}",
        "path": f"{folder}/{found.vocabulary}",
        **({"merges_file": f"{folder}/{found.merges}"} if found.merges else {}),
        "max_seq_len": recipe.sequence_length,
    }
    content |= {"checkpointer": _checkpointer(found, folder, job), "resume_from_checkpoint": False}
    content |= {"dataset": _data(recipe, job), "seed": training.seed if training else None, "shuffle": True}
    content |= {"batch_size": recipe.per_device_train_batch_size}
    content |= {"gradient_accumulation_steps": recipe.gradient_accumulation_steps}
    content["optimizer"] = _optimizer(recipe)
    if recipe.adapter is not None:
        schedule = "torchtune.training.lr_schedulers.get_cosine_schedule_with_warmup"
        content["lr_scheduler"] = {"_component_": schedule, "num_warmup_steps": 0}
        content["save_adapter_weights_only"] = False
    content["loss"] = {"_component_": "torchtune.modules.loss.CEWithChunkedOutputLoss"}
    content |= {"epochs": _epochs(recipe, draft), "max_steps_per_epoch": None}
    content |= {"clip_grad_norm": recipe.max_grad_norm, "optimizer_in_bwd": False, "compile": False}
    content |= {"device": "cuda", "dtype": {v: k for k, v in TYPES.items()}[recipe.precision.weights]}
    content["enable_activation_checkpointing"] = recipe.gradient_checkpointing
    content["enable_activation_offloading"] = False
    if several:
        content["fsdp_cpu_offload"] = recipe.offload.parameters == "cpu"
        content["fsdp_reshard_after_forward"] = recipe.sharding == "fsdp"
    logger = {
        "_component_": "torchtune.training.metric_logging.DiskLogger",
        "log_dir": f"{job.output_dir}/logs",
    }
    content |= {"metric_logger": logger, "log_every_n_steps": 1, "log_peak_memory_stats": True}
    draft.file(NAME, content)
    _launch(recipe, draft, found, folder, several=several)
    return draft


def _refusals(recipe: Recipe, draft: Draft) -> None:
    hardware, quantization, adapter = recipe.hardware, recipe.quantization, recipe.adapter
    if hardware.nodes > 1:
        draft.refuse("its single command trains on one machine. Set hardware.nodes: 1")
    if recipe.sharding not in ("none", "fsdp", "fsdp_grad_op") or (
        hardware.gpus > 1 and recipe.sharding == "none"
    ):
        draft.refuse(f"several cards share by FSDP2 there, not by {recipe.sharding}. Set sharding: fsdp")
    if recipe.method == "freeze":
        draft.refuse("it freezes no part of a model")
    weights = recipe.precision.weights
    if recipe.precision.autocast not in (None, weights) or weights not in TYPES.values():
        draft.refuse("it trains in bfloat16 or float32 throughout, without autocast")
    if recipe.optim not in OPTIMIZERS:
        draft.refuse(f"it has no optimizer {recipe.optim}; it has {', '.join(sorted(OPTIMIZERS))}")
    if quantization is not None and (quantization.bits, quantization.quant_type) != (4, "nf4"):
        draft.refuse("its quantised weights are torchao's NF4")
    if quantization is not None and hardware.gpus > 1 and recipe.sharding == "none":
        draft.refuse("its QLoRA on several cards needs sharding: fsdp")
    if adapter is not None and _modules(adapter) is None:
        draft.refuse(
            f"its LoRA adapts attention's projections and the whole MLP, not {adapter.target_modules}"
        )
    if adapter is not None and (adapter.peft_type != "LORA" or adapter.options or adapter.modules_to_save):
        draft.refuse("it makes plain LoRA and trains no module beside it")
    if recipe.attn_implementation not in (None, "sdpa"):
        draft.refuse("its attention is PyTorch's own. Set attn_implementation: sdpa")


def _epochs(recipe: Recipe, draft: Draft) -> int:
    epochs = recipe.training.num_train_epochs if recipe.training else 1.0
    if not epochs.is_integer():
        draft.note(
            f"torchtune counts whole epochs; {epochs:g} became {max(1, round(epochs))}.",
            f"torchtune 只计整数轮；{epochs:g} 改为 {max(1, round(epochs))}。",
        )
    return max(1, round(epochs))


def _modules(adapter: Adapter) -> tuple[list[str], bool] | None:
    """Return attention's projections and whether the MLP is adapted; None where torchtune cannot say it."""
    if adapter.target_modules == "all-linear":
        return list(ATTENTION), True
    names = set(adapter.target_modules) if isinstance(adapter.target_modules, tuple) else {""}
    attention = [own for own, name in ATTENTION.items() if name in names]
    rest = names - {ATTENTION[own] for own in attention}
    if not attention or rest not in (set(), set(MLP)):
        return None
    return attention, bool(rest)


def _model(recipe: Recipe, found: Component) -> dict[str, Any]:
    package, _, builder = found.builder.partition(".")
    if recipe.adapter is None:
        return {"_component_": f"torchtune.models.{package}.{builder}"}
    modules = _modules(recipe.adapter)
    assert modules is not None
    return {
        "_component_": f"torchtune.models.{package}.lora_{builder}",
        "lora_attn_modules": modules[0],
        "apply_lora_to_mlp": modules[1],
        "apply_lora_to_output": False,
        "lora_rank": recipe.adapter.r,
        "lora_alpha": recipe.adapter.lora_alpha,
        "lora_dropout": recipe.adapter.lora_dropout,
        **({"use_dora": True} if recipe.adapter.use_dora else {}),
        **({"quantize_base": True} if recipe.quantization is not None else {}),
    }


def _checkpointer(found: Component, folder: str, job: Job) -> dict[str, Any]:
    files: Any = found.weights
    if len(found.weights) == 2:
        files = {"filename_format": found.weights[0], "max_filename": found.weights[1]}
    return {
        "_component_": "torchtune.training.FullModelHFCheckpointer",
        "checkpoint_dir": folder,
        "checkpoint_files": files,
        "recipe_checkpoint": None,
        "output_dir": job.output_dir,
        "model_type": found.kind,
    }


def _data(recipe: Recipe, job: Job) -> dict[str, Any]:
    kind = job.data.rpartition(".")[2].lower().replace("jsonl", "json")
    source = {"source": kind, "data_files": job.data} if job.is_file else {"source": job.data}
    return {
        "_component_": "torchtune.datasets.chat_dataset",
        **source,
        "split": "train",
        "conversation_column": "messages",
        "conversation_style": "openai",
        "packed": recipe.packing,
    }


def _optimizer(recipe: Recipe) -> dict[str, Any]:
    component, fused = OPTIMIZERS[recipe.optim]
    training = recipe.training
    rate = training.learning_rate if training else 2e-4 if recipe.adapter is not None else 2e-5
    decay = {"weight_decay": training.weight_decay} if training else {}
    return {"_component_": component, **({} if fused is None else {"fused": fused}), "lr": rate, **decay}


def _launch(recipe: Recipe, draft: Draft, found: Component, folder: str, *, several: bool) -> None:
    name = "lora_finetune" if recipe.adapter is not None else "full_finetune"
    cards = f"--nproc_per_node {recipe.hardware.gpus} " if several else ""
    kind = "distributed" if several else "single_device"
    draft.command = f"tune run {cards}{name}_{kind} --config {NAME}"
    draft.environment(recipe.hardware.alloc_conf)
    draft.command = f"tune download {shell(found.model)} --output-dir {shell(folder)} && {draft.command}"


def read(reading: Reading) -> None:
    """Set what torchtune's file says."""
    reading.refuse_all(REFUSED)
    reading.fact("trainer", "loop", "trainer")
    _read_model(reading)
    for name, key in (
        ("batch_size", "per_device_train_batch_size"),
        ("gradient_accumulation_steps", "gradient_accumulation_steps"),
        ("clip_grad_norm", "max_grad_norm"),
    ):
        reading.copy(name, key)
    if reading.stated("tokenizer.max_seq_len"):
        reading.copy("tokenizer.max_seq_len", "sequence_length")
    dtype = reading.choice("dtype", ("bf16", "fp32", "fp16"))
    if dtype == "fp16":
        reading.refuse("dtype", "torchtune's recipes do not train in fp16. Set dtype: bf16.")
    weights = TYPES.get(dtype or "bf16", "bfloat16")
    reading.set("precision.weights", weights, "dtype")
    if reading.values["method"] != "full":
        reading.set("precision.adapter", weights, "dtype")
    if reading.values["method"] == "qlora":
        reading.set("quantization.compute_dtype", weights, "dtype")
    _read_optimizer(reading)
    reading.set("packing", reading.boolean("dataset.packed"), "dataset.packed")
    checkpointing = reading.boolean("enable_activation_checkpointing")
    reading.set("gradient_checkpointing", checkpointing, "enable_activation_checkpointing")
    reading.fact("gradient_checkpointing_kwargs", {"use_reentrant": False}, "reentrant")
    reading.fact("attn_implementation", "sdpa", "attention")
    reading.fact("loss", "standard", "loss")
    reading.fact("attention_mask", False, "mask")
    reading.fact("keep_outputs", False, "trainer")
    _read_sharding(reading)
    _read_training(reading)
    reading.used |= {"tokenizer", "checkpointer"}


def _read_model(reading: Reading) -> None:
    component = reading.raw("model._component_")
    builder = str(component).removeprefix("torchtune.models.")
    package, _, name = builder.partition(".")
    quantized = name.startswith("qlora_") or reading.boolean("model.quantize_base")
    method = "full" if not name.startswith(("lora_", "qlora_")) else "qlora" if quantized else "lora"
    bare = f"{package}.{name.removeprefix('q').removeprefix('lora_') if method != 'full' else name}"
    known = next((each for each in components() if each.builder == bare), None)
    if known is None and "model" not in reading.changes:
        reading.problem(
            "model._component_", "a builder of a model that is known", "Give MODEL beside the file."
        )
    elif known is not None:
        reading.set("model", _named(reading, bare, known), "model._component_")
    reading.set("method", method, "model._component_")
    if method == "full":
        return
    for name in ("lora_rank", "lora_alpha", "lora_dropout"):
        reading.copy(f"model.{name}", "adapter.r" if name == "lora_rank" else f"adapter.{name}")
    reading.set("adapter.use_dora", reading.boolean("model.use_dora"), "model.use_dora")
    chosen = reading.texts("model.lora_attn_modules")
    mlp = reading.boolean("model.apply_lora_to_mlp")
    if reading.boolean("model.apply_lora_to_output"):
        reading.refuse("model.apply_lora_to_output", "TRL and the estimate refuse an adapter on the head.")
    names = tuple(ATTENTION.get(each, each) for each in chosen) + (MLP if mlp else ())
    everything = mlp and set(chosen) == set(ATTENTION)
    targets = ("model.lora_attn_modules", "model.apply_lora_to_mlp")
    reading.set("adapter.target_modules", "all-linear" if everything else names, *targets)
    if method == "qlora":
        reading.assume("quantization.bits", 4, TORCHAO)
        reading.assume("quantization.quant_type", "nf4", TORCHAO)
        reading.assume("quantization.double_quant", True, TORCHAO)
        reading.fact("quantization.kbit_preparation", False, "nf4")


def _named(reading: Reading, builder: str, known: Component) -> str:
    """Return the model whose folder the checkpointer names, else the usual one of its builder."""
    folder = str(reading.raw("checkpointer.checkpoint_dir") or "").rstrip("/").rpartition("/")[2]
    named = (
        each.model for each in components() if each.builder == builder and each.model.endswith(f"/{folder}")
    )
    return next(named, known.model) if folder else known.model


def _read_optimizer(reading: Reading) -> None:
    component, fused = reading.raw("optimizer._component_"), reading.boolean("optimizer.fused")
    names = [name for name, (each, _) in OPTIMIZERS.items() if each == component]
    if len(names) == 2 and component == "torch.optim.AdamW":
        names = ["adamw_torch_fused" if fused else "adamw_torch"]
    if names:
        reading.set("optim", names[0], "optimizer._component_")
    else:
        reading.refuse("optimizer._component_", f"a recipe has no {component!r:.60}. Use torch.optim.AdamW.")


def _read_sharding(reading: Reading) -> None:
    """Set FSDP2 where the file has a key that only torchtune's distributed recipes read."""
    marks = ("fsdp_reshard_after_forward", "fsdp_cpu_offload", "custom_sharded_layers", "tensor_parallel_dim")
    if not reading.stated(*marks):
        return
    whole = reading.boolean("fsdp_reshard_after_forward")
    stated = [name for name in marks if reading.stated(name)]
    reading.set("sharding", "fsdp" if whole else "fsdp_grad_op", *stated)
    place = "cpu" if reading.boolean("fsdp_cpu_offload") else "none"
    reading.set("offload.optimizer", place, "fsdp_cpu_offload")
    reading.set("offload.parameters", place, "fsdp_cpu_offload")


def _read_training(reading: Reading) -> None:
    for name, key in (
        ("optimizer.lr", "training.learning_rate"),
        ("epochs", "training.num_train_epochs"),
        ("optimizer.weight_decay", "training.weight_decay"),
        ("seed", "training.seed"),
    ):
        if reading.get(name) is not None:
            reading.copy(name, key)
    schedule = str(reading.raw("lr_scheduler._component_") or "")
    shape = "cosine" if "cosine" in schedule else "constant"
    reading.set("training.lr_scheduler_type", shape, "lr_scheduler._component_")
