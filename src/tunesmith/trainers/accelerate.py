"""accelerate's configuration file: how many processes, FSDP2, and which DeepSpeed file; both ways.

Keys: huggingface/accelerate@v1.15.0:src/accelerate/commands/config/config_args.py and commands/launch.py;
what they become is FullyShardedDataParallelPlugin of utils/dataclasses.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tunesmith.recipe import Recipe
from tunesmith.recipe.names import FSDP, ROTATIONS, ZERO
from tunesmith.recipe.text import key_lines, read_text
from tunesmith.trainers import deepspeed
from tunesmith.trainers.defaults import Defaults
from tunesmith.trainers.draft import Draft, Job
from tunesmith.trainers.quantising import note_script
from tunesmith.trainers.reading import Reading
from tunesmith.trainers.splitting import is_split, note_loading, unsharded

NAME: Final = "accelerate.yaml"

DEFAULTS: Final = Defaults(
    package="accelerate==1.15.0",
    tables={
        "src/accelerate/commands/config/config_args.py": {
            "num_processes": None,
            "num_machines": 1,
            "mixed_precision": None,
            "distributed_type": None,
        },
        "src/accelerate/commands/launch.py": {
            "fsdp_config.fsdp_version": 1,
            "fsdp_config.fsdp_reshard_after_forward": True,
            "fsdp_config.fsdp_offload_params": False,
            "fsdp_config.fsdp_activation_checkpointing": False,
            "deepspeed_config.zero_stage": 2,
            "deepspeed_config.offload_optimizer_device": "none",
            "deepspeed_config.offload_param_device": "none",
        },
    },
)

TYPES: Final = ("no", "multi_gpu", "fsdp", "deepspeed")
PRECISIONS: Final[Mapping[str, str | None]] = {"no": None, "bf16": "bfloat16", "fp16": "float16"}
STRATEGIES: Final[Mapping[str, str]] = {
    "full_shard": "fsdp",
    "shard_grad_op": "fsdp_grad_op",
    "hybrid_shard": "fsdp_hybrid",
    "1": "fsdp",
    "2": "fsdp_grad_op",
    "4": "fsdp_hybrid",
}
"""FSDP1's names of strategies, torch.distributed.fsdp.ShardingStrategy, to the recipe's shardings."""


def section(recipe: Recipe) -> dict[str, Any]:
    """Return accelerate's configuration for *recipe*: processes, and FSDP2 where it is asked for."""
    hardware = recipe.hardware
    kind = "FSDP" if recipe.sharding in FSDP else "DEEPSPEED" if recipe.sharding in ZERO else "MULTI_GPU"
    out: dict[str, Any] = {
        "compute_environment": "LOCAL_MACHINE",
        "debug": False,
        "distributed_type": kind if hardware.world_size > 1 or kind != "MULTI_GPU" else "NO",
        "downcast_bf16": "no",
        "enable_cpu_affinity": False,
        "machine_rank": 0,
        "main_training_function": "main",
        "mixed_precision": {None: "no", "bfloat16": "bf16", "float16": "fp16"}[recipe.precision.autocast],
        "num_machines": hardware.nodes,
        "num_processes": hardware.world_size,
        "rdzv_backend": "static",
        "same_network": True,
        "use_cpu": False,
    }
    if kind == "FSDP":
        out["fsdp_config"] = {f"fsdp_{name}": value for name, value in fsdp(recipe).items()}
        grid = _grid(recipe)
        if grid:
            out["parallelism_config"] = {f"parallelism_config_{name}": value for name, value in grid.items()}
    if kind == "DEEPSPEED":
        out["deepspeed_config"] = {
            "deepspeed_config_file": deepspeed.NAME,
            "zero3_init_flag": recipe.sharding == "zero3",
        }
        del out["mixed_precision"]  # accelerate refuses it beside a file that says bf16 and fp16 itself
    return out


def _grid(recipe: Recipe) -> dict[str, Any]:
    """Return the sizes of accelerate's ParallelismConfig where they are not one row of cards."""
    hardware, hybrid = recipe.hardware, recipe.sharding == "fsdp_hybrid"
    context = recipe.parallel.context if recipe.parallel is not None else 1
    if context == 1 and not hybrid:
        return {}
    sizes: dict[str, Any] = {
        "dp_replicate_size": hardware.nodes if hybrid else 1,
        "dp_shard_size": (hardware.gpus if hybrid else hardware.world_size) // context,
    }
    if context > 1:
        assert recipe.parallel is not None
        sizes |= {"cp_size": context, "cp_comm_strategy": recipe.parallel.rotation}
    return sizes


def fsdp(recipe: Recipe) -> dict[str, Any]:
    """Return FSDP2's choices under the names that accelerate prefixes with ``fsdp_``."""
    return {
        "version": 2,
        "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "reshard_after_forward": recipe.sharding != "fsdp_grad_op",
        "offload_params": recipe.offload.parameters == "cpu",
        # Quantising on the first rank only leaves the others without the weights' states.
        "cpu_ram_efficient_loading": recipe.quantization is None,
        "state_dict_type": "SHARDED_STATE_DICT",
        "activation_checkpointing": False,
    }


def write(recipe: Recipe, job: Job) -> Draft:
    """Return accelerate's file, and DeepSpeed's where it is named, with the line that launches a script."""
    draft = Draft(command=launch(recipe, "train.py"))
    draft.file(NAME, section(unsharded(recipe)))
    if is_split(recipe):
        note_loading(recipe, draft)
    note_script(recipe, draft)
    if recipe.sharding in ZERO:
        draft.file(deepspeed.NAME, deepspeed.section(recipe))
    draft.note(
        "accelerate's file holds processes, precision and sharding; the rest is said in your train.py.",
        "accelerate 的文件只含进程、精度与分片；其余参数写在你的 train.py 中。",
    )
    draft.environment(recipe.hardware.alloc_conf)
    return draft


def launch(recipe: Recipe, script: str) -> str:
    """Return the line that launches *script* with accelerate's file on every node."""
    nodes = "--machine_rank RANK --main_process_ip FIRST_NODE --main_process_port 29500 "
    return f"accelerate launch --config_file {NAME} {nodes if recipe.hardware.nodes > 1 else ''}{script}"


def read(reading: Reading) -> None:
    """Set what accelerate's file says: cards, precision, sharding and offload."""
    read_cards(reading)
    precision = reading.choice("mixed_precision", tuple(PRECISIONS))
    if precision is not None:
        reading.set("precision.autocast", PRECISIONS[precision], "mixed_precision")
    kind = reading.choice("distributed_type", TYPES)
    if kind == "fsdp":
        read_fsdp(reading, "fsdp_config", unsaid=1)
    elif kind == "deepspeed":
        _read_deepspeed(reading)
    elif kind == "multi_gpu":
        reading.set("sharding", "ddp", "distributed_type")
    _read_context(reading)
    for name in ("tp_size", "sp_size"):
        size = reading.raw(f"parallelism_config.parallelism_config_{name}")
        if isinstance(size, int) and size > 1:
            reading.refuse(
                f"parallelism_config.parallelism_config_{name}", "it is not estimated. Set it to 1."
            )


def _read_context(reading: Reading) -> None:
    """Set how many cards split a sequence, and how keys and values reach them."""
    name, rotation = (
        f"parallelism_config.parallelism_config_{key}" for key in ("cp_size", "cp_comm_strategy")
    )
    if (reading.integer(name, 1, 4096) or 1) > 1:
        reading.set("parallel.context", reading.raw(name), name)
        reading.set("parallel.rotation", reading.choice(rotation, ROTATIONS) or ROTATIONS[0], rotation, name)


def read_cards(reading: Reading) -> None:
    """Set cards and nodes from ``num_processes`` and ``num_machines``, where the file states them."""
    processes = reading.integer("num_processes", 1, 1 << 20)
    nodes = reading.integer("num_machines", 1, 65536) or 1
    if not reading.stated("num_processes") or processes is None:
        return
    if processes % nodes:
        reading.problem(
            "num_processes", f"a multiple of num_machines ({nodes})", "Give every machine as many."
        )
        return
    reading.set("hardware.gpus", processes // nodes, "num_processes")
    reading.set("hardware.nodes", nodes, "num_machines")


def read_fsdp(reading: Reading, section_name: str, *, unsaid: int) -> None:
    """Set sharding and offload from the FSDP section *section_name*, whose keys may begin with ``fsdp_``.

    *unsaid* is the version of FSDP where the file names none.
    """
    given = reading.mapping(section_name)

    def name(key: str) -> str:
        return f"{section_name}.{'fsdp_' if f'fsdp_{key}' in given else ''}{key}"

    for key in given:
        reading.used.add(f"{section_name}.{key}")
    resharding, sharding = reading.raw(name("reshard_after_forward")), "fsdp"
    strategy = str(reading.raw(name("sharding_strategy")) or resharding or "").lower()
    if strategy in STRATEGIES:
        sharding = STRATEGIES[strategy]
    elif resharding is not None and not reading.boolean(name("reshard_after_forward")):
        sharding = "fsdp_grad_op"
    replicas = reading.raw("parallelism_config.parallelism_config_dp_replicate_size")
    if isinstance(replicas, int) and replicas > 1:
        sharding = "fsdp_hybrid"
    reading.set("sharding", sharding, name("reshard_after_forward"), section_name)
    offloads = [name("offload_params"), name("cpu_offload")]
    place = "cpu" if any(reading.boolean(each) for each in offloads) else "none"
    reading.set("offload.optimizer", place, *offloads)
    reading.set("offload.parameters", place, *offloads)
    if reading.boolean(name("activation_checkpointing")):
        reading.set("gradient_checkpointing", True, name("activation_checkpointing"))
    if str(reading.raw(name("version")) or reading.raw("fsdp_version") or unsaid) == "1":
        reading.warn(
            "FSDP1 is asked for, FSDP2 is computed. FSDP1's flat parameters need more around each layer.",
            "文件要求 FSDP1，计算按 FSDP2 进行；FSDP1 的扁平参数在层边界处需要更多显存。",
        )


def read_fsdp_words(reading: Reading, name: str, section_name: str, *, unsaid: int) -> None:
    """Set sharding and offload from transformers' words under *name*, e.g. ``full_shard auto_wrap offload``.

    The words are those of TrainingArguments.fsdp; the section beside them speaks for the rest.
    """
    given = reading.raw(name)
    words = given if isinstance(given, list) else str(given).split()
    if not given or words in (["no"], ["false"]):
        return
    read_fsdp(reading, section_name, unsaid=unsaid)
    for word in words:
        if str(word).lower() in STRATEGIES and str(word).lower() != "full_shard":
            reading.set("sharding", STRATEGIES[str(word).lower()], name)
        if str(word).lower() == "offload":
            reading.set("offload.optimizer", "cpu", name)
            reading.set("offload.parameters", "cpu", name)


def read_fsdp_file(reading: Reading, name: str) -> None:
    """Set sharding and offload from the JSON file under *name*: ``fsdp`` and ``fsdp_config``."""
    text, source = reading.fetch(str(reading.raw(name)))
    content = read_text(text, source)
    other = _beside(reading, content, key_lines(text), source)
    read_fsdp_words(other, "fsdp", "fsdp_config", unsaid=2)
    _take(reading, other, set())


def _beside(reading: Reading, content: Any, lines: Mapping[str, int], source: str) -> Reading:
    """Return the reading of another file of the same run."""
    return Reading(
        content if isinstance(content, Mapping) else {},
        lines,
        source=source,
        defaults=DEFAULTS,
        fetch=reading.fetch,
        changes=reading.changes,
    )


def _take(reading: Reading, other: Reading, own: set[str]) -> None:
    """Take over what the other file says, but for *own* keys."""
    reading.values |= {key: value for key, value in other.values.items() if key not in own}
    reading.origins |= {key: value for key, value in other.origins.items() if key not in own}
    reading.problems += [problem._replace(key=f"{other.source}: {problem.key}") for problem in other.problems]
    reading.unsupported += other.unsupported
    reading.warnings += other.warnings


def _read_deepspeed(reading: Reading) -> None:
    if reading.stated("deepspeed_config.deepspeed_config_file"):
        deepspeed.read_reference(reading, "deepspeed_config.deepspeed_config_file")
        return
    stage = reading.integer("deepspeed_config.zero_stage", 0, 3)
    if stage:
        reading.set("sharding", f"zero{stage}", "deepspeed_config.zero_stage")
    for part, key in (("optimizer", "offload.optimizer"), ("param", "offload.parameters")):
        name = f"deepspeed_config.offload_{part}_device"
        place = reading.choice(name, ("none", "cpu", "nvme"))
        if stage and place is not None and (part == "optimizer" or stage == 3):
            reading.set(key, place, name)
    if reading.stated("deepspeed_config.gradient_accumulation_steps"):
        reading.copy("deepspeed_config.gradient_accumulation_steps", "gradient_accumulation_steps")


def read_reference(reading: Reading, name: str) -> None:
    """Set what the accelerate file under *name* says, which lies beside this one."""
    given = reading.raw(name)
    if not isinstance(given, str):
        return
    text, source = reading.fetch(given)
    other = _beside(reading, read_text(text, source), key_lines(text), source)
    read(other)
    _take(reading, other, {"precision.autocast"} & set(reading.values))
