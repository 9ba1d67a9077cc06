"""role_order: user and assistant alternate, the system speaks first, tools answer calls."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tunesmith.checks.finding import Finding
from tunesmith.checks.role_order import RoleOrder

Found = Callable[..., Finding | None]
ROLES = {"s": "system", "u": "user", "a": "assistant", "t": "tool", "x": "narrator"}


def chat(word: str) -> dict[str, object]:
    return {"messages": [{"role": ROLES[each], "content": f"{n}"} for n, each in enumerate(word)]}


@pytest.mark.parametrize(
    ("word", "note"),
    [
        ("xa", "a role that no template knows"),
        ("susa", "two system messages"),
        ("usa", "a system message that is not the first"),
        ("aua", "it does not begin with the user"),
        ("uua", "the user speaks twice in a row"),
        ("uaa", "the assistant speaks twice in a row"),
        ("uta", "a tool answers that was not called"),
        ("uatua", "nobody says what the tool's answer means"),
    ],
)
def test_turns_out_of_order_are_errors(found: Found, word: str, note: str) -> None:
    """The evidence says what is wrong with the first of them; cleaning leaves the rows out."""
    finding = found(RoleOrder, [chat("ua"), chat(word), chat("sua")])
    assert finding is not None
    assert (finding.severity, finding.rows, finding.drop) == ("error", (1,), (1,))
    assert finding.evidence[0].note == note and finding.evidence[0].note_zh


def test_a_last_turn_without_an_answer_is_a_warning(found: Found) -> None:
    """Nothing wrong is learned of it, so the row stays."""
    finding = found(RoleOrder, [chat("uau"), chat("ua"), chat("uat"), chat("su")])
    assert finding is not None
    assert (finding.severity, finding.rows, finding.drop) == ("warning", (0, 2, 3), ())


def test_tools_and_plain_text_are_in_order(found: Found) -> None:
    """A call, its answers, and what the assistant makes of them; prompts with completions; preferences."""
    assert found(RoleOrder, [chat("suatatta"), chat("uattaua")]) is None
    assert found(RoleOrder, [{"text": "plain"}]) is None
    assert found(RoleOrder, [{"prompt": "q", "chosen": "a", "rejected": "b"}]) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.text(alphabet="suatx", min_size=1, max_size=7), min_size=1, max_size=8))
def test_exactly_the_words_of_the_grammar_pass(found: Found, words: list[str]) -> None:
    """The quick look at neighbours and the grammar agree."""
    grammar = re.compile("s?u(?:a(?:t+a)*u)*a(?:t+a)*")
    finding = found(RoleOrder, [chat(word) for word in words])
    bad = tuple(number for number, word in enumerate(words) if not grammar.fullmatch(word))
    assert (finding.rows if finding else ()) == bad
