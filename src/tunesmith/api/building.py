"""Rows that are made: by templates, by a model, or with passages to read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tunesmith.data.building.settings import OFFLINE, WAYS, Building
from tunesmith.errors import DataError, MissingExtraError

__all__ = ["WAYS", "Building", "build_data", "endpoint", "local_writer", "show_built"]

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tunesmith.data.building.asking import Writer
    from tunesmith.data.building.running import Built


def build_data(
    way: str,
    path: str | Path,
    output: str | Path,
    building: Building | None = None,
    *,
    writer: Writer | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Built:
    """Return what was built from the file at *path* by *way*, one of WAYS, and written to *output*.

    *building* says what is asked for and within which limits. *writer* is the model of the ways that need
    one, from ``endpoint``, ``local_writer``, or with ``name`` and ``write``. Answers are kept in a journal
    beside the output, so that what was interrupted goes on without asking again. With *overwrite* an earlier
    output is replaced. *progress* is told how many rows are read and made.

    Raises DataError where a file cannot be read or the writer cannot be asked, and OutputError where nothing
    may be written.
    """
    MissingExtraError.unless_installed("data", "polars", "numpy")
    from tunesmith import __version__
    from tunesmith.data.building.running import Files, Job, build
    from tunesmith.data.building.wordings import load_wordings

    if way not in WAYS:
        raise DataError(f"way is {way[:40]!r}, expected one of {', '.join(WAYS)}.")
    if way not in OFFLINE and writer is None:
        raise DataError(f"{way} needs a model that writes. Name its server with --endpoint, or its folder.")
    asked = building or Building()
    knowledge, templates = (
        None if each is None else Path(each).expanduser() for each in (asked.knowledge, asked.templates)
    )
    files = Files(source=Path(path).expanduser(), knowledge=knowledge, wordings=templates)
    job = Job(
        way=way,
        files=files,
        output=Path(output).expanduser(),
        asked=asked,
        version=__version__,
        overwrite=overwrite,
    )
    known = None if templates is None else load_wordings(templates)
    return build(job, wordings=known, writer=writer, progress=progress)


def endpoint(base: str, model: str, *, key_from: str | None = None) -> Writer:
    """Return the *model* behind the OpenAI-compatible server at *base* as a writer.

    The key is read from the variable *key_from* of the environment, and goes nowhere but to the server.
    Raises DataError where the address or the key cannot be used.
    """
    from tunesmith.data.building.endpoint import Endpoint

    return Endpoint(base, model, key_from=key_from)


def local_writer(folder: str | Path) -> Writer:
    """Return the model in *folder*, safetensors weights with their tokenizer, as a writer on this machine.

    Raises UnsupportedError where it cannot be run, and MissingExtraError without the packages.
    """
    MissingExtraError.unless_installed("memory", "torch", "transformers")
    from tunesmith.evaluate.writing import LocalWriter

    return LocalWriter(Path(folder).expanduser())


def show_built(built: Built, *, lang: str = "en") -> RenderableType:
    """Return what was built, as text for a terminal."""
    from tunesmith.report.building import answer

    return answer(built, lang=lang)
