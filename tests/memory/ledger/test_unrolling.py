"""Many layers from few: hand-made loops, and what cannot be unrolled."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.errors import UnsupportedError
from tunesmith.memory.ledger.unrolling import unrolling, without_layer
from tunesmith.memory.timeline import Phase, Storage, Timeline


def run(layers: int, blocks: list[int], *, fifo: bool = False) -> Timeline:
    """Return a forward over *layers* that keeps *blocks*, and a backward that gives them back."""
    storages: list[Storage] = []
    events: list[int] = []

    def born(count: int, module: str, operation: str) -> int:
        storages.append(Storage(bytes=count, category="activations", module=module, operation=operation))
        events.append(len(storages))
        return len(storages)

    born(100 * layers, "", "warm-up")
    held = [[born(b, f"model.layers.{i}.mlp", "aten::mm") for b in blocks] for i in range(layers)]
    middle = len(events)
    norms = born(4 * layers, "", "aten::stack")
    for i in reversed(range(layers)):
        temporary = born(7, f"model.layers.{i}", "aten::mul")
        events.extend(-index for index in (held[i] if fifo else reversed(held[i])))
        events.append(-temporary)
    events.append(-norms)
    phases = (
        Phase(name="forward", start=0, end=middle),
        Phase(name="backward", start=middle, end=len(events)),
    )
    return Timeline(storages=tuple(storages), events=tuple(events), phases=phases)


@settings(deadline=None, max_examples=60)
@given(
    blocks=st.lists(st.integers(1, 5), min_size=1, max_size=6),
    few=st.integers(2, 5),
    rounds=st.integers(0, 30),
    fifo=st.booleans(),
)
def test_loops_over_layers_are_unrolled_to_the_last_byte_and_name(
    blocks: list[int], few: int, rounds: int, fifo: bool
) -> None:
    found = unrolling(run(few, blocks, fifo=fifo), run(few + 1, blocks, fifo=fifo)).timeline(rounds)
    truth = run(few + rounds, blocks, fifo=fifo)
    assert found.storages == truth.storages
    assert found.phases == truth.phases
    same = [(e > 0, found.storages[abs(e) - 1]) for e in found.events]
    assert same == [(e > 0, truth.storages[abs(e) - 1]) for e in truth.events]


def test_no_round_and_one_round_give_back_the_two_timelines() -> None:
    few, more = run(3, [1, 2]), run(4, [1, 2])
    found = unrolling(few, more)
    assert (found.timeline(0), found.timeline(1)) == (few, more)


def test_timelines_of_other_phases_are_refused() -> None:
    few, more = run(3, [1]), run(4, [1])
    renamed = Timeline(
        storages=more.storages,
        events=more.events,
        phases=(Phase(name="other", start=0, end=more.phases[0].end), more.phases[1]),
    )
    with pytest.raises(UnsupportedError, match="phases change"):
        unrolling(few, renamed)


def test_what_is_no_loop_is_refused_rather_than_guessed() -> None:
    with pytest.raises(UnsupportedError, match="trace all layers"):
        unrolling(run(4, [1, 2, 3]), run(3, [5]))


@pytest.mark.parametrize(
    ("module", "bare"),
    [
        ("model.layers.31.mlp", "model.layers.*.mlp"),
        ("model.layers.3.mlp.experts.7.up", "model.layers.*.mlp.experts.7.up"),
        ("transformer.h.0", "transformer.h.*"),
        ("model.norm1", "model.norm1"),
        ("", ""),
    ],
)
def test_a_module_is_told_from_another_but_for_the_number_of_its_layer(module: str, bare: str) -> None:
    assert without_layer(module) == bare
