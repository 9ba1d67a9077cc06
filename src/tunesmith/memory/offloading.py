"""Tensors of the host that take no memory here: their operations run for their shapes only.

Under FSDP2's CPUOffloadPolicy shards, gradients and optimizer states lie in the memory of the host. They are
real CPU tensors, for PyTorch asks for their device; but their pages are never touched, so the system gives
them no memory, and what would compute on them runs on the meta device in their stead.
"""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch.utils import _pytree as pytree

from tunesmith.memory.meta import run_on_meta


class HostTensors:
    """Runs operations as ``run_on_meta`` does, and keeps from touching what was copied from the device."""

    def __init__(self) -> None:
        self._known: weakref.WeakValueDictionary[int, torch.UntypedStorage] = weakref.WeakValueDictionary()

    def __call__(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return what *func* gives, on the host where its tensors lie there."""
        if func._schema.name == "aten::_to_copy" and _goes_to_host(args[0], kwargs):
            return self._untouched(args[0], kwargs.get("dtype"))
        tensors = [each for each in pytree.tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)]
        if not any(self._holds(tensor) for tensor in tensors):
            return run_on_meta(func, args, kwargs)
        returns = func._schema.returns
        if any(each.alias_info is not None and not each.alias_info.is_write for each in returns):
            return func(*args, **kwargs)  # a view
        on_meta = pytree.tree_map_only(torch.Tensor, _on_meta, (args, kwargs))
        results = run_on_meta(func, *on_meta)
        if any(each.alias_info is not None for each in returns):
            return args[0]  # in place
        if kwargs.get("device") is not None and torch.device(kwargs["device"]).type == "meta":
            return results  # a copy to the device
        return pytree.tree_map_only(torch.Tensor, self._untouched, results)

    def _holds(self, tensor: torch.Tensor) -> bool:
        if tensor.device.type != "cpu":
            return False
        storage = tensor.untyped_storage()
        return self._known.get(storage._cdata) is storage

    def _untouched(self, tensor: torch.Tensor, dtype: torch.dtype | None = None) -> torch.Tensor:
        result = torch.empty(tensor.shape, dtype=dtype or tensor.dtype, device="cpu")
        storage = result.untyped_storage()
        self._known[storage._cdata] = storage
        return result


def _goes_to_host(tensor: torch.Tensor, kwargs: dict[str, Any]) -> bool:
    place = kwargs.get("device")
    return tensor.device.type == "meta" and place is not None and torch.device(place).type == "cpu"


def _on_meta(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.device.type == "meta":
        return tensor
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
