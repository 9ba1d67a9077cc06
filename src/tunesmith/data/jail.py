"""A child process for what a stranger wrote: templates and tokenizers run there, within limits.

A chat template is a program, and a tokenizer.json can hold a regular expression that never ends or a padding
that aborts the process. The child runs our own module; it limits its memory and time before it reads what it
is asked, holds no secrets of the environment, may write no file, and answers in JSON of bounded length.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from tunesmith.data.serving import LENGTH_BYTES

_KEPT: Final = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
_THREADS: Final = 8  # every thread of a tokenizer reserves address space, which is limited
_SET: Final = {
    "TOKENIZERS_PARALLELISM": "true",
    "RAYON_NUM_THREADS": str(min(_THREADS, os.cpu_count() or 1)),
    "PYTHONDONTWRITEBYTECODE": "1",
}
_START: Final = (
    "import sys, importlib; sys.path.insert(0, sys.argv[1]); importlib.import_module(sys.argv[2]).main()"
)
_END_SECONDS: Final = 10.0
_MAX_ANSWER_BYTES: Final = 256 << 20
_TIMEOUTS: Final = frozenset(
    getattr(signal, name) for name in ("SIGPROF", "SIGXCPU", "SIGVTALRM") if hasattr(signal, name)
)


class ChildError(Exception):
    """The child died or took too long; the message is the end of a sentence that names what it was given."""


class Child:
    """One process that runs ``main()`` of a module of ours, asked one question after another.

    A question is sent, and its answer received, apart, so that two children work at the same time. Use it as
    a context, or close it.
    """

    def __init__(self, module: str, *, wall_seconds: float) -> None:
        self._wall_seconds = wall_seconds
        self._late = False
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _START, str(Path(__file__).parents[2]), module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_SET | {name: os.environ[name] for name in _KEPT if name in os.environ},
        )

    def __enter__(self) -> Child:
        """Return the child itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the child."""
        self.close()

    def close(self) -> None:
        """End the child, whatever it does."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None and not pipe.closed:
                _close(pipe)

    def ask(self, question: Mapping[str, object]) -> dict[str, Any]:
        """Return the answer to *question*. Raises ChildError when there is none."""
        self.send(question)
        return self.receive()

    def send(self, question: Mapping[str, object]) -> None:
        """Send *question*; its answer is received before the next is sent."""
        data = json.dumps(question, ensure_ascii=False, separators=(",", ":"), default=str).encode("utf-8")
        pipe = self._process.stdin
        assert pipe is not None
        watch = self._watch()
        try:
            pipe.write(len(data).to_bytes(LENGTH_BYTES, "big") + data)
            pipe.flush()
        except (OSError, ValueError):  # ValueError: the pipe is closed at our end
            raise ChildError(self._cause()) from None
        finally:
            watch.cancel()

    def receive(self) -> dict[str, Any]:
        """Return the answer to the question that was sent. Raises ChildError when there is none."""
        pipe = self._process.stdout
        assert pipe is not None
        watch = self._watch()
        try:
            length = int.from_bytes(head := pipe.read(LENGTH_BYTES), "big")
            if length > _MAX_ANSWER_BYTES:
                self._process.kill()
                raise ChildError(f"gave more than {_MAX_ANSWER_BYTES:,} bytes")
            data = pipe.read(length)
        except (OSError, ValueError):  # ValueError: the pipe is closed at our end
            raise ChildError(self._cause()) from None
        finally:
            watch.cancel()
        if len(head) < LENGTH_BYTES or len(data) < length:
            raise ChildError(self._cause())
        answer: dict[str, Any] = json.loads(data)
        if "fatal" in answer:
            raise ChildError(str(answer["fatal"]))
        return answer

    def _watch(self) -> threading.Timer:
        """Return a clock that ends the child when it keeps us waiting for too long."""
        timer = threading.Timer(self._wall_seconds, self._end_late)
        timer.daemon = True
        timer.start()
        return timer

    def _end_late(self) -> None:
        self._late = True
        self._process.kill()

    def _cause(self) -> str:
        """Return why the child ended."""
        try:
            code = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if self._late:
            return f"kept us waiting for more than {self._wall_seconds:g} seconds and was stopped"
        if -code in _TIMEOUTS:
            return "used more time of the processor than it may and was stopped"
        if code < 0:
            return f"was ended by signal {-code}, as happens when memory runs out"
        return f"ended by itself with code {code}"


def _close(pipe: Any) -> None:
    with contextlib.suppress(OSError):  # what was not sent yet has no reader any more
        pipe.close()
