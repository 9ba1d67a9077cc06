"""Sizes as exact functions of batch and length."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tunesmith.memory.ledger.sizes import _TERMS, BLOCK_BYTES, columns_of, fitted, rounded, size_at

POINTS = [(2, 1024), (8, 1024), (2, 4096), (4, 2072), (3, 1128), (16, 2048), (2, 512)]
UNSEEN = (5, 1672)


@given(term=st.sampled_from(_TERMS), count=st.integers(1, 10**6))
def test_a_size_of_one_term_is_found_from_its_values_and_right_where_it_was_not_seen(
    term: object, count: int
) -> None:
    size = ((count, term),)
    found = fitted([size_at(size, *point) for point in POINTS], POINTS)  # type: ignore[arg-type]
    assert found is not None
    assert size_at(found, *UNSEEN) == size_at(size, *UNSEEN)  # type: ignore[arg-type]


@given(constant=st.integers(1, 10**9), each=st.integers(1, 10**5))
def test_a_size_of_a_constant_and_so_many_bytes_a_token_is_found(constant: int, each: int) -> None:
    values = [constant + each * batch * length for batch, length in POINTS]
    found = fitted(values, POINTS)
    assert found is not None
    assert size_at(found, *UNSEEN) == constant + each * UNSEEN[0] * UNSEEN[1]


def test_partial_sums_of_a_column_sum_are_found_with_their_number_of_blocks() -> None:
    """Blocks follow the rows, then the card's limit, then the rows each can take."""

    def size(batch: int, length: int) -> int:
        rows = batch * length
        return 294_912 * max(min(44, -(-rows // 64)), -(-rows // 1024))

    points = [*POINTS, (1, 512), (16, 8192)]
    found = fitted([size(*point) for point in points], points)
    assert found is not None
    assert [size_at(found, *p) for p in (UNSEEN, (1, 640), (12, 8192))] == [
        size(*p) for p in (UNSEEN, (1, 640), (12, 8192))
    ]


def test_values_of_no_known_form_are_told_apart_from_those_of_one() -> None:
    assert fitted([1, 7, 20, 3, 9, 4, 100], POINTS) is None


@given(
    size=st.lists(st.tuples(st.integers(1, 5000), st.sampled_from(_TERMS)), min_size=1, max_size=2),
    batch=st.integers(1, 64),
    length=st.integers(1, 9000),
)
def test_columns_of_a_size_sum_to_its_whole_blocks(
    size: list[tuple[int, object]], batch: int, length: int
) -> None:
    exact = rounded(size_at(tuple(size), batch, length))  # type: ignore[arg-type]
    parts = columns_of(tuple(size))  # type: ignore[arg-type]
    assert sum(n * rounded(size_at(column, batch, length)) for column, n in parts) == exact
    assert exact % BLOCK_BYTES == 0
