"""Which attention kernel a card would run, and that kernel on a device without memory.

The choice follows aten/src/ATen/native/transformers/cuda/sdp_utils.cpp at v2.13.0: flash where it
can, else the memory-efficient kernel, else plain mathematics.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional


class Attention:
    """Scaled dot-product attention with the kernel a card of this compute capability would choose."""

    def __init__(self, compute_capability: tuple[int, int]) -> None:
        self._capability = compute_capability
        self.kernels: set[str] = set()

    def __call__(  # noqa: PLR0913  PyTorch's own signature
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attn_mask: torch.Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> torch.Tensor:
        """Return what torch.nn.functional.scaled_dot_product_attention returns, by the card's kernel."""
        kernel = self._choose(query, key, value, attn_mask)
        self.kernels.add(kernel)
        if kernel == "math":
            return functional.scaled_dot_product_attention(
                query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
            )
        if kernel == "flash":
            return _flash(query, key, value, dropout_p, is_causal, scale)
        if enable_gqa and self._capability < (8, 0):
            groups = query.shape[1] // key.shape[1]
            key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
        return _memory_efficient(query, key, value, attn_mask, dropout_p, is_causal, scale)

    def _choose(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None
    ) -> str:
        if query.dim() != 4 or query.dtype is torch.float64:
            return "math"
        same_width = query.shape[-1] == key.shape[-1] == value.shape[-1]
        half = query.dtype in (torch.float16, torch.bfloat16)
        if mask is None and half and same_width and query.shape[-1] <= 256 and self._capability >= (8, 0):
            return "flash"
        if query.dtype is torch.bfloat16 and self._capability < (8, 0):
            return "math"
        return "efficient"


def _flash(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    dropout: float,
    causal: bool,
    scale: float | None,
) -> torch.Tensor:
    """Run the flash kernel, heads padded to a multiple of 8 (pad_last_dim<8> in attention.cpp)."""
    width = query.shape[-1]
    scale = scale if scale is not None else 1 / math.sqrt(width)
    query, key, value = (_pad_last(tensor, 8) for tensor in (query, key, value))
    flash = torch.ops.aten._scaled_dot_product_flash_attention
    out = flash(query, key, value, dropout, causal, scale=scale)[0]
    return out[..., :width] if out.shape[-1] != width else out


def _memory_efficient(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    dropout: float,
    causal: bool,
    scale: float | None,
) -> torch.Tensor:
    """Run the memory-efficient kernel; its bias rows are padded to 16 (pad_bias<16> in attention.cpp)."""
    if mask is not None:
        if mask.dtype is torch.bool:
            empty = torch.zeros_like(mask, dtype=query.dtype)
            mask = empty.masked_fill_(mask.logical_not(), -math.inf)
        if mask.shape[-1] % 16:
            mask = functional.pad(mask, (0, 16 - mask.shape[-1] % 16))[..., : mask.shape[-1]]
        mask = mask.expand(query.shape[0], query.shape[1], query.shape[2], key.shape[2])
    needs_grad = torch.is_grad_enabled() and any(t.requires_grad for t in (query, key, value))
    return torch.ops.aten._scaled_dot_product_efficient_attention(
        query, key, value, mask, needs_grad, dropout, causal, scale=scale
    )[0]


def _pad_last(tensor: torch.Tensor, multiple: int) -> torch.Tensor:
    short = -tensor.shape[-1] % multiple
    return functional.pad(tensor, (0, short)) if short else tensor
