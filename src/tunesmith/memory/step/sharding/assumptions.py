"""What an answer about a run on many cards takes for granted."""

from __future__ import annotations

from tunesmith.recipe import Parallel, Recipe
from tunesmith.recipe.names import FSDP, ZERO


def sharing_assumptions(recipe: Recipe) -> list[str]:
    """Return the sentences that hold for *recipe*; none for one card by itself."""
    cards = recipe.hardware.world_size
    if recipe.parallel is not None and max(recipe.parallel.tensor, recipe.parallel.expert) > 1:
        return _split_assumptions(recipe, cards, recipe.parallel)
    if recipe.sharding in ZERO or (cards == 1 and recipe.sharding not in FSDP):
        return []
    said = [f"The figures are those of rank 0 of {cards}; the last rank may hold a little less."]
    if recipe.sharding == "none":
        said.append("Many cards without a sharding run DistributedDataParallel, as torchrun starts them.")
    if recipe.sharding not in FSDP:
        return said
    said.append("FSDP2 shards layers, embedding and head apart, as accelerate's fsdp2_prepare_model does.")
    if recipe.parallel is not None and recipe.parallel.context > 1:
        said.append(
            f"Every sequence is split over {recipe.parallel.context} cards, which attend in PyTorch's ring; "
            "those cards see the same batch, and all cards share the model."
        )
    said += _weights_assumptions(recipe)
    if recipe.gradient_accumulation_steps > 1 and recipe.sync_each_batch:
        said.append("Gradients are reduced after every pass: GradientAccumulationPlugin.sync_each_batch.")
    elif recipe.gradient_accumulation_steps > 1:
        said.append("While gradients accumulate, every card holds them whole: Accelerator.no_sync().")
    if recipe.offload.parameters == "cpu":
        said.append("Offloaded shards and gradients lie in pinned memory of the host.")
        if recipe.adapter is not None and (recipe.trainer == "sft" or recipe.loss == "chunked"):
            said.append(
                "A head that is not tied is sharded with the final norm, which accelerate 1.15 does not find "
                "inside PEFT's model: so tunesmith train starts it. Started otherwise, TRL computes the loss "
                "on the host."
            )
    return said


def _weights_assumptions(recipe: Recipe) -> list[str]:
    """Return how the weights reach the card, and in which types."""
    quantization = recipe.quantization
    if quantization is None:
        said = [
            "Weights reach the card one parameter at a time (fsdp_cpu_ram_efficient_loading: true); rank 0 "
            "of each node reads the checkpoint into the memory of the host first, which is not counted."
        ]
        if recipe.precision.autocast is not None:
            said.append("accelerate keeps what learns in float32 under mixed precision, whatever was loaded.")
        return said
    if quantization.device_map == "cpu":
        return [
            "Every card's process quantises the whole model in the memory of the host; fully_shard() then "
            "moves one layer at a time to the card. Scales of the quantised weights stay whole on every card."
        ]
    if quantization.quant_storage == "uint8" or quantization.bits == 8:
        return [
            "accelerate leaves weights that bitsandbytes stores as integers out of FSDP2: every card holds "
            "all of them."
        ]
    return ["Every card loads and quantises the whole model before it is sharded."]


def _split_assumptions(recipe: Recipe, cards: int, parallel: Parallel) -> list[str]:
    """Return the sentences that hold where some of the *cards* split every layer, or the experts."""
    said = [f"The figures are those of rank 0 of {cards}; the last rank may hold a little less."]
    if parallel.tensor > 1:
        said.append(
            f"Every layer is split over {parallel.tensor} cards by transformers' DistributedConfig and the "
            "model's own tp_plan; those cards see the same batch."
        )
    if parallel.expert > 1:
        said.append(
            f"Experts are shared out over {parallel.expert} cards by transformers' DistributedConfig and the "
            "model's own ep_plan; a card whose experts are preferred receives more tokens and needs more."
        )
    if recipe.sharding != "none":
        said.append("The FSDP2 beside it is transformers' own, by the model's fsdp_plan; it casts nothing.")
    return said
