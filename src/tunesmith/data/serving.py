"""The child's end of a jail: limits of memory and time, then questions read and answers written."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from typing import Any, Final

try:
    import resource
except ImportError:  # Windows has no such limits; the parent's clock is left
    resource = None  # type: ignore[assignment]

LENGTH_BYTES: Final = 8
"""How long the length is that stands before each message."""

MAX_REASON: Final = 300
"""Characters of an error that are passed on."""


def limit(memory_bytes: int) -> None:
    """Let this process have *memory_bytes* of address space, write no file and leave no core."""
    if resource is None:
        return
    limits = ((resource.RLIMIT_AS, memory_bytes), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0))
    for kind, most in limits:
        try:
            resource.setrlimit(kind, (most, most))
        except (OSError, ValueError):  # macOS knows some of these by name only
            continue


def clock(seconds: float) -> None:
    """End this process after *seconds* more of the processor; 0 stops the clock."""
    if hasattr(signal, "ITIMER_PROF"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def reason(error: BaseException, memory_bytes: int) -> str:
    """Return what *error* says, as the end of a sentence that begins with what was run."""
    if isinstance(error, MemoryError):
        return f"used more than {memory_bytes >> 20:,} MiB"
    if isinstance(error, RecursionError):
        return "calls itself without end"
    return f"says {type(error).__name__}: {str(error)[:MAX_REASON]}"


def serve(answer: Callable[[dict[str, Any]], dict[str, Any]], *, memory_bytes: int) -> None:
    """Give the *answer* to each question on standard input until it ends; an error becomes a fatal answer."""
    limit(memory_bytes)
    read, out = sys.stdin.buffer, sys.stdout.buffer
    while head := read.read(LENGTH_BYTES):
        question = json.loads(read.read(int.from_bytes(head, "big")))
        try:
            given = answer(question)
        except BaseException as error:  # the tokenizers library panics outside of Exception
            given = {"fatal": reason(error, memory_bytes)}
        clock(0)
        data = json.dumps(given, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        out.write(len(data).to_bytes(LENGTH_BYTES, "big") + data)
        out.flush()
