"""What the user wrote in, an Architecture out: a folder, a file, a mapping, a catalogue name or a Hub id.

A local folder is a stranger too. Only ``config.json`` is ever read or fetched; it must be a regular file
of bounded size, inside the folder it is taken from.
"""

from __future__ import annotations

import importlib
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from tunesmith.architecture.bounds import MAX_BYTES, show
from tunesmith.architecture.catalogue import find, near_misses
from tunesmith.architecture.model import Architecture
from tunesmith.architecture.parsing import parse_architecture
from tunesmith.errors import ArchitectureError, MissingExtraError

CONFIG: Final = "config.json"

_PART: Final = r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,95}"
_HUB_ID: Final = re.compile(f"{_PART}/{_PART}")
_MAX_NAME: Final = 4096
_HUB_SECONDS: Final = 10.0


def load_architecture(
    model: str | Path | Mapping[str, Any], *, revision: str | None = None, download: bool = True
) -> Architecture:
    """Return the Architecture that *model* names.

    In this order: a mapping (the config itself), a path that exists or looks like one (a folder holding
    config.json, or the file), a name of the catalogue, a Hub id. A *revision* asks the Hub for that
    commit, tag or branch, past the catalogue. With *download* false the network is never used.
    """
    if isinstance(model, Mapping):
        return parse_architecture(model, source="inline")
    if isinstance(model, Path):
        return _from_path(model)
    if not isinstance(model, str) or not 0 < len(model.strip()) <= _MAX_NAME or not model.isprintable():
        raise ArchitectureError(
            f"model is {show(model)}, expected a folder, the path of a config.json, a catalogue name, "
            "a Hub id or a mapping."
        )
    name = model.strip()
    if _is_local(name):
        return _from_path(Path(name))
    entry = find(name) if revision is None else None
    if entry is not None:
        return entry.architecture()
    if not _HUB_ID.fullmatch(name):
        raise ArchitectureError(
            f"no model is called {show(name)}.{_suggestion(name)} "
            "Give a folder, the path of a config.json, or a Hub id as owner/name."
        )
    if not download:
        raise ArchitectureError(
            f"{show(name)} is not in the catalogue, and downloading is off.{_suggestion(name)} "
            "Download its config.json and pass its path."
        )
    return _from_file(_download(name, revision), name=name, source=_hub_source(name, revision))


def _is_local(name: str) -> bool:
    if name.startswith((".", "/", "~")) or "\\" in name or name.endswith(".json"):
        return True
    try:
        path = Path(name)
        return path.is_file() or (path / CONFIG).is_file()
    except (OSError, ValueError):
        return False


def _from_path(path: Path) -> Architecture:
    try:
        path = path.expanduser()
        is_folder = path.is_dir()
        folder = path.resolve(strict=True) if is_folder else path
        config = (folder / CONFIG).resolve(strict=True) if is_folder else path
    except (OSError, ValueError, RuntimeError):  # RuntimeError: a ring of links before 3.13, or no such ~user
        raise ArchitectureError(
            f"{show(str(path), 200)} cannot be read as a model's folder. It must hold a {CONFIG}."
        ) from None
    if not is_folder:
        return _from_file(path, name=path.absolute().parent.name if path.name == CONFIG else path.stem)
    # The Hub's cache keeps snapshots/<commit>/config.json as a link to blobs/<digest> of the same model.
    root = folder.parent.parent if folder.parent.name == "snapshots" else folder
    if not config.is_relative_to(root):
        raise ArchitectureError(
            f"{show(str(folder / CONFIG), 200)} is a link out of its folder. "
            "If that is meant, pass the path of the file it points to."
        )
    return _from_file(config, name=path.absolute().name, source=str(folder / CONFIG))


def _from_file(path: Path, *, name: str, source: str = "") -> Architecture:
    return parse_architecture(_read(path), name=name, source=source or str(path))


def _read(path: Path) -> bytes:
    """Return what the regular file at *path* holds, never more than one byte past the limit."""
    shown = show(str(path), 200)
    try:
        _check(path.stat(), shown)  # before opening: opening a fifo waits, opening a device may act
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with open(os.open(path, flags), "rb") as file:  # noqa: PTH123  a descriptor, not a path
            _check(os.fstat(file.fileno()), shown)
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, ArchitectureError):
            raise
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise ArchitectureError(
            f"{shown} cannot be read: {reason}. Pass a config.json or the folder that holds it."
        ) from None


def _check(status: os.stat_result, shown: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ArchitectureError(
            f"{shown} is not a regular file. Pass a config.json or the folder that holds it."
        )
    if status.st_size > MAX_BYTES:
        raise ArchitectureError(
            f"{shown} is {status.st_size:,} bytes long; a config.json may have {MAX_BYTES:,}. "
            "Is it a weights file?"
        )


def _hub() -> ModuleType:
    try:
        return importlib.import_module("huggingface_hub")
    except ImportError:
        raise MissingExtraError.of("huggingface_hub", "memory") from None


def _download(name: str, revision: str | None) -> Path:
    """Return where the Hub's client put config.json of *name*, asking for its size before its content."""
    hub = _hub()
    try:
        url = hub.hf_hub_url(name, CONFIG, revision=revision)
        size = hub.get_hf_file_metadata(url, timeout=_HUB_SECONDS).size
        if size is not None and size > MAX_BYTES:
            raise ArchitectureError(
                f"{CONFIG} of {name} is {size:,} bytes long; at most {MAX_BYTES:,} are read."
            )
        return Path(hub.hf_hub_download(name, CONFIG, revision=revision))
    except ArchitectureError:
        raise
    except Exception as error:  # the client's and the network's own tree of errors, which moves with versions
        return _cached(hub, name, revision, reason=type(error).__name__)


def _cached(hub: ModuleType, name: str, revision: str | None, reason: str) -> Path:
    found = hub.try_to_load_from_cache(name, CONFIG, revision=revision)
    if isinstance(found, str):
        return Path(found)
    raise ArchitectureError(
        f"{CONFIG} of {show(name)} could not be fetched from the Hub ({reason}).{_suggestion(name)} "
        f"Check the name, your connection and, for a gated model, your login; "
        f"or download {CONFIG} and pass its path."
    )


def _hub_source(name: str, revision: str | None) -> str:
    return f"Hub: {name}@{revision}" if revision else f"Hub: {name}"


def _suggestion(name: str) -> str:
    near = near_misses(name)
    return f" Did you mean {' or '.join(near)}?" if near else ""
