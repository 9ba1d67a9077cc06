"""A process group whose other ranks never answer: collectives take their memory and send nothing.

PyTorch's own ``fake`` backend stands for all ranks but this one, which is rank 0. On a device without
memory a collective has nothing to do but to return, and so has waiting for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import distributed
from torch.testing._internal.distributed.fake_pg import FakeStore

from tunesmith.errors import UnsupportedError


@contextmanager
def process_group(world_size: int) -> Iterator[None]:
    """Be rank 0 of *world_size* until the block ends; of one card there is no group.

    Raises UnsupportedError inside a program that has a process group of its own.
    """
    if world_size == 1:
        yield
        return
    if distributed.is_initialized():
        raise UnsupportedError(
            "many cards cannot be estimated inside a program that has called init_process_group(): there is "
            "one default group only. Run the estimate in a process of its own."
        )
    distributed.init_process_group("fake", rank=0, world_size=world_size, store=FakeStore())
    try:
        yield
    finally:
        distributed.destroy_process_group()
