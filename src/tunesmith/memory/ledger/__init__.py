"""Whole models from a few of their layers, and closed forms over batch and length.

    layers.py       how an architecture's layers repeat, and the same architecture with fewer
    unrolling.py    the Timeline of many layers from the Timelines of two layer counts, event by event
    scaling.py      the two together: a whole model's trace at the price of a few layers

Nothing here imports torch: what runs a step is passed in.
"""

from tunesmith.memory.ledger.layers import Layers, layers_of, with_layers
from tunesmith.memory.ledger.scaling import Trace, layers_for, scaled_trace
from tunesmith.memory.ledger.unrolling import Unrolling, unrolling

__all__ = [
    "Layers",
    "Trace",
    "Unrolling",
    "layers_for",
    "layers_of",
    "scaled_trace",
    "unrolling",
    "with_layers",
]
