"""What is learned is what the assistant says and its end mark, for any chat and many a template."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tunesmith.data.chat import Encoded, Encoder
from tunesmith.data.formats import Example, examples, recognise
from tunesmith.data.packing import packed
from tunesmith.data.reading import Row, read_rows
from tunesmith.data.rendering import Renderer
from tunesmith.data.tokenizer import choose_template, load_tokenizer

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
REAL = [
    "cohere",
    "cohere2",
    "deepseekv3",
    "gemma",
    "gemma3",
    "glm4moe",
    "gptoss",
    "lfm2",
    "llama3",
    "llama3_1",
    "llama3_2",
    "phi3",
    "phi3_5",
    "qwen2_5",
    "qwen3",
    "qwen3_instruct_2507",
]

WORD = st.text("abc XYZ你好\n.{}<>|", max_size=12)


@st.composite
def chats(draw: st.DrawFn) -> list[dict[str, str]]:
    """Return a chat of one to four questions, each told from all else by its words; answers may be bare."""
    said = [("system", f"§sys {draw(WORD)}§")] if draw(st.booleans()) else []
    for number in range(draw(st.integers(1, 4))):
        said.append(("user", f"¿ask{number} {draw(WORD)}?"))
        said.append(("assistant", f"¡say{number}{draw(WORD)}¡"))
    return [{"role": role, "content": content} for role, content in said]


@functools.cache
def renderer(path: Path) -> Renderer:
    return Renderer(path.read_text(encoding="utf-8"), TOKENS)


@pytest.mark.parametrize("name", REAL)
def test_answers_and_their_ends_are_learned_and_nothing_else(templates: Path, name: str) -> None:
    """Each learned span begins with its answer and ends with a mark, the same one every time but the last.

    GLM puts nothing after the last answer, since its model stops by beginning the next turn of the user.
    """
    source = templates / f"{name}.jinja"

    @settings(deadline=None, max_examples=25)
    @given(chats())
    def holds(messages: list[dict[str, str]]) -> None:
        if name.startswith("gemma") and messages[0]["role"] == "system":
            messages = messages[1:]  # Gemma's first template knows no system prompt
        learned = [message["role"] == "assistant" for message in messages]
        made = renderer(source).chat({"messages": messages, "learned": learned})
        text, spans = made["text"], [tuple(span) for span in made["spans"]]
        answers = [m["content"] for m in messages if m["role"] == "assistant"]
        ends = []
        for (begin, end), answer in zip(spans, answers, strict=True):
            before, found, after = text[begin:end].partition(answer.strip())
            assert found and not any(mark in before + after for mark in "¿§¡"), (text, spans)
            assert "<think>" in before or len(before.strip()) < 30, before
            ends.append(after.strip())
        if name != "gptoss":  # which ends its last answer with another mark than earlier ones
            assert len(set(ends[:-1])) <= 1
        assert all((not each) == (name == "glm4moe") and len(each) < 60 for each in ends[-1:]), ends
        outside = "".join(
            text[end:begin]
            for (_, end), (begin, _) in zip([(0, 0), *spans], [*spans, (len(text), 0)], strict=True)
        )
        assert "¡" not in outside

    holds()


# -- tokens: what training reads is what transformers makes of the chat ---------------------------------


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Let small products run on one thread: to share them out takes longer than to do them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", params=["llama3", "qwen2_5"])
def both(
    request: pytest.FixtureRequest, templates: Path, tokenizer_folder: Path, tmp_path_factory: Any
) -> Iterator[tuple[Encoder, PreTrainedTokenizerFast]]:
    """Return the encoder and transformers' own tokenizer for one template, Llama's with its BOS in it."""
    folder = tmp_path_factory.mktemp("own") / "tokenizer"
    shutil.copytree(tokenizer_folder, folder)
    shutil.copyfile(templates / f"{request.param}.jinja", folder / "chat_template.jinja")
    files = load_tokenizer(folder)
    with Encoder(files, choose_template(files, None)) as made:
        yield made, PreTrainedTokenizerFast.from_pretrained(folder)


def real_chats(corpus: Path, name: str) -> list[Example]:
    rows = [row for row in read_rows(corpus / name) if isinstance(row, Row)]
    form = recognise(rows, where=name)
    return [example for row in rows for example in examples(row, form)]


def test_five_hundred_chats_are_the_tokens_of_transformers(
    both: tuple[Encoder, PreTrainedTokenizerFast], corpus: Path
) -> None:
    """Token by token, and none begins with two tokens of the beginning."""
    encoder, reference = both
    given_ = [*real_chats(corpus, "instructions.jsonl")[:250], *real_chats(corpus, "chats.jsonl")[:250]]
    assert len(given_) == 500
    begin = reference.bos_token_id
    for example, made in zip(given_, encoder.encode(given_, ids=True), strict=True):
        expected = reference.apply_chat_template(list(example.messages), tokenize=True, return_dict=True)
        assert list(made.ids) == expected["input_ids"]
        assert made.ids.count(begin) <= 1


# -- a model that is trained on them stops --------------------------------------------------------------


def renumbered(encoded: list[Encoded]) -> tuple[list[list[int]], int]:
    """Return the tokens in as few numbers as there are different ones, and how many those are."""
    numbers = {token: at for at, token in enumerate(sorted({t for each in encoded for t in each.ids}))}
    return [[numbers[token] for token in each.ids] for each in encoded], len(numbers)


def test_a_model_learns_to_stop(tokenizer_folder: Path) -> None:
    """Trained on packed sequences of eight chats, a small model gives each answer and its end, 8 of 8."""
    files = load_tokenizer(tokenizer_folder)
    chosen = [
        Example(
            row=row,
            place="",
            messages=(
                {"role": "user", "content": f"{word}?"},
                {"role": "assistant", "content": f"It is {word} {row}."},
            ),
            learned=(False, True),
        )
        for row, word in enumerate(["red", "blue", "green", "红", "黄", "sky", "sea", "sun"])
    ]
    with Encoder(files, choose_template(files, "alpaca")) as encoder:
        encoded = list(encoder.encode(chosen, ids=True))
    ids, vocabulary = renumbered(encoded)
    small = [
        Encoded(row=n, place="", length=len(own), learned=each.learned, ids=tuple(own))
        for n, (each, own) in enumerate(zip(encoded, ids, strict=True))
    ]
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=vocabulary, initializer_range=0.1, **shape))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    sequences = list(packed(small, sequence_length=160))
    for _ in range(80):
        for each in sequences:
            given_ = {
                name: torch.tensor([list(getattr(each, name))])
                for name in ("input_ids", "labels", "position_ids")
            }
            model(**given_, use_cache=False).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    stopped = 0
    for each in small:
        ((begin, end),) = each.learned
        tokens = torch.tensor([list(each.ids[:begin])])
        for _ in range(end - begin):
            tokens = torch.cat([tokens, model(tokens, use_cache=False).logits[:, -1:].argmax(-1)], dim=1)
        stopped += tokens[0].tolist() == list(each.ids)
    assert stopped == 8
