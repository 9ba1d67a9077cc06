"""A recipe from a path or from standard input."""

from __future__ import annotations

import sys
from os import PathLike
from pathlib import Path

from tunesmith.errors import RecipeError
from tunesmith.recipe.recipe import Recipe, parse_recipe
from tunesmith.recipe.text import MAX_BYTES


def read_recipe(path: str | PathLike[str]) -> Recipe:
    """Return the recipe in the YAML or JSON file at *path*; ``-`` is standard input."""
    return parse_recipe(read_text(path), source="standard input" if path == "-" else str(path))


def read_text(path: str | PathLike[str]) -> str:
    """Return a recipe file's text, of which no more is read than a recipe may hold."""
    try:
        if path == "-":
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path} is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RecipeError(
            f"{path!s:.200} cannot be read: {reason}. Name a YAML or JSON file, or - for standard input."
        ) from None
