"""Popular models by name, each with its config and its exact parameter count.

``catalogue.jsonl`` holds one model a line; a ``config`` that is text names an earlier model with the same
one. ``parameters`` is what the class ``model_class`` of transformers 5.23 has when built from the config;
a test builds every one and compares. It equals ``published_parameters`` (what the published weights
hold), or ``difference`` says by which mechanism it does not, e.g. a tied head that the file stores twice.
``config_source`` says where the config was taken from: a file that was committed to a public repository,
or a table of dimensions ("reconstructed"; llmfit's list), which was accepted only where the parameter
count came out as published. To add a model, add a line and run the test.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from tunesmith.architecture.model import Architecture
from tunesmith.architecture.parsing import parse_architecture

_MAX_NAME = 200


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One model of the catalogue."""

    name: str
    """The Hub id, e.g. ``meta-llama/Meta-Llama-3-8B``."""
    config: Mapping[str, Any]
    """Its config.json, cleaned, read-only."""
    model_class: str
    """The transformers class in which the parameters were counted."""
    parameters: int
    """How many parameters that class has, each shared one counted once."""
    published_parameters: int | None
    """How many the published weights hold; None where no exact count was found."""
    config_source: str
    """Where the config was taken from."""
    published_source: str = "safetensors total of the Hub"
    """Where the published count stands; empty without one."""
    difference: str = ""
    """Why the two counts differ; empty where they agree."""

    def architecture(self) -> Architecture:
        """Return the entry's config, read by the same parser as a stranger's."""
        return parse_architecture(self.config, name=self.name, source="catalogue")


@lru_cache(maxsize=1)
def catalogue() -> Mapping[str, Entry]:
    """Return every model of the catalogue by its Hub id, original publishers before mirrors."""
    text = resources.files(__package__).joinpath("catalogue.jsonl").read_text(encoding="utf-8")
    entries: dict[str, Entry] = {}
    for line in text.splitlines():
        stated = json.loads(line)
        if isinstance(stated["config"], str):  # the same config as that earlier model's
            stated["config"] = entries[stated["config"]].config
        else:
            stated["config"] = MappingProxyType(stated["config"])
        entries[stated["name"]] = Entry(**stated)
    return MappingProxyType(entries)


def find(name: str) -> Entry | None:
    """Return the entry that *name* means, or None: a Hub id or its short form, in any case.

    A short form that fits several entries is taken only when they are the same model_type with the same
    number of parameters.

    >>> find("llama-3-8b").name
    'meta-llama/Meta-Llama-3-8B'
    """
    found = _index().get(_plain(name), ())
    if len({(entry.config["model_type"], entry.parameters) for entry in found}) != 1:
        return None
    return found[0]


def near_misses(name: str, limit: int = 3) -> list[str]:
    """Return the Hub ids nearest to *name* in spelling, best first; or all that an ambiguous one may mean."""
    wanted = _plain(name[:_MAX_NAME])
    found = [entry.name for entry in _index().get(wanted, ())]
    for alias in difflib.get_close_matches(wanted, _index(), n=2 * limit, cutoff=0.6):
        found += [entry.name for entry in _index()[alias][:1]]
    return list(dict.fromkeys(found))[:limit]


def known_parameters(architecture: Architecture) -> int | None:
    """Return the exact parameter count of *architecture*, or None if its config is not in the catalogue."""
    return _counts().get(architecture.config_sha256)


@lru_cache(maxsize=1)
def _counts() -> Mapping[str, int]:
    return {entry.architecture().config_sha256: entry.parameters for entry in catalogue().values()}


@lru_cache(maxsize=1)
def _index() -> Mapping[str, tuple[Entry, ...]]:
    """Return the entries by every form of their names; a full id never competes with a short form."""
    index: dict[str, tuple[Entry, ...]] = {}
    for entry in catalogue().values():
        for alias in {_plain(entry.name.rpartition("/")[2]), _short(entry.name)}:
            index[alias] = (*index.get(alias, ()), entry)
    index.update({_plain(entry.name): (entry,) for entry in catalogue().values()})
    return index


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", "-").replace(" ", "-")


def _short(name: str) -> str:
    """Return the repository's name without what people leave out: ``Meta-Llama-3-8B`` is ``llama-3-8b``."""
    return _plain(name.rpartition("/")[2]).removeprefix("meta-").removesuffix("-hf")
