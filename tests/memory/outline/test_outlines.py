"""An outline says of every variation what its real run needs, on one card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.errors import UnsupportedError
from tunesmith.memory.estimate import Estimate, Traced
from tunesmith.memory.ledger.instants import live_peak
from tunesmith.memory.ledger.sizes import rounded
from tunesmith.memory.outline import Outline, Variation

Outlined = Callable[[str], Outline]
Exact = Callable[[str, Variation], Estimate]

TRACED: list[tuple[str, dict[str, Any]]] = [
    ("full", {"batch": 3, "length": 1000}),
    ("full", {"batch": 4, "accumulation": 3}),
    ("full, no checkpointing", {"batch": 16, "length": 512}),
    ("lora", {"batch": 1, "length": 128, "r": 8}),
    ("lora", {"batch": 16, "length": 512, "r": 64, "accumulation": 2}),
]
"""Variations that run the optimizer of the outline's own traces."""
OTHERS: list[tuple[str, dict[str, Any]]] = [
    ("full", {"batch": 2, "optim": "adamw_torch"}),
    ("full", {"batch": 2, "optim": "adamw_8bit", "accumulation": 2}),
    ("full", {"batch": 16, "length": 512, "optim": "sgd"}),
]


def varied(changes: dict[str, Any]) -> Variation:
    """Return a variation with *changes*."""
    return Variation(**({"batch": 2, "length": 256} | changes))


@pytest.mark.parametrize(("name", "changes"), TRACED)
def test_the_traced_optimizer_is_met_exactly(
    name: str, changes: dict[str, Any], outlined: Outlined, exact: Exact
) -> None:
    """Live bytes at a batch, length, rank and accumulation that no trace saw are those of the run.

    Scalars of earlier micro-batches are left out; blocks larger than asked for move by some MiB.
    """
    variation, known = varied(changes), outlined(name)
    true, found = exact(name, variation), known.needs(variation)
    assert true.timeline is not None
    sizes = [rounded(storage.bytes) for storage in true.timeline.storages]
    live = live_peak(true.timeline, sizes)
    assert live <= found.allocated_bytes - known.block_bytes + (variation.accumulation - 1) * 4096
    assert found.allocated_bytes - known.block_bytes == pytest.approx(live, rel=1e-5)
    assert found.allocated_bytes == pytest.approx(true.peak.allocated_bytes, rel=5e-3)


@pytest.mark.parametrize(("name", "changes"), OTHERS)
def test_another_optimizer_is_met_to_half_a_hundredth(
    name: str, changes: dict[str, Any], outlined: Outlined, exact: Exact
) -> None:
    """Optimizers known from a tiny run of their own are within 0.5 %."""
    variation = varied(changes)
    true, found = exact(name, variation), outlined(name).needs(variation)
    assert found.allocated_bytes == pytest.approx(true.peak.allocated_bytes, rel=5e-3)
    assert found.phase.rpartition(".")[2] == true.peak_at.phase.rpartition(".")[2]


@pytest.mark.parametrize("every", [2, 4])
def test_every_nth_layer_lies_between_all_and_none(every: int, outlined: Outlined, exact: Exact) -> None:
    """Checkpointing some of the layers is met within a hundredth, from the outlines of all and of none."""
    joined = outlined("full").with_unchecked(outlined("full, no checkpointing"))
    variation = varied({"batch": 16, "every_n_layers": every})
    true = exact("full", variation).peak.allocated_bytes
    assert joined.peak_bytes(variation) == pytest.approx(true, rel=0.01)


def test_every_nth_layer_needs_both_outlines(outlined: Outlined) -> None:
    """Without the outline of no checkpointing the question is refused."""
    with pytest.raises(UnsupportedError, match="with_unchecked"):
        outlined("full").peak_bytes(varied({"every_n_layers": 2}))


def test_an_optimizer_that_was_not_asked_for_is_refused(outlined: Outlined) -> None:
    """The message names those that are known."""
    with pytest.raises(UnsupportedError, match="adamw_torch_fused, adamw_torch, adamw_8bit, sgd"):
        outlined("full").peak_bytes(varied({"optim": "adafactor"}))


VARIATIONS = st.builds(
    Variation,
    batch=st.integers(1, 32),
    length=st.integers(2, 64).map(lambda n: 16 * n),
    accumulation=st.integers(1, 4),
    optim=st.sampled_from(["adamw_torch_fused", "adamw_torch", "adamw_8bit", "sgd"]),
    sharding=st.sampled_from(
        ["none", "ddp", "zero1", "zero2", "zero3", "fsdp", "fsdp_grad_op", "fsdp_hybrid"]
    ),
    gpus=st.sampled_from([1, 2, 4, 8]),
    nodes=st.sampled_from([1, 2]),
)


@given(variation=VARIATIONS)
def test_parts_sum_to_the_total(variation: Variation, outlined: Outlined) -> None:
    """Whatever varies, the categories are all of the bytes, and the fast path agrees with the full answer."""
    known = outlined("full")
    needs = known.needs(variation)
    assert sum(needs.parts.values()) == needs.allocated_bytes == known.peak_bytes(variation)
    assert needs.reserved_bytes >= needs.allocated_bytes
    assert all(count >= 0 for count in needs.parts.values()), needs


@given(variation=VARIATIONS)
def test_more_of_a_batch_or_a_sequence_never_needs_less(variation: Variation, outlined: Outlined) -> None:
    """Memory grows with the batch, the length and the passes before a step."""
    known = outlined("full")
    here = known.peak_bytes(variation)
    more = (
        replace(variation, batch=variation.batch + 1),
        replace(variation, length=variation.length + 16),
        replace(variation, accumulation=variation.accumulation + 1),
    )
    assert min(known.peaks(more)) >= here


def test_work_is_what_the_traces_count(outlined: Outlined, worked: Callable[..., Traced]) -> None:
    """Operations at a point that no trace saw are within a thousandth, bytes moved within a tenth."""
    found = outlined("full").work(4, 1024)
    true = worked("full", Variation(batch=4, length=1024)).work
    for phase in ("step2.forward", "step2.backward", "step2.step"):
        assert [work.kind for work in found[phase]] == [work.kind for work in true[phase]]
        for mine, theirs in zip(found[phase], true[phase], strict=True):
            assert mine.flops == pytest.approx(theirs.flops, rel=1e-3)
            assert mine.moved_bytes == pytest.approx(theirs.moved_bytes, rel=0.1)
