"""The same architecture with fewer layers: whole rounds leave the middle, what stands apart stays."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest
from transformers import CONFIG_MAPPING

from tunesmith.architecture import Architecture, catalogue, parse_architecture
from tunesmith.errors import UnsupportedError
from tunesmith.memory.ledger.layers import _UNSTATED, Layers, layers_of, with_layers

WRITERS = [
    "llama",
    "qwen2",
    "qwen3",
    "mistral",
    "gemma",
    "gemma2",
    "gemma3",
    "gemma3_text",
    "phi3",
    "gpt2",
    "gpt_neox",
    "opt",
    "bloom",
    "falcon",
    "mixtral",
    "qwen3_moe",
    "deepseek_v2",
    "deepseek_v3",
    "gpt_oss",
    "smollm3",
    "olmo3",
    "granite",
    "cohere",
    "stablelm",
    "starcoder2",
    "qwen3_next",
    "llama4",
    "glm4_moe",
    "jamba",
    "nemotron_h",
]


def first_of(family: str) -> Architecture:
    return next(e for e in catalogue().values() if e.config["model_type"] == family).architecture()


def architecture(**config: Any) -> Architecture:
    return parse_architecture({"model_type": "llama", "num_hidden_layers": 24} | config)


@pytest.mark.parametrize(
    "family", [f for f in WRITERS if any(e.config["model_type"] == f for e in catalogue().values())]
)
def test_every_popular_family_can_be_shortened_by_whole_rounds(family: str) -> None:
    whole = first_of(family)
    layers = layers_of(whole)
    assert layers.fewest + layers.rounds * layers.period == layers.count == whole.num_hidden_layers
    short = with_layers(whole, layers, layers.fewest)
    assert short.num_hidden_layers == layers.fewest
    assert layers_of_or_none(short) in (None, layers_with(layers, layers.fewest))


def layers_of_or_none(short: Architecture) -> Layers | None:
    try:
        return layers_of(short)
    except UnsupportedError:
        return None


def layers_with(layers: Layers, count: int) -> Layers:
    return Layers(count=count, period=layers.period, head=layers.head, tail=layers.tail)


@pytest.mark.parametrize("family", sorted(_UNSTATED))
def test_a_period_that_configs_leave_out_is_the_one_their_class_brings(family: str) -> None:
    """The default list of layer types in transformers recurs with the period that is written down here."""
    if family not in CONFIG_MAPPING:
        pytest.skip("a family that this release of transformers does not have")
    config = CONFIG_MAPPING[family]()
    config = getattr(config, "text_config", config)
    kinds = getattr(config, "layer_types", None)
    if not kinds:
        pytest.skip("its class lists no layer types")
    period = _UNSTATED[family]
    assert all(a == b for a, b in zip(kinds, islice(kinds, period, None), strict=False))


def test_a_list_with_an_entry_a_layer_gives_the_period_and_what_stands_apart() -> None:
    kinds = ["dense", *["a", "a", "b"] * 7, "b", "last"]
    layers = layers_of(architecture(layer_types=kinds, num_hidden_layers=len(kinds)))
    assert (layers.period, layers.head) == (3, 1)
    short = with_layers(architecture(layer_types=kinds, num_hidden_layers=len(kinds)), layers, layers.fewest)
    entries = short.config["layer_types"]
    assert len(entries) == layers.fewest
    assert (entries[0], entries[-2], entries[-1]) == ("dense", "b", "last")


def test_first_dense_layers_stay_whatever_is_taken_out() -> None:
    layers = layers_of(architecture(first_k_dense_replace=3))
    assert layers.head == 3
    assert layers.fewest > 3


@pytest.mark.parametrize(
    "config",
    [
        {"num_decoder_layers": 24},
        {"num_hidden_layers": 3},
        {"mlp_only_layers": [3, 7]},
        {"use_sliding_window": True, "max_window_layers": 12},
        {"n_layer": 24},
        {"layer_types": ["a" * (1 + i * i % 7) for i in range(24)]},
    ],
)
def test_a_config_that_ties_layers_together_is_refused_with_the_reason(config: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError):
        layers_of(architecture(**config))
