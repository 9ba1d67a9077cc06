"""Packing on lengths alone is TRL's packing of tokens."""

from __future__ import annotations

import datasets
import pyarrow as pa
import pytest
import trl
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from trl.data_utils import _pack_bfd

from tunesmith.data.packing import pack, packing

LENGTHS = st.lists(st.integers(0, 40), min_size=1, max_size=60)


def packed_by_trl(lengths: list[int], sequence_length: int) -> list[list[int]]:
    """Return the lengths that share each sequence that TRL packs of one batch of rows."""
    rows = pa.table({"input_ids": pa.array([[1] * length for length in lengths], pa.list_(pa.int32()))})
    return _pack_bfd(rows, sequence_length)["seq_lengths"].to_pylist()


@settings(deadline=None)
@given(lengths=LENGTHS.filter(any), sequence_length=st.integers(1, 50))
def test_the_sequences_are_trls(lengths: list[int], sequence_length: int) -> None:
    """The same lengths share the same sequences in the same order."""
    ours = pack(lengths, sequence_length=sequence_length)
    assert [[min(lengths[n], sequence_length) for n in each] for each in ours] == packed_by_trl(
        lengths, sequence_length
    )


def test_a_data_set_is_packed_as_trl_packs_it() -> None:
    """A thousand rows at a time, in the order of the rows."""
    datasets.disable_progress_bars()
    lengths = [(n * 7919) % 300 for n in range(2600)]
    rows = Dataset.from_dict({"input_ids": [[1] * length for length in lengths]})
    done = trl.pack_dataset(rows, 256, "bfd")
    ours = pack(lengths, sequence_length=256)
    assert [[min(lengths[n], 256) for n in each] for each in ours] == [
        list(each) for each in done["seq_lengths"]
    ]
    assert sum(map(len, done["input_ids"])) == packing(lengths, sequence_length=256).tokens


@settings(deadline=None)
@given(lengths=LENGTHS, sequence_length=st.integers(1, 50))
def test_every_example_is_packed_once(lengths: list[int], sequence_length: int) -> None:
    """No example is lost or doubled, none but empty ones are left out, and no sequence is too long."""
    bins = pack(lengths, sequence_length=sequence_length, map_rows=16)
    numbers = sorted(number for each in bins for number in each)
    assert numbers == [number for number, length in enumerate(lengths) if length]
    assert all(sum(min(lengths[n], sequence_length) for n in each) <= sequence_length for each in bins)


def test_the_order_of_rows_matters_a_thousand_at_a_time() -> None:
    """TRL packs each thousand rows apart, so rows of different thousands never share a sequence."""
    bins = pack([3] * 1001, sequence_length=6)
    assert len(bins) == 501
    assert bins[-1] == [1000]


def test_the_efficiency_is_the_share_that_is_tokens() -> None:
    """Tokens that truncation takes are none of them."""
    done = packing([5, 2, 1], sequence_length=4)
    assert (done.sequences, done.tokens, done.examples_per_sequence) == (2, 7, 1.5)
    assert done.efficiency == pytest.approx(7 / 8)
    assert done.to_mapping()["efficiency"] == done.efficiency


def test_nothing_packs_into_nothing() -> None:
    """Empty rows make no sequence."""
    assert packing([0, 0], sequence_length=4).efficiency == 0.0
