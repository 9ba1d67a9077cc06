"""The space of recipes: families that need an outline of their own, and the variations of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tunesmith.hardware import Cluster, Gpu
from tunesmith.memory.outline import Variation
from tunesmith.recipe import Recipe, with_changes
from tunesmith.recipe.names import FSDP, ZERO
from tunesmith.search.sharing import shardings, steps_shards, tensors
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
WORTH_OFFLOADING: Final = 0.05
"""Share of a card that the inputs of all layers take at least, where moving them to the host is weighed."""
MASKED: Final = 4096
"""Tokens in a sequence from which on a window's mask is worth the outlines of another attention code."""
MOST_MICRO_BATCH: Final = 256
"""Sequences in one forward pass on one card beyond which nothing is gained."""
_BITS: Final = "quantization.bits"
_STORAGE: Final = "quantization.quant_storage"


FLASH: Final = "flash_attention_2"
"""Attention code of the flash-attn package, which needs bfloat16's cards and knows packed examples."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """Recipes of one outline: what is trained, in which types, checkpointed or not, by which attention."""

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
    tensor: int = 1
    """Cards that split every layer."""
    activations_on_host: bool = False
    """Whether what checkpointing keeps, the layers' inputs, rests in the memory of the host."""
    packing: bool = False
    """Whether short examples are joined into full sequences."""
    attention: str = ""
    """Attention code; empty: what transformers picks, which is sdpa."""
    outlined: tuple[bool, str] = (False, "")
    """Packing and attention of the family whose outline it shares, or its own."""

    @property
    def shared(self) -> Family:
        """Return the family whose outline serves this one, which is often itself.

        On one card's kernels PyTorch's flash attention and the flash-attn package allocate the same, to the
        byte, and packed examples take what one example of a sequence takes, to a thousandth.
        """
        packing, attention = self.outlined
        return replace(self, packing=packing, attention=attention)

    @property
    def told(self) -> str:
        """Return its name with what else sets it apart, e.g. ``lora, packed, flash_attention_2``."""
        return ", ".join(filter(None, (self.name, "packed" if self.packing else "", self.attention)))

    @property
    def twin(self) -> Family:
        """Return the family that differs in checkpointing only."""
        return replace(self, checkpointed=not self.checkpointed, activations_on_host=False)

    @property
    def optimizers(self) -> tuple[str, ...]:
        """Return the optimizers that are weighed."""
        if self.tensor > 1:  # others cannot step on the parts of a split model
            return FULL_OPTIMIZERS[:1]
        return ADAPTER_OPTIMIZERS if self.keys["method"] in ("lora", "qlora") else FULL_OPTIMIZERS

    def base(self, wish: Wish, gpu: Gpu, *, several: bool) -> Recipe:
        """Return the recipe whose outline is traced: one sequence, AdamW, on one *gpu* or *several*."""
        gpus = self.tensor if self.tensor > 1 else 2 if several else 1
        first = Variation(
            batch=1, length=wish.sequence_length, optim=FULL_OPTIMIZERS[0], gpus=gpus, tensor=self.tensor
        )
        return recipe(self.shared, wish, first, gpu=gpu.name)


METHODS: Final[tuple[tuple[str, str, Mapping[str, Any]], ...]] = (
    ("full, 32-bit weights", "全量，32 位权重", {"method": "full", "precision.weights": "float32"}),
    ("full", "全量", {"method": "full"}),
    ("lora", "LoRA", {"method": "lora"}),
    (
        "qlora, 8 bits",
        "QLoRA，8 位",
        {
            "method": "qlora",
            "quantization.bits": 8,
            "quantization.quant_type": "int8",
            "quantization.double_quant": False,
        },
    ),
    ("qlora", "QLoRA", {"method": "qlora"}),
)
"""What is trained, the truest first: name, name in Chinese, keys."""


def families(wish: Wish, cluster: Cluster, *, offload: bool = False, split: bool = False) -> Iterator[Family]:
    """Yield the families to weigh, the truest method first, without checkpointing before with it.

    With *offload* also those whose activations rest on the host, where they take a good part of a card; with
    *split* those whose layers several cards split.
    """
    methods = [*METHODS]
    if wish.method == "freeze":
        layers = max(1, (wish.architecture.num_hidden_layers or 4) // 4)
        frozen: Mapping[str, Any] = {"method": "freeze", "freeze.last_n_layers": layers}
        methods.append((f"freeze, last {layers} layers", f"冻结，训练最后 {layers} 层", frozen))
    for order, (name, name_zh, keys) in enumerate(methods):
        types = _types(keys, cluster.gpu)
        if types is None or wish.method not in (None, keys["method"]) or not _wanted(keys, wish):
            continue
        keys = {**keys, **types, **_storage(keys, types, wish, cluster)}
        plain = Family(order=order, name=name, name_zh=name_zh, keys=keys, checkpointed=False)
        for packing, attention, outlined in _layouts(wish, cluster.gpu):
            laid = replace(plain, packing=packing, attention=attention, outlined=outlined)
            yield laid
            yield replace(laid, checkpointed=True)
            if offload and _inputs_bytes(wish) > WORTH_OFFLOADING * cluster.gpu.memory_bytes:
                yield replace(laid, checkpointed=True, activations_on_host=True)
        for tensor in tensors(wish, cluster) if split and name == "full" else ():
            yield replace(plain, tensor=tensor)
            yield replace(plain, tensor=tensor, checkpointed=True)


def _inputs_bytes(wish: Wish) -> int:
    """Return what the inputs of all layers take for one sequence, in 16 bits."""
    model = wish.architecture
    return 2 * (model.num_hidden_layers or 0) * (model.hidden_size or 0) * wish.sequence_length


def _wanted(keys: Mapping[str, Any], wish: Wish) -> bool:
    """Return whether a method is weighed: 8 bits only where quality or quantised weights are asked for.

    They are truer than 4 bits, and mostly slower than 16, so that they are never the fastest.
    """
    if "quantization.bits" not in keys:
        return True
    asked = wish.goal == "quality" or wish.method == "qlora"
    return asked and not any(key.startswith("quantization.") for key in wish.fixed)


def _layouts(wish: Wish, gpu: Gpu) -> Iterator[tuple[bool, str, tuple[bool, str]]]:
    """Yield packing and attention, with those of the outline that serves them.

    Since Ampere packed examples are kept apart by flash-attn; sdpa would need a mask of all pairs of tokens,
    takes more of everything, and is left out. Cards before have no other way. Without packing both are
    weighed where a window is shorter than the sequence: sdpa then needs a mask and takes a slower kernel.
    """
    flash = (gpu.compute_capability or (0, 0)) >= (8, 0)
    asked = str(wish.fixed.get("attn_implementation") or "")
    plain = FLASH if flash and _windowed(wish) else ""
    for layout in wish.layouts:
        packing = layout.packing
        if packing and trainer(wish) not in (None, "sft"):
            continue
        usual = (FLASH,) if packing and flash else tuple(dict.fromkeys(("", "" if packing else plain)))
        for kind in (asked,) if asked else usual:
            yield packing, kind, (False, plain) if kind == FLASH and flash else (packing, kind)


def _windowed(wish: Wish) -> bool:
    """Return whether a window of some layers is shorter than a sequence in which attention weighs much."""
    window, length = wish.architecture.sliding_window, wish.sequence_length
    return window is not None and window < length and length >= MASKED


def trainer(wish: Wish) -> str | None:
    """Return the trainer that was asked for, or that of models that do not predict the next token.

    None is TRL's SFTTrainer, the usual one, whose loss never makes the logits.
    """
    config = wish.architecture.config
    heads = config.get("architectures") or ()
    other = config.get("is_encoder_decoder") or any(str(head).endswith("MaskedLM") for head in heads)
    asked: str | None = wish.fixed.get("trainer")
    return asked or ("trainer" if other else None)


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


def _storage(
    keys: Mapping[str, Any], types: Mapping[str, Any], wish: Wish, cluster: Cluster
) -> Mapping[str, Any]:
    """Return the type that packed 4-bit weights are kept as: on several cards one that FSDP shards.

    It is that of the weights, for FSDP casts what it gathers to the type of mixed precision.
    """
    packed = keys["method"] == "qlora" and keys.get("quantization.bits", wish.fixed.get(_BITS, 4)) == 4
    if not packed or cluster.cards == 1 or _STORAGE in wish.fixed:
        return {}
    return {_STORAGE: types.get("precision.weights", "bfloat16")}


def variations(
    family: Family, wish: Wish, cluster: Cluster, *, coarse: bool = False, offload: bool = True
) -> Iterator[Variation]:
    """Yield every variation of *family* on *cluster*.

    *coarse*: one rank, two optimizers, powers of two; without *offload* everything rests on the cards.
    """
    adapted = family.keys["method"] in ("lora", "qlora")
    ranks: tuple[int | None, ...] = (TRACED_RANK,) if coarse else RANKS
    everies = EVERY[:1] if coarse or family.activations_on_host else EVERY
    optimizers = family.optimizers[:2] if coarse else family.optimizers
    for sharding, optimizer_place, parameters_place in shardings(family, cluster, offload=offload):
        for context, share in _shares(family, sharding, wish, cluster):
            hosted = sharding in FSDP and context == 1 and _hosted(family, wish)
            micro = [size for size in range(1, min(share, MOST_MICRO_BATCH) + 1) if share % size == 0]
            if coarse:
                micro = [size for size in micro if size.bit_count() == 1]
            for optim in optimizers:
                if sharding != "none" and not steps_shards(sharding, optim, optimizer_place):
                    continue
                for rank in ranks if adapted else (None,):
                    for every in everies if family.checkpointed else (1,):
                        for size, sync in _passes(micro, share, several=sharding in FSDP and not adapted):
                            yield Variation(
                                batch=size,
                                length=wish.sequence_length,
                                accumulation=share // size,
                                sync_each_batch=sync,
                                optim=optim,
                                r=rank,
                                sharding=sharding,
                                gpus=cluster.gpus,
                                nodes=cluster.nodes,
                                offload_optimizer=optimizer_place,
                                offload_parameters=parameters_place,
                                quantizes_on_host=hosted,
                                every_n_layers=every,
                                tensor=family.tensor,
                                context=context,
                            )


def _passes(micro: Sequence[int], share: int, *, several: bool) -> Iterator[tuple[int, bool]]:
    """Yield how many of *share* sequences a pass takes, and whether gradients are reduced after each.

    Only FSDP has *several* ways, which differ where all weights learn and passes are more than one.
    """
    for size in micro:
        yield size, False
        if several and size < share:
            yield size, True


def _hosted(family: Family, wish: Wish) -> bool:
    """Return whether weights are quantised on the host: where FSDP can shard them as they are stored."""
    stored = wish.fixed.get(_STORAGE, family.keys.get(_STORAGE, "uint8"))
    return bool(stored != "uint8" and wish.fixed.get("quantization.device_map", "cpu") == "cpu")


def step_batch(wish: Wish, cluster: Cluster, *, packing: bool = False) -> int:
    """Return how many sequences an optimizer step takes on *cluster*.

    Raises RecipeError where the batch that was asked for cannot be shared out.
    """
    sharing = (*_contexts(wish, cluster, packing=packing), *tensors(wish, cluster))
    return wish.batch(*(cluster.cards // cards for cards in sharing), packing=packing)


def _contexts(wish: Wish, cluster: Cluster, *, packing: bool) -> Iterator[int]:
    """Yield how many cards may split a sequence: powers of two inside a node, or what is asked for.

    PyTorch's ring has its flash kernel in 16 bits, and no masks of packed examples or windows.
    """
    asked = wish.fixed.get("parallel.context")
    if asked is not None:
        yield int(asked)
        return
    yield 1
    able = (cluster.gpu.compute_capability or (0, 0)) >= (8, 0) and not packing and not _windowed(wish)
    number = 2
    while able and wish.sequence_length >= LONG and cluster.gpus % number == 0:
        if wish.sequence_length % (2 * number) == 0:
            yield number
        number *= 2


def _shares(family: Family, sharding: str, wish: Wish, cluster: Cluster) -> Iterator[tuple[int, int]]:
    """Yield how many cards split a sequence, and the sequences of a step that each group of them takes.

    transformers' Trainer splits a batch for sdpa only, and accelerate beside FSDP2 only.
    """
    batch = step_batch(wish, cluster, packing=family.packing)
    able = (
        sharding == "fsdp"
        and family.tensor == 1
        and family.attention in ("", "sdpa")
        and trainer(wish) != "loop"
    )
    for context in _contexts(wish, cluster, packing=family.packing):
        groups = cluster.cards // (context * family.tensor)
        if (able or context == 1) and groups and batch % groups == 0:
            yield context, batch // groups


def recipe(family: Family, wish: Wish, variation: Variation, *, gpu: str | None) -> Recipe:
    """Return the recipe that *variation* of *family* stands for."""
    keys: dict[str, Any] = {
        **family.keys,
        "model": wish.model,
        "gradient_checkpointing": family.checkpointed,
        "activation_offloading": family.activations_on_host,
        "packing": family.packing,
        "hardware.gpu": gpu,
        **variation.changes(),
    }
    if family.attention:
        keys["attn_implementation"] = family.attention
    if trainer(wish) is not None:
        keys["trainer"] = trainer(wish)
    if family.keys["method"] in ("lora", "qlora"):
        keys.setdefault("adapter.r", TRACED_RANK)
        keys["adapter.lora_alpha"] = 2 * keys["adapter.r"]
        keys["adapter.target_modules"] = "all-linear"
        if wish.architecture.num_experts:
            keys["adapter.lora_dropout"] = 0.0
    keys |= {key: value for key, value in wish.fixed.items() if _has(key, keys["method"], variation.sharding)}
    return Recipe.from_mapping(with_changes({}, keys))


def _has(key: str, method: str, sharding: str) -> bool:
    """Return whether a recipe of this method and sharding has *key* at all."""
    return {
        "adapter": method in ("lora", "qlora"),
        "quantization": method == "qlora",
        "freeze": method == "freeze",
        "deepspeed": sharding in ZERO,
    }.get(key.partition(".")[0], True)
