"""What a recipe's value may be: each kind reads one value, or says what was wrong with it.

Nothing here raises on a bad value. A problem is added to a list and INVALID comes back, so that all
mistakes of a recipe are reported at once.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NamedTuple, NoReturn, Protocol

MAX_DEPTH: Final = 32
"""How deep an inline mapping may nest; no published config.json needs more than six levels."""
MAX_NODES: Final = 10_000
"""How many values a recipe may hold in all, an inline config.json included."""
MAX_TEXT: Final = 4096
"""Longest text of one value, which is also the longest path of common file systems."""
MAX_INTEGER: Final = 1 << 63
"""Bound on integers without a bound of their own."""
NUMBER: Final = re.compile(r"[-+]?(\d{1,400}(\.\d{0,400})?|\.\d{1,400})([eE][-+]?\d{1,4})?")
"""A decimal number as YAML 1.2's core schema and JSON write it; bounded, so that reading it is quick."""


class Problem(NamedTuple):
    """One mistake: where, what was given, what was expected, what to do."""

    key: str
    given: str
    expected: str
    fix: str

    def text(self, line: int | None = None) -> str:
        """Return the problem on one line, with the line of the file if it is known."""
        where = self.key if line is None else f"{self.key} (line {line})"
        return f"{where}: given {self.given}, expected {self.expected}. {self.fix}"


class FrozenDict(dict[str, Any]):
    """A mapping that cannot be changed and can be hashed; json.dumps writes it as a dict."""

    def __hash__(self) -> int:
        return hash(json.dumps(self, sort_keys=True))

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("a recipe cannot be changed; recipe.replace(...) returns a new one")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse  # type: ignore[assignment]

    def __copy__(self) -> FrozenDict:
        return self

    def __deepcopy__(self, memo: object) -> FrozenDict:
        return self

    def __reduce__(self) -> tuple[type[FrozenDict], tuple[dict[str, Any]]]:
        return FrozenDict, (dict(self),)


class _Invalid:
    """The type of INVALID."""

    def __repr__(self) -> str:
        return "INVALID"


INVALID: Final = _Invalid()
"""What a kind returns for a value that it refused."""


class Kind(Protocol):
    """What every kind can do."""

    @property
    def expected(self) -> str:
        """Return what a value must be, in words."""

    def read(self, value: object, key: str, problems: list[Problem]) -> object:
        """Return the canonical value, or INVALID after adding to *problems*."""

    def from_text(self, text: str) -> object:
        """Return what *text* on a command line stands for, or the text itself if it stands for nothing."""


def show(value: object) -> str:
    """Return *value* as short text for a message, whatever it is."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > MAX_INTEGER:
        return f"an integer of about {int(value.bit_length() * 0.30103) + 1} digits"
    if isinstance(value, Mapping):
        return f"a mapping of {len(value)} keys" if value else "an empty mapping"
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:57] + "...")
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}" if value else "an empty list"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return repr(value)
    return f"a Python {type(value).__name__}"


def nearest(given: str, known: Iterable[str], otherwise: str) -> str:
    """Return a did-you-mean sentence, or *otherwise* if nothing known is near."""
    close = difflib.get_close_matches(given[:64].lower(), list(known), n=1, cutoff=0.6)
    return f"Did you mean {close[0]}?" if close else otherwise


def text_problem(value: str) -> tuple[str, str] | None:
    """Return what is expected of a text and what to do, if *value* is refused."""
    if len(value) > MAX_TEXT:
        return f"at most {MAX_TEXT} characters", "Shorten it."
    if "${" in value:
        return "plain text; nothing is interpolated", "Write the value itself in place of ${...}."
    if any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 for c in value):
        return "text without control characters", "Remove them."
    return None


@dataclass(frozen=True)
class Choice:
    """One of a few names."""

    names: tuple[str, ...]
    aliases: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    upper: bool = False

    @property
    def expected(self) -> str:
        """Return the names."""
        return "one of " + ", ".join(self.names)

    def read(self, value: object, key: str, problems: list[Problem]) -> object:
        """Return the name that *value* is or stands for; letter case is forgiven."""
        if isinstance(value, str):
            name = value.strip().upper() if self.upper else value.strip().lower()
            name = self.aliases.get(name, name)
            if name in self.names:
                return name
            known = [n.lower() for n in (*self.names, *self.aliases)]
            fix = nearest(value, known, "Choose one of them.")
            problems.append(Problem(key, show(value), self.expected, fix))
        else:
            problems.append(Problem(key, show(value), self.expected, "Choose one of them."))
        return INVALID

    def from_text(self, text: str) -> object:
        """Return *text* itself."""
        return text


@dataclass(frozen=True)
class Text:
    """Any short text that is not empty."""

    expected: str = "text"

    def read(self, value: object, key: str, problems: list[Problem]) -> object:
        """Return *value* if it is a text without control characters."""
        if not isinstance(value, str) or not value.strip():
            problems.append(Problem(key, show(value), self.expected, "Write it as text that is not empty."))
            return INVALID
        refused = text_problem(value)
        if refused:
            problems.append(Problem(key, show(value), *refused))
            return INVALID
        return str(value)

    def from_text(self, text: str) -> object:
        """Return *text* itself."""
        return text


@dataclass(frozen=True)
class Boolean:
    """True or false; 1 and "yes" are neither."""

    expected: str = "true or false"

    def read(self, value: object, key: str, problems: list[Problem]) -> object:
        """Return *value* if it is a bool."""
        if isinstance(value, bool):
            return value
        problems.append(Problem(key, show(value), self.expected, "Write true or false, without quotes."))
        return INVALID

    def from_text(self, text: str) -> object:
        """Return the bool that *text* names."""
        return {"true": True, "false": False}.get(text.strip().lower(), text)


@dataclass(frozen=True)
class Integer:
    """A whole number between two bounds, both allowed."""

    low: int
    high: int

    @property
    def expected(self) -> str:
        """Return the bounds."""
        return f"an integer from {self.low} to {self.high}"

    def read(self, value: object, key: str, problems: list[Problem]) -> object:
        """Return *value* if it is an int (true is none) within the bounds."""
        if isinstance(value, int) and not isinstance(value, bool):
            if self.low <= value <= self.high:
                return int(value)
            fix = f"Use {self.low if value < self.low else self.high} or another value in this range."
        elif isinstance(value, str) and isinstance(self.from_text(value), int):
            fix = f"Write {value.strip()} without quotes."
        else:
            fix = "Write a whole number."
        problems.append(Problem(key, show(value), self.expected, fix))
        return INVALID

    def from_text(self, text: str) -> object:
        """Return the int that *text* writes in decimal."""
        return int(text) if re.fullmatch(r"[-+]?[0-9]{1,19}", text.strip()) else text


@dataclass(frozen=True)
class Number:
    """A finite number between two bounds; the upper one can be excluded."""

    low: float
    high: float
    below_high: bool = False

    @property
    def expected(self) -> str:
        """Return the bounds."""
        return f"a number from {self.low:g} to {'below ' if self.below_high else ''}{self.high:g}"

    def read(self, value: object, key: str, problems: list[Problem]) -> object:
        """Return *value* as a float; "1e-4" counts, because YAML 1.1 readers hand it over as text."""
        number = self.from_text(value) if isinstance(value, str) else value
        if isinstance(number, int | float) and not isinstance(number, bool) and abs(number) <= 1e300:
            inside = self.low <= number < self.high if self.below_high else self.low <= number <= self.high
            if inside and math.isfinite(number):
                return float(number) + 0.0
        problems.append(Problem(key, show(value), self.expected, "Write a number in this range."))
        return INVALID

    def from_text(self, text: str) -> object:
        """Return the float that *text* writes."""
        return float(text) if NUMBER.fullmatch(text.strip()) else text


@dataclass(frozen=True)
class Names:
    """A list of names or patterns; one word alone can be allowed, as it means something else upstream."""

    expected: str
    alone: bool = False
    empty: bool = False

    def read(self, value: object, key: str, problems: list[Problem]) -> object:
        """Return a tuple of texts, or one text if that is allowed and was given."""
        if isinstance(value, str) and self.alone:
            return Text(self.expected).read(value, key, problems)
        bad_type = isinstance(value, str | bytes) or not isinstance(value, Sequence)
        if bad_type or len(value) > MAX_TEXT or not (value or self.empty):  # type: ignore[arg-type]
            problems.append(Problem(key, show(value), self.expected, "Write a list, e.g. [q_proj, v_proj]."))
            return INVALID
        assert isinstance(value, Sequence)
        items = [Text("a name").read(item, f"{key}[{i}]", problems) for i, item in enumerate(value)]
        return INVALID if INVALID in items else tuple(items)

    def from_text(self, text: str) -> object:
        """Return the names between commas; a single word stays one text where that is allowed."""
        if self.alone and "," not in text and not text.startswith("["):
            return text
        return [part.strip() for part in text.strip().strip("[]").split(",") if part.strip()]


@dataclass(frozen=True)
class Plain:
    """A mapping of plain JSON values, kept as it is; with *known*, only these keys are allowed."""

    expected: str = "a mapping"
    known: Mapping[str, Kind] | None = None
    defaults: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def read(self, value: object, key: str, problems: list[Problem]) -> object:
        """Return a copy that cannot be changed."""
        if not isinstance(value, Mapping):
            problems.append(Problem(key, show(value), self.expected, "Write a mapping of keys to values."))
            return INVALID
        if self.known is None:
            return freeze(value, key, problems)
        before, out = len(problems), dict(self.defaults)
        for name, given in value.items():
            if name in self.known:
                out[name] = self.known[name].read(given, f"{key}.{name}", problems)
            else:
                problems.append(unknown_key(name, self.known, key))
        return INVALID if len(problems) > before else FrozenDict(out)

    def from_text(self, text: str) -> object:
        """Return the mapping that *text* writes as JSON."""
        try:
            return json.loads(text) if len(text) <= MAX_TEXT * 16 else text
        except (ValueError, RecursionError):
            return text


@dataclass(frozen=True)
class Nullable:
    """A kind, or null."""

    kind: Kind

    @property
    def expected(self) -> str:
        """Return what the kind expects, or null."""
        return f"{self.kind.expected}, or null"

    def read(self, value: object, key: str, problems: list[Problem]) -> object:
        """Return None for null, else what the kind reads."""
        if value is None:
            return None
        start = len(problems)
        out = self.kind.read(value, key, problems)
        problems[start:] = [
            p._replace(expected=self.expected) if p.key == key else p for p in problems[start:]
        ]
        return out

    def from_text(self, text: str) -> object:
        """Return None for ``null``, else what the kind makes of *text*."""
        return None if text.strip().lower() in {"null", "~"} else self.kind.from_text(text)


@dataclass(frozen=True)
class Model:
    """A model's name, or its config.json as a mapping."""

    expected: str = "a model's name, a path, or a config.json as a mapping"

    def read(self, value: object, key: str, problems: list[Problem]) -> object:
        """Return the text, or the mapping frozen."""
        if isinstance(value, Mapping) and value:
            return freeze(value, key, problems)
        return Text(self.expected).read(value, key, problems)

    def from_text(self, text: str) -> object:
        """Return *text* itself."""
        return text


def unknown_key(name: object, known: Iterable[str], parent: str = "", fix: str = "") -> Problem:
    """Return the problem of a key that does not exist, with the nearest one that does."""
    names = sorted(known)
    where = f"{parent}.{name}" if parent else str(name)
    advice = nearest(str(name), names, fix or "Remove it.")
    return Problem(where[:200], "an unknown key", "one of " + ", ".join(names), advice)


def freeze(value: Mapping[Any, Any], key: str, problems: list[Problem]) -> object:
    """Return a deep copy made of plain JSON types whose mappings cannot be changed, or INVALID."""
    before = len(problems)
    budget = [MAX_NODES]
    out = _freeze(value, key, problems, budget, 0)
    return INVALID if len(problems) > before else out


def _freeze(value: object, key: str, problems: list[Problem], budget: list[int], depth: int) -> object:
    budget[0] -= 1
    if budget[0] < 0 or depth > MAX_DEPTH:
        limit = f"at most {MAX_DEPTH} levels and {MAX_NODES} values"
        if not problems or problems[-1].expected != limit:
            problems.append(Problem(key[:200], "more", limit, "Shorten the mapping."))
        return INVALID
    if isinstance(value, Mapping):
        frozen = {}
        for name, item in value.items():
            refused = text_problem(name) if isinstance(name, str) else ("text as a key", "Quote the key.")
            if refused:
                problems.append(Problem(key[:200], f"the key {show(name)}", *refused))
            elif budget[0] >= 0:
                frozen[str(name)] = _freeze(item, f"{key}.{name}", problems, budget, depth + 1)
        return FrozenDict(frozen)
    if isinstance(value, list | tuple):
        items = zip(range(budget[0] + 1), value, strict=False)
        return [_freeze(x, f"{key}[{i}]", problems, budget, depth + 1) for i, x in items if budget[0] >= 0]
    return _freeze_scalar(value, key, problems)


def _freeze_scalar(value: object, key: str, problems: list[Problem]) -> object:
    refused: tuple[str, str] | None = None
    if isinstance(value, str):
        refused = text_problem(value)
    elif isinstance(value, float):
        refused = None if math.isfinite(value) else ("a finite number", "Write a number or null.")
    elif isinstance(value, int) and not isinstance(value, bool):
        refused = None if abs(value) < MAX_INTEGER else ("an integer of 64 bits", "Write a smaller number.")
    elif value is not None and not isinstance(value, bool):
        refused = ("null, true, false, a number, text, a list or a mapping", "Write a plain value.")
    if refused:
        problems.append(Problem(key[:200], show(value), *refused))
        return INVALID
    return value
