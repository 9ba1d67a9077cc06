"""Autocast on a device that has none: the casts that CUDA makes, and its cache."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional

from tunesmith.hardware import gpu
from tunesmith.memory.autocast import FLOAT32, FLOAT32_OUTPUT, LOWER_PRECISION, PROMOTE
from tunesmith.memory.meta import cuda_behaviour

A100 = gpu("A100-80GB")

Operation = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

SHARED: dict[str, Operation] = {
    "linear": lambda a, b: functional.linear(a, b),
    "matmul": lambda a, b: a @ b,
    "mm": lambda a, b: torch.mm(a, b),
    "addmm": lambda a, b: torch.addmm(a, a, b),
    "bmm": lambda a, b: torch.bmm(a[None], b[None]),
    "einsum": lambda a, b: torch.einsum("ij,jk->ik", a, b),
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "relu": lambda a, b: a.relu(),
    "silu": lambda a, b: functional.silu(a),
    "cat": lambda a, b: torch.cat([a, b]),
    "mse_loss": lambda a, b: functional.mse_loss(a, b),
}
"""Operations that CUDA's and the CPU's autocast treat alike (their lists in autocast_mode.h and .cpp)."""


@pytest.mark.parametrize("name", SHARED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_where_the_lists_agree_the_dtype_is_that_of_real_autocast(name: str, dtype: torch.dtype) -> None:
    real = torch.zeros((4, 4), dtype=dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        expected = SHARED[name](real, real).dtype
    meta = torch.zeros((4, 4), dtype=dtype, device="meta")
    with cuda_behaviour(A100), torch.autocast("meta", dtype=torch.bfloat16):
        assert SHARED[name](meta, meta).dtype is expected


CUDA_ONLY: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], torch.dtype]] = {
    "softmax": (lambda a: a.softmax(-1), torch.float32),
    "log_softmax": (lambda a: functional.log_softmax(a, -1), torch.float32),
    "sum": (lambda a: a.sum(), torch.float32),
    "pow": (lambda a: a.pow(2), torch.float32),
    "exp": (lambda a: a.exp(), torch.float32),
    "rsqrt": (lambda a: a.rsqrt(), torch.float32),
    "layer_norm": (lambda a: functional.layer_norm(a, (4,)), torch.float32),
    "norm": (lambda a: torch.linalg.vector_norm(a), torch.float32),
    "mean": (lambda a: a.mean(), torch.bfloat16),
    "sigmoid": (lambda a: a.sigmoid(), torch.bfloat16),
}
"""What CUDA makes of bfloat16: docs.pytorch.org/docs/stable/amp.html, "CUDA Op-Specific Behavior"."""


@pytest.mark.parametrize("name", CUDA_ONLY)
def test_what_only_cuda_runs_in_float32_is_float32(name: str) -> None:
    operation, expected = CUDA_ONLY[name]
    with cuda_behaviour(A100), torch.autocast("meta", dtype=torch.bfloat16):
        assert operation(torch.zeros((4, 4), dtype=torch.bfloat16, device="meta")).dtype is expected


def test_nothing_is_cast_outside_autocast() -> None:
    meta = torch.zeros((4, 4), device="meta")
    with cuda_behaviour(A100):
        assert (meta @ meta).dtype is torch.float32
        with torch.autocast("meta", dtype=torch.bfloat16):
            assert (meta @ meta).dtype is torch.bfloat16
            with torch.autocast("meta", enabled=False):
                assert (meta @ meta).dtype is torch.float32
        assert (meta @ meta).dtype is torch.float32


def test_a_weight_that_learns_is_cast_once_in_a_region() -> None:
    weight = torch.nn.Parameter(torch.zeros((4, 4), device="meta"))
    frozen = torch.zeros((4, 4), device="meta")
    casts: list[int] = []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        """Counts casts."""

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            if func._schema.name == "aten::_to_copy":
                casts.append(args[0].data_ptr() if args[0].device.type != "meta" else id(args[0]))
            return func(*args, **(kwargs or {}))

    batch = torch.zeros((2, 4), dtype=torch.bfloat16, device="meta")
    for tensor, expected in ((weight, 1), (frozen, 3)):
        casts.clear()
        with cuda_behaviour(A100), Watch(), torch.autocast("meta", dtype=torch.bfloat16):
            for _ in range(3):
                functional.linear(batch, tensor)
        assert len(casts) == expected


def test_the_lists_share_no_operation() -> None:
    lists = [LOWER_PRECISION, FLOAT32, FLOAT32_OUTPUT, PROMOTE]
    assert sum(map(len, lists)) == len(frozenset().union(*lists))
