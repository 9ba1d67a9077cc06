"""Work over batch and length goes through the traced points and follows tokens and pairs of tokens."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tunesmith.memory.outline.forms import Where
from tunesmith.memory.outline.working import work_at, work_forms
from tunesmith.memory.work import Work

HERE, THERE = Where(2, 1024, 16), Where(5, 1128, 16)
SHARES = st.integers(0, 1 << 40)


def work(kind: str, flops: int, moved: int = 0) -> Work:
    """Return work of one kind."""
    return Work(kind=kind, dtype="bf16", flops=flops, moved_bytes=moved, kernels=7)


@given(share=SHARES, constant=SHARES, batch=st.integers(1, 64), length=st.integers(1, 8192))
def test_matrix_products_follow_tokens_and_a_constant(
    share: int, constant: int, batch: int, length: int
) -> None:
    """From two points, what is computed anywhere follows to within rounding."""

    def at(where: Where) -> Work:
        return work("matmul", share * where.batch * where.length + constant, constant)

    (form,) = work_forms([(p, {"step2.forward": [at(p)]}) for p in (HERE, THERE)])["step2.forward"]
    true = at(Where(batch, length, 16))
    found = work_at(form, batch, length)
    assert abs(found.flops - true.flops) <= 1e-6 * (true.flops + at(THERE).flops)
    assert found.moved_bytes == constant
    assert found.kernels == 7


@given(pairs=st.integers(1, 1 << 20), batch=st.integers(1, 64), length=st.integers(1, 8192))
def test_attention_follows_pairs_of_tokens(pairs: int, batch: int, length: int) -> None:
    """Twice the length is four times the attention of a sequence."""
    samples = [
        (p, {"step2.forward": [work("attention", pairs * p.batch * p.length**2)]}) for p in (HERE, THERE)
    ]
    (form,) = work_forms(samples)["step2.forward"]
    true = pairs * batch * length**2
    assert abs(work_at(form, batch, length).flops - true) <= 1e-6 * true + 1


def test_nothing_counted_gives_nothing() -> None:
    """Traces that counted no work make no forms."""
    assert work_forms([(HERE, {}), (THERE, {})]) == {}
