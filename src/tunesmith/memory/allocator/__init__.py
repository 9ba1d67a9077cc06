"""PyTorch's CUDA caching allocator, replayed in plain Python: sizes in, addresses and reserved memory out.

It knows nothing of models or of torch: it sees requests and releases, in order, and decides as
`c10/cuda/CUDACachingAllocator.cpp` of pytorch/pytorch decides. Line numbers in this package are those
of the tag v2.13.0.

    settings.py     PYTORCH_ALLOC_CONF, parsed; rounding of requests and the size of new segments
    device.py       what cudaMalloc and cuMemMap hand out: a budget and addresses; OutOfMemory
    blocks.py       blocks, their neighbours, and the pools of free ones
    segments.py     where fresh memory comes from: segments of cudaMalloc
    expandable.py   the same under expandable_segments:True: address ranges that are mapped piece by piece
    caching.py      CachingAllocator: malloc, free, empty_cache, and what is done when memory runs out
    replaying.py    a Timeline through the allocator: peaks, phases, the instant of the peak

Known limitations: no private pools (CUDA graphs, MemPool), no record_stream, no cudaMallocAsync.
"""

from tunesmith.memory.allocator.caching import CachingAllocator, Segment, SegmentBlock
from tunesmith.memory.allocator.device import DeviceMemory, OutOfMemory
from tunesmith.memory.allocator.replaying import PhaseMemory, Replay, replay
from tunesmith.memory.allocator.settings import AllocatorSettings

__all__ = [
    "AllocatorSettings",
    "CachingAllocator",
    "DeviceMemory",
    "OutOfMemory",
    "PhaseMemory",
    "Replay",
    "Segment",
    "SegmentBlock",
    "replay",
]
