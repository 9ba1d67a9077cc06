"""bitsandbytes as it behaves on a CUDA card, on a device without memory.

Its Python code is run as it is; only what would launch a kernel or ask the driver is answered here.
"""

from __future__ import annotations

import copy
import functools
import importlib
from collections.abc import Callable
from typing import Any

import bitsandbytes as bnb
import bitsandbytes.functional as bnb_functional
import bitsandbytes.optim.optimizer as bnb_optimizer
import torch

from tunesmith.memory.meter import ALL_BUT_FIRST, Launch, count_product

Patch = tuple[Any, str, Any]


def patches() -> list[Patch]:
    """Return (owner, attribute, replacement) for what bitsandbytes asks of a GPU outside its operations."""
    nothing = _Nothing()
    update = Launch("elementwise", changed=ALL_BUT_FIRST)  # the gradient is read; weight and states change
    return [
        (bnb_functional, "is_on_gpu", lambda tensors: True),
        (bnb_functional, "name2qmap", {}),  # tables that a process makes once: each run makes its own
        (bnb_functional, "get_paged", _get_paged),
        (bnb_functional, "fill", nothing),
        (bnb_functional, "prefetch_tensor", nothing),
        (bnb_functional, "optimizer_update_32bit", update),
        (bnb_functional, "optimizer_update_8bit_blockwise", update),
        (bnb_optimizer, "sync_gpu", nothing),
        (bnb_optimizer.GlobalOptimManager, "_instance", None),  # what it is told must not outlive the run
        (bnb.nn.Params4bit, "__deepcopy__", _copied),
    ]


class Gemm4bit:
    """The 4-bit matrix product of a card: a fused kernel, or a dequantised weight and a plain product.

    bitsandbytes/backends/cuda/ops.py at 0.50.2 chooses by card and shape, and that code is asked.
    """

    def __init__(self, compute_capability: tuple[int, int], multiprocessors: int) -> None:
        self.operation = torch.ops.bitsandbytes.gemm_4bit.default
        self._ops = _cuda_ops()
        self._ops._gpu_dispatch_props = lambda _: (multiprocessors, *compute_capability)
        self._ops._dequantize_4bit_impl = self._ops._dequantize_blockwise_impl = Launch("dequantize")

    def __call__(
        self, left: torch.Tensor, weight: torch.Tensor, shape: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """Return the product, having allocated what the card would."""
        inner = left.shape[-1]
        rows = left.numel() // inner
        blocksize = args[1]
        fused = rows <= self._ops._gemm_4bit_custom_max_m and inner % blocksize == 0
        if fused and self._ops._gemm_4bit_use_custom_fn.__wrapped__(0, left.dtype, rows, shape[0], inner):
            return self.operation(left, weight, shape, *args, **kwargs)
        return self._ops._dequant_linear_fallback(left, weight, shape, *args, **kwargs)


def int8_vectorwise_quant(left: torch.Tensor, threshold: float = 0.0) -> tuple[torch.Tensor, ...]:
    """Return the 8-bit rows, their scales and the outlier columns, taken to be none.

    Allocates as the kernel of bitsandbytes/backends/cuda/ops.py at 0.50.2; which columns hold outliers is
    known only from their values.
    """
    scales = torch.empty(left.numel() // left.shape[-1], device=left.device, dtype=torch.float32)
    rows = torch.empty(left.shape, device=left.device, dtype=torch.int8)
    if threshold == 0.0:
        return rows, scales, None
    outliers = left.abs() >= threshold
    outliers.any()
    return rows, scales, torch.empty(0, device=left.device, dtype=torch.int64)


def int8_scaled_mm(
    left: torch.Tensor,
    right: torch.Tensor,
    row_stats: torch.Tensor,
    col_stats: torch.Tensor,
    bias: torch.Tensor | None = None,
    dtype: torch.dtype | None = None,
) -> torch.Tensor:
    """Return the product in *dtype*: int32 first, then float16, as in bitsandbytes/backends/cuda/ops.py."""
    product = torch.empty((left.shape[0], right.shape[0]), device=left.device, dtype=torch.int32)
    count_product(product, left, right.t())
    return torch.empty_like(product, dtype=torch.float16).to(dtype or torch.float16)


def int8_mixed_scaled_mm(
    left: torch.Tensor,
    rows: torch.Tensor,
    right: torch.Tensor,
    row_stats: torch.Tensor,
    col_stats: torch.Tensor,
    *_: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the product and the outlier columns of the input, of which there are none."""
    outliers = torch.empty(0, device=left.device, dtype=left.dtype)
    return int8_scaled_mm(rows, right, row_stats, col_stats, dtype=left.dtype), outliers


INT8_OPERATIONS: dict[Any, Callable[..., Any]] = {
    torch.ops.bitsandbytes.int8_vectorwise_quant.default: int8_vectorwise_quant,
    torch.ops.bitsandbytes.int8_scaled_mm.default: int8_scaled_mm,
    torch.ops.bitsandbytes.int8_mixed_scaled_mm.default: int8_mixed_scaled_mm,
    torch.ops.bitsandbytes.int8_vectorwise_quant: int8_vectorwise_quant,
    torch.ops.bitsandbytes.int8_mixed_scaled_mm: int8_mixed_scaled_mm,
}


class _Nothing:
    """A kernel launch that allocates nothing."""

    def __call__(self, *_: Any, **__: Any) -> None:
        return None


@functools.cache
def _cuda_ops() -> Any:
    """Return bitsandbytes' CUDA module, which expects one attribute that a CPU build of torch lacks."""
    lacks = not hasattr(torch._C, "_cuda_getCurrentRawStream")
    if lacks:
        torch._C._cuda_getCurrentRawStream = None
    try:
        return importlib.import_module("bitsandbytes.backends.cuda.ops")
    finally:
        if lacks:
            del torch._C._cuda_getCurrentRawStream


def _copied(weight: Any, memo: dict[int, Any]) -> Any:
    """Return a deep copy of a 4-bit weight; its own way starts on the CPU, whence no tensor becomes meta."""
    copied = torch.Tensor._make_subclass(type(weight), weight.detach().clone(), weight.requires_grad)
    copied.__dict__.update(weight.__dict__)
    copied.quant_state = copy.deepcopy(weight.quant_state, memo)
    return copied


def _get_paged(*shape: int, dtype: torch.dtype = torch.float32, device: Any = None) -> torch.Tensor:
    """Return a tensor outside the device, as CUDA managed memory is outside PyTorch's counters."""
    paged = torch.empty((), dtype=dtype).expand(shape)
    paged.is_paged = True
    paged.page_deviceid = 0
    return paged
