"""Data sets of the Hub, and folders that ``datasets`` saved, as batches of pyarrow: no code of theirs is run.

A name is ``hub:owner/name``, with ``@revision`` after it, ``:config`` and ``:split`` where they are wanted.
The library is asked only to find the data files and to read Parquet or JSON. Its other readers stay out: one
of them unpickles (huggingface/datasets@5.2.0:src/datasets/packaged_modules/pandas/pandas.py), others decode
images and sound. It runs no script of a data set since release 4, so older ones are refused.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from tunesmith.data.files import shown
from tunesmith.errors import DataError, MissingExtraError

OLDEST: Final = (4, 0)
"""Releases of datasets before this one run scripts."""

READERS: Final = ("parquet", "json", "cache")
"""Readers of datasets that are let in; ``cache`` is what was read before, as Arrow."""

BATCH_ROWS: Final = 1024

_NAME: Final = re.compile(
    r"hub:(?P<name>[\w-][\w.-]{0,95}(?:/[\w-][\w.-]{0,95})?)(?:@(?P<revision>[\w.-]{1,64}))?"
    r"(?::(?P<first>[\w.-]{1,96}))?(?::(?P<second>[\w.-]{1,96}))?"
)


@dataclass(frozen=True, kw_only=True)
class HubName:
    """Which data of the Hub are meant."""

    name: str
    """Owner and name."""
    revision: str = ""
    """A branch, a tag or a commit; empty: the newest."""
    config: str = ""
    """One of its configurations; empty: the only one or the default."""
    split: str = ""
    """One of its splits; empty: ``train``, or the only one."""

    @classmethod
    def parse(cls, path: str | Path) -> HubName | None:
        """Return what *path* names, None where it is no name of the Hub.

        Of one word after the name it is not known yet whether it is a configuration or a split.
        """
        text = str(path)
        if text[:4] != "hub:":
            return None
        found = _NAME.fullmatch(text)
        if found is None:
            raise DataError(
                f"{shown(Path(text))} is no name of the Hub, expected hub:owner/name:config:split."
            )
        first, second = found["first"] or "", found["second"] or ""
        return cls(name=found["name"], revision=found["revision"] or "", config=first, split=second)

    def __str__(self) -> str:
        """Return the name as it is given."""
        at = f"@{self.revision}" if self.revision else ""
        return ":".join(part for part in ("hub", self.name + at, self.config, self.split) if part)


def pinned(path: str | Path) -> Path:
    """Return *path*; a name of the Hub with revision, configuration and split, so that it can be repeated.

    Raises DataError where there is no such data set, or one that only other readers can read.
    """
    named = HubName.parse(path)
    return Path(path).expanduser() if named is None else Path(str(_found(named)[0]))


def is_data_set(path: Path) -> bool:
    """Return whether *path* is a name of the Hub, or a folder that datasets saved."""
    return str(path)[:4] == "hub:" or any(
        (path / name).is_file() for name in ("dataset_info.json", "dataset_dict.json")
    )


def data_set_batches(path: Path) -> Iterator[tuple[Any, int]]:
    """Yield the rows of the data set at *path* in batches of pyarrow, each with the number of all rows, or 0.

    Raises DataError where it cannot be read, and MissingExtraError without datasets.
    """
    named = HubName.parse(path)
    try:
        found, total = _saved(path) if named is None else _streamed(named)
        for table in found.with_format("arrow").iter(batch_size=BATCH_ROWS):
            for batch in table.combine_chunks().to_batches():
                batch.validate(full=True)
                yield batch, total
    except (DataError, MissingExtraError):
        raise
    except Exception as error:  # the library's, the network's and pyarrow's own trees of errors
        raise _refused(str(path), error) from None


def _streamed(named: HubName) -> tuple[Any, int]:
    """Return the rows of a data set of the Hub, which are fetched as they are read, and their number."""
    exact, builder = _found(named)
    known = (builder.info.splits or {}).get(exact.split)
    return builder.as_streaming_dataset(split=exact.split), (known and known.num_examples) or 0


def _saved(path: Path) -> tuple[Any, int]:
    """Return the rows of a folder that datasets saved, and their number."""
    if (path / "dataset_dict.json").is_file():
        splits = sorted(each.parent.name for each in path.glob("*/state.json"))
        raise DataError(
            f"{shown(path)} holds the splits {', '.join(splits)}. Give the folder of one of them."
        )
    found = _datasets().load_from_disk(str(path), keep_in_memory=False)
    return found, found.num_rows


def _found(named: HubName) -> tuple[HubName, Any]:
    """Return *named* with all that was left out, and what reads it."""
    datasets = _datasets()
    try:
        try:
            builder = _builder(datasets, named)
        except ValueError:
            if not named.config or named.split:
                raise
            named = replace(named, config="", split=named.config)  # the one word was a split
            builder = _builder(datasets, named)
    except (DataError, MissingExtraError):
        raise
    except Exception as error:  # the library's and the network's own trees of errors, which move
        raise _refused(str(named), error) from None
    reader = type(builder).__module__.rpartition(".")[2]
    if reader not in READERS or type(builder).__module__.split(".")[:2] != ["datasets", "packaged_modules"]:
        raise DataError(
            f"{named} has files for the reader {reader!r} of datasets, expected Parquet or JSON. "
            "Export them as JSON Lines, and give that file."
        )
    revision = builder.hash or named.revision
    if reader == "cache" and named.revision not in ("", revision):
        raise DataError(
            f"{named} is not in the cache, which has the revision {revision}. Go online to fetch it."
        )
    splits = list(builder.info.splits or builder.config.data_files or ())  # a card may list none
    split = named.split or ("train" if "train" in splits or len(splits) != 1 else splits[0])
    if split not in splits:
        raise DataError(f"{named} has the splits {', '.join(splits) or 'of no name'}. Name one of them.")
    return replace(named, revision=revision, config=builder.config.name, split=split), builder


def _builder(datasets: ModuleType, named: HubName) -> Any:
    """Return what reads *named*; nothing is read yet but its card and the names of its files."""
    return datasets.load_dataset_builder(named.name, named.config or None, revision=named.revision or None)


def _refused(name: str, error: Exception) -> DataError:
    said = (str(error).splitlines() or [""])[0][:200]
    return DataError(
        f"{shown(Path(name))} cannot be loaded: {type(error).__name__}: {said}. Check the name, the "
        "configuration and the split, your connection and, for gated data, your login; or give a local file."
    )


def _datasets() -> ModuleType:
    try:
        datasets = importlib.import_module("datasets")
    except ImportError:
        raise MissingExtraError.of("datasets", "data") from None
    release = tuple(int(part) for part in datasets.__version__.split(".")[:2] if part.isdigit())
    if release < OLDEST:
        raise DataError(
            f"datasets {datasets.__version__} runs scripts of data sets, expected 4.0 or later. Upgrade it."
        )
    return datasets
