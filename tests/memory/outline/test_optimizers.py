"""What an optimizer takes is measured on its own real step, once for all passes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tunesmith.architecture import Architecture
from tunesmith.errors import UnsupportedError
from tunesmith.hardware import Gpu
from tunesmith.memory.ledger import Trace
from tunesmith.memory.outline import Outline, optimizer_step
from tunesmith.recipe import Recipe


def test_states_are_those_of_the_optimizers_own_step(outlined: Callable[[str], Outline]) -> None:
    """AdamW keeps two of each weight, its 8-bit kin about one byte of each twice, SGD none."""
    known = outlined("full").optimizers
    gradients = known["sgd"].gradients_bytes
    assert known["sgd"].states_bytes == 0
    assert known["adamw_torch"].states_bytes == pytest.approx(2 * gradients, rel=0.01)
    assert known["adamw_8bit"].states_bytes < known["adamw_torch"].states_bytes


def test_a_foreach_step_takes_a_temporary_of_every_weight(outlined: Callable[[str], Outline]) -> None:
    """Unlike the fused step, it holds the denominators of all weights at once."""
    known = outlined("full").optimizers["adamw_torch"]
    assert known.step_bytes - known.states_bytes > 0.9 * known.gradients_bytes


def test_an_optimizer_that_cannot_run_is_said_to_be_so(
    llama: Architecture, recipe_for: Callable[..., Recipe], real_trace: Trace, card: Gpu
) -> None:
    """An optimizer of other devices has no step here."""
    with pytest.raises(UnsupportedError, match="XLA"):
        optimizer_step(llama, recipe_for("full"), card, "adamw_torch_xla", trace=real_trace)
