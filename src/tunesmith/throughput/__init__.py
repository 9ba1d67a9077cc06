"""From what a step computes and moves to seconds, tokens a second, hours and money, each an interval.

    interval.py    Interval
    efficiency.py  which share of printed rates training reaches, fitted to published runs
    links.py       what NVLink, PCIe and networks carry
    ring.py        the work of a card that sees one part of every sequence
    sharing.py     the work of one card when cards share a model, from the work of one card alone
    step.py        the time of one optimizer step
    run.py         tokens a second, hours, money
    assumptions.py what times and prices take for granted

Nothing here imports torch, and a call takes microseconds: a search makes tens of thousands a second.
"""

from tunesmith.throughput.assumptions import run_assumptions
from tunesmith.throughput.interval import Interval
from tunesmith.throughput.ring import Ring, around
from tunesmith.throughput.run import (
    run_hours,
    run_usd,
    sharing_a_batch,
    tokens_per_second,
    tokens_per_step,
)
from tunesmith.throughput.sharing import shared_work
from tunesmith.throughput.step import StepTime, step_seconds, step_time

__all__ = [
    "Interval",
    "Ring",
    "StepTime",
    "around",
    "run_assumptions",
    "run_hours",
    "run_usd",
    "shared_work",
    "sharing_a_batch",
    "step_seconds",
    "step_time",
    "tokens_per_second",
    "tokens_per_step",
]
