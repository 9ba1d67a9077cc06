"""Pinned memory as PyTorch's caching host allocator holds it, and what makes TRL's hooks use it on meta.

Tensors in it are real CPU tensors, for libraries ask for their device; but their pages are never touched, so
the system gives them no memory.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from tunesmith.memory.collectives import Streams
from tunesmith.memory.host import HostBlock
from tunesmith.memory.meta import replaced

Operation = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]


class PinnedMemory:
    """Runs operations as *run* does, and counts the pinned tensors among what they make.

    A block is a power of two, and serves its own size only, for the rest of the run: allocate() in
    pytorch/pytorch@v2.13.0:aten/src/ATen/core/CachingHostAllocator.h. Blocks are free again as soon as their
    tensors are: the host is not ahead of the card.
    """

    def __init__(self, run: Operation) -> None:
        self._run = run
        self._live: dict[int, int] = {}
        self._most: dict[int, int] = {}
        self._watched: dict[int, weakref.ref[Any]] = {}

    def __call__(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return what *func* gives; a pinned tensor lies in common memory here."""
        if not kwargs.get("pin_memory"):
            return self._run(func, args, kwargs)
        tensor = func(*args, **{**kwargs, "pin_memory": False})
        self._count(tensor.untyped_storage())
        return tensor

    def blocks(self, what: str) -> list[HostBlock]:
        """Return the pinned memory that the run holds at its end, which is *what*, by size of block."""
        return [
            HostBlock(what=what, bytes=size * self._most[size], pinned=True) for size in sorted(self._most)
        ]

    def _count(self, storage: torch.UntypedStorage) -> None:
        if not storage.nbytes():
            return
        size = 1 << (storage.nbytes() - 1).bit_length()
        self._live[size] = self._live.get(size, 0) + 1
        self._most[size] = max(self._most.get(size, 0), self._live[size])
        key = storage._cdata

        def freed(_: Any) -> None:
            del self._watched[key]
            self._live[size] -= 1

        self._watched[key] = weakref.ref(storage, freed)


class _Addresses:
    """Tells storages apart: a number far from all others for each, which no later one gets.

    TRL notes where parameters lie before a trainer moves them to the card, so what lies there later is never
    where one lay.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._known: dict[int, tuple[weakref.ref[Any], int]] = {}

    def __call__(self, storage: torch.UntypedStorage) -> int:
        known = self._known.get(storage._cdata)
        if known is None or known[0]() is not storage:
            known = self._known[storage._cdata] = weakref.ref(storage), next(self._numbers) << 48
        return known[1]


@contextmanager
def offloading_hooks(streams: Streams, empty_cache: Callable[[], None]) -> Iterator[None]:
    """Let TRL's hooks take the meta device for an accelerator until the block ends.

    They ask for its *streams*, tell storages apart by their addresses, and empty the allocator's cache before
    every forward pass. ``record_stream``, by which they hold memory back, does nothing: no stream is late.
    """
    streams.empty_cache, addresses = empty_cache, _Addresses()
    with ExitStack() as stack:
        for owner, name, value in (
            (torch, "meta", streams),
            (torch, "get_device_module", lambda _: streams),  # PyTorch's own remembers the first answer
            (torch.accelerator, "current_accelerator", lambda *_, **__: torch.device("meta")),
            (torch.UntypedStorage, "data_ptr", lambda storage: addresses(storage)),
            (torch.Tensor, "record_stream", lambda tensor, stream: None),
        ):
            stack.enter_context(replaced(owner, name, value))
        yield
