"""Manifest: where a data file comes from: what went in, what was done to it, what came out.

It stands beside the file that it tells of, as ``FILE.manifest.json``, and holds no time and no machine's
name: the same inputs and settings give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from tunesmith.data.files import opened

_PIECE: Final = 1 << 20


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """One file, as it was when it was read or written."""

    path: str
    """The path as it was given, or the name in the manifest's folder."""
    bytes: int
    """Its size."""
    sha256: str
    """The digest of its bytes."""
    rows: int | None = None
    """Its rows, where they were counted."""

    @classmethod
    def of(cls, path: Path, *, rows: int | None = None) -> DataFile:
        """Return the file at *path* as it is now. Raises DataError where it cannot be read."""
        digest, size = hashlib.sha256(), 0
        with opened(path) as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
                size += len(piece)
        return cls(path=str(path), bytes=size, sha256=digest.hexdigest(), rows=rows)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that was done to the rows."""

    name: str
    """What was done, e.g. a check's name."""
    rows_in: int
    """Rows before."""
    rows_out: int
    """Rows after."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """What else is worth counting, by its name: rows mended, tokens taken, repeats."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """How a data file was made."""

    command: str
    """The verb that made it: ``clean``, ``mix``, ``build`` or ``split``."""
    inputs: tuple[DataFile, ...]
    """What was read."""
    settings: Mapping[str, Any]
    """What was asked for, the seed included."""
    steps: tuple[Step, ...]
    """What was done, in order."""
    outputs: tuple[DataFile, ...]
    """What was written, the file itself first; names within its folder."""
    tunesmith: str
    """The version that did it."""

    def to_mapping(self) -> dict[str, Any]:
        """Return the manifest as plain JSON types."""
        return asdict(self)

    def text(self) -> str:
        """Return the manifest as it stands in its file."""
        return json.dumps(self.to_mapping(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def manifest_path(path: Path) -> Path:
    """Return where the manifest of the file at *path* stands."""
    return path.with_name(path.name + ".manifest.json")
