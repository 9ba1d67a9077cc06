"""DeepSpeed's JSON for transformers' Trainer: ZeRO's stage, buckets and offload; ``auto`` is left to Trainer.

Keys: https://www.deepspeed.ai/docs/config-json. What Trainer writes in place of ``auto`` is in
huggingface/transformers@v5.23.0:src/transformers/integrations/deepspeed.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from tunesmith.errors import RecipeError
from tunesmith.recipe import Deepspeed, Recipe
from tunesmith.recipe.names import ZERO
from tunesmith.recipe.text import key_lines, read_text
from tunesmith.trainers.defaults import Defaults
from tunesmith.trainers.draft import Draft, Job
from tunesmith.trainers.reading import Reading
from tunesmith.trainers.result import Said

NAME: Final = "ds_config.json"

DEFAULTS: Final = Defaults(
    package="deepspeed==0.19.8",
    tables={
        "deepspeed/runtime/zero/config.py": {
            "zero_optimization.stage": 0,
            "zero_optimization.reduce_bucket_size": 500_000_000,
            "zero_optimization.allgather_bucket_size": 500_000_000,
            "zero_optimization.overlap_comm": None,
            "zero_optimization.contiguous_gradients": True,
            "zero_optimization.stage3_prefetch_bucket_size": 50_000_000,
            "zero_optimization.stage3_param_persistence_threshold": 100_000,
            "zero_optimization.stage3_max_live_parameters": 1_000_000_000,
            "zero_optimization.stage3_max_reuse_distance": 1_000_000_000,
            "zero_optimization.sub_group_size": 1_000_000_000,
        },
        "deepspeed/runtime/zero/offload_config.py": {
            "zero_optimization.offload_optimizer.device": "none",
            "zero_optimization.offload_optimizer.pin_memory": False,
            "zero_optimization.offload_param.device": "none",
            "zero_optimization.offload_param.pin_memory": False,
        },
    },
)

OPTIMIZERS: Final[Mapping[str, str]] = {"adam": "adamw_torch_fused", "adamw": "adamw_torch_fused"}
"""DeepSpeed's own optimizers that hold the states of one of transformers'."""

PRESETS: Final = re.compile(r"(?:^|[^a-z0-9])(?:ds_)?z(?:ero)?_?([0-3])(?:[^0-9]|$)", re.IGNORECASE)
"""The stage in a name such as ds_z3_offload_config.json, zero2.json or zero3: files that trainers ship."""

ZERO_REFUSED: Final[Mapping[str, str]] = {
    "zero_optimization.zero_hpz_partition_size": "ZeRO++'s second shard is not estimated. Remove it.",
    "zero_optimization.zero_quantized_weights": "ZeRO++'s quantised weights are not estimated. Remove it.",
    "zero_optimization.zero_quantized_gradients": "ZeRO++'s gradients are not estimated. Remove it.",
    "zero_optimization.cpu_offload": "it is long deprecated. Write offload_optimizer: {device: cpu}.",
    "tensor_parallel": "AutoTP, which splits layers, is not estimated. Remove it.",
    "activation_checkpointing.cpu_checkpointing": "activations off the card are not estimated. Remove it.",
}
"""Sections of DeepSpeed that change memory and that a recipe cannot say."""


def section(recipe: Recipe) -> dict[str, Any]:
    """Return DeepSpeed's configuration for *recipe*, one of ZeRO's shardings."""
    stage = ZERO.index(recipe.sharding) + 1
    chosen = recipe.deepspeed or Deepspeed()
    zero: dict[str, Any] = {"stage": stage}
    for spec in fields(Deepspeed):
        value = getattr(chosen, spec.name)
        of_stage_3 = spec.name.startswith("stage3_") or spec.name == "sub_group_size"
        if spec.name == "pin_memory" or (of_stage_3 and stage < 3):
            continue
        if spec.name == "overlap_comm" and value is None:
            continue
        if spec.name == "allgather_bucket_size" and stage == 3:
            continue
        zero[spec.name] = "auto" if value is None else value
    for part, place in (
        ("offload_optimizer", recipe.offload.optimizer),
        ("offload_param", recipe.offload.parameters),
    ):
        if place != "none":
            nvme = {"nvme_path": "/local_nvme"} if place == "nvme" else {}
            zero[part] = {"device": place, "pin_memory": chosen.pin_memory, **nvme}
    if stage == 3:
        zero["stage3_gather_16bit_weights_on_model_save"] = True
    return {
        "zero_optimization": zero,
        "bf16": {"enabled": "auto"},
        "fp16": {"enabled": "auto"},
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "train_batch_size": "auto",
    }


def write(recipe: Recipe, job: Job) -> Draft:
    """Return DeepSpeed's JSON and the line that launches a script of yours with it."""
    draft = Draft(command=f"deepspeed {_cards(recipe)}train.py --deepspeed {NAME}")
    if recipe.sharding not in ZERO:
        draft.refuse(f"sharding {recipe.sharding} is not DeepSpeed's; zero1, zero2 and zero3 are")
        return draft
    draft.file(NAME, section(recipe))
    draft.note(
        "DeepSpeed's file holds sharding and offload; the rest goes to TrainingArguments in your train.py.",
        "DeepSpeed 的文件只含分片与卸载；其余参数由你的 train.py 交给 TrainingArguments。",
    )
    if "nvme" in (recipe.offload.optimizer, recipe.offload.parameters):
        note_nvme(draft)
    return draft


def note_nvme(draft: Draft) -> None:
    """Say that the folder on NVMe must be the machine's own."""
    draft.note(
        "nvme_path is /local_nvme: name a folder on a local NVMe drive.",
        "nvme_path 为 /local_nvme：请改为本机 NVMe 磁盘上的目录。",
    )


def _cards(recipe: Recipe) -> str:
    hardware = recipe.hardware
    nodes = f"--num_nodes {hardware.nodes} --hostfile hostfile " if hardware.nodes > 1 else ""
    return f"{nodes}--num_gpus {hardware.gpus} "


def read(reading: Reading) -> None:
    """Set what DeepSpeed's JSON says: sharding, offload, buckets, and sizes not left to Trainer."""
    _read_zero(reading)
    for name, key in (
        ("train_micro_batch_size_per_gpu", "per_device_train_batch_size"),
        ("gradient_accumulation_steps", "gradient_accumulation_steps"),
        ("gradient_clipping", "max_grad_norm"),
    ):
        if reading.raw(name) not in (None, "auto"):
            reading.copy(name, key)
    for name, dtype in (("bf16.enabled", "bfloat16"), ("fp16.enabled", "float16")):
        if reading.raw(name) is True:
            reading.set("precision.weights", "float32" if dtype == "float16" else dtype, name)
            reading.set("precision.autocast", dtype, name)
    kind = reading.raw("optimizer.type")
    if isinstance(kind, str) and kind.lower() in OPTIMIZERS:
        reading.set("optim", OPTIMIZERS[kind.lower()], "optimizer.type")
    elif kind is not None:
        reading.refuse(
            "optimizer.type", f"DeepSpeed's optimizer {kind!r:.40} is not known. Use optim instead."
        )


def read_reference(reading: Reading, name: str) -> None:
    """Set what the DeepSpeed configuration under *name* says: a section, or the name of a file.

    A name that trainers ship (``zero3``, ``examples/deepspeed/ds_z2_config.json``) and that is not there is
    read as its stage, with every size left to Trainer.
    """
    given = reading.raw(name)
    if given is None:
        return
    if isinstance(given, Mapping):
        lines = {
            key[len(name) + 1 :]: line for key, line in reading.lines.items() if key.startswith(f"{name}.")
        }
        _read_other(reading, given, lines, reading.source)
        return
    if not isinstance(given, str):
        reading.problem(name, "a section, or the name of a JSON file", "Name the file.")
        return
    try:
        text, source = reading.fetch(given)
    except RecipeError as error:
        preset = PRESETS.search(given)
        if not preset:
            reading.problem(name, "a JSON file beside this one", str(error))
            return
        _assume_preset(reading, given, int(preset.group(1)))
        return
    _read_other(reading, read_text(text, source), key_lines(text), source)


def _read_other(reading: Reading, given: Any, lines: Mapping[str, int], source: str) -> None:
    """Read another file's or section's DeepSpeed keys into the same recipe."""
    other = Reading(
        given if isinstance(given, Mapping) else {},
        lines,
        source=source,
        defaults=DEFAULTS,
        fetch=reading.fetch,
        changes=reading.changes,
    )
    _read_zero(other)
    reading.values |= other.values
    reading.origins |= other.origins
    reading.problems += [problem._replace(key=f"{source}: {problem.key}") for problem in other.problems]
    reading.unsupported += other.unsupported
    reading.warnings += other.warnings


def _read_zero(reading: Reading) -> None:
    stage = reading.integer("zero_optimization.stage", 0, 3) or 0
    reading.refuse_all(ZERO_REFUSED)
    if stage == 0:
        return
    reading.set("sharding", f"zero{stage}", "zero_optimization.stage")
    for part, key in (("offload_optimizer", "offload.optimizer"), ("offload_param", "offload.parameters")):
        name = f"zero_optimization.{part}.device"
        place = reading.choice(name, ("none", "cpu", "nvme"))
        if reading.stated(name) and place is not None:
            reading.set(key, place, name)
    for spec in fields(Deepspeed):
        name = f"zero_optimization.{spec.name}"
        if spec.name == "pin_memory":
            pinned = [
                f"zero_optimization.{part}.pin_memory" for part in ("offload_optimizer", "offload_param")
            ]
            reading.set("deepspeed.pin_memory", any(reading.boolean(place) for place in pinned), *pinned)
        elif reading.raw(name) == "auto":
            reading.set(f"deepspeed.{spec.name}", None, name)
        else:
            reading.copy(name, f"deepspeed.{spec.name}")


def _assume_preset(reading: Reading, given: str, stage: int) -> None:
    if stage == 0:
        return
    why = Said(
        f"the file {given!r:.80} is not here; its name says ZeRO-{stage}, with sizes left to Trainer",
        f"文件 {given!r:.80} 不在同一目录；按名称视为 ZeRO-{stage}，各项大小由 Trainer 决定",
    )
    reading.assume("sharding", f"zero{stage}", why)
    if "offload" in given.lower():
        if "params" not in given.lower():
            reading.assume("offload.optimizer", "cpu", why)
        if stage == 3:
            reading.assume("offload.parameters", "cpu", why)
