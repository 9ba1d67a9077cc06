"""Usage logs: requests and responses as chats."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tunesmith.data.logs import chats, is_log

ASKED = [{"role": "user", "content": "Hi?"}]
ANSWERED = {"choices": [{"message": {"role": "assistant", "content": "Hello. "}}]}
CHAT = {"messages": [*ASKED, {"role": "assistant", "content": "Hello."}]}


def log(path: Path, *rows: dict[str, object]) -> Path:
    """Return a log of *rows*."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("request_", "response"),
    [
        ("Hi?", "Hello."),
        ({"model": "m", "messages": ASKED}, ANSWERED),
        ({"body": {"messages": ASKED}}, {"status_code": 200, "body": ANSWERED}),
        ({"prompt": "Hi?"}, {"choices": [{"text": " Hello."}]}),
    ],
)
def test_each_kind_of_log_gives_the_same_chat(request_: object, response: object, tmp_path: Path) -> None:
    """Texts, bodies of chat completions, lines of a batch, and plain completions."""
    path = log(tmp_path / "log.jsonl", {"id": 1, "request": request_, "response": response})
    assert is_log(path) and list(chats(path)) == [CHAT]


@pytest.mark.parametrize(
    ("request_", "response"),
    [
        ("Hi?", ""),
        ("", "Hello."),
        ({"messages": ASKED}, {"error": {"message": "busy"}}),
        ({"messages": ASKED}, None),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, ANSWERED),
        ({"messages": "Hi?"}, ANSWERED),
    ],
)
def test_a_request_without_an_answer_is_left_out(request_: object, response: object, tmp_path: Path) -> None:
    """Failed calls, pictures, and what is no chat."""
    path = log(tmp_path / "log.jsonl", {"request": request_, "response": response})
    assert list(chats(path)) == [None]


def test_a_data_set_is_no_log(tmp_path: Path) -> None:
    """Rows with a prompt are read as ever."""
    assert not is_log(log(tmp_path / "rows.jsonl", {"prompt": "q", "response": "a"}))
