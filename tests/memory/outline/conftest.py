"""A model of eight layers, its real traces, and the outlines that tests ask; each is made once."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

with warnings.catch_warnings():  # what libraries say of themselves while they are imported
    warnings.simplefilter("ignore")
    from tunesmith.memory.trace import trace

from tunesmith.architecture import Architecture, load_architecture
from tunesmith.hardware import Gpu, gpu
from tunesmith.memory.estimate import Estimate, Traced, estimate_from
from tunesmith.memory.ledger import Trace, scaled_trace
from tunesmith.memory.outline import Outline, Variation, outline
from tunesmith.memory.outline.sampling import Sampled, sample
from tunesmith.recipe import Recipe

MODEL: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 2048,
    "intermediate_size": 5632,
    "num_hidden_layers": 8,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
    "vocab_size": 32000,
    "max_position_embeddings": 8192,
}
CARD = gpu("A100-80GB")
OPTIMS = ("adamw_torch", "adamw_8bit", "sgd")
CLASSES: dict[str, dict[str, Any]] = {
    "full": {"method": "full"},
    "full, no checkpointing": {"method": "full", "gradient_checkpointing": False},
    "lora": {"method": "lora"},
    "qlora": {
        "method": "qlora",
        "quantization": {"quant_storage": "bfloat16"},
        "precision": {"autocast": "bfloat16"},
        "hardware": {"gpus": 2},
    },
}


def recipe_of(name: str, **changes: Any) -> Recipe:
    """Return the recipe that stands for a class, with *changes*."""
    start = {"model": MODEL, "sequence_length": 256, "per_device_train_batch_size": 2}
    return Recipe.from_mapping(start | CLASSES[name]).replace(**changes)


def quiet(architecture: Architecture, recipe: Recipe, card: Gpu) -> Traced:
    """Return the real trace of a step."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return trace(architecture, recipe, card)


@pytest.fixture(scope="session")
def llama() -> Architecture:
    """Return the model."""
    return load_architecture(MODEL)


@pytest.fixture(scope="session")
def outlined(llama: Architecture) -> Callable[[str], Outline]:
    """Return a function from a class to its outline; each is made once."""
    known: dict[str, Outline] = {}

    def of(name: str) -> Outline:
        if name not in known:
            optims = OPTIMS if name == "full" else ()
            known[name] = outline(llama, recipe_of(name), CARD, trace=quiet, optims=optims)
        return known[name]

    return of


@pytest.fixture(scope="session")
def worked(llama: Architecture) -> Callable[[str, Variation], Traced]:
    """Return a function from a class and a variation to its real run."""

    def of(name: str, variation: Variation) -> Traced:
        recipe = recipe_of(name, **variation.changes())
        if variation.sharding.startswith("zero") or variation.every_n_layers > 1:
            return quiet(llama, recipe, CARD)
        return scaled_trace(llama, recipe, CARD, trace=quiet)

    return of


@pytest.fixture(scope="session")
def exact(worked: Callable[[str, Variation], Traced]) -> Callable[[str, Variation], Estimate]:
    """Return a function from a class and a variation to what its real run needs."""

    def of(name: str, variation: Variation) -> Estimate:
        recipe = recipe_of(name, **variation.changes())
        return estimate_from(worked(name, variation), model="llama", recipe=recipe, gpu=None)

    return of


@pytest.fixture(scope="session")
def sampled(llama: Architecture) -> Sampled:
    """Return the run of the full fine-tune at three points."""
    return sample(llama, recipe_of("full"), CARD, quiet)


@pytest.fixture(scope="session")
def recipe_for() -> Callable[..., Recipe]:
    """Return the function from a class and changes to a recipe."""
    return recipe_of


@pytest.fixture(scope="session")
def real_trace() -> Trace:
    """Return what runs a real step on the meta device."""
    return quiet


@pytest.fixture(scope="session")
def card() -> Gpu:
    """Return the card that tests outline for."""
    return CARD
