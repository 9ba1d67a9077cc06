"""A model with more words: its tokenizer and the rows of its embedding, written to a new folder.

The files are edited as they are, not loaded and saved again: only the tensors that have a row for each token
change, so every other tensor, the names of all, and the settings of generation stay to the bit. A new row is
the mean of the rows of the pieces that the word was (Hewitt 2021, "Initializing New Word Embeddings for
Pretrained Language Models"; Sachidananda et al. 2021, "Efficient Domain Adaptation of Language Models via
Adaptive Tokenization", arXiv 2109.07460), in the head as in the embedding; where the head is the embedding,
there is one tensor before and after.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from tunesmith.architecture.bounds import printable
from tunesmith.data.manifest import DataFile
from tunesmith.data.tokenizer import TOKENIZER, TokenizerFiles
from tunesmith.data.vocabulary import Addition, Vocabulary, Words
from tunesmith.errors import OutputError, UnsupportedError
from tunesmith.evaluate.weights import SUFFIX, weights_of
from tunesmith.outputs import checked_folder

RECORD: Final = "vocabulary.json"
"""What was added and why, beside the model."""
CONFIG: Final = "config.json"
INDEX: Final = f"model{SUFFIX}.index.json"
KEPT: Final = (".json", ".jinja", ".txt", ".model", ".md")
"""What files beside the weights are copied, if they are no larger than MAX_KEPT_BYTES."""
MAX_KEPT_BYTES: Final = 64 << 20

_INPUT: Final = ("embed_tokens.weight", "wte.weight", "word_embeddings.weight", "embed_in.weight")
_HEAD: Final = ("lm_head.weight", "lm_head.bias", "embed_out.weight", "embed_out.bias")


@dataclass(frozen=True, kw_only=True)
class Extended:
    """What was written."""

    folder: str
    """The new model's folder."""
    tensors: tuple[str, ...]
    """Tensors that got new rows."""
    rows_before: int
    """Rows that they had, and"""
    rows: int
    """rows that they have."""
    tied: bool
    """Whether the head is the embedding."""
    bytes_before: int
    """Bytes of all weights before, and"""
    bytes: int
    """after."""


def extend(vocabulary: Vocabulary, model: Path, files: TokenizerFiles, output: str | Path) -> Extended:
    """Write the model in the folder *model* with the additions of *vocabulary* to the folder *output*.

    The folder comes into being whole or not at all. Raises OutputError where something is there already, and
    UnsupportedError for a model whose weights cannot be extended row by row.
    """
    target = checked_folder(output)
    shown = printable(str(target))
    if target.exists() and any(target.iterdir()):
        raise OutputError(f"{shown} is not empty. Name a folder that does not exist yet.")
    plan = _Plan.of(model, vocabulary)
    draft = target.with_name(f".{target.name[:60]}.{secrets.token_hex(4)}.draft")
    try:
        draft.mkdir()
        _write_tokenizer(draft, vocabulary, files)
        for path in weights_of(model):
            plan.write(path, draft / path.name, vocabulary.additions)
        _copy_rest(model, draft, plan)
        record = {
            **vocabulary.to_mapping(),
            "inputs": [DataFile.of(path).__dict__ for path in (files.path, *weights_of(model))],
            "tensors": list(plan.tensors),
        }
        _write_json(draft / RECORD, record)
        if target.exists():
            target.rmdir()
        draft.rename(target)
    except OSError as error:
        raise OutputError(f"{shown} cannot be written: {error.strerror}. Nothing was changed.") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return plan.done(model, target)


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """Which tensors of a model get new rows."""

    config: Mapping[str, Any]
    tensors: tuple[str, ...]
    rows_before: int
    rows: int

    @classmethod
    def of(cls, model: Path, vocabulary: Vocabulary) -> _Plan:
        config = json.loads((model / CONFIG).read_text(encoding="utf-8"))
        before = _vocabulary_holder(config)["vocab_size"]
        last = vocabulary.first_id + len(vocabulary.additions)
        if vocabulary.first_id > before:
            raise UnsupportedError(
                f"the tokenizer has {vocabulary.first_id:,} tokens and the model rows for {before:,}: they "
                "do not belong together. Give the folder of one model with its own tokenizer."
            )
        shapes: dict[str, list[int]] = {}
        for path in weights_of(model):
            with safe_open(path, framework="pt") as file:
                shapes |= {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
        sized = [name for name, shape in shapes.items() if before in shape]
        known = [name for name in sized if name.endswith(_INPUT + _HEAD) and shapes[name][0] == before]
        if not any(name.endswith(_INPUT) for name in known) or known != sized or _quantised(config):
            odd = ", ".join(printable(name) for name in sized if name not in known) or "no embedding"
            raise UnsupportedError(
                f"{printable(str(model))} keeps its vocabulary in tensors that cannot be extended ({odd}). "
                "Give a folder of safetensors weights in 16 or 32 bits, with an embedding and a head."
            )
        return cls(config=config, tensors=tuple(sorted(known)), rows_before=before, rows=max(before, last))

    def write(self, source: Path, place: Path, additions: tuple[Addition, ...]) -> None:
        """Write one file of weights, with new rows if it holds any of the tensors."""
        with safe_open(source, framework="pt") as file:
            names = list(file.keys())
            if not set(names) & set(self.tensors):
                shutil.copyfile(source, place)
                return
            held = {name: file.get_tensor(name) for name in names}
            metadata = file.metadata()
        for name in set(names) & set(self.tensors):
            held[name] = extended(held[name], self.rows, additions)
        save_file(held, place, metadata=metadata)
        shutil.copymode(source, place)

    def done(self, model: Path, target: Path) -> Extended:
        """Return what was written to *target*."""
        return Extended(
            folder=printable(str(target)),
            tensors=self.tensors,
            rows_before=self.rows_before,
            rows=self.rows,
            tied=not any(name.endswith("weight") for name in self.tensors if name.endswith(_HEAD)),
            bytes_before=sum(path.stat().st_size for path in weights_of(model)),
            bytes=sum(path.stat().st_size for path in weights_of(target)),
        )


def extended(tensor: torch.Tensor, rows: int, additions: tuple[Addition, ...]) -> torch.Tensor:
    """Return *tensor* with *rows* rows, that of each addition the mean of the rows of its pieces."""
    grown = torch.empty((rows, *tensor.shape[1:]), dtype=tensor.dtype)
    grown[: tensor.shape[0]] = tensor
    for each in additions:  # a word may be a piece of a later one
        grown[each.id] = grown[list(each.pieces)].double().mean(0).to(tensor.dtype)
    return grown


def _vocabulary_holder(config: dict[str, Any]) -> dict[str, Any]:
    """Return the part of *config* that states the number of tokens."""
    for part in (config, config.get("text_config")):
        if isinstance(part, dict) and isinstance(part.get("vocab_size"), int):
            return part
    raise UnsupportedError(f"{CONFIG} states no vocab_size, so the rows of the embedding cannot be told.")


def _quantised(config: Mapping[str, Any]) -> bool:
    return "quantization_config" in config


def _write_tokenizer(draft: Path, vocabulary: Vocabulary, files: TokenizerFiles) -> None:
    with Words(files) as words:
        for each in vocabulary.additions:
            given = words.add(each.term, bare=each.content == each.term)
            assert (given["content"], given["id"]) == (each.content, each.id)
        text = words.text()
    (draft / TOKENIZER).write_text(text, encoding="utf-8", newline="\n")


def _copy_rest(model: Path, draft: Path, plan: _Plan) -> None:
    """Copy what stands beside the weights, with the number of rows in the config and bytes in the index."""
    for path in sorted(model.iterdir()):
        place = draft / path.name
        small = path.is_file() and path.stat().st_size <= MAX_KEPT_BYTES
        if small and path.suffix in KEPT and path.name not in (TOKENIZER, CONFIG, INDEX, RECORD):
            shutil.copyfile(path, place)
    config = json.loads(json.dumps(plan.config))
    _vocabulary_holder(config)["vocab_size"] = plan.rows
    _write_json(draft / CONFIG, config)
    if (model / INDEX).is_file():
        index = json.loads((model / INDEX).read_text(encoding="utf-8"))
        if "total_size" in index.get("metadata", {}):
            index["metadata"]["total_size"] += _grown_bytes(model, draft, plan)
        _write_json(draft / INDEX, index)


def _grown_bytes(model: Path, draft: Path, plan: _Plan) -> int:
    """Return how many bytes of tensors came to the weights."""
    total = 0
    for path in weights_of(model):
        for sign, each in ((-1, path), (1, draft / path.name)):
            with safe_open(each, framework="pt") as file:
                for name in set(file.keys()) & set(plan.tensors):
                    tensor = file.get_tensor(name)
                    total += sign * tensor.numel() * tensor.element_size()
    return total


def _write_json(place: Path, value: object) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    place.write_text(text, encoding="utf-8", newline="\n")
