"""What CUDA kernels take from the allocator and give back inside one operation.

A device without memory shows the outputs of an operation; these rules add what is born and released
while it runs. Each was read in PyTorch's source and measured, size by size, on its CUDA build (kernels
not executed) at 2.14.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from tunesmith.hardware import Gpu
from tunesmith.memory.recorder import OUTPUTS

Script = tuple[int, ...]
"""Bytes taken in order; a negative size gives the last taken block of that size back before the end.

What stands before OUTPUTS is taken before the operation makes its outputs, the rest after.
"""


class Scratch:
    """Answers, for the operations of one card, what their kernels hold only while they run."""

    def __init__(self, gpu: Gpu) -> None:
        assert gpu.compute_capability is not None
        self._capability = gpu.compute_capability
        self._resident_threads = gpu.multiprocessors * _threads_per_multiprocessor(gpu.compute_capability)
        self._rules: dict[str, Callable[..., Script]] = {
            "aten::_softmax_backward_data": _softmax_backward,
            "aten::_scaled_dot_product_flash_attention_backward": _flash_backward,
            "aten::_flash_attention_backward": _flash_rows_backward,
            "aten::_scaled_dot_product_efficient_attention_backward": self._efficient_backward,
            "aten::sum": self._column_sum,
        }

    def __call__(self, name: str, args: tuple[Any, ...]) -> Script:
        """Return what operation *name* takes and gives back; empty for most."""
        rule = self._rules.get(name)
        return rule(*args) if rule is not None else ()

    def _efficient_backward(
        self,
        grad: torch.Tensor,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        bias: torch.Tensor | None,
        out: torch.Tensor,
        *_: Any,
    ) -> Script:
        """Return what _efficient_attention_backward holds.

        aten/src/ATen/native/transformers/cuda/attention_backward.cu: dk and dv for every query head when
        heads are grouped, delta (made in float32 outside the kernel for float32), and the workspace of
        the CUTLASS kernel (mem_eff_attention/kernel_backward.h, workspace_size()).
        """
        batch, heads, length, width = query.shape
        delta = batch * heads * length * 4
        expanded = batch * heads * key.shape[2] * width * key.element_size()
        grouped = (expanded, expanded) if key.shape[1] != heads else ()
        workspace = batch * heads * self._efficient_workspace(query, key)
        if query.dtype is not torch.float32:
            return (*grouped, delta, workspace)
        product = query.numel() * 4
        return (*grouped, product, delta, delta, -delta, -product, workspace)

    def _efficient_workspace(self, query: torch.Tensor, key: torch.Tensor) -> int:
        """Return the kernel's workspace for one head, in bytes.

        The dq accumulator has one tile, headed by 16 bytes of lock and counter, for each block of queries
        and columns; kernels whose output does not fit registers also stage dk and dv for each key split.
        """
        batch, heads, length, width = query.shape
        half, ampere = query.dtype is not torch.float32, self._capability >= (8, 0)
        rows, columns = 64, 64
        if width > 64:
            rows = 128 if half or ampere else 64
            columns = 128 if half and ampere and width <= 128 else 64
        tiles = math.ceil(length / rows) * math.ceil(width / columns)
        workspace: int = tiles * (rows * columns * 4 + 16)
        if half and width > 128:
            splits = max(1, min(math.ceil(key.shape[2] / 64), 200 // (batch * heads)))
            workspace += splits * 2 * 64 * math.ceil(width / 64) * 64 * 4
        return workspace

    def _column_sum(self, tensor: torch.Tensor, dims: Any = None, *_: Any) -> Script:
        """Return the partial sums, and the semaphores, of a sum over all rows of a tall matrix.

        setReduceConfig() in aten/src/ATen/native/cuda/Reduce.cuh: blocks of 32 x 4 threads, four columns a
        thread; columns of 256 values a thread or more are split over blocks that meet in global memory.
        """
        columns = tensor.shape[-1] if tensor.dim() else 0
        rows = tensor.numel() // columns if columns else 0
        whole = isinstance(dims, (list, tuple)) and len(dims) == tensor.dim() - 1 and tensor.is_contiguous()
        if not whole or columns < 128 or columns % 4 or rows // 4 < 256 or -1 in dims:
            return ()
        blocks = math.ceil(columns / 128)
        wanted = math.ceil(self._resident_threads // 128 / blocks)
        splits = max(min(wanted, math.ceil(rows / 64)), math.ceil(rows / 4 / 256))
        if splits < 2:
            return ()
        return (columns * 4 * splits * 128, blocks * 4)


def _threads_per_multiprocessor(compute_capability: tuple[int, int]) -> int:
    """Return the threads that fit one multiprocessor: CUDA C++ Programming Guide, compute capabilities."""
    if compute_capability == (7, 5):
        return 1024
    return 1536 if compute_capability[0] in (8, 12) and compute_capability != (8, 0) else 2048


def _flash_backward(
    grad: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    out: torch.Tensor,
    *_: Any,
) -> Script:
    """Return softmax_d and the float32 dq accumulator of mha_bwd, third_party/flash-attention flash_api.cpp.

    With grouped queries dk and dv are first made for every query head, then summed. A gradient or an output
    that does not lie token by token is copied so before (_flash_attention_backward in attention_backward.cu).
    """
    copies = [t.numel() * t.element_size() for t in (grad, out) if not t.transpose(1, 2).is_contiguous()]
    batch, heads, length, width = query.shape
    rounded_length = math.ceil(length / 128) * 128
    multiple = 32 if width <= 128 else 64
    rounded_width = math.ceil(width / multiple) * multiple
    held = [batch * heads * rounded_length * 4, batch * heads * rounded_length * rounded_width * 4]
    if key.shape[1] != heads:
        held += [batch * heads * key.shape[2] * width * key.element_size()] * 2
    return (*copies, OUTPUTS, *held)


def _flash_rows_backward(
    grad: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    out: torch.Tensor,
    logsumexp: torch.Tensor,
    starts: torch.Tensor | None,
    *_: Any,
) -> Script:
    """Return the same for (batch, length, heads, width), or for sequences end to end, padded to 128 each."""
    if query.dim() == 4:
        rows = [tensor.transpose(1, 2) for tensor in (grad, query, key, value, out)]
        return _flash_backward(*rows)
    tokens, heads, width = query.shape
    sequences = starts.numel() - 1 if starts is not None else 1
    rounded = tokens + 128 * sequences
    multiple = 32 if width <= 128 else 64
    held = (heads * rounded * 4, rounded * heads * math.ceil(width / multiple) * multiple * 4)
    if key.shape[1] == heads:
        return held
    return (*held, *[key.shape[0] * heads * width * key.element_size()] * 2)


def _softmax_backward(grad: torch.Tensor, output: torch.Tensor, *_: Any) -> Script:
    """Return grad * output, made whole: softmax_backward_cuda_out in aten/src/ATen/native/cuda/SoftMax.cu."""
    return (output.numel() * torch.promote_types(grad.dtype, output.dtype).itemsize,)
