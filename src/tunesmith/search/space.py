"""The space of recipes: families that need an outline of their own, and the variations of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tunesmith.hardware import Cluster, Gpu
from tunesmith.memory.outline import Variation
from tunesmith.recipe import Recipe, with_changes
from tunesmith.search.wish import Wish

RANKS: Final = (8, 16, 32, 64)
"""Ranks of adapters that are weighed."""
TRACED_RANK: Final = 16
"""The rank whose outline is traced; the others follow from it."""
EVERY: Final = (1, 2, 3, 4, 6, 8)
"""Every which layer is checkpointed."""
FULL_OPTIMIZERS: Final = ("adamw_torch_fused", "adamw_8bit", "paged_adamw_8bit", "adafactor", "lion_8bit")
"""Optimizers weighed where all weights learn."""
ADAPTER_OPTIMIZERS: Final = ("adamw_torch_fused", "paged_adamw_8bit")
"""Optimizers weighed where an adapter learns, whose states are small."""
LONG: Final = 8192
"""Tokens in a sequence from which on cards may split it: shorter ones leave each too little to do."""
MOST_MICRO_BATCH: Final = 256
"""Sequences in one forward pass on one card beyond which nothing is gained."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """Recipes of one outline: what is trained, in which types, checkpointed or not."""

    order: int
    """Its place among the methods, the truest first."""
    name: str
    """In a few words, e.g. ``lora`` or ``full, 32-bit weights``."""
    name_zh: str
    """The same in Chinese."""
    keys: Mapping[str, Any] = field(compare=False)
    """What sets the family's recipes apart, as dotted keys."""
    checkpointed: bool
    """Whether layers are checkpointed."""

    @property
    def optimizers(self) -> tuple[str, ...]:
        """Return the optimizers that are weighed."""
        return ADAPTER_OPTIMIZERS if self.keys["method"] in ("lora", "qlora") else FULL_OPTIMIZERS

    def base(self, wish: Wish, gpu: Gpu, *, several: bool) -> Recipe:
        """Return the recipe whose outline is traced: one sequence, AdamW, on one *gpu* or *several*."""
        first = Variation(
            batch=1, length=wish.sequence_length, optim=FULL_OPTIMIZERS[0], gpus=2 if several else 1
        )
        return recipe(self, wish, first, gpu=gpu.name)


METHODS: Final[tuple[tuple[str, str, Mapping[str, Any]], ...]] = (
    ("full, 32-bit weights", "全量，32 位权重", {"method": "full", "precision.weights": "float32"}),
    ("full", "全量", {"method": "full"}),
    ("lora", "LoRA", {"method": "lora"}),
    ("qlora", "QLoRA", {"method": "qlora"}),
)
"""What is trained, the truest first: name, name in Chinese, keys."""


def families(wish: Wish, cluster: Cluster) -> Iterator[Family]:
    """Yield the families to weigh, the truest method first, without checkpointing before with it."""
    methods = [*METHODS]
    if wish.method == "freeze":
        layers = max(1, (wish.architecture.num_hidden_layers or 4) // 4)
        frozen: Mapping[str, Any] = {"method": "freeze", "freeze.last_n_layers": layers}
        methods.append((f"freeze, last {layers} layers", f"冻结，训练最后 {layers} 层", frozen))
    for order, (name, name_zh, keys) in enumerate(methods):
        types = _types(keys, cluster.gpu)
        if types is None or wish.method not in (None, keys["method"]):
            continue
        for checkpointed in (False, True):
            yield Family(
                order=order, name=name, name_zh=name_zh, keys={**keys, **types}, checkpointed=checkpointed
            )


def _types(keys: Mapping[str, Any], gpu: Gpu) -> Mapping[str, Any] | None:
    """Return the types in which a method runs on *gpu*, or None where it cannot learn there.

    Adapters and 32-bit weights run under autocast, as ``bf16=True`` has it. Cards before Ampere have no
    bfloat16, and weights that learn in float16 alone overflow.
    """
    half = "bfloat16" if (gpu.compute_capability or (0, 0)) >= (8, 0) else "float16"
    learns = keys["method"] in ("full", "freeze")
    if keys.get("precision.weights") == "float32":
        return {"precision.autocast": half}
    if half == "bfloat16":
        return {} if learns else {"precision.autocast": half}
    if learns:
        return None
    types = {"precision.weights": half, "precision.autocast": half}
    return types | ({"quantization.compute_dtype": half} if keys["method"] == "qlora" else {})


def variations(
    family: Family, wish: Wish, cluster: Cluster, *, coarse: bool = False, offload: bool = True
) -> Iterator[Variation]:
    """Yield every variation of *family* on *cluster*.

    *coarse*: one rank, two optimizers, powers of two; without *offload* everything rests on the cards.
    """
    adapted = family.keys["method"] in ("lora", "qlora")
    ranks: tuple[int | None, ...] = (TRACED_RANK,) if coarse else RANKS
    everies = EVERY[:1] if coarse else EVERY
    optimizers = family.optimizers[:2] if coarse else family.optimizers
    for sharding, optimizer_place, parameters_place in shardings(family, cluster, offload=offload):
        for context, share in _shares(sharding, wish, cluster):
            micro = [size for size in range(1, min(share, MOST_MICRO_BATCH) + 1) if share % size == 0]
            if coarse:
                micro = [size for size in micro if size.bit_count() == 1]
            for optim in optimizers:
                if sharding != "none" and not _sharded_optimizer(sharding, optim, optimizer_place):
                    continue
                for rank in ranks if adapted else (None,):
                    for every in everies if family.checkpointed else (1,):
                        for size in micro:
                            yield Variation(
                                batch=size,
                                length=wish.sequence_length,
                                accumulation=share // size,
                                optim=optim,
                                r=rank,
                                sharding=sharding,
                                gpus=cluster.gpus,
                                nodes=cluster.nodes,
                                offload_optimizer=optimizer_place,
                                offload_parameters=parameters_place,
                                every_n_layers=every,
                                context=context,
                            )


def step_batch(wish: Wish, cluster: Cluster) -> int:
    """Return how many sequences an optimizer step takes on *cluster*.

    Raises RecipeError where the batch that was asked for cannot be shared out.
    """
    return wish.batch(*(cluster.cards // context for context in _contexts(wish, cluster)))


def _contexts(wish: Wish, cluster: Cluster) -> Iterator[int]:
    """Yield the numbers of cards that may split a sequence: powers of two inside a node.

    The ring is PyTorch's, for its flash kernel in 16 bits and without packed examples: recipe/checks.py.
    """
    yield 1
    number = 2
    able = (cluster.gpu.compute_capability or (0, 0)) >= (8, 0) and not wish.packing
    while able and wish.sequence_length >= LONG and cluster.gpus % number == 0:
        if wish.sequence_length % (2 * number) == 0:
            yield number
        number *= 2


def _shares(sharding: str, wish: Wish, cluster: Cluster) -> Iterator[tuple[int, int]]:
    """Yield how many cards split a sequence, and the sequences of a step that each group of them takes."""
    batch = step_batch(wish, cluster)
    for context in _contexts(wish, cluster) if sharding == "fsdp" else (1,):
        groups = cluster.cards // context
        if batch % groups == 0:
            yield context, batch // groups


def shardings(family: Family, cluster: Cluster, *, offload: bool) -> Iterator[tuple[str, str, str]]:
    """Yield ``(sharding, offload.optimizer, offload.parameters)`` that *family* can have on *cluster*.

    Offload moves what learns: with an adapter the optimizer is small, so parameters alone would be worth
    moving, and FSDP moves both. DeepSpeed keeps 32-bit masters of 16-bit weights by itself, so 32-bit weights
    under it are no family of their own. Quantised weights are sharded by FSDP only: bitsandbytes' blocks
    cannot be flattened into DeepSpeed's partitions.
    """
    full = family.keys["method"] in ("full", "freeze")
    masters = family.keys.get("precision.weights") == "float32"
    quantized = family.keys["method"] == "qlora"
    if cluster.cards == 1:
        yield "none", "none", "none"
    else:
        yield "ddp", "none", "none"
        yield "fsdp", "none", "none"
        if cluster.nodes > 1 and cluster.gpus > 1:
            yield "fsdp_hybrid", "none", "none"
        if not quantized:
            yield "fsdp_grad_op", "none", "none"
        if not quantized and not masters:
            yield "zero3", "none", "none"
        if full and not masters:
            yield "zero1", "none", "none"
            yield "zero2", "none", "none"
    if offload and full and not masters:
        yield "zero2", "cpu", "none"
        yield "zero3", "cpu", "cpu"
    if offload and cluster.cards > 1:
        yield "fsdp", "cpu", "cpu"


def _sharded_optimizer(sharding: str, optim: str, place: str) -> bool:
    """Return whether *optim* runs under *sharding*.

    Offloaded states are updated on the CPU, where bitsandbytes' paged and 8-bit optimizers do not belong;
    Adafactor's factored states need whole matrices, which a flat partition is not. On FSDP2's shards,
    which are DTensors, neither Adafactor nor bitsandbytes' optimizers can step.
    """
    if place != "none" or sharding.startswith(("zero", "fsdp")):
        return optim == "adamw_torch_fused"
    return True


def recipe(family: Family, wish: Wish, variation: Variation, *, gpu: str | None) -> Recipe:
    """Return the recipe that *variation* of *family* stands for."""
    keys: dict[str, Any] = {
        **family.keys,
        "model": wish.model,
        "gradient_checkpointing": family.checkpointed,
        "packing": wish.packing,
        "hardware.gpu": gpu,
        **variation.changes(),
    }
    if family.keys["method"] in ("lora", "qlora"):
        keys.setdefault("adapter.r", TRACED_RANK)
        keys["adapter.lora_alpha"] = 2 * keys["adapter.r"]
        keys["adapter.target_modules"] = "all-linear"
        if wish.architecture.num_experts:
            keys["adapter.lora_dropout"] = 0.0
    return Recipe.from_mapping(with_changes({}, keys))
