"""empty: rows that ask or answer nothing are flagged, and no others."""

from __future__ import annotations

from collections.abc import Callable

from tunesmith.checks.empty import Empty
from tunesmith.checks.finding import Finding

Found = Callable[..., Finding | None]


def row(asked: str, answer: str) -> dict[str, str]:
    return {"instruction": asked, "input": "", "output": answer}


def test_rows_without_a_question_or_an_answer_are_errors(found: Found) -> None:
    """Blanks, line breaks and marks that nobody sees count as nothing."""
    finding = found(
        Empty, [row("q", "a"), row("q", ""), row(" \n", "a"), row("q", "\u200b\u3000"), row("问", "答")]
    )
    assert finding is not None
    assert (finding.severity, finding.rows, finding.drop) == ("error", (1, 2, 3), (1, 2, 3))
    assert [(each.row, each.line, each.note) for each in finding.evidence] == [
        (1, 2, "the text of assistant is empty"),
        (2, 3, "the text of user is empty"),
        (3, 4, "the text of assistant is empty"),
    ]


def test_full_rows_are_no_finding(found: Found) -> None:
    """A single mark that can be seen is an answer."""
    assert found(Empty, [row("2+2", "4"), row("?", "!"), row("表情", "🙂")]) is None


def test_a_message_that_only_calls_a_tool_says_its_call(found: Found) -> None:
    """It has no content, but the call is what is learned; a tool may have nothing to say."""
    call = {"function": {"name": "now", "arguments": "{}"}}
    turns = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "content": ""},
        {"role": "assistant", "content": "a"},
    ]
    assert found(Empty, [{"messages": turns}, {"messages": turns[:2]}]) is None
