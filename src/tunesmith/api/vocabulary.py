"""Terms that a tokenizer breaks up, what adding them saves and costs, and the model that has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tunesmith.errors import DataError, MissingExtraError, TunesmithError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tunesmith.architecture import Architecture
    from tunesmith.data.vocabulary import Vocabulary
    from tunesmith.evaluate.extending import Extended


def find_vocabulary(
    path: str | Path,
    *,
    model: str | Path,
    add: int = 32,
    progress: Callable[[int, float], None] | None = None,
) -> Vocabulary:
    """Return what adding the *add* terms that save most to the tokenizer of *model* gains over a data file.

    *model* is a folder or a Hub id. Raises DataError where the file or the tokenizer is refused.
    """
    MissingExtraError.unless_installed("data", "polars", "tokenizers")
    from tunesmith.data.scanning import recognised
    from tunesmith.data.tokenizer import load_tokenizer
    from tunesmith.data.vocabulary import find_vocabulary as find

    place = Path(path).expanduser()
    return find(
        place,
        recognised(place),
        load_tokenizer(model),
        add=add,
        architecture=_architecture(model),
        progress=progress,
    )


def extend_model(vocabulary: Vocabulary, *, model: str | Path, output: str | Path) -> Extended:
    """Return what was written: the folder *output* with the model of the folder *model* and the new tokens.

    Raises DataError where *model* is not a folder of safetensors weights, and OutputError where something is
    at *output* already.
    """
    MissingExtraError.unless_installed("memory", "torch", "safetensors", "transformers")
    from tunesmith.data.tokenizer import load_tokenizer
    from tunesmith.evaluate.extending import extend

    folder = Path(model).expanduser()
    if not any(folder.glob("*.safetensors")):
        raise DataError(
            f"{str(model)!r} is not a folder with safetensors weights, so there is nothing to extend. "
            "Download the model and give its folder."
        )
    return extend(vocabulary, folder, load_tokenizer(folder), Path(output).expanduser())


def show_vocabulary(
    vocabulary: Vocabulary, extended: Extended | None = None, *, lang: str = "en"
) -> RenderableType:
    """Return *vocabulary*, and what was written, as text for a terminal."""
    from tunesmith.report.vocabulary import answer

    return answer(vocabulary, extended, lang=lang)


def _architecture(model: str | Path) -> Architecture | None:
    from tunesmith.architecture import load_architecture

    try:
        return load_architecture(model)
    except TunesmithError:  # a tokenizer alone tells the gain, not the cost
        return None
