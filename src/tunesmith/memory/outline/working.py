"""What a step computes, as functions of batch and length that go through two traced points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tunesmith.memory.outline.forms import Where
from tunesmith.memory.work import Work

_QUADRATIC: Final = "attention"


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkForm:
    """One kind of work; each amount is a constant and a share of every token, or of every pair of tokens."""

    kind: str
    """One of tunesmith.memory.work.KINDS."""
    dtype: str
    """Type whose peak rate bounds it."""
    flops: tuple[float, float, float]
    """Floating-point operations: constant, for each token, for each pair of tokens of a sequence."""
    moved_bytes: tuple[float, float, float]
    """Bytes moved, alike."""
    kernels: tuple[float, float, float]
    """Launches, alike."""


def work_forms(
    samples: Sequence[tuple[Where, Mapping[str, Sequence[Work]]]],
) -> dict[str, tuple[WorkForm, ...]]:
    """Return the work of every phase as functions through two *samples*; empty if none was counted."""
    (first, here), (second, there) = samples
    forms = {}
    for phase, works in here.items():
        others = {(work.kind, work.dtype): work for work in there.get(phase, ())}
        forms[phase] = tuple(
            WorkForm(
                kind=work.kind,
                dtype=work.dtype,
                flops=_through(first, work.flops, second, other.flops, work.kind == _QUADRATIC),
                moved_bytes=_through(first, work.moved_bytes, second, other.moved_bytes, False),
                kernels=_through(first, work.kernels, second, other.kernels, False),
            )
            for work in works
            for other in (others.get((work.kind, work.dtype), work),)
        )
    return forms


def work_at(form: WorkForm, batch: int, length: int) -> Work:
    """Return the work of *form* for *batch* sequences of *length* tokens."""
    tokens, pairs = batch * length, batch * length * length

    def amount(of: tuple[float, float, float]) -> int:
        return max(0, round(of[0] + of[1] * tokens + of[2] * pairs))

    return Work(
        kind=form.kind,
        dtype=form.dtype,
        flops=amount(form.flops),
        moved_bytes=amount(form.moved_bytes),
        kernels=amount(form.kernels),
    )


def _through(
    first: Where, here: int, second: Where, there: int, quadratic: bool
) -> tuple[float, float, float]:
    """Return constant, linear and quadratic share of a function through two values.

    Attention counts pairs of tokens and tokens (its own scaling), no constant; all else tokens and a
    constant, which is not negative.
    """
    a, b = first.batch * first.length, second.batch * second.length
    if quadratic:
        p, q = a * first.length, b * second.length
        determinant = a * q - b * p
        if determinant:
            linear, square = (here * q - there * p) / determinant, (a * there - b * here) / determinant
            if linear >= 0 and square >= 0:
                return 0.0, linear, square
        return 0.0, 0.0, max(here / p, there / q)
    if a == b:
        return 0.0, here / a, 0.0
    slope = (there - here) / (b - a)
    constant = here - slope * a
    if constant < 0 or slope < 0:
        return (float(max(here, there)), 0.0, 0.0) if slope < 0 else (0.0, there / b, 0.0)
    return constant, slope, 0.0
