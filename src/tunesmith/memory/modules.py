"""Which module is at work, by torch's global forward hooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook


class ModuleCalls:
    """The stack of module calls in progress, through torch's global forward hooks."""

    def __init__(self, *, entered: Callable[[], None], left: Callable[[], None]) -> None:
        self.names: dict[int, str] = {}
        self._stack: list[int] = []
        self._entered, self._left = entered, left
        self._handles: list[Any] = []

    @property
    def depth(self) -> int:
        """Return how many calls are in progress."""
        return len(self._stack)

    def current(self) -> str:
        """Return the name of the innermost module."""
        return self.names.get(self._stack[-1], "")

    def watch(self) -> None:
        """Follow the calls from here on."""
        self._handles = [
            register_module_forward_pre_hook(self._enter),
            register_module_forward_hook(self._leave, always_call=True),
        ]

    def unwatch(self) -> None:
        """Follow them no longer."""
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
