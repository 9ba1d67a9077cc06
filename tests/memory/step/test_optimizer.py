"""The optimizer: every name of transformers either steps, with its states, or says why it cannot."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from transformers.training_args import OptimizerNames

from tunesmith.errors import MissingExtraError, RecipeError, UnsupportedError
from tunesmith.memory.estimate import Traced
from tunesmith.memory.step.optimizer import PROJECTED, UNFIT

Trace = Callable[..., Traced]

WIDE = {
    "model_type": "llama",
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "vocab_size": 256,
    "tie_word_embeddings": True,
}
MATRICES = 256 * 128 + 4 * 128 * 128 + 3 * 128 * 256
NORMS = 3 * 128
PARAMETERS = MATRICES + NORMS
TENSORS = 11
LARGE = WIDE | {"vocab_size": 1024}
"""With an embedding of 131,072 parameters: bitsandbytes pages states of 100,000 and more."""


def states(answer: Traced) -> int:
    """Return the bytes of optimizer states that live when the first step has ended."""
    timeline = answer.timeline
    end = next(p.end for p in timeline.phases if p.name == "step1.step")
    live: set[int] = set()
    for event in timeline.events[:end]:
        live.add(event) if event > 0 else live.discard(-event)
    kept = [timeline.storages[event - 1] for event in live]
    return sum(storage.bytes for storage in kept if storage.category == "optimizer states")


@pytest.mark.parametrize(
    ("optim", "expected"),
    [
        # step counters of 4 bytes are tensors on the card only where a fused kernel reads them
        ("adamw_torch", 2 * 2 * PARAMETERS),
        ("adamw_torch_fused", 2 * 2 * PARAMETERS + 4 * TENSORS),
        ("sgd", 0),
        ("adagrad", 2 * PARAMETERS),
        ("rmsprop", 2 * PARAMETERS),
        ("lion_32bit", 4 * PARAMETERS),
        ("rmsprop_bnb_32bit", 4 * PARAMETERS),
    ],
)
def test_states_are_as_large_as_their_optimizer_keeps_them(traced: Trace, optim: str, expected: int) -> None:
    assert states(traced(model=WIDE, method="full", optim=optim)) == expected


@pytest.mark.parametrize(("optim", "per_parameter"), [("adamw_8bit", 2), ("lion_8bit", 1)])
def test_8_bit_states_take_a_byte_each_and_scales_a_block_but_small_ones_stay_in_32_bits(
    traced: Trace, optim: str, per_parameter: int
) -> None:
    scales = 4 * per_parameter * MATRICES // 256
    tables = 4 * 256 * per_parameter
    expected = per_parameter * (MATRICES + 4 * NORMS) + scales + tables
    assert states(traced(model=WIDE, method="full", optim=optim)) == expected


def test_adafactor_keeps_a_row_and_a_column_a_matrix(traced: Trace) -> None:
    rows_and_columns = 256 + 128 + 4 * (128 + 128) + 3 * (128 + 256)
    assert states(traced(model=WIDE, method="full", optim="adafactor")) == 4 * (
        rows_and_columns + NORMS + TENSORS  # and the root mean square of each
    )


@pytest.mark.parametrize(("optim", "per_parameter"), [("paged_adamw_32bit", 8), ("paged_lion_32bit", 4)])
def test_large_states_of_paged_optimizers_lie_outside_the_card(
    traced: Trace, optim: str, per_parameter: int
) -> None:
    not_paged = PARAMETERS - 256 * 128
    assert states(traced(model=LARGE, method="full", optim=optim)) == per_parameter * not_paged


@pytest.mark.parametrize("optim", sorted({name.value for name in OptimizerNames}))
@pytest.mark.parametrize("trainer", ["loop", "trainer"])
def test_every_name_of_transformers_steps_or_says_why_not(traced: Trace, optim: str, trainer: str) -> None:
    changes = {"model": WIDE, "method": "full", "optim": optim, "trainer": trainer}
    try:
        answer = traced(**changes)
    except UnsupportedError as error:
        assert optim in UNFIT or optim.startswith(PROJECTED) or "transformers names it" in str(error)
    except MissingExtraError as error:
        assert "pip install" in str(error)
    else:
        assert "step2.step" in [phase.name for phase in answer.timeline.phases]


def test_states_are_born_once_and_live_through_the_second_step(traced: Trace) -> None:
    timeline = traced(model=WIDE, method="full").timeline
    first = next(p for p in timeline.phases if p.name == "step1.step")
    born = [e for e in timeline.events if e > 0 and timeline.storages[e - 1].category == "optimizer states"]
    assert len(born) == 2 * TENSORS
    assert all(event in timeline.events[first.start : first.end] for event in born)
    assert not any(-event in timeline.events for event in born)


def test_a_run_in_which_nothing_learns_is_refused(traced: Trace) -> None:
    with pytest.raises(RecipeError, match="train no parameter"):
        traced(method="freeze", freeze={"trainable": ["nothing"]})
