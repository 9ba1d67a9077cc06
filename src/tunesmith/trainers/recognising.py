"""Which trainer wrote a file, told by its keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tunesmith.errors import RecipeError
from tunesmith.trainers.result import TITLES

MARKS: Final[Mapping[str, tuple[str, ...]]] = {
    "deepspeed": ("zero_optimization", "train_micro_batch_size_per_gpu", "train_batch_size"),
    "accelerate": (
        "distributed_type",
        "compute_environment",
        "mixed_precision",
        "fsdp_config",
        "num_processes",
    ),
    "axolotl": ("base_model", "micro_batch_size", "sequence_len", "sample_packing", "adapter", "num_epochs"),
    "llamafactory": (
        "finetuning_type",
        "cutoff_len",
        "stage",
        "lora_target",
        "lora_rank",
        "template",
        "do_train",
    ),
    "swift": ("model", "tuner_type", "train_type", "torch_dtype", "attn_impl", "lora_rank", "quant_bits"),
    "trl": (
        "model_name_or_path",
        "dtype",
        "use_peft",
        "lora_r",
        "max_length",
        "dataset_name",
        "load_in_4bit",
    ),
    "torchtune": ("checkpointer", "tokenizer", "model", "batch_size", "enable_activation_checkpointing"),
}
"""Keys that files of each trainer have and few others do."""

NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "deepspeed": ("zero_optimization", "train_micro_batch_size_per_gpu", "train_batch_size"),
    "accelerate": ("distributed_type", "compute_environment"),
    "axolotl": ("base_model",),
    "llamafactory": ("model_name_or_path",),
    "trl": ("model_name_or_path",),
    "swift": ("model",),
    "torchtune": ("model",),
}
"""Keys of which a file of each trainer has one at least."""


def recognised(given: Mapping[str, Any], source: str) -> str:
    """Return the trainer whose keys *given* has, or raise RecipeError with what to do."""
    scores = {}
    for trainer, marks in MARKS.items():
        if not any(name in given for name in NEEDED[trainer]):
            continue
        is_component = isinstance(given.get("model"), Mapping)
        if trainer in ("torchtune", "swift") and is_component != (trainer == "torchtune"):
            continue
        scores[trainer] = sum(name in given for name in marks)
    if "model_name_or_path" in given and scores.get("llamafactory", 0) < 2 and scores.get("trl", 0) < 2:
        scores.pop("llamafactory", None)  # a bare file of TrainingArguments is TRL's
    best = max(scores.values(), default=0)
    winners = [trainer for trainer, score in scores.items() if score == best]
    if len(winners) == 1 and best:
        return winners[0]
    titles = ", ".join(f"{trainer} ({title})" for trainer, title in TITLES.items())
    told = " and ".join(TITLES[each] for each in winners) or "no trainer"
    raise RecipeError(f"{source} looks like a file of {told}. Say which with --from-trainer: {titles}.")
