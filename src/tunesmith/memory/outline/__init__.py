"""Outlines: what tens of thousands of recipes a second need, from a few small traces of each class.

    variation.py    what an outline leaves open, and what it answers
    forms.py        sizes as functions of batch, length and rank
    sampling.py     the whole model's run at three points at once, from a few of its layers
    skyline.py      the instants that can be the peak
    places.py       the same at one batch, length and rank, by role
    optimizers.py   what other optimizers take: their real step on a few layers
    working.py      what a step computes, over batch and length
    outlines.py     Outline: variations in, needs out
    making.py       an Outline from traces

Nothing here imports torch: what runs a step is passed in.
"""

from tunesmith.memory.outline.making import outline, outline_is_kept
from tunesmith.memory.outline.optimizers import OptimizerStep, optimizer_step
from tunesmith.memory.outline.outlines import Outline
from tunesmith.memory.outline.variation import Needs, Variation

__all__ = ["Needs", "OptimizerStep", "Outline", "Variation", "optimizer_step", "outline", "outline_is_kept"]
