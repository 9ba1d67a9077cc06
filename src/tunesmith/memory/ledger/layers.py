"""The same architecture with fewer layers: which counts keep its pattern of layers whole."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from tunesmith.architecture import Architecture
from tunesmith.errors import UnsupportedError

_COUNTS: Final = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
_TEXT_PARTS: Final = ("text_config", "llm_config", "language_config", "thinker_config")
_PERIODS: Final = (
    "attn_layer_period",
    "decoder_sparse_step",
    "expert_layer_period",
    "full_attention_interval",
    "global_attn_every_n_layers",
    "interleave_moe_layer_step",
    "moe_layer_freq",
    "no_rope_layer_interval",
    "sliding_window_pattern",
)
"""Keys by which configs of transformers state every how many layers something recurs."""
_HEADS: Final = ("first_k_dense_replace", "num_hash_layers", "moe_layer_start_index")
"""Keys that set the first layers apart."""
_UNSTATED: Final[Mapping[str, int]] = {
    "cohere2": 4,
    "exaone4": 4,
    "gemma2": 2,
    "gemma3": 6,
    "gemma3_text": 6,
    "gemma4": 6,
    "gemma4_text": 6,
    "gpt_oss": 2,
    "llama4": 4,
    "llama4_text": 4,
    "modernbert": 3,
    "olmo3": 4,
    "qwen3_5": 4,
    "qwen3_5_text": 4,
    "qwen3_5_moe": 4,
    "qwen3_5_moe_text": 4,
    "qwen3_next": 4,
    "smollm3": 4,
}
"""Periods that a config class of transformers 5.23 brings by itself; a test compares its ``layer_types``."""
_REFUSED: Final = (
    "num_decoder_layers",
    "decoder_layers",
    "attention_types",
    "num_kv_shared_layers",
    "compress_ratios",
)
"""Keys that tie single layers to each other or to a second stack."""
_MAX_PERIOD: Final = 16
_ROUNDS: Final = 2
"""Rounds in the smallest architecture: one that begins and one that ends."""


@dataclass(frozen=True, kw_only=True)
class Layers:
    """How an architecture's layers repeat."""

    count: int
    """Layers of the whole model."""
    period: int
    """After how many layers the pattern recurs."""
    head: int
    """First layers that stand apart."""
    tail: int
    """Last layers that stand apart."""

    @property
    def fewest(self) -> int:
        """Return the smallest number of layers from which the whole can be reached by whole rounds."""
        least = self.head + self.tail + _ROUNDS * self.period
        return least + (self.count - least) % self.period

    @property
    def rounds(self) -> int:
        """Return how many rounds the whole model has more than the fewest layers."""
        return (self.count - self.fewest) // self.period


def layers_of(architecture: Architecture) -> Layers:
    """Return how the layers of *architecture* repeat.

    Raises UnsupportedError where the config ties layers to each other, or has too few to gain by it.
    """
    scope = _scope(architecture.to_dict())
    named = [key for key in _COUNTS if isinstance(scope.get(key), int)]
    refused = [key for key in _REFUSED if scope.get(key)]
    if len(named) != 1 or refused:
        reason = f"{', '.join(refused)} ties them together" if refused else "their number is not stated once"
        raise UnsupportedError(f"the layers of {architecture.name} cannot be taken one by one: {reason}.")
    count = scope[named[0]]
    windowed = scope.get("use_sliding_window") and (scope.get("max_window_layers") or 0) < count
    if windowed or scope.get("mlp_only_layers") or scope.get("cross_attention_layers"):
        raise UnsupportedError(f"{architecture.name} sets single layers apart by their number.")
    period = _UNSTATED.get(str(scope.get("model_type", architecture.model_type)), 1)
    for key in _PERIODS:
        value = scope.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and value > 1:
            period = math.lcm(period, value)
    head = max((scope[key] for key in _HEADS if isinstance(scope.get(key), int)), default=0)
    listed = list(zip(*(scope[key] for key in _lists(scope, count)), strict=True))
    if listed:
        period, head, tail = _pattern([json.dumps(entry) for entry in listed], period, head)
    else:
        tail = 0
    layers = Layers(count=count, period=period, head=head, tail=tail)
    if period > _MAX_PERIOD or layers.rounds < 2:
        raise UnsupportedError(f"{architecture.name} has too few layers to tell its pattern from fewer.")
    return layers


def with_layers(architecture: Architecture, layers: Layers, count: int) -> Architecture:
    """Return *architecture* with *count* layers: whole rounds are taken out of its middle.

    >>> from tunesmith.architecture import load_architecture
    >>> llama = load_architecture("meta-llama/Llama-2-7b-hf")
    >>> with_layers(llama, layers_of(llama), 4).num_hidden_layers
    4
    """
    removed = layers.count - count
    assert removed % layers.period == 0 and count >= layers.head + layers.tail
    config = architecture.to_dict()
    scope = _scope(config)
    for key in _lists(scope, layers.count):
        entries = scope[key]
        scope[key] = entries[: layers.head] + entries[layers.head + removed :]
    for key in _COUNTS:
        if isinstance(scope.get(key), int):
            scope[key] = count
    text = json.dumps(config, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return replace(architecture, config_json=text)


def _scope(config: dict[str, Any]) -> dict[str, Any]:
    """Return the part of *config* that states the layers of the language model."""
    for name in _TEXT_PARTS:
        if isinstance(config.get(name), dict):
            return _scope(config[name])
    return config


def _lists(scope: Mapping[str, Any], count: int) -> list[str]:
    """Return the keys that hold one entry for each of *count* layers."""
    return [
        key
        for key, value in sorted(scope.items())
        if isinstance(value, (list, str))
        and len(value) == count
        and (isinstance(value, list) or "pattern" in key)
    ]


def _pattern(entries: list[str], period: int, head: int) -> tuple[int, int, int]:
    """Return the period, head and tail of *entries* that leave the fewest layers to run."""
    best: tuple[int, int, int] | None = None
    for length in range(period, _MAX_PERIOD + 1, period):
        for first in range(head, 9):
            for last in range(9):
                middle = entries[first : len(entries) - last]
                if middle[length:] != middle[: len(middle) - length]:
                    continue
                if best is None or first + last + _ROUNDS * length < best[1] + best[2] + _ROUNDS * best[0]:
                    best = (length, first, last)
    if best is None:
        raise UnsupportedError("its layers follow no pattern.")
    return best
