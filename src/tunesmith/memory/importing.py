"""bitsandbytes, imported without PyTorch's compiler.

bitsandbytes/backends/default/ops.py at 0.50.2 has four functions compiled while it is imported, none of which
a card or the meta device runs, and the compiler's own imports take longer than all of bitsandbytes. So each
is compiled when it is first called. Whoever imports this module before the trace saves that time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def at_first_call(compiler: Callable[..., Any]) -> Callable[..., Any]:
    """Return what stands in for *compiler*, ``torch.compile``: it compiles a function at its first call."""

    def marked(function: Callable[..., Any] | None = None, **options: Any) -> Callable[..., Any]:
        if function is None:
            return lambda given: marked(given, **options)
        compiled: list[Callable[..., Any]] = []

        def call(*args: Any, **kwargs: Any) -> Any:
            if not compiled:
                compiled.append(compiler(function, **options))
            return compiled[0](*args, **kwargs)

        return call

    return marked


_compile = torch.compile
torch.compile = at_first_call(_compile)
try:
    import bitsandbytes  # noqa: F401 -- what counts is that it is imported now
finally:
    torch.compile = _compile
