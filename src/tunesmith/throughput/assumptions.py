"""What times and prices take for granted, in sentences for whoever reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from tunesmith.hardware import Cluster
from tunesmith.hardware.prices import Price, usual
from tunesmith.throughput.links import links
from tunesmith.units import GB

RUNS: Final[Mapping[str, int]] = MappingProxyType({"Turing": 14, "Ampere": 59, "Ada": 13, "Hopper": 3})
"""Published runs of each architecture in ``benchmarks/rows/throughput.jsonl``."""

FEW: Final = 5
"""Runs below which an architecture's times are said to rest on few."""


def run_assumptions(cluster: Cluster, prices: Mapping[str, Sequence[Price]]) -> Iterator[str]:
    """Yield what seconds, hours and money on *cluster* take for granted.

    >>> from tunesmith.hardware import gpu
    >>> next(iter(run_assumptions(Cluster(gpu=gpu("A100"), gpus=1), {})))
    'Times span what 95 of 100 published training runs took for the work that is counted here.'
    """
    yield "Times span what 95 of 100 published training runs took for the work that is counted here."
    card = cluster.gpu
    runs = RUNS.get(card.architecture, 0)
    if not runs:
        yield f"None of those runs was on a {card.architecture} card: its times are a guess from other cards."
    elif runs < FEW:
        yield f"Only {runs} of those runs were on {card.architecture} cards: times may be further off."
    if cluster.nodes > 1:
        rate = links(cluster).between / GB
        yield f"Between nodes a card is taken to send {rate:.3g} GB a second; a slower network takes longer."
    chosen = usual(prices.get(card.name, ()))
    if chosen:
        who = ", ".join(dict.fromkeys(price.provider for price in chosen))
        yield f"Dollars are what {who} ask for an hour of one {card.name}{_days(chosen)}."


def _days(listed: Sequence[Price]) -> str:
    """Return when *listed* was listed, or nothing where a day is not known."""
    days = sorted(price.date for price in listed)
    if not days[0]:
        return ""
    return f" ({days[0]})" if days[0] == days[-1] else f" ({days[0]} to {days[-1]})"
