"""When stage 3 gathers which parameters, and when it lets go of them.

deepspeedai/DeepSpeed@v0.19.8:deepspeed/runtime/zero/partitioned_param_coordinator.py. The first pass records
the order in which modules run; from the second on, parameters are gathered ahead in that order and kept
where they are used again soon.
"""

from __future__ import annotations

from collections import defaultdict, deque

import torch
from torch import nn

from tunesmith.memory.step.deepspeed.communication import Communication
from tunesmith.memory.step.deepspeed.settings import Settings
from tunesmith.memory.step.deepspeed.shards import Handle, Handles, Shard, Shards, Status, shard_of

NEVER = -(10**10)
LEAVES = (
    "transformers.models.mixtral.modeling_mixtral.MixtralSparseMoeBlock",
    "transformers.models.qwen2_moe.modeling_qwen2_moe.Qwen2MoeSparseMoeBlock",
    "transformers.models.qwen3_moe.modeling_qwen3_moe.Qwen3MoeSparseMoeBlock",
)
"""Blocks of experts that are hooked as one: DEFAULT_LEAF_MODULE_CLASSES of leaf_module_config.py."""


def is_leaf(module: nn.Module) -> bool:
    """Return whether stage 3 gathers all of *module* at once: z3_leaf_module()."""
    kind = type(module)
    return f"{kind.__module__}.{kind.__qualname__}" in LEAVES


class Unit:
    """A module as the coordinator sees it: the parameters it owns or reaches for, and a number."""

    def __init__(self, module: nn.Module, number: int) -> None:
        self.module, self.number = module, number
        self.external: list[Shard] = []
        """Parameters of other modules that this one reads itself: ds_external_parameters()."""
        self.recomputed: set[Shard] = set()
        self.pending_backward = 0
        """Outputs whose backward pass is still to come: applied_pre_backward_ref_cnt."""
        self.gradients_left = 0

    def shards(self) -> list[Shard]:
        """Return the parameters that the module needs itself, a leaf all those within: iter_params()."""
        if is_leaf(self.module):
            own = [shard_of(p) for p in self.module.parameters()]
        else:
            own = [shard_of(p) for p in dict.values(self.module._parameters) if p is not None]
        found = [shard for shard in own if shard is not None]
        return found + [shard for shard in self.external if shard not in found]


class Coordinator:
    """Fetches before a module runs and releases after it: PartitionedParameterCoordinator."""

    def __init__(self, settings: Settings, shards: Shards, communication: Communication) -> None:
        self.settings, self.shards, self.communication = settings, shards, communication
        self._in_flight: dict[Shard, Handle | Handles] = {}
        self._recording, self._complete = False, False
        self._order: list[Unit] = []
        self._uses: list[tuple[Shard, int]] = []
        """Parameters in the order of their uses, and the step of each use."""
        self._queue: deque[tuple[Shard, int]] = deque()
        self._fetched_for: dict[Shard, int] = defaultdict(lambda: NEVER)
        self._kept: dict[tuple[int, int], set[Shard]] = {}
        self._step = 0
        self._available = 0
        self._backward: dict[int, Unit] = {}
        """Modules in whose backward pass we are, in order."""

    def begin_pass(self) -> None:
        """Begin one forward and backward pass: reset_step()."""
        for shard, handle in self._in_flight.items():
            handle.wait()
            self._release(shard)
        self._in_flight.clear()
        if not self._complete:
            if self._recording:
                steps = enumerate(self._order)
                self._uses = [
                    (shard, step)
                    for step, unit in steps
                    for shard in sorted(unit.shards(), key=lambda shard: shard.number)
                ]
                self._complete = True
            else:
                self._recording = True
        self._queue = deque(self._uses)
        self._fetched_for.clear()
        self._step = self._available = 0

    def fetch(self, unit: Unit, *, forward: bool) -> None:
        """Gather what *unit* needs, wait for it, and start on what comes next: fetch_sub_module()."""
        self._follow(unit)
        if not forward:
            self._backward[unit.number] = unit
        needed = unit.shards()
        self._gather([shard for shard in needed if shard.status is Status.NOT_AVAILABLE])
        recomputing = forward and torch._C._current_graph_task_id() != -1
        for shard in needed:
            shard.users.add(unit.number)
            if recomputing and self._backward and not shard.param.requires_grad:
                owner = next(reversed(self._backward.values()))
                owner.recomputed.add(shard)
                shard.users.add(owner.number)
            if shard in self._in_flight:
                with self.communication.gathering():
                    self._in_flight.pop(shard).wait()
        if self._complete:
            self._prefetch(needed)
        self._step += 1

    def release(self, unit: Unit, *, forward: bool) -> None:
        """Let go of what *unit* used and nobody uses soon: release_sub_module()."""
        used = unit.shards()
        done = self._unneeded(unit) if self._complete else set(used)
        if not forward:
            done |= {shard for shard in unit.recomputed if not shard.persistent}
            used += [shard for shard in unit.recomputed if shard not in used]
            unit.recomputed.clear()
            self._backward.pop(unit.number, None)
        for shard in used:
            shard.users.discard(unit.number)
            if shard in done:
                self._release(shard)

    def release_leftovers(self) -> None:
        """Let go of what modules hold whose backward pass never ended: release_backward_leftovers()."""
        while self._backward:
            _, unit = self._backward.popitem()
            shards = [*unit.shards(), *unit.recomputed]
            unit.recomputed.clear()
            for shard in shards:
                shard.users.discard(unit.number)
                if not shard.persistent:
                    self._release(shard)

    def release_all(self, shards: list[Shard]) -> None:
        """Let go of everything: release_and_reset_all()."""
        for shard in shards:
            handle = self._in_flight.pop(shard, None)
            if handle is not None:
                handle.wait()
            shard.users.clear()
            self._release(shard)

    def _follow(self, unit: Unit) -> None:
        """Record the order of modules, or begin anew where it is another one: trace_prologue()."""
        if self._complete and (self._step >= len(self._order) or self._order[self._step] is not unit):
            self._complete = self._recording = False
            self._order, self._uses = [], []
            self._queue.clear()
            self._fetched_for.clear()
            self._kept.clear()
            for shard, handle in self._in_flight.items():
                handle.wait()
                self._release(shard)
            self._in_flight.clear()
        if self._recording and not self._complete:
            self._order.append(unit)

    def _gather(self, shards: list[Shard]) -> None:
        if not shards:
            return
        self._available += sum(shard.numel for shard in shards)
        with self.communication.gathering():
            handle = self.shards.start_gathering(shards)
        for shard in shards:
            self._in_flight[shard] = handle

    def _prefetch(self, needed: list[Shard]) -> None:
        """Gather ahead, in the recorded order: the second half of _fetch_sub_module_impl()."""
        new = {shard for shard in needed if self._fetched_for[shard] < self._step}
        taken: set[Shard] = set()
        while self._queue and len(taken) < len(new):
            shard, step = self._queue.popleft()
            self._fetched_for[shard] = step
            taken.add(shard)
        limit = min(self.settings.max_live - self._available, self.settings.prefetch_bucket)
        ahead: dict[Shard, None] = {}
        count = 0
        while self._queue and self.settings.prefetch_bucket > 0 and count < limit:
            shard, step = self._queue.popleft()
            self._fetched_for[shard] = max(self._fetched_for[shard], step)
            if shard.status is Status.NOT_AVAILABLE and shard not in ahead:
                ahead[shard] = None
                count += shard.numel
        self._gather(list(ahead))

    def _release(self, shard: Shard) -> None:
        if shard.status is Status.AVAILABLE and not shard.users:
            self.shards.partition(shard)
            self._available -= shard.numel

    def _unneeded(self, unit: Unit) -> set[Shard]:
        """Return what is not used again within the reuse distance: __params_to_release(), which is cached."""
        key = (unit.number, self._step)
        if key in self._kept:
            return set(self._kept[key])
        done = {shard for shard in unit.shards() if not shard.persistent}
        done = {shard for shard in done if self._fetched_for[shard] <= self._step}
        passed = 0
        for later in self._order[self._step :]:
            if passed >= self.settings.max_reuse_distance or not done:
                break
            for shard in later.shards():
                done.discard(shard)
                passed += shard.numel
        self._kept[key] = done
        return set(done)
