"""Several data files as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tunesmith.data.mixture import Mixing
from tunesmith.errors import MissingExtraError

__all__ = ["Mixing", "mix_data"]

if TYPE_CHECKING:
    from tunesmith.data.mixture import Mixture


def mix_data(
    sources: Mapping[str | Path, float | None] | Sequence[str | Path],
    output: str | Path,
    settings: Mixing | None = None,
    *,
    progress: Callable[[str, int, float], None] | None = None,
) -> Mixture:
    """Return the mixture of *sources*, files or files with shares, that now stands in *output*, a new .jsonl.

    Without shares each source weighs as its size does, and the general data that *settings* name make up half
    of the mixture. Every row keeps where it comes from. *progress* is told what is done, how many rows are
    through and which share that is.

    Raises DataError for a source that cannot be read or does not go with the others, and OutputError where
    nothing may be written; then nothing is.
    """
    MissingExtraError.unless_installed("data", "polars")
    from tunesmith.data.mixing import mix

    given = sources if isinstance(sources, Mapping) else dict.fromkeys(sources)
    return mix(given, output, settings or Mixing(), progress=progress)
