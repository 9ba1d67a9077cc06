"""From a model, lengths and hardware to the recipes worth running, each with its reasons.

    wish.py        what is asked for                  asking.py      the same, for real data
    space.py       which recipes there are            fidelity.py    how close each comes to full fine-tuning
    scales.py      memory and time of each            weighing.py    which of them nothing beats
    searching.py   the search itself                  backwards.py   which cards would do
    explaining.py  why this one, why not the next     reasons.py     the sentences
    plan.py        the answer

Nothing here imports torch: outlines and traces are asked of an Engine that is passed in.
"""

from tunesmith.search.asking import with_lengths
from tunesmith.search.plan import Hardware, Miss, Plan, Plans, Point, Reason
from tunesmith.search.scales import Engine
from tunesmith.search.searching import search
from tunesmith.search.wish import GOALS, Layout, Wish

__all__ = [
    "GOALS",
    "Engine",
    "Hardware",
    "Layout",
    "Miss",
    "Plan",
    "Plans",
    "Point",
    "Reason",
    "Wish",
    "search",
    "with_lengths",
]
