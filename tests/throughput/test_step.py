"""The time of a step: rooflines, what hides behind what, and how it moves with the work."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.errors import HardwareError
from tunesmith.hardware import GPUS, Cluster, gpu
from tunesmith.memory.work import KINDS, Work
from tunesmith.recipe import Recipe
from tunesmith.throughput import step_seconds, step_time, tokens_per_step
from tunesmith.throughput.efficiency import LEAST, MOST, efficiency
from tunesmith.throughput.links import links
from tunesmith.throughput.step import bare_seconds

A100 = Cluster(gpu=gpu("A100-80GB"))
TERA = 10**12

amounts = st.integers(0, 10**15)
works = st.builds(
    Work,
    kind=st.sampled_from(KINDS),
    dtype=st.sampled_from(["bf16", "fp16", "fp32"]),
    flops=amounts,
    moved_bytes=amounts,
    kernels=st.integers(0, 10**5),
)
steps = st.dictionaries(
    st.sampled_from(["step2.forward", "step2.backward", "step2.clip", "step2.step"]),
    st.lists(works, max_size=4),
    min_size=1,
)


def work(kind: str = "matmul", dtype: str = "bf16", **amounts: int) -> Work:
    """Return work of *kind*, with no amounts but those given."""
    return Work(kind=kind, dtype=dtype, **({"flops": 0, "moved_bytes": 0, "kernels": 0} | amounts))


def recipe(**changes: Any) -> Recipe:
    """Return a recipe; what is trained does not matter here."""
    return Recipe.from_mapping({"model": "gpt2", "sequence_length": 1024, **changes})


def test_arithmetic_runs_at_its_share_of_the_peak() -> None:
    """312 TFLOP of matrix products on an A100 take a second over what it reaches."""
    seconds = bare_seconds({"step2.forward": [work(flops=312 * TERA)]}, A100, recipe())
    assert seconds.low == seconds.high == pytest.approx(1 / efficiency(A100.gpu).matmul)


def test_traffic_runs_at_its_share_of_the_bandwidth() -> None:
    """What an elementwise kernel moves, it moves at the rate of the memory."""
    moved = A100.gpu.bandwidth_bytes_per_second
    seconds = bare_seconds({"step2.forward": [work("elementwise", moved_bytes=moved)]}, A100, recipe())
    assert seconds.low == pytest.approx(1 / efficiency(A100.gpu).bandwidth)


def test_python_has_to_launch_every_kernel() -> None:
    """Kernels that take no time still have to be launched, one after another."""
    seconds = bare_seconds({"step2.forward": [work(kernels=1000)]}, A100, recipe())
    assert seconds.low == pytest.approx(1000 * efficiency(A100.gpu).launch_seconds)


def test_a_type_without_a_rate_runs_in_32_bits() -> None:
    """A T4 has no rate for bfloat16; its products are computed in float32."""
    card = Cluster(gpu=gpu("T4-16GB"))
    bf16, fp32, fp16 = (
        bare_seconds({"step2.forward": [work(dtype=dtype, flops=TERA)]}, card, recipe()).low
        for dtype in ("bf16", "fp32", "fp16")
    )
    assert bf16 == fp32 > fp16


def test_communication_hides_at_best_and_adds_at_worst() -> None:
    """Gathering for a second while computing for a second takes one second or two."""
    pair = Cluster(gpu=gpu("A100-80GB"), gpus=8)
    shared = recipe(sharding="fsdp", hardware={"gpus": 8})
    compute = work(flops=round(312 * TERA * efficiency(pair.gpu).matmul))
    gather = work("all_gather", moved_bytes=240 * 10**9)
    seconds = bare_seconds({"step2.forward": [compute, gather]}, pair, shared)
    assert (seconds.low, seconds.high) == (pytest.approx(1.0), pytest.approx(2.0))


def test_hybrid_sharding_gathers_inside_a_node() -> None:
    """Between nodes only the reduced shards go over the network."""
    nodes = Cluster(gpu=gpu("A100-80GB"), gpus=8, nodes=2)
    gathered = {"step2.forward": [work("all_gather", moved_bytes=10**11)]}
    full, hybrid = (
        bare_seconds(gathered, nodes, recipe(sharding=s, hardware={"gpus": 8, "nodes": 2})).low
        for s in ("fsdp", "fsdp_hybrid")
    )
    assert full > 5 * hybrid


def test_accumulation_repeats_forward_and_backward_only() -> None:
    """Four micro-batches are four passes and one step of the optimizer."""
    once = {
        "step2.forward": [work(flops=TERA)],
        "step2.backward": [work(flops=2 * TERA)],
        "step2.step": [work("optimizer", moved_bytes=10**10)],
    }
    one, four = (step_time(once, A100, recipe(gradient_accumulation_steps=count)).phases for count in (1, 4))
    assert four["forward"].low == pytest.approx(4 * one["forward"].low)
    assert four["backward"].high == pytest.approx(4 * one["backward"].high)
    assert four["step"] == one["step"]


def test_a_trace_of_every_micro_batch_is_not_repeated() -> None:
    """Where each micro-batch was traced, all are there already."""
    traced = {f"step2.{micro}.forward": [work(flops=TERA)] for micro in (1, 2)}
    single = {"step2.forward": [work(flops=TERA)]}
    chosen = recipe(gradient_accumulation_steps=2)
    assert step_seconds(traced, A100, chosen) == step_seconds(single, A100, chosen)


def test_the_second_step_counts() -> None:
    """The first step, in which the optimizer's states are born, is left out."""
    second = {"step2.forward": [work(flops=TERA)]}
    both = {"step1.forward": [work(flops=9 * TERA)], **second}
    assert step_seconds(both, A100, recipe()) == step_seconds(second, A100, recipe())


def test_the_host_takes_its_time_after_the_card() -> None:
    """Adam on the host hides behind nothing."""
    card = {"step2.step": [work("optimizer", moved_bytes=10**11)]}
    host = {"step2.step": [*card["step2.step"], work("host_optimizer", moved_bytes=10**11)]}
    assert bare_seconds(host, A100, recipe()).low > bare_seconds(card, A100, recipe()).low + 1


def test_a_card_without_published_rates_is_refused() -> None:
    """Apple publishes no rate of arithmetic; the answer says so instead of a number."""
    with pytest.raises(HardwareError, match="no arithmetic rate is published"):
        step_seconds({"step2.forward": [work(flops=1)]}, Cluster(gpu=gpu("M2 Max-96GB")), recipe())


@given(steps, st.sampled_from(sorted(n for n, g in GPUS.items() if g.peak_flops)), st.integers(1, 8))
def test_ends_are_in_order_and_phases_sum_to_the_whole(
    step: dict[str, list[Work]], name: str, accumulation: int
) -> None:
    """Whatever the work: low is at most high, and the phases of a step are all of it."""
    cluster = Cluster(gpu=GPUS[name], gpus=2)
    chosen = recipe(gradient_accumulation_steps=accumulation)
    seconds, parts = step_seconds(step, cluster, chosen), step_time(step, cluster, chosen)
    assert 0 <= seconds.low <= seconds.high
    assert parts.seconds.low == pytest.approx(seconds.low)
    assert parts.seconds.high == pytest.approx(seconds.high)
    bare = bare_seconds(step, cluster, chosen)
    assert seconds == (bare.low * LEAST, bare.high * MOST)


@given(steps, works, st.sampled_from(["step2.forward", "step2.step"]))
def test_more_work_never_takes_less_time(step: dict[str, list[Work]], more: Work, phase: str) -> None:
    """Adding work to a phase makes no end earlier."""
    longer = {**step, phase: [*step.get(phase, ()), more]}
    before, after = (step_seconds(each, A100, recipe()) for each in (step, longer))
    assert after.low >= before.low
    assert after.high >= before.high


def test_what_a_layer_waits_for_never_hides() -> None:
    """The sums of split layers add to both ends, over the links of a node or, split wider, between nodes."""
    inner = recipe(parallel={"tensor": 8}, hardware={"gpus": 8, "nodes": 2}, sharding="fsdp")
    wide = recipe(parallel={"tensor": 16}, hardware={"gpus": 8, "nodes": 2})
    cluster = Cluster(gpu=gpu("A100-80GB"), gpus=8, nodes=2)
    kernels, waited = work(flops=312 * TERA), work("awaited", moved_bytes=10**11)
    alone = bare_seconds({"step2.forward": [kernels]}, cluster, inner)
    inside = bare_seconds({"step2.forward": [kernels, waited]}, cluster, inner)
    between = bare_seconds({"step2.forward": [kernels, waited]}, cluster, wide)
    reach = links(cluster)
    assert inside.low - alone.low == pytest.approx(10**11 / reach.inside)
    assert inside.high - alone.high == pytest.approx(10**11 / reach.inside)
    assert between.low - alone.low == pytest.approx(10**11 / reach.between)


def test_cards_that_split_layers_count_one_batch() -> None:
    """Eight cards of which two see each batch train on four batches a step."""
    chosen = recipe(parallel={"tensor": 2}, hardware={"gpus": 8}, sharding="fsdp")
    cluster = Cluster(gpu=gpu("A100-80GB"), gpus=8)
    assert tokens_per_step(cluster, chosen) == 4 * 1024


def test_copies_of_activations_hide_only_on_a_stream_of_their_own() -> None:
    """TRL's may hide behind the products; transformers' run in line with them and are always waited for."""
    done = {"step2.forward": [work(flops=1000 * TERA), work("host_copy", moved_bytes=10**10)]}
    copied = 10**10 / links(A100).host
    hidden = bare_seconds(done, A100, Recipe(model="gpt2", activation_offloading=True))
    kwargs = {"offload": True}
    waited = bare_seconds(done, A100, Recipe(model="gpt2", gradient_checkpointing_kwargs=kwargs))
    assert copied < hidden.low
    assert hidden.high == pytest.approx(hidden.low + copied)
    assert waited.low == waited.high == pytest.approx(hidden.high)
