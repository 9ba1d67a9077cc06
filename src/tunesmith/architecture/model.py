"""Architecture: a config that has been read, cleaned and checked, with its dimensions by one name each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from tunesmith.architecture import dimensions
from tunesmith.architecture.dimensions import stated

# Where models that read more than text keep the part that writes it.
_TEXT_PARTS: Final = ("text_config", "llm_config", "language_config", "thinker_config", "decoder")


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """One model's shape: plain values only, immutable, equal when the configs are.

    The config is kept as canonical JSON text, so an Architecture hashes, compares, copies and pickles as
    the text does, and nobody can change it from outside.
    """

    model_type: str
    """The family, as transformers names it, e.g. ``llama``."""
    config_json: str = field(repr=False)
    """The cleaned config as canonical JSON: sorted keys, ASCII, no spaces."""
    name: str = field(default="", compare=False)
    """What the user calls the model."""
    source: str = field(default="", compare=False)
    """Where the config came from: a path, ``catalogue``, ``inline`` or a Hub id."""
    warnings: tuple[str, ...] = field(default=(), compare=False)
    """What was dropped from the config and why, one line each."""

    @property
    def config(self) -> Mapping[str, Any]:
        """Return the cleaned config, read-only at every depth (lists are tuples)."""
        return _view(self.config_json)

    @property
    def config_sha256(self) -> str:
        """Return the digest of the cleaned config: equal for equal configs, whatever the order of keys."""
        return hashlib.sha256(self.config_json.encode("ascii")).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the cleaned config as a fresh dict of plain values, the caller's to change."""
        built: dict[str, Any] = json.loads(self.config_json)
        return built

    @property
    def num_hidden_layers(self) -> int | None:
        """Return the number of layers of the text model, or None where the config does not say."""
        return self._stated(dimensions.LAYERS)

    @property
    def hidden_size(self) -> int | None:
        """Return the width of the residual stream, or None where the config does not say."""
        return self._stated(dimensions.HIDDEN)

    @property
    def vocab_size(self) -> int | None:
        """Return the number of tokens, or None where the config does not say."""
        return self._stated(("vocab_size", "padded_vocab_size"))

    @property
    def num_attention_heads(self) -> int | None:
        """Return the number of query heads, or None where it is not stated or differs by layer."""
        return self._stated(dimensions.HEADS)

    @property
    def num_key_value_heads(self) -> int | None:
        """Return the number of key-value heads, or None where it is not stated or differs by layer."""
        return self._stated(dimensions.KEY_VALUE_HEADS)

    @property
    def head_dim(self) -> int | None:
        """Return the width of one head, or None where it is left to the class (often hidden / heads)."""
        return self._stated(dimensions.HEAD_DIM)

    @property
    def intermediate_size(self) -> int | None:
        """Return the width inside the feed-forward block, or None where unstated or differing by layer."""
        return self._stated(dimensions.INTERMEDIATE)

    @property
    def max_position_embeddings(self) -> int | None:
        """Return the longest sequence the model was built for, or None where the config does not say."""
        return self._stated(dimensions.POSITIONS)

    @property
    def sliding_window(self) -> int | None:
        """Return how many tokens the layers with a window attend to, or None where none has one."""
        if any(scope.get("use_sliding_window") is False for scope in self._scopes()):
            return None
        return self._stated(("sliding_window",))

    @property
    def num_experts(self) -> int | None:
        """Return the number of routed experts a layer, or None where the config does not say."""
        return self._stated(dimensions.EXPERTS)

    @property
    def num_experts_per_token(self) -> int | None:
        """Return how many experts see a token, or None where the config does not say."""
        return self._stated(dimensions.ACTIVE_EXPERTS)

    @property
    def tie_word_embeddings(self) -> bool | None:
        """Return whether the head shares the embedding, or None where it is left to the class."""
        for scope in reversed(self._scopes()):
            value = scope.get("tie_word_embeddings")
            if isinstance(value, bool):
                return value
        return None

    def _scopes(self) -> list[Mapping[str, Any]]:
        """Return the objects that may state a text dimension, the innermost text part first."""
        scopes = [self.config]
        while True:
            parts = (scopes[0].get(name) for name in _TEXT_PARTS)
            inner = next((part for part in parts if isinstance(part, Mapping)), None)
            if inner is None:
                return scopes
            scopes.insert(0, inner)

    def _stated(self, names: tuple[str, ...]) -> int | None:
        for scope in self._scopes():
            for part in (scope, scope.get("attn_config"), scope.get("ffn_config")):  # DBRX, MPT
                value = stated(part, names) if isinstance(part, Mapping) else None
                if value is not None:
                    return value
        return None


@lru_cache(maxsize=64)
def _view(config_json: str) -> Mapping[str, Any]:
    frozen: Mapping[str, Any] = _freeze(json.loads(config_json))
    return frozen


def _freeze(value: Any) -> Any:
    if isinstance(value, dict):
        return MappingProxyType({key: _freeze(entry) for key, entry in value.items()})
    if isinstance(value, list):
        return tuple(_freeze(entry) for entry in value)
    return value
