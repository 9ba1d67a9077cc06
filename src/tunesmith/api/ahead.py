"""Outlines and answers made ahead: a second process takes them from the end of the list the first begins.

The first process deals out the work: what it comes to itself is taken off the list, and what the second one
is at it waits for. Answers pass through the cache on disk only, so a search takes two cores where there are
two, and one where there is no cache. The module is the second process's program, which reads jobs as lines
of JSON on standard input and writes an empty line after each.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TextIO

from tunesmith.api.estimating import confirmed, is_confirmed, run_step
from tunesmith.architecture import load_architecture
from tunesmith.errors import TunesmithError
from tunesmith.hardware import gpu
from tunesmith.memory import cache
from tunesmith.memory.outline import outline, outline_is_kept
from tunesmith.recipe import Recipe

Wanted = tuple[Recipe, tuple[str, ...]]
"""A recipe whose outline is wanted, and the optimizers that it has to know."""
Job = Mapping[str, Any]
"""What is to be made: ``kind``, the recipe's mapping, and for an outline its ``optims``."""
_WORTH_IT: Final = 2
"""How many jobs there have to be for a second process, which takes seconds to start, to pay."""


class Ahead:
    """The second process, or none, and the list of what is to be made."""

    def __init__(self, program: Sequence[str] = ("-W", "ignore", "-m", "tunesmith.api.ahead")) -> None:
        self._program = program
        self._process: subprocess.Popen[str] | None = None
        self._changed = threading.Condition()
        self._pending: dict[str, Job] = {}
        self._running: str | None = None
        self._alive = True

    def outlines(self, wanted: Sequence[Wanted]) -> None:
        """Let the second process make the outlines of *wanted* that are missing, the last first."""
        missing = [each for each in wanted if self._may_run() and not _is_kept(each[0])]
        self._deal([{"kind": "outline", "recipe": r.to_mapping(), "optims": o} for r, o in missing])

    def answers(self, recipes: Sequence[Recipe]) -> None:
        """Let it find what *recipes* need, the last first."""
        missing = [each for each in recipes if self._may_run() and not is_confirmed(each)]
        self._deal([{"kind": "answer", "recipe": recipe.to_mapping()} for recipe in missing])

    def take(self, kind: str, recipe: Recipe) -> None:
        """Take a job off the list, for the caller does it now; wait if the second process is at it."""
        name = _name({"kind": kind, "recipe": recipe.to_mapping()})
        with self._changed:
            self._pending.pop(name, None)
            self._changed.wait_for(lambda: self._running != name or not self._alive)

    def close(self) -> None:
        """End the second process, whose work is kept as far as it came."""
        with self._changed:
            self._alive = False
            self._changed.notify_all()
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _may_run(self) -> bool:
        return self._alive and cache.folder() is not None and (os.cpu_count() or 1) > 1

    def _deal(self, jobs: Sequence[Job]) -> None:
        if not self._may_run():
            return
        with self._changed:
            self._pending = {_name(job): job for job in jobs}
            if self._process is None and len(jobs) >= _WORTH_IT:
                self._process = subprocess.Popen(
                    [sys.executable, *self._program],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                )
                threading.Thread(target=self._feed, args=(self._process,), daemon=True).start()
            self._changed.notify_all()

    def _feed(self, process: subprocess.Popen[str]) -> None:
        """Hand the second process one job after the other, until either ends."""
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(OSError), process.stdin as jobs, process.stdout as done:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._pending or not self._alive)
                    if not self._alive:
                        break
                    self._running, job = self._pending.popitem()
                print(json.dumps(job), file=jobs, flush=True)
                if not done.readline():
                    break
                with self._changed:
                    self._running = None
                    self._changed.notify_all()
        with self._changed:
            self._alive = False
            self._changed.notify_all()


@contextlib.contextmanager
def ahead() -> Iterator[Ahead]:
    """Yield what starts a second process, which ends with the block."""
    helper = Ahead()
    try:
        yield helper
    finally:
        helper.close()


def _name(job: Job) -> str:
    return json.dumps([job["kind"], job["recipe"]], sort_keys=True)


def _is_kept(recipe: Recipe) -> bool:
    return outline_is_kept(load_architecture(recipe.model), recipe, gpu(recipe.hardware.gpu or ""))


def _make(job: Job) -> None:
    recipe = Recipe.from_mapping(job["recipe"])
    if job["kind"] == "answer":
        confirmed(recipe)
        return
    card = gpu(recipe.hardware.gpu or "")
    outline(load_architecture(recipe.model), recipe, card, trace=run_step, optims=job["optims"])


def serve(jobs: TextIO, done: TextIO, make: Callable[[Job], None] = _make) -> None:
    """Do the *jobs*, one a line, and say when each is *done*."""
    for index, line in enumerate(jobs):
        with contextlib.suppress(TunesmithError):  # the first process comes to it, too, and says so
            make(json.loads(line))
        print(file=done, flush=True)
        if index == 0:  # what is imported by now stays, and need not be walked again for garbage
            gc.freeze()


if __name__ == "__main__":
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
    serve(sys.stdin, answers)
