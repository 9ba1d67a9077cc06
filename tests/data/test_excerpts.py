"""Rows are shown as they are read: their text, what is learned, special tokens, and where answers end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tunesmith.data.excerpts import Excerpt, excerpts
from tunesmith.data.scanning import recognised
from tunesmith.data.tokenizer import choose_template, load_tokenizer

Write = Callable[..., Path]


@pytest.fixture(scope="module")
def chatml_folder(tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tokenizer of which ChatML's marks are special tokens."""
    place = tmp_path_factory.mktemp("chatml") / "tokenizer"
    shutil.copytree(tokenizer_folder, place)
    path = place / "tokenizer.json"
    made = json.loads(path.read_text(encoding="utf-8"))
    model = {**next(each for each in made["added_tokens"] if each["special"])}
    first = 1 + max(each["id"] for each in made["added_tokens"])
    made["added_tokens"] += [
        {**model, "id": first + at, "content": mark} for at, mark in enumerate(("<|im_start|>", "<|im_end|>"))
    ]
    path.write_text(json.dumps(made), encoding="utf-8")
    return place


def shown(path: Path, folder: Path, template: str = "chatml", rows: int = 3, seed: int = 0) -> list[Excerpt]:
    files = load_tokenizer(folder)
    return list(
        excerpts(path, recognised(path), files, choose_template(files, template), rows=rows, seed=seed)
    )


CHAT = [
    {"role": "user", "content": "你好 \U0001f600"},
    {"role": "assistant", "content": "Hello 世界"},
    {"role": "user", "content": "Bye"},
    {"role": "assistant", "content": "再见"},
]


def test_pieces_are_the_text_and_what_is_learned(write: Write, chatml_folder: Path) -> None:
    """Put together they are the rendered chat; each answer is learned and ends with its special token."""
    (row,) = shown(write("a.jsonl", [{"messages": CHAT}]), chatml_folder)
    assert "".join(piece.text for piece in row.pieces) == "".join(
        f"<|im_start|>{turn['role']}\n{turn['content']}<|im_end|>\n" for turn in CHAT
    )
    assert [piece.text for piece in row.pieces if piece.kind == "learned"] == [
        "Hello 世界", "\n", "再见", "\n"
    ]  # fmt: skip
    assert [piece.text for piece in row.pieces if piece.kind == "end"] == ["<|im_end|>"] * 2
    assert sum(piece.kind == "special" for piece in row.pieces) == 6
    assert sum(piece.tokens for piece in row.pieces) == row.length
    assert row.stops


def test_an_answer_without_a_special_token_at_its_end_is_told(write: Write, tokenizer_folder: Path) -> None:
    """Where the marks of a template are plain text to the tokenizer, no end can be learned as one."""
    (row,) = shown(write("a.jsonl", [{"messages": CHAT}]), tokenizer_folder)
    assert not row.stops and not any(piece.kind == "end" for piece in row.pieces)


def test_plain_text_is_learned_as_a_whole(write: Write, tokenizer_folder: Path) -> None:
    """It ends with the end token; a prompt before it is read only."""
    (row,) = shown(write("a.jsonl", [{"prompt": "2+2=", "completion": "4"}]), tokenizer_folder)
    kinds = [(piece.text, piece.kind) for piece in row.pieces]
    assert kinds == [("2+2=", "read"), ("4", "learned"), ("<｜end▁of▁sentence｜>", "end")]
    assert row.to_mapping()["pieces"][0] == {"text": "2+2=", "kind": "read", "tokens": 4}


def test_the_seed_draws_the_rows(write: Write, tokenizer_folder: Path) -> None:
    """The same seed draws the same rows, in the order of the file, and bad rows are passed over."""
    rows = [{"text": f"row {number}"} if number % 2 else {"text": number} for number in range(40)]
    path = write("a.jsonl", [{"text": "first"}, *rows])
    one, again, other = (
        [each.row for each in shown(path, tokenizer_folder, rows=5, seed=seed)] for seed in (1, 1, 2)
    )
    assert one == again == sorted(one) and one != other and len(one) == 5
    assert all(row == 0 or row % 2 == 0 for row in one)


def test_a_row_that_the_template_refuses_says_why(write: Write, tokenizer_folder: Path) -> None:
    """It has no pieces, and its fault."""
    path = write("a.jsonl", [{"messages": [{"role": "tool", "content": "x"}, *CHAT[:2]]}])
    (row,) = shown(path, tokenizer_folder, "alpaca")
    assert not row.pieces and "cannot be rendered" in row.fault
