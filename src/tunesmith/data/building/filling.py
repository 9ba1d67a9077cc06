"""Texts with blanks such as ``{subject}``: filled in one pass, so that what fills them is never read again.

``str.format`` would let ``{subject.__class__}`` into the program. Here a blank is a name, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_BLANK: Final = re.compile(r"\{([a-z_]{1,32})\}")
_CONTROL: Final = re.compile(
    r"<\|[^|<>]{1,40}\|>|<｜[^｜<>]{1,40}｜>|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>"
    r"|(?m:^\s*#{2,3} ?(?:Instruction|Response|Input|指令|输入|回答)\s*[:：])",
    re.IGNORECASE,
)
MAX_VALUE: Final = 2000
"""Longest cell or name that fills a blank, in characters."""


def blanks(text: str) -> set[str]:
    """Return the names of the blanks of *text*.

    >>> sorted(blanks("Is {object} the {relation} of {subject}?"))
    ['object', 'relation', 'subject']
    """
    return set(_BLANK.findall(text))


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return *text* with its blanks filled; a blank that *values* do not know stays as it is.

    >>> fill("{a} and {b}", {"a": "{b}", "b": "c"})
    '{b} and c'
    """
    return _BLANK.sub(lambda match: values.get(match[1], match[0]), text)


def forged(value: str) -> str:
    """Return why *value* must not fill a blank; empty where it may.

    Marks by which templates tell who speaks would let a cell speak for the assistant.
    """
    if len(value) > MAX_VALUE:
        return "long"
    if _CONTROL.search(value) or any(ord(mark) < 32 and mark not in "\n\t" for mark in value):
        return "marks"
    return ""
