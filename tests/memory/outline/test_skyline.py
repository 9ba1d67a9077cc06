"""The skyline keeps every instant that can be the peak: its tallest is the peak of the whole run."""

from __future__ import annotations

import pytest

from tunesmith.memory.ledger.instants import live_peak
from tunesmith.memory.ledger.sizes import rounded
from tunesmith.memory.outline.places import place
from tunesmith.memory.outline.sampling import Sampled, at_point
from tunesmith.memory.outline.skyline import family_of, layer_of, skyline, unit_of


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_tallest_instant_is_the_peak_of_the_run(number: int, sampled: Sampled) -> None:
    """At every traced point, the skyline and the whole run agree to the byte."""
    timeline = at_point(sampled.timeline, number)
    here = place(skyline(sampled), sampled.points[number])
    whole = [line for line in here.lines if line.family not in ("sharded", "accumulated")]
    true = live_peak(timeline, [rounded(storage.bytes) for storage in timeline.storages])
    assert max(sum(line.parts.values()) for line in whole) == true


def test_roles_sum_to_the_whole(sampled: Sampled) -> None:
    """Each instant's roles are all of its bytes, and gradients are as large as what learns."""
    here = place(skyline(sampled), sampled.points[0])
    for line in here.lines:
        assert line.lasting + line.gradients + line.states + line.rest == sum(line.parts.values())
    assert here.gradients == here.lasting - here.built.get("buffers", 0)
    assert here.layer * 8 < here.lasting < here.layer * 8 + 2 * here.head + 8192


def test_a_pass_that_reduces_layer_by_layer_keeps_each_gradient_once(sampled: Sampled) -> None:
    """Gradients at work and gradients done are never more than all of them."""
    here = place(skyline(sampled), sampled.points[0])
    reducing = [line for line in here.lines if line.family == "sharded"]
    assert reducing
    for line in reducing:
        assert line.gradients + line.done <= here.gradients
        assert line.reducing <= line.done
        assert line.gradients <= max(here.layer, 2 * here.head)


@pytest.mark.parametrize(
    ("phase", "family"),
    [
        ("load", "load"),
        ("adapters", "load"),
        ("step1.forward", "pass"),
        ("step2.3.backward", "pass"),
        ("step2.clip", "clip"),
        ("step1.step", "step"),
        ("step2.end", "end"),
        ("end", "end"),
    ],
)
def test_phases_have_families(phase: str, family: str) -> None:
    """The family of an instant follows from the name of its phase."""
    assert family_of(phase) == family


def test_layers_are_told_from_what_is_outside() -> None:
    """A module's unit of sharding is its layer, or itself."""
    assert (layer_of("model.layers.12.mlp"), unit_of("model.layers.12.mlp")) == (12, "model.layers.12")
    assert (layer_of("lm_head"), unit_of("lm_head")) == (None, "lm_head")
