"""Whole models from a few of their layers, and closed forms over batch and length.

    layers.py       how an architecture's layers repeat, and the same architecture with fewer
    unrolling.py    the Timeline of many layers from the Timelines of two layer counts, event by event
    scaling.py      the two together: a whole model's trace at the price of a few layers
    sizes.py        sizes as exact functions of batch and length, found from a few values
    instants.py     which instants can be the peak
    closed.py       Ledger: the peak as a maximum of exact sums, evaluated in microseconds
    fitting.py      a Ledger from small traces, checked on one that the fit has not seen

Nothing here imports torch: what runs a step is passed in.
"""

from tunesmith.memory.ledger.closed import Evaluation, Ledger, Range
from tunesmith.memory.ledger.fitting import fit
from tunesmith.memory.ledger.layers import Layers, layers_of, with_layers
from tunesmith.memory.ledger.scaling import Trace, layers_for, scaled_trace
from tunesmith.memory.ledger.unrolling import Unrolling, unrolling

__all__ = [
    "Evaluation",
    "Layers",
    "Ledger",
    "Range",
    "Trace",
    "Unrolling",
    "fit",
    "layers_for",
    "layers_of",
    "scaled_trace",
    "unrolling",
    "with_layers",
]
