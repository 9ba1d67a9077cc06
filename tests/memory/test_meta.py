"""A device without memory: reads are answered, CUDA's kernels are chosen, and nothing is left behind."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional
from torch.utils import _foreach_utils

from tunesmith.hardware import gpu
from tunesmith.memory.meta import cuda_behaviour, run_on_meta
from tunesmith.memory.recorder import Recorder
from tunesmith.memory.timeline import Storage

A100 = gpu("A100-80GB")


def recorder() -> Recorder:
    """Return a recorder of the meta device that answers as CUDA would."""
    return Recorder(torch.device("meta"), run=run_on_meta)


def born(watch: Recorder) -> list[Storage]:
    """Return what was born."""
    return list(watch.timeline().storages)


def test_masks_read_as_true_and_failures_as_false() -> None:
    with recorder():
        mask = torch.ones(4, dtype=torch.bool, device="meta")
        assert bool(mask.all())
        loss = torch.zeros((), device="meta")
        assert not bool(torch.isnan(loss))
        assert not bool(torch.isinf(loss))
        assert not bool(torch.isnan(loss).any())


def test_numbers_read_as_zero_of_their_type() -> None:
    with recorder():
        assert torch.ones((), device="meta").item() == 0.0
        whole = torch.ones((), dtype=torch.int64, device="meta").item()
    assert whole == 0
    assert isinstance(whole, int)


def test_a_boolean_index_selects_every_row() -> None:
    with recorder():
        values = torch.zeros((3, 5), device="meta")
        assert values[torch.ones(3, dtype=torch.bool, device="meta")].shape == (3, 5)
        assert torch.ones((3, 5), dtype=torch.bool, device="meta").nonzero().shape == (15, 2)


@pytest.mark.parametrize("learns", [True, False])
def test_dropout_makes_a_mask_of_one_byte_an_element_as_cudas_fused_kernel_does(learns: bool) -> None:
    """The fused kernel runs with a gradient or without, as PyTorch 2.14.1's CUDA build showed."""
    with cuda_behaviour(A100), recorder() as watch:
        values = torch.zeros(100, device="meta", requires_grad=learns)
        functional.dropout(values, 0.1)
    assert sorted(storage.bytes for storage in born(watch)) == [100, 400, 400]


def test_dropout_takes_nothing_when_it_drops_nothing() -> None:
    with cuda_behaviour(A100), recorder() as watch:
        values = torch.zeros(100, device="meta", requires_grad=True)
        functional.dropout(values, 0.0)
        functional.dropout(values, 0.5, training=False)
    assert born(watch)
    assert 100 not in [storage.bytes for storage in born(watch)]


def test_a_float16_softmax_into_float32_makes_no_cast_copy() -> None:
    with cuda_behaviour(A100), recorder() as watch:
        scores = torch.zeros((4, 8), dtype=torch.float16, device="meta")
        functional.softmax(scores, dim=-1, dtype=torch.float32)
    assert [storage.bytes for storage in born(watch)] == [4 * 8 * 2, 4 * 8 * 4]


def test_optimizers_choose_foreach_only_inside_the_block() -> None:
    before = _foreach_utils._get_foreach_kernels_supported_devices()
    with cuda_behaviour(A100):
        assert "meta" in _foreach_utils._get_foreach_kernels_supported_devices()
    assert _foreach_utils._get_foreach_kernels_supported_devices() == before


def test_every_patch_is_undone_even_after_an_error() -> None:
    clear, autocast, enabled = torch.clear_autocast_cache, torch.autocast, torch.is_autocast_enabled
    with pytest.raises(RuntimeError, match="halfway"), cuda_behaviour(A100):
        assert torch.autocast is not autocast
        raise RuntimeError("halfway")
    assert torch.clear_autocast_cache is clear
    assert torch.autocast is autocast
    assert torch.is_autocast_enabled is enabled


def test_an_answer_of_false_ends_with_the_tensor_it_was_given_for() -> None:
    """An unread any() leaves nothing behind for a mask that is born at its address."""
    import torch

    from tunesmith.memory.meta import run_on_meta

    any_, item = torch.ops.aten.any.default, torch.ops.aten._local_scalar_dense.default
    for _ in range(200):
        mask = torch.empty(4, dtype=torch.bool, device="meta")
        unread = run_on_meta(any_, (mask,), {})
        assert run_on_meta(item, (unread,), {}) is False
        del unread
        assert run_on_meta(item, (torch.empty((), dtype=torch.bool, device="meta"),), {}) is True
