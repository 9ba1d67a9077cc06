"""A recipe from a path or from standard input."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from tunesmith.errors import RecipeError
from tunesmith.recipe.problems import printable
from tunesmith.recipe.recipe import Recipe, parse_recipe
from tunesmith.recipe.text import MAX_BYTES


def read_recipe(path: str | PathLike[str], *, changes: Mapping[str, Any] | None = None) -> Recipe:
    """Return the recipe in the file at *path* (``-``: standard input), with dotted *changes* made to it."""
    source = "standard input" if path == "-" else printable(f"{path!s:.200}")
    return parse_recipe(_text(path, source), source=source, changes=changes)


def _text(path: str | PathLike[str], source: str) -> str:
    """Return a recipe file's text, of which no more is read than a recipe may hold."""
    try:
        if path == "-":
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{source} is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        fix = "Name a YAML or JSON file, or - for standard input."
        raise RecipeError(f"{source} cannot be read: {reason}. {fix}") from None
