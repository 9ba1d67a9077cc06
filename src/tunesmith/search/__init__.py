"""From a model, lengths and hardware to the recipes worth running, each with its reasons.

plan.py  Plan, Miss, Plans: the answer
"""

from tunesmith.search.plan import Hardware, Miss, Plan, Plans, Point, Reason

__all__ = ["Hardware", "Miss", "Plan", "Plans", "Point", "Reason"]
