"""Arithmetic: expressions in texts, computed exactly, and equations in which both sides can be computed.

An expression is numbers, ``+ - * / ^ %``, ``mod`` and brackets, in the signs of a keyboard, of print
or of LaTeX. It is read by a parser of a few lines and computed in fractions; nothing in it is ever run, and
numbers that would grow large are refused.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

MOST_DIGITS: Final = 30
"""Digits of a number that is read."""
MOST_POWER: Final = 64
"""The largest exponent that is computed."""
MOST_BITS: Final = 512
"""Size of numerator and denominator above which a result is refused."""
FLOAT_DIGITS: Final = 9
"""Decimal places from which on a number is one that a machine printed."""
MOST_DEPTH: Final = 20
"""Brackets that may stand in each other."""
MOST_PIECES: Final = 200
"""Numbers and signs of one expression."""

NUMBER: Final = r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+"
_LEXER: Final = re.compile(rf"\s*(?:({NUMBER})|(mod\b|[-+*/^%()]))")
_SIGNS: Final = str.maketrans(
    {
        "×": "*",
        "✕": "*",
        "✖": "*",
        "·": "*",
        "⋅": "*",
        "∗": "*",
        "÷": "/",
        "∕": "/",
        "−": "-",
        "–": "-",
        "﹣": "-",
        "［": "(",
        "］": ")",
        "[": "(",
        "]": ")",
        "＝": "=",
        "＋": "+",
        "（": "(",
        "）": ")",
        "％": "%",
        "，": ";",
        "？": "?",
        "：": ":",
        **{chr(ord("０") + digit): str(digit) for digit in range(10)},
    }
)


class NotComputedError(ValueError):
    """A text is no expression, or too large a one."""


def plain_signs(text: str) -> str:
    """Return *text* with the signs of print, of LaTeX and of full width as those of a keyboard.

    >>> plain_signs(r"12 × 3 = $36$, \\frac{1}{2}")
    '12 * 3 = 36, ((1)/(2))'
    """
    text = text.translate(_SIGNS).replace("**", "^")
    if "\\" in text:
        text = re.sub(r"\\[dt]?frac\{([0-9.]{1,20})\}\{([0-9.]{1,20})\}", r"((\1)/(\2))", text)
        text = re.sub(r"\\(?:times|cdot)\b", "*", text)
        text = re.sub(r"\\div\b", "/", text)
        text = re.sub(r"\\(?:left|right|[,;:! ()\[\]])", " ", text).replace("\\%", "%").replace("\\$", "$")
    return re.sub(r"[$€£¥￥]", "", text)


def computed(text: str) -> Fraction:
    """Return what the expression *text* comes to. Raises NotComputedError where it is none.

    >>> computed("2 * (3 + 4)^2 / 7"), computed("15%") * 80, computed("17 mod 5")
    (Fraction(14, 1), Fraction(12, 1), Fraction(2, 1))
    """
    pieces: list[str] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _LEXER.match(text, at)
        if match is None or len(pieces) >= MOST_PIECES or len(match[0]) > 2 * MOST_DIGITS:
            raise NotComputedError(text[at : at + 20])
        pieces.append(match[1].replace(",", "") if match[1] else match[2])
        at = match.end()
    parser = _Parser(pieces)
    value = parser.sum(0)
    if parser.piece:
        raise NotComputedError(parser.piece)
    return value


class _Parser:
    """Reads an expression by recursive descent: sums of products of signed powers."""

    def __init__(self, pieces: list[str]) -> None:
        self._pieces = pieces
        self._at = 0

    @property
    def piece(self) -> str:
        return self._pieces[self._at] if self._at < len(self._pieces) else ""

    @property
    def _next(self) -> str:
        return self._pieces[self._at + 1] if self._at + 1 < len(self._pieces) else ""

    def sum(self, depth: int) -> Fraction:
        value = self._product(depth)
        while (sign := self.piece) in ("+", "-"):
            self._at += 1
            other = self._product(depth)
            value = _bounded(value + other if sign == "+" else value - other)
        return value

    def _product(self, depth: int) -> Fraction:
        value = self._signed(depth)
        while (sign := self.piece) in ("*", "/", "%", "mod", "("):
            self._at += sign != "("  # a bracket after a number multiplies
            other = self._signed(depth)
            if sign in ("*", "("):
                value *= other
            elif not other:
                raise NotComputedError("division by 0")
            else:
                value = value / other if sign == "/" else value % other
            value = _bounded(value)
        return value

    def _signed(self, depth: int) -> Fraction:
        signs = 0
        while self.piece in ("+", "-"):
            signs += self.piece == "-"
            self._at += 1
        value = self._power(depth)
        return -value if signs % 2 else value

    def _power(self, depth: int) -> Fraction:
        value = self._postfix(depth)
        if self.piece != "^":
            return value
        self._at += 1
        if depth >= MOST_DEPTH:
            raise NotComputedError("too deep")
        sign = 1
        if self.piece == "-":
            self._at += 1
            sign = -1
        exponent = self._power(depth + 1) * sign
        if exponent.denominator != 1 or abs(exponent) > MOST_POWER or (not value and exponent < 0):
            raise NotComputedError("power")
        bits = max(value.numerator.bit_length(), value.denominator.bit_length())
        if bits * abs(int(exponent)) > MOST_BITS:
            raise NotComputedError("too large")
        return Fraction(value ** int(exponent))

    def _postfix(self, depth: int) -> Fraction:
        value = self._atom(depth)
        after = self._next
        if self.piece == "%" and not (after and (after[0].isdecimal() or after in ("(", "."))):
            self._at += 1
            value /= 100
        return value

    def _atom(self, depth: int) -> Fraction:
        piece = self.piece
        self._at += 1
        if piece == "(":
            if depth >= MOST_DEPTH:
                raise NotComputedError("too deep")
            value = self.sum(depth + 1)
            if self.piece != ")":
                raise NotComputedError("bracket")
            self._at += 1
            return value
        if not piece or piece[0] not in "0123456789." or len(piece) > MOST_DIGITS:
            raise NotComputedError(piece)
        return Fraction("0" + piece if piece[0] == "." else piece)


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MOST_BITS:
        raise NotComputedError("too large")
    return value


def comes_to(value: Fraction, result: Fraction, digits: int) -> bool:
    """Return whether *result*, printed with so many decimal *digits*, is *value*, or *value* rounded to them.

    >>> comes_to(Fraction(10, 3), Fraction("3.33"), 2), comes_to(Fraction(36), Fraction(38), 0)
    (True, False)
    """
    if value == result:
        return True
    if digits >= FLOAT_DIGITS and abs(value - result) * 10**9 < max(abs(value), Fraction(1)):
        return True  # as floating-point numbers are printed
    places: int = 10 ** min(digits, MOST_DIGITS)
    return (value * places).denominator != 1 and abs(value - result) * places < 1


def decimal_places(number: str) -> int:
    """Return how many digits stand after the point of *number*."""
    return len(number.partition(".")[2])
