"""What DeepSpeed keeps in the memory of the host, and on disks, for one card.

deepspeedai/DeepSpeed@v0.19.8:deepspeed/runtime/zero/stage_1_and_2.py, stage3.py and
deepspeed/runtime/swap_tensor/.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import torch

from tunesmith.memory.host import HostBlock
from tunesmith.memory.step.deepspeed.settings import Settings

HALF_STATES: Final = ("adagrad", "lion_32bit")
"""Optimizers with one state; all others become DeepSpeedCPUAdam, which has two.

map_pytorch_optim_to_deepspeed() in huggingface/accelerate@v1.15.0:src/accelerate/utils/deepspeed.py.
"""
PARAMETER_BUFFERS: Final = 5
"""buffer_count of offload_param: deepspeedai/DeepSpeed@v0.19.8:deepspeed/runtime/zero/offload_config.py."""
PARAMETER_BUFFER_ELEMENTS: Final = 100_000_000
"""buffer_size of offload_param, in the same file."""
PARAMETERS_IN_HOST: Final = 1_000_000_000
"""max_in_cpu of offload_param, in the same file: elements that stay in the host under nvme."""
OPTIMIZER_BUFFERS: Final = 4
"""buffer_count of offload_optimizer, in the same file."""
LEAST_SWAPPED_BYTES: Final = 1 << 20
"""Smaller tensors are never swapped: MIN_AIO_BYTES in deepspeed/runtime/swap_tensor/utils.py."""


class Host:
    """Holds blocks of the host's memory on behalf of one card."""

    def __init__(self, blocks: list[HostBlock], settings: Settings, optim: str) -> None:
        self._blocks, self._settings = blocks, settings
        self.states_of_share = 1 if optim in HALF_STATES else 2

    def hold(self, what: str, count: int, *, place: str = "cpu", pinned: bool | None = None) -> None:
        """Hold *count* bytes; pinned ones as PyTorch's allocator of pinned memory rounds them."""
        locked = (self._settings.pinned if pinned is None else pinned) and place == "cpu"
        self._add(what, pinned_bytes(count) if locked else count, locked, place)

    def hold_optimizer(self, share: int) -> None:
        """Hold one share's float32 weights, gradient and optimizer states: the states are never pinned."""
        place = self._settings.offload_optimizer
        self.hold("optimizer states", 4 * share, place=place)
        self.hold("gradients", 4 * share, place=place)
        self.hold("optimizer states", 4 * self.states_of_share * share, place=place, pinned=False)

    def hold_parameters(self, shares: list[int], element_size: int, *, flat: bool) -> None:
        """Hold shares of parameters: one by one as zero.Init made them, or *flat*, which is always pinned.

        _create_param_groups_fp16_flat_cpu_memory(): NVMe takes what exceeds PARAMETERS_IN_HOST elements.
        """
        place = self._settings.offload_parameters
        if not flat:
            for share in shares:
                small = share * element_size < LEAST_SWAPPED_BYTES
                self.hold("weights", share * element_size, place="cpu" if small else place)
            return
        total = sum(shares)
        kept = total if place == "cpu" else min(total, PARAMETERS_IN_HOST)
        self.hold("weights", kept * element_size, pinned=True)
        self.hold("weights", (total - kept) * element_size, place="nvme")

    def hold_swap_buffers(self, largest_share: int, dtype: torch.dtype) -> None:
        """Hold the locked buffers through which NVMe is reached."""
        if self._settings.offload_optimizer == "nvme":
            self._locked(OPTIMIZER_BUFFERS * 4 * largest_share)
        if self._settings.offload_parameters == "nvme":
            self._locked(PARAMETER_BUFFERS * PARAMETER_BUFFER_ELEMENTS * dtype.itemsize)

    def _locked(self, count: int) -> None:
        """Hold memory that DeepSpeed locks itself (new_cpu_locked_tensor), which nothing rounds."""
        self._add("communication buffers", count, True, "cpu")

    def _add(self, what: str, count: int, pinned: bool, place: str) -> None:
        """Add to the block of the same kind, or begin one."""
        for position, block in enumerate(self._blocks):
            if (block.what, block.pinned, block.place) == (what, pinned, place):
                self._blocks[position] = replace(block, bytes=block.bytes + count)
                return
        if count:
            self._blocks.append(HostBlock(what=what, bytes=count, pinned=pinned, place=place))


def pinned_bytes(count: int) -> int:
    """Return what PyTorch takes for *count* pinned bytes: the next power of two.

    allocate() in aten/src/ATen/core/CachingHostAllocator.h at v2.13.0, with its default threshold.

    >>> pinned_bytes(5 << 30) >> 30
    8
    """
    return 1 << (count - 1).bit_length() if count > 0 else 0
