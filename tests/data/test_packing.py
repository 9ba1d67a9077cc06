"""Packing on lengths alone is TRL's packing of tokens; no example of a sequence sees another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any

import datasets
import pyarrow as pa
import pytest
import torch
import trl
from datasets import Dataset
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM
from trl.data_utils import _pack_bfd

from tunesmith.data.chat import Encoded
from tunesmith.data.packing import UNLEARNED, pack, packed, packing
from tunesmith.errors import DataError

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


# -- isolation, with a real model -------------------------------------------------------------------


def encoded(lengths: list[int], seed: int) -> list[Encoded]:
    """Return examples of random tokens, some of them learned."""
    random = Random(seed)
    made = []
    for row, length in enumerate(lengths):
        begin = random.randrange(length)
        ids = tuple(random.randrange(64) for _ in range(length))
        made.append(
            Encoded(row=row, place=f"line {row + 1}", length=length, learned=((begin, length),), ids=ids)
        )
    return made


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Let small products run on one thread: to share them out takes longer than to do them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", params=["sdpa", "eager"])
def model(request: pytest.FixtureRequest) -> Any:
    """Return a small random Llama."""
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlamaConfig(
        vocab_size=64, num_key_value_heads=1, attn_implementation=request.param, use_cache=False, **shape
    )
    return LlamaForCausalLM(config).eval()


@torch.no_grad()
def logits(model: Any, ids: Sequence[int], positions: Sequence[int]) -> torch.Tensor:
    given = {"input_ids": torch.tensor([list(ids)]), "position_ids": torch.tensor([list(positions)])}
    return model(**given, use_cache=False).logits[0]


def losses(logits: torch.Tensor, labels: Sequence[int]) -> torch.Tensor:
    """Return the sum of the loss over the tokens that are learned, each predicted by the one before."""
    return torch.nn.functional.cross_entropy(
        logits[:-1], torch.tensor(list(labels))[1:], ignore_index=UNLEARNED, reduction="sum"
    )


def test_packed_examples_are_computed_as_if_alone(model: Any) -> None:
    """Logits and loss of 100 random packings are those of each example alone, for either attention."""
    several = 0

    @settings(deadline=None, max_examples=100, database=None, phases=[Phase.generate])
    @given(st.lists(st.integers(1, 16), min_size=2, max_size=4), st.integers(0, 999))
    def same(lengths: list[int], seed: int) -> None:
        nonlocal several
        given_ = encoded(lengths, seed)
        total = alone_total = torch.zeros(())
        for each in packed(given_, sequence_length=32):
            made = logits(model, each.input_ids, each.position_ids)
            several += len(each.rows) > 1
            total = total + losses(made, each.labels)
            for row, begin, end in zip(each.rows, each.boundaries, each.boundaries[1:], strict=False):
                own = given_[row]
                alone = logits(model, own.ids, range(own.length))
                torch.testing.assert_close(made[begin:end], alone, rtol=1e-5, atol=1e-6)
                mask = zip(own.ids, own.mask(), strict=True)
                labels = [token if learned else UNLEARNED for token, learned in mask]
                alone_total = alone_total + (losses(alone, labels) if own.length > 1 else 0)
        torch.testing.assert_close(total, alone_total, rtol=1e-5, atol=1e-5)

    same()
    assert several > 50


def test_changing_an_example_changes_no_bit_of_its_neighbours(model: Any) -> None:
    """Other tokens in one example of a sequence leave the logits of the others as they were."""
    (each,) = packed(encoded([9, 7, 8], 1), sequence_length=24)
    before = logits(model, each.input_ids, each.position_ids)
    for begin, end in pairwise(each.boundaries):
        ids = list(each.input_ids)
        ids[begin:end] = [(token + 1) % 64 for token in ids[begin:end]]
        after = logits(model, ids, each.position_ids)
        assert torch.equal(after[:begin], before[:begin]) and torch.equal(after[end:], before[end:])
        assert not torch.equal(after[begin:end], before[begin:end])


def test_positions_that_do_not_begin_anew_would_leak(model: Any) -> None:
    """The tests above can fail: of one long example, what comes first changes all that follows."""
    (each,) = packed(encoded([9, 7, 8], 1), sequence_length=24)
    before = logits(model, each.input_ids, range(24))
    ids = [(token + 1) % 64 for token in each.input_ids[:9]] + list(each.input_ids[9:])
    assert not torch.equal(logits(model, ids, range(24))[9:], before[9:])


@settings(deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=40), st.integers(0, 99))
def test_a_packed_sequence_is_its_examples(lengths: list[int], seed: int) -> None:
    """Tokens, positions, boundaries and labels of every example are its own, but for its first label."""
    given_ = encoded(lengths, seed)
    made = list(packed(given_, sequence_length=40))
    assert sorted(row for each in made for row in each.rows) == list(range(len(lengths)))
    for each in made:
        assert each.boundaries[-1] == len(each.input_ids) == len(each.labels) <= 40
        for row, begin, end in zip(each.rows, each.boundaries, each.boundaries[1:], strict=False):
            own = given_[row]
            assert tuple(each.input_ids[begin:end]) == own.ids
            assert list(each.position_ids[begin:end]) == list(range(own.length))
            mask = [False, *own.mask()[1:]]
            labels = [token if learned else UNLEARNED for token, learned in zip(own.ids, mask, strict=True)]
            assert list(each.labels[begin:end]) == labels


def test_what_does_not_fit_is_not_packed() -> None:
    """An example that is too long, without its tokens or refused is named: packing truncates nothing."""
    (long,) = encoded([9], 0)
    with pytest.raises(DataError, match="line 1 has 9 tokens, of which 9 are at hand, expected at most 8"):
        list(packed([long], sequence_length=8))
    with pytest.raises(DataError, match="of which 0 are at hand"):
        list(packed([replace(long, ids=())], sequence_length=16))
    with pytest.raises(DataError, match="line 1 is odd"):
        list(packed([replace(long, fault="is odd")], sequence_length=16))
