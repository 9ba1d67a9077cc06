"""Tensor, expert and context parallelism in other trainers' files: which can say it as it is estimated.

What is estimated is transformers' own ``DistributedConfig`` (docs/parallelism.md), which splits the model and
shares the rest by its own FSDP2. TRL hands it on to ``from_pretrained``; scripts launched by accelerate can.
The others split by code of their own, which takes other memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tunesmith.recipe import Parallel, Recipe
from tunesmith.recipe.names import FSDP
from tunesmith.trainers.draft import Draft
from tunesmith.trainers.reading import Reading

REFUSED: Final[Mapping[str, str]] = {
    "deepspeed": "its AutoTP splits layers by its own code inside ZeRO's engine",
    "llamafactory": "it splits layers through Megatron only",
    "axolotl": "it lets accelerate's FSDP2 shard the split layers, not transformers' own",
    "torchtune": "it splits its own models by its own plans",
    "swift": "it splits layers by DeepSpeed's AutoTP or through Megatron",
}
"""Trainers that split layers or experts otherwise than is estimated, and how."""

APART: Final[Mapping[str, str]] = {
    "deepspeed": "its Ulysses splits sequences by heads",
    "llamafactory": "its trainers for TRL's and transformers' recipes split no sequences",
    "axolotl": "it splits sequences by ring-flash-attention",
    "torchtune": "it splits no sequences",
    "swift": "it splits sequences by Ulysses and a ring of its own",
}
"""Trainers that split sequences otherwise than accelerate, whose way is estimated, and how."""

SIZES: Final = ("tp_size", "fsdp_size", "dp_replicate_size", "ep_size")
"""The sizes of a DistributedConfig that a recipe can say.

huggingface/transformers@v5.23.0:src/transformers/distributed/configuration_utils.py.
"""

SECTION: Final = "model_init_kwargs.distributed_config"
"""Where TRL's file says it: SFTConfig.model_init_kwargs go to from_pretrained()."""


def is_split(recipe: Recipe) -> bool:
    """Return whether cards split the layers or the experts of *recipe*."""
    parallel = recipe.parallel or Parallel()
    return parallel.tensor > 1 or parallel.expert > 1


def refuse_split(recipe: Recipe, trainer: str, draft: Draft) -> None:
    """Refuse in *draft* what *trainer* cannot split as it is estimated."""
    if is_split(recipe) and trainer in REFUSED:
        draft.refuse(f"parallel: {REFUSED[trainer]}, which takes other memory than what is estimated")
    if (recipe.parallel or Parallel()).context > 1 and trainer in APART:
        draft.refuse(f"parallel.context: {APART[trainer]}; what is estimated is accelerate's ring")


def distributed_config(recipe: Recipe) -> dict[str, int]:
    """Return the sizes of transformers' DistributedConfig for *recipe*."""
    parallel, hardware = recipe.parallel or Parallel(), recipe.hardware
    hybrid = recipe.sharding == "fsdp_hybrid"
    return {
        "tp_size": parallel.tensor,
        "fsdp_size": (hardware.gpus if hybrid else hardware.world_size) // parallel.tensor,
        "dp_replicate_size": hardware.nodes if hybrid else 1,
        "ep_size": parallel.expert,
    }


def unsharded(recipe: Recipe) -> Recipe:
    """Return *recipe* as launchers see it: processes that accelerate neither shards nor wraps."""
    if recipe.sharding not in FSDP or not is_split(recipe):
        return recipe
    return recipe.replace(sharding="ddp", parallel=None)


def note_loading(recipe: Recipe, draft: Draft) -> None:
    """Say how a script of the user's loads the model so that it is split."""
    sizes = ", ".join(f"{name}={size}" for name, size in distributed_config(recipe).items() if size > 1)
    draft.note(
        "Your train.py splits the model: from_pretrained(..., "
        f"distributed_config=DistributedConfig({sizes})), with save_only_model: true.",
        f"由你的 train.py 切分模型：from_pretrained(..., distributed_config=DistributedConfig({sizes}))，"
        "并设 save_only_model: true。",
    )


def read_split(reading: Reading) -> None:
    """Set parallelism and the sharding beside it from the section of TRL's file that says them."""
    given: Mapping[str, Any] = reading.mapping(SECTION)
    if not given:
        return
    for name in sorted(set(given) - set(SIZES)):
        reading.refuse(f"{SECTION}.{name}", "a recipe cannot say it. Remove it.")
    tensor, fsdp, replicas, expert = (reading.integer(f"{SECTION}.{name}", 1, 4096) or 1 for name in SIZES)
    reading.set("parallel.tensor", tensor, f"{SECTION}.tp_size")
    reading.set("parallel.expert", expert, f"{SECTION}.ep_size")
    sharding = "fsdp_hybrid" if replicas > 1 else "fsdp" if fsdp > 1 else "none"
    reading.set("sharding", sharding, f"{SECTION}.dp_replicate_size", f"{SECTION}.fsdp_size", SECTION)
