"""wrong_answer: sums, statements and forms that can be verified are, in whatever format the rows are."""

from __future__ import annotations

from collections.abc import Callable

from tunesmith.checks.finding import Finding
from tunesmith.checks.wrong_answer import WrongAnswer

Found = Callable[..., Finding | None]


def test_each_kind_of_wrong_answer_is_found_and_left_out(found: Found) -> None:
    """The evidence shows the place and what is right; right answers, and other rows, stay."""
    rows = [
        {"prompt": "What is 12*3?", "completion": "38"},
        {"prompt": "What is 12*3?", "completion": "36"},
        {"prompt": "How many eggs are left?", "completion": "She sells 16-3=<<16-3=12>>12 eggs."},
        {"prompt": "鸡蛋还剩几个？", "completion": "她卖了16－3＝13个。"},
        {"prompt": "Is the sea salt? Answer yes or no.", "completion": "The sea is wide."},
        {"prompt": "Is 2+2=5?", "completion": "No: 2+2=4."},
    ]
    finding = found(WrongAnswer, rows)
    assert finding is not None
    assert (finding.severity, finding.rows, finding.drop) == ("error", (0, 2, 4), (0, 2, 4))
    assert [each.note for each in finding.evidence] == [
        "it is 36",
        "it is 13",
        "the question asks for yes or no",
    ]
    assert [each.note_zh for each in finding.evidence] == ["应为 36", "应为 13", "问题要求是或否"]
    assert finding.evidence[1].text == "16-3=12"


def test_only_what_is_learned_counts(found: Found) -> None:
    """A mistake of the user, or of a turn that is not learned, is not the model's."""
    chat = [
        {"role": "user", "content": "I think 2+2=5."},
        {"role": "assistant", "content": "And 3+3=7.", "weight": 0},
        {"role": "user", "content": "Really?"},
        {"role": "assistant", "content": "Sorry, 3+3=6."},
    ]
    assert found(WrongAnswer, [{"messages": chat}]) is None
    wrong = [*chat[:3], {"role": "assistant", "content": "Well, 3+3=8."}]
    finding = found(WrongAnswer, [{"messages": chat}, {"messages": wrong}])
    assert finding is not None and finding.rows == (1,)


def test_what_a_preference_rejects_may_be_wrong(found: Found) -> None:
    """Wrong answers are what rejected ones are for; a wrong chosen one is an error."""
    right = {"prompt": "What is 6*7?", "chosen": "42", "rejected": "41"}
    assert found(WrongAnswer, [right]) is None
    finding = found(WrongAnswer, [right, {"prompt": "What is 6*7?", "chosen": "41", "rejected": "42"}])
    assert finding is not None and finding.rows == (1,)
