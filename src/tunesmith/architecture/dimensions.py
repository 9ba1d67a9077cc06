"""How large each dimension of a model may be, and which dimensions must agree.

The limits bound what comes after: on the meta device a model costs about a millisecond a layer to build,
so 1,000 layers are a second and 10**7, which a config states in 200 bytes, are hours. They stand well
above any published model (126 layers, width 16,384, 896 experts, 282,926 tokens, 10,485,760 positions).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from tunesmith.architecture.bounds import show


class Limit(NamedTuple):
    """The range of a dimension, and whether it may be given layer by layer."""

    low: int
    high: int
    exact: bool
    """True for dimensions that must be integers; False where other types have a meaning of their own."""
    listed: bool = True
    """Whether a list, one entry a layer, is accepted too."""


MAX_LAYERS: Final = 1_000
MAX_WIDTH: Final = 262_144
MAX_VOCABULARY: Final = 4_000_000
MAX_EXPERTS: Final = 4_096
MAX_HEADS: Final = 4_096
MAX_LABELS: Final = 100_000
MAX_POSITIONS: Final = 1 << 27
MAX_INTERMEDIATE: Final = 4 * MAX_WIDTH
MAX_EXPERT_LAYERS: Final = 262_144
"""Layers times experts: some classes build a module for each."""

LAYERS: Final = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
HIDDEN: Final = ("hidden_size", "n_embd", "d_model", "dim")
HEADS: Final = ("num_attention_heads", "n_head", "n_heads", "num_heads")
KEY_VALUE_HEADS: Final = ("num_key_value_heads", "num_kv_heads", "n_head_kv", "kv_n_heads")
HEAD_DIM: Final = ("head_dim", "attention_head_dim", "kv_channels", "d_kv", "d_head", "head_size")
INTERMEDIATE: Final = ("intermediate_size", "n_inner", "d_ff", "ffn_dim", "ffn_hidden_size", "hidden_dim")
POSITIONS: Final = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx")
EXPERTS: Final = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
ACTIVE_EXPERTS: Final = ("num_experts_per_tok", "num_experts_per_token", "moe_top_k", "top_k_experts")
# Heads that do not split the hidden size evenly: their width is stated by one of these.
_OWN_HEAD_WIDTH: Final = (*HEAD_DIM, "qk_nope_head_dim", "qk_head_dim", "v_head_dim", "kv_lora_rank")

_NAMED: Final[dict[str, Limit]] = {
    **dict.fromkeys(LAYERS, Limit(1, MAX_LAYERS, exact=True, listed=False)),
    **dict.fromkeys(HIDDEN, Limit(1, MAX_WIDTH, exact=True, listed=False)),
    **dict.fromkeys(HEADS, Limit(1, MAX_HEADS, exact=True)),
    **dict.fromkeys(KEY_VALUE_HEADS, Limit(1, MAX_HEADS, exact=True)),
    **dict.fromkeys(HEAD_DIM, Limit(1, MAX_WIDTH, exact=True)),
    **dict.fromkeys(INTERMEDIATE, Limit(0, MAX_INTERMEDIATE, exact=True)),
    **dict.fromkeys(POSITIONS, Limit(1, MAX_POSITIONS, exact=True, listed=False)),
    **dict.fromkeys(EXPERTS, Limit(0, MAX_EXPERTS, exact=True)),
    **dict.fromkeys(ACTIVE_EXPERTS, Limit(0, MAX_EXPERTS, exact=True)),
    "vocab_size": Limit(1, MAX_VOCABULARY, exact=True, listed=False),
    "padded_vocab_size": Limit(1, MAX_VOCABULARY, exact=True, listed=False),
    "moe_intermediate_size": Limit(0, MAX_INTERMEDIATE, exact=True),
    "num_labels": Limit(0, MAX_LABELS, exact=True, listed=False),
    "type_vocab_size": Limit(0, MAX_VOCABULARY, exact=True, listed=False),
}
_LAYER_WORDS: Final = frozenset({"layer", "layers", "depth", "depths", "blocks", "stages", "modules"})
_WIDTH_WORDS: Final = frozenset({"size", "sizes", "dim", "dims", "width", "rank", "channels", "features"})


@lru_cache(maxsize=2048)
def limit_of(key: str) -> Limit | None:
    """Return the range that *key* must keep: its own, or that of its kind of name; None for no dimension.

    >>> limit_of("num_hidden_layers").high, limit_of("mtp_num_layers").high, limit_of("rope_theta")
    (1000, 1000, None)
    """
    named = _NAMED.get(key)
    if named:
        return named
    words = key.lower().split("_")
    counts = words[0] in ("num", "n") or "num" in words
    if "experts" in words:
        return Limit(-1, MAX_EXPERTS, exact=counts)
    if "labels" in words or "classes" in words:
        return Limit(-1, MAX_LABELS, exact=counts)
    if counts and not _LAYER_WORDS.isdisjoint(words):
        return Limit(-1, MAX_LAYERS, exact=True)
    if words[-1] in _LAYER_WORDS:
        return Limit(-MAX_LAYERS, MAX_LAYERS, exact=False)  # negative: counted from the last layer
    if words[-1] == "heads":
        return Limit(-1, MAX_HEADS, exact=counts)
    if "vocab" in words and "size" in words:
        return Limit(-1, MAX_VOCABULARY, exact=False)
    if words[-1] in _WIDTH_WORDS:
        return Limit(-1, 1 << 24, exact=False)
    return None


def dimension_problem(key: str, value: object) -> str | None:
    """Return what is wrong with *value* as the dimension *key*, or None."""
    limit = limit_of(key)
    if limit is None or value is None:
        return None
    if isinstance(value, list):
        if not limit.listed:
            return f"a list was given, expected one integer from {limit.low:,} to {limit.high:,}"
        for position, entry in enumerate(value):
            if type(entry) is int and not limit.low <= entry <= limit.high:
                return f"{show(entry)} at [{position}], expected {_range(limit)}"
            if limit.exact and entry is not None and type(entry) is not int:
                return f"{show(entry)} at [{position}], expected {_range(limit)}"
        return None
    if type(value) is int:
        return None if limit.low <= value <= limit.high else f"{show(value)} given, expected {_range(limit)}"
    return f"{show(value)} given, expected {_range(limit)}" if limit.exact else None


def _range(limit: Limit) -> str:
    return f"an integer from {limit.low:,} to {limit.high:,}"


def stated(scope: Mapping[str, object], names: tuple[str, ...]) -> int | None:
    """Return the first of *names* that *scope* states as one integer, or None."""
    for name in names:
        value = scope.get(name)
        if type(value) is int:
            return value
    return None


def _usable(scope: Mapping[str, object], names: tuple[str, ...]) -> int | None:
    """Return what stated() does, or None where the value is zero or out of range, which is reported apart."""
    value = stated(scope, names)
    return value if value and dimension_problem(names[0], value) is None else None


def disagreements(scope: Mapping[str, object]) -> Iterator[str]:
    """Yield what does not fit together among the dimensions of one object of a config."""
    hidden, heads = _usable(scope, HIDDEN), _usable(scope, HEADS)
    if hidden and heads and hidden % heads and not any(scope.get(key) for key in _OWN_HEAD_WIDTH):
        yield (
            f"{hidden:,} hidden units do not divide into {heads:,} attention heads; "
            "state head_dim or correct one of them"
        )
    shared = _usable(scope, KEY_VALUE_HEADS)
    if heads and shared and heads % shared:
        yield f"{heads:,} attention heads do not divide into {shared:,} key-value heads"
    experts, active = _usable(scope, EXPERTS), _usable(scope, ACTIVE_EXPERTS)
    if experts and active and active > experts:
        yield f"{active:,} experts a token, but only {experts:,} experts"
    layers = _usable(scope, LAYERS)
    if layers and experts and layers * experts > MAX_EXPERT_LAYERS:
        yield (
            f"{layers:,} layers of {experts:,} experts are {layers * experts:,} experts; "
            f"at most {MAX_EXPERT_LAYERS:,} are accepted"
        )
