"""A child answers, or dies within its limits with a reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tunesmith.data.jail import Child, ChildError

RENDERING = "tunesmith.data.rendering"
MESSAGES = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
CHAT = {"messages": MESSAGES, "learned": [False, True]}
LOOP = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


def rendered(template: str) -> dict[str, object]:
    """Return what a child makes of one chat."""
    with Child(RENDERING, wall_seconds=60) as child:
        child.ask({"template": template, "tokens": {}})
        (chat,) = child.ask({"chats": [CHAT]})["chats"]
        assert isinstance(chat, dict)
        return chat


def test_a_child_answers_one_question_after_another() -> None:
    """Answers come in order, and a chat that fails takes no other with it."""
    template = "{% for m in messages %}{{ m.content }}|{% endfor %}{{ 1 / 0 if messages|length > 2 }}"
    long = {**CHAT, "messages": MESSAGES * 2}
    with Child(RENDERING, wall_seconds=60) as child:
        assert child.ask({"template": template, "tokens": {}}) == {}
        first, second, third = child.ask({"chats": [CHAT, long, CHAT]})["chats"]
    assert first == third == {"text": "Hi|Hello|", "spans": [[3, 9]]}
    assert "ZeroDivisionError" in second["error"]


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        (LOOP, "more time of the processor"),
        ("{{ 'a' * 2000000000 }}", "used more than 1,024 MiB"),
        ("{{ 'x'.center(3000000000) }}", "used more than 1,024 MiB"),
        ("{{ 'a' * 30000000 }}", "it makes 30,000,000 characters of a chat"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "calls itself without end"),
        ("{{ ''.__class__.__mro__ }}", "SecurityError"),
        ("{{ cycler.__init__.__globals__.os.environ }}", "SecurityError"),
        ("{{ messages.append(1) }}", "SecurityError"),
        ("{% set n = namespace(__class__=1) %}", "SecurityError"),
        ("{% include '/etc/passwd' %}", "no loader for this environment"),
        ("{{ raise_exception('roles must alternate') }}", "says TemplateError: roles must alternate"),
    ],
)
def test_a_hostile_template_ends_with_a_reason(template: str, reason: str) -> None:
    """It loops, fills the memory, floods or reaches out, and our process goes on."""
    try:
        found = str(rendered(template).get("error"))
    except ChildError as error:
        found = str(error)
    assert reason in found


@pytest.mark.parametrize("template", ["{% for %}", "{{", "{% generation %}", "{{ x | no_such_filter }}"])
def test_a_template_that_does_not_compile_says_so(template: str) -> None:
    """Before any chat is rendered."""
    with pytest.raises(ChildError, match="says Template"):
        rendered(template)


def test_a_child_that_keeps_us_waiting_is_stopped() -> None:
    """By our clock, whatever the child's own says."""
    with Child(RENDERING, wall_seconds=60) as child:
        child.ask({"template": "x", "tokens": {}})
        child._wall_seconds = 0.2
        with pytest.raises(ChildError, match=r"kept us waiting for more than 0\.2 seconds"):
            child.receive()  # nothing was asked, so nothing comes


def test_a_child_that_is_gone_is_an_error() -> None:
    """Asking it raises, and closing it twice does not."""
    child = Child(RENDERING, wall_seconds=60)
    child.close()
    with pytest.raises(ChildError, match="was ended by signal 9"):
        child.ask({"template": "x", "tokens": {}})
    child.close()


def test_secrets_of_the_environment_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child has a few names of the environment, and none that may hold a token."""
    monkeypatch.setenv("HF_TOKEN", "canary")
    with Child(RENDERING, wall_seconds=60) as child:
        child.ask({"template": "x", "tokens": {}})
        process = child._process.pid
        assert b"canary" not in Path(f"/proc/{process}/environ").read_bytes()
    assert os.environ["HF_TOKEN"] == "canary"
