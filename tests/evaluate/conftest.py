"""Small real models with a tokenizer of their own, saved as transformers saves them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM

Made = Callable[..., Path]

TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}<end>\n{% endfor %}"


def save_tokenizer(folder: Path, texts: Sequence[str], *, size: int = 400) -> None:
    """Save a byte-level BPE trained on *texts*, with an end token and a chat template."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=alphabet, special_tokens=["<end>"], show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<end>",
        "pad_token": "<end>",
        "chat_template": TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Return what saves a tiny random Llama with its tokenizer, and returns the folder."""

    def make(
        texts: Sequence[str], *, name: str = "model", tied: bool = True, spare: int = 0, **saving: Any
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        save_tokenizer(folder, texts)
        size = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size()
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=size + spare,
            hidden_size=48,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            tie_word_embeddings=tied,
            eos_token_id=0,
            bos_token_id=None,
            pad_token_id=0,
        )
        model = LlamaForCausalLM(config)
        model.generation_config.max_new_tokens = 17
        model.save_pretrained(folder, **saving)
        return folder

    return make
