"""Gains are counted by a tokenizer, add up, and cost what the shape says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, trainers

from tunesmith.architecture import load_architecture
from tunesmith.data.scanning import recognised, scan
from tunesmith.data.tokenizer import load_tokenizer
from tunesmith.data.vocabulary import cost, find_vocabulary
from tunesmith.errors import DataError


def test_gains_of_real_rows_are_those_of_the_tokenizer(corpus: Path, tokenizer_folder: Path) -> None:
    """Adding the same tokens by hand saves exactly as many tokens, each beside those before it."""
    path = corpus / "instructions.jsonl"
    form = recognised(path)
    told: list[float] = []
    found = find_vocabulary(
        path, form, load_tokenizer(tokenizer_folder), add=6, progress=lambda _, share: told.append(share)
    )
    tokenizer = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
    texts = [text for batch in scan(path, form) for text in batch.turns["text"]]

    def tokens() -> int:
        return sum(len(each) for each in tokenizer.encode_batch_fast(texts, add_special_tokens=False))

    before = tokens()
    assert (found.tokens, found.rows, found.every) == (before, 5_348, 1)
    assert len(found.additions) == 6 and told[-1] == 1.0
    assert [each.id for each in found.additions] == list(range(found.first_id, found.first_id + 6))
    for each in found.additions[:2]:
        single = each.content == each.term and each.term.isascii()
        tokenizer.add_tokens([AddedToken(each.content, single_word=single, normalized=False)])
        now = tokens()
        assert before - now == each.saved_tokens > 0
        before = now
    assert found.to_mapping()["saved_tokens"] == sum(each.saved_tokens for each in found.additions)


def test_a_tokenizer_that_would_change_texts_is_refused(tmp_path: Path) -> None:
    """One that sets a mark before each piece of text writes blanks after an added token."""
    tokenizer = Tokenizer(models.BPE(unk_token="?", byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    rows = [{"prompt": f"see {n}", "completion": f"of zyqvwx, {n}"} for n in range(40)]
    letters = sorted({each for row in rows for text in row.values() for each in text})
    trainer = trainers.BpeTrainer(
        vocab_size=60, initial_alphabet=["▁", *letters], special_tokens=["?"], show_progress=False
    )
    tokenizer.train_from_iterator(["see of see of"], trainer)
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(DataError, match="read otherwise"):
        find_vocabulary(path, recognised(path), load_tokenizer(folder), add=1)


def test_costs_follow_the_shape() -> None:
    """Spare rows cost nothing; a head of its own doubles the rows; the adapter holds all of them."""
    shape = {"model_type": "llama", "vocab_size": 1_000, "hidden_size": 64, "num_hidden_layers": 1,
             "num_attention_heads": 4, "intermediate_size": 128}  # fmt: skip
    tied = cost(load_architecture({**shape, "tie_word_embeddings": True}), 990, 30)
    untied = cost(load_architecture({**shape, "tie_word_embeddings": False}), 990, 30)
    assert tied is not None and untied is not None
    assert (tied.new_rows, tied.weights_bytes, tied.full_bytes) == (20, 2 * 20 * 64, 16 * 20 * 64)
    assert untied.weights_bytes == 2 * tied.weights_bytes
    assert untied.adapter_bytes == tied.adapter_bytes == 2 * 2 * 1_020 * 64
    assert tied.lora_rows_bytes == 16 * 30 * 64
    spare = cost(load_architecture(shape), 900, 30)
    assert spare is not None and spare.new_rows == spare.weights_bytes == 0
    assert cost(load_architecture(shape), 2_000, 30) is None
