"""Two steps of each trainer: its moments, what lives at them, its losses, clipping and packing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tunesmith.errors import UnsupportedError
from tunesmith.memory.allocator import replay
from tunesmith.memory.estimate import Traced
from tunesmith.memory.step import training
from tunesmith.memory.timeline import Storage

Trace = Callable[..., Traced]

TINY_PARAMETERS = 106816


def live_after(answer: Traced, phase: str) -> list[Storage]:
    """Return the storages that live when *phase* ends."""
    timeline = answer.timeline
    end = next(p.end for p in timeline.phases if p.name == phase)
    live: dict[int, Storage] = {}
    for event in timeline.events[:end]:
        if event > 0:
            live[event] = timeline.storages[event - 1]
        else:
            live.pop(-event, None)
    return list(live.values())


def bytes_of(storages: list[Storage], category: str) -> int:
    """Return the bytes of one category."""
    return sum(storage.bytes for storage in storages if storage.category == category)


def moments(answer: Traced) -> list[str]:
    """Return the names of the phases in order."""
    return [phase.name for phase in answer.timeline.phases]


def peak(answer: Traced) -> int:
    """Return the largest allocated memory of the run."""
    return replay(answer.timeline).allocated_bytes


def test_a_loop_stops_at_its_own_moments(traced: Trace) -> None:
    steps = [f"step{n}.{part}" for n in (1, 2) for part in ("forward", "backward", "clip", "step", "end")]
    assert moments(traced()) == ["load", "adapters", "optimizer", *steps]


def test_trainers_begin_a_step_when_its_batches_are_fetched(traced: Trace) -> None:
    step = ["begin", "forward", "backward", "clip", "step", "end"]
    steps = [f"step{n}.{part}" for n in (1, 2) for part in step]
    for trainer in ("trainer", "sft"):
        assert moments(traced(trainer=trainer)) == ["load", "adapters", "trainer_built", *steps, "end"]


def test_accumulation_gives_each_micro_batch_its_moments(traced: Trace) -> None:
    answer = traced(gradient_accumulation_steps=2, trainer="trainer")
    names = [name for name in moments(answer) if name.startswith("step1")]
    assert names == [
        "step1.begin",
        "step1.1.forward",
        "step1.1.backward",
        "step1.2.forward",
        "step1.2.backward",
        "step1.clip",
        "step1.step",
        "step1.end",
    ]


def test_trainers_hold_every_micro_batch_of_a_step_and_a_loop_only_one(traced: Trace) -> None:
    one_batch = 2 * 32 * 8
    for trainer, held in (("trainer", 4), ("loop", 1)):
        answer = traced(gradient_accumulation_steps=4, trainer=trainer)
        inputs = [s for s in live_after(answer, "step1.1.forward") if s.bytes == 32 * 8]
        assert sum(storage.bytes for storage in inputs) == held * one_batch


def test_a_loop_leaves_weights_and_states_alone_at_the_end_of_a_step(traced: Trace) -> None:
    left = {storage.category for storage in live_after(traced(), "step1.end")}
    assert left == {"weights", "adapter weights", "optimizer states", "buffers", "cublas workspaces"}


def test_a_trainer_keeps_batch_loss_and_norm_until_the_end(traced: Trace) -> None:
    def rest(phase: str) -> list[int]:
        kept = live_after(traced(trainer="trainer"), phase)
        known = ("weights", "adapter weights", "optimizer states", "buffers", "cublas workspaces")
        return sorted(storage.bytes for storage in kept if storage.category not in known)

    running_loss, step_loss, grad_norm, items = 4, 4, 4, 8
    batch = [32 * 8, 32 * 8]
    assert rest("step1.end") == sorted([running_loss, step_loss, grad_norm, items, *batch])
    assert rest("end") == [running_loss]


def test_gradients_are_as_large_as_what_learns_and_end_with_the_step(traced: Trace) -> None:
    answer = traced()
    assert bytes_of(live_after(answer, "step1.backward"), "gradients") == 4 * answer.trainable_parameters
    assert bytes_of(live_after(answer, "step1.end"), "gradients") == 0


def test_accumulation_carries_one_set_of_gradients_through_the_next_forward(traced: Trace) -> None:
    plain, accumulated = (traced(method="full", gradient_accumulation_steps=n) for n in (1, 3))
    assert bytes_of(live_after(plain, "step1.forward"), "gradients") == 0
    for micro in (2, 3):
        held = live_after(accumulated, f"step1.{micro}.forward")
        assert bytes_of(held, "gradients") == 2 * TINY_PARAMETERS


def test_a_loop_without_a_limit_does_not_clip(traced: Trace) -> None:
    for limit in (None, 0.0):
        assert "step1.clip" not in moments(traced(max_grad_norm=limit))


@pytest.mark.parametrize("trainer", ["trainer", "sft"])
def test_trainers_take_the_norm_even_without_a_limit(traced: Trace, trainer: str) -> None:
    unlimited, limited = (traced(trainer=trainer, max_grad_norm=limit) for limit in (None, 1.0))
    assert moments(unlimited) == moments(limited)
    assert unlimited.timeline.events == limited.timeline.events


def test_the_scaler_of_float16_autocast_lives_from_the_first_backward(traced: Trace) -> None:
    answer = traced(precision={"weights": "float32", "autocast": "float16"}, method="full")
    others = traced(precision={"weights": "float32", "autocast": "bfloat16"}, method="full")
    extra = len(live_after(answer, "step2.end")) - len(live_after(others, "step2.end"))
    assert extra == 2  # the scale and the growth tracker


def logits(answer: Traced) -> int:
    """Return the bytes of the largest storage that the head or the loss made."""
    return max(s.bytes for s in answer.timeline.storages if s.category == "logits and loss")


VOCABULARY = {"model_type": "llama", "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1}
VOCABULARY |= {"num_attention_heads": 4, "vocab_size": 131072}
LONG: dict[str, Any] = {"model": VOCABULARY, "sequence_length": 2048}


def test_the_standard_loss_makes_whole_logits_in_float32(traced: Trace) -> None:
    assert logits(traced(**LONG)) == 2048 * 131072 * 4


@pytest.mark.parametrize("trainer", ["loop", "trainer"])
def test_the_chunked_loss_never_makes_whole_logits(traced: Trace, trainer: str) -> None:
    standard, chunked = (traced(**LONG, trainer=trainer, loss=loss) for loss in ("standard", "chunked"))
    assert peak(chunked) < peak(standard) - 2048 * 131072 * 4
    assert all(storage.bytes < 2048 * 131072 * 2 for storage in chunked.timeline.storages)


def test_sft_fuses_head_and_loss_by_itself(traced: Trace) -> None:
    answers = [
        traced(**LONG, trainer="sft", **loss) for loss in ({}, {"loss": "chunked"}, {"loss": "fused_linear"})
    ]
    assert answers[0].timeline.events == answers[1].timeline.events == answers[2].timeline.events
    assert all(storage.bytes < 2048 * 131072 * 2 for storage in answers[0].timeline.storages)


def test_sft_with_a_standard_loss_makes_the_logits(traced: Trace) -> None:
    assert logits(traced(**LONG, trainer="sft", loss="standard")) == 2048 * 131072 * 4


@pytest.mark.parametrize("trainer", ["loop", "trainer"])
def test_ligers_loss_is_refused_rather_than_guessed(traced: Trace, trainer: str) -> None:
    with pytest.raises(UnsupportedError, match="Liger"):
        traced(trainer=trainer, loss="fused_linear")


def test_outputs_that_are_kept_hold_the_logits_to_the_end_of_the_step(traced: Trace) -> None:
    kept, dropped = (traced(keep_outputs=keep) for keep in (True, False))
    assert bytes_of(live_after(kept, "step1.backward"), "logits and loss") >= 32 * 256 * 2
    assert bytes_of(live_after(dropped, "step1.backward"), "logits and loss") == 0


def test_only_a_loop_that_neither_masks_nor_clips_keeps_its_outputs_of_itself(traced: Trace) -> None:
    def kept(**changes: object) -> bool:
        timeline = traced(trainer="loop", **changes)
        return bytes_of(live_after(timeline, "step1.backward"), "logits and loss") > 0

    assert kept(attention_mask=None, max_grad_norm=None)
    assert not kept(attention_mask=True, max_grad_norm=None)
    assert not kept(attention_mask=None, max_grad_norm=1.0)


def test_a_packed_batch_of_sft_is_one_row_with_a_block_mask(traced: Trace) -> None:
    def masks(*, packing: bool) -> list[Storage]:
        changes = {"trainer": "sft", "per_device_train_batch_size": 4, "sequence_length": 40}
        answer = traced(**changes, packing=packing)
        return [storage for storage in answer.timeline.storages if storage.bytes == (4 * 40) ** 2]

    assert masks(packing=True), "the boolean mask that keeps examples apart covers all pairs of tokens"
    assert not masks(packing=False)


def test_experts_add_their_balancing_loss_under_sft(traced: Trace) -> None:
    experts = {
        "model_type": "qwen3_moe",
        "hidden_size": 64,
        "intermediate_size": 128,
        "moe_intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "num_experts": 4,
        "num_experts_per_tok": 2,
        "vocab_size": 256,
    }
    plain = traced(model={**experts, "router_aux_loss_coef": 0.0}, method="full", trainer="sft")
    balanced = traced(model={**experts, "router_aux_loss_coef": 0.01}, method="full", trainer="sft")
    assert len(balanced.timeline.storages) > len(plain.timeline.storages)


def test_four_micro_batches_stand_for_many(traced: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Running all nine of a step gives the same peaks, to the byte."""
    few = replay(traced(trainer="sft", gradient_accumulation_steps=9).timeline)
    monkeypatch.setattr(training, "micro_batches", lambda accumulation: range(1, accumulation + 1))
    every = replay(traced(trainer="sft", gradient_accumulation_steps=9).timeline)
    assert (few.allocated_bytes, few.reserved_bytes) == (every.allocated_bytes, every.reserved_bytes)
