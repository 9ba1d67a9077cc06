"""Chats are rendered as transformers renders them, and what is learned is what the assistant says."""

from __future__ import annotations

import datetime
import functools
from pathlib import Path
from typing import Any

import pytest
from transformers.utils import chat_template_utils
from transformers.utils.chat_template_utils import render_jinja_template

from tunesmith.data.rendering import TODAY, Renderer
from tunesmith.data.templates import BUILT_IN

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
PARTS_ONLY = {"idefics3", "idefics3_training", "smolvlm", "smolvlm_training"}
"""Templates that show a content of parts and nothing of a text."""


def user(content: str) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: str) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


CHATS = {
    "one": [user("Question one?"), assistant("Answer one.")],
    "system": [{"role": "system", "content": "Be brief."}, user("Question one?"), assistant("Answer one.")],
    "several": [
        {"role": "system", "content": "请用中文回答。"},
        user("问题一？"),
        assistant("回答一。"),
        user("Question two?"),
        assistant("Answer two."),
        user("Question three?"),
        assistant("Answer three."),
    ],
    "thoughts": [
        user("Question one?"),
        assistant("<think>\nFirst.\n</think>\n\nAnswer one."),
        user("Question two?"),
        assistant("<think>\nSecond.\n</think>\n\nAnswer two."),
    ],
}


@pytest.fixture(autouse=True)
def _same_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let transformers tell templates the date that we tell them."""

    class Fixed(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
            return TODAY

    monkeypatch.setattr(chat_template_utils, "datetime", Fixed)


@functools.cache
def renderer(source: str) -> Renderer:
    return Renderer(source, TOKENS)


def chat(source: str, messages: list[dict[str, Any]]) -> tuple[str, list[str]]:
    """Return the text of a chat and what of it is learned."""
    learned = [message["role"] == "assistant" for message in messages]
    made = renderer(source).chat({"messages": messages, "learned": learned})
    return made["text"], [made["text"][begin:end] for begin, end in made["spans"]]


def spoken(message: dict[str, Any]) -> str:
    """Return an answer without its thoughts, which templates may leave out."""
    return str(message["content"]).rpartition("</think>")[2].strip()


def sources(folder: Path, *, marked: bool) -> list[tuple[str, str]]:
    """Return the names and texts of the templates that do or do not mark answers with the generation tag."""
    return [
        (path.stem, path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.jinja"))
        if path.stem not in PARTS_ONLY and path.stem.endswith("_training") == marked
    ]


@functools.cache
def _raises(source: str, name: str) -> bool:
    """Return whether transformers cannot render this chat either, e.g. because it wants no system prompt."""
    try:
        render_jinja_template([CHATS[name]], chat_template=source, **TOKENS)
    except Exception:
        return True
    return False


@pytest.mark.parametrize("name", CHATS)
def test_real_templates_render_as_in_transformers(templates: Path, name: str) -> None:
    """Every template that TRL ships makes the same text, character for character."""
    checked = 0
    for stem, source in sources(templates, marked=False):
        if not _raises(source, name):
            (expected,), _ = render_jinja_template([CHATS[name]], chat_template=source, **TOKENS)
            assert chat(source, CHATS[name])[0] == expected, stem
            checked += 1
    assert checked > 25


@pytest.mark.parametrize("name", CHATS)
def test_the_answers_are_learned_and_nothing_else_is(templates: Path, name: str) -> None:
    """Each span holds its answer, and no span what the user or the system says or another answer."""
    messages = CHATS[name]
    answers = [message for message in messages if message["role"] == "assistant"]
    for stem, source in sources(templates, marked=False):
        if _raises(source, name):
            continue
        _, said = chat(source, messages)
        assert len(said) == len(answers), stem
        for span, answer in zip(said, answers, strict=True):
            assert spoken(answer) in span, stem
            assert not any(spoken(other) in span for other in messages if other is not answer), stem


@pytest.mark.parametrize("name", ["several", "thoughts"])
def test_the_spans_are_those_that_authors_mark(templates: Path, name: str) -> None:
    """What templates mark with the generation tag is learned but for what the prompt to speak says."""
    checked = 0
    for stem, source in sources(templates, marked=True):
        if _raises(source, name):
            continue
        (text,), (marked,) = render_jinja_template(
            [CHATS[name]], chat_template=source, return_assistant_tokens_mask=True, **TOKENS
        )
        theirs = "".join(text[begin:end] for begin, end in marked)
        at = 0
        for span in chat(source, CHATS[name])[1]:  # each in turn within what is marked
            found = theirs.find(span.strip(), at)
            assert found >= 0, (stem, span, theirs)
            at = found + len(span.strip())
        checked += 1
    assert checked > 20


def test_a_turn_ends_with_its_mark() -> None:
    """The end mark is learned, in every turn."""
    _, said = chat(BUILT_IN["chatml"], CHATS["several"])
    assert said == ["回答一。<|im_end|>\n", "Answer two.<|im_end|>\n", "Answer three.<|im_end|>\n"]


def test_thoughts_that_a_template_leaves_out_are_not_looked_for(templates: Path) -> None:
    """Qwen3 drops the thoughts of earlier turns; its last turn is learned with them."""
    _, said = chat((templates / "qwen3.jinja").read_text(), CHATS["thoughts"])
    assert said == [
        "Answer one.<|im_end|>\n",
        "<think>\nSecond.\n</think>\n\nAnswer two.<|im_end|>\n",
    ]


def test_a_template_that_moves_the_system_prompt_is_followed() -> None:
    """Mistral's puts it before the last question, so that no earlier prefix holds."""
    source = (
        "{%- for m in messages if m.role != 'system' -%}{%- if m.role == 'user' -%}[INST] "
        "{% if loop.index0 == (messages | length) - 3 %}{{ messages[0].content }} {% endif %}"
        "{{ m.content }}[/INST]{%- else -%} {{ m.content }}</s>{%- endif -%}{%- endfor -%}"
    )
    messages = [{"role": "system", "content": "Be brief."}, *CHATS["thoughts"]]
    messages = [{**m, "content": spoken(m)} for m in messages]
    text, said = chat(source, messages)
    assert "[INST] Be brief. Question two?" in text
    assert [span.strip() for span in said] == ["Answer one.</s>", "Answer two.</s>"]


def test_an_answer_that_is_not_shown_is_refused() -> None:
    """A template that ignores what it is given has nothing to learn."""
    with pytest.raises(Exception, match="the answer of a message is not in what the template makes"):
        chat("{% for m in messages %}{{ m.role }}{% endfor %}", CHATS["one"])


CALL = {"type": "function", "id": "abc123456", "function": {"name": "add", "arguments": {"a": 1, "b": 2}}}
TOOL = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add.",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer", "description": "A term."}}},
    },
}


@pytest.mark.parametrize(
    "name", ["qwen3", "qwen2_5", "qwen3_6", "llama3_1", "glm4moe", "gptoss", "nemotron_3_nano"]
)
def test_calls_of_tools_are_learned(templates: Path, name: str) -> None:
    """A turn of nothing but calls is learned to its end; what the tool answers is not."""
    messages = [
        user("Add 1 and 2."),
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "name": "add", "tool_call_id": "abc123456", "content": "three"},
        assistant("It is 3."),
        user("Thanks."),
        assistant("Welcome."),
    ]
    made = renderer((templates / f"{name}.jinja").read_text(encoding="utf-8")).chat(
        {"messages": messages, "tools": [TOOL], "learned": [m["role"] == "assistant" for m in messages]}
    )
    calls, answer, last = (made["text"][begin:end] for begin, end in made["spans"])
    assert "add" in calls and "It is 3." in answer and "Welcome." in last
    assert not any("three" in span or "Thanks" in span or "1 and 2" in span for span in (calls, answer, last))
    assert calls.strip()[-1] in ">|"


def test_a_chat_that_begins_with_its_answer_is_learned() -> None:
    """Nothing stands before it but its heading."""
    text, said = chat(BUILT_IN["chatml"], [assistant("Welcome!"), user("Hi"), assistant("Hello")])
    assert text.startswith("<|im_start|>assistant\nWelcome!")
    assert said == ["Welcome!<|im_end|>\n", "Hello<|im_end|>\n"]


@pytest.mark.parametrize(
    ("name", "heading"), [("alpaca", "### Instruction:\n"), ("alpaca_zh", "### 指令:\n")]
)
def test_the_formats_of_instructions(name: str, heading: str) -> None:
    """Instruction, input and answer stand under their headings; the answer ends with the end token."""
    messages = [
        {"role": "user", "content": "Add\n1 2", "instruction": "Add", "input": "1 2"},
        assistant("3"),
    ]
    text, said = chat(BUILT_IN[name], messages)
    assert text.startswith("<s>") and heading + "Add\n\n" in text and ":\n1 2\n\n### " in text
    assert said == ["3</s>"]
