"""A search finds recipes that fit, the best for its goal first, and says why; or what would fit."""

from __future__ import annotations

import pytest

from tunesmith import api
from tunesmith.architecture import load_architecture
from tunesmith.errors import HardwareError, RecipeError
from tunesmith.hardware import Cluster, gpu
from tunesmith.search import Plans, Wish
from tunesmith.search.space import families, variations
from tunesmith.search.weighing import NOT_KNOWN_APART

MODEL = "HuggingFaceTB/SmolLM2-135M"


@pytest.fixture(scope="module")
def fastest() -> Plans:
    """Return the fastest recipes for a small model on a small card."""
    return api.plan(MODEL, gpu="T4-16GB", sequence_length=256, global_batch=8)


def test_every_plan_fits_and_says_so(fastest: Plans) -> None:
    """Each was traced, and its first reasons are what the trace found."""
    assert fastest.plans
    for plan in fastest.plans:
        assert plan.margin_bytes >= 0
        assert plan.peak.process_bytes + plan.margin_bytes == gpu("T4-16GB").memory_bytes
        assert "fits" in {reason.code for reason in plan.reasons}
    assert fastest.plans[0].reasons[0].code == "fastest"


def test_a_plan_needs_what_the_estimate_of_its_recipe_says(fastest: Plans) -> None:
    """The figures are those of the engine, not of the search."""
    best = fastest.plans[0]
    assert api.estimate(best.recipe).peak == best.peak


def test_the_fastest_is_first(fastest: Plans) -> None:
    """Or a truer method whose time is not known to be longer."""
    middles = [sum(plan.step_seconds) for plan in fastest.plans]
    assert middles[0] <= NOT_KNOWN_APART * 1.02 * min(middles)


def test_no_point_of_the_front_is_beaten(fastest: Plans) -> None:
    """In memory, time and fidelity at once."""
    points = [(p.process_bytes, sum(p.step_seconds), -p.fidelity) for p in fastest.front]
    for one in points:
        assert not any(
            other != one and all(a <= b for a, b in zip(other, one, strict=True)) for other in points
        )


def test_cards_before_ampere_get_types_that_they_have(fastest: Plans) -> None:
    """A T4 knows no bfloat16, and nothing learns in float16 alone."""
    for plan in fastest.plans:
        precision = plan.recipe.precision
        assert "bfloat16" not in (precision.weights, precision.autocast)
        assert plan.recipe.method not in ("full", "freeze") or precision.weights == "float32"


def test_quality_prefers_what_learns_most() -> None:
    """Full fine-tuning in 32 bits fits here, and nothing is above it."""
    plans = api.plan(MODEL, gpu="T4-16GB", sequence_length=256, global_batch=8, goal="quality", top=1)
    assert plans.plans[0].fidelity == 100
    assert plans.plans[0].recipe.method == "full"


def test_a_budget_leaves_out_what_costs_more() -> None:
    """A cent buys nothing: what fits is named with its price, and no other card is."""
    plans = api.plan(MODEL, gpu="T4-16GB", sequence_length=256, global_batch=8, budget_usd=1e-6, top=1)
    assert not plans.plans
    assert not plans.hardware
    assert plans.nearest_miss is not None
    assert plans.nearest_miss.missing_bytes == 0
    assert [reason.code for reason in plans.nearest_miss.reasons] == ["too_dear"]


def test_the_whole_batch_is_the_same_in_every_recipe() -> None:
    """Micro-batch, accumulation and cards multiply to it, whatever else varies."""
    cluster = Cluster(gpu=gpu("A100-80GB"), gpus=4)
    wish = Wish(model=MODEL, architecture=load_architecture(MODEL), cluster=cluster, global_batch=24)
    for family in families(wish, cluster):
        for each in variations(family, wish, cluster):
            assert each.batch * each.accumulation * cluster.cards == 24


def test_what_cannot_be_asked_is_refused() -> None:
    """With what could be asked instead."""
    with pytest.raises(HardwareError, match="did you mean"):
        api.plan(MODEL, gpu="RTX 4909")
    with pytest.raises(RecipeError, match="a multiple of 8"):
        api.plan(MODEL, gpu="A100-80GB", gpus=8, global_batch=12)
