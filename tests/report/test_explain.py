"""The derivation: lines that sum to their part, and sentences only where they are true to the byte."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tunesmith.memory.estimate import Estimate, Traced, estimate_from
from tunesmith.memory.timeline import Phase, Storage, Timeline
from tunesmith.recipe import Recipe
from tunesmith.report.explain import derive
from tunesmith.report.peak import alive_at_peak, pattern

Made = Callable[..., Estimate]


def test_every_part_is_derived_to_the_byte(made: Made) -> None:
    """Each part has a derivation whose lines, counted apart, sum to it."""
    estimate = made()
    found = {each.category: each for each in derive(estimate)}
    assert set(found) == set(estimate.parts)
    for category, each in found.items():
        assert sum(line.bytes for line in each.lines) == estimate.parts[category]


def test_layers_are_factors(made: Made) -> None:
    """What every layer has once is a number of layers times a size."""
    states = next(each for each in derive(made()) if each.category == "optimizer states")
    assert states.lines[0].formula == "10 × 104,857,600"
    gradients = next(each for each in derive(made()) if each.category == "gradients")
    assert gradients.lines[0].formula == "4 layers × 104,857,600"


def test_a_product_is_stated_only_if_it_is_true(made: Made) -> None:
    """Parameters times bytes is said of bf16 weights that are so, and not when a count is off by one."""
    estimate = made()
    weights = next(each for each in derive(estimate) if each.category == "weights")
    assert weights.facts == (f"{estimate.parameters:,} parameters × 2 bytes (bfloat16)",)
    off = replace(estimate, parameters=estimate.parameters + 1)
    assert next(each for each in derive(off) if each.category == "weights").facts == ()


def quantised(parameters: int) -> Estimate:
    """Return a run of 1,000 packed parameters, 100 that are not, and 40 bytes of constants."""
    held = [(500, "weights", "bitsandbytes::quantize_4bit"), (200, "weights", "aten::empty")]
    held += [(40, "quantization constants", "bitsandbytes::quantize_blockwise")]
    storages = tuple(Storage(bytes=n, category=c, module="", operation=op) for n, c, op in held)
    timeline = Timeline(storages=storages, events=(1, 2, 3), phases=(Phase(name="load", start=0, end=3),))
    traced = Traced(
        timeline=timeline, parameters=parameters, trainable_parameters=0, assumptions=(), versions={}
    )
    recipe = Recipe(model="gpt2", method="qlora")
    return estimate_from(traced, model="tiny", recipe=recipe, gpu=None)


def test_packed_weights_are_counted_in_bits() -> None:
    """Quantised weights and the others are told apart where together they are all parameters."""
    weights, constants = derive(quantised(1100))
    assert weights.facts == ("1,000 parameters × 4 bits + 100 not quantised × 2 bytes (bfloat16)",)
    assert constants.facts == ("0.320 bits for each of 1,000 quantised parameters",)
    assert derive(quantised(1099))[0].facts == ()


def test_groups_are_the_peak(made: Made) -> None:
    """The groups alive at the peak sum to what is allocated, and to each part."""
    estimate = made()
    groups = alive_at_peak(estimate)
    assert sum(group.block_bytes for group in groups) == estimate.peak.allocated_bytes
    for category, count in estimate.parts.items():
        assert sum(group.block_bytes for group in groups if group.category == category) == count


def test_without_a_timeline_nothing_is_derived(made: Made) -> None:
    """An estimate that was not traced has no derivation, rather than a guess."""
    assert derive(replace(made(), timeline=None)) == ()


def test_numbers_in_paths_are_stars() -> None:
    """Only whole numbers between dots are layers; names with digits are left alone."""
    assert pattern("model.layers.3.self_attn.k2_proj") == "model.layers.*.self_attn.k2_proj"
    assert pattern("base_model.model") == ""
    assert pattern("") == ""
