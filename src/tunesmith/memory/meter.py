"""Meter: what the operations of a step compute and move, counted from their real shapes while it is traced.

It is told every operation that the recorder sees, so recomputation, frozen weights without gradients and
dequantised weights are counted because they are run. Kernels that libraries launch past PyTorch's dispatcher
are told to it by ``Launch``, which stands in their place on a device without memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import distributed
from torch.distributed.distributed_c10d import _resolve_process_group

from tunesmith.memory.work import Work

DTYPES: Final = {
    torch.bfloat16: "bf16",
    torch.float16: "fp16",
    torch.float32: "fp32",
    torch.int8: "int8",
}
"""Names of the rates of a card; other types compute as fp32."""

READ_ROWS: Final = frozenset({"embedding", "index", "index_select", "gather", "slice_backward"})
"""Operations that read only as many elements of their first argument as they write."""

FREE: Final = frozenset(
    {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "_unsafe_view", "resize_"}
)
"""Operations that launch nothing, beside views."""

_MATMULS: Final[Mapping[str, Callable[[tuple[Any, ...]], tuple[torch.Tensor, torch.Tensor]]]] = {
    "aten::mm": lambda args: (args[0], args[1]),
    "aten::bmm": lambda args: (args[0], args[1]),
    "aten::_grouped_mm": lambda args: (args[0], args[1]),
    "aten::addmm": lambda args: (args[1], args[2]),
    "aten::addmm_": lambda args: (args[1], args[2]),
    "aten::baddbmm": lambda args: (args[1], args[2]),
    "bitsandbytes::int8_linear_matmul": lambda args: (args[0], args[1].t()),
}
"""The two factors of each matrix product."""

_FORWARD, _BACKWARD = 2, 5
"""Matrix products in attention: the scores and the output; with the scores made again, their gradients too.

sdpa_flop_count() and sdpa_backward_flop_count() in pytorch/pytorch@v2.13.0:torch/utils/flop_counter.py.
"""

_CAUSAL_AT: Final[Mapping[str, tuple[int, int]]] = {
    "aten::_scaled_dot_product_flash_attention": (0, 4),
    "aten::_scaled_dot_product_flash_attention_backward": (1, 11),
    "aten::_scaled_dot_product_efficient_attention": (0, 6),
    "aten::_scaled_dot_product_efficient_attention_backward": (1, 11),
    "aten::_flash_attention_forward": (0, 8),
    "aten::_flash_attention_backward": (1, 11),
}
"""Where the query stands among the arguments, and where ``is_causal`` does: native_functions.yaml at
v2.13.0."""

_COLLECTIVES: Final = {
    "_allgather_base_": "all_gather",
    "allgather_": "all_gather",
    "all_gather_into_tensor": "all_gather",
    "_reduce_scatter_base_": "reduce_scatter",
    "reduce_scatter_tensor": "reduce_scatter",
    "allreduce_": "all_reduce",
    "all_reduce": "all_reduce",
    "alltoall_base_": "all_to_all",
    "all_to_all_single": "all_to_all",
}
"""c10d's operations by kind. Those of ``_c10d_functional``, which DTensor calls, are awaited at once."""

_SUMS: Final = frozenset({"sum", "avg", "max", "min", "product"})
"""Names of reductions, which stand among the arguments before the name of the group."""

NONE: Final = slice(0, 0)
ALL_BUT_FIRST: Final = slice(1, None)
FIRST: Final = slice(0, 1)

COPYING: Final = frozenset({"to", "contiguous", "reshape", "flatten"})
"""Operations made of others, which run whole inside DTensor's handlers: a view, or a copy."""

_active: list[Meter] = []


class Meter:
    """Counts the work of one device by phase, kind and dtype."""

    def __init__(self, device_type: str) -> None:
        self.work: dict[str, tuple[Work, ...]] = {}
        """What was counted, by phase."""
        self._device_type = device_type
        self._counts: dict[tuple[str, str], list[int]] = {}
        self._ways: dict[Any, Callable[..., None] | None] = {}

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count what libraries launch past PyTorch's dispatcher, until the block ends."""
        _active.append(self)
        try:
            yield
        finally:
            _active.remove(self)

    def end_phase(self, name: str) -> None:
        """Close the phase that began where the last one ended; only those of the two steps are kept."""
        if name.startswith("step"):
            stepping = name.endswith(".step")
            works = [
                Work(
                    kind="optimizer" if stepping and kind == "elementwise" else kind,
                    dtype=dtype,
                    flops=flops,
                    moved_bytes=moved,
                    kernels=kernels,
                )
                for (kind, dtype), (flops, moved, kernels) in self._counts.items()
            ]
            self.work[name] = tuple(sorted(works, key=lambda each: (each.kind, each.dtype)))
        self._counts = {}

    def saw(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """Count one operation, which has returned *result*."""
        try:
            way = self._ways[func]
        except KeyError:
            way = self._ways[func] = self._way(func)
        if way is not None:
            way(args, kwargs, result)

    def launched(self, kind: str, moved_bytes: int) -> None:
        """Count a kernel that a library launches itself."""
        self._add(kind, "fp32", 0, moved_bytes)

    def multiplied(self, left: torch.Tensor, right: torch.Tensor, moved: int) -> None:
        """Count a matrix product; of groups of rows each meets one matrix of the right side."""
        batch = left.shape[0] if left.dim() == right.dim() == 3 else 1
        rows = left.shape[-2] * (left.shape[0] if left.dim() == 3 and right.dim() == 2 else 1)
        flops = 2 * batch * rows * left.shape[-1] * right.shape[-1]
        self._add("matmul", DTYPES.get(left.dtype, "fp32"), flops, moved)

    # How each operation is counted is decided once.

    def _way(self, func: Any) -> Callable[..., None] | None:
        schema = func._schema
        space, _, name = schema.name.partition("::")
        if space in ("c10d", "_c10d_functional"):
            kind = _COLLECTIVES.get(name)
            awaited = space == "_c10d_functional" or kind == "all_to_all"
            return None if kind is None else self._collective(kind, "awaited" if awaited else kind)
        if schema.name in _MATMULS:
            factors = _MATMULS[schema.name]
            return lambda args, kwargs, result: self.multiplied(
                *factors(args), _bytes((*args, result)) if args[0].device.type == self._device_type else 0
            )
        if schema.name in _CAUSAL_AT:
            return self._attention(schema.name)
        if schema.name == "bitsandbytes::gemm_4bit":
            return self._gemm_4bit
        if space == "bitsandbytes" and name.startswith("dequantize"):
            return lambda args, kwargs, result: self.launched("dequantize", _bytes((*args, result)))
        if name in COPYING:
            return self._copy_unless_view
        if name in FREE or _is_view(schema):
            return None
        if name in READ_ROWS:
            return lambda args, kwargs, result: self._element(result, 2 * _bytes(result) + _bytes(args[1:]))
        if name in ("_to_copy", "copy_"):
            return self._copy
        written = tuple(
            index
            for index, argument in enumerate(schema.arguments)
            if argument.alias_info is not None
            and argument.alias_info.is_write
            and not (name.startswith("_fused_") and argument.name == "grads")  # changed to unscale them only
        )
        returned = any(r.alias_info is None for r in schema.returns)
        return self._elementwise(written, returned, name in ("fill_", "zero_"))

    def _elementwise(self, written: tuple[int, ...], returned: bool, blind: bool) -> Callable[..., None]:
        """Return how to count an operation: all it reads, all it returns, and what it writes in place."""

        def count(args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
            moved = _bytes(args) if not blind else 0
            if kwargs:
                moved += _bytes(list(kwargs.values()))
            for index in written:
                if index < len(args):
                    moved += _bytes(args[index])
            if returned:
                moved += _bytes(result)
            self._element(args or result, moved)

        return count

    def _element(self, at: Any, moved: int) -> None:
        device = _device(at)
        if device == self._device_type:
            self._add("elementwise", "fp32", 0, moved)
        elif device == "cpu" and moved > 1 << 20:
            self._add("host_optimizer", "fp32", 0, moved)

    def _copy(self, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """Count a copy: over PCIe if the host is one end, else read and written once."""
        into, out_of = (result, args[0]) if args[0] is not result else (result, args[1])
        devices = {into.device.type, out_of.device.type}
        if devices == {self._device_type}:
            self._add("elementwise", "fp32", 0, _bytes(into) + _bytes(out_of))
        elif self._device_type in devices:
            self._add("host_copy", "fp32", 0, _bytes(out_of))

    def _copy_unless_view(self, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        if result.untyped_storage()._cdata != args[0].untyped_storage()._cdata:
            self._copy(args, kwargs, result)

    def _attention(self, name: str) -> Callable[..., None]:
        query_at, causal_at = _CAUSAL_AT[name]
        products = _BACKWARD if query_at else _FORWARD
        rows_first = "_flash_attention_" in name and "scaled" not in name

        def count(args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
            query, key = args[query_at], args[query_at + 1]
            causal = args[causal_at] if len(args) > causal_at else kwargs.get("is_causal", False)
            if rows_first:  # (batch, length, heads, width), or (tokens, heads, width) of several sequences
                keys = key.shape[1] if key.dim() == 4 else args[7 if not query_at else 9]
            else:
                keys = key.shape[2]
            flops = 2 * products * query.numel() * int(keys) // (2 if causal else 1)
            moved = products * (_bytes(query) + _bytes(key))  # q, k, v, out; and their gradients
            self._add("attention", DTYPES.get(query.dtype, "fp32"), flops, moved)

        return count

    def _gemm_4bit(self, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """Count the fused product of rows and a 4-bit weight, whose shape is the third argument."""
        left, _, shape = args[:3]
        flops = 2 * left.numel() * int(shape[0])
        self._add("matmul", DTYPES.get(left.dtype, "fp32"), flops, _bytes((*args, result)))

    def _collective(self, kind: str, counted_as: str) -> Callable[..., None]:
        def count(args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
            sizes = [_bytes(arg) for arg in (*args, result) if isinstance(arg, (torch.Tensor, list, tuple))]
            whole = max(sizes, default=0)
            cards = next((c for c in map(_group_size, args) if c), 0) or distributed.get_world_size()
            sent = whole * (cards - 1) // cards * (2 if kind == "all_reduce" else 1)
            if kind == "all_to_all":  # all but what stays: input_split_sizes say how much, else an even part
                parts = next((arg for arg in reversed(args) if isinstance(arg, list) and arg), None)
                sent = whole - whole * parts[0] // sum(parts) if parts and sum(parts) else sent
            self._add(counted_as, "bf16", 0, sent)

        return count

    def _add(self, kind: str, dtype: str, flops: int, moved: int) -> None:
        known = self._counts.get((kind, dtype))
        if known is None:
            self._counts[kind, dtype] = [flops, moved, 1]
        else:
            known[0] += flops
            known[1] += moved
            known[2] += 1


class Launch:
    """A kernel that a library launches itself: on a device without memory it does nothing but be counted.

    *changed* says which of the tensors among its arguments it reads and writes; the others are read or
    written.
    """

    def __init__(self, kind: str = "elementwise", *, changed: slice = NONE) -> None:
        self._kind, self._changed = kind, changed

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """Count one launch."""
        if _active:
            tensors = [arg for arg in (*args, *kwargs.values()) if isinstance(arg, torch.Tensor)]
            moved = _bytes(tensors) + _bytes(tensors[self._changed])
            for meter in _active:
                meter.launched(self._kind, moved)

    def __getitem__(self, grid: Any) -> Launch:
        """Return itself: Triton's kernels are indexed by their grid."""
        return self


def count_product(result: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> None:
    """Count ``result += left @ right``, which a library does in place past the dispatcher."""
    for meter in _active:
        meter.multiplied(left, right, _bytes((left, right)) + 2 * _bytes(result))


def _bytes(tree: Any) -> int:
    """Return the bytes of the tensors in *tree*."""
    if isinstance(tree, torch.Tensor):
        count: int = tree.numel() * tree.element_size()
        return count
    if isinstance(tree, (list, tuple)):
        return sum(map(_bytes, tree))
    return 0


def _device(tree: Any) -> str:
    """Return the device of the first tensor in *tree*."""
    if isinstance(tree, torch.Tensor):
        return str(tree.device.type)
    if isinstance(tree, (list, tuple)):
        for each in tree:
            found = _device(each)
            if found:
                return found
    return ""


def _is_view(schema: Any) -> bool:
    """Return whether an operation returns nothing but views of what it was given."""
    returns = schema.returns
    return bool(returns) and all(r.alias_info is not None and not r.alias_info.is_write for r in returns)


def _group_size(arg: Any) -> int:
    """Return how many cards take part, if *arg* is a process group or its name."""
    if isinstance(arg, torch.ScriptObject):
        return int(distributed.ProcessGroup.unbox(arg).size())
    if isinstance(arg, str) and arg not in _SUMS:
        return int(_resolve_process_group(arg).size())
    return 0
