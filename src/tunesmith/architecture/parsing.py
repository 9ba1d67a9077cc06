"""A stranger's config.json in, an Architecture or one ArchitectureError with every problem out.

Nothing in a config is ever run, imported, opened or fetched. Keys that make other programs do so are
dropped, and the Architecture says which. The rules answer published holes: remote code re-enabled in a
nested config (CVE-2025-66448, CVE-2026-5241), kernels named by ``attn_implementation`` (CVE-2026-4372),
``model_type`` pasted into source (CVE-2026-93348), ``_target_`` and ``model_file`` imported
(CVE-2025-23304, CVE-2026-5843), ``parent_library`` (huggingface/peft#3085).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

from tunesmith.architecture.bounds import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_INTEGER,
    MAX_KEY,
    MAX_NODES,
    MAX_TEXT,
    Repeated,
    Unusable,
    decode,
    printable,
    show,
)
from tunesmith.architecture.dimensions import dimension_problem, disagreements
from tunesmith.architecture.model import Architecture
from tunesmith.errors import ArchitectureError

EXECUTABLE_KEYS: Final = frozenset(
    {
        "allow_all_kernels",
        "attn_implementation",
        "attn_implementation_internal",
        "auto_map",
        "auto_mapping",
        "code_revision",
        "custom_generate",
        "custom_pipelines",
        "experts_implementation",
        "hub_kernels",
        "kernel_config",
        "model_file",
        "parent_library",
        "remote_code",
        "trust_remote_code",
        "use_kernels",
        "use_pretrained_backbone",
    }
)
"""Keys that make some loader run, import or download what they name; dropped at every depth."""

_QUANTIZATION_KEYS: Final = frozenset({"tokenizer", "dataset"})
# How far state-space models clamp the step of time; transformers' Mamba-2 classes all default to (0, inf).
_RANGES_OF_TIME: Final = frozenset({"time_step_limit", "mamba_dt_limit"})
_FLOAT_TAG: Final = "__float__"  # transformers 5 writes infinity as {"__float__": "Infinity"}
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_MODEL_TYPE: Final = re.compile(r"[a-z0-9_.-]{1,64}")
_DTYPE: Final = re.compile(r"(torch\.)?[a-z][a-z0-9_]{0,31}")
_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_SHOWN: Final = 20
_MAX_PROBLEMS: Final = 1_000  # where the walk stops: nobody repairs such a file by hand
_PATH: Final = 100


def parse_architecture(
    config: str | bytes | Mapping[str, Any], *, name: str = "", source: str = "inline"
) -> Architecture:
    """Return the Architecture that *config* describes: the text of a config.json, or its mapping.

    >>> parse_architecture({"model_type": "llama", "hidden_size": 4096, "auto_map": {}}).warnings
    ('auto_map was dropped: it names code, and no code from a config is run.',)
    """
    where = printable(source) or "config"
    tree: object = config
    if isinstance(config, str | bytes):
        try:
            tree = decode(config)
        except ArchitectureError as error:
            raise ArchitectureError(f"{where} {error}") from None
    if not isinstance(tree, Mapping):
        raise ArchitectureError(f"{where} holds {show(tree)}, expected a config: an object with model_type.")
    cleaner = Cleaner()
    cleaned = cleaner.clean(tree)
    if cleaner.problems:
        raise ArchitectureError(_report(where, cleaner.problems))
    model_type = cleaned["model_type"]
    return Architecture(
        model_type=model_type,
        config_json=json.dumps(cleaned, sort_keys=True, separators=(",", ":"), allow_nan=False),
        name=printable(name) or model_type,
        source=where,
        warnings=tuple(_shown(cleaner.warnings, cleaner.dropped)),
    )


def _report(where: str, problems: list[str]) -> str:
    lines = "".join(f"\n  {line}" for line in _shown(problems, len(problems)))
    return (
        f"{where} cannot be used:{lines}\n"
        "Correct these values, or take config.json from the model's own repository."
    )


def _shown(lines: list[str], count: int) -> list[str]:
    """Return the first of *lines*, and how many of *count* are not among them."""
    return lines[:_SHOWN] + [f"and {count - _SHOWN} more"] * (count > _SHOWN)


class Cleaner:
    """One walk over a config: copies plain values, drops what names code, and notes every problem.

    ``nodes`` counts the values visited, so that a test can hold the walk to its bound.
    """

    def __init__(self) -> None:
        self.nodes = 0
        self.characters = 0
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.dropped = 0

    def clean(self, config: Mapping[Any, Any]) -> dict[str, Any]:
        """Return the cleaned copy of a whole *config*; it is good only if ``problems`` stayed empty."""
        cleaned = self._object(config, "", 1)
        model_type = cleaned.get("model_type")
        if not model_type and not any(line.startswith("model_type:") for line in self.problems):
            self.problems.append("model_type: missing, expected the family's name, e.g. 'llama'")
        return cleaned

    def _object(self, given: Mapping[Any, Any], path: str, depth: int) -> dict[str, Any]:
        if isinstance(given, Repeated):
            for key in given.keys_given_twice:
                self._problem(_join(path, key), "given twice; keep one")
        cleaned: dict[str, Any] = {}
        for key, value in given.items():
            if self._full():
                break
            if not isinstance(key, str):
                self._problem(path or "config", f"the key {show(key)} is not text")
                continue
            place = _join(path, key)
            self._count(place, len(key), nodes=0)
            if len(key) > MAX_KEY or _SURROGATE.search(key):
                self._problem(
                    path or "config", f"the key {show(key)} is not a key of at most {MAX_KEY} characters"
                )
            elif reason := _reason_to_drop(key, value, path):
                self._drop(place, reason)
            else:
                cleaned[key] = self._value(value, place, depth)
                self._check(key, cleaned[key], place)
        for problem in disagreements(cleaned):
            self._problem(path or "config", problem)
        return cleaned

    def _value(self, given: object, path: str, depth: int) -> Any:
        self._count(path)
        if given is None or isinstance(given, bool):
            return given
        if isinstance(given, Mapping | list | tuple):
            if depth >= MAX_DEPTH:
                self._problem(path, f"nested deeper than {MAX_DEPTH} levels")
                return None
            if isinstance(given, Mapping) and list(given) == [_FLOAT_TAG]:
                self._problem(path, f"{show(given[_FLOAT_TAG])} is not a finite number")
                return None
            if isinstance(given, Mapping):
                return self._object(given, path, depth + 1)
            return self._list(given, path, depth + 1)
        if isinstance(given, Unusable):
            self._problem(path, f"{given.given}: {given.reason}")
            return None
        return self._scalar(given, path)

    def _list(self, given: list[Any] | tuple[Any, ...], path: str, depth: int) -> list[Any]:
        cleaned = []
        for position, value in enumerate(given):
            if self._full():
                break
            cleaned.append(self._value(value, f"{path}[{position}]", depth))
        return cleaned

    def _scalar(self, given: object, path: str) -> str | int | float | None:
        if type(given) is str:
            self._count(path, len(given), nodes=0)
            if len(given) > MAX_TEXT:
                self._problem(path, f"a text of {len(given):,} characters, the longest is {MAX_TEXT:,}")
            elif _SURROGATE.search(given):
                self._problem(
                    path, f"{show(given)} holds half of a surrogate pair, which no text file can hold"
                )
            else:
                return given
        elif type(given) is int:
            if -MAX_INTEGER <= given <= MAX_INTEGER:
                return given
            self._problem(path, f"{show(given)} given, the largest integer is {MAX_INTEGER:,}")
        elif type(given) is float:
            if math.isfinite(given):
                return given
            self._problem(path, f"{show(given)} is not a finite number")
        else:
            self._problem(path, f"a {type(given).__name__} given, expected a plain JSON value")
        return None

    def _check(self, key: str, value: Any, place: str) -> None:
        problem = dimension_problem(key, value)
        if key == "model_type":
            good = isinstance(value, str) and (_MODEL_TYPE.fullmatch(value) or (place != key and not value))
            problem = None if good else f"{show(value)} given, expected 1 to 64 of a-z 0-9 _ . -"
        elif key == "architectures" and value is not None:
            names = value if isinstance(value, list) else [value]
            if not all(isinstance(name, str) and _IDENTIFIER.fullmatch(name) for name in names):
                problem = f"{show(value)} given, expected a list of class names"
        elif key in ("torch_dtype", "dtype") and isinstance(value, str) and not _DTYPE.fullmatch(value):
            problem = f"{show(value)} given, expected a dtype's name, e.g. 'bfloat16'"
        if problem:
            self._problem(place, problem)

    def _full(self) -> bool:
        noted = max(len(self.problems), self.dropped)
        return self.nodes > MAX_NODES or self.characters > MAX_BYTES or noted >= _MAX_PROBLEMS

    def _count(self, path: str, characters: int = 0, nodes: int = 1) -> None:
        within = self.nodes <= MAX_NODES and self.characters <= MAX_BYTES
        self.nodes += nodes
        self.characters += characters
        if within and (self.nodes > MAX_NODES or self.characters > MAX_BYTES):
            self._problem(
                path, f"the config's limit of {MAX_NODES:,} values or {MAX_BYTES:,} characters ends here"
            )

    def _drop(self, path: str, reason: str) -> None:
        self.nodes += 1
        self.dropped += 1
        if self.dropped == _MAX_PROBLEMS:
            self._problem(path, f"the {_MAX_PROBLEMS:,}th key that would have to be dropped")
        if self.dropped <= _SHOWN:
            self.warnings.append(f"{_tail(path)} was dropped: {reason}.")

    def _problem(self, path: str, problem: str) -> None:
        self.problems.append(f"{_tail(path)}: {problem}")


def _reason_to_drop(key: str, value: object, path: str) -> str | None:
    """Return why *key* must not reach a loader, or None where it is data."""
    plain = key.strip().lower()
    if plain in EXECUTABLE_KEYS or plain.lstrip("_") in EXECUTABLE_KEYS:
        return "it names code, and no code from a config is run"
    if plain.startswith("_"):
        return "it is private to the program that wrote it"
    if plain in _QUANTIZATION_KEYS and "quantization_config" in path:
        return "it names a second repository, and none is opened"
    if plain in _RANGES_OF_TIME and _is_open(value):
        return "from 0 to infinity is the default, and JSON has no infinity"
    return None


def _is_open(value: object) -> bool:
    """Return whether *value* is the range from 0 to infinity, in any of transformers' spellings."""
    if not isinstance(value, list | tuple) or len(value) != 2 or value[0] != 0:
        return False
    end = value[1]
    if isinstance(end, Mapping):
        return dict(end) == {_FLOAT_TAG: "Infinity"}
    return (isinstance(end, Unusable) and end.given == "Infinity") or end == math.inf


def _join(path: str, key: str) -> str:
    shown = key if _PLAIN_KEY.fullmatch(key) else show(key)
    return f"{path}.{shown}" if path else shown


def _tail(path: str) -> str:
    """Return the end of a long *path*: what is wrong is there."""
    return path if len(path) <= _PATH else "…" + path[-_PATH:]
