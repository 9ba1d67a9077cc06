"""Limits: no minute has more than is allowed, and no money is spent that is not there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.data.building.limits import Budget, BudgetError, Pace


class Clock:
    """A clock that moves when one sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let it pass."""
        self.now += seconds


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 6), st.integers(50, 120))
def test_no_minute_has_more_than_allowed(sizes: list[int], requests: int, tokens: int) -> None:
    """Whatever is asked, over every window of sixty seconds."""
    clock = Clock()
    pace = Pace(requests=requests, tokens=tokens, clock=clock, sleep=clock.sleep)
    sent = []
    for size in sizes:
        pace.wait(size)
        sent.append((clock.now, size))
    for at, _ in sent:
        window = [size for when, size in sent if at <= when < at + 59.999]
        assert len(window) <= requests and sum(window) <= tokens


def test_one_that_is_too_large_is_sent_alone() -> None:
    """Else it would wait for ever."""
    clock = Clock()
    pace = Pace(requests=None, tokens=10, clock=clock, sleep=clock.sleep)
    pace.wait(50)
    pace.wait(50)
    assert clock.now == pytest.approx(60)


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000), st.floats(0, 1)), max_size=30))
def test_a_budget_is_never_exceeded(asked: list[tuple[int, int, float]]) -> None:
    """What a request may cost is set aside before it is sent."""
    budget = Budget(most=0.01, price_in=1.0, price_out=4.0)
    for tokens_in, tokens_out, share in asked:
        try:
            held = budget.hold(tokens_in, tokens_out)
        except BudgetError:
            assert budget.spent + budget.cost(tokens_in, tokens_out) > 0.01 * (1 - 1e-9)
            continue
        budget.settle(held, held * share)
        assert budget.spent <= 0.01 * (1 + 1e-9)
