"""What a step computes and moves: counted from the shapes of what is really run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from tunesmith.architecture import load_architecture, parse_architecture
from tunesmith.hardware import gpu
from tunesmith.memory.estimate import Traced
from tunesmith.memory.ledger import scaled_trace
from tunesmith.memory.meter import FIRST, Launch, Meter, count_product
from tunesmith.memory.recorder import Recorder
from tunesmith.memory.trace import trace
from tunesmith.memory.work import KINDS, Work
from tunesmith.recipe import Recipe

LLAMA = "meta-llama/Llama-2-7b-hf"
TOKENS = 2048
EMBEDDING = 32000 * 4096
PARAMETERS = 6_738_415_616
ATTENTION_FLOPS = 32 * 2 * 2 * TOKENS * TOKENS * 4096 // 2
"""32 layers, two products, a multiplication and an addition, over the half that a causal kernel computes."""


def counted(run: Callable[[], object]) -> dict[tuple[str, str], Work]:
    """Return the work of *run* on meta, by kind and dtype."""
    meter = Meter("meta")
    with meter.counting(), Recorder(torch.device("meta"), meter=meter) as recorder:
        run()
        recorder.end_phase("step1.forward")
    return {(each.kind, each.dtype): each for each in meter.work["step1.forward"]}


def meta(*shape: int, dtype: torch.dtype = torch.bfloat16) -> torch.Tensor:
    """Return a tensor without memory."""
    return torch.empty(shape, dtype=dtype, device="meta")


def seven_billion(**changes: Any) -> Mapping[str, tuple[Work, ...]]:
    """Return the work of a step of Llama-2-7B on 2048 tokens."""
    recipe = Recipe.from_mapping(
        {
            "model": LLAMA,
            "method": "full",
            "trainer": "loop",
            "sequence_length": TOKENS,
            "gradient_checkpointing": False,
            "attention_mask": False,
            "max_grad_norm": None,
        }
        | changes
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return scaled_trace(load_architecture(LLAMA), recipe, gpu("A100-80GB"), trace=trace).work


def flops(work: Mapping[str, tuple[Work, ...]], phase: str) -> int:
    """Return all arithmetic of *phase*."""
    return sum(each.flops for each in work[phase])


@pytest.fixture(scope="module")
def full() -> Mapping[str, tuple[Work, ...]]:
    return seven_billion()


# -- a whole model ------------------------------------------------------------------------------------


def test_a_forward_pass_is_two_operations_a_parameter_and_token(full: Mapping[str, tuple[Work, ...]]) -> None:
    """All parameters but the embedding's meet every token once; attention comes on top."""
    expected = 2 * (PARAMETERS - EMBEDDING) * TOKENS + ATTENTION_FLOPS
    assert flops(full, "step2.forward") == pytest.approx(expected, rel=0.001)


def test_a_backward_pass_is_two_forward_passes(full: Mapping[str, tuple[Work, ...]]) -> None:
    """Gradients of inputs and of weights: twice the products, and two and a half times the attention."""
    once = flops(full, "step2.forward")
    assert flops(full, "step2.backward") == 2 * once + ATTENTION_FLOPS // 2


def test_frozen_weights_have_no_gradient_to_compute(full: Mapping[str, tuple[Work, ...]]) -> None:
    """With LoRA the backward pass is about one forward pass: gradients of inputs, and of small adapters."""
    adapted = seven_billion(method="lora", precision={"adapter": "bfloat16"})
    once = flops(full, "step2.forward")
    assert once < flops(adapted, "step2.forward") < 1.02 * once
    assert once < flops(adapted, "step2.backward") < 1.1 * once


def test_checkpointing_computes_the_layers_once_more(full: Mapping[str, tuple[Work, ...]]) -> None:
    """What the backward pass adds is the forward pass of the layers, without head and last product."""
    again = seven_billion(gradient_checkpointing=True)
    assert again["step2.forward"] == full["step2.forward"]
    more = flops(again, "step2.backward") - flops(full, "step2.backward")
    head, last_products = 2 * EMBEDDING * TOKENS, 32 * 2 * 4096 * 11008 * TOKENS
    once = flops(full, "step2.forward") - head
    assert once - last_products <= more <= once


def test_a_step_of_adamw_moves_every_parameter_and_its_states(full: Mapping[str, tuple[Work, ...]]) -> None:
    """Weight and two states are read and written, the gradient is read: seven times two bytes."""
    (work,) = full["step2.step"]
    assert work.kind == "optimizer"
    assert work.moved_bytes == pytest.approx(7 * 2 * PARAMETERS, rel=1e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "full"},
        {"method": "qlora", "trainer": "sft", "optim": "paged_adamw_8bit"},
    ],
    ids=["full", "qlora"],
)
def test_the_work_of_many_layers_follows_from_few(changes: dict[str, Any]) -> None:
    """Extrapolated work is that of the whole model, to the byte and the launch."""
    config = {
        "model_type": "llama",
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 5,
        "num_attention_heads": 4,
        "vocab_size": 256,
    }
    architecture = parse_architecture(config, name="tiny")
    recipe = Recipe.from_mapping({"model": config, "sequence_length": 32, **changes})
    card = gpu("A100-80GB")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = trace(architecture, recipe, card)
        few = scaled_trace(architecture, recipe, card, trace=trace)
    assert few.work == whole.work


# -- what libraries launch themselves -----------------------------------------------------------------


def test_a_quantised_step_dequantises_and_steps_in_eight_bits(traced: Callable[..., Traced]) -> None:
    """Kernels of bitsandbytes, which PyTorch's dispatcher never sees, are in the count."""
    work = traced(method="qlora", optim="adamw_8bit", sequence_length=2048).work
    for phase in ("step2.forward", "step2.backward"):
        assert any(each.kind == "dequantize" and each.moved_bytes for each in work[phase])
    assert [each.kind for each in work["step2.step"]] == ["optimizer"]
    assert work["step2.step"][0].moved_bytes > 0


def test_a_few_rows_meet_a_packed_weight_in_one_kernel(traced: Callable[..., Traced]) -> None:
    """For few rows bitsandbytes multiplies without dequantising first: the arithmetic is the same."""
    fused, plain = (
        sum(
            work.flops
            for work in traced(method=method, sequence_length=64).work["step2.forward"]
            if work.kind == "matmul"
        )
        for method in ("qlora", "lora")
    )
    assert fused == plain


def test_a_chunked_loss_computes_its_logits_twice(traced: Callable[..., Traced]) -> None:
    """TRL's fused head multiplies in the forward pass, and in the backward pass for logits and gradients."""
    length, hidden, vocab = 64, 64, 256
    chunked, plain = (
        traced(method="full", loss=loss, sequence_length=length, optim="sgd").work
        for loss in ("chunked", "standard")
    )
    head = 2 * length * hidden * vocab
    assert flops(chunked, "step2.backward") - flops(plain, "step2.backward") == pytest.approx(head, rel=0.1)


def test_only_the_phases_of_a_step_are_kept(traced: Callable[..., Traced]) -> None:
    """Loading and building a trainer are no part of a step; every kind is a known one."""
    work = traced().work
    assert all(phase.startswith("step") for phase in work)
    assert {each.kind for works in work.values() for each in works} <= set(KINDS)


def test_a_launch_counts_what_it_changes_twice() -> None:
    """A tensor that a kernel reads and writes is moved two times; one that it reads, once."""

    def run() -> None:
        Launch("dequantize", changed=FIRST)[(1,)](meta(10), meta(20), 7, out=meta(30))

    assert counted(run)["dequantize", "fp32"].moved_bytes == 2 * (10 + 20 + 30) + 2 * 10


def test_a_product_in_place_counts_its_result_twice() -> None:
    """``result += left @ right`` reads and writes the result."""
    found = counted(lambda: count_product(meta(3, 5, dtype=torch.float32), meta(3, 4), meta(4, 5)))
    work = found["matmul", "bf16"]
    assert work.flops == 2 * 3 * 4 * 5
    assert work.moved_bytes == 2 * (12 + 20) + 2 * 4 * 15


def test_nothing_is_counted_where_nobody_asks() -> None:
    """Outside a meter a launch does nothing."""
    Launch()(meta(1))
    count_product(meta(1, 1), meta(1, 1), meta(1, 1))


# -- single operations --------------------------------------------------------------------------------


@given(st.integers(1, 64), st.integers(1, 64), st.integers(1, 64), st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_products_are_two_operations_for_each_triple(rows: int, inner: int, columns: int, batch: int) -> None:
    """mm, addmm and bmm: 2 m k n, and every operand moved once."""
    left, right = meta(rows, inner), meta(inner, columns)
    triple = 2 * rows * inner * columns
    moved = 2 * (rows * inner + inner * columns + rows * columns)
    work = counted(lambda: left @ right)["matmul", "bf16"]
    assert (work.flops, work.moved_bytes, work.kernels) == (triple, moved, 1)
    added = counted(lambda: torch.addmm(meta(columns), left, right))["matmul", "bf16"]
    assert (added.flops, added.moved_bytes) == (triple, moved + 2 * columns)
    many = counted(lambda: torch.bmm(meta(batch, rows, inner), meta(batch, inner, columns)))
    assert many["matmul", "bf16"].flops == batch * triple


def test_each_row_meets_one_expert() -> None:
    """A grouped product over experts multiplies every row by one matrix."""
    rows, experts = meta(64, 32), meta(4, 32, 16)
    offsets = torch.empty(4, dtype=torch.int32, device="meta")
    work = counted(lambda: torch._grouped_mm(rows, experts, offs=offsets))["matmul", "bf16"]
    assert work.flops == 2 * 64 * 32 * 16


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("kernel", ["flash", "efficient"])
def test_a_causal_kernel_skips_half_of_the_scores(kernel: str, causal: bool) -> None:
    """Both fused kernels: two products over the scores, half of them under a causal mask."""
    query, key, value = (meta(2, 4, 128, 64) for _ in range(3))
    aten = torch.ops.aten

    def run() -> None:
        if kernel == "flash":
            aten._scaled_dot_product_flash_attention(query, key, value, 0.0, causal)
        else:
            aten._scaled_dot_product_efficient_attention(query, key, value, None, False, 0.0, causal)

    work = counted(run)["attention", "bf16"]
    assert work.flops == 2 * 2 * (2 * 4 * 128 * 128 * 64) // (2 if causal else 1)


def test_views_and_empty_tensors_are_free() -> None:
    """Nothing is launched for what only looks at memory, or takes it."""

    def run() -> None:
        tensor = torch.empty(4, 6, device="meta")
        tensor.view(24).detach()[2:].unsqueeze(0).expand(3, -1)
        tensor.t().chunk(2)

    assert counted(run) == {}


def test_what_is_changed_in_place_is_read_and_written() -> None:
    """``a += b`` moves three tensors, ``a + b`` three, and filling one."""
    one, other = meta(100), meta(100)
    assert counted(lambda: one.add_(other))["elementwise", "fp32"].moved_bytes == 3 * 200
    assert counted(lambda: one + other)["elementwise", "fp32"].moved_bytes == 3 * 200
    assert counted(lambda: one.zero_())["elementwise", "fp32"].moved_bytes == 200


def test_an_embedding_reads_only_its_rows() -> None:
    """Looking up ten rows of a table moves ten rows, not the table."""
    table, ids = meta(1000, 64), torch.empty(10, dtype=torch.int64, device="meta")
    work = counted(lambda: functional.embedding(ids, table))["elementwise", "fp32"]
    assert work.moved_bytes == 2 * 10 * 64 * 2 + 10 * 8


def test_a_copy_from_the_host_goes_over_pcie() -> None:
    """What comes from the CPU is a copy of its own kind; a cast on the card is none."""
    found = counted(lambda: torch.zeros(50).to("meta"))
    assert found["host_copy", "fp32"].moved_bytes == 200
    cast = counted(lambda: meta(50).float())
    assert cast["elementwise", "fp32"].moved_bytes == 100 + 200
