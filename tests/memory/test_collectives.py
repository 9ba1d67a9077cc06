"""One rank among many: a group that answers at once, streams with numbers, and nothing left behind."""

from __future__ import annotations

import pytest
import torch
from torch import distributed
from torch.testing._internal.distributed.fake_pg import FakeStore

from tunesmith.errors import UnsupportedError
from tunesmith.memory.collectives import Streams, many_cards
from tunesmith.recipe import Recipe

TWO = Recipe.from_mapping({"model": "gpt2", "sharding": "ddp", "hardware": {"gpus": 2}})
ONE = Recipe.from_mapping({"model": "gpt2"})


def test_rank_0_of_as_many_as_the_recipe_has() -> None:
    """Inside the block there is a group of the recipe's size whose collectives end at once; then none."""
    with many_cards(TWO, Streams()):
        assert (distributed.get_rank(), distributed.get_world_size()) == (0, 2)
        total = torch.empty(8, device="meta")
        distributed.all_reduce(total)
        assert total.shape == (8,)
    assert not distributed.is_initialized()


def test_one_card_has_no_group() -> None:
    """A recipe for one card changes nothing at all."""
    with many_cards(ONE, Streams()):
        assert not distributed.is_initialized()
        assert not hasattr(torch, "meta")


def test_a_program_with_a_group_of_its_own_is_refused() -> None:
    """There is one default group in a process, and it is not ours to replace."""
    distributed.init_process_group("fake", rank=0, world_size=2, store=FakeStore())
    try:
        with pytest.raises(UnsupportedError, match="process of its own"), many_cards(TWO, Streams()):
            pass
        assert distributed.is_initialized()
    finally:
        distributed.destroy_process_group()


def test_tensors_on_meta_are_on_a_card_until_the_block_ends() -> None:
    """PyTorch takes the card for one while many run on it, but not before anything lies there."""
    tensor = torch.empty(1, device="meta")
    absent = True
    with many_cards(TWO, Streams(), absent=lambda: absent):
        assert tensor.is_meta
        absent = False
        assert not tensor.is_meta
    assert tensor.is_meta


def test_streams_have_numbers_and_end() -> None:
    """The default stream is 0, each new one has the next number, and a block gives the former one back."""
    streams = Streams()
    first, second = streams.Stream(priority=-1), streams.Stream()
    with streams.stream(first):
        with streams.stream(second):
            assert streams.number == 2
        assert streams.number == 1
    assert streams.number == 0
    first.wait_stream(second)
    first.wait_event(second.record_event())
    assert streams.current_stream().number == 0
