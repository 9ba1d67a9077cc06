"""exact_duplicate: every row but the first that says the same is flagged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tunesmith.checks.exact_duplicate import ExactDuplicate
from tunesmith.checks.finding import Finding

Found = Callable[..., Finding | None]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=12))
def test_the_first_of_each_is_kept(found: Found, rows: list[tuple[str, str]]) -> None:
    """What is left after cleaning has every text once, and nothing that was there once is lost."""
    finding = found(ExactDuplicate, [{"prompt": asked, "completion": answer} for asked, answer in rows])
    dropped = finding.drop if finding else ()
    kept = [row for number, row in enumerate(rows) if number not in dropped]
    assert Counter(kept) == Counter(set(rows))
    assert kept == list(dict.fromkeys(rows))


def test_roles_and_turns_tell_rows_apart(found: Found) -> None:
    """The same words said by others, or in another order, are another row."""
    said = (
        [("user", "a"), ("assistant", "b")],
        [("user", "b"), ("assistant", "a")],
        [("assistant", "a"), ("user", "b")],
    )
    rows = [{"messages": [{"role": role, "content": text} for role, text in turns]} for turns in said]
    assert found(ExactDuplicate, rows) is None
    finding = found(ExactDuplicate, [*rows, rows[1]])
    assert finding is not None and finding.rows == (3,)
    assert finding.evidence[0].note == "repeats row 1"
