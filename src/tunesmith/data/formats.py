"""Which format a data set has, and each row as what a model reads: recognised by content, the mapping shown.

The column names are those of Alpaca (tatsu-lab/stanford_alpaca@main:README.md), ShareGPT
(hiyouga/LLaMA-Factory@v0.9.4:data/README.md), OpenAI's ``messages``, TRL
(huggingface/trl@v1.16.0:docs/source/dataset_formats.md) and the other spellings that ms-swift takes
(modelscope/ms-swift@v3.9.0:docs/source_en/Customization/Custom-dataset.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from tunesmith.architecture.bounds import show
from tunesmith.data.bounds import BadRowError, decode_row
from tunesmith.data.reading import Row
from tunesmith.errors import DataError

SAMPLE_ROWS: Final = 200
"""Rows from whose content the format is recognised."""

_CONVERSATION: Final = ("messages", "conversations", "conversation", "dialog", "dialogue", "chat")
_PROMPT: Final = ("prompt", "query", "question", "problem", "input", "user")
_COMPLETION: Final = ("completion", "response", "answer", "output", "answers", "targets", "solution")
_TEXT: Final = ("text", "content", "document")
_OUTPUT: Final = ("output", "response", "completion", "answer")

_MESSAGE: Final = (
    "role",
    "content",
    "name",
    "tool_calls",
    "tool_call_id",
    "reasoning_content",
    "thinking",
    "loss",
    "weight",
)
"""What of a message is shown to its template, and what says whether it is learned."""

SHAREGPT_ROLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "human": "user",
        "user": "user",
        "gpt": "assistant",
        "chatgpt": "assistant",
        "bing": "assistant",
        "bard": "assistant",
        "assistant": "assistant",
        "function_call": "assistant",
        "system": "system",
        "observation": "tool",
        "function_response": "tool",
        "tool": "tool",
    }
)
"""What ShareGPT calls the roles of a chat."""

Message = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Format:
    """How the rows of a data set are laid out."""

    name: str
    """``messages``, ``sharegpt``, ``alpaca``, ``preference``, ``prompt_completion`` or ``text``."""
    columns: Mapping[str, str]
    """The column that plays each role of the format, by the role's name."""
    ignored: tuple[str, ...] = ()
    """Columns that play none."""

    def __str__(self) -> str:
        """Return the mapping on one line, e.g. ``alpaca: instruction, output from response``."""
        roles = [role if role == column else f"{role} from {column}" for role, column in self.columns.items()]
        ignored = f" (not read: {', '.join(show(name, 40) for name in self.ignored)})" if self.ignored else ""
        return f"{self.name}: {', '.join(roles)}{ignored}"

    def to_mapping(self) -> dict[str, object]:
        """Return the format as plain JSON types."""
        return {"name": self.name, "columns": dict(self.columns), "ignored": list(self.ignored)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One sequence to train on: a chat, or plain text after an optional prompt."""

    row: int
    """The row it comes from, counted from 0."""
    place: str
    """Where that row stands."""
    messages: tuple[Message, ...] = ()
    """The chat as its template reads it; empty where the example is plain text."""
    learned: tuple[bool, ...] = ()
    """Whether each message is learned."""
    prompt: str = ""
    """Plain text that is read but not learned."""
    text: str = ""
    """Plain text that is learned."""
    tools: tuple[Mapping[str, object], ...] = ()
    """Functions that the chat may call."""


def recognise(rows: Sequence[Row], *, where: str) -> Format:
    """Return the format that most of *rows* have, by their content.

    Raises DataError that names the columns of *where* when none fits.
    """
    found = Counter(fitting for row in rows if (fitting := _fitting(row.values)) is not None)
    if not found:
        columns = _columns(rows)
        raise DataError(
            f"{where} has the columns {', '.join(show(name, 40) for name in columns[:12]) or 'of no row'}, "
            "expected messages, conversations, instruction and output, prompt and completion, "
            "chosen and rejected, or text. Rename the columns."
        )
    name = max(found, key=lambda each: (found[each], -list(_FORMATS).index(each)))
    columns = _columns(row for row in rows if _fitting(row.values) == name)
    mapping = {
        role: next(column for column in spellings if column in columns)
        for role, spellings in ROLES[name].items()
        if any(column in columns for column in spellings)
    }
    ignored = tuple(column for column in columns if column not in mapping.values())
    return Format(name=name, columns=mapping, ignored=ignored)


def examples(row: Row, form: Format) -> tuple[Example, ...]:
    """Return the sequences that *row* trains on: one, or for a preference the chosen and the rejected.

    Raises BadRowError, without the place, where the row is not of the format.
    """
    return _FORMATS[form.name](row, form.columns)


def _columns(rows: Iterable[Row]) -> list[str]:
    return list(dict.fromkeys(column for row in rows for column in row.values))


def _fitting(values: Mapping[str, object]) -> str | None:
    """Return the format of one row, the most telling first."""
    for column in _CONVERSATION:
        turns = values.get(column)
        if isinstance(turns, list) and turns and isinstance(turns[0], dict):
            return "sharegpt" if "from" in turns[0] and "role" not in turns[0] else "messages"
    if values.get("chosen") is not None and values.get("rejected") is not None:
        return "preference"
    if "instruction" in values and any(column in values for column in _OUTPUT):
        return "alpaca"
    if any(column in values for column in _PROMPT) and any(column in values for column in _COMPLETION):
        return "prompt_completion"
    return "text" if any(isinstance(values.get(column), str) for column in _TEXT) else None


# -- one format each --------------------------------------------------------------------------------


def _from_messages(row: Row, columns: Mapping[str, str]) -> tuple[Example, ...]:
    turns, learned = _turns(_value(row, columns, "messages"), columns["messages"])
    return (_chat(row, turns, learned, columns),)


def _from_sharegpt(row: Row, columns: Mapping[str, str]) -> tuple[Example, ...]:
    column = columns["conversations"]
    given = _value(row, columns, "conversations")
    if not isinstance(given, list) or not given:
        raise BadRowError(f"has {column} = {show(given)}, expected a list of turns")
    turns: list[Message] = []
    system = _value(row, columns, "system")
    if system:
        turns.append({"role": "system", "content": _string(system, columns["system"])})
    for index, turn in enumerate(given):
        place = f"{column}[{index}]"
        if not isinstance(turn, dict):
            raise BadRowError(f"has {place} = {show(turn)}, expected an object with from and value")
        role = SHAREGPT_ROLES.get(str(turn.get("from")).lower())
        if role is None:
            known = ", ".join(SHAREGPT_ROLES)
            raise BadRowError(f"has {place}.from = {show(turn.get('from'))}, expected one of {known}")
        turns.append({"role": role, "content": _string(turn.get("value"), f"{place}.value")})
    return (_chat(row, turns, [turn["role"] == "assistant" for turn in turns], columns),)


def _from_alpaca(row: Row, columns: Mapping[str, str]) -> tuple[Example, ...]:
    instruction = _string(_value(row, columns, "instruction"), columns["instruction"])
    given = _optional(row, columns, "input")
    output = _string(_value(row, columns, "output"), columns["output"])
    turns: list[Message] = []
    system = _optional(row, columns, "system")
    if system:
        turns.append({"role": "system", "content": system})
    history = _value(row, columns, "history") or []
    if not isinstance(history, list):
        raise BadRowError(f"has history = {show(history)}, expected a list of pairs")
    for index, pair in enumerate(history):
        if not isinstance(pair, list) or len(pair) != 2:
            raise BadRowError(f"has history[{index}] = {show(pair)}, expected a pair of texts")
        turns.append({"role": "user", "content": _string(pair[0], f"history[{index}][0]")})
        turns.append({"role": "assistant", "content": _string(pair[1], f"history[{index}][1]")})
    # LLaMA-Factory joins the two with a line break; templates that know Alpaca read them apart.
    both = f"{instruction}\n{given}" if given else instruction
    turns.append({"role": "user", "content": both, "instruction": instruction, "input": given})
    turns.append({"role": "assistant", "content": output})
    return (_chat(row, turns, [turn["role"] == "assistant" for turn in turns], columns),)


def _from_prompt_completion(row: Row, columns: Mapping[str, str]) -> tuple[Example, ...]:
    prompt = _value(row, columns, "prompt")
    completion = _value(row, columns, "completion")
    return (_joined(row, prompt, completion, columns, columns["completion"]),)


def _from_preference(row: Row, columns: Mapping[str, str]) -> tuple[Example, ...]:
    prompt = _value(row, columns, "prompt")
    sides = [
        _joined(row, prompt, _value(row, columns, side), columns, side) for side in ("chosen", "rejected")
    ]
    return tuple(sides)


def _from_text(row: Row, columns: Mapping[str, str]) -> tuple[Example, ...]:
    text = _string(_value(row, columns, "text"), columns["text"])
    return (Example(row=row.number, place=row.place, text=text),)


def _joined(row: Row, prompt: object, completion: object, columns: Mapping[str, str], named: str) -> Example:
    """Return a prompt and what follows it as one example; both are texts or both are messages."""
    if isinstance(completion, list) and completion and isinstance(completion[0], dict):
        after, learned = _turns(completion, named)
        if isinstance(prompt, str) and prompt:
            prompt = [{"role": "user", "content": prompt}]
        before = _turns(prompt, columns.get("prompt", "prompt"))[0] if prompt else []
        # With an implicit prompt the whole chat is in both sides, and only its last answer differs.
        if not before:
            learned = [index == len(after) - 1 for index in range(len(after))]
        return _chat(row, [*before, *after], [*(False for _ in before), *learned], columns)
    text = _string(completion, named)
    if isinstance(prompt, list):
        return _chat(
            row,
            [*_turns(prompt, columns["prompt"])[0], {"role": "assistant", "content": text}],
            [*(False for _ in prompt), True],
            columns,
        )
    given = _string(prompt, columns["prompt"]) if prompt is not None and "prompt" in columns else ""
    return Example(row=row.number, place=row.place, prompt=given, text=text)


# -- values within a row ----------------------------------------------------------------------------


def _value(row: Row, columns: Mapping[str, str], role: str) -> object:
    return row.values.get(columns[role]) if role in columns else None


def _string(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise BadRowError(f"has {name} = {show(value)}, expected a text")
    return value


def _optional(row: Row, columns: Mapping[str, str], role: str) -> str:
    value = _value(row, columns, role)
    return "" if value is None else _string(value, columns[role])


def _turns(value: object, name: str) -> tuple[list[Message], list[bool]]:
    """Return messages as templates read them, and whether each is learned."""
    if not isinstance(value, list) or not value:
        raise BadRowError(f"has {name} = {show(value)}, expected a list of messages")
    turns: list[Message] = []
    learned = []
    for index, given in enumerate(value):
        place = f"{name}[{index}]"
        if not isinstance(given, dict):
            raise BadRowError(f"has {place} = {show(given)}, expected an object with role and content")
        role = given.get("role")
        if not isinstance(role, str) or not 0 < len(role) <= 64 or not role.isprintable():
            raise BadRowError(f"has {place}.role = {show(role)}, expected a word such as user")
        turn = {key: _without_none(given[key]) for key in _MESSAGE if given.get(key) is not None}
        content = _content(given, place)
        if content is not None:  # a turn of calls only has none, which templates tell from an empty text
            turn["content"] = content
        turns.append(turn)
        learned.append(_learned(turn))
    return turns, learned


def _learned(turn: Message) -> bool:
    """Return whether a message is learned: the assistant's, but for ``loss: false`` or ``weight: 0``."""
    return turn["role"] == "assistant" and turn.pop("loss", True) is not False and turn.pop("weight", 1) != 0


def _content(message: Mapping[str, object], place: str) -> str | None:
    """Return the text of a message: a text, the texts of its parts, or None beside calls of tools."""
    content = message.get("content")
    if isinstance(content, str) or (content is None and message.get("tool_calls")):
        return content
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, dict) else part for part in content]
        if all(isinstance(part, str) for part in parts):
            return "".join(str(part) for part in parts)
        raise BadRowError(f"has {place}.content with parts that are no text, expected texts only")
    raise BadRowError(f"has {place}.content = {show(content)}, expected a text")


def _chat(row: Row, turns: Sequence[Message], learned: Sequence[bool], columns: Mapping[str, str]) -> Example:
    return Example(
        row=row.number,
        place=row.place,
        messages=tuple(turns),
        learned=tuple(learned),
        tools=_tools(_value(row, columns, "tools"), columns),
    )


def _tools(value: object, columns: Mapping[str, str]) -> tuple[Mapping[str, object], ...]:
    """Return the functions that a chat may call: a list of their schemas, or its JSON as a text."""
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        value = decode_row(f'{{"tools": {value}}}')["tools"]
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise BadRowError(f"has {columns['tools']} = {show(value)}, expected a list of functions' schemas")
    return tuple(_without_none(each) for each in value)


def _without_none(value: Any) -> Any:
    """Return *value* without keys that hold None, which tables give to every row that lacks a column."""
    if isinstance(value, dict):
        return {key: _without_none(held) for key, held in value.items() if held is not None}
    return [_without_none(held) for held in value] if isinstance(value, list) else value


_Maker = Callable[[Row, Mapping[str, str]], tuple[Example, ...]]

_FORMATS: Final[Mapping[str, _Maker]] = MappingProxyType(
    {
        "messages": _from_messages,
        "sharegpt": _from_sharegpt,
        "preference": _from_preference,
        "alpaca": _from_alpaca,
        "prompt_completion": _from_prompt_completion,
        "text": _from_text,
    }
)

ROLES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = MappingProxyType(
    {
        "messages": {"messages": _CONVERSATION, "tools": ("tools", "functions")},
        "sharegpt": {"conversations": _CONVERSATION, "system": ("system",), "tools": ("tools",)},
        "preference": {
            "prompt": ("prompt", "instruction", "question"),
            "chosen": ("chosen",),
            "rejected": ("rejected",),
        },
        "alpaca": {
            "instruction": ("instruction",),
            "input": ("input",),
            "output": _OUTPUT,
            "system": ("system",),
            "history": ("history",),
        },
        "prompt_completion": {"prompt": _PROMPT, "completion": _COMPLETION, "tools": ("tools",)},
        "text": {"text": _TEXT},
    }
)
"""For each format the columns that may play each of its roles."""
