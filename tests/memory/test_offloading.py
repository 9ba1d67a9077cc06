"""Tensors of the host under offload: shapes, types and places are real, their memory is never touched."""

from __future__ import annotations

import torch

from tunesmith.memory.offloading import HostTensors


def test_offloaded_tensors_take_no_memory_here() -> None:
    """An operation on a tensor of the host runs for its shape: nothing is read, nothing is written."""
    host = HostTensors()
    device = torch.empty((1 << 20,), device="meta")
    moved = host(torch.ops.aten._to_copy.default, (device,), {"device": torch.device("cpu")})
    assert moved.device.type == "cpu"
    total = host(torch.ops.aten.sum.default, (moved,), {})
    assert total.device.type == "cpu" and total.shape == ()
    assert host(torch.ops.aten.mul_.Scalar, (moved, 2.0), {}) is moved
    back = host(torch.ops.aten._to_copy.default, (moved,), {"device": torch.device("meta")})
    assert back.device.type == "meta" and back.shape == moved.shape
    view = host(torch.ops.aten.view.default, (moved, [1024, 1024]), {})
    assert view.untyped_storage().data_ptr() == moved.untyped_storage().data_ptr()
    assert host(torch.ops.aten._local_scalar_dense.default, (total,), {}) == 0.0
