"""Numerals: numbers that are written in words, in digits."""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = {
    word: str(number)
    for number, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
        ]
        + [f"{tens}teen" for tens in ("thir", "four", "fif", "six", "seven", "eigh", "nine")]
        + ["twenty"]
    )
} | {
    "thirty": "30",
    "forty": "40",
    "fifty": "50",
    "sixty": "60",
    "seventy": "70",
    "eighty": "80",
    "ninety": "90",
}
_NAMED: Final = re.compile(r"\b(?:" + "|".join(_UNITS) + r")\b")
_HAN: Final = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_HAN_NUMBER: Final = re.compile(r"[零〇一二两三四五六七八九十百千万]{1,12}")


def _han_value(match: re.Match[str]) -> str:
    """Return the number that Chinese numerals say, e.g. ``三百零五`` as ``305``; others stay as they are."""
    total = part = digit = 0
    for mark in match[0]:
        if mark in _HAN:
            digit = digit * 10 + _HAN[mark] if digit and part == total == 0 else _HAN[mark]
        elif mark == "万":
            total, part, digit = (part + digit) * 10_000, 0, 0
        else:
            part += (digit or 1) * {"十": 10, "百": 100, "千": 1000}[mark]
            digit = 0
    return str(total + part + digit)


def in_digits(text: str, *, chinese: bool = True) -> str:
    """Return *text*, in lower case, with the numbers that it spells in digits.

    English numbers are read up to twenty and by tens, Chinese ones below a hundred million.

    >>> in_digits("twelve plus thirty"), in_digits("三百零五加二十")
    ('12 plus 30', '305加20')
    """
    text = _NAMED.sub(lambda match: _UNITS[match[0]], text)
    return _HAN_NUMBER.sub(_han_value, text) if chinese else text


_COUNT: Final = re.compile(
    r"(?i)\W*(?:there (?:is|are) |it is |it has |it's )?(?:about |only )?"
    rf"({'|'.join(word for word in _UNITS if word != 'one')}|one(?=\W*$))(?: \w+)?\W*"
    r"|\W*(?:有|是|共有?|一共有?)?([零〇一二两三四五六七八九十百千万]{1,8})[\u4e00-\u9fff]{0,2}[。.！!]?\s*"
)


def counted_in_words(text: str) -> str:
    """Return *text* in digits where it is a count in words and nothing else, as ``seven days`` or ``七天``.

    >>> counted_in_words("Seven days."), counted_in_words("No one knows."), counted_in_words("七天")
    ('7 days.', 'No one knows.', '7天')
    """
    return in_digits(text.lower()) if len(text) <= 60 and _COUNT.fullmatch(text) else text
