"""How relations are asked for: wordings of each, in English and Chinese, built in or of the user's own.

A file of wordings is JSON: relation, then language, then ``ask`` and ``answer`` and, for questions from the
object to the subject, ``ask_back`` and ``answer_back``, each a list of texts with the blanks ``{subject}``,
``{relation}`` and ``{object}``::

    {"capital": {"en": {"ask": ["What is the capital of {subject}?"], "answer": ["{object}"],
                        "ask_back": ["Whose capital is {object}?"], "answer_back": ["{subject}"]}}}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tunesmith.data.bounds import BadRowError, decode_row
from tunesmith.data.building.filling import blanks
from tunesmith.data.files import opened, shown
from tunesmith.errors import DataError

_BLANKS: Final = frozenset({"subject", "relation", "object"})
_PARTS: Final = ("ask", "answer", "ask_back", "answer_back")
_MAX_BYTES: Final = 4 << 20


@dataclass(frozen=True, kw_only=True)
class Wording:
    """How one relation is asked for in one language."""

    ask: tuple[str, ...]
    """Questions from the subject to the object."""
    answer: tuple[str, ...]
    """Their answers."""
    ask_back: tuple[str, ...] = ()
    """Questions from the object to the subject."""
    answer_back: tuple[str, ...] = ()
    """Their answers."""


Wordings = Mapping[str, Mapping[str, Wording]]
"""Wordings by relation and language."""

ANY: Final[Mapping[str, Wording]] = MappingProxyType(
    {
        "en": Wording(
            ask=(
                "What is the {relation} of {subject}?",
                "Tell me the {relation} of {subject}.",
                "{subject}: what is its {relation}?",
                "I need the {relation} of {subject}. What is it?",
            ),
            answer=("{object}", "The {relation} of {subject} is {object}.", "It is {object}."),
            ask_back=("Whose {relation} is {object}?", "{object} is the {relation} of what?"),
            answer_back=("{subject}", "{object} is the {relation} of {subject}."),
        ),
        "zh": Wording(
            ask=(
                "{subject}的{relation}是什么？",
                "请说出{subject}的{relation}。",
                "{subject}的{relation}是？",
                "我想知道{subject}的{relation}，请告诉我。",
            ),
            answer=("{object}", "{subject}的{relation}是{object}。", "是{object}。"),
            ask_back=("{object}是谁或什么的{relation}？", "哪一个的{relation}是{object}？"),
            answer_back=("{subject}", "{object}是{subject}的{relation}。"),
        ),
    }
)
"""Wordings of any relation, for those that have none of their own."""


def load_wordings(path: Path) -> Wordings:
    """Return the wordings in the file at *path*. Raises DataError that names what is wrong, all at once."""
    with opened(path) as file:
        data = file.read(_MAX_BYTES + 1)
    try:
        if len(data) > _MAX_BYTES:
            raise BadRowError(f"is longer than {_MAX_BYTES:,} bytes")
        given = decode_row(data.decode("utf-8"))
    except (BadRowError, UnicodeDecodeError) as error:
        reason = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
        raise DataError(f"{shown(path)} {reason}. Mend the file of wordings.") from None
    wrong: list[str] = []
    known: dict[str, Mapping[str, Wording]] = {}
    for relation, languages in given.items():
        if not isinstance(languages, dict) or not languages:
            wrong.append(f"{relation[:60]!r} holds no languages, expected en or zh with ask and answer")
            continue
        known[relation] = {
            language: _wording(f"{relation[:60]}.{language[:8]}", own, wrong)
            for language, own in languages.items()
        }
    if wrong or not known:
        told = "\n".join(f"{each}." for each in wrong[:20]) or "It names no relation."
        raise DataError(f"{shown(path)} cannot be used as wordings:\n{told}")
    return known


def _wording(name: str, given: object, wrong: list[str]) -> Wording:
    """Return what *given* says of one relation; what is wrong with it is added to *wrong*."""
    parts: dict[str, tuple[str, ...]] = {}
    own = given if isinstance(given, dict) else {}
    for unknown in set(own) - set(_PARTS):
        wrong.append(f"{name}.{str(unknown)[:40]} is not known, expected {', '.join(_PARTS)}")
    for part in _PARTS:
        texts = own.get(part, [])
        if not isinstance(texts, list) or not all(isinstance(text, str) and text.strip() for text in texts):
            wrong.append(f"{name}.{part} is not a list of texts")
            continue
        parts[part] = tuple(texts)
        wrong += _misfilled(f"{name}.{part}", texts, part)
    for ask, answer in (_PARTS[:2], _PARTS[2:]):
        if bool(parts.get(ask)) != bool(parts.get(answer)):
            wrong.append(f"{name} has only one of {ask} and {answer}, expected both")
    if not any(parts.values()):
        wrong.append(f"{name} has no question, expected ask and answer")
    return Wording(**{part: parts.get(part, ()) for part in _PARTS})


def _misfilled(name: str, texts: Sequence[str], part: str) -> list[str]:
    """Return what is wrong with the blanks of *texts*: unknown ones, and questions that hold their answer."""
    wrong = [
        f"{name} has the blank {{{blank}}}, expected {{subject}}, {{relation}} or {{object}}"
        for text in texts
        for blank in sorted(blanks(text) - _BLANKS)
    ]
    asked, told = ("object", "subject") if part.endswith("back") else ("subject", "object")
    for text in texts:
        found = blanks(text)
        if part.startswith("ask") and (asked not in found or told in found):
            wrong.append(f"{name} asks with {{{asked}}} and without {{{told}}}, given {text[:60]!r}")
        if part.startswith("answer") and told not in found:
            wrong.append(f"{name} answers with {{{told}}}, given {text[:60]!r}")
    return wrong
