"""Architecture: immutable, comparable, and the same dimension under every family's name for it."""

import copy
import json
import pickle
from collections.abc import Mapping
from typing import Any

import pytest

from tunesmith.architecture import Architecture, catalogue, parse_architecture

LLAMA = {"model_type": "llama", "hidden_size": 4096, "rope_scaling": {"factor": 8.0}, "ids": [1, [2]]}


def test_an_architecture_cannot_be_changed_at_any_depth() -> None:
    architecture = parse_architecture(LLAMA)
    config: Any = architecture.config
    with pytest.raises(TypeError):
        config["hidden_size"] = 1
    with pytest.raises(TypeError):
        config["rope_scaling"]["factor"] = 1
    with pytest.raises(TypeError):
        config["ids"][1][0] = 1
    with pytest.raises(AttributeError):
        architecture.name = "other"  # type: ignore[misc]


def test_to_dict_is_a_copy_that_is_the_callers_to_change() -> None:
    architecture = parse_architecture(LLAMA)
    mine = architecture.to_dict()
    mine["rope_scaling"]["factor"] = 1
    assert architecture.to_dict() == LLAMA


def test_the_mapping_given_inline_may_change_afterwards() -> None:
    given = copy.deepcopy(LLAMA)
    architecture = parse_architecture(given)
    given["rope_scaling"]["factor"] = 1  # type: ignore[index]
    assert architecture.to_dict() == LLAMA


def test_equal_configs_are_equal_and_hash_equal_whatever_the_order_and_the_name() -> None:
    one = parse_architecture(LLAMA, name="a", source="b")
    two = parse_architecture(json.dumps(dict(reversed(LLAMA.items()))))
    assert one == two
    assert hash(one) == hash(two)
    assert one.config_sha256 == two.config_sha256
    assert one != parse_architecture({**LLAMA, "hidden_size": 4096 * 2})


def test_an_architecture_copies_and_pickles() -> None:
    architecture = parse_architecture(LLAMA, name="n")
    assert architecture.hidden_size == 4096
    for twin in (copy.deepcopy(architecture), pickle.loads(pickle.dumps(architecture))):
        assert twin == architecture
        assert twin.name == "n"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("meta-llama/Meta-Llama-3-8B", (32, 4096, 128256, 32, 8, None, 14336, 8192, None, None, False)),
        ("openai-community/gpt2-medium", (24, 1024, 50257, 16, None, None, None, 1024, None, None, None)),
        ("google-t5/t5-small", (6, 512, 32128, 8, None, 64, 2048, None, None, None, True)),
        ("tiiuae/falcon-7b", (32, 4544, 65024, 71, 71, None, None, None, None, None, True)),
        ("databricks/dbrx-base", (40, 6144, 100352, 48, 8, None, 10752, 32768, 16, 4, False)),
        ("mistralai/Mixtral-8x7B-v0.1", (32, 4096, 32000, 32, 8, None, 14336, 32768, 8, 2, False)),
        ("deepseek-ai/DeepSeek-V3", (61, 7168, 129280, 128, 128, None, 18432, 163840, 256, 8, False)),
        ("google/gemma-3-4b-it", (34, 2560, None, None, None, None, 10240, None, None, None, None)),
        ("openai/gpt-oss-20b", (24, 2880, 201088, 64, 8, 64, 2880, 131072, 32, 4, False)),
    ],
)
def test_dimensions_have_one_name_in_every_family(name: str, expected: tuple[int | None, ...]) -> None:
    it = catalogue()[name].architecture()
    assert (
        it.num_hidden_layers,
        it.hidden_size,
        it.vocab_size,
        it.num_attention_heads,
        it.num_key_value_heads,
        it.head_dim,
        it.intermediate_size,
        it.max_position_embeddings,
        it.num_experts,
        it.num_experts_per_token,
        it.tie_word_embeddings,
    ) == expected


def test_every_catalogue_model_states_layers_and_width() -> None:
    silent = set()
    for entry in catalogue().values():
        it = entry.architecture()
        if not (it.num_hidden_layers and it.hidden_size):
            silent.add(entry.config["model_type"])
    assert silent <= {
        "clip",
        "llava",
        "voxtral",
        "qwen2_audio",
        "fuyu",
    }  # left to the class of their text model


def test_a_text_part_speaks_before_the_whole_and_the_whole_decides_tying() -> None:
    it = parse_architecture(
        {
            "model_type": "llava",
            "hidden_size": 1,
            "vocab_size": 7,
            "tie_word_embeddings": True,
            "text_config": {"hidden_size": 4096, "tie_word_embeddings": False},
        }
    )
    assert (it.hidden_size, it.vocab_size, it.tie_word_embeddings) == (4096, 7, True)


def test_what_a_config_does_not_say_is_none() -> None:
    it = parse_architecture({"model_type": "llama"})
    assert it.num_hidden_layers is None
    assert it.tie_word_embeddings is None


def test_text_configs_inside_text_configs_end() -> None:
    nested: dict[str, Any] = {"hidden_size": 64}
    for _ in range(20):
        nested = {"text_config": nested}
    assert parse_architecture({"model_type": "x", **nested}).hidden_size == 64


def test_an_architecture_shows_its_name_and_not_its_config() -> None:
    shown = repr(parse_architecture(LLAMA, name="mine"))
    assert "mine" in shown
    assert "4096" not in shown


def test_the_fields_are_what_the_config_says() -> None:
    it = parse_architecture(LLAMA)
    assert isinstance(it, Architecture)
    assert isinstance(it.config, Mapping)
    assert (it.model_type, it.name, it.source, it.warnings) == ("llama", "llama", "inline", ())
    assert json.loads(it.config_json) == LLAMA
