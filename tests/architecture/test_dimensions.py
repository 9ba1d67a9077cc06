"""The range of every dimension, and which must agree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.architecture import dimensions
from tunesmith.architecture.dimensions import dimension_problem, disagreements, limit_of

NAMED = sorted(dimensions._NAMED)


@pytest.mark.parametrize("key", NAMED)
def test_both_ends_of_a_range_are_accepted_and_one_step_beyond_is_not(key: str) -> None:
    limit = limit_of(key)
    assert limit is not None
    assert dimension_problem(key, limit.low) is None
    assert dimension_problem(key, limit.high) is None
    for beyond in (limit.low - 1, limit.high + 1):
        problem = dimension_problem(key, beyond)
        assert problem and f"{limit.high:,}" in problem


@pytest.mark.parametrize("key", NAMED)
@pytest.mark.parametrize("value", ["64", True, False, 64.0, {}, float("nan")])
def test_a_dimension_is_an_integer_and_nothing_that_resembles_one(key: str, value: object) -> None:
    assert "expected an integer" in (dimension_problem(key, value) or "")


@pytest.mark.parametrize("key", NAMED)
def test_an_absent_dimension_is_left_to_the_class(key: str) -> None:
    assert dimension_problem(key, None) is None


def test_what_differs_by_layer_may_be_a_list_whose_every_entry_is_checked() -> None:
    assert dimension_problem("intermediate_size", [1, 2, None]) is None
    assert "at [1]" in (dimension_problem("intermediate_size", [1, -2]) or "")
    assert "at [0]" in (dimension_problem("num_key_value_heads", ["8"]) or "")
    assert "a list was given" in (dimension_problem("hidden_size", [1, 2]) or "")


@pytest.mark.parametrize(
    ("key", "high"),
    [
        ("mtp_num_layers", 1_000),
        ("num_quantum_blocks", 1_000),
        ("depth", 1_000),
        ("num_shared_experts", 4_096),
        ("num_emotion_labels", 100_000),
        ("linear_num_key_heads", 4_096),
        ("embed_dim", 1 << 24),
        ("vocab_size_per_layer_input", 4_000_000),
    ],
)
def test_a_dimension_nobody_listed_is_bounded_by_its_kind_of_name(key: str, high: int) -> None:
    assert dimension_problem(key, high) is None
    assert dimension_problem(key, high + 1)


@pytest.mark.parametrize("key", ["rope_theta", "layer_norm_eps", "layerdrop", "hidden_act", "model_type", ""])
def test_other_keys_are_no_dimensions(key: str) -> None:
    assert limit_of(key) is None


def test_layers_counted_from_the_last_are_accepted() -> None:
    assert dimension_problem("vision_feature_layer", -2) is None


@given(st.integers(1, 512), st.integers(1, 64))
def test_heads_must_divide_the_hidden_size_unless_their_width_is_stated(hidden: int, heads: int) -> None:
    scope: dict[str, object] = {"hidden_size": hidden, "num_attention_heads": heads}
    assert bool(list(disagreements(scope))) == bool(hidden % heads)
    assert not list(disagreements({**scope, "head_dim": 64}))


@given(st.integers(1, 64), st.integers(1, 64))
def test_key_value_heads_must_divide_the_heads(heads: int, shared: int) -> None:
    scope = {"n_head": heads, "num_kv_heads": shared}
    assert bool(list(disagreements(scope))) == bool(heads % shared)


@given(st.integers(0, 16), st.integers(0, 16))
def test_no_token_goes_to_more_experts_than_there_are(experts: int, active: int) -> None:
    scope = {"num_experts": experts, "num_experts_per_tok": active}
    assert bool(list(disagreements(scope))) == (experts > 0 and active > experts)


def test_layers_times_experts_is_bounded_because_some_classes_build_each_expert() -> None:
    assert not list(disagreements({"num_hidden_layers": 93, "num_experts": 896}))  # the largest published
    assert list(disagreements({"num_hidden_layers": 1000, "num_experts": 4096}))


def test_a_value_out_of_range_is_reported_once_and_not_again_as_a_disagreement() -> None:
    assert not list(disagreements({"hidden_size": -63, "num_attention_heads": 32, "num_key_value_heads": 0}))
