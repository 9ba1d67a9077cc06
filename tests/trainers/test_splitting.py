"""Tensor and expert parallelism arrive in transformers' DistributedConfig and come back as said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers.distributed.configuration_utils import DistributedConfig
from trl import DatasetMixtureConfig, ModelConfig, ScriptArguments, SFTConfig, TrlParser

from tunesmith.errors import UnsupportedError
from tunesmith.recipe import Parallel, Recipe
from tunesmith.trainers import export, read

pytestmark = pytest.mark.filterwarnings("ignore")  # what PyTorch and its libraries say of themselves

LAYOUTS: list[tuple[dict[str, Any], dict[str, int]]] = [
    (
        {"parallel": {"tensor": 2}, "hardware": {"gpus": 2}},
        {"tp_size": 2, "fsdp_size": 1, "dp_replicate_size": 1, "ep_size": 1},
    ),
    (
        {"parallel": {"tensor": 2}, "hardware": {"gpus": 8}, "sharding": "fsdp"},
        {"tp_size": 2, "fsdp_size": 4, "dp_replicate_size": 1, "ep_size": 1},
    ),
    (
        {"parallel": {"expert": 8}, "hardware": {"gpus": 8}, "sharding": "fsdp"},
        {"tp_size": 1, "fsdp_size": 8, "dp_replicate_size": 1, "ep_size": 8},
    ),
    (
        {
            "parallel": {"tensor": 2, "expert": 4},
            "hardware": {"gpus": 4, "nodes": 2},
            "sharding": "fsdp_hybrid",
        },
        {"tp_size": 2, "fsdp_size": 2, "dp_replicate_size": 2, "ep_size": 4},
    ),
]


def recipe_of(changes: dict[str, Any]) -> Recipe:
    """Return a full fine-tuning of a mixture of experts with *changes*."""
    return Recipe.from_mapping(
        {"model": "Qwen/Qwen3-30B-A3B", "method": "full", "trainer": "sft", "attn_implementation": "sdpa"}
        | changes
    )


@pytest.mark.parametrize(("changes", "sizes"), LAYOUTS, ids=["tensor", "fsdp", "expert", "both"])
def test_trl_hands_the_layout_to_transformers(
    changes: dict[str, Any], sizes: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRL's own parser reads it, transformers' DistributedConfig takes it; accelerate's FSDP is off."""
    made = export(recipe_of(changes), "trl")
    (tmp_path / made.files[0].name).write_text(made.files[0].text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    parser = TrlParser((ScriptArguments, SFTConfig, ModelConfig, DatasetMixtureConfig))
    arguments = ["--config", made.files[0].name, "--use_cpu", "true"]
    _, training, _, _, rest = parser.parse_args_and_config(
        arguments, return_remaining_strings=True, fail_with_unknown_args=False
    )
    assert training.model_init_kwargs == {"distributed_config": sizes}
    config = DistributedConfig.from_dict(training.model_init_kwargs["distributed_config"])
    assert {name: getattr(config, name) for name in sizes} == sizes
    assert training.save_only_model and len(made.files) == 1
    cards = changes["hardware"]
    said = [str(cards["gpus"] * cards.get("nodes", 1)), str(cards.get("nodes", 1))]
    assert rest == ["--num_processes", said[0], "--num_machines", said[1]]


@pytest.mark.parametrize(("changes", "sizes"), LAYOUTS, ids=["tensor", "fsdp", "expert", "both"])
def test_what_is_written_is_read(changes: dict[str, Any], sizes: dict[str, int]) -> None:
    """The file, read back, has the same cards, parallelism and sharding."""
    recipe = recipe_of(changes)
    made = export(recipe, "trl")
    found = read(made.files[0].text, trainer="trl").recipe
    assert (found.parallel or Parallel(), found.sharding) == (recipe.parallel, recipe.sharding)
    assert found.hardware.world_size == recipe.hardware.world_size


def test_a_script_under_accelerate_is_told_how_to_load() -> None:
    """Accelerate's file starts plain processes; the note says what from_pretrained() has to be given."""
    made = export(recipe_of(LAYOUTS[1][0]), "accelerate")
    assert "distributed_type: MULTI_GPU" in made.files[0].text and "fsdp_config" not in made.files[0].text
    assert any("DistributedConfig(tp_size=2, fsdp_size=4)" in note.english for note in made.notes)


def test_what_a_recipe_cannot_say_of_it_is_refused() -> None:
    """A key of the section that a recipe has no word for is refused with its name."""
    text = (
        "model_name_or_path: gpt2\nmax_length: 512\nnum_processes: 2\n"
        "model_init_kwargs:\n  distributed_config:\n    tp_size: 2\n    fsdp_cpu_offload: true\n"
    )
    with pytest.raises(UnsupportedError, match="fsdp_cpu_offload"):
        read(text, trainer="trl")
