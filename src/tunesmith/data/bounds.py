"""One row of JSON within bounds: what is refused, and why, in words that a row's number can stand before.

Readers of data sets end with a segmentation fault on a line that nests 100,000 deep, turn 10**30 into a float
and let half a surrogate pair through to the tokenizer. Here each of these is a reason to refuse the row.
"""

from __future__ import annotations

import json
import math
import re
from itertools import islice
from typing import Final, NoReturn

from tunesmith.architecture.bounds import printable

MAX_ROW_BYTES: Final = 16 << 20
"""Largest row that is read: a line of a JSON Lines file, an element of a list, a cell of a table."""

MAX_DEPTH: Final = 32
"""Deepest nesting of a row; chats with tool calls and their schemas stay under 12."""

MAX_KEYS: Final = 256
"""Most keys of one object in a row."""

MAX_VALUES: Final = 1_000_000
"""Most values of a row: five million empty lists fit into 16 MiB of text, and take half a gigabyte."""

MAX_DIGITS: Final = 64
"""Longest number that is read, in characters."""

# A string, which closes or goes on to the end of the text, so that the scan is linear; or a value's begin.
_MARK: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[{,]', re.DOTALL)

JsonObject = dict[str, object]


class BadRowError(ValueError):
    """A row is refused; the message says why, and whoever knows its file and number says where."""


def _constant(name: str) -> NoReturn:
    raise BadRowError(f"holds {name}, which is not a number that JSON knows")


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise BadRowError(f"holds an integer of {len(digits):,} digits, expected at most {MAX_DIGITS}")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits) if len(digits) <= MAX_DIGITS * 4 else math.inf
    if not math.isfinite(value):
        raise BadRowError(f"holds the number {digits[:24]}, which a 64-bit float cannot hold")
    return value


def _object(pairs: list[tuple[str, object]]) -> JsonObject:
    if len(pairs) > MAX_KEYS:
        raise BadRowError(f"has an object of {len(pairs):,} keys, expected at most {MAX_KEYS}")
    built = dict(pairs)
    if len(built) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise BadRowError(f"gives the key {printable(twice)!r} twice")
    return built


_DECODER: Final = json.JSONDecoder(
    parse_int=_integer, parse_float=_float, parse_constant=_constant, object_pairs_hook=_object
)


def decode_row(text: str) -> JsonObject:
    """Return the JSON object that *text* holds.

    >>> decode_row('{"text": "hello"}')
    {'text': 'hello'}

    Raises BadRowError for anything else, without the place.
    """
    brackets = text.count("{") + text.count("[")
    if brackets + text.count(",") > MAX_VALUES:
        _check_values(text)
    try:
        value: object = _DECODER.decode(text)
    except BadRowError:
        raise
    except json.JSONDecodeError as error:
        raise BadRowError(f"is not JSON: {error.msg} at column {error.pos + 1}") from None
    except RecursionError:
        raise BadRowError(f"nests deeper than {MAX_DEPTH} levels") from None
    if not isinstance(value, dict):
        raise BadRowError(f'is {_kind(value)}, expected an object such as {{"text": …}}')
    if brackets > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise BadRowError(f"nests deeper than {MAX_DEPTH} levels")
    if "\\ud" in text or "\\uD" in text:
        check_text(value)
    return value


def _check_values(text: str) -> None:
    """Raise BadRowError where *text* has too many values, what stands inside its strings left out."""
    values = (match for match in _MARK.finditer(text) if match[0][0] != '"')
    if next(islice(values, MAX_VALUES, None), None) is not None:
        raise BadRowError(f"holds more than {MAX_VALUES:,} values")


def check_text(value: object) -> None:
    """Raise BadRowError where a text in *value* holds half a surrogate pair, which no UTF-8 can spell."""
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, str):
            try:
                each.encode("utf-8")
            except UnicodeEncodeError as error:
                half = f"\\u{ord(each[error.start]):04x}"
                raise BadRowError(f"holds {half}, half of a surrogate pair") from None
        elif isinstance(each, dict):
            pending += each.keys()
            pending += each.values()
        elif isinstance(each, list):
            pending += each


def _depth(value: object) -> int:
    """Return how deep *value* nests, counted without recursion."""
    deepest, level = 0, [value]
    while level and deepest <= MAX_DEPTH:
        held = [each for each in level if isinstance(each, dict | list)]
        deepest += bool(held)
        level = [inner for each in held for inner in (each.values() if isinstance(each, dict) else each)]
    return deepest


def _kind(value: object) -> str:
    if value is None:
        return "null"
    kinds = {list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return kinds[type(value)]
