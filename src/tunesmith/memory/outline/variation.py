"""Variation: what one outline leaves open; Needs: what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tunesmith.recipe import Recipe


@dataclass(frozen=True, kw_only=True, slots=True)
class Variation:
    """One recipe of a class, by what tells it from the others of its class."""

    batch: int
    """Sequences in one forward pass on one card."""
    length: int
    """Tokens in a sequence."""
    accumulation: int = 1
    """Forward and backward passes before the optimizer steps."""
    sync_each_batch: bool = False
    """Whether FSDP reduces gradients after each of them."""
    optim: str = "adamw_torch_fused"
    """Optimizer, as transformers names it."""
    r: int | None = None
    """Rank of the adapter; None: the one the outline was traced with, or no adapter."""
    sharding: str = "none"
    """How the cards share parameters, gradients and states; with several cards ``none`` is DDP."""
    gpus: int = 1
    """Cards in each node."""
    nodes: int = 1
    """Machines of the same kind."""
    offload_optimizer: str = "none"
    """Where optimizer states live."""
    offload_parameters: str = "none"
    """Where sharded parameters live."""
    quantizes_on_host: bool = False
    """Whether weights are quantised on the host, whence FSDP takes them layer by layer."""
    every_n_layers: int = 1
    """Every how many layers one is checkpointed, where layers are."""
    tensor: int = 1
    """Cards that split every layer: an outline is made for one such number."""
    context: int = 1
    """Cards that split every sequence, beside FSDP."""

    @property
    def world_size(self) -> int:
        """Return the number of cards in all."""
        return self.gpus * self.nodes

    @property
    def own_length(self) -> int:
        """Return the tokens of a sequence that one card sees."""
        return self.length // self.context

    @property
    def offloads(self) -> bool:
        """Return whether anything rests outside the cards."""
        return (self.offload_optimizer, self.offload_parameters) != ("none", "none")

    @classmethod
    def of(cls, recipe: Recipe) -> Variation:
        """Return what tells *recipe* from the others of its class."""
        every = recipe.gradient_checkpointing_kwargs.get("every_n_layers", 1)
        return cls(
            batch=recipe.per_device_train_batch_size,
            length=recipe.sequence_length,
            accumulation=recipe.gradient_accumulation_steps,
            sync_each_batch=recipe.sync_each_batch,
            optim=recipe.optim,
            r=recipe.adapter.r if recipe.adapter is not None else None,
            sharding=recipe.sharding,
            gpus=recipe.hardware.gpus,
            nodes=recipe.hardware.nodes,
            offload_optimizer=recipe.offload.optimizer,
            offload_parameters=recipe.offload.parameters,
            quantizes_on_host=recipe.quantization is not None and recipe.quantization.device_map == "cpu",
            every_n_layers=every if recipe.gradient_checkpointing else 1,
            tensor=recipe.parallel.tensor if recipe.parallel is not None else 1,
            context=recipe.parallel.context if recipe.parallel is not None else 1,
        )

    def changes(self) -> dict[str, Any]:
        """Return the variation as changes of a recipe of its class, for ``Recipe.replace``."""
        changed: dict[str, Any] = {
            "per_device_train_batch_size": self.batch,
            "sequence_length": self.length,
            "gradient_accumulation_steps": self.accumulation,
            "sync_each_batch": self.sync_each_batch,
            "optim": self.optim,
            "sharding": self.sharding,
            "hardware.gpus": self.gpus,
            "hardware.nodes": self.nodes,
            "offload.optimizer": self.offload_optimizer,
            "offload.parameters": self.offload_parameters,
        }
        if self.r is not None:
            changed["adapter.r"] = self.r
        if self.quantizes_on_host:
            changed["quantization.device_map"] = "cpu"
        if self.every_n_layers > 1:
            changed["gradient_checkpointing_kwargs.every_n_layers"] = self.every_n_layers
        if self.tensor > 1:
            changed["parallel.tensor"] = self.tensor
        if self.context > 1:
            changed["parallel.context"] = self.context
        return changed


@dataclass(frozen=True, kw_only=True, slots=True)
class Needs:
    """What one variation needs, on one card and on its node."""

    allocated_bytes: int
    """Peak of live blocks on one card."""
    reserved_bytes: int
    """Peak of the allocator's segments, by the ratio seen in replays: an estimate until it is traced."""
    host_bytes: int
    """Memory of the host for all cards of a node."""
    host_pinned_bytes: int
    """What of it is locked in place."""
    phase: str
    """Phase of the peak."""
    parts: Mapping[str, int]
    """Bytes by category then; they sum to ``allocated_bytes``."""
