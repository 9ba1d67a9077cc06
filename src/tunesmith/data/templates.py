"""Chat templates that are built in, for base models without one: Alpaca, its Chinese form, ChatML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, kw_only=True)
class ChatTemplate:
    """A chat template: what it is called, what it says, and why it was taken."""

    name: str
    """A built-in name, or the place that it was read from."""
    source: str
    """The template, in Jinja."""
    reason: str
    """Why it is this one, e.g. ``the tokenizer's own``."""
    reason_zh: str
    """The same in Chinese."""

    @property
    def sha256(self) -> str:
        """Return the digest by which a run can prove that it used this template."""
        return sha256(self.source.encode("utf-8", "surrogatepass")).hexdigest()


_BOS: Final = "{{ bos_token if bos_token is defined and bos_token else '' }}"
_EOS: Final = "{{ eos_token if eos_token is defined and eos_token else '' }}"


def _instruct(*, alone: str, paired: str, heads: tuple[str, str, str]) -> str:
    """Return the template of headings over an instruction, an input and an answer."""
    instruction, given, answer = (f"### {head}:\n" for head in heads)
    return (
        _BOS + "{%- for message in messages -%}"
        "{%- if message['role'] == 'system' -%}{{ message['content'] + '\\n\\n' }}"
        "{%- elif message['role'] == 'user' -%}"
        "{%- if loop.first -%}"
        "{{ " + _text(paired) + " if message['input'] else " + _text(alone) + " }}"
        "{%- endif -%}"
        "{{ " + _text(instruction) + " + (message['instruction'] if message['instruction'] is defined"
        " else message['content']) + '\\n\\n' }}"
        "{%- if message['input'] -%}{{ " + _text(given) + " + message['input'] + '\\n\\n' }}{%- endif -%}"
        "{{ " + _text(answer) + " }}"
        "{%- elif message['role'] == 'assistant' -%}"
        "{{ message['content'] }}" + _EOS + "{%- if not loop.last -%}{{ '\\n\\n' }}{%- endif -%}"
        "{%- else -%}{{ raise_exception('only system, user and assistant speak here') }}"
        "{%- endif -%}{%- endfor -%}"
    )


def _text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("\n", "\\n").replace("'", "\\'") + "'"


BUILT_IN: Final[Mapping[str, str]] = MappingProxyType(
    {
        # tatsu-lab/stanford_alpaca@main:train.py, PROMPT_DICT.
        "alpaca": _instruct(
            alone="Below is an instruction that describes a task. "
            "Write a response that appropriately completes the request.\n\n",
            paired="Below is an instruction that describes a task, paired with an input that provides "
            "further context. Write a response that appropriately completes the request.\n\n",
            heads=("Instruction", "Input", "Response"),
        ),
        "alpaca_zh": _instruct(alone="", paired="", heads=("指令", "输入", "回答")),
        # openai/openai-python@release-v0.28.1:chatml.md, as Qwen2 writes it.
        "chatml": (
            "{%- for message in messages -%}"
            "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
            "{%- endfor -%}"
            "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}"
        ),
    }
)
"""The templates by name."""


def built_in(name: str, *, reason: str, reason_zh: str) -> ChatTemplate:
    """Return the built-in template called *name*."""
    return ChatTemplate(name=name, source=BUILT_IN[name], reason=reason, reason_zh=reason_zh)
