"""A wish shares its batch among the cards, or says which batch could be shared."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.architecture import load_architecture
from tunesmith.errors import RecipeError
from tunesmith.search.wish import Layout, Wish


def wish(**keys: Any) -> Wish:
    """Return a wish for a small model."""
    return Wish(model="gpt2", architecture=load_architecture("gpt2"), cluster=None, **keys)


@given(cards=st.integers(1, 512), length=st.integers(1, 1 << 20))
def test_the_usual_batch_is_shared_evenly(cards: int, length: int) -> None:
    """Every card gets the same number of sequences, at least one."""
    batch = wish(sequence_length=length).batch(cards)
    assert batch >= cards
    assert batch % cards == 0


@given(cards=st.integers(1, 64), batch=st.integers(1, 512))
def test_a_batch_that_cannot_be_shared_is_refused_with_one_that_can(cards: int, batch: int) -> None:
    """The message names a multiple of the number of cards."""
    asked = wish(global_batch=batch)
    if batch % cards == 0:
        assert asked.batch(cards) == batch
        return
    with pytest.raises(RecipeError, match=rf"a multiple of {cards}\. Set it to \d+"):
        asked.batch(cards)


def test_an_unknown_goal_is_refused() -> None:
    """With the goals that there are."""
    with pytest.raises(RecipeError, match="expected one of fastest, cheapest, quality"):
        wish(goal="best")


def test_padding_is_paid_for() -> None:
    """Half-full batches take twice the places."""
    assert wish(tokens=100, layouts=(Layout(fill=0.5),)).padded_tokens() == 200
