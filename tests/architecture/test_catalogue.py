"""The catalogue: names, sources and aliases; test_catalogue_counts.py builds the models."""

import json
from collections import Counter
from importlib import resources
from pathlib import Path

import pytest

from tunesmith.architecture import catalogue, known_parameters, parse_architecture
from tunesmith.architecture.catalogue import find, near_misses

ENTRIES = list(catalogue().values())


def test_the_catalogue_holds_the_popular_families() -> None:
    families = Counter(entry.config["model_type"] for entry in ENTRIES)
    assert len(ENTRIES) >= 500
    assert len(families) >= 70
    assert all(
        families[name] >= 5 for name in ("llama", "qwen2", "qwen3", "mistral", "gemma2", "mixtral", "phi3")
    )


def test_every_entry_passes_the_strangers_parser_without_a_warning() -> None:
    for entry in ENTRIES:
        architecture = entry.architecture()
        assert architecture.warnings == ()
        assert architecture.to_dict() == dict(entry.config)
        assert (architecture.name, architecture.source) == (entry.name, "catalogue")


def test_every_count_is_as_published_or_says_why_not() -> None:
    for entry in ENTRIES:
        assert entry.config_source
        assert bool(entry.published_source) == (entry.published_parameters is not None)
        if entry.published_parameters is not None:
            assert (entry.published_parameters == entry.parameters) == (not entry.difference), entry.name
    assert sum(entry.published_parameters == entry.parameters for entry in ENTRIES) >= 390
    assert sum("not traced" in entry.difference for entry in ENTRIES) <= 8


def test_an_entry_says_nothing_of_the_machine_it_was_written_on() -> None:
    text = resources.files("tunesmith.architecture").joinpath("catalogue.jsonl").read_text()
    assert len(text) < 400_000
    assert "/home/" not in text
    assert "/root/" not in text
    names = [json.loads(line)["name"] for line in text.splitlines()]
    assert len(set(names)) == len(names)


def test_a_full_name_finds_its_own_entry_in_any_case() -> None:
    for entry in ENTRIES:
        assert find(entry.name) is entry
        assert find(entry.name.upper()) is entry
        assert find(f" {entry.name.lower()} ") is entry


@pytest.mark.parametrize(
    ("short", "name"),
    [
        ("llama-3-8b", "meta-llama/Meta-Llama-3-8B"),
        ("Qwen2.5-7B", "Qwen/Qwen2.5-7B"),
        ("llama-2-7b", "meta-llama/Llama-2-7b-hf"),
        ("LLAMA_2_7B_HF", "meta-llama/Llama-2-7b-hf"),
        ("llama-3.1-8b-instruct", "meta-llama/Llama-3.1-8B-Instruct"),
        ("gpt2", "openai-community/gpt2"),
        ("Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-7B-Instruct"),
        ("deepseek-v3", "deepseek-ai/DeepSeek-V3"),
    ],
)
def test_a_short_name_finds_the_original_and_not_its_mirror(short: str, name: str) -> None:
    found = find(short)
    assert found is not None
    assert found.name == name


def test_every_short_name_means_one_model_or_none() -> None:
    for entry in ENTRIES:
        found = find(entry.name.rpartition("/")[2])
        if found is not None:
            assert found.parameters == entry.parameters
            assert found.config["model_type"] == entry.config["model_type"]


def test_an_unknown_name_finds_nothing_and_suggests_the_nearest() -> None:
    assert find("lama-3-8b") is None
    assert near_misses("lama-3-8b")[0] == "meta-llama/Meta-Llama-3-8B"
    assert "Qwen/Qwen2.5-7B" in near_misses("qwen-2.5-7b")
    assert near_misses("x" * 10_000) == []


def test_known_parameters_are_those_of_an_equal_config_only() -> None:
    entry = catalogue()["meta-llama/Llama-2-7b-hf"]
    assert known_parameters(entry.architecture()) == entry.parameters == 6_738_415_616
    changed = {**entry.config, "num_hidden_layers": 31}
    assert known_parameters(parse_architecture(changed)) is None


def test_equal_configs_in_the_catalogue_have_equal_counts() -> None:
    for entry in ENTRIES:
        assert known_parameters(entry.architecture()) == entry.parameters


def test_the_catalogue_is_read_only() -> None:
    with pytest.raises(TypeError):
        catalogue()["x"] = ENTRIES[0]  # type: ignore[index]
    with pytest.raises(TypeError):
        ENTRIES[0].config["x"] = 1  # type: ignore[index]


def test_the_catalogue_lies_beside_its_reader() -> None:
    assert Path(str(resources.files("tunesmith.architecture"))).joinpath("catalogue.jsonl").is_file()
