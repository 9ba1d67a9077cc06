"""Rows of different formats as rows of one: the same examples, spelled as one format spells them.

Rows of one format keep their values under the format's own names. Alpaca, ShareGPT and prompts with their
completions become ``messages``; plain text beside prompts becomes a completion without a prompt. Plain text
beside chats is refused: the one is learned as it stands, the other through a chat template.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tunesmith.data.bounds import BadRowError
from tunesmith.data.formats import Example, Format, Message, examples
from tunesmith.data.reading import Row
from tunesmith.data.rewriting import plain
from tunesmith.errors import DataError

_SAID_TWICE: Final = ("instruction", "input")
"""What a turn of Alpaca says once more, in its parts; messages say it once."""
_LAYOUTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"messages": ("messages", "tools"), "prompt_completion": ("prompt", "completion")}
)
"""The columns of formats that others become."""


def layout_of(forms: Mapping[str, Format]) -> Format:
    """Return the format that rows of all *forms*, given by the names of their files, can be written in.

    Raises DataError where there is none.
    """
    names = {form.name for form in forms.values()}
    if len(names) == 1:
        roles = dict.fromkeys(role for form in forms.values() for role in form.columns)
        return Format(name=names.pop(), columns={role: role for role in roles})
    told = ", ".join(f"{file} is {form.name}" for file, form in forms.items())
    if "preference" in names:
        raise DataError(
            f"{told}. Preferences have two answers a row and the others one: mix preferences with "
            "preferences only."
        )
    if names == {"text", "prompt_completion"}:
        return _layout("prompt_completion")
    if "text" in names:
        raise DataError(
            f"{told}. Plain text is learned as it stands, chats through a chat template: mix text with text, "
            "or write the text as messages first."
        )
    return _layout("messages")


def _layout(name: str) -> Format:
    return Format(name=name, columns={role: role for role in _LAYOUTS[name]})


def converted(row: Row, form: Format, layout: Format) -> dict[str, object]:
    """Return what *row*, which is of *form*, is in *layout*.

    Raises BadRowError, without the place, where the row is not of the form or has no place in the layout.
    """
    found = examples(row, form)
    if form.name == layout.name:
        given = ((role, row.values.get(column)) for role, column in form.columns.items())
        return {role: plain(value) for role, value in given if value is not None}
    (example,) = found
    if layout.name == "prompt_completion":
        return {"prompt": example.prompt, "completion": example.text}
    return _chat(example)


def _chat(example: Example) -> dict[str, object]:
    """Return *example* as messages."""
    if example.messages:
        turns = [
            _turn(message, learned)
            for message, learned in zip(example.messages, example.learned, strict=True)
        ]
        return {"messages": turns, **({"tools": plain(list(example.tools))} if example.tools else {})}
    if not example.prompt:
        raise BadRowError("has no prompt, and the others are chats")
    said = (("user", example.prompt), ("assistant", example.text))
    return {"messages": [{"role": role, "content": text} for role, text in said]}


def _turn(message: Message, learned: bool) -> dict[str, object]:
    turn = {key: plain(value) for key, value in message.items() if key not in _SAID_TWICE}
    if learned and turn["role"] != "assistant":
        raise BadRowError(f"learns what {turn['role']} says, and messages learn the assistant's only")
    return turn if learned or turn["role"] != "assistant" else {**turn, "loss": False}
