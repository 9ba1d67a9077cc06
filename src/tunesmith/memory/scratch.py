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

Stages = tuple[tuple[int, ...], ...]
"""Bytes held together; each stage is given back before the next begins."""


class Scratch:
    """Answers, for the operations of one card, what their kernels hold only while they run."""

    def __init__(self, compute_capability: tuple[int, int]) -> None:
        self._capability = compute_capability
        self._rules: dict[str, Callable[..., Stages]] = {
            "aten::_softmax_backward_data": _softmax_backward,
            "aten::_scaled_dot_product_flash_attention_backward": _flash_backward,
            "aten::_scaled_dot_product_efficient_attention_backward": self._efficient_backward,
        }

    def __call__(self, name: str, args: tuple[Any, ...]) -> Stages:
        """Return the stages of operation *name*; empty for most."""
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
    ) -> Stages:
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
        held = (*grouped, delta, workspace)
        if query.dtype is not torch.float32:
            return (held,)
        return ((*grouped, query.numel() * 4, delta), held)

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
        workspace = tiles * (rows * columns * 4 + 16)
        if half and width > 128:
            splits = max(1, min(math.ceil(key.shape[2] / 64), 200 // (batch * heads)))
            workspace += splits * 2 * 64 * math.ceil(width / 64) * 64 * 4
        return workspace


def _flash_backward(grad: torch.Tensor, query: torch.Tensor, key: torch.Tensor, *_: Any) -> Stages:
    """Return softmax_d and the float32 dq accumulator of mha_bwd, third_party/flash-attention flash_api.cpp.

    With grouped queries dk and dv are first made for every query head, then summed.
    """
    batch, heads, length, width = query.shape
    rounded_length = math.ceil(length / 128) * 128
    multiple = 32 if width <= 128 else 64
    rounded_width = math.ceil(width / multiple) * multiple
    held = [batch * heads * rounded_length * 4, batch * heads * rounded_length * rounded_width * 4]
    if key.shape[1] != heads:
        held += [batch * heads * key.shape[2] * width * key.element_size()] * 2
    return (tuple(held),)


def _softmax_backward(grad: torch.Tensor, output: torch.Tensor, *_: Any) -> Stages:
    """Return grad * output, made whole: softmax_backward_cuda_out in aten/src/ATen/native/cuda/SoftMax.cu."""
    return ((output.numel() * torch.promote_types(grad.dtype, output.dtype).itemsize,),)
