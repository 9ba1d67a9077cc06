"""Tensors of the host that take no memory here: their operations run for their shapes only.

Under FSDP2's CPUOffloadPolicy shards, gradients and optimizer states lie in the memory of the host. They are
real CPU tensors, for PyTorch asks for their device; but their pages are never touched, so the system gives
them no memory, and what would compute on them runs on the meta device in their stead. A model that is
quantised on the host lies in such tensors until it is sharded.
"""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch.utils import _pytree as pytree

from tunesmith.memory.meta import run_on_meta


class HostTensors:
    """Runs operations as ``run_on_meta`` does; what came from the device or is empty is never touched."""

    def __init__(self) -> None:
        self._known: weakref.WeakValueDictionary[int, torch.UntypedStorage] = weakref.WeakValueDictionary()

    def __call__(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return what *func* gives, on the host where its tensors lie there."""
        if func._schema.name == "aten::_to_copy" and _goes_to_host(args[0], kwargs):
            return self._untouched(args[0], kwargs.get("dtype"))
        if func is torch.ops.aten.empty.memory_format and _on_host(kwargs.get("device")):
            return self._known_from_now(func(*args, **kwargs))
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
        return self._known_from_now(torch.empty(tensor.shape, dtype=dtype or tensor.dtype, device="cpu"))

    def _known_from_now(self, tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        self._known[storage._cdata] = storage
        return tensor


def move_to_device(
    parameters: list[torch.nn.Parameter], buffers: list[torch.Tensor], device: torch.device
) -> None:
    """Move tensors of the host to *device* in place, as fully_shard() does before it shards a module.

    _move_states_to_device() of torch/distributed/fsdp/_fully_shard/_fsdp_init.py at v2.13.0, which sets
    ``tensor.data``: from the host to meta PyTorch refuses that, so the tensors are swapped.
    """
    for tensor in (*parameters, *buffers):
        if tensor.device.type != "cpu":
            continue
        attributes = dict(tensor.__dict__)
        with torch.no_grad():
            moved = tensor.to(device)
        if isinstance(tensor, torch.nn.Parameter) and type(moved) is torch.Tensor:
            moved = torch.nn.Parameter(moved, requires_grad=tensor.requires_grad)
        torch.utils.swap_tensors(tensor, moved)
        tensor.__dict__.update(attributes)


def _on_host(place: Any) -> bool:
    return place is None or torch.device(place).type == "cpu"


def _goes_to_host(tensor: torch.Tensor, kwargs: dict[str, Any]) -> bool:
    place = kwargs.get("device")
    return tensor.device.type == "meta" and place is not None and torch.device(place).type == "cpu"


def _on_meta(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.device.type == "meta":
        return tensor
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
