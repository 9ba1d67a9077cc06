"""Usage logs as chats: a request and its response in, messages out.

What is read: ``request`` and ``response`` as texts, or as the bodies of OpenAI's chat completions
(``request.messages`` or ``request.body.messages``, ``response.choices[0].message``, or the same in
``response.body``, as its batch files have them: platform.openai.com/docs/guides/batch). Requests without an
answer, failed ones among them, are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from tunesmith.data.formats import SAMPLE_ROWS
from tunesmith.data.reading import Fault, Row, read_rows


def is_log(path: Path) -> bool:
    """Return whether most of the first rows at *path* are requests with their responses."""
    head = [row for row in islice(read_rows(path), SAMPLE_ROWS) if isinstance(row, Row)]
    return 2 * sum("request" in row.values and "response" in row.values for row in head) > len(head)


def chats(path: Path) -> Iterator[dict[str, object] | None]:
    """Yield each row of the log at *path* as a row with ``messages``; None for one without an answer."""
    for row in read_rows(path):
        yield None if isinstance(row, Fault) else _chat(row.values)


def _chat(values: Mapping[str, object]) -> dict[str, object] | None:
    asked, answer = _asked(values.get("request")), _answer(values.get("response"))
    return {"messages": [*asked, {"role": "assistant", "content": answer}]} if asked and answer else None


def _asked(request: object) -> list[dict[str, object]]:
    """Return the messages of a request, those only whose content is a text."""
    if isinstance(request, str):
        return [{"role": "user", "content": request}] if request.strip() else []
    body = _inner(request, "body")
    given = body.get("messages")
    if not isinstance(given, list):
        prompt = body.get("prompt")
        return _asked(prompt) if isinstance(prompt, str) else []
    plain = [
        {"role": each.get("role"), "content": each.get("content")} for each in given if isinstance(each, dict)
    ]
    whole = len(plain) == len(given) and all(
        isinstance(value, str) for each in plain for value in each.values()
    )
    return plain if whole else []


def _answer(response: object) -> str:
    """Return the text of a response; empty where there is none."""
    if isinstance(response, str):
        return response.strip()
    body = _inner(response, "body")
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else body
    if not isinstance(first, dict):
        return ""
    message = first.get("message")
    said = message.get("content") if isinstance(message, dict) else first.get("text", first.get("content"))
    return said.strip() if isinstance(said, str) else ""


def _inner(value: object, key: str) -> Mapping[str, object]:
    """Return the object under *key* of *value*, or *value* itself where there is none."""
    if not isinstance(value, dict):
        return {}
    held = value.get(key)
    return held if isinstance(held, dict) else value
