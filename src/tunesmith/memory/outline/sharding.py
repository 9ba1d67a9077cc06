"""What many cards change about a skyline: which roles are shared, what is gathered, what waits to be sent.

The rules are those of the real runs that memory/step/sharding and memory/step/deepspeed trace, in closed
form; a trace confirms whatever is chosen by them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, NamedTuple

from tunesmith.memory.outline.places import Line, Place
from tunesmith.memory.outline.variation import Variation
from tunesmith.recipe.names import FSDP, ZERO

AS_WEIGHTS: Final = (
    "adamw_torch",
    "adamw_torch_fused",
    "adagrad",
    "rmsprop",
    "sgd",
    "ademamix",
    "stable_adamw",
)
"""Optimizers whose states have the type of the weights; those of others do not change with it."""
SEGMENTS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "fsdp": 1.22,
        "fsdp_grad_op": 1.22,
        "fsdp_hybrid": 1.22,
        "zero1": 1.17,
        "zero2": 1.17,
        "zero3": 1.25,
    }
)
"""Reserved over allocated bytes where several streams have pools of their own: about the middle of replays of
traced runs of Llama-2-7B on 8 cards, which lie between 1.03 and 1.5; an estimate, and no more."""
_MAX_LIVE: Final = 1_000_000_000  # stage3_max_live_parameters, tunesmith/recipe/sections.py
_SUB_GROUP: Final = 1_000_000_000  # sub_group_size, in the same file
_HALF: Final = 2


class Peak(NamedTuple):
    """A candidate for the peak of one card."""

    total: int
    """Live bytes."""
    line: Line
    """The instant."""
    parts: Mapping[str, int]
    """Categories that differ from those of the line on one card."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """How a class of recipes keeps its weights where many cards compute in 16 bits."""

    frozen_bytes: float
    """Bytes of a stored frozen weight for every byte it is computed with."""
    trainable_bytes: float
    """Bytes of a stored weight that learns for every byte it is computed with."""
    quantized: bool
    """Whether the layers' weights are quantised."""
    whole_layers: bool
    """Whether FSDP leaves them whole, for they are stored as integers."""
    bucket_elements: int
    """Elements of DeepSpeed's bucket: the hidden size squared."""
    item_bytes: int
    """Bytes of a weight that learns, as computed with."""


def peaks(
    here: Place, variation: Variation, kept: Kept, *, states: int, step: int, rounds: int
) -> Iterator[Peak]:
    """Yield the candidates for the peak of one card of many.

    *states* and *step* are those of the optimizer on one card, which holds *rounds* rounds of layers.
    """
    if variation.sharding in FSDP:
        yield from _fsdp(here, variation, kept, states, step, rounds)
    elif variation.sharding in ZERO:
        yield from _zero(here, variation, kept, states, step)
    else:
        yield from _replicated(here, variation, states, step)


def _replicated(here: Place, v: Variation, states: int, step: int) -> Iterator[Peak]:
    """DDP: everything whole, and buckets as large as all gradients.

    pytorch/pytorch@v2.13.0:torch/csrc/distributed/c10d/reducer.cpp, gradient_as_bucket_view off.
    """
    inputs = here.inputs * (v.accumulation - 1)
    for line in here.lines:
        earlier = here.gradients if line.family == "accumulated" else 0
        if line.family in ("sharded", "step") or (earlier and v.accumulation == 1):
            continue
        alive = states if line.later else 0
        buckets = here.gradients if line.family != "load" else 0
        total = line.lasting + line.gradients + earlier + line.rest + alive + buckets
        yield Peak(
            total + (inputs if line.family != "load" else 0),
            line,
            {
                "gradients": line.gradients + earlier,
                "optimizer states": alive,
                "communication buffers": buckets,
            },
        )
    start = here.start
    yield Peak(
        start.lasting + 2 * here.gradients + start.rest + step + inputs,
        start,
        {"gradients": here.gradients, "optimizer states": step, "communication buffers": here.gradients},
    )


def _fsdp(here: Place, v: Variation, kept: Kept, states: int, step: int, rounds: int) -> Iterator[Peak]:
    """FSDP2: shards of everything, the layer at work and the next gathered, whole gradients of one layer."""
    cards = (v.gpus if v.sharding == "fsdp_hybrid" else v.world_size) // v.tensor
    offloaded = "cpu" in (v.offload_parameters, v.offload_optimizer)
    weights = here.built.get("weights", 0) + here.built.get("adapter weights", 0)
    whole = rounds * here.layer_parts.get("weights", 0) if kept.whole_layers else 0
    layer = here.layer_parts.get("adapter weights", 0) + (
        0 if kept.whole_layers else here.layer_parts.get("weights", 0)
    )
    fixed = whole + here.lasting - weights
    stored = (weights - here.gradients - whole) * kept.frozen_bytes + here.gradients * kept.trainable_bytes
    shards = int(stored / cards)
    reduced = int(here.gradients * kept.trainable_bytes / cards)
    lasting = fixed + (0 if offloaded else shards)
    alive = 0 if offloaded else int(states * _wider(v.optim, kept.trainable_bytes) / cards)
    inputs = here.inputs * (v.accumulation - 1)
    # PEFT's model hides its final norm from accelerate: the head is gathered by the loss alone, unless it
    # rests on the host (step/sharding/fsdp.py).
    loose = bool(here.built.get("adapter weights")) and not offloaded
    whole_gathered = layer * rounds + here.head if kept.whole_layers else weights - loose * here.head
    yield from _sharding(here, v, kept, lasting, shards, rounds)
    for line in here.lines:
        gradients = gathered = sent = 0
        if line.family == "sharded":
            share = here.gradients if v.accumulation > 1 and v.sync_each_batch else line.done
            done = 0 if offloaded else int(share * kept.trainable_bytes / cards)
            inside = "*" in line.module or line.layer is not None
            gathered, sent = _gathered(here, line, layer, inside, v)
            if kept.whole_layers and not inside:  # the head is no unit of its own: gathered, then joined
                gathered = 2 * here.head
            if v.sharding == "fsdp_grad_op":  # layers are let go as their backward passes end
                gathered, sent = int(whole_gathered * (1 - line.done / max(1, here.gradients))), 0
                gathered += 0 if inside else loose * here.head
            gradients, sent = line.gradients + done, sent + line.reducing
        elif line.family == "accumulated" and v.accumulation > 1 and not v.sync_each_batch:
            gathered, sent = _gathered(here, line, layer, "*" in line.module, v)
            if v.sharding == "fsdp_grad_op":
                gathered, sent = whole_gathered + loose * here.head, 0
            gradients = line.gradients + here.gradients
        elif line.family == "clip":
            gradients = 0 if offloaded else reduced
        else:
            continue
        rest = line.rest - line.parts.get("autocast copies", 0)
        yield Peak(
            lasting + gradients + alive + rest + inputs + gathered + sent,
            line,
            _parts(here, fixed, lasting, gradients, alive, gathered, sent),
        )
    earlier = _earlier(here, v, 0 if offloaded else reduced)
    yield from _outside(here, kept, lasting + alive + inputs, 0 if loose else layer, earlier, alive)
    if not offloaded:
        extra = int(step * _wider(v.optim, kept.trainable_bytes) / cards)
        total = lasting + reduced + here.start.rest + extra + inputs
        yield Peak(total, here.start, _parts(here, fixed, lasting, reduced, extra, 0, 0))


def _earlier(here: Place, v: Variation, reduced: int) -> int:
    """Return the gradients of earlier passes: whole, or *reduced* after each."""
    if v.accumulation == 1:
        return 0
    return reduced if v.sync_each_batch else here.gradients


def _outside(here: Place, kept: Kept, there: int, layer: int, earlier: int, states: int) -> Iterator[Peak]:
    """Yield when what lies outside the layers is gathered: the head before the loss, the embedding last.

    While it is unpacked, the buffer in which it came is there too. A head that the loss gathers by itself has
    none: then *layer*, which was gathered before, is 0.
    """
    if kept.whole_layers:
        return
    for name, rest, sent in (("forward", here.carried, here.head + layer), ("backward", 0, here.head)):
        if name == "forward" and not layer:
            continue
        line = replace(here.start, phase=f"step2.{name}", rest=rest, parts={"activations": rest})
        total = there + earlier + rest + here.head + sent
        yield Peak(total, line, _parts(here, 0, there - states, earlier, states, here.head, sent))


def _sharding(
    here: Place, v: Variation, kept: Kept, lasting: int, shards: int, rounds: int
) -> Iterator[Peak]:
    """Yield the moments in which quantised weights are sharded: the card holds all of them, or one unit.

    accelerate holds all that it found until the last is sharded; of a model on the host, embedding and head.
    """
    if not kept.quantized:
        return
    if not v.quantizes_on_host:
        yield from (Peak(sum(line.parts.values()), line, {}) for line in here.lines if line.family == "load")
    outside = here.built.get("weights", 0) - rounds * here.layer_parts.get("weights", 0)
    unit = max(outside, sum(here.layer_parts.get(each, 0) for each in ("weights", "adapter weights")))
    more = unit if v.quantizes_on_host else here.lasting - lasting + shards
    bare = replace(here.start, phase="shard", rest=0, parts={})
    yield Peak(lasting + more, bare, _parts(here, 0, lasting + more, 0, 0, 0, 0))


def _gathered(here: Place, line: Line, layer: int, inside: bool, v: Variation) -> tuple[int, int]:
    """Return what is gathered to be used, and the buffer of what is gathered ahead.

    Before the first layer comes the embedding, which is about as large as the head. The FSDP2 beside split
    layers is transformers' own, which keeps the head gathered.
    """
    if not inside:
        return here.head, layer
    ahead = min(layer, here.head) if line.layer == 0 and line.phase.endswith("backward") else layer
    return layer + (here.head if v.tensor > 1 else 0), ahead


def _zero(here: Place, v: Variation, kept: Kept, states: int, step: int) -> Iterator[Peak]:
    """ZeRO: 16-bit weights whole (1, 2) or in shards (3), float32 masters and states in shards."""
    cards, stage = v.world_size, int(v.sharding[-1])
    half = _HALF / kept.item_bytes
    learning = int(here.gradients * half)
    weights = here.built.get("weights", 0) + here.built.get("adapter weights", 0)
    weights += learning - here.gradients
    fixed = here.lasting - here.built.get("weights", 0) - here.built.get("adapter weights", 0)
    share = learning // cards
    offloaded = v.offload_optimizer != "none"
    lasting = fixed + (weights if stage < 3 else 0 if v.offload_parameters != "none" else weights // cards)
    wide = 4 / kept.item_bytes if v.optim in AS_WEIGHTS else 1.0
    alive = 0 if offloaded else 2 * share + int(states * wide / cards)
    buffer = _HALF * kept.bucket_elements * (2 if stage == 3 else 1)
    if offloaded and stage < 3:  # gradients pass through one buffer on their way to the host
        buffer += here.largest
    gathered = min(weights, _HALF * _MAX_LIVE) if stage == 3 else 0
    # Stage 3 has a place for its share of gradients from the start; the others make one as they go.
    shares = 0 if offloaded else share if stage == 3 else share * (v.accumulation > 1)
    inputs = here.inputs * (v.accumulation - 1)

    def peak(line: Line, gradients: int, sent: int, alive: int = alive, gathered: int = gathered) -> Peak:
        total = lasting + gradients + alive + line.rest - line.parts.get("autocast copies", 0) + inputs
        return Peak(
            total + gathered + sent,
            line,
            _parts(here, fixed, lasting, gradients, alive, gathered, sent),
        )

    for line in here.lines:
        if line.family == "sharded" and stage > 1:
            done = 0 if offloaded or stage == 3 else int(line.done * half) // cards
            yield peak(line, int(line.gradients * half) + done + shares, buffer)
        elif line.family == "pass" and line.later and stage == 1:
            yield peak(line, int(line.gradients * half) + shares, buffer)
        elif line.family == "accumulated" and v.accumulation > 1 and stage == 1:
            yield peak(line, int((line.gradients + here.gradients) * half) + shares, buffer)
    start = here.start
    if stage == 1:  # what was reduced is joined before the whole gradients are let go
        yield peak(start, learning + share, buffer)
    if stage < 3:  # weights that learn are copied into one flat tensor while both exist
        bare = replace(start, phase="trainer_built", rest=0, parts={})
        yield Peak(lasting + learning, bare, _parts(here, fixed, lasting + learning, 0, 0, 0, 0))
    if not offloaded:
        # The norm of the gradients is taken in float64: get_grad_norm_direct().
        whole = here.largest * half / (cards if stage == 3 else 1)
        yield peak(start, share + 4 * int(min(share, whole)), 0, gathered=0)
        # Stage 3 steps so many elements at a time, the others all of their share.
        part = min(share, _HALF * _SUB_GROUP) if stage == 3 else share
        wider, extra = 2 * part, max(part, int((step - states) * wide / cards))
        yield peak(start, share + wider + extra, 0, gathered=0)


def host_bytes(here: Place, v: Variation, kept: Kept, *, states: int) -> tuple[int, int]:
    """Return what one card's process keeps in the memory of the host, and what of it is locked in place."""
    cards, learning = v.world_size, here.gradients
    weights = here.built.get("weights", 0) + here.built.get("adapter weights", 0)
    if v.sharding in FSDP:
        return _fsdp_host(here, v, kept, states)
    if v.sharding not in ZERO:
        return 0, 0
    share = int(learning * _HALF / kept.item_bytes) // cards
    total = locked = 0
    if v.offload_optimizer == "cpu":
        # float32 weights, gradient and two states of DeepSpeedCPUAdam, and the 16-bit gradient on its way.
        total += 9 * share + (here.largest if v.sharding != "zero3" else 0)
    if v.offload_parameters == "cpu":
        part = (weights - learning) // cards + share
        locked = _pinned(part)
        total += locked
    return total, locked


def _fsdp_host(here: Place, v: Variation, kept: Kept, states: int) -> tuple[int, int]:
    """Return the same under FSDP2: what it offloads, and the whole model where it is quantised there."""
    cards = v.gpus if v.sharding == "fsdp_hybrid" else v.world_size
    all_learn = not here.built.get("adapter weights")
    shards = gradients = others = 0
    for category, size, count in here.pieces if "cpu" in (v.offload_optimizer, v.offload_parameters) else ():
        learns = all_learn or category != "weights"
        stored = size * (kept.trainable_bytes if learns else kept.frozen_bytes)
        locked = count * _pinned(int(stored / cards))
        shards, gradients = (
            (shards, gradients + locked) if category == "gradients" else (shards + locked, gradients)
        )
        others = int(states * _wider(v.optim, kept.trainable_bytes) / cards)
    loaded = here.lasting if v.quantizes_on_host else 0
    return shards + max(loaded, gradients + others), shards + gradients


def _pinned(count: int) -> int:
    """Return what PyTorch takes for *count* pinned bytes: the next power of two.

    pytorch/pytorch@v2.13.0:aten/src/ATen/core/CachingHostAllocator.h, allocate().
    """
    return 1 << (count - 1).bit_length() if count > 0 else 0


def _wider(optim: str, trainable_bytes: float) -> float:
    """Return by how much states grow where weights that learn are kept in float32."""
    return trainable_bytes if optim in AS_WEIGHTS else 1.0


def _parts(
    here: Place, fixed: int, lasting: int, gradients: int, states: int, gathered: int, sent: int
) -> dict[str, int]:
    constants = here.built.get("quantization constants", 0)
    buffers = here.built.get("buffers", 0)
    return {
        "weights": lasting - constants - buffers,
        "adapter weights": 0,
        "quantization constants": constants,
        "buffers": buffers,
        "gradients": gradients,
        "optimizer states": states,
        "gathered parameters": gathered,
        "communication buffers": sent,
        "autocast copies": 0,
    }
