"""What a recipe's value may be: each kind reads one value, or says what was wrong with it.

Nothing here raises on a bad value. A problem is added to a list and INVALID comes back, so that all
mistakes of a recipe are reported at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Protocol

from tunesmith.recipe.frozen import FrozenDict, frozen
from tunesmith.recipe.problems import MAX_TEXT, Problem, show, text_problem, unknown_key, wrong_name

NUMBER: Final = re.compile(r"[-+]?([0-9]{1,400}(\.[0-9]{0,400})?|\.[0-9]{1,400})([eE][-+]?[0-9]{1,4})?")
"""A decimal number as YAML 1.2's core schema and JSON write it; bounded, so that reading it is quick."""
INTEGER: Final = re.compile(r"[-+]?[0-9]{1,19}")
"""A decimal integer; 64 bits need no more than 19 digits."""


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
        if not isinstance(value, str):
            problems.append(Problem(key, show(value), self.expected, "Choose one of them."))
            return INVALID
        name = value.strip().upper() if self.upper else value.strip().lower()
        name = self.aliases.get(name, name)
        if name in self.names:
            return name
        problems.append(wrong_name(key, value, self.names, self.aliases))
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
        fix = "Write a whole number."
        if isinstance(value, int) and not isinstance(value, bool):
            if self.low <= value <= self.high:
                return int(value)
            fix = f"The least is {self.low}." if value < self.low else f"The most is {self.high}."
        elif isinstance(value, str) and INTEGER.fullmatch(value.strip()):
            fix = f"Write {value.strip()} without quotes."
        problems.append(Problem(key, show(value), self.expected, fix))
        return INVALID

    def from_text(self, text: str) -> object:
        """Return the int that *text* writes in decimal."""
        return int(text) if INTEGER.fullmatch(text.strip(" ")) else text


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
        if isinstance(number, int | float) and not isinstance(number, bool):
            inside = self.low <= number < self.high if self.below_high else self.low <= number <= self.high
            if inside:
                return float(number) + 0.0  # -0.0 becomes 0.0
        problems.append(Problem(key, show(value), self.expected, "Write a number in this range."))
        return INVALID

    def from_text(self, text: str) -> object:
        """Return the float that *text* writes."""
        return float(text) if NUMBER.fullmatch(text.strip(" ")) else text


@dataclass(frozen=True)
class Names:
    """A list of names or patterns; one text alone can be allowed where it means something else upstream."""

    expected: str
    alone: bool = False
    empty: bool = False

    def read(self, value: object, key: str, problems: list[Problem]) -> object:
        """Return a tuple of texts, or one text if that is allowed and was given."""
        if isinstance(value, str) and self.alone:
            return Text(self.expected).read(value, key, problems)
        if not isinstance(value, list | tuple) or len(value) > MAX_TEXT or not (value or self.empty):
            problems.append(Problem(key, show(value), self.expected, "Write a list, e.g. [q_proj, v_proj]."))
            return INVALID
        items = [Text("a name").read(item, f"{key}[{index}]", problems) for index, item in enumerate(value)]
        return INVALID if INVALID in items else tuple(items)

    def from_text(self, text: str) -> object:
        """Return the names between commas; a regular expression stays whole where it is allowed."""
        if self.alone and (re.search(r"[\\()|*+?{}^$]", text) or not re.search(r"[\[,]", text)):
            return text
        return [part.strip() for part in text.strip().strip("[]").split(",") if part.strip()]


@dataclass(frozen=True)
class Plain:
    """A mapping of plain JSON values, kept as it is; with *known*, only these keys are allowed."""

    expected: str
    known: Mapping[str, Kind] | None = None
    defaults: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def read(self, value: object, key: str, problems: list[Problem]) -> object:
        """Return a copy that cannot be changed."""
        if not isinstance(value, Mapping):
            problems.append(Problem(key, show(value), self.expected, "Write a mapping of keys to values."))
            return INVALID
        if self.known is None:
            copied = frozen(value, key, problems)
            return INVALID if copied is None else copied
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
            return json.loads(text)
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
        for index, problem in enumerate(problems[start:], start):
            if problem.key == key:
                told = problem._replace(expected=f"{problem.expected}, or null")
                off = isinstance(value, str) and value.strip().lower() in {"none", "off", "no", "~"}
                problems[index] = told._replace(fix="Write null.") if off else told
        return out

    def from_text(self, text: str) -> object:
        """Return None for ``null``, else what the kind makes of *text*."""
        return None if text.strip().lower() == "null" else self.kind.from_text(text)


@dataclass(frozen=True)
class Model:
    """A model's name, or its config.json as a mapping."""

    expected: str = "a model's name, a path, or a config.json as a mapping"

    def read(self, value: object, key: str, problems: list[Problem]) -> object:
        """Return the text, or the mapping frozen."""
        if not isinstance(value, Mapping) or not value:
            return Text(self.expected).read(value, key, problems)
        copied = frozen(value, key, problems)
        return INVALID if copied is None else copied

    def from_text(self, text: str) -> object:
        """Return *text* itself."""
        return text
