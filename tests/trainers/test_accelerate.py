"""accelerate's own loader takes every exported file; FSDP2's plugin says what the recipe says."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import accelerate
import pytest
from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.parallelism_config import ParallelismConfig
from accelerate.utils import FullyShardedDataParallelPlugin
from accelerate.utils.launch import prepare_multi_gpu_env
from torch.distributed.fsdp import CPUOffloadPolicy

from tunesmith.errors import RecipeError, UnsupportedError
from tunesmith.recipe import Recipe
from tunesmith.trainers import export, read
from tunesmith.trainers.accelerate import DEFAULTS
from tunesmith.trainers.defaults import known_names

pytestmark = pytest.mark.filterwarnings("ignore")  # what PyTorch and its libraries say of themselves


def loaded(recipe: Recipe, folder: Path) -> Any:
    """Return accelerate's configuration of the exported file."""
    made = export(recipe, "accelerate")
    for file in made.files:
        (folder / file.name).write_text(file.text, encoding="utf-8")
    return load_config_from_file(str(folder / made.files[0].name))


def plugin(recipe: Recipe, folder: Path, monkeypatch: pytest.MonkeyPatch) -> FullyShardedDataParallelPlugin:
    """Return the plugin that a launched process makes of the environment that the launcher sets."""
    loaded(recipe, folder)
    arguments = ["--config_file", str(folder / "accelerate.yaml"), "train.py"]
    given, *_ = _validate_launch_command(launch_command_parser().parse_args(arguments))
    for name, value in prepare_multi_gpu_env(given).items():
        monkeypatch.setenv(name, value)
    return FullyShardedDataParallelPlugin()


@pytest.mark.parametrize("name", ["qlora_one_card", "lora_packed", "full_fsdp", "full_zero3_offload"])
def test_accelerate_loads_the_file(name: str, recipes: dict[str, Recipe], tmp_path: Path) -> None:
    """Processes, machines and precision arrive as they were written; no key is unknown."""
    recipe = recipes[name]
    config = loaded(recipe, tmp_path)
    assert config.num_processes == recipe.hardware.world_size
    assert config.num_machines == recipe.hardware.nodes
    if recipe.sharding != "zero3":
        assert str(config.mixed_precision) == ("bf16" if recipe.precision.autocast else "no")


@pytest.mark.parametrize(
    ("sharding", "offload"),
    [("fsdp", "none"), ("fsdp", "cpu"), ("fsdp_grad_op", "none"), ("fsdp_hybrid", "none")],
)
def test_the_plugin_is_fsdp2_as_the_recipe_says(
    sharding: str, offload: str, recipes: dict[str, Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Version, resharding and offload of the plugin that runs are those of the recipe."""
    places = {"optimizer": offload, "parameters": offload}
    recipe = recipes["full_fsdp"].replace(sharding=sharding, offload=places, **{"hardware.nodes": 2})
    made = plugin(recipe, tmp_path, monkeypatch)
    assert made.fsdp_version == 2
    assert made.reshard_after_forward is (sharding != "fsdp_grad_op")
    assert isinstance(made.cpu_offload, CPUOffloadPolicy) == (offload == "cpu")


def test_the_defaults_and_names_are_those_of_the_installed_release() -> None:
    """The table and schemas.json agree with ClusterConfig and the launcher of the version that is named."""
    assert DEFAULTS.package == f"accelerate=={accelerate.__version__}"
    names = {spec.name: spec.default for spec in dataclasses.fields(ClusterConfig)}
    assert set(names) == known_names("accelerate")
    for name, value in DEFAULTS.tables["src/accelerate/commands/config/config_args.py"].items():
        if names[name] is not dataclasses.MISSING and value is not None:
            assert names[name] == value, name
    parsed = vars(launch_command_parser().parse_args(["train.py"]))
    for name, value in DEFAULTS.tables["src/accelerate/commands/launch.py"].items():
        section, _, key = name.partition(".")
        if section == "fsdp_config":
            assert str(parsed[key]).lower() == str(value).lower(), name


@pytest.mark.parametrize("rotation", ["allgather", "alltoall"])
@pytest.mark.parametrize(
    ("sharding", "sizes"), [("fsdp", (1, 4, 4)), ("fsdp_hybrid", (2, 2, 4))], ids=["fsdp", "hybrid"]
)
def test_cards_that_split_sequences_are_accelerates_grid(
    rotation: str,
    sharding: str,
    sizes: tuple[int, int, int],
    recipes: dict[str, Recipe],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The ParallelismConfig of a launched process has the sizes of the recipe, and they are read back."""
    recipe = Recipe.from_mapping(
        recipes["full_fsdp"].to_mapping()
        | {"sharding": sharding, "hardware": {"gpus": 8, "nodes": 2}, "sequence_length": 32768}
        | {"parallel": {"context": 4, "rotation": rotation}, "offload": {}, "packing": False}
    )
    plugin(recipe, tmp_path, monkeypatch)
    grid = ParallelismConfig()
    assert (grid.dp_replicate_size, grid.dp_shard_size, grid.cp_size) == sizes
    assert grid.cp_handler.cp_comm_strategy == rotation
    assert export(recipe, "accelerate").runs.parallel == recipe.parallel
    assert "pad_to_multiple_of: 8" in export(recipe, "trl").files[0].text
    for other in ("axolotl", "swift", "llamafactory", "torchtune"):
        with pytest.raises(UnsupportedError, match=r"parallel\.context: it"):
            export(recipe, other)


def test_a_published_file_is_read(tmp_path: Path) -> None:
    """TRL's own fsdp2.yaml (huggingface/trl@v1.16.0:trl/accelerate_configs) is full sharding over 8 cards."""
    import trl

    text = (Path(trl.__file__).parent / "accelerate_configs" / "fsdp2.yaml").read_text(encoding="utf-8")
    back = read(text, changes={"model": "gpt2", "method": "full"})
    assert back.trainer == "accelerate"
    assert (back.recipe.sharding, back.recipe.hardware.gpus) == ("fsdp", 8)
    assert back.recipe.precision.autocast == "bfloat16"


def test_the_model_must_be_named_beside_the_file() -> None:
    """The file of accelerate names no model."""
    with pytest.raises(RecipeError, match="does not say model"):
        read("distributed_type: MULTI_GPU\nnum_processes: 2\n")


def test_machines_must_share_processes_evenly() -> None:
    """Seven processes on two machines are a mistake of the file."""
    with pytest.raises(RecipeError, match=r"num_processes \(line 2\): given 7, expected a multiple"):
        read("distributed_type: MULTI_GPU\nnum_processes: 7\nnum_machines: 2\n", changes={"model": "gpt2"})


def test_fsdp1_is_read_with_a_warning() -> None:
    """FSDP1's strategies are known by name; that FSDP2 is computed is said in both languages."""
    text = (
        "distributed_type: FSDP\nfsdp_config:\n  fsdp_version: 1\n  fsdp_sharding_strategy: SHARD_GRAD_OP\n"
    )
    back = read(text, changes={"model": "gpt2"})
    assert back.recipe.sharding == "fsdp_grad_op"
    assert any("FSDP1" in warning.english and "FSDP1" in warning.chinese for warning in back.warnings)
