"""Answers kept on disk, so that a question asked again costs no training step and no import of torch.

A cache file is a stranger's file too: it is read within bounds, every value is checked, and what does not
pass is as good as absent. Files are written whole or not at all, so any number of processes may share a
folder. The key holds all that an answer depends on, down to the versions of the libraries and this
package's own source, so nothing is ever outdated, only unused.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import sys
import tempfile
import zlib
from collections.abc import Mapping
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any, Final

LIBRARIES: Final = ("torch", "transformers", "peft", "trl", "accelerate", "bitsandbytes")
"""Libraries whose code is run for an answer."""
MAX_FILE_BYTES: Final = 1 << 24
"""The largest file that is read; the trace of a model of 671 billion parameters takes a tenth of it."""
MAX_TEXT_BYTES: Final = 1 << 28
"""The most that a file may hold once unpacked."""
OFF: Final = ("", "0", "off")
"""Values of TUNESMITH_CACHE that turn the cache off."""


def folder() -> Path | None:
    """Return where answers are kept: TUNESMITH_CACHE, or the platform's own place; None if turned off."""
    chosen = os.environ.get("TUNESMITH_CACHE")
    if chosen is not None:
        return None if chosen.strip().lower() in OFF else Path(chosen).expanduser()
    if sys.platform == "win32":
        return (
            Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "tunesmith" / "cache"
        )
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "tunesmith"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tunesmith"


def key(**parts: object) -> str:
    """Return the name of the answer that depends on *parts*, plain JSON values, and on the code giving it.

    >>> key(question=1) == key(question=1), key(question=1) == key(question=2)
    (True, False)
    """
    whole = {"parts": parts, "versions": versions(), "code": _code(), "python": sys.version_info[:2]}
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


@lru_cache(maxsize=1)
def versions() -> Mapping[str, str]:
    """Return the installed versions of LIBRARIES without importing any; those not installed are left out."""
    found = {}
    for name in LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def read(name: str) -> dict[str, Any] | None:
    """Return what was kept under *name*, or None: nothing, or nothing that can be read within bounds."""
    place = _place(name)
    if place is None:
        return None
    try:
        with place.open("rb") as file:
            packed = file.read(MAX_FILE_BYTES + 1)
        if len(packed) > MAX_FILE_BYTES:
            return None
        unpacker = zlib.decompressobj(wbits=31)
        text = unpacker.decompress(packed, MAX_TEXT_BYTES)
        if not unpacker.eof:
            return None
        kept = json.loads(text)
    except (OSError, zlib.error, ValueError, RecursionError):
        return None
    whole = isinstance(kept, dict) and kept.get("name") == name and isinstance(kept.get("kept"), dict)
    return kept["kept"] if whole else None


def write(name: str, kept: Mapping[str, Any]) -> bool:
    """Keep *kept* under *name* and return whether that worked: a full or read-only disk is no error here."""
    place = _place(name)
    if place is None:
        return False
    text = json.dumps({"name": name, "kept": kept}, separators=(",", ":"), allow_nan=False)
    packed = gzip.compress(text.encode("ascii"), compresslevel=3, mtime=0)
    if len(packed) > MAX_FILE_BYTES or len(text) > MAX_TEXT_BYTES:
        return False
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=place.parent, prefix=".draft-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(packed)
            Path(draft).replace(place)
        except OSError:
            Path(draft).unlink(missing_ok=True)
            raise
    except OSError:
        return False
    return True


def _place(name: str) -> Path | None:
    root = folder()
    return None if root is None else root / name[:2] / f"{name}.json.gz"


@lru_cache(maxsize=1)
def _code() -> str:
    """Return a mark of this package's own source, so that work on it never meets older answers."""
    root = Path(__file__).parent.parent
    marks = []
    for path in sorted(root.rglob("*")):
        if path.suffix in (".py", ".csv", ".jsonl"):
            seen = path.stat()
            marks.append(f"{path.relative_to(root)} {seen.st_size} {seen.st_mtime_ns}")
    return hashlib.sha256("\n".join(marks).encode()).hexdigest()
