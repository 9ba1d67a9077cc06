"""The child that renders chat templates, in a process of its own that imports Jinja2 alone and limits itself.

The environment is that of huggingface/transformers@v5.23.0:src/transformers/utils/chat_template_utils.py:
the immutable sandbox, ``trim_blocks``, ``lstrip_blocks``, loop controls, ``tojson``, ``raise_exception``,
``strftime_now`` and the ``generation`` tag. Spans that are learned are found by rendering each prefix of the
chat.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final, NoReturn

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tunesmith.data.serving import clock, reason, serve

MEMORY_BYTES: Final = 1 << 30
"""Address space that the child may have, Python and Jinja2 included."""

CHAT_SECONDS: Final = 2.0
"""Processor time that one chat may take, beside that of its messages."""

MESSAGE_SECONDS: Final = 0.02
"""Processor time that each message may take: the prefixes of a thousand messages come to 2 s in all."""

OUTPUT_CHARACTERS: Final = 1 << 20
"""How long a chat may become beside eight times its texts and tools."""

TODAY: Final = datetime(2024, 7, 26)
"""The date that templates are told, so that lengths do not change with the day: Llama 3.1's own."""

_LOST: Final = "the answer of a message is not in what the template makes of the chat"

_CERTAIN: Final = 4  # characters by which the end of a turn is known again

OLDEST: Final = (3, 1, 6)
"""Releases of Jinja2 before this one have holes in the sandbox."""


class _Generation(Extension):
    """The tag by which a template marks what the assistant says; here its body is rendered as it is."""

    tags = {"generation"}  # noqa: RUF012  Jinja2 declares it so

    def parse(self, parser: Parser) -> nodes.Node:
        """Return the body of the tag in a scope of its own, as transformers' extension has it."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller: jinja2.runtime.Macro) -> str:
        return caller()


def _raise(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


class _Dict:
    """What templates call to make a mapping: no class whose attributes lead elsewhere."""

    def __call__(self, *arguments: Any, **values: Any) -> dict[Any, Any]:
        return dict(*arguments, **values)

    def fromkeys(self, *arguments: Any) -> dict[Any, Any]:
        return dict.fromkeys(*arguments)


class _Namespace(jinja2.utils.Namespace):
    """A namespace that keeps nothing whose name begins as Python's own names do."""

    def __init__(*arguments: Any, **values: Any) -> None:
        self, given = arguments[0], arguments[1:]
        held = dict(*given, **values)
        for name in held:
            _check_name(name)
        jinja2.utils.Namespace.__init__(self, held)

    def __setitem__(self, name: str, value: Any) -> None:
        _check_name(name)
        super().__setitem__(name, value)


def _check_name(name: object) -> None:
    if isinstance(name, str) and name[:1] == "_":
        raise jinja2.exceptions.SecurityError(f"a namespace cannot keep {name!r}, with an underscore first")


def _tojson(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def compiled(source: str) -> jinja2.Template:
    """Return the template in *source*, able to do nothing but to make text."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = TODAY.strftime
    environment.globals["dict"] = _Dict()
    environment.globals["namespace"] = _Namespace
    return environment.from_string(source)


class Renderer:
    """A template with the special tokens of its tokenizer: chats in, text and learned spans out."""

    def __init__(self, source: str, tokens: dict[str, str]) -> None:
        self._template = compiled(source)
        self._tokens = tokens

    def render(self, messages: list[dict[str, Any]], tools: list[Any], *, prompt: bool) -> str:
        """Return *messages* as text, with *prompt* up to where the assistant begins to speak."""
        text = self._template.render(
            messages=messages,
            tools=tools or None,
            documents=None,
            add_generation_prompt=prompt,
            **self._tokens,
        )
        allowed = OUTPUT_CHARACTERS + 8 * sum(len(_content(message)) for message in messages)
        if len(text) > allowed + 8 * len(str(tools)):
            raise jinja2.TemplateError(
                f"it makes {len(text):,} characters of a chat, expected {allowed:,} at most"
            )
        return text

    def chat(self, chat: dict[str, Any]) -> dict[str, Any]:
        """Return the text of *chat* and its learned spans, as pairs of positions in it."""
        messages, tools = chat["messages"], chat.get("tools") or []
        text = self.render(messages, tools, prompt=False)
        spans: list[list[int]] = []
        for index, learned in enumerate(chat.get("learned", ())):
            if learned:
                after = spans[-1][1] if spans else 0
                spans.append(self._span(text, messages, tools, index, after))
        return {"text": text, "spans": spans}

    def _span(
        self, text: str, messages: list[dict[str, Any]], tools: list[Any], index: int, after: int
    ) -> list[int]:
        """Return where message *index* is said in *text*, its end mark included, from position *after* on."""
        content = _content(messages[index])
        start = self._start(text, messages[:index], tools)
        if start is None or start < after:
            start = _found(text, content, after)
        elif text.find(_spoken(content), start) < 0:
            raise jinja2.TemplateError(_LOST)
        if index == len(messages) - 1:
            return [start, len(text)]
        through = self.render(messages[: index + 1], tools, prompt=False)
        if text.startswith(through) and len(through) > start:
            return [start, len(through)]
        return [start, _end(text, through, content, start)]

    def _start(self, text: str, before: list[dict[str, Any]], tools: list[Any]) -> int | None:
        """Return where what follows *before* begins in *text*; None where rendering prefixes cannot tell."""
        if not any(message["role"] != "system" for message in before):
            return None
        asked = self.render(before, tools, prompt=True)
        if text.startswith(asked):
            return len(asked)
        # The prompt may end in a block that a chat that goes on does not have, e.g. one for thoughts.
        said = self.render(before, tools, prompt=False)
        return _agreed(asked, text) if text.startswith(said) else None


def _content(message: dict[str, Any]) -> str:
    return message.get("content") or ""


def _agreed(left: str, right: str) -> int:
    """Return how many characters two texts begin with alike."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(left), len(right)))


def _spoken(content: str) -> str:
    """Return what templates that leave out earlier thoughts keep of an answer."""
    return content.rpartition("</think>")[2].strip()


def _found(text: str, content: str, after: int) -> int:
    for spelling in (content, content.strip(), _spoken(content)):
        at = text.find(spelling, after)
        if at >= 0 and spelling:
            return at
    raise jinja2.TemplateError(_LOST)


def _end(text: str, through: str, content: str, start: int) -> int:
    """Return where an answer ends in *text* where a chat that ends with it is rendered otherwise.

    It ends with what follows it in *through*, the chat up to it, as far as the two agree in whole marks.
    Where the mark itself differs, as where only the last answer returns, what they agree in lies within the
    mark, whose token then is learned.
    """
    spoken = _spoken(content)
    if not spoken:
        return _end_of_calls(text, through, start)
    at, last = text.find(spoken, start), through.rfind(spoken)
    if at < 0 or last < 0:
        raise jinja2.TemplateError("the end of an answer is not in what the template makes of the chat")
    end = at + len(spoken)
    agreed = text[end : end + _agreed(text[end:], through[last + len(spoken) :])]
    return end + len(_whole(agreed))


def _end_of_calls(text: str, through: str, start: int) -> int:
    """Return where a turn of nothing but calls ends in *text*, as far as *through* ends or begins like it."""
    shortest, longest = 0, len(through)
    while (
        shortest < longest
    ):  # the longest end of *through* that *text* has too: if it has one, it has all shorter
        middle = (shortest + longest + 1) // 2
        if text.find(through[-middle:], start) >= 0:
            shortest = middle
        else:
            longest = middle - 1
    if shortest >= _CERTAIN:
        return text.find(through[-shortest:], start) + shortest
    return start + len(_whole(text[start : max(start, _agreed(text, through))]))


def _whole(agreed: str) -> str:
    """Return *agreed* up to its last whole mark or white space; all of it where it holds none."""
    end = max((at for at, mark in enumerate(agreed, 1) if mark.isspace() or mark in ">]"), default=0)
    return agreed[:end] or agreed


# -- the process ------------------------------------------------------------------------------------


class _Desk:
    """What answers the questions: first a template with its special tokens, then lists of chats."""

    def __init__(self) -> None:
        self._renderer: Renderer | None = None

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        if self._renderer is not None:
            return {"chats": [self._chat(self._renderer, chat) for chat in question["chats"]]}
        release = tuple(int(part) for part in jinja2.__version__.split(".")[:3] if part.isdigit())
        if release < OLDEST:
            raise RuntimeError(f"Jinja2 {jinja2.__version__} has holes; install 3.1.6 or later")
        clock(CHAT_SECONDS)
        self._renderer = Renderer(question["template"], question["tokens"])
        return {}

    def _chat(self, renderer: Renderer, chat: dict[str, Any]) -> dict[str, Any]:
        clock(CHAT_SECONDS + MESSAGE_SECONDS * len(chat["messages"]))
        try:
            answer = renderer.chat(chat)
            answer["text"].encode("utf-8")
        except Exception as error:  # a template's own errors are of any kind
            return {"error": reason(error, MEMORY_BYTES)}
        return answer


def main() -> None:
    """Render what is asked on standard input until it ends."""
    serve(_Desk().answer, memory_bytes=MEMORY_BYTES)


if __name__ == "__main__":
    main()
