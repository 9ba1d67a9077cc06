"""The flash-attn package on a device without memory: ``attn_implementation: flash_attention_2``.

Its kernels and PyTorch's are one code, third_party/flash-attention; PyTorch's operator, which has a meta
kernel, takes the same layout and allocates the same tensors. The package itself is never imported.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import functional
from transformers import PreTrainedModel
from transformers import modeling_flash_attention_utils as flash_utils

from tunesmith.errors import UnsupportedError

NAME = "flash_attention_2"


@contextmanager
def dispatchable() -> Iterator[None]:
    """Let transformers choose flash-attn for a model that supports it, installed or not."""
    adjust = PreTrainedModel._check_and_adjust_attn_implementation

    def adjusted(model: PreTrainedModel, kernel: str | None, *args: Any, **kwargs: Any) -> Any:
        if kernel != NAME:
            return adjust(model, kernel, *args, **kwargs)
        if not model._supports_flash_attn:
            raise UnsupportedError(
                f"attn_implementation {NAME}: {type(model).__name__} has none. Set sdpa or eager."
            )
        return kernel

    PreTrainedModel._check_and_adjust_attn_implementation = adjusted
    try:
        yield
    finally:
        PreTrainedModel._check_and_adjust_attn_implementation = adjust


def patches(compute_capability: tuple[int, int]) -> list[tuple[Any, str, Any]]:
    """Return (owner, attribute, replacement) for what transformers imports from the package."""

    def imported(implementation: str | None, *_: Any, **__: Any) -> tuple[Any, ...]:
        if implementation != NAME or compute_capability < (8, 0):
            raise UnsupportedError(
                f"attn_implementation {implementation}: it cannot be run for a card of compute capability "
                f"{'.'.join(map(str, compute_capability))}. flash_attention_2 needs 8.0 and more; set sdpa."
            )
        return flash_attn_func, flash_attn_varlen_func, None, flash_utils._pad_input, flash_utils._unpad_input

    unloaded = ("_loaded_implementation", "_flash_fn", "_flash_varlen_fn", "_flash_with_kvcache_fn")
    return [
        (flash_utils, "_lazy_imports", imported),
        (flash_utils, "_is_packed_sequence", _is_packed_sequence),
        *((flash_utils, name, None) for name in unloaded),
    ]


def _is_packed_sequence(position_ids: torch.Tensor | None, batch_size: int) -> bool:
    """Return what transformers reads off the position ids: rows of several examples say so by cu_seq_lens."""
    return False


def flash_attn_func(  # noqa: PLR0913 -- the package's own arguments
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    dropout_p: float = 0.0,
    softmax_scale: float | None = None,
    causal: bool = False,
    window_size: tuple[int, int] = (-1, -1),
    softcap: float = 0.0,
) -> torch.Tensor:
    """Return attention over (batch, length, heads, width); window and softcap change values only."""
    sequences = (None, None, q.shape[1], k.shape[1])
    return _forward(q, k, v, sequences, dropout_p, softmax_scale, causal)


def flash_attn_varlen_func(  # noqa: PLR0913 -- the package's own arguments
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    cu_seqlens_q: torch.Tensor,
    cu_seqlens_k: torch.Tensor,
    max_seqlen_q: int,
    max_seqlen_k: int,
    dropout_p: float = 0.0,
    softmax_scale: float | None = None,
    causal: bool = False,
    window_size: tuple[int, int] = (-1, -1),
    softcap: float = 0.0,
) -> torch.Tensor:
    """Return attention over (tokens, heads, width), of which each sequence sees itself alone."""
    sequences = (cu_seqlens_q, cu_seqlens_k, int(max_seqlen_q), int(max_seqlen_k))
    return _forward(q, k, v, sequences, dropout_p, softmax_scale, causal)


def _forward(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    sequences: tuple[torch.Tensor | None, torch.Tensor | None, int, int],
    dropout_p: float,
    softmax_scale: float | None,
    causal: bool,
) -> torch.Tensor:
    """Return PyTorch's own flash kernel over padded heads; *sequences*: their starts and longest lengths."""
    width = q.shape[-1]
    q, k, v = (_padded(tensor) for tensor in (q, k, v))
    scale = softmax_scale if softmax_scale is not None else width**-0.5
    out: torch.Tensor = torch.ops.aten._flash_attention_forward(
        q, k, v, *sequences, dropout_p, causal, False, scale=scale
    )[0]
    return out[..., :width] if out.shape[-1] != width else out


def _padded(tensor: torch.Tensor) -> torch.Tensor:
    """Return heads padded to a multiple of 8 (flash_attn_interface.py of Dao-AILab/flash-attention v2.8)."""
    short = -tensor.shape[-1] % 8
    return functional.pad(tensor, (0, short)) if short else tensor
