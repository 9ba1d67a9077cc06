"""Problem: one mistake in a recipe, and the words in which it is told."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from tunesmith.errors import RecipeError

MAX_TEXT: Final = 4096
"""Longest text of one value, which is also the longest path of common file systems."""
MAX_PROBLEMS: Final = 20
"""How many problems one message lists."""
FEW: Final = 12
"""A list of names up to this length is shown in full even when a near miss is known."""


class Problem(NamedTuple):
    """One mistake: where, what was given, what was expected, what to do."""

    key: str
    given: str
    expected: str
    fix: str

    def text(self, line: int | None = None) -> str:
        """Return the problem on one line, with the line of the file if it is known."""
        where = self.key if line is None else f"{self.key} (line {line})"
        return printable(f"{where}: given {self.given}, expected {self.expected}. {self.fix}")


def recipe_error(problems: Iterable[Problem], lines: Mapping[str, int], source: str) -> RecipeError:
    """Return the error that lists the problems, one a line, in the file's order where lines are known."""
    placed = [(_line(problem.key, lines), problem) for problem in problems]
    placed.sort(key=lambda item: item[0] or 0)
    count = "1 problem" if len(placed) == 1 else f"{len(placed)} problems"
    listed = [f"  {problem.text(line)}" for line, problem in placed[:MAX_PROBLEMS]]
    if len(placed) > MAX_PROBLEMS:
        listed.append(f"  and {len(placed) - MAX_PROBLEMS} more")
    return RecipeError("\n".join([f"{source} has {count}:", *listed]))


def _line(key: str, lines: Mapping[str, int]) -> int | None:
    """Return the line of *key*, or of the nearest key above it."""
    while key and key not in lines:
        key = key[: max(key.rfind("."), key.rfind("["), 0)]
    return lines.get(key)


def printable(text: str) -> str:
    """Return *text* with control characters and lone surrogates escaped, safe for any terminal or log."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def show(value: object) -> str:
    """Return *value* as short text for a message, whatever it is."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and value.bit_length() > 64:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:57] + "...")
    if isinstance(value, Mapping):
        return f"a mapping of {len(value)} keys" if value else "an empty mapping"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}" if value else "an empty list"
    return f"a Python {type(value).__name__}"


def nearest(given: str, known: Iterable[str]) -> str | None:
    """Return the known name that *given* was most likely meant to be."""
    spelled = {name.lower(): name for name in known}
    close = difflib.get_close_matches(given[:64].lower().replace("-", "_"), list(spelled), n=1, cutoff=0.6)
    return spelled[close[0]] if close else None


def wrong_name(key: str, given: str, names: tuple[str, ...], also: Iterable[str] = ()) -> Problem:
    """Return the problem of a value that is none of *names*; *also* are spellings that are understood."""
    close = nearest(given, (*names, *also))
    expected = "one of " + ", ".join(names)
    if close and len(names) > FEW:
        expected = f"one of {len(names)} names"
    return Problem(key, show(given), expected, f"Did you mean {close}?" if close else "Choose one of them.")


def unknown_key(
    name: object, known: Iterable[str], parent: str = "", otherwise: str = "Remove it."
) -> Problem:
    """Return the problem of a key that does not exist, with the nearest one that does."""
    names = sorted(known)
    shown = str(name)[:80] if isinstance(name, str | int | float) else show(name)
    close = nearest(shown, names)
    where = f"{parent}.{shown}" if parent else shown
    expected = f"a key of {parent or 'a recipe'}" if close else "one of " + ", ".join(names)
    return Problem(where, "an unknown key", expected, f"Did you mean {close}?" if close else otherwise)


def text_problem(value: str) -> tuple[str, str] | None:
    """Return what is expected of a text and what to do, if *value* is refused."""
    if len(value) > MAX_TEXT:
        return f"at most {MAX_TEXT} characters", "Shorten it."
    if "${" in value:
        return "plain text; nothing is interpolated", "Write the value itself in place of ${...}."
    if any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 for c in value):
        return "text without control characters", "Remove them."
    return None
