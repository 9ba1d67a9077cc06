"""One unrolling carries the sizes of three points through, and each is what a trace there gives."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tunesmith.architecture import Architecture
from tunesmith.errors import UnsupportedError
from tunesmith.hardware import Gpu
from tunesmith.memory.ledger import Trace, scaled_trace
from tunesmith.memory.outline.sampling import Sampled, at_point, sample, unpacked
from tunesmith.recipe import Recipe


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_run_at_each_point_is_that_of_a_trace_there(
    number: int,
    sampled: Sampled,
    llama: Architecture,
    recipe_for: Callable[..., Recipe],
    real_trace: Trace,
    card: Gpu,
) -> None:
    """Unpacked, the events and bytes are those of the whole model traced at the point."""
    where = sampled.points[number]
    recipe = recipe_for("full", per_device_train_batch_size=where.batch, sequence_length=where.length)
    true = scaled_trace(llama, recipe, card, trace=real_trace).timeline
    found = at_point(sampled.timeline, number)
    assert found.events == true.events
    assert [s.bytes for s in found.storages] == [s.bytes for s in true.storages]


def test_points_lie_on_both_sides_of_a_chunk_of_the_loss(sampled: Sampled) -> None:
    """What stops growing at a chunk is seen below it and above it."""
    tokens = [where.batch * where.length for where in sampled.points]
    assert min(tokens) < 4096 < max(tokens)


def test_packed_sizes_come_apart_again() -> None:
    """Sizes lie side by side in one number, and a mark for what stops at a chunk beyond them."""
    assert unpacked(5 | 7 << 60 | 9 << 120) == ((5, 7, 9), 0)
    assert unpacked(5 | 7 << 60 | 9 << 120 | 1 << 180) == ((5, 7, 9), 4096)


def test_a_step_that_never_agrees_has_no_outline(
    llama: Architecture, recipe_for: Callable[..., Recipe], real_trace: Trace, card: Gpu, sampled: Sampled
) -> None:
    """Where every point runs other operations, that is said, and nothing is guessed."""
    traced = sampled.traced
    runs = iter(range(100))

    def restless(*_: object) -> object:
        cut = next(runs)
        return type(traced)(
            timeline=type(traced.timeline)(
                storages=traced.timeline.storages, events=traced.timeline.events[cut:], phases=()
            ),
            parameters=1,
            trainable_parameters=1,
            assumptions=(),
            versions={},
        )

    with pytest.raises(UnsupportedError, match="other operations"):
        sample(llama, recipe_for("full"), card, restless)  # type: ignore[arg-type]
