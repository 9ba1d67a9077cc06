"""The work of one card among many, from the work of one alone: as in the traces of sharded runs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.architecture import parse_architecture
from tunesmith.hardware import Cluster, gpu
from tunesmith.memory.trace import trace
from tunesmith.memory.work import Work
from tunesmith.recipe import Recipe, names
from tunesmith.throughput import shared_work


def work(kind: str = "matmul", dtype: str = "bf16", **amounts: int) -> Work:
    """Return work of *kind*, with no amounts but those given."""
    return Work(kind=kind, dtype=dtype, **({"flops": 0, "moved_bytes": 0, "kernels": 0} | amounts))


def recipe(**changes: Any) -> Recipe:
    """Return a recipe; what is trained does not matter here."""
    return Recipe.from_mapping({"model": "gpt2", "sequence_length": 1024, **changes})


ALONE = {
    "step2.forward": [work(flops=100)],
    "step2.backward": [work(flops=200)],
    "step2.step": [work("optimizer", moved_bytes=800, kernels=2)],
}
SIZES = {"weight_bytes": 8000, "trainable_bytes": 800, "trainable_parameters": 400}


def shared(
    sharding: str, gpus: int = 8, nodes: int = 1, accumulation: int = 1, offload: str = "none"
) -> Mapping[str, Sequence[Work]]:
    """Return ALONE as one card of many does it."""
    chosen = recipe(
        sharding=sharding,
        gradient_accumulation_steps=accumulation,
        hardware={"gpus": gpus, "nodes": nodes},
        offload={"optimizer": offload, "parameters": offload if sharding != "zero2" else "none"},
    )
    return shared_work(ALONE, Cluster(gpu=gpu("A100"), gpus=gpus, nodes=nodes), chosen, **SIZES)


def sent(found: Mapping[str, Sequence[Work]], kind: str) -> dict[str, int]:
    """Return the bytes of *kind* by phase."""
    return {
        phase.removeprefix("step2."): each.moved_bytes
        for phase, works in found.items()
        for each in works
        if each.kind == kind
    }


def test_one_card_shares_nothing() -> None:
    """Alone, and with nothing offloaded, the work stays as it is."""
    assert shared("none", gpus=1) is ALONE


def test_data_parallel_cards_reduce_their_gradients_once_a_step() -> None:
    """A ring sends each gradient twice but for one part in eight; accumulation spreads it."""
    assert sent(shared("ddp"), "all_reduce") == {"backward": 2 * 800 * 7 // 8}
    assert sent(shared("ddp", accumulation=4), "all_reduce") == {"backward": 2 * 800 * 7 // 8 // 4}


def test_full_sharding_gathers_twice_and_reduces_once() -> None:
    """All weights for the forward pass and again for the backward pass; gradients are scattered."""
    found = shared("fsdp")
    assert sent(found, "all_gather") == {"forward": 7000, "backward": 7000}
    assert sent(found, "reduce_scatter") == {"backward": 700}
    assert sent(shared("fsdp_grad_op"), "all_gather") == {"forward": 7000}


def test_a_hybrid_gathers_in_its_node_and_reduces_between_nodes() -> None:
    """Two nodes of four: three quarters inside, and each shard twice over the half that is elsewhere."""
    found = shared("fsdp_hybrid", gpus=4, nodes=2)
    assert sent(found, "all_gather") == {"forward": 6000, "backward": 6000}
    assert sent(found, "all_reduce") == {"backward": 200}


def test_zero_gathers_what_was_updated() -> None:
    """ZeRO-1 and 2 reduce gradients and gather the new weights; ZeRO-3 gathers as full sharding does."""
    for sharding in ("zero1", "zero2"):
        found = shared(sharding)
        assert sent(found, "all_reduce") == {"backward": 1400}
        assert sent(found, "all_gather") == {"step": 700}
    assert sent(shared("zero3"), "all_gather") == {"forward": 7000, "backward": 7000}


def test_cards_share_the_optimizer_step() -> None:
    """Sharded, one card updates its part only; data-parallel cards update everything."""
    assert sent(shared("fsdp"), "optimizer") == {"step": 100}
    assert sent(shared("ddp"), "optimizer") == {"step": 800}


def test_offload_moves_the_step_to_the_host() -> None:
    """Gradients go down, weights come up, and Adam runs in the memory of the host."""
    found = shared("zero2", offload="cpu")
    assert sent(found, "optimizer") == {"step": 0}
    assert sent(found, "host_copy") == {"backward": 100, "step": 100}
    assert sent(found, "host_optimizer") == {"step": 30 * 50}
    both = shared("zero3", offload="cpu")
    assert sent(both, "host_copy")["forward"] == 1000


def test_a_trace_that_counted_its_collectives_is_left_alone() -> None:
    """What a sharded run was seen to send is not sent twice."""
    seen = {"step2.forward": [work("all_gather", moved_bytes=5)]}
    chosen = recipe(sharding="fsdp", hardware={"gpus": 8})
    assert shared_work(seen, Cluster(gpu=gpu("A100"), gpus=8), chosen, **SIZES) is seen


def test_a_trace_that_counted_no_copies_gets_them() -> None:
    """What goes to the host is added to a sharded trace too, whose shards are shared out already."""
    seen = {
        "step2.backward": [work("reduce_scatter", moved_bytes=5)],
        "step2.step": [work("all_gather", moved_bytes=7)],
    }
    chosen = recipe(sharding="zero2", hardware={"gpus": 8}, offload={"optimizer": "cpu"})
    found = shared_work(seen, Cluster(gpu=gpu("A100"), gpus=8), chosen, **SIZES)
    assert sent(found, "reduce_scatter") == {"backward": 5}
    assert sent(found, "all_gather") == {"step": 7}
    assert sent(found, "host_copy") == {"backward": 100, "step": 100}
    assert sent(found, "host_optimizer") == {"step": 1500}


@given(st.sampled_from(names.SHARDINGS), st.integers(2, 8), st.integers(1, 4))
def test_computation_stays_whole(sharding: str, gpus: int, nodes: int) -> None:
    """However cards share the model, each computes its own batch."""
    found = shared(sharding, gpus=gpus, nodes=nodes)
    for phase in ("step2.forward", "step2.backward"):
        assert ALONE[phase][0] in found[phase]


@pytest.mark.parametrize("sharding", ["fsdp", "fsdp_hybrid"])
def test_what_is_derived_is_what_a_sharded_trace_counts(sharding: str) -> None:
    """FSDP2 itself, traced on eight cards, sends what follows from the sizes.

    It keeps the last unit gathered between the passes, and this model is small: hence the tolerance.
    """
    config = {
        "model_type": "llama",
        "hidden_size": 64,
        "intermediate_size": 256,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "vocab_size": 64,
    }
    one = Recipe.from_mapping(
        {
            "model": config,
            "method": "full",
            "trainer": "trainer",
            "sequence_length": 32,
            "precision": {"weights": "float32", "autocast": "bfloat16"},
        }
    )
    many = one.replace(sharding=sharding, **{"hardware.gpus": 4, "hardware.nodes": 2})
    cluster, architecture = Cluster(gpu=gpu("A100"), gpus=4, nodes=2), parse_architecture(config, name="tiny")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        alone, seen = (trace(architecture, each, cluster.gpu) for each in (one, many))
    size = 2 * seen.parameters
    derived = shared_work(
        alone.work,
        cluster,
        many,
        weight_bytes=size,
        trainable_bytes=size,
        trainable_parameters=seen.parameters,
    )
    for kind in ("all_gather", "reduce_scatter"):
        expected, found = sent(derived, kind), sent(seen.work, kind)
        assert set(expected) == set(found)
        for phase, count in found.items():
            assert expected[phase] == pytest.approx(count, rel=0.3)
    assert sent(derived, "optimizer")["step"] == pytest.approx(sent(seen.work, "optimizer")["step"], rel=0.02)
