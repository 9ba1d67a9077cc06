"""The folk formulas as data: computed as their believers state them, and set beside exact figures.

Nothing here is used to estimate anything. Each formula is here so that its answer can stand beside the exact
one, with the mechanism that explains the difference. Figures are bytes; the GB and GiB that people tell stay
in the worked examples, where ``Figure.unit`` says which of them (or which mixture) it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from tunesmith.folklore.adapters import ADAPTERS
from tunesmith.folklore.folk import Figure, Folk, Interval, Known, Parts, Run, Text, Worked
from tunesmith.folklore.full import FULL
from tunesmith.folklore.rules import RULES

__all__ = [
    "FOLKLORE",
    "Comparison",
    "Figure",
    "Folk",
    "Interval",
    "Known",
    "Parts",
    "Run",
    "Text",
    "Worked",
    "compare",
]

FOLKLORE: Final[Mapping[str, Folk]] = MappingProxyType({folk.id: folk for folk in (*FULL, *ADAPTERS, *RULES)})
"""Every formula by its id."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One told figure beside the exact one."""

    folk: Folk
    """The formula."""
    part: str
    """The part compared, e.g. ``weights``; empty for the formula's whole answer."""
    told: Interval
    """The formula's answer."""
    beside: str
    """The name of the exact figure."""
    exact: int | None
    """The exact figure; None when it was not given."""
    error: int | None
    """Told minus exact from the nearer end of the interval; 0 inside it, None without an exact figure."""

    @property
    def error_share(self) -> float | None:
        """Return the error as a share of the exact figure."""
        return self.error / self.exact if self.error is not None and self.exact else None


def compare(run: Run, *, truth_bytes: Mapping[str, int]) -> tuple[Comparison, ...]:
    """Return every formula that speaks of *run* beside its exact figure, then each of its parts that has one.

    *truth_bytes* holds what is exact: ``allocated_bytes``, ``process_bytes``, ``activation_bytes``,
    ``trainable_parameters`` (a count), ``cheapest_plan_card_bytes``, and parts by category: ``weights``,
    ``gradients``, ``optimizer states`` and ``activations``.
    """
    found: list[Comparison] = []
    for folk in FOLKLORE.values():
        parts, told = folk.parts(run), folk.compute(run)
        if parts is None or told is None:
            continue
        found.append(_comparison(folk, "", told, folk.beside, truth_bytes.get(folk.beside)))
        if len(parts) > 1:
            found.extend(
                _comparison(folk, part, answer, part, truth_bytes[part])
                for part, answer in parts.items()
                if part in truth_bytes
            )
    return tuple(found)


def _comparison(folk: Folk, part: str, told: Interval, beside: str, exact: int | None) -> Comparison:
    """Return *told* beside *exact*, with the error when both are there."""
    error = None if exact is None else told.error(exact)
    return Comparison(folk=folk, part=part, told=told, beside=beside, exact=exact, error=error)
