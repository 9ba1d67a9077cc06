"""Examples become the tokens that transformers and TRL make of them, with the mask of what is learned."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from tunesmith.data import chat
from tunesmith.data.chat import Encoder
from tunesmith.data.formats import Example, examples, recognise
from tunesmith.data.reading import Row, read_rows
from tunesmith.data.templates import built_in
from tunesmith.data.tokenizer import choose_template, load_tokenizer
from tunesmith.errors import DataError


def said(*messages: tuple[str, str]) -> Example:
    turns = tuple({"role": role, "content": content} for role, content in messages)
    return Example(
        row=0, place="line 1", messages=turns, learned=tuple(m["role"] == "assistant" for m in turns)
    )


@pytest.fixture(scope="module")
def encoder(tokenizer_folder: Path) -> Iterator[Encoder]:
    files = load_tokenizer(tokenizer_folder)
    with Encoder(files, choose_template(files, "chatml")) as made:
        yield made


@pytest.fixture(scope="module")
def reference(tokenizer_folder: Path) -> PreTrainedTokenizerFast:
    """Return the same tokenizer as transformers has it."""
    made = PreTrainedTokenizerFast.from_pretrained(tokenizer_folder)
    made.chat_template = built_in("chatml", reason="", reason_zh="").source
    return made


def test_real_chats_are_the_tokens_of_transformers(
    encoder: Encoder, reference: PreTrainedTokenizerFast, corpus: Path
) -> None:
    """Token by token, over real conversations, and what is learned decodes to the answers and their marks."""
    rows = [row for row in read_rows(corpus / "chats.jsonl") if isinstance(row, Row)][:40]
    form = recognise(rows, where="chats")
    given = [example for row in rows for example in examples(row, form)]
    for example, made in zip(given, encoder.encode(given, ids=True), strict=True):
        expected = reference.apply_chat_template(list(example.messages), tokenize=True, return_dict=True)[
            "input_ids"
        ]
        assert list(made.ids) == expected
        assert made.length == len(expected)
        mask = made.mask()
        learned = reference.decode([token for token, own in zip(made.ids, mask, strict=True) if own])
        answers = [m["content"] for m in example.messages if m["role"] == "assistant"]
        assert learned == "".join(f"{answer}<|im_end|>\n" for answer in answers)
        assert made.learned_tokens == sum(mask)


def test_plain_text_ends_with_the_end_token(encoder: Encoder, reference: PreTrainedTokenizerFast) -> None:
    """As in TRL: prompt, completion and the end token, which is not added twice."""
    end = reference.eos_token
    given = [
        Example(row=0, place="", prompt="2+2=", text="4"),
        Example(row=1, place="", text="你好，世界"),
        Example(row=2, place="", text=f"done{end}"),
    ]
    made = list(encoder.encode(given, ids=True))
    expected = [reference(text)["input_ids"] for text in (f"2+2=4{end}", f"你好，世界{end}", f"done{end}")]
    assert [list(each.ids) for each in made] == expected
    prompt = len(reference("2+2=")["input_ids"])
    assert made[0].learned == ((prompt, len(expected[0])),)
    assert made[1].learned == ((0, len(expected[1])),)


def test_order_is_kept_over_batches(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chats and text of any number and size come back in their order."""
    monkeypatch.setattr(chat, "BATCH_EXAMPLES", 3)
    monkeypatch.setattr(chat, "BATCH_CHARACTERS", 50)
    given = [
        Example(row=n, place="", text="word " * n) if n % 3 else said(("user", "x" * n), ("assistant", "y"))
        for n in range(20)
    ]
    made = list(encoder.encode(given))
    assert [each.length for each in made] == [next(encoder.encode([each])).length for each in given]
    assert list(encoder.encode([])) == []


def test_a_chat_that_its_template_refuses_is_a_fault(tokenizer_folder: Path) -> None:
    """The row has the reason; the others are counted."""
    files = load_tokenizer(tokenizer_folder)
    with Encoder(files, built_in("alpaca", reason="", reason_zh="")) as encoder:
        good, bad = said(("user", "a"), ("assistant", "b")), said(("tool", "a"), ("assistant", "b"))
        first, second = encoder.encode([good, bad])
    assert first.length > 0 and not first.fault
    assert second.length == 0
    assert second.fault == (
        "cannot be rendered: its template says TemplateError: only system, user and assistant speak here"
    )


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}", "was stopped"),
        ("{{ nonsense", "says TemplateSyntaxError"),
    ],
)
def test_a_template_that_ends_its_child_is_an_error(
    tokenizer_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, reason: str
) -> None:
    """The template is named, with what it did."""
    if reason == "was stopped":
        monkeypatch.setattr(chat, "RENDER_WALL_SECONDS", 0.5)
    (tmp_path / "bad.jinja").write_text(source)
    files = load_tokenizer(tokenizer_folder)
    template = choose_template(files, tmp_path / "bad.jinja")
    with Encoder(files, template) as encoder, pytest.raises(DataError) as caught:
        list(encoder.encode([said(("user", "a"), ("assistant", "b"))]))
    assert "bad.jinja" in str(caught.value) and reason in str(caught.value)


def hostile(folder: Path, tmp_path: Path, **changes: object) -> Path:
    """Return the folder of a tokenizer with *changes*."""
    place = tmp_path / "hostile"
    shutil.copytree(folder, place)
    path = place / "tokenizer.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")
    return place


def test_a_tokenizer_whose_pattern_cannot_be_compiled_is_an_error(
    tokenizer_folder: Path, tmp_path: Path
) -> None:
    """It is named."""
    changed = {"type": "Split", "pattern": {"Regex": "(a"}, "behavior": "Isolated", "invert": False}
    files = load_tokenizer(hostile(tokenizer_folder, tmp_path, pre_tokenizer=changed))
    with pytest.raises(DataError, match=r"the tokenizer .*hostile/tokenizer\.json says"):
        Encoder(files, choose_template(files, None))


def test_a_tokenizer_that_aborts_or_panics_is_an_error(tokenizer_folder: Path, tmp_path: Path) -> None:
    """A backtracking pattern makes the library panic outside of Exception; our process goes on."""
    changed = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}
    files = load_tokenizer(hostile(tokenizer_folder, tmp_path, pre_tokenizer=changed))
    with (
        Encoder(files, choose_template(files, None)) as encoder,
        pytest.raises(DataError, match="the tokenizer"),
    ):
        list(encoder.encode([Example(row=0, place="line 1", text="a" * 40 + "b")]))
