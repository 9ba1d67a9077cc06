"""JSON within bounds: depth, size and numbers are checked before anything is built from them.

``json.loads`` alone recurses on ``[[[[…``, keeps the last of two equal keys, reads ``1e400`` as infinity
and spends quadratic time on an integer of a million digits. Here what is out of bounds becomes a mark in
the tree, so that the caller can name its place and report it beside everything else that is wrong.
"""

from __future__ import annotations

import json
import math
import re
from typing import Final

from tunesmith.errors import ArchitectureError

MAX_BYTES: Final = 1 << 20
"""Largest config.json that is read; the largest of 590 real ones is 67 KB."""

MAX_DEPTH: Final = 32
"""Deepest nesting that is read; the deepest of 590 real ones is 7."""

MAX_NODES: Final = 50_000
"""Most values in one config: room for the names of 21,841 ImageNet labels both ways."""

MAX_TEXT: Final = 65_536
"""Longest text value, in characters."""

MAX_KEY: Final = 256
"""Longest key, in characters."""

MAX_INTEGER: Final = (1 << 53) - 1
"""Largest integer that every JSON reader agrees on (RFC 8259, section 6)."""

_MAX_DIGITS: Final = 64
# One match per text, bracket or comma. A text that never closes matches too, up to the end of the file, so
# that the scan is linear whatever it is given.
_BOUNDARY: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{},]', re.DOTALL)


class Unusable:
    """A number that was read but cannot be used, and why."""

    def __init__(self, given: str, reason: str) -> None:
        self.given = given  # at most _MAX_DIGITS characters or a description
        self.reason = reason


class Repeated(dict[str, object]):
    """An object in which some keys were given more than once."""

    def __init__(self, pairs: list[tuple[str, object]], keys: tuple[str, ...]) -> None:
        super().__init__(pairs)
        self.keys_given_twice = keys


def show(value: object, limit: int = 60) -> str:
    """Return *value* as one short line of printable text, safe for a terminal, a log and a page's source."""
    if isinstance(value, Unusable):
        return value.given
    if isinstance(value, str):
        value = value[: limit + 1]
    elif isinstance(value, dict | list | tuple):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    elif isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 200:
        return f"an integer of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def printable(text: str) -> str:
    """Return *text* with what cannot be printed escaped, and at most 500 characters of it."""
    return "".join(mark if mark.isprintable() else repr(mark)[1:-1] for mark in text[:500])


def decode(data: str | bytes) -> object:
    """Return what the JSON text *data* holds, with Unusable and Repeated where it is out of bounds.

    Raises ArchitectureError, without the file's name, where nothing can be built at all.
    """
    if len(data) > MAX_BYTES:
        raise ArchitectureError(
            f"is {len(data):,} bytes long; a config.json may have {MAX_BYTES:,}. Is it a weights file?"
        )
    if isinstance(data, bytes):
        try:
            data = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ArchitectureError(f"is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from None
    text = data.removeprefix("\ufeff")
    scan(text)
    try:
        return json.loads(
            text,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=lambda name: Unusable(name, "is not a number that JSON knows"),
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        raise ArchitectureError(
            f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}. "
            "Download the model's config.json again."
        ) from None


def scan(text: str) -> int:
    """Return how many texts, brackets and commas *text* has, or raise where it nests or lists too much."""
    depth = count = 0
    for match in _BOUNDARY.finditer(text):
        mark = text[match.start()]
        count += 1
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ArchitectureError(f"nests deeper than {MAX_DEPTH} levels; real configs stay under 10.")
        elif mark in "]}":
            depth -= 1
        if count > 4 * MAX_NODES:  # a value has at most a key, two brackets and a comma
            raise ArchitectureError(f"holds more than {MAX_NODES:,} values; real configs hold a few hundred.")
    return count


def _integer(digits: str) -> int | Unusable:
    if len(digits) > _MAX_DIGITS:
        return Unusable(f"an integer of {len(digits):,} digits", f"the largest is {MAX_INTEGER:,}")
    return int(digits)


def _float(digits: str) -> float | Unusable:
    if len(digits) > _MAX_DIGITS:
        return Unusable(f"a number of {len(digits):,} digits", f"at most {_MAX_DIGITS} are read")
    value = float(digits)
    return value if math.isfinite(value) else Unusable(digits, "is beyond the range of a 64-bit float")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    built = dict(pairs)
    if len(built) == len(pairs):
        return built
    seen: set[str] = set()
    twice = [key for key, _ in pairs if key in seen or seen.add(key)]  # type: ignore[func-returns-value]
    return Repeated(pairs, tuple(dict.fromkeys(twice)))
