"""Distribution: what changes about a run when many cards share it; alone, nothing does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import nn
from transformers import PreTrainedModel

from tunesmith.memory.host import HostBlock
from tunesmith.memory.loading import DTYPES, load
from tunesmith.recipe import Recipe


class Distribution:
    """One card by itself; what data parallelism changes is overridden.

    The step asks in this order: ``shard`` after the adapters are on the model, ``prepare`` once the
    optimizer exists, ``wrap`` before training, then ``micro_batch``, ``backward``, ``clip`` and ``step``.
    """

    loads_on_card: ClassVar[bool] = True
    """Whether the whole model lies on the card before it is sharded; else ``shard`` puts it there."""
    autocasts: ClassVar[bool] = True
    """Whether mixed precision is autocast's; else the weights are cast as they are gathered."""
    labels_gradients: ClassVar[bool] = False
    """Whether it tells ``label`` of gradients itself."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        self.recipe, self.device = recipe, device
        self.host: list[HostBlock] = []
        self.label: Callable[[Iterable[torch.Tensor], str], None] = lambda tensors, category: None
        """Told what storages are that nobody could tell from outside."""

    @property
    def place(self) -> torch.device:
        """Return where the model lies before it is sharded: on the card, in the host, or, empty, on meta."""
        return self.device if self.loads_on_card else torch.device("meta")

    def load(self, model: PreTrainedModel) -> None:
        """Load *model* onto the card, where all of it lies there before it is sharded."""
        if self.loads_on_card:
            load(model, DTYPES[self.recipe.precision.weights], self.device)

    def shard(self, model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
        """Spread *model* over the cards; yield each moment's name and the model at it.

        Where the model is not loaded on the card first, the moment ``prepared`` comes when everything that
        happens in the memory of the host is done.
        """
        yield from ()

    def wrap(self, model: nn.Module, cast: Callable[[Any], Any] | None = None) -> Any:
        """Return what is called for a forward pass of *model*; *cast*, if given, puts it under autocast."""
        return cast(model) if cast is not None else model

    def prepare(self, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        """Return the optimizer that steps in place of *optimizer*."""
        return optimizer

    @contextmanager
    def micro_batch(self, *, last: bool) -> Iterator[None]:
        """Run one micro-batch, the *last* before the optimizer steps or one whose gradients only add up."""
        yield

    @contextmanager
    def part_of(self, batch: dict[str, Any]) -> Iterator[None]:
        """Leave in *batch* what this card sees of it until the block ends: here, all of it."""
        yield

    def backward(self, loss: torch.Tensor) -> None:
        """Run the backward pass of one micro-batch."""
        # Not loss.backward(): as a torch function it would hide the modes on the stack from recomputation.
        torch.autograd.backward(loss)

    def clip(self, parameters: list[nn.Parameter], max_norm: float) -> torch.Tensor:
        """Clip the gradients of *parameters* together and return their norm."""
        return nn.utils.clip_grad_norm_(parameters, max_norm)

    def step(self, optimizer: Any) -> None:
        """Let the optimizer step."""
        optimizer.step()
