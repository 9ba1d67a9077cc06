"""Recorder: sees storages born and released, and gives each its cause.

It knows nothing of models or estimates. A dispatch mode sees every operation below autograd; a
storage is born when an operation returns it and released when its last owner lets go, which a weak
reference reports at that very moment, as the caching allocator would see it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode

from tunesmith.memory.timeline import Phase, Storage, Timeline

Operation = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]

GEMMS = frozenset({"aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "aten::addmv", "aten::mv"})
"""Operations that take a cuBLAS handle, and with it the handle's workspace.

aten/src/ATen/native/cuda/Blas.cpp at v2.13.0: each reaches getCurrentCUDABlasHandle().
"""
LAST_OUTPUT_FIRST = frozenset(
    {"bitsandbytes::quantize_4bit", "bitsandbytes::quantize_blockwise", "aten::native_dropout"}
)
"""Operations that make their last output first.

bitsandbytes/backends/cuda/ops.py at 0.50.2: absmax before out; aten/src/ATen/native/cuda/Dropout.cu at
v2.13.0: the mask before the output.
"""


class Recorder(TorchDispatchMode):
    """Records every storage of one device into a Timeline.

    ``run`` may run an operation in the device's stead (a device without memory cannot answer
    ``item()``); ``scratch`` names the bytes that a CUDA kernel takes inside an operation, stage by
    stage, each given back before the next; ``workspace_bytes`` is what a cuBLAS handle takes at its first use. On a
    real device all three keep their defaults.
    """

    def __init__(
        self,
        device: torch.device,
        *,
        run: Operation | None = None,
        scratch: Callable[[str, tuple[Any, ...]], Iterable[Iterable[int]]] | None = None,
        workspace_bytes: int = 0,
    ) -> None:
        super().__init__()
        self._device_type = device.type
        self._run, self._scratch, self._workspace_bytes = run, scratch, workspace_bytes
        self._bytes: list[int] = []
        self._category: list[str] = []
        self._module: list[str] = []
        self._operation: list[str] = []
        self._events: list[int] = []
        self._phases: list[Phase] = []
        self._live: dict[int, tuple[int, weakref.ref[Any]]] = {}
        self._threads_with_workspace: set[str] = set()
        self._calls = _ModuleCalls(entered=self._call_entered, left=self._call_left)
        self._call_start = 0
        self._module_of_node: dict[int, str] = {}
        self._head: tuple[str, ...] = ()

    def __enter__(self) -> Recorder:
        self._calls.watch()
        super().__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        self._calls.unwatch()

    # What its owner tells it.

    def name_modules(self, model: nn.Module, *, head: nn.Module | None) -> None:
        """Name the modules of *model*; what is born in its outermost module or *head* makes logits and loss."""
        self._calls.names = {id(module): name for name, module in model.named_modules()}
        roots = [name for name, module in model.named_modules() if head is not None and _owns(module, head)]
        self._head = (*roots, self._calls.names.get(id(head), "")) if head is not None else ()

    def end_phase(self, name: str) -> None:
        """Close the phase that began where the last one ended."""
        start = self._phases[-1].end if self._phases else 0
        self._phases.append(Phase(name=name, start=start, end=len(self._events)))

    def label(self, tensors: Iterable[torch.Tensor], category: str) -> None:
        """Say what the storages of *tensors* are; the category holds for their whole life."""
        for tensor in tensors:
            known = self._live.get(tensor.untyped_storage()._cdata)
            if known is not None:
                self._category[known[0]] = category

    def timeline(self) -> Timeline:
        """Return what was recorded so far."""
        columns = zip(self._bytes, self._category, self._module, self._operation, strict=True)
        return Timeline(
            storages=tuple(Storage(bytes=b, category=c, module=m, operation=o) for b, c, m, o in columns),
            events=tuple(self._events),
            phases=tuple(self._phases),
        )

    # What it sees.

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        name = func._schema.name
        module, backward = self._locate()
        if self._run is None:
            result = func(*args, **(kwargs or {}))
        else:
            result = self._run(func, args, kwargs or {})
        self._see(result, name, module, args)
        if name in GEMMS:
            self._take_workspace("autograd" if backward else "main", module)
        if self._scratch is not None:
            for stage in self._scratch(name, args):
                held = [self._born(count, "temporaries", module, name) for count in stage]
                self._events.extend(-index - 1 for index in held)
        return result

    def _locate(self) -> tuple[str, bool]:
        """Return the module at work and whether autograd's backward is running it."""
        node = torch._C._current_autograd_node()
        if self._calls.depth:
            module = self._calls.current()
            if node is None:
                self._module_of_node.setdefault(torch.autograd._get_sequence_nr() - 1, module)
            return module, node is not None
        if node is None:
            return "", False
        return self._module_of_node.get(node._sequence_nr(), ""), True

    def _see(self, result: Any, name: str, module: str, args: tuple[Any, ...]) -> None:
        if isinstance(result, torch.Tensor):
            self._see_tensor(result, name, module, args)
        elif isinstance(result, (list, tuple)):
            for item in reversed(result) if name in LAST_OUTPUT_FIRST else result:
                self._see(item, name, module, args)

    def _see_tensor(self, tensor: torch.Tensor, name: str, module: str, args: tuple[Any, ...]) -> None:
        if tensor.device.type != self._device_type:
            return
        storage = tensor.untyped_storage()
        key = storage._cdata
        known = self._live.get(key)
        if known is not None and known[1]() is storage:
            return
        count = storage.nbytes()
        if count == 0:
            return
        index = self._born(count, self._category_at_birth(tensor, name, module, args), module, name)

        def released(_: Any) -> None:
            self._live.pop(key, None)
            self._events.append(-index - 1)

        self._live[key] = (index, weakref.ref(storage, released))

    def _category_at_birth(self, tensor: torch.Tensor, name: str, module: str, args: tuple[Any, ...]) -> str:
        if name == "aten::_to_copy" and self._calls.depth and isinstance(args[0], nn.Parameter):
            return "autocast copies"
        if self._calls.depth == 0 and torch._C._current_autograd_node() is None:
            return "temporaries" if tensor.is_floating_point() else "inputs"
        if module in self._head:
            return "logits and loss"
        return "temporaries"

    def _born(self, count: int, category: str, module: str, operation: str) -> int:
        index = len(self._bytes)
        self._bytes.append(count)
        self._category.append(category)
        self._module.append(module)
        self._operation.append(operation)
        self._events.append(index + 1)
        return index

    def _take_workspace(self, thread: str, module: str) -> None:
        if self._workspace_bytes and thread not in self._threads_with_workspace:
            self._threads_with_workspace.add(thread)
            self._born(self._workspace_bytes, "cublas workspaces", module, "cublasSetWorkspace")

    # Once an outermost call has returned, only autograd (or the result) still holds what it made.

    def _call_entered(self) -> None:
        self._call_start = len(self._bytes)

    def _call_left(self) -> None:
        for index, _ in list(self._live.values()):
            if index >= self._call_start and self._category[index] == "temporaries":
                self._category[index] = "activations"


class _ModuleCalls:
    """The stack of module calls in progress, through torch's global forward hooks."""

    def __init__(self, *, entered: Callable[[], None], left: Callable[[], None]) -> None:
        self.names: dict[int, str] = {}
        self._stack: list[int] = []
        self._entered, self._left = entered, left
        self._handles: list[Any] = []

    @property
    def depth(self) -> int:
        return len(self._stack)

    def current(self) -> str:
        return self.names.get(self._stack[-1], "")

    def watch(self) -> None:
        self._handles = [
            register_module_forward_pre_hook(self._enter),
            register_module_forward_hook(self._leave, always_call=True),
        ]

    def unwatch(self) -> None:
        for handle in self._handles:
            handle.remove()

    def _enter(self, module: nn.Module, _: Any) -> None:
        if not self._stack:
            self._entered()
        self._stack.append(id(module))

    def _leave(self, module: nn.Module, _: Any, __: Any) -> None:
        # A recomputation that stops early leaves its inner modules by an exception.
        while self._stack and self._stack.pop() != id(module):
            pass
        if not self._stack:
            self._left()


def _owns(module: nn.Module, head: nn.Module) -> bool:
    """Return whether *head* lies in *module*, however deep, and *module* is not the head itself."""
    return module is not head and any(child is head for child in module.modules())
