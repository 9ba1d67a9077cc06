"""Rows out: JSON Lines written beside their place, synced, and moved there in one step.

A new file comes into being whole or not at all, and no file that was read is ever written to.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

from tunesmith.data.manifest import DataFile, Manifest, manifest_path
from tunesmith.errors import OutputError
from tunesmith.outputs import checked_output, write_text

SUFFIXES: Final = (".jsonl",)
"""What written data files end in."""


class RowWriter:
    """Writes the rows of one file. Use it as a context: an error leaves the place as it was.

    Raises OutputError where nothing can be written there, before any row is.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = checked_output(path, suffixes=SUFFIXES)
        self.rows = 0
        self._bytes = 0
        self._digest = hashlib.sha256()
        self._draft = self.path.with_name(f".{self.path.stem[:60]}.{secrets.token_hex(4)}.draft")
        self._file: BinaryIO | None = None

    def __enter__(self) -> RowWriter:
        """Open the draft."""
        try:
            self._file = self._draft.open("xb", buffering=1 << 20)
        except OSError as error:
            raise self._failed(error) from None
        return self

    def write(self, row: Mapping[str, object]) -> None:
        """Add one row."""
        self.write_line(json.dumps(row, ensure_ascii=False, allow_nan=False).encode("utf-8"))

    def write_line(self, line: bytes) -> None:
        """Add one row that is JSON on one line already, without its end."""
        assert self._file is not None and b"\n" not in line
        data = line + b"\n"
        try:
            self._file.write(data)
        except OSError as error:
            raise self._failed(error) from None
        self._digest.update(data)
        self._bytes += len(data)
        self.rows += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Move the draft to its place, or take it away where something went wrong."""
        assert self._file is not None
        try:
            with self._file:
                if kind is None:
                    self._file.flush()
                    os.fsync(self._file.fileno())
            if kind is None:
                self._draft.replace(self.path)
        except OSError as failed:
            if kind is None:  # else the first error says more
                raise self._failed(failed) from None
        finally:
            self._draft.unlink(missing_ok=True)

    @property
    def written(self) -> DataFile:
        """Return what was written."""
        return DataFile(
            path=self.path.name, bytes=self._bytes, sha256=self._digest.hexdigest(), rows=self.rows
        )

    def _failed(self, error: OSError) -> OutputError:
        return OutputError(f"{self.path} cannot be written: {error.strerror}. Nothing was changed.")


def refuse_inputs(outputs: list[Path], inputs: list[Path]) -> None:
    """Raise OutputError where one of *outputs* is one of *inputs*, which are never written to."""
    for output in outputs:
        for source in inputs:
            if output.exists() and source.exists() and output.samefile(source):
                raise OutputError(f"{output} is read here, and never written to. Name another file.")


def write_manifest(manifest: Manifest, path: Path) -> Path:
    """Write *manifest* beside the data file at *path*, and return its place."""
    place = manifest_path(path)
    write_text(place, manifest.text())
    return place
