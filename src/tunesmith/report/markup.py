"""Markup in which text is escaped because nothing else is possible: only `tag` makes markup."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable
from html import escape
from typing import Any, Final

_EMPTY: Final = frozenset({"path", "rect", "line", "circle", "meta", "img", "use", "br"})
"""Elements written without an end tag: HTML's void ones and SVG's leaves."""


class Markup(str):
    """Text that is already markup and is not escaped again."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: str | float | None) -> Markup:
    """Return the element *name*; children that are not Markup are escaped, and all attributes are.

    Underscores in attribute names stand for hyphens, a trailing one keeps off Python's keywords; None leaves
    an attribute out.

    >>> tag("text", "a<b", class_="name", font_size=12)
    '<text class="name" font-size="12">a&lt;b</text>'
    """
    pieces = [f"<{name}"]
    for key, value in attributes.items():
        if value is not None:
            pieces.append(f' {key.rstrip("_").replace("_", "-")}="{escape(_text(value))}"')
    if name in _EMPTY:
        assert not children
        return Markup("".join((*pieces, "/>")))
    return Markup("".join((*pieces, ">", joined(children), f"</{name}>")))


def joined(children: Iterable[str]) -> Markup:
    """Return the children one after another, those that are not Markup escaped."""
    return Markup("".join(c if isinstance(c, Markup) else escape(c, quote=False) for c in children))


def number(value: float) -> str:
    """Return *value* to a tenth, as short as can be.

    >>> number(12.0), number(0.25), number(-0.01)
    ('12', '0.2', '0')
    """
    text = f"{value:.1f}"
    return "0" if text in ("0.0", "-0.0") else text.removesuffix(".0")


def script_json(value: Any) -> Markup:
    """Return *value* as JSON that can stand in a script element: ASCII, and without ``<``, ``>`` and ``&``.

    >>> script_json("</script>")
    '"\\\\u003c/script\\\\u003e"'
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def width(text: str, size: float) -> float:
    """Return about how many pixels *text* takes in a sans-serif of *size* pixels."""
    ems = sum(1.0 if unicodedata.east_asian_width(c) in "WF" else 0.56 for c in text)
    return ems * size


def clipped(text: str, size: float, pixels: float) -> str:
    """Return *text*, with its end cut off if it would take more than *pixels*."""
    if width(text, size) <= pixels:
        return text
    while text and width(text + "…", size) > pixels:
        text = text[:-1]
    return text + "…"


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else number(value)
