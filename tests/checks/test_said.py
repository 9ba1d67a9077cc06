"""Said: rows as a question and an answer, once while they are read and again for a few of them."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from tunesmith.checks import Asked
from tunesmith.checks.said import said, said_again
from tunesmith.data import scanning
from tunesmith.data.scanning import recognised, scan

CHAT = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"},
    {"role": "user", "content": "Who?"},
    {"role": "assistant", "content": "Me."},
]


def turns_of(path: Path) -> pl.DataFrame:
    return pl.concat(batch.turns for batch in scan(path, recognised(path)))


def test_the_last_answer_is_the_answer_and_all_before_it_is_asked(tmp_path: Path) -> None:
    """System prompts are left out; a chat that ends with a question has its last answer before that."""
    path = tmp_path / "rows.jsonl"
    rows = [{"messages": CHAT}, {"messages": CHAT[:4]}, {"messages": CHAT[:2]}]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    assert said(turns_of(path)).rows() == [
        (0, 1, "Hi\nHello\nWho?", "Me."),
        (1, 2, "Hi\nWho?", "Hello"),
        (2, 3, "Hi", ""),
    ]


def test_a_preference_has_both_answers_or_the_chosen_one(tmp_path: Path) -> None:
    """The question stands once, whatever is kept of the answers."""
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"prompt": "Q", "chosen": "good", "rejected": "bad"}))
    assert said(turns_of(path)).rows() == [(0, 1, "Q", "good\nbad")]
    assert said(turns_of(path), rejected=False).rows() == [(0, 1, "Q", "good")]


def test_rows_are_read_again_batch_by_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the rows that are asked for come back, as they were, and reading ends with the last of them."""
    monkeypatch.setattr(scanning, "BATCH_BYTES", 100)
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps({"text": f"row {number} " + "x" * 30}) for number in range(40)))
    asked = Asked(form=recognised(path), path=path)
    some = pl.concat(said_again(asked, [31, 2, 17]))
    assert some["row"].to_list() == [2, 17, 31]
    assert some.select("line", "answer").rows()[1] == (18, "row 17 " + "x" * 30)
    assert list(said_again(asked, [])) == []
