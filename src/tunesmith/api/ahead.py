"""Outlines made ahead: a second process makes them from the end of the list, while the first one begins.

The two meet nowhere but in the cache on disk: whoever comes to an outline that is kept there has nothing to
do. So a search takes two cores where there are two, and one where there is no cache. The module is the second
process's program, which reads the list as JSON on standard input.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

from tunesmith.api.estimating import run_step
from tunesmith.architecture import load_architecture
from tunesmith.errors import TunesmithError
from tunesmith.hardware import gpu
from tunesmith.memory import cache
from tunesmith.memory.outline import outline, outline_is_kept
from tunesmith.recipe import Recipe

Wanted = tuple[Recipe, tuple[str, ...]]
"""A recipe whose outline is wanted, and the optimizers that it has to know."""
_WORTH_IT: Final = 2
"""How many outlines have to be missing for a second process, which takes seconds to start, to pay."""


class Ahead:
    """The second process, or none."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, wanted: Sequence[Wanted]) -> None:
        """Let the second process make the outlines of *wanted* that are missing, the last first."""
        if self._process is not None or cache.folder() is None or (os.cpu_count() or 1) < 2:
            return
        missing = [each for each in wanted if not _is_kept(each[0])]
        if len(missing) < _WORTH_IT:
            return
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tunesmith.api.ahead"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._process.stdin as pipe:
            rows = [{"recipe": recipe.to_mapping(), "optims": optims} for recipe, optims in missing]
            pipe.write(json.dumps(rows).encode("ascii"))

    def close(self) -> None:
        """End the second process, whose work is kept as far as it came."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def ahead() -> Iterator[Ahead]:
    """Yield what starts a second process, which ends with the block."""
    helper = Ahead()
    try:
        yield helper
    finally:
        helper.close()


def _is_kept(recipe: Recipe) -> bool:
    return outline_is_kept(load_architecture(recipe.model), recipe, gpu(recipe.hardware.gpu or ""))


def _make(row: dict[str, Any]) -> None:
    recipe = Recipe.from_mapping(row["recipe"])
    card = gpu(recipe.hardware.gpu or "")
    with contextlib.suppress(TunesmithError):  # the first process comes to it, too, and says so
        outline(load_architecture(recipe.model), recipe, card, trace=run_step, optims=row["optims"])


if __name__ == "__main__":
    for each in reversed(json.load(sys.stdin)):
        _make(each)
