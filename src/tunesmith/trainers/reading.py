"""Reading: a trainer's file on one side, the keys of a recipe and their origins on the other.

A trainer's module asks for the keys that it knows, by name; what it sets in the recipe remembers whether
the file stated it, the trainer's defaults gave it, or it was assumed. Mistakes are gathered, never raised
one at a time, and name the file and the line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final, Literal

from tunesmith.recipe import flags
from tunesmith.recipe.kinds import INVALID, Integer, Kind, Nullable
from tunesmith.recipe.problems import Problem, printable, show
from tunesmith.trainers.defaults import MISSING, Defaults
from tunesmith.trainers.result import Origin, Said

TRUE: Final = ("true", "yes", "on", "1")
FALSE: Final = ("false", "no", "off", "0")
"""Words that YAML 1.1, which every trainer here reads, takes for booleans, and those of the command line."""

OWN: Final = Said("the trainer has no key for it; the recipe's default", "训练器没有对应的键；取配方的默认值")

Fetch = Callable[[str], tuple[str, str]]
"""Returns the text of a file that another names, and its own name."""


@cache
def kinds() -> Mapping[str, Kind]:
    """Return what each key of a recipe may be."""
    return {flag.key: flag.kind for flag in flags()}


class Reading:
    """One pass over a file of a trainer."""

    def __init__(
        self,
        given: Mapping[str, Any],
        lines: Mapping[str, int],
        *,
        source: str,
        defaults: Defaults,
        fetch: Fetch,
        changes: Mapping[str, Any],
    ) -> None:
        self.given, self.lines, self.source, self.defaults = given, lines, source, defaults
        self.fetch, self.changes = fetch, changes
        self.values: dict[str, Any] = {}
        self.origins: dict[str, Origin] = {}
        self.problems: list[Problem] = []
        self.unsupported: list[str] = []
        self.warnings: list[Said] = []
        self.used: set[str] = set()

    # -- asking the file ----------------------------------------------------------------------------

    def raw(self, name: str) -> Any:
        """Return what the file states under the dotted *name*; None where it states nothing."""
        self.used.add(name)
        if name in self.given:
            return self.given[name]
        value: Any = self.given
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value

    def stated(self, *names: str) -> bool:
        """Return whether the file states any of *names*; null states nothing."""
        return any([self.raw(name) is not None for name in names])

    def get(self, name: str) -> Any:
        """Return what the file states under *name*, else the trainer's default; None where neither."""
        value = self.raw(name)
        if value is None:
            value = self.defaults.of(name)[0]
        return None if value is MISSING else value

    def boolean(self, name: str) -> bool:
        """Return the truth of *name*; words that YAML 1.1 takes for booleans count."""
        value = self.get(name)
        if isinstance(value, str) and value.strip().lower() in TRUE + FALSE:
            return value.strip().lower() in TRUE
        if value is None or isinstance(value, bool):
            return bool(value)
        self.problem(name, "true or false", "Write true or false.")
        return False

    def choice(self, name: str, choices: Sequence[str]) -> str | None:
        """Return which of *choices* the file names, in lower case; None where all are silent."""
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, str) and value.strip().lower() in choices:
            return value.strip().lower()
        self.problem(name, "one of " + ", ".join(choices), "Choose one of them.")
        return None

    def integer(self, name: str, low: int, high: int) -> int | None:
        """Return the whole number under *name*; None where the file and the defaults are silent."""
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
            value = int(value[:20])
        whole = int(value) if isinstance(value, float) and value.is_integer() else value
        read = Integer(low, high).read(whole, self.place(name), self.problems)
        return read if isinstance(read, int) else None

    def texts(self, name: str) -> list[str]:
        """Return the texts under *name*: a list's, or those between the commas of one text."""
        value = self.get(name)
        if value is None:
            return []
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            return list(value)
        self.problem(name, "a list of names", "Write a list, e.g. [q_proj, v_proj].")
        return []

    def mapping(self, name: str) -> Mapping[str, Any]:
        """Return the mapping under *name*; an empty one where there is none."""
        value = self.raw(name)
        if value is None or isinstance(value, Mapping):
            return value or {}
        self.problem(name, "a mapping", "Write keys and values.")
        return {}

    # -- answering in the recipe --------------------------------------------------------------------

    def copy(self, name: str, key: str) -> None:
        """Set the recipe's *key* to what the file states under *name*, else to the trainer's default."""
        value, kind = self.get(name), kinds()[key]
        if key == "model" and isinstance(value, Mapping):
            self.problem(name, "the name or the folder of a model", "Name the model.")
            return
        bare = kind.kind if isinstance(kind, Nullable) else kind
        if isinstance(value, float) and value.is_integer() and isinstance(bare, Integer):
            value = int(value)
        if isinstance(value, str):
            value = bare.from_text(value)
        if value is None and not isinstance(kind, Nullable):
            return
        read = kind.read(value, self.place(name), self.problems)
        if read is not INVALID:
            self.set(key, read, name)

    def set(self, key: str, value: Any, *names: str) -> None:
        """Set the recipe's *key* to what *names* of the file, or their defaults, decide."""
        stated = next((name for name in names if self.stated(name)), None)
        if stated is not None:
            self._put(key, value, "stated", *self.where(stated))
            return
        place = next((place for name in names if (place := self.defaults.of(name)[1])), "")
        if not place:
            self.assume(key, value, OWN)
            return
        where = place if "==" in place else f"{self.defaults.package}: {place}"
        self._put(key, value, "defaulted", where, where)

    def fact(self, key: str, value: Any, name: str) -> None:
        """Set the recipe's *key* to what the trainer does whatever its file says."""
        where = f"{self.defaults.package}: {self.defaults.facts[name]}"
        self._put(key, value, "defaulted", where, where)

    def assume(self, key: str, value: Any, why: Said) -> None:
        """Set the recipe's *key* to what neither the file nor the trainer's defaults decide."""
        self._put(key, value, "assumed", *why)

    def _put(
        self, key: str, value: Any, how: Literal["stated", "defaulted", "assumed"], where: str, zh: str
    ) -> None:
        self.values[key] = value
        self.origins[key] = Origin(key=key, value=value, how=how, where=where, where_zh=zh)

    # -- telling what is wrong ----------------------------------------------------------------------

    def where(self, name: str) -> tuple[str, str]:
        """Return the place of *name* in the file, in English and in Chinese."""
        line = self.lines.get(name)
        if line is None:
            return f"{self.source}: {name}", f"{self.source}：{name}"
        return f"{self.source}, line {line}: {name}", f"{self.source} 第 {line} 行：{name}"

    def place(self, name: str) -> str:
        """Return *name* as problems list it; they find its line themselves."""
        return name

    def problem(self, name: str, expected: str, fix: str) -> None:
        """Remember that the value of *name* is none that the trainer would take."""
        self.problems.append(Problem(name, show(self.raw(name)), expected, fix))

    def refuse(self, name: str, why: str) -> None:
        """Remember that a recipe cannot say what *name* says, which would change memory."""
        self.unsupported.append(printable(f"{self.where(name)[0]}: {why}"))

    def refuse_all(self, reasons: Mapping[str, str]) -> None:
        """Refuse every name of *reasons* that is set to something other than off."""
        for name, why in reasons.items():
            if (
                self.raw(name) not in (None, False, 0, 1, "", [], {}, "no", "none", "false")
                or self.raw(name) is True
            ):
                self.refuse(name, why)

    def warn(self, english: str, chinese: str) -> None:
        """Remember a sentence for the user."""
        self.warnings.append(Said(english, chinese))
