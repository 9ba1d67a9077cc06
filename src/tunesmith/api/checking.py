"""What is wrong with a data file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tunesmith.errors import MissingExtraError

if TYPE_CHECKING:
    from tunesmith.checks import Asked, Report


def check_data(
    path: str | Path,
    *,
    model: str | Path | None = None,
    against: Sequence[str | Path] = (),
    sequence_length: int = 2048,
    method: str = "lora",
    quick: bool = False,
    progress: Callable[[int, float], None] | None = None,
) -> Report:
    """Return what every check finds in the data file at *path*, each finding with its rows and the fix.

    *model*, a folder or a Hub id, gives the tokenizer by which tokens are counted. *against* are evaluation
    sets that no row may be found in. With *quick* only the checks that keep pace with reading are run.
    *progress* is told how many rows are read, and which share of the file that is.

    Raises DataError, which names file and row, where the file cannot be read at all, and MissingExtraError
    without the packages.
    """
    MissingExtraError.unless_installed("data", "polars", "ftfy", "rensa", "py3langid")
    from tunesmith.checks import CHECKS, check_rows

    chosen = [each for each in CHECKS if each.cheap or not quick]
    asked = _asked(path, model=model, against=against, sequence_length=sequence_length, method=method)
    report, _ = check_rows(asked, chosen, progress=progress)
    return report


def _asked(
    path: str | Path,
    *,
    model: str | Path | None,
    against: Sequence[str | Path],
    sequence_length: int,
    method: str,
) -> Asked:
    """Return what the checks may use, with the format of the file recognised."""
    from tunesmith.checks import Asked
    from tunesmith.data.scanning import recognised
    from tunesmith.data.tokenizer import load_tokenizer

    place = Path(path).expanduser()
    return Asked(
        form=recognised(place),
        path=place,
        tokenizer=None if model is None else load_tokenizer(model),
        sequence_length=sequence_length,
        method=method,
        against=tuple(Path(each).expanduser() for each in against),
    )
