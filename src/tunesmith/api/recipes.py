"""Recipes in: from flags, files and mappings, and from the files of other trainers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tunesmith.recipe import Recipe, read_recipe, with_changes

if TYPE_CHECKING:
    from tunesmith.trainers import Imported


TRAINERS: Final = ("trl", "accelerate", "deepspeed", "llamafactory", "axolotl", "torchtune", "swift")
"""Other trainers that a recipe can be written for."""


def make_recipe(changes: Mapping[str, Any], *, path: str | Path | None = None) -> Recipe:
    """Return the recipe of the file at *path* (``-``: standard input) with dotted *changes* made to it.

    Without *path* the changes are the recipe. A changed method drops the sections of the old one.

    >>> make_recipe({"model": "gpt2", "method": "lora", "adapter.r": 8}).adapter.r
    8
    """
    if path is None:
        return Recipe.from_mapping(with_changes({}, changes))
    if "method" not in changes:
        return read_recipe(path, changes=changes)
    model = {key: value for key, value in changes.items() if key == "model"}
    return read_recipe(path, changes=model).replace(**changes)


def import_recipe(
    path: str | Path, *, trainer: str | None = None, changes: Mapping[str, Any] | None = None
) -> Imported:
    """Return the recipe in another trainer's file at *path* (``-``: standard input), with every key's origin.

    The *trainer* is told by the file's keys where it is not named; dotted *changes* go before the file.
    """
    from tunesmith.trainers import read_path

    return read_path(path, trainer=trainer, changes=changes)


def as_recipe(recipe: Recipe | Mapping[str, Any] | str | Path) -> Recipe:
    """Return the recipe that *recipe* is, describes or leads to."""
    if isinstance(recipe, Recipe):
        return recipe
    if isinstance(recipe, Mapping):
        return Recipe.from_mapping(recipe)
    return read_recipe(recipe)
