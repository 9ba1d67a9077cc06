"""untrained: rows from which nothing is learned."""

from __future__ import annotations

from collections.abc import Callable

from tunesmith.checks.finding import Finding
from tunesmith.checks.untrained import Untrained

Found = Callable[..., Finding | None]


def test_rows_without_anything_to_learn_are_errors(found: Found) -> None:
    """No turn of the assistant, or none that is learned; the note says which."""
    asked = {"role": "user", "content": "q"}
    rows = [
        {"messages": [asked, {"role": "assistant", "content": "a"}]},
        {"messages": [asked]},
        {"messages": [asked, {"role": "assistant", "content": "a", "loss": False}]},
    ]
    finding = found(Untrained, rows)
    assert finding is not None
    assert (finding.severity, finding.rows, finding.drop) == ("error", (1, 2), (1, 2))
    notes = ["no turn is the assistant's", "every answer is marked as not learned"]
    assert [each.note for each in finding.evidence] == notes
    assert all(each.note_zh for each in finding.evidence)


def test_other_formats_always_have_something_to_learn(found: Found) -> None:
    """Plain text, completions and the sides of a preference are learned."""
    assert found(Untrained, [{"text": "plain"}]) is None
    assert found(Untrained, [{"prompt": "q", "completion": "a"}]) is None
    assert found(Untrained, [{"prompt": "q", "chosen": "a", "rejected": "b"}]) is None
