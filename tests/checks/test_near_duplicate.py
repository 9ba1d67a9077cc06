"""near_duplicate: what is nearly the same is found and compared; what differs in what matters stays."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tunesmith.checks import Asked, check_rows
from tunesmith.checks.exact_duplicate import ExactDuplicate
from tunesmith.checks.finding import Finding
from tunesmith.checks.near_duplicate import THRESHOLD, NearDuplicate
from tunesmith.data.scanning import recognised

Found = Callable[..., Finding | None]
Row = dict[str, str]
EASY = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

LATIN = [
    f"{a}{b}" for a in ("ka", "lo", "mi", "su", "te", "ro") for b in ("n", "rd", "st", "lm", "ve", "x", "ph")
]
HAN = "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏云腾致雨露结为霜金生丽水玉出昆冈"


def text(rng: random.Random, words: int, *, han: bool) -> list[str]:
    """Return so many words that no other text has in this order."""
    return [rng.choice(HAN if han else LATIN) for _ in range(words)]


def joined(words: list[str], *, han: bool) -> str:
    return ("" if han else " ").join(words)


def pairs(words: list[str]) -> set[tuple[str, str]]:
    return set(itertools.pairwise(words))


@EASY
@given(seed=st.integers(0, 10_000), han=st.booleans(), words=st.integers(40, 300))
def test_a_row_with_a_changed_word_in_thirty_is_found(found: Found, seed: int, han: bool, words: int) -> None:
    """Among others, in Latin letters and in Chinese, the changed copy is dropped for the first."""
    rng = random.Random(seed)
    asked, answer = text(rng, 15, han=han), text(rng, words, han=han)
    again = list(answer)
    for at in range(7, words, 30):
        again[at] = "other" if not han else "鸟"
    rows = [
        {
            "prompt": joined(text(rng, 15, han=han), han=han),
            "completion": joined(text(rng, words, han=han), han=han),
        }
        for _ in range(6)
    ]
    rows[1] = {"prompt": joined(asked, han=han), "completion": joined(answer, han=han)}
    rows[4] = {"prompt": joined(asked, han=han).upper() + "!", "completion": joined(again, han=han)}
    finding = found(NearDuplicate, rows)
    assert finding is not None
    assert (finding.severity, finding.rows, finding.drop, dict(finding.instead)) == (
        "warning",
        (4,),
        (4,),
        {4: 1},
    )
    assert "row 1" in finding.evidence[0].note


@EASY
@given(seed=st.integers(0, 10_000), changes=st.lists(st.integers(0, 12), min_size=2, max_size=8))
def test_no_row_is_dropped_that_is_less_alike_than_the_bound(
    found: Found, seed: int, changes: list[int]
) -> None:
    """Every dropped row shares the stated part of its runs with the row that stays, and that row stays."""
    rng = random.Random(seed)
    base = text(rng, 50, han=False)
    said = []
    for count in changes:
        words = list(base)
        for _ in range(count):
            words[rng.randrange(len(words))] = rng.choice(LATIN)
        said.append(words)
    finding = found(NearDuplicate, [{"text": " ".join(words)} for words in said])
    for row, first in (finding.instead if finding else {}).items():
        one, other = pairs(said[row]), pairs(said[first])
        assert len(one & other) / len(one | other) >= THRESHOLD
        assert finding is not None and first not in finding.drop and first < row


def test_what_differs_where_it_matters_stays(found: Found) -> None:
    """Numbers, short answers and the question tell rows apart, however much of their words is shared."""
    long = (
        "the tariff for goods that cross the river by the old stone bridge on market days in winter is kept"
    )
    essay = " ".join(text(random.Random(1), 80, han=False))
    rows = [
        {
            "prompt": f"By the old law {long}. How much for 12 sheep?",
            "completion": "It is three silver pence.",
        },
        {
            "prompt": f"By the old law {long}. How much for 15 sheep?",
            "completion": "It is three silver pence.",
        },
        {"prompt": f"Is it true that {long} in a book?", "completion": "Yes."},
        {"prompt": f"Is it true that {long} in a book?", "completion": "No."},
        {"prompt": "Write about the sea.", "completion": essay},
        {"prompt": "Which poem did the old sailor like?", "completion": essay},
    ]
    assert found(NearDuplicate, rows) is None


def test_the_template_of_a_set_makes_no_duplicates(found: Found) -> None:
    """Rows that share a long instruction are told apart by their own few words."""
    rng = random.Random(2)
    order = (
        "Read the following report of a customer with care and say in one word whether it is good or bad news"
    )
    rows = [
        {"instruction": order, "input": " ".join(text(rng, 6, han=False)), "output": "good"}
        for _ in range(60)
    ]
    assert found(NearDuplicate, rows) is None
    again = {**rows[7], "input": rows[7]["input"].title() + "."}
    finding = found(NearDuplicate, [*rows, again])
    assert finding is not None and dict(finding.instead) == {60: 7}


def test_an_exact_repetition_is_left_to_its_own_check(found: Found) -> None:
    """Each row is told of once: both checks together leave one row of each kind."""
    rng = random.Random(3)
    words = text(rng, 60, han=False)
    row = {"text": " ".join(words)}
    near = {"text": " ".join([*words[:30], "other", *words[31:]])}
    rows = [row, row, near, near]
    exact, other = found(ExactDuplicate, rows), found(NearDuplicate, rows)
    assert exact is not None and exact.drop == (1, 3)
    assert other is not None and other.drop == (2,)


def test_long_texts_are_compared_by_a_sample_and_bad_rows_are_passed_over(tmp_path: Path) -> None:
    """A text of thousands of words is found with a few changed; one that shares half of it stays."""
    rng = random.Random(4)
    words = text(rng, 6000, han=False)
    parts = [f"{word}{index % 90}" for index, word in enumerate(words)]
    changed = [("other" if index % 100 == 50 else word) for index, word in enumerate(parts)]
    half = parts[:3000] + [word[::-1] for word in parts[3000:]]
    path = tmp_path / "rows.txt"
    path.write_text("\n".join(" ".join(each) for each in (parts, half, changed)))
    report, _ = check_rows(Asked(form=recognised(path), path=path), [NearDuplicate])
    assert [dict(each.instead) for each in report.findings] == [{2: 0}]
    lines = ['{"text": "a b c d e f g"}', "{", '{"text": "A b, c d e f g."}']
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(lines))
    report, _ = check_rows(Asked(form=recognised(path), path=path), [NearDuplicate])
    assert [dict(each.instead) for each in report.findings if each.check == "near_duplicate"] == [{2: 0}]
