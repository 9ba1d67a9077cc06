"""Expert parallelism as transformers runs it: each card holds whole experts, and tokens travel to theirs.

The experts are shared out by transformers' own ``maybe_distribute_model`` with the model's own ``ep_plan``,
beside the FSDP2 or tensor parallelism of the same call (tensor.py). In training every layer sends each token
to the cards of its experts and takes the results back by two all-to-alls, whose sizes the router decides.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from transformers.distributed.expert_parallel import AllToAllEP, AutoEP, EPImplementationInterface

from tunesmith.memory.meta import replaced

EVEN: Final = "tunesmith_even"
"""Name of EvenEP in transformers' registry, for DistributedConfig.ep_implementation."""


class EvenAllToAll(AllToAllEP):
    """transformers' own exchange, told that the router spreads tokens evenly where it would read how many."""

    def _dispatch_tokens(
        self, hidden_states: torch.Tensor, top_k_index: torch.Tensor, top_k_weights: torch.Tensor
    ) -> Any:
        rows = -(-hidden_states.size(0) // self.tp_mesh.size())  # the first chunk of those who share a batch
        sizes = even_sizes(rows * top_k_index.size(-1), self.ep_mesh.size())
        with replaced(torch.Tensor, "tolist", lambda _: sizes):
            return super()._dispatch_tokens(hidden_states, top_k_index, top_k_weights)


class EvenEP(AutoEP):
    """What transformers runs of itself, with an even exchange: all-to-all wherever gradients flow."""

    def __init__(self, experts: nn.Module, ep_mesh: DeviceMesh, tp_mesh: DeviceMesh) -> None:
        super().__init__(experts, ep_mesh, tp_mesh)
        self.all_to_all = EvenAllToAll(experts, ep_mesh, tp_mesh)


EPImplementationInterface.register(EVEN, EvenEP)


def even_sizes(pairs: int, cards: int) -> list[list[int]]:
    """Return what rank 0 of *cards* sends to each and gets from each, of so many (token, expert) *pairs*.

    Where they cannot be shared out evenly the first cards get one more, so rank 0 gets the most.

    >>> even_sizes(10, 4)
    [[3, 3, 2, 2], [3, 3, 3, 3]]
    """
    each, over = divmod(pairs, cards)
    sent = [each + (card < over) for card in range(cards)]
    return [sent, [sent[0]] * cards]
