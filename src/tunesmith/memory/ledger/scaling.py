"""A whole model's trace from two traces of a few of its layers, exact and many times faster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tunesmith.architecture import Architecture
from tunesmith.hardware import Gpu
from tunesmith.memory.estimate import Traced
from tunesmith.memory.ledger.layers import layers_of, with_layers
from tunesmith.memory.ledger.unrolling import unrolling
from tunesmith.recipe import Recipe

Trace = Callable[[Architecture, Recipe, Gpu], Traced]
"""What runs a step and records it; tunesmith.memory.trace.trace, which needs PyTorch."""


def scaled_trace(architecture: Architecture, recipe: Recipe, gpu: Gpu, *, trace: Trace) -> Traced:
    """Return what *trace* would return for the whole model, from two traces of a few layers.

    Raises UnsupportedError where the layers do not repeat, or single layers are chosen by the recipe.
    """
    layers = layers_of(architecture)
    few, more = (
        trace(with_layers(architecture, layers, count), recipe, gpu)
        for count in (layers.fewest, layers.fewest + layers.period)
    )
    rounds = layers.rounds
    timeline = unrolling(few.timeline, more.timeline, period=layers.period).timeline(rounds)
    return replace(
        few,
        timeline=timeline,
        parameters=few.parameters + rounds * (more.parameters - few.parameters),
        trainable_parameters=few.trainable_parameters
        + rounds * (more.trainable_parameters - few.trainable_parameters),
        assumptions=(
            *few.assumptions,
            f"All {layers.count} layers follow from traces of {layers.fewest} and {layers.fewest + layers.period}.",
        ),
    )
