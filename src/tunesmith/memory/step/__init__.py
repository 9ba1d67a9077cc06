"""The run of a recipe, from loading to the second optimizer step, on any device.

It knows nothing of estimation. It is a generator that stops at every moment worth a name, so that
whoever drives it can look at memory there; the same code runs on meta, on a CPU and on CUDA.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import torch
from torch import nn
from transformers import PreTrainedModel

from tunesmith.memory.host import HostBlock
from tunesmith.memory.step.adapting import adapt
from tunesmith.memory.step.optimizer import build_optimizer
from tunesmith.memory.step.sharding import distribution_of
from tunesmith.memory.step.training import STEPS, TRAINERS
from tunesmith.recipe import Recipe
from tunesmith.recipe.names import FSDP

__all__ = ["STEPS", "Run", "keeps_shards_on_host", "loads_on_card", "run"]


@dataclass(kw_only=True)
class Run:
    """What a run holds at a moment; None or empty until it exists."""

    model: nn.Module
    """The model, wrapped by PEFT once it has an adapter."""
    optimizer: torch.optim.Optimizer | None = None
    """The optimizer, whose states are born in the first step."""
    moment: str = ""
    """The name of what has just ended, e.g. ``step1.backward``."""
    labels_gradients: bool = False
    """Whether the run itself says which storages are gradients, for it moves them as they are born."""
    host: list[HostBlock] = field(default_factory=list)
    """What this card's process keeps in the memory of the host so far."""


def loads_on_card(recipe: Recipe) -> bool:
    """Return whether the whole model lies on the card before it is sharded.

    Else nothing is on the card until the moment ``prepared``.
    """
    return distribution_of(recipe).loads_on_card


def keeps_shards_on_host(recipe: Recipe) -> bool:
    """Return whether FSDP2 meets tensors of the host: what it offloads, or what it has yet to shard."""
    on_host = recipe.quantization is not None and recipe.quantization.device_map == "cpu"
    return recipe.sharding in FSDP and (recipe.offload.parameters == "cpu" or on_host)


def run(
    model: PreTrainedModel,
    recipe: Recipe,
    device: torch.device,
    *,
    label: Callable[[Iterable[torch.Tensor], str], None] | None = None,
) -> Iterator[Run]:
    """Yield the run at each moment of two optimizer steps; the phase before it has just ended.

    Two steps, because optimizer states are born in the first and live through the second. ``label`` is told
    what storages are that cannot be known from outside.

    Raises RecipeError for what a library refuses, MissingExtraError for an optimizer whose package is not
    installed, and UnsupportedError for what cannot be run faithfully.
    """
    cards = distribution_of(recipe)(recipe, device)
    cards.label = label or cards.label
    recipe = cards.recipe
    state = Run(model=model, host=cards.host, labels_gradients=cards.labels_gradients)

    def at(moment: str) -> Run:
        state.moment = moment
        return state

    cards.load(model)
    if cards.loads_on_card:
        yield at("load")
    for moment, state.model in adapt(model, recipe, cards.place):
        if cards.loads_on_card:
            yield at(moment)
    for moment, sharded in cards.shard(state.model):
        state.model = sharded
        yield at(moment)
    state.model.train()
    trainer = TRAINERS[recipe.trainer](state.model, recipe, device, cards)
    state.optimizer = trainer.optimizer = cards.prepare(build_optimizer(state.model, recipe))
    trainer.wrap()
    yield at("optimizer" if recipe.trainer == "loop" else "trainer_built")
    for moment in trainer.train():
        yield at(moment)
