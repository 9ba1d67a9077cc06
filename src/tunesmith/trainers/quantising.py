"""Where 4-bit weights are quantised and what they are kept as, which decides what FSDP shards, and when.

Every trainer but ms-swift lets transformers place the model of each process on that process's card, whatever
the recipe says. What that takes is computed, not guessed: the file is refused only where it does not fit.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from typing import Final

from tunesmith.memory.estimate import Estimate
from tunesmith.recipe import Recipe
from tunesmith.recipe.names import FSDP
from tunesmith.trainers.draft import Draft
from tunesmith.trainers.reading import Reading
from tunesmith.trainers.result import Said
from tunesmith.units import gib

Need = Callable[[Recipe], Estimate]
"""Returns what a recipe needs on each card."""

PLACE: Final = "quantization.device_map"
"""Where weights are quantised."""

BNB: Final = "bnb_config_kwargs"
"""Axolotl's key for arguments of transformers' BitsAndBytesConfig (src/axolotl/loaders/model.py)."""

NF4_SHARDS: Final = Said(
    "torchtune makes one weight after another NF4 on the card and keeps its shard, scales sharded too "
    "(torchtune/training/_distributed.py: load_from_full_model_state_dict); weights quantised on the host, "
    "whose scales stay whole, stand in for it",
    "torchtune 逐个在卡上把权重转为 NF4、只保留分片，缩放系数也分片"
    "（torchtune/training/_distributed.py: load_from_full_model_state_dict）；"
    "以主机上量化、缩放系数不分片的方式代替",
)


def is_sharded(recipe: Recipe) -> bool:
    """Return whether packed 4-bit weights are cut over cards, so that the type they are kept as counts."""
    return recipe.sharding in FSDP or recipe.sharding == "zero3"


def loading_bytes(answer: Estimate) -> int:
    """Return the most that is allocated on a card before the first step begins."""
    steps = takewhile(lambda phase: not phase.name.startswith("step"), answer.phases)
    return max(phase.allocated_peak_bytes for phase in steps)


def loading(title: str, answer: Estimate | None) -> Said:
    """Return what loading takes with the trainer *title*, which quantises on the card; None: not computed."""
    english = f"{title} quantises all weights on every card before FSDP shards them"
    chinese = f"{title} 先在每张卡上量化全部权重，再由 FSDP 分片"
    if answer is None:
        return Said(f"{english}; the recipe says on the host.", f"{chinese}；配方要求在主机上量化。")
    english += f": loading takes {gib(loading_bytes(answer))} a card"
    chinese += f"：加载时每张卡需 {gib(loading_bytes(answer))}"
    if answer.fits is None or answer.gpu is None:
        return Said(f"{english}; whether that fits depends on the card.", f"{chinese}；能否放下取决于显卡。")
    if answer.fits:
        return Said(
            f"{english}, and the run fits the {answer.gpu.name}.", f"{chinese}，{answer.gpu.name} 放得下。"
        )
    return Said(
        f"{english}, and the run does not fit the {answer.gpu.name}.",
        f"{chinese}，{answer.gpu.name} 放不下。",
    )


def note_script(recipe: Recipe, draft: Draft) -> None:
    """Say what a script of the user's must do that accelerate's file cannot say."""
    quantization = recipe.quantization
    if quantization is not None and quantization.bits == 4 and is_sharded(recipe):
        words = [f"bnb_4bit_quant_storage=torch.{quantization.quant_storage} in its BitsAndBytesConfig"]
        if quantization.device_map is not None:
            words.append(f'device_map="{quantization.device_map}" in from_pretrained()')
        said = " and ".join(words)
        draft.note(f"Your train.py loads the model with {said}.", f"你的 train.py 加载模型时须设 {said}。")
    if recipe.sync_each_batch:
        said = 'accelerator_config={"gradient_accumulation_kwargs": {"sync_each_batch": True}}'
        draft.note(
            f"Your train.py gives TrainingArguments {said}.",
            f"你的 train.py 须给 TrainingArguments 设 {said}。",
        )


def read_storage(reading: Reading) -> None:
    """Set the type that packed weights are kept as from BitsAndBytesConfig's own name for it."""
    if reading.stated("bnb_4bit_quant_storage"):
        reading.copy("bnb_4bit_quant_storage", "quantization.quant_storage")
    else:
        reading.set("quantization.quant_storage", "uint8", "bnb_4bit_quant_storage")


# -- Axolotl --------------------------------------------------------------------------------------------


def bnb_arguments(recipe: Recipe) -> dict[str, dict[str, str | bool]]:
    """Return Axolotl's ``bnb_config_kwargs`` where the recipe's 4-bit weights are not as it makes them."""
    quantization = recipe.quantization
    if quantization is None or quantization.bits != 4:
        return {}
    out: dict[str, str | bool] = {}
    if quantization.quant_type != "nf4":
        out["bnb_4bit_quant_type"] = quantization.quant_type
    if not quantization.double_quant:
        out["bnb_4bit_use_double_quant"] = False
    if is_sharded(recipe) and quantization.quant_storage not in ("uint8", "bfloat16"):
        out["bnb_4bit_quant_storage"] = quantization.quant_storage
    return {BNB: out} if out else {}


def read_bnb_arguments(reading: Reading) -> None:
    """Set what Axolotl gives BitsAndBytesConfig, and what ``bnb_config_kwargs`` changes of it."""
    given = reading.mapping(BNB)
    keys = {
        "bnb_4bit_quant_type": "quantization.quant_type",
        "bnb_4bit_compute_dtype": "quantization.compute_dtype",
        "bnb_4bit_quant_storage": "quantization.quant_storage",
    }
    twice = "bnb_4bit_use_double_quant"
    for name in sorted(set(given) - {*keys, twice}):
        reading.refuse(f"{BNB}.{name}", "a recipe cannot say it. Remove it.")
    reading.fact("quantization.quant_type", "nf4", "bnb")
    reading.fact("quantization.double_quant", True, "bnb")
    reading.fact("quantization.compute_dtype", reading.values["precision.weights"], "bnb")
    reading.fact("quantization.quant_storage", "bfloat16", "bnb")
    reading.fact(PLACE, None, "placement")
    for name, key in keys.items():
        if name in given:
            reading.copy(f"{BNB}.{name}", key)
    if twice in given:
        reading.set("quantization.double_quant", reading.boolean(f"{BNB}.{twice}"), f"{BNB}.{twice}")


# -- torchtune ------------------------------------------------------------------------------------------


def read_nf4_shards(reading: Reading) -> None:
    """Set what torchtune's FSDP2 brings with it: sharded NF4, and gradients reduced by every pass."""
    if reading.values.get("method") == "qlora":
        reading.assume("quantization.quant_storage", reading.values["precision.weights"], NF4_SHARDS)
        reading.assume(PLACE, "cpu", NF4_SHARDS)
    if reading.values.get("gradient_accumulation_steps", 1) != 1:
        reading.fact("sync_each_batch", True, "reduced")
