"""Files written whole or not at all: beside their place first, then moved there in one step."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tunesmith.architecture.bounds import printable
from tunesmith.errors import OutputError


def checked_output(path: str | Path, *, suffixes: Sequence[str]) -> Path:
    """Return where *path* leads, if a file that ends in one of *suffixes* can be written there.

    Raises OutputError for a folder, another suffix, a missing folder or one that may not be written to.
    """
    shown, expected = printable(str(path)), " or ".join(suffixes)
    if Path(path).suffix.lower() not in suffixes:
        raise OutputError(f"{shown} ends in none of the known suffixes. Name a file that ends in {expected}.")
    try:
        target = Path(path).resolve()
        if target.is_dir():
            raise OutputError(f"{shown} is a folder. Name a file in it that ends in {expected}.")
        if target.exists() and not target.is_file():
            raise OutputError(f"{shown} is not a regular file. Name a file that ends in {expected}.")
        if not target.parent.is_dir():
            raise OutputError(f"{shown} cannot be written: its folder does not exist. Make the folder first.")
    except (OSError, ValueError, RuntimeError) as error:  # names too long, null bytes, rings of links
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"{shown} cannot be written: {_reason(error)}. Name another file.") from None
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise OutputError(
            f"{shown} cannot be written: its folder is read-only. Name a file in another folder."
        )
    return target


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let *write* fill a file beside *path* and move it there; if it fails, *path* stays as it was."""
    draft = path.with_name(f".{path.stem[:60]}.{secrets.token_hex(4)}{path.suffix}")
    try:
        write(draft)
        draft.replace(path)
    except OSError as error:
        raise OutputError(
            f"{printable(str(path))} cannot be written: {_reason(error)}. Nothing was changed."
        ) from None
    finally:
        draft.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write *text* to *path* in UTF-8, its line breaks as they are; if it fails, *path* stays as it was."""
    write_whole(path, lambda draft: _filled(draft, text))


def _filled(draft: Path, text: str) -> None:
    draft.write_text(text, encoding="utf-8", newline="\n")


def checked_folder(path: str | Path) -> Path:
    """Return where *path* leads, if a folder is there or can be made there.

    Raises OutputError for a file, and where nothing may be written.
    """
    shown = printable(str(path))
    try:
        target = Path(path).resolve()
        if target.exists() and not target.is_dir():
            raise OutputError(f"{shown} is not a folder. Name a folder, which is made if it is not there.")
        if not target.parent.is_dir():
            raise OutputError(f"{shown} cannot be made: the folder above does not exist. Make that first.")
    except (OSError, ValueError, RuntimeError) as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"{shown} cannot be made: {_reason(error)}. Name another folder.") from None
    if not os.access(target if target.exists() else target.parent, os.W_OK | os.X_OK):
        raise OutputError(f"{shown} cannot be written to: it is read-only. Name another folder.")
    return target


def write_folder(folder: Path, texts: Mapping[str, str]) -> None:
    """Write *texts* under their names in *folder*, which is made if need be; each whole or not at all."""
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{printable(str(folder))} cannot be made: {_reason(error)}.") from None
    for name, text in texts.items():
        assert Path(name).name == name
        write_text(folder / name, text)


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
