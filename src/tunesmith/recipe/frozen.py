"""FrozenDict: an inline mapping that nobody can change, copied in within bounds and copied out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from tunesmith.recipe.problems import Problem, show, text_problem

MAX_DEPTH: Final = 32
"""How deep an inline mapping may nest; no published config.json needs more than six levels."""
MAX_NODES: Final = 10_000
"""How many values a recipe may hold in all, an inline config.json included."""
LIMITS: Final = f"at most {MAX_DEPTH} levels and {MAX_NODES} values"
_INTEGERS: Final = 1 << 63


class FrozenDict(dict[str, Any]):
    """A mapping that cannot be changed and can be hashed; json.dumps writes it as a dict.

    >>> FrozenDict(use_reentrant=False) == {"use_reentrant": False}
    True
    """

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(_hashable(self))

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("a recipe cannot be changed; recipe.replace(...) returns a new one")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __copy__(self) -> FrozenDict:
        return self

    def __deepcopy__(self, memo: object) -> FrozenDict:
        return self

    def __reduce__(self) -> tuple[type[FrozenDict], tuple[dict[str, Any]]]:
        return FrozenDict, (dict(self),)


def thawed(value: Any) -> Any:
    """Return *value* as plain dicts, lists and scalars that may be changed."""
    if isinstance(value, Mapping):
        return {key: thawed(item) for key, item in value.items()}
    return [thawed(item) for item in value] if isinstance(value, list | tuple) else value


def frozen(value: Mapping[Any, Any], key: str, problems: list[Problem]) -> FrozenDict | None:
    """Return a deep copy of plain JSON types that cannot be changed; None if anything is refused."""
    before = len(problems)
    out = _Copy(problems).of(value, key, 0)
    return out if isinstance(out, FrozenDict) and len(problems) == before else None


class _Copy:
    """One deep copy, which stops at its bounds whatever it is given."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        self.left = MAX_NODES
        self.stopped = False

    def of(self, value: object, key: str, depth: int) -> object:
        """Return a copy of *value*; what is refused is told in the problems."""
        self.left -= 1
        if self.stopped or self.left < 0 or depth > MAX_DEPTH:
            if not self.stopped:
                self.problems.append(Problem(key[:120], "more", LIMITS, "Shorten the mapping."))
            self.stopped = True
            return None
        if isinstance(value, Mapping):
            return self._mapping(value, key, depth)
        if isinstance(value, list | tuple):
            items = zip(range(self.left + 1), value, strict=False)
            return [self.of(item, f"{key}[{index}]", depth + 1) for index, item in items if not self.stopped]
        self._check_scalar(value, key)
        return value

    def _mapping(self, value: Mapping[Any, Any], key: str, depth: int) -> FrozenDict:
        out: dict[str, Any] = {}
        for name, item in value.items():
            if self.stopped:
                break
            refused = text_problem(name) if isinstance(name, str) else ("text as a key", "Quote the key.")
            if refused:
                self.problems.append(Problem(key[:120], f"the key {show(name)}", *refused))
            else:
                out[name] = self.of(item, f"{key}.{name}", depth + 1)
        return FrozenDict(out)

    def _check_scalar(self, value: object, key: str) -> None:
        refused: tuple[str, str] | None = None
        if isinstance(value, str):
            refused = text_problem(value)
        elif isinstance(value, float):
            refused = None if math.isfinite(value) else ("a finite number", "Write a number or null.")
        elif isinstance(value, int) and not isinstance(value, bool):
            refused = None if abs(value) < _INTEGERS else ("an integer of 64 bits", "Write a smaller number.")
        elif value is not None and not isinstance(value, bool):
            refused = ("null, true, false, a number, text, a list or a mapping", "Write a plain value.")
        if refused:
            self.problems.append(Problem(key[:120], show(value), *refused))


def _hashable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return frozenset((key, _hashable(item)) for key, item in value.items())
    return tuple(_hashable(item) for item in value) if isinstance(value, list | tuple) else value
