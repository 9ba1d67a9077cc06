"""A recipe as the files of another trainer, whose loading is computed where it is not the recipe's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunesmith.api.estimating import confirmed
from tunesmith.api.recipes import as_recipe
from tunesmith.recipe import Recipe

if TYPE_CHECKING:
    from tunesmith.trainers import Export


def export_recipe(
    recipe: Recipe | Mapping[str, Any] | str | Path,
    trainer: str,
    *,
    data: str | None = None,
    output_dir: str = "output",
) -> Export:
    """Return *recipe* as the files of *trainer*, the line that runs them, and what they cannot say.

    Raises UnsupportedError where the files would need other memory than the recipe; where only loading
    would, what it takes is computed, and the files are written if the cards have it.
    """
    from tunesmith.trainers import export

    return export(as_recipe(recipe), trainer, data=data, output_dir=output_dir, need=confirmed)
