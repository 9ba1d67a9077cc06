"""One rank among many on a device without memory: a group whose other ranks never answer, and streams.

PyTorch's own ``fake`` backend stands for all ranks but this one, which is rank 0: collectives take their
memory and send nothing. FSDP2 asks the device for streams and events; here they only say which stream an
allocation belongs to, for the caching allocator keeps the memory of each stream apart.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any

import torch
from torch import distributed
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp._fully_shard import _fsdp_init, _fsdp_param_group
from torch.distributed.tensor import DTensor, Shard
from torch.distributed.tensor._sharding_prop import ShardingPropagator
from torch.nn.parallel import distributed as ddp
from torch.testing._internal.distributed.fake_pg import FakeStore
from torch.utils._python_dispatch import _disable_current_modes
from transformers.distributed.tensor_parallel import TensorParallelLayer

from tunesmith.errors import UnsupportedError
from tunesmith.memory.meta import replaced
from tunesmith.memory.offloading import move_to_device
from tunesmith.recipe import Recipe


class Event:
    """A moment on a stream of a device that is never late."""

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def record(self, *_: Any) -> Event:
        """Return the event."""
        return self

    def synchronize(self) -> None:
        """Wait for nothing."""


class _Stream:
    """A stream of a device that runs nothing; it has a number."""

    def __init__(self, number: int) -> None:
        self.number = number

    def wait_stream(self, stream: _Stream) -> None:
        """Wait for nothing."""

    def wait_event(self, event: Event) -> None:
        """Wait for nothing."""

    def record_event(self, event: Event | None = None) -> Event:
        """Return an event."""
        return event or Event()

    def synchronize(self) -> None:
        """Wait for nothing."""


class Streams:
    """What ``torch.cuda`` is to CUDA, as far as FSDP2 asks: streams, events and the current stream."""

    Event = Event

    def __init__(self) -> None:
        self.empty_cache: Callable[[], None] = lambda: None
        """Gives back what the allocator holds and nothing uses."""
        self._numbers = itertools.count()
        self._current = _Stream(next(self._numbers))

    @property
    def number(self) -> int:
        """Return the number of the stream on which memory is allocated now; 0 is the default stream."""
        return self._current.number

    def Stream(self, priority: int = 0) -> _Stream:
        """Return a new stream."""
        return _Stream(next(self._numbers))

    @contextmanager
    def stream(self, stream: _Stream) -> Iterator[None]:
        """Make *stream* the current one until the block ends."""
        before, self._current = self._current, stream
        try:
            yield
        finally:
            self._current = before

    def current_stream(self, device: Any = None) -> _Stream:
        """Return the current stream."""
        return self._current

    def current_device(self) -> int:
        """Return the only device."""
        return 0

    def device_count(self) -> int:
        """Return how many devices this process sees."""
        return 1

    def set_device(self, device: Any) -> None:
        """Choose the only device."""

    def is_available(self) -> bool:
        """Return that there is a device."""
        return True


@contextmanager
def many_cards(
    recipe: Recipe,
    streams: Streams,
    *patches: Iterable[tuple[Any, str, Any]],
    absent: Callable[[], bool] = lambda: False,
) -> Iterator[None]:
    """Be rank 0 of as many cards as *recipe* has until the block ends, with *patches*; alone, do nothing.

    Raises UnsupportedError inside a program that has a process group of its own.
    """
    if recipe.hardware.world_size == 1 and recipe.sharding == "none":
        yield
        return
    if distributed.is_initialized():
        raise UnsupportedError(
            "many cards cannot be estimated inside a program that has called init_process_group(): there is "
            "one default group only. Run the estimate in a process of its own."
        )
    distributed.init_process_group("fake", rank=0, world_size=recipe.hardware.world_size, store=FakeStore())
    try:
        with ExitStack() as stack:
            for owner, name, value in itertools.chain(_patches(streams, absent), *patches):
                stack.enter_context(replaced(owner, name, value))
            yield
    finally:
        distributed.destroy_process_group()


def _patches(streams: Streams, absent: Callable[[], bool]) -> list[tuple[Any, str, Any]]:
    """Return (owner, attribute, replacement): what keeps FSDP2 from taking the card for no device at all.

    While nothing is on the card yet, *absent*, tensors on the meta device are what they are.
    """
    return [
        (torch, "meta", streams),
        (torch.accelerator, "current_stream", streams.current_stream),
        (torch.Tensor, "is_meta", property(lambda _: absent())),
        (torch.Tensor, "pin_memory", lambda tensor: tensor),
        (torch.Tensor, "is_pinned", lambda _: True),
        (torch.UntypedStorage, "data_ptr", lambda storage: storage._cdata),
        (_fsdp_init, "_move_states_to_device", move_to_device),
        (_fsdp_param_group.FSDPParamGroup, "_validate_no_meta_params", lambda _: None),
        (ddp, "_verify_param_shape_across_processes", lambda *_, **__: None),
        (ddp.DistributedDataParallel, "__init__", _ddp_with_answers),
        (ShardingPropagator, "_propagate_tensor_meta_non_cached", _without_modes),
        (TensorParallelLayer, "_from_local_last_dim_shard", staticmethod(_part_of_last_dimension)),
    ]


def _part_of_last_dimension(local: torch.Tensor, mesh: DeviceMesh, size: int) -> DTensor:
    """Return *local* as this card's part, without the tensor on meta that transformers asks strides of.

    TensorParallelLayer._from_local_last_dim_shard(), transformers/distributed/tensor_parallel.py at v5.23.0.
    """
    shape = torch.Size((*local.shape[:-1], size))
    with _disable_current_modes():
        stride = torch.empty(shape, device="meta").stride()
    return DTensor.from_local(local, mesh, [Shard(-1)], run_check=False, shape=shape, stride=stride)


_propagate = ShardingPropagator._propagate_tensor_meta_non_cached


_init_ddp = ddp.DistributedDataParallel.__init__


def _ddp_with_answers(self: ddp.DistributedDataParallel, *args: Any, **kwargs: Any) -> None:
    """Let the reducer take each bucket for its own sum, since the work of the fake group has no result.

    The logger would say on the standard error that it has no timer for the device.
    """
    _init_ddp(self, *args, **kwargs)
    self.register_comm_hook(None, lambda state, bucket: _sum_of(bucket))
    self.logger = SimpleNamespace(set_runtime_stats_and_log=lambda: None)


def _sum_of(bucket: Any) -> torch.futures.Future[torch.Tensor]:
    buffer = bucket.buffer()
    distributed.all_reduce(buffer)
    result: torch.futures.Future[torch.Tensor] = torch.futures.Future()
    result.set_result(buffer)
    return result


def _without_modes(*args: Any, **kwargs: Any) -> Any:
    """Let DTensor ask for an operation's shapes once, as it does by tensors that never were on a card."""
    with _disable_current_modes():
        return _propagate(*args, **kwargs)
